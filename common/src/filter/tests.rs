//! The language as a whole: texts in, verdicts or errors out.

mod records;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::binary::{Elf, Hashes, Package, PackageState, Storage, Unread};
use crate::ecs;
use crate::id::{BootId, ProcessId};
use crate::record::{
    Container, Content, Context, End, Executable, FileContent, Io, Namespaces, ObservedEnd, Parent,
    ParentSource, PathState, PathText, Source, State, Strings, StringsState, join_strings,
    split_strings,
};
use crate::time::parse_rfc3339;

use self::records::*;

const HOUR: i64 = 3_600_000_000_000;

fn now() -> WallNs {
    parse_rfc3339("2026-11-24T08:50:06.5Z").unwrap()
}

#[track_caller]
fn parse(text: &str) -> Filter {
    Filter::parse(text, now()).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

#[track_caller]
fn finds(record: &Record, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).matches(record), "should match: {text}");
        let negated = format!("not ({text})");
        assert!(!parse(&negated).matches(record), "should not match: {negated}");
    }
}

#[track_caller]
fn misses(record: &Record, texts: &[&str]) {
    for text in texts {
        assert!(!parse(text).matches(record), "should not match: {text}");
    }
}

#[test]
fn the_empty_filter_finds_everything() {
    for text in ["", "  \n "] {
        assert_eq!(parse(text).expr, Expr::True);
    }
    assert!(Filter::all().matches(&bare()));
}

#[test]
fn texts_compare() {
    let record = full();
    finds(
        &record,
        &[
            "name = cURL",
            "name=cURL",
            "name == \"cURL\"",
            "NAME ~ curl",
            "name != curl",
            "name !~ wget",
            "name =~ ^cU",
            "name !=~ ^cu",
            "name in (bash, cURL)",
            "name not in (bash, sh)",
            "exe = /usr/bin/cURL",
            "process.executable ~ /BIN/",
            "script = ./run.sh and comm = cURL",
            "cwd = \"/tmp/a b\"",
            "cwd =~ '^/tmp/a\\sb$'",
            "tty=pts/0 runtime = docker unit = docker.service slice ~ SYSTEM cgroup ~ .scope",
            "parent = /usr/sbin/sshd parent_name = sshd parent_cmd = \"sshd: alice\"",
        ],
    );
    misses(&record, &["name = curl", "name ~ wget", "name =~ ^URL", "exe = cURL", "name in (a)"]);
}

#[test]
fn arguments_are_searched() {
    let record = full();
    finds(
        &record,
        &[
            "curl",
            "CURL HTTP",
            "-X",
            "\"curl -x  http\"",
            "cmd = \"cURL -X  http://x/\\xff a and b\"",
            "cmd =~ \"X  http\"",
            "arg = \"a and b\"",
            "arg = \"\"",
            "arg ~ ' AND '",
            "arg =~ ^-X$",
            "argc = 5 and argc > 4 and argc <= 5",
            "env = PATH=/bin",
            "env ~ ld_preload=",
            "--foo or -X",
        ],
    );
    misses(
        &record,
        &["--foo", "arg = curl", "arg ~ \"X http\"", "\"X\\0\"", "env ~ \"bin\\0LD\"", "wget curl"],
    );
}

#[test]
fn numbers_compare() {
    let record = full();
    finds(
        &record,
        &[
            "pid = 4711 ppid = 42 pgid = 4711 sid = 4700 nspid = 1 ordinal = 1",
            "pid in (1, 4711)",
            "pid>4710 pid>=4711 pid<4712 pid<=4711 pid!=4712",
            "uid = 1000 euid = 0 gid = 100 egid = 0 auid = 1000 audit_session = 3",
            "user = 1000 and user = alice and user in (root, 1000) and user != root",
            "euser = root login = alice group = users group = 100",
            "exit_code = 3 and exit-code > 2",
            "mount_ns = 1 pid_ns = 2 net_ns = 3 user_ns = 4 uts_ns = 5 ipc_ns = 6 cgroup_ns = 7",
            "mode = 4755 and inode = 18446744073709551614 and device = 8:1",
            "size = 10M and size > 9MB and size < 1GiB and rss = 64MiB",
            "duration = 90s and duration > 1m and duration < 1.51m and cpu = 1500ms",
            "io_read = 4K and io_write = 0",
            "core_dump memfd deleted upper_layer truncated",
            "deleted = yes and deleted = TRUE and deleted != no and deleted = 1",
        ],
    );
    misses(
        &record,
        &["user = \"1000\"", "user != 1000", "deleted = no", "mode = 755", "signal exists"],
    );
}

#[test]
fn names_stand_for_values() {
    let record = full();
    finds(
        &record,
        &[
            "id = 3f2a9c81d0b4-4711-1a2b and parent_id in (3F2A9C81D0B4-42-1a2b)",
            "state = failed and state in (FAILED, killed) and source = exec",
            "container = 4f5a6b7c8d9e and container = 4F5A6B7C8D9E4F",
            "container in (web, 4f5a6b7c8d9e)",
            "capability = SYS_ADMIN and cap = cap_sys_admin and cap ~ admin and cap =~ _SYS_",
            "cap in (CHOWN, SYS_ADMIN) and cap != CHOWN",
        ],
    );
    misses(&record, &["container = 4f5a", "cap = CHOWN", "cap ~ net", "state = ended"]);
    finds(&bare(), &["signal = KILL", "signal = SIGKILL", "signal in (9, TERM)", "state = killed"]);
}

#[test]
fn times_compare() {
    let record = full();
    finds(
        &record,
        &[
            "since 2h ago",
            "since = 2h",
            "since \"90 minutes ago\" until 30m ago",
            "until now",
            "time > 2h ago and time < now",
            "since 2026-11-24 07:50 until 2026-11-24T09:00:00+01:00",
            "time = 2026-11-24 and time = today and time != yesterday",
            "time = 07:50",
            "since 1 hour 30 minutes ago and curl",
            "start = 2026-11-24T06:50:06.5Z and end >= now",
            "since 3 days ago and not since 1m",
        ],
    );
    misses(&record, &["until 2h ago", "since 30m", "time = yesterday", "time > now"]);
}

#[test]
fn operators_bind_as_documented() {
    let same =
        |text: &str, meaning: &str| assert_eq!(parse(text).expr, parse(meaning).expr, "{text}");
    same("pid=1 or pid=2 and pid=3", "pid=1 or (pid=2 and pid=3)");
    same("pid=1 or pid=2 pid=3", "pid=1 or (pid=2 and pid=3)");
    same("not pid=1 and pid=2", "(not pid=1) and pid=2");
    same("NOT not pid = 1", "pid = 1");
    same("not(pid=1)or(pid=2)", "pid != 1 OR pid = 2");
    same("a (b c)", "cmd ~ a and cmd ~ b and cmd ~ c");
    same("logged in user", "cmd~logged and cmd~in and cmd~user");
    same("a exists", "cmd~a and cmd~exists");
    same("http://x/?a=b", "cmd ~ http://x/?a=b");
    same("pid in (2,1,2)", "pid in (1, 2)");
}

#[test]
fn nothing_is_true_of_what_is_not_known() {
    let record = bare();
    let known = ["time", "pid", "id", "state", "source", "ordinal", "start", "end", "signal"];
    let of_end = ["core_dump", "duration", "cpu", "rss", "truncated", "unread"];
    let only_of_bare = ["signal", "unread"];
    for info in FIELDS {
        let is_known = known.contains(&info.name) || of_end.contains(&info.name);
        let exists = format!("{} exists", info.name);
        assert_eq!(parse(&exists).matches(&record), is_known, "{exists}");
        let is_of_full = !only_of_bare.contains(&info.name);
        assert_eq!(parse(&exists).matches(&full()), is_of_full, "{exists}");
    }
    finds(
        &record,
        &["name != bash", "user != root", "user != 0", "cmd !~ x", "arg != \"\"", "not argc < 9"],
    );
    misses(
        &record,
        &["argc < 9", "argc >= 0", "deleted = no", "arg =~ \"^$\"", "cmd = \"\"", "cap = CHOWN"],
    );
}

/// The fault that the carets cover, the message and the hint.
#[track_caller]
fn refuses(text: &str, fault: &str, says: &str) {
    let error = Filter::parse(text, now()).expect_err(text);
    let covered: String = text.chars().skip(error.column - 1).take(error.length).collect();
    assert_eq!(covered, fault, "{}", error.render(text));
    assert!(error.to_string().contains(says), "{}", error.render(text));
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn errors_point_and_suggest() {
    refuses("nmae = x", "nmae", "did you mean `name`?");
    refuses("é pid = 1 and xyzzy = 2", "xyzzy", "quote the whole text");
    refuses("process.exectable = x", "process.exectable", "`exe`");
    refuses("pid = abc", "abc", "a number");
    refuses("pid = -1", "-1", "a number");
    refuses("pid ~ 1", "~", "it takes =");
    refuses("name < x", "<", "it takes =");
    refuses("name =", "", "a value is missing");
    refuses("name = and pid = 1", "and", "a value is missing before `and`");
    refuses("duration > 5", "5", "with its unit");
    refuses("size > 5x", "5x", "a size");
    refuses("since", "", "a value is missing");
    refuses("since soon", "soon", "is not a time");
    refuses("state = dead", "dead", "running, ended");
    refuses("signal = KIL", "KIL", "a signal");
    refuses("cap ~ xyz", "xyz", "no capability");
    refuses("id = 4711", "4711", "as shown");
    refuses("deleted = maybe", "maybe", "true or false");
    refuses("tty = \"\"", "\"\"", "not tty exists");
    refuses("cmd ~ ''", "''", "cmd exists");
    refuses("cmd =~ a[b", "a[b", "not a regular expression");
    refuses("cmd =~ (a|b)", "(", "quote a value that has parentheses");
    refuses("cmd =~ x(a|b)", "(", "quote a value that has parentheses");
    refuses("cmd =~ \"(\\w{1,500}){1,500}\"", "\"(\\w{1,500}){1,500}\"", "too much memory");
    refuses("pid in 1", "1", "takes a list");
    refuses("pid in (1 2)", "2", "a comma is missing");
    refuses("pid in (1, 2", "(", "never closed");
    refuses("pid in ()", ")", "a value is missing");
    refuses("(pid = 1", "(", "never closed");
    refuses("pid = 1)", ")", "nothing is open");
    refuses("()", "()", "nothing is between");
    refuses("pid = 1 and", "", "a condition is missing");
    refuses("or pid = 1", "or", "a condition is missing before `or`");
    refuses("not", "", "a condition is missing");
    refuses("a && b", "&&", "write `and`");
    refuses("= 5", "=", "without a field");
    refuses("name => x", ">", "two operators");
    refuses("a, b", ",", "outside a list");
    refuses("name = \"x", "\"", "never closed");
    refuses("name = \"x\"y", "y", "a space is missing");
    refuses("--opt=\"a b\"", "\"", "quote the whole value");
    refuses("name = \x1b[31m\u{202e} pid = x", "x", "a number");
}

#[test]
fn limits_hold() {
    let check = |text: &str, says: &str| {
        let error = Filter::parse(text, now()).expect_err(says);
        assert!(error.message.contains(says), "{error}");
        assert!(error.render(text).len() < 1000);
    };
    check(&"é".repeat(MAX_TEXT_BYTES), "at most 16384 bytes");
    check(&format!("{}a{}", "(".repeat(65), ")".repeat(65)), "64 levels");
    check(&"(".repeat(16_000), "64 levels");
    check(&"not ".repeat(4_000), "64 levels");
    check(&"a ".repeat(MAX_TERMS + 1), "256 conditions");
    check(&format!("pid in ({}1)", "1,".repeat(MAX_VALUES)), "1024 values");
    check(&"cmd =~ a ".repeat(MAX_PATTERNS + 1), "8 regular expressions");
    parse(&format!("{}a{}", "(".repeat(64), ")".repeat(64)));
    parse(&"a ".repeat(MAX_TERMS));
}

#[test]
fn the_table_is_sound() {
    let mut names = std::collections::HashSet::new();
    for (field, info) in Field::ALL.iter().zip(FIELDS) {
        assert_eq!((*field, field.info()), (info.field, info));
        parse(info.example);
        for name in info.names() {
            assert!(names.insert(name), "two fields named {name}");
            assert_eq!(Field::parse(&name.to_uppercase()), Some(*field));
        }
    }
    let names = |field: Field| match field.kind() {
        Kind::Choice(names) => names,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(names(Field::State), State::ALL.map(State::name));
    assert_eq!(names(Field::Source), Source::ALL.map(Source::name));
}

#[test]
fn ecs_names_are_those_of_the_machine_form() {
    let documents =
        [full(), bare()].map(|record| serde_json::to_value(ecs::Event::ended(&record)).unwrap());
    let has = |document: &serde_json::Value, path: &str| {
        let parts = path.split('.').try_fold(document, |value, part| value.get(part));
        parts.is_some()
    };
    for info in FIELDS {
        let Some(path) = info.ecs else { continue };
        assert!(documents.iter().any(|document| has(document, path)), "{path}");
    }
}

#[test]
fn filters_cross_threads() {
    fn is_shared<T: Clone + Send + Sync + 'static>() {}
    is_shared::<Filter>();
    is_shared::<Test>();
}

#[test]
fn filters_combine() {
    let both = parse("pid = 1 or pid = 2").and(parse("user = root")).and(Filter::all());
    assert_eq!(both.text(), "(pid = 1 or pid = 2) and user = root");
    assert_eq!(both.expr, parse(both.text()).expr);
}

#[test]
fn values_become_texts() {
    let record = full();
    let check = |field, expected: Option<&str>| {
        assert_eq!(value_text(field, &record).as_deref(), expected);
    };
    check(Field::Name, Some("cURL"));
    check(Field::Cmd, Some("cURL -X  http://x/\\xff a and b"));
    check(Field::Duration, Some("90s"));
    check(Field::Device, Some("8:1"));
    check(Field::Signal, None);
    check(Field::Arg, None);
    let term = Term::of(Field::Cmd, &record).unwrap();
    assert_eq!(term.to_string(), "cmd = \"cURL -X  http://x/\\xff a and b\"");
}

#[test]
fn values_are_quoted_where_they_must_be() {
    let check = |text, expected| assert_eq!(quote(text), expected);
    check("/usr/bin/bash", "/usr/bin/bash");
    check("a b", "\"a b\"");
    check("say \"hi\" \\", "\"say \\\"hi\\\" \\\\\"");
    check("AND", "\"AND\"");
    check("", "\"\"");
    check("\x1b\u{202e}", "\"\\x1b\\xe2\\x80\\xae\"");
}

/// Pieces of which nearly valid filters are made.
fn near_filter() -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = "name pid time since until deleted and or not in exists ( ) , = != ~ =~ \
        !=~ < >= ! && \" ' \\ \\x 2h ago 2026-11-24 é \u{2003} \0 ( [ { a.* -x @ 99999999999999999999 \
        cap state 1.5h 10M SIGKILL 8:1 id"
        .split(' ')
        .filter(|piece| !piece.is_empty())
        .collect();
    let piece = (proptest::sample::select(pieces), any::<bool>())
        .prop_map(|(piece, is_spaced)| if is_spaced { format!("{piece} ") } else { piece.into() });
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(
        text in prop_oneof![
            near_filter(),
            sample::filter_text(),
            proptest::collection::vec(any::<char>(), 0..60).prop_map(|chars| chars.into_iter().collect()),
        ],
        cursor in 0_usize..80,
        time in any::<i64>(),
    ) {
        match Filter::parse(&text, time) {
            Ok(filter) => {
                let shown = filter.expr.to_string();
                let again = Filter::parse(&shown, time).map_err(|e| TestCaseError::fail(e.render(&shown)))?;
                prop_assert_eq!(again.expr, filter.expr, "{}", shown);
            }
            Err(error) => {
                prop_assert!(error.column <= text.chars().count() + 1);
                prop_assert!(!error.render(&text).is_empty());
            }
        }
        for completion in complete(&text, cursor) {
            prop_assert!(text.get(completion.replaces.clone()).is_some());
        }
    }

    #[test]
    fn samples_are_valid_and_their_display_parses_to_the_same_tree(text in sample::filter_text()) {
        let filter = Filter::parse(&text, sample::NOW)
            .map_err(|error| TestCaseError::fail(error.render(&text)))?;
        let shown = filter.expr.to_string();
        let again = Filter::parse(&shown, sample::NOW)
            .map_err(|error| TestCaseError::fail(error.render(&shown)))?;
        prop_assert_eq!(again.expr, filter.expr, "{}", shown);
    }

    #[test]
    fn negation_negates(text in sample::filter_text(), record in sample::record()) {
        let parse = |text: &str| Filter::parse(text, sample::NOW);
        let plain = parse(&text).map(|filter| filter.matches(&record));
        let negated = parse(&format!("not ({text})")).map(|filter| !filter.matches(&record));
        prop_assert_eq!(plain, negated);
    }

    #[test]
    fn a_value_copied_as_a_filter_finds_its_record(
        record in sample::record(),
        field in proptest::sample::select(Field::ALL),
    ) {
        if let Some(term) = Term::of(field, &record) {
            let text = term.to_string();
            let filter = Filter::parse(&text, sample::NOW)
                .map_err(|error| TestCaseError::fail(error.render(&text)))?;
            prop_assert!(filter.matches(&record), "{}", text);
            prop_assert_eq!(filter.expr, Expr::Term(term), "{}", text);
        }
    }

    #[test]
    fn command_lines_are_tested_as_joined(
        text in sample::filter_text_of(Field::Cmd),
        record in sample::record(),
    ) {
        let filter = Filter::parse(&text, sample::NOW);
        let expr = filter.map_err(|error| TestCaseError::fail(error.render(&text)))?.expr;
        let test = match expr {
            Expr::Term(term) => term.test,
            expr => match expr.negate() {
                Expr::Term(term) => term.test,
                expr => return Err(TestCaseError::fail(expr.to_string())),
            },
        };
        let args = &record.args.bytes;
        let joined = join_strings(args);
        if !joined.is_empty() {
            prop_assert_eq!(test.matches_command_line(args), test.matches_text(&joined));
        }
    }

    #[test]
    fn a_needle_is_found_as_in_lower_cased_copies(
        line in proptest::collection::vec(proptest::sample::select(&b"aAbB e\0\xff"[..]), 0..200),
        needle in proptest::collection::vec(proptest::sample::select(&b"aAbB e\xff"[..]), 1..6),
    ) {
        let has = |text: &[u8]| {
            let text = text.to_ascii_lowercase();
            text.windows(needle.len()).any(|window| window == needle.to_ascii_lowercase())
        };
        let test = Needle::new(&needle);
        prop_assert_eq!(test.is_in(&line), has(&line));
        prop_assert_eq!(test.is_in_command_line(&line), has(&join_strings(&line)));
        prop_assert_eq!(test.is_in_strings(&line), split_strings(&line).any(has));
    }
}
