//! The record of one image that a process ran: the unit of the store, of queries and of rules.
//!
//! A process that executes twice has two records with one [`ProcessId`]; a process that never
//! executes has one, with the image it inherited at fork.

use std::sync::Arc;

use crate::binary::{Elf, Hashes, Package, Storage, Unread};
use crate::id::ProcessId;

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub type WallNs = i64;

#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Position in the store, in order of recording; 0 before it has one.
    pub row: i64,
    pub process: ProcessId,
    /// 0: the image inherited at fork or found running; n: the nth exec.
    pub ordinal: u32,
    pub source: Source,
    /// When this image began to run (exec, or fork where there was none).
    pub time_ns: WallNs,
    pub boottime_ns: u64,
    /// When the process began.
    pub start_ns: WallNs,
    pub parent: Option<Parent>,
    /// Pid inside its innermost pid namespace.
    pub namespace_pid: u32,
    pub process_group: u32,
    pub session: u32,
    /// Path of the terminal below `/dev`, such as `pts/0`.
    pub tty: Option<String>,
    pub comm: Arc<[u8]>,
    pub executable: Arc<Executable>,
    /// Of the executable.
    pub content: Content,
    /// The script, as named to exec, where the executable is its interpreter.
    pub script: Option<Arc<[u8]>>,
    pub script_content: Content,
    pub working_directory: PathText,
    /// Arguments, each ended by NUL.
    pub args: Strings,
    pub args_count: u32,
    /// Environment, each `NAME=value` ended by NUL, secrets redacted.
    pub env: Strings,
    pub context: Arc<Context>,
    pub end: Option<End>,
}

/// What told the recorder of this image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The kernel, at exec.
    Exec,
    /// The kernel, at fork; the image is the parent's.
    Fork,
    /// The kernel's task iterator: the process was already running.
    Iterator,
    /// `/proc`: the process was already running and the kernel has no usable task iterator.
    Proc,
    /// Only its end was seen.
    ExitOnly,
}

impl Source {
    pub const ALL: [Source; 5] =
        [Source::Exec, Source::Fork, Source::Iterator, Source::Proc, Source::ExitOnly];

    pub fn name(self) -> &'static str {
        match self {
            Source::Exec => "exec",
            Source::Fork => "fork",
            Source::Iterator => "iterator",
            Source::Proc => "proc",
            Source::ExitOnly => "exit-only",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub process: ProcessId,
    /// Empty where the parent itself is not known.
    pub executable: Arc<[u8]>,
    /// NUL-terminated arguments of the parent at the time, empty where not known.
    pub args: Arc<[u8]>,
    /// Of the parent; `None` where not known.
    pub context: Option<Arc<Context>>,
    pub source: ParentSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParentSource {
    /// The process that forked.
    Fork,
    /// The parent when the image began; the one that forked may have ended before.
    Current,
}

/// A path and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathText {
    pub bytes: Arc<[u8]>,
    pub state: PathState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathState {
    Complete,
    /// Outside the root of the process, or of an unmounted tree.
    Detached,
    /// A memfd or another file without a directory.
    Pseudo,
    /// The front of the path is missing.
    Cut,
    /// Could not be read.
    Fault,
    /// The process has none (a kernel thread), or nothing told of it.
    Absent,
}

impl PathState {
    pub const ALL: [PathState; 6] = [
        PathState::Complete,
        PathState::Detached,
        PathState::Pseudo,
        PathState::Cut,
        PathState::Fault,
        PathState::Absent,
    ];

    pub fn name(self) -> &'static str {
        match self {
            PathState::Complete => "complete",
            PathState::Detached => "detached",
            PathState::Pseudo => "pseudo",
            PathState::Cut => "cut",
            PathState::Fault => "fault",
            PathState::Absent => "absent",
        }
    }
}

impl PathText {
    pub fn absent() -> Self {
        Self { bytes: Arc::from([]), state: PathState::Absent }
    }
}

/// NUL-terminated strings captured from the memory of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Strings {
    pub bytes: Arc<[u8]>,
    pub state: StringsState,
    /// Length in the process, before any cut.
    pub total_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StringsState {
    Complete,
    /// The middle is missing: the first `head_bytes` of `bytes` are the head, the rest the tail.
    Cut {
        head_bytes: u32,
    },
    /// Reading failed after what `bytes` holds.
    Fault,
    /// Capture is switched off.
    Off,
    /// Nothing told of it.
    Absent,
}

impl Strings {
    pub fn absent() -> Self {
        Self { bytes: Arc::from([]), state: StringsState::Absent, total_bytes: 0 }
    }

    /// The strings, without their NULs. A last one without NUL counts too.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        split_strings(&self.bytes)
    }
}

/// Splits NUL-terminated strings; empty ones are kept.
pub fn split_strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    body.split(|byte| *byte == 0).take(count)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Executable {
    pub path: PathText,
    pub device_major: u32,
    pub device_minor: u32,
    pub inode: u64,
    pub size_bytes: u64,
    pub mtime_ns: WallNs,
    pub ctime_ns: WallNs,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub is_memfd: bool,
    pub is_deleted: bool,
    /// Lies in the writable layer of a container.
    pub is_upper_layer: bool,
}

/// What tells one state of a file from any other, on one machine: a change of the content changes
/// the times, and another file has another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    pub device_major: u32,
    pub device_minor: u32,
    pub inode: u64,
    pub size_bytes: u64,
    pub mtime_ns: WallNs,
    pub ctime_ns: WallNs,
}

impl Executable {
    /// `None` where nothing is known of the file.
    pub fn identity(&self) -> Option<FileIdentity> {
        // No file has a mode of 0.
        (self.mode != 0).then_some(FileIdentity {
            device_major: self.device_major,
            device_minor: self.device_minor,
            inode: self.inode,
            size_bytes: self.size_bytes,
            mtime_ns: self.mtime_ns,
            ctime_ns: self.ctime_ns,
        })
    }

    /// Of a process of which nothing is known, or a kernel thread.
    pub fn absent() -> Self {
        Self {
            path: PathText::absent(),
            device_major: 0,
            device_minor: 0,
            inode: 0,
            size_bytes: 0,
            mtime_ns: 0,
            ctime_ns: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            is_memfd: false,
            is_deleted: false,
            is_upper_layer: false,
        }
    }
}

/// What is known of the content of an executed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// Nobody looked, or has not finished looking.
    #[default]
    Unknown,
    /// It could not be read as it was when it ran.
    Unread(Unread),
    Read(Arc<FileContent>),
}

impl Content {
    pub fn read(&self) -> Option<&FileContent> {
        match self {
            Content::Read(content) => Some(content),
            Content::Unknown | Content::Unread(_) => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileContent {
    pub hashes: Hashes,
    pub elf: Option<Elf>,
    /// That brought the file; `None` where none did.
    pub package: Option<Package>,
    /// File capabilities, as `getcap` prints them; `None` where it has none.
    pub capabilities: Option<String>,
    /// Whether a copy was kept. May have been evicted since.
    pub storage: Storage,
    /// The file was changed so shortly before it ran, and was read so late, that its times do not
    /// prove that this content ran.
    pub is_uncertain: bool,
}

/// Who a process is and where it lives: the part that most processes share with others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Context {
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    /// Name of `uid` on the host; `None` where it has none.
    pub user_name: Option<String>,
    pub effective_user_name: Option<String>,
    pub group_name: Option<String>,
    pub login_uid: Option<u32>,
    pub login_name: Option<String>,
    pub audit_session: Option<u32>,
    pub cap_effective: u64,
    pub cap_permitted: u64,
    pub namespaces: Namespaces,
    /// Path of the control group, as seen from the root of the hierarchy.
    pub cgroup: String,
    pub container: Option<Container>,
    /// Innermost systemd unit, such as `nginx.service` or `session-3.scope`.
    pub unit: Option<String>,
    pub slice: Option<String>,
    /// Nothing is known: only the end of the process was seen, or it was read from `/proc`.
    pub is_unknown: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Namespaces {
    pub mount: u32,
    pub pid: u32,
    pub network: u32,
    pub user: u32,
    pub uts: u32,
    pub ipc: u32,
    pub cgroup: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// `docker`, `containerd`, `cri-o`, `podman`, `systemd-nspawn`, `lxc`; `unknown` for a bare id.
    pub runtime: String,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `None`: it ended while nobody watched.
    pub observed: Option<ObservedEnd>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEnd {
    pub time_ns: WallNs,
    pub boottime_ns: u64,
    /// Absent when a signal ended the process.
    pub exit_code: Option<u8>,
    pub signal: Option<u8>,
    pub has_core_dump: bool,
    pub user_cpu_ns: u64,
    pub system_cpu_ns: u64,
    pub cpu_ns: u64,
    pub max_rss_bytes: u64,
    pub io: Option<Io>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Io {
    pub read_bytes: u64,
    pub write_bytes: u64,
}

impl Record {
    /// Time from the start of the process to its observed end.
    pub fn run_time_ns(&self) -> Option<u64> {
        let end = self.end.as_ref()?.observed.as_ref()?;
        Some(end.boottime_ns.saturating_sub(self.process.start_boottime_ns))
    }

    /// The arguments joined by spaces.
    pub fn command_line(&self) -> Vec<u8> {
        join_strings(&self.args.bytes)
    }

    pub fn state(&self) -> State {
        self.end.as_ref().map_or(State::Running, End::state)
    }
}

impl End {
    pub fn state(&self) -> State {
        match &self.observed {
            None => State::Unobserved,
            Some(end) if end.signal.is_some() => State::Killed,
            Some(end) if end.exit_code != Some(0) => State::Failed,
            Some(_) => State::Ended,
        }
    }
}

/// NUL-terminated strings joined by spaces, as rules and people expect a command line.
pub fn join_strings(bytes: &[u8]) -> Vec<u8> {
    let mut line = bytes.strip_suffix(&[0]).unwrap_or(bytes).to_vec();
    for byte in &mut line {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    line
}

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Running,
    Ended,
    Failed,
    Killed,
    /// Ended while nobody watched.
    Unobserved,
}

impl State {
    pub const ALL: [State; 5] =
        [State::Running, State::Ended, State::Failed, State::Killed, State::Unobserved];

    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Ended => "ended",
            State::Failed => "failed",
            State::Killed => "killed",
            State::Unobserved => "unobserved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_split_with_empty_ones_kept() {
        let check = |bytes: &[u8], expected: &[&[u8]]| {
            assert_eq!(split_strings(bytes).collect::<Vec<_>>(), expected, "{bytes:?}");
        };
        check(b"", &[]);
        check(b"\0", &[b""]);
        check(b"a\0\0b\0", &[b"a", b"", b"b"]);
        check(b"a\0\0", &[b"a", b""]);
        check(b"a\0cut", &[b"a", b"cut"]);
    }
}
