//! Records as Elastic Common Schema documents: the machine form on pipes and in files.
//!
//! Fields that ECS does not have live under `recorder`. One struct tree serves both directions, so
//! that the daemon and its clients cannot disagree. A field is absent when it is not known.
//! ECS reference: <https://www.elastic.co/docs/reference/ecs>.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::escape;
use crate::id::ProcessId;
use crate::record::{
    End, ObservedEnd, Parent, PathState, PathText, Record, Source, Strings, StringsState,
    split_strings,
};
use crate::time::rfc3339;

type Text<'a> = Cow<'a, str>;

/// One line of a result or of a subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<'a> {
    /// Records were lost before the recorder could see them.
    Gap(Gap),
    /// The subscriber read too slowly: so many events were not sent to it. They are in the store.
    Missed(u64),
    /// The last line of every result. One without it was cut off.
    Done(Done),
    /// A record; `event.action` says what happened to it.
    #[serde(untagged)]
    Event(Box<Event<'a>>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub count: u64,
    /// Give this to the next `Query` to go on; absent when there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A stretch of one CPU's records that were lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the loss was noticed: the time of the next record of that CPU.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    pub cpu: u32,
    /// `fork`, `exec` or `exit`; `any` where it cannot be told.
    pub kind: String,
    pub count: u64,
    /// `ring-full`, `not-run` (the kernel skipped the program), `undecodable`, or
    /// `database-damaged` (what was recorded before is in the file that was set aside).
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    pub event: EventInfo<'a>,
    pub process: Process<'a>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<Container<'a>>,
    pub recorder: Extra<'a>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventInfo<'a> {
    /// `exec`, `fork`, `running` (found at start) or `end`.
    pub action: Text<'a>,
    pub kind: Text<'a>,
    pub category: Vec<Text<'a>>,
    #[serde(rename = "type")]
    pub types: Vec<Text<'a>>,
    /// Position in the store.
    pub sequence: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process<'a> {
    pub pid: u32,
    pub entity_id: ProcessId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub executable: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command_line: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub args: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub args_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub env_vars: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub working_directory: Option<Text<'a>>,
    pub start: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<u8>,
    /// Not in ECS, but where one looks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_signal: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tty: Option<Tty<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<ParentProcess<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group_leader: Option<Leader>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_leader: Option<Leader>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thread: Option<Thread>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tty<'a> {
    pub name: Text<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    pub pid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub capabilities: Capabilities,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub effective: Vec<String>,
    pub permitted: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParentProcess<'a> {
    pub pid: u32,
    pub entity_id: ProcessId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub executable: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command_line: Option<Text<'a>>,
}

/// ECS keeps numeric ids as strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User<'a> {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective: Option<Box<User<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group<'a> {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container<'a> {
    pub id: Text<'a>,
    pub runtime: Text<'a>,
}

/// What ECS has no field for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extra<'a> {
    /// Which exec of the process this is; 0 for the image it began with.
    pub ordinal: u32,
    /// `exec`, `fork`, `iterator`, `proc` or `exit-only`: what told of this image.
    pub source: Text<'a>,
    /// `running`, `ended`, `failed`, `killed` or `unobserved`.
    pub state: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comm: Option<Text<'a>>,
    /// The script, where the executable is its interpreter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub script: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<File>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credentials: Option<Credentials<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespaces: Option<Namespaces>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slice: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resources: Option<Resources>,
    /// `fork` or `current`: which parent `process.parent` is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_source: Option<Text<'a>>,
    /// Fields that are not the whole truth: `args: cut, 102400 bytes` and the like.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// `major:minor`.
    pub device: String,
    pub inode: u64,
    pub size_bytes: u64,
    pub mtime: String,
    pub ctime: String,
    /// Octal, as `chmod` takes it.
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
    #[serde(skip_serializing_if = "is_false", default)]
    pub memfd: bool,
    #[serde(skip_serializing_if = "is_false", default)]
    pub deleted: bool,
    #[serde(skip_serializing_if = "is_false", default)]
    pub upper_layer: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials<'a> {
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login_name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_session: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    pub mount: u32,
    pub pid: u32,
    pub network: u32,
    pub user: u32,
    pub uts: u32,
    pub ipc: u32,
    pub cgroup: u32,
    /// The pid the process sees for itself.
    pub process_pid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub run_time_ns: u64,
    pub cpu_ns: u64,
    pub user_cpu_ns: u64,
    pub system_cpu_ns: u64,
    pub max_rss_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub write_bytes: Option<u64>,
    #[serde(skip_serializing_if = "is_false", default)]
    pub core_dump: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl<'a> Event<'a> {
    /// The record as it began.
    pub fn began(record: &'a Record) -> Self {
        let action = match record.source {
            Source::Exec => "exec",
            Source::Fork => "fork",
            Source::Iterator | Source::Proc => "running",
            Source::ExitOnly => "end",
        };
        Self::new(record, action, record.time_ns)
    }

    /// The record at the end of its process.
    pub fn ended(record: &'a Record) -> Self {
        let time = record.end.as_ref().and_then(|end| end.observed.as_ref());
        Self::new(record, "end", time.map_or(record.time_ns, |end| end.time_ns))
    }

    fn new(record: &'a Record, action: &'static str, time_ns: i64) -> Self {
        let mut notes = Notes::default();
        let types = match action {
            "end" => vec!["end".into()],
            "running" => vec!["info".into()],
            _ => vec!["start".into()],
        };
        let process = process(record, &mut notes);
        let context = (!record.context.is_unknown).then_some(&*record.context);
        let recorder = extra(record, &mut notes);
        Self {
            timestamp: rfc3339(time_ns),
            event: EventInfo {
                action: action.into(),
                kind: "event".into(),
                category: vec!["process".into()],
                types,
                sequence: record.row,
            },
            process,
            user: context.map(|c| User {
                id: c.uid.to_string(),
                name: c.user_name.as_deref().map(Cow::Borrowed),
                effective: (c.euid != c.uid).then(|| {
                    Box::new(User {
                        id: c.euid.to_string(),
                        name: c.effective_user_name.as_deref().map(Cow::Borrowed),
                        effective: None,
                    })
                }),
            }),
            group: context.map(|c| Group {
                id: c.gid.to_string(),
                name: c.group_name.as_deref().map(Cow::Borrowed),
            }),
            container: context.and_then(|c| c.container.as_ref()).map(|c| Container {
                id: Cow::Borrowed(&*c.id),
                runtime: Cow::Borrowed(&*c.runtime),
            }),
            recorder: Extra { notes: notes.lines, ..recorder },
        }
    }
}

/// Collects what is not the whole truth.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
}

impl Notes {
    fn add(&mut self, field: &str, what: &str) {
        self.lines.push(format!("{field}: {what}"));
    }

    fn text<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Text<'a> {
        let (text, is_escaped) = escape::text(bytes);
        if is_escaped {
            self.add(field, "not UTF-8, other bytes as \\xNN");
        }
        text
    }

    fn path<'a>(&mut self, field: &str, path: &'a PathText) -> Option<Text<'a>> {
        match path.state {
            PathState::Complete => {}
            PathState::Absent => return None,
            state => self.add(field, state.name()),
        }
        (!path.bytes.is_empty()).then(|| self.text(field, &path.bytes))
    }

    fn strings<'a>(&mut self, field: &str, strings: &'a Strings) -> Option<Vec<Text<'a>>> {
        match strings.state {
            StringsState::Complete => {}
            StringsState::Absent => return None,
            StringsState::Off => {
                self.add(field, "capture is off");
                return None;
            }
            StringsState::Fault => {
                self.add(field, "could not be read to the end");
            }
            StringsState::Cut { head_bytes } => {
                self.add(
                    field,
                    &format!(
                        "cut: {head_bytes} bytes of head and the tail of {} bytes",
                        strings.total_bytes
                    ),
                );
                let (head, tail) = strings
                    .bytes
                    .split_at_checked(head_bytes as usize)
                    .unwrap_or((&strings.bytes, &[]));
                let mut list = self.list(field, head);
                list.extend(self.list(field, tail));
                return Some(list);
            }
        }
        Some(self.list(field, &strings.bytes))
    }

    fn list<'a>(&mut self, field: &str, bytes: &'a [u8]) -> Vec<Text<'a>> {
        let mut is_any_escaped = false;
        let list = split_strings(bytes)
            .map(|item| {
                let (text, is_escaped) = escape::text(item);
                is_any_escaped |= is_escaped;
                text
            })
            .collect();
        if is_any_escaped {
            self.add(field, "not UTF-8, other bytes as \\xNN");
        }
        list
    }
}

fn process<'a>(record: &'a Record, notes: &mut Notes) -> Process<'a> {
    let end = record.end.as_ref().and_then(|end| end.observed.as_ref());
    let executable = notes.path("process.executable", &record.executable.path);
    let args = notes.strings("process.args", &record.args);
    let name = match executable.as_deref().and_then(|path| path.rsplit('/').next()) {
        Some(name) if !name.is_empty() => Some(Cow::Owned(name.to_owned())),
        _ => (!record.comm.is_empty()).then(|| escape::text(&record.comm).0),
    };
    Process {
        pid: record.process.pid,
        entity_id: record.process,
        name,
        executable,
        command_line: args.as_ref().map(|args| Cow::Owned(args.join(" "))),
        args_count: args.is_some().then_some(record.args_count),
        args,
        env_vars: notes.strings("process.env_vars", &record.env),
        working_directory: notes.path("process.working_directory", &record.working_directory),
        start: rfc3339(record.start_ns),
        end: end.map(|end| rfc3339(end.time_ns)),
        exit_code: end.and_then(|end| end.exit_code),
        exit_signal: end.and_then(|end| end.signal),
        tty: record.tty.as_deref().map(|name| Tty { name: Cow::Borrowed(name) }),
        parent: record.parent.as_ref().map(|parent| parent_process(parent, notes)),
        group_leader: (record.process_group != 0).then_some(Leader { pid: record.process_group }),
        session_leader: (record.session != 0).then_some(Leader { pid: record.session }),
        thread: (!record.context.is_unknown).then(|| Thread {
            capabilities: Capabilities {
                effective: capability_names(record.context.cap_effective),
                permitted: capability_names(record.context.cap_permitted),
            },
        }),
    }
}

fn parent_process<'a>(parent: &'a Parent, notes: &mut Notes) -> ParentProcess<'a> {
    let has_executable = !parent.executable.is_empty();
    let line = (!parent.args.is_empty()).then(|| {
        let line = notes.list("process.parent.command_line", &parent.args).join(" ");
        Cow::Owned(line)
    });
    ParentProcess {
        pid: parent.process.pid,
        entity_id: parent.process,
        executable: has_executable
            .then(|| notes.text("process.parent.executable", &parent.executable)),
        command_line: line,
    }
}

fn extra<'a>(record: &'a Record, notes: &mut Notes) -> Extra<'a> {
    let context = (!record.context.is_unknown).then_some(&*record.context);
    let file = &record.executable;
    if matches!(record.end, Some(End { observed: None })) {
        notes.add("process.end", "ended while nobody watched");
    }
    Extra {
        ordinal: record.ordinal,
        source: record.source.name().into(),
        state: record.state().name().into(),
        comm: (!record.comm.is_empty()).then(|| notes.text("recorder.comm", &record.comm)),
        script: record.script.as_deref().map(|script| notes.text("recorder.script", script)),
        file: (file.mode != 0).then(|| File {
            device: format!("{}:{}", file.device_major, file.device_minor),
            inode: file.inode,
            size_bytes: file.size_bytes,
            mtime: rfc3339(file.mtime_ns),
            ctime: rfc3339(file.ctime_ns),
            mode: format!("{:04o}", file.mode & 0o7777),
            uid: file.uid,
            gid: file.gid,
            memfd: file.is_memfd,
            deleted: file.is_deleted,
            upper_layer: file.is_upper_layer,
        }),
        credentials: context.map(|c| Credentials {
            uid: c.uid,
            gid: c.gid,
            euid: c.euid,
            egid: c.egid,
            suid: c.suid,
            sgid: c.sgid,
            login_uid: c.login_uid,
            login_name: c.login_name.as_deref().map(Cow::Borrowed),
            audit_session: c.audit_session,
        }),
        namespaces: context.map(|c| Namespaces {
            mount: c.namespaces.mount,
            pid: c.namespaces.pid,
            network: c.namespaces.network,
            user: c.namespaces.user,
            uts: c.namespaces.uts,
            ipc: c.namespaces.ipc,
            cgroup: c.namespaces.cgroup,
            process_pid: record.namespace_pid,
        }),
        cgroup: context.map(|c| Cow::Borrowed(&*c.cgroup)),
        unit: context.and_then(|c| c.unit.as_deref()).map(Cow::Borrowed),
        slice: context.and_then(|c| c.slice.as_deref()).map(Cow::Borrowed),
        resources: record
            .end
            .as_ref()
            .and_then(|end| end.observed.as_ref())
            .map(|end| resources(record, end)),
        parent_source: record.parent.as_ref().map(|parent| match parent.source {
            crate::record::ParentSource::Fork => "fork".into(),
            crate::record::ParentSource::Current => "current".into(),
        }),
        notes: Vec::new(),
    }
}

fn resources(record: &Record, end: &ObservedEnd) -> Resources {
    Resources {
        run_time_ns: record.run_time_ns().unwrap_or(0),
        cpu_ns: end.cpu_ns,
        user_cpu_ns: end.user_cpu_ns,
        system_cpu_ns: end.system_cpu_ns,
        max_rss_bytes: end.max_rss_bytes,
        read_bytes: end.io.map(|io| io.read_bytes),
        write_bytes: end.io.map(|io| io.write_bytes),
        core_dump: end.has_core_dump,
    }
}

/// Names of capabilities in the order of their numbers (`include/uapi/linux/capability.h`).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The set as names; bits without a name as `CAP_<number>`.
pub fn capability_names(set: u64) -> Vec<String> {
    (0..64)
        .filter(|bit| set & (1 << bit) != 0)
        .map(|bit| match CAPABILITIES.get(bit) {
            Some(name) => (*name).to_owned(),
            None => format!("CAP_{bit}"),
        })
        .collect()
}
