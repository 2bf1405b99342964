//! Arbitrary records and filters, for the property tests of all that evaluates filters.
//!
//! Both draw from the same small pools, so that filters hit as often as they miss.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::field::{Field, Kind};
use super::literal::{quote, quote_bytes, quote_pattern};
use super::operator::Operator;
use crate::binary::{Elf, Hashes, Package, PackageState, Storage, Unread};
use crate::id::{BootId, ProcessId};
use crate::record::{
    Container, Content, Context, End, Executable, FileContent, Io, Namespaces, ObservedEnd, Parent,
    ParentSource, PathState, PathText, Record, Source, Strings, StringsState, WallNs,
};
use crate::time::rfc3339;

/// The time that filters are parsed at and that records lie around.
pub const NOW: WallNs = 1_795_510_206_500_000_000;

const TEXTS: &[&[u8]] = &[
    b"/usr/bin/bash",
    b"/tmp/a b",
    b"bash",
    b"BASH",
    b"-c",
    b"curl http://x | sh",
    b"root",
    b"Alice",
    b"1000",
    b"docker",
    b"LD_PRELOAD=/tmp/x.so",
    b"\"quoted\" 'and' \\backslashed",
    b"\x1b[31mred",
    b"a\xff\xfeb",
    b"line\nbreak",
    "é\u{202e}漢".as_bytes(),
    b"and",
    b"=x",
    b" ",
];

const CONTAINERS: &[&str] =
    &["4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e4f5a6b7c8d9e0123", "4f5a6b7c8d9e", "web-1"];

const RUNTIMES: &[&str] = &["docker", "podman", "unknown"];

const PATTERNS: &[&str] =
    &["^/usr", "a.b", "[0-9]+$", "(?i)BASH", r"\.so", "\"quoted\"", "^$", "k sh$", r"c\s", "e.b"];

const NUMBERS: &[u32] = &[0, 1, 2, 3, 8, 1000, 4711, 65_534, u32::MAX];

/// Any record, hostile strings, missing parts and cuts included.
pub fn record() -> BoxedStrategy<Record> {
    let identity = (process_id(), 0_u32..3, select(&Source::ALL[..]), time(), time(), number());
    let place = (option::of(parent()), number(), number(), number(), option::of(name()));
    let image = (executable(), bytes(), option::of(bytes()), path());
    let memory = (strings(), strings(), number());
    (identity, place, image, memory, context(), option::of(end()))
        .prop_map(|(identity, place, image, memory, context, end)| {
            let (process, ordinal, source, time_ns, start_ns, row) = identity;
            let (parent, namespace_pid, process_group, session, tty) = place;
            let (executable, comm, script, working_directory) = image;
            let (args, env, args_count) = memory;
            Record {
                row: i64::from(row),
                process,
                ordinal,
                source,
                time_ns,
                boottime_ns: process.start_boottime_ns,
                start_ns,
                parent,
                namespace_pid,
                process_group,
                session,
                tty,
                comm: comm.into(),
                content: content(&executable),
                executable: Arc::new(executable),
                script: script.map(Arc::from),
                script_content: Content::Unknown,
                working_directory,
                args,
                args_count,
                env,
                context: Arc::new(context),
                end,
            }
        })
        .boxed()
}

/// What is known of a content depends on nothing but which file it is, as in the store.
fn content(file: &Executable) -> Content {
    let choice = file.inode ^ file.size_bytes ^ u64::from(file.device_minor);
    let digits = |count: usize| format!("{choice:016x}").repeat(8)[..count].to_owned();
    match choice % 4 {
        // Nothing can be said of a file that is not known.
        _ if file.identity().is_none() => Content::Unknown,
        0 => Content::Unknown,
        1 => Content::Unread(Unread::ALL[(choice % 8) as usize]),
        _ => Content::Read(Arc::new(FileContent {
            hashes: Hashes { sha256: digits(64), sha1: digits(40), md5: digits(32) },
            elf: (!choice.is_multiple_of(3)).then(|| Elf {
                class: Some(64),
                machine: Some("x86_64".to_owned()),
                kind: Some("pie".to_owned()),
                is_static: Some(choice % 8 < 4),
                interpreter: (choice % 8 >= 4).then(|| "/lib64/ld-linux-x86-64.so.2".to_owned()),
                is_stripped: None,
                build_id: Some(digits(40)),
                entropy: Some((choice % 8000) as u16),
                is_packed: Some(choice.is_multiple_of(5)),
                damage: choice.is_multiple_of(7).then(|| "ends early".to_owned()),
            }),
            package: (choice % 5 < 3).then(|| Package {
                name: "coreutils".to_owned(),
                version: Some("9.1-1".to_owned()),
                manager: "dpkg".to_owned(),
                state: PackageState::ALL[(choice % 3) as usize],
            }),
            capabilities: choice.is_multiple_of(6).then(|| "cap_net_raw=ep".to_owned()),
            storage: Storage::Kept,
            is_uncertain: choice.is_multiple_of(9),
        })),
    }
}

/// A text without NUL, as paths and arguments are.
fn bytes() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        6 => select(TEXTS).prop_map(<[u8]>::to_vec),
        1 => vec(1_u8.., 0..12),
        1 => Just(Vec::new()),
    ]
    .boxed()
}

/// A name as the recorder looks them up: UTF-8, not empty.
fn name() -> BoxedStrategy<String> {
    select(TEXTS).prop_map(|text| String::from_utf8_lossy(text).into_owned()).boxed()
}

fn number() -> BoxedStrategy<u32> {
    prop_oneof![4 => select(NUMBERS), 1 => any::<u32>()].boxed()
}

fn wide() -> BoxedStrategy<u64> {
    prop_oneof![
        3 => number().prop_map(u64::from),
        2 => (0_u64..200).prop_map(|count| count << 20),
        2 => (0_u64..7200).prop_map(|seconds| seconds * 1_000_000_000),
        1 => any::<u64>(),
    ]
    .boxed()
}

fn time() -> BoxedStrategy<WallNs> {
    const HOUR: i64 = 3_600_000_000_000;
    prop_oneof![
        (-100_i64..100).prop_map(|hours| NOW + hours * HOUR),
        (-100 * HOUR..HOUR).prop_map(|offset| NOW + offset),
    ]
    .boxed()
}

fn process_id() -> BoxedStrategy<ProcessId> {
    (1_u64..3, number(), wide())
        .prop_map(|(boot, pid, start_boottime_ns)| ProcessId {
            boot: BootId::from_bits(boot),
            pid,
            start_boottime_ns: start_boottime_ns >> 1,
        })
        .boxed()
}

fn parent() -> BoxedStrategy<Parent> {
    let source = select(&[ParentSource::Fork, ParentSource::Current][..]);
    (process_id(), bytes(), list(), source)
        .prop_map(|(process, executable, args, source)| Parent {
            process,
            executable: executable.into(),
            args: args.into(),
            context: None,
            source,
        })
        .boxed()
}

fn path() -> BoxedStrategy<PathText> {
    (bytes(), select(&PathState::ALL[..]))
        .prop_map(|(bytes, state)| match state {
            PathState::Absent => PathText::absent(),
            state => PathText { bytes: bytes.into(), state },
        })
        .boxed()
}

/// NUL-terminated strings.
fn list() -> BoxedStrategy<Vec<u8>> {
    vec(bytes(), 0..5)
        .prop_map(|list| list.into_iter().flat_map(|text| text.into_iter().chain([0])).collect())
        .boxed()
}

fn strings() -> BoxedStrategy<Strings> {
    (list(), 0..6, any::<prop::sample::Index>())
        .prop_map(|(mut bytes, state, at)| {
            let at = if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
            let state = match state {
                0 => return Strings::absent(),
                1 => return Strings { state: StringsState::Off, ..Strings::absent() },
                2 => {
                    bytes.truncate(at);
                    StringsState::Fault
                }
                3 => StringsState::Cut { head_bytes: u32::try_from(at).unwrap_or(0) },
                _ => StringsState::Complete,
            };
            let total_bytes = bytes.len() as u64;
            Strings { bytes: bytes.into(), state, total_bytes }
        })
        .boxed()
}

fn executable() -> BoxedStrategy<Executable> {
    let file = (number(), number(), wide(), wide(), time(), time());
    let mode = select(&[0, 0o100_755, 0o104_755, 0o100_644][..]);
    let flags = any::<(bool, bool, bool)>();
    (path(), file, mode, number(), number(), flags)
        .prop_map(
            |(
                path,
                (device_major, device_minor, inode, size_bytes, mtime_ns, ctime_ns),
                mode,
                uid,
                gid,
                flags,
            )| {
                let (is_memfd, is_deleted, is_upper_layer) = flags;
                Executable {
                    path,
                    device_major,
                    device_minor,
                    inode,
                    size_bytes,
                    mtime_ns,
                    ctime_ns,
                    mode,
                    uid,
                    gid,
                    is_memfd,
                    is_deleted,
                    is_upper_layer,
                }
            },
        )
        .boxed()
}

fn context() -> BoxedStrategy<Context> {
    let ids = (number(), number(), number(), number());
    let names = (option::of(name()), option::of(name()), option::of(name()), option::of(name()));
    let login = (option::of(number()), option::of(number()));
    let capabilities = prop_oneof![Just(0), Just(1 << 21), Just((1 << 41) - 1), any::<u64>()];
    let namespaces = (number(), number(), number(), number(), number(), number(), number());
    let place = (name(), option::of(container()), option::of(name()), option::of(name()));
    let is_unknown = prop_oneof![4 => Just(false), 1 => Just(true)];
    (ids, names, login, capabilities, namespaces, place, is_unknown)
        .prop_map(|(ids, names, login, cap_effective, namespaces, place, is_unknown)| {
            if is_unknown {
                return Context { is_unknown, ..Context::default() };
            }
            let (uid, gid, euid, egid) = ids;
            let (user_name, effective_user_name, group_name, login_name) = names;
            let (mount, pid, network, user, uts, ipc, cgroup) = namespaces;
            Context {
                uid,
                gid,
                euid,
                egid,
                suid: euid,
                sgid: egid,
                user_name,
                effective_user_name,
                group_name,
                login_uid: login.0,
                login_name,
                audit_session: login.1,
                cap_effective,
                cap_permitted: cap_effective,
                namespaces: Namespaces { mount, pid, network, user, uts, ipc, cgroup },
                cgroup: place.0,
                container: place.1,
                unit: place.2,
                slice: place.3,
                is_unknown,
            }
        })
        .boxed()
}

fn container() -> BoxedStrategy<Container> {
    (select(RUNTIMES), select(CONTAINERS))
        .prop_map(|(runtime, id)| Container { runtime: runtime.to_owned(), id: id.to_owned() })
        .boxed()
}

fn end() -> BoxedStrategy<End> {
    let death = prop_oneof![
        (0_u8..3).prop_map(|code| (Some(code), None)),
        (1_u8..65).prop_map(|signal| (None, Some(signal))),
    ];
    let io = option::of(
        (wide(), wide()).prop_map(|(read_bytes, write_bytes)| Io { read_bytes, write_bytes }),
    );
    let observed = (time(), wide(), death, any::<bool>(), wide(), wide(), io).prop_map(
        |(time_ns, boottime_ns, (exit_code, signal), has_core_dump, cpu_ns, max_rss_bytes, io)| {
            ObservedEnd {
                time_ns,
                boottime_ns,
                exit_code,
                signal,
                has_core_dump,
                user_cpu_ns: cpu_ns,
                system_cpu_ns: 0,
                cpu_ns,
                max_rss_bytes,
                io,
            }
        },
    );
    option::of(observed).prop_map(|observed| End { observed }).boxed()
}

/// Any filter text that is valid, with every field and operator.
pub fn filter_text() -> BoxedStrategy<String> {
    term()
        .prop_recursive(4, 24, 3, |inner| {
            let joined = |joint: &'static str| {
                vec(inner.clone(), 2..4).prop_map(move |parts| format!("({})", parts.join(joint)))
            };
            prop_oneof![
                joined(" and "),
                joined(" OR "),
                joined("  "),
                inner.prop_map(|text| format!("not {text}")),
            ]
        })
        .boxed()
}

fn term() -> BoxedStrategy<String> {
    let word = text_value().prop_map(|text| quote_bytes(&text));
    let bound = (select(&["since", "until", "since ="][..]), value(Kind::Time))
        .prop_map(|(bound, time)| format!("{bound} {time}"));
    let flag = select(&["deleted", "memfd", "truncated", "core_dump"][..]).prop_map(str::to_owned);
    prop_oneof![20 => field_term(), 2 => word, 1 => bound, 1 => flag].boxed()
}

fn field_term() -> BoxedStrategy<String> {
    select(Field::ALL).prop_flat_map(filter_text_of).boxed()
}

/// Any one condition on the field.
pub fn filter_text_of(field: Field) -> BoxedStrategy<String> {
    select(field.kind().operators())
        .prop_flat_map(move |operator| operands(field, operator))
        .boxed()
}

fn operands(field: Field, operator: Operator) -> BoxedStrategy<String> {
    let front = format!("{} {}", field.name(), operator.name());
    let one = |value: BoxedStrategy<String>| {
        let front = front.clone();
        value.prop_map(move |value| format!("{front} {value}")).boxed()
    };
    match (operator, field.kind()) {
        (Operator::Exists, _) => Just(front).boxed(),
        (Operator::In | Operator::NotIn, kind) => vec(value(kind), 1..4)
            .prop_map(move |values| format!("{front} ({})", values.join(", ")))
            .boxed(),
        (Operator::Matches | Operator::NotMatches, Kind::Capability) => {
            one(select(&["^CAP_SYS", "ADMIN$"][..]).prop_map(quote_pattern).boxed())
        }
        (Operator::Matches | Operator::NotMatches, _) => {
            one(select(PATTERNS).prop_map(quote_pattern).boxed())
        }
        (Operator::Contains | Operator::NotContains, Kind::Capability) => {
            one(select(&["sys", "CAP_NET"][..]).prop_map(quote).boxed())
        }
        (Operator::Contains | Operator::NotContains, _) => {
            one(text_value().prop_map(|text| quote_bytes(&text)).boxed())
        }
        (_, kind) => one(value(kind)),
    }
}

/// A text of the pool, or a piece of one.
fn text_value() -> BoxedStrategy<Vec<u8>> {
    let piece = (select(TEXTS), any::<(prop::sample::Index, prop::sample::Index)>()).prop_map(
        |(text, (from, length))| {
            let from = from.index(text.len());
            text[from..=from + length.index(text.len() - from)].to_vec()
        },
    );
    prop_oneof![select(TEXTS).prop_map(<[u8]>::to_vec), piece, vec(any::<u8>(), 1..4)].boxed()
}

fn value(kind: Kind) -> BoxedStrategy<String> {
    let text = text_value().prop_map(|text| quote_bytes(&text)).boxed();
    match kind {
        Kind::Number => number().prop_map(|number| number.to_string()).boxed(),
        Kind::Inode => wide().prop_map(|number| number.to_string()).boxed(),
        Kind::Device => {
            (number(), number()).prop_map(|(major, minor)| format!("{major}:{minor}")).boxed()
        }
        Kind::Mode => select(&["755", "4755", "0644"][..]).prop_map(str::to_owned).boxed(),
        Kind::Signal => select(&["KILL", "SIGSEGV", "9", "64"][..]).prop_map(str::to_owned).boxed(),
        Kind::Time => prop_oneof![
            select(&["2h ago", "yesterday", "now", "15m", "3 days ago", "2026-11-24 14:00"][..])
                .prop_map(str::to_owned),
            time().prop_map(rfc3339),
        ]
        .boxed(),
        Kind::Duration => select(&["10ms", "2s", "1.5h", "0s"][..]).prop_map(str::to_owned).boxed(),
        Kind::Size => select(&["0", "1000", "10M", "2GiB"][..]).prop_map(str::to_owned).boxed(),
        Kind::Flag => select(&["yes", "no", "true", "0"][..]).prop_map(str::to_owned).boxed(),
        Kind::Capability => {
            select(&["SYS_ADMIN", "cap_chown", "CAP_63"][..]).prop_map(str::to_owned).boxed()
        }
        Kind::Choice(names) => select(names).prop_map(str::to_owned).boxed(),
        Kind::Container => select(CONTAINERS).prop_map(str::to_owned).boxed(),
        Kind::Process => process_id().prop_map(|id| id.to_string()).boxed(),
        Kind::Account(_) => {
            prop_oneof![text, number().prop_map(|number| number.to_string())].boxed()
        }
        Kind::Text => text,
        Kind::Strings | Kind::CommandLine => {
            prop_oneof![9 => text, 1 => Just("\"\"".to_owned())].boxed()
        }
    }
}
