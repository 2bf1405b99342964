//! Records as Elastic Common Schema documents: the machine form on pipes and in files.
//!
//! Fields that ECS does not have live under `recorder`. One struct tree serves both directions, so
//! that the daemon and its clients cannot disagree. A field is absent when it is not known.
//! ECS reference: <https://www.elastic.co/docs/reference/ecs>.

mod from_record;

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::binary::{Elf, Hashes, Package, Storage, Unread};
use crate::id::ProcessId;

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

/// The part of a [`Line`] that is not a record. Records are skipped, not built.
#[derive(Debug, Deserialize)]
pub struct Control {
    pub done: Option<Done>,
    pub gap: Option<Gap>,
    pub missed: Option<u64>,
    #[serde(rename = "process")]
    _process: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub count: u64,
    /// Give this to the next `Query` to go on; absent when there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened just before the question may not be in the answer: the recorder could not
    /// write it in time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub behind: bool,
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
    /// `database-damaged` (what was recorded before is in the file that was set aside),
    /// `database-removed` (somebody removed or replaced it while it was written), or
    /// `not-finished` (the recorder before ended suddenly: its last events may be missing). These
    /// three have a count of 0: how many cannot be told.
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

impl Event<'_> {
    /// What the process is called: by its program, or as the kernel has it.
    pub fn name(&self) -> &str {
        self.process.name.as_deref().or(self.recorder.comm.as_deref()).unwrap_or("?")
    }
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
    /// Of an alert: 0 for an informational one, 100 for a critical one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process<'a> {
    pub pid: u32,
    pub entity_id: ProcessId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub executable: Option<Text<'a>>,
    /// Of the executable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hash: Option<Cow<'a, Hashes>>,
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
    pub effective: Vec<Cow<'static, str>>,
    pub permitted: Vec<Cow<'static, str>>,
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
    /// Of the executable; its hashes are `process.hash`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<Box<FileContent<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub script_content: Option<Box<FileContent<'a>>>,
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

/// What is known of the content of an executed file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hash: Option<Cow<'a, Hashes>>,
    /// Whether a copy was kept; absent where the content was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub storage: Option<Storage>,
    /// Why it was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unread: Option<Unread>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub elf: Option<Cow<'a, Elf>>,
    /// Absent where no package owns the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package: Option<Cow<'a, Package>>,
    /// File capabilities, as `getcap` prints them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capabilities: Option<Text<'a>>,
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

/// For people: root's forty are told by those that are missing.
pub fn capabilities_in_words(names: &[Cow<'static, str>]) -> String {
    let missing: Vec<&str> =
        CAPABILITIES.into_iter().filter(|known| names.iter().all(|name| name != known)).collect();
    match (names.len(), missing.len()) {
        (0, _) => "none".to_owned(),
        (_, 0) => "all".to_owned(),
        (_, 1..=12) => format!("all but {}", missing.join(" ")),
        _ => names.join(" "),
    }
}

/// The set as names; bits without a name as `CAP_<number>`.
pub fn capability_names(set: u64) -> Vec<Cow<'static, str>> {
    (0..64)
        .filter(|bit| set & (1 << bit) != 0)
        .map(|bit| match CAPABILITIES.get(bit) {
            Some(name) => Cow::Borrowed(*name),
            None => Cow::Owned(format!("CAP_{bit}")),
        })
        .collect()
}
