//! What the kernel reports, decoded: plain data that borrows from the ring.
//!
//! Nothing here interprets: no names are resolved, no wall time is computed.

/// One record of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// CPU the program ran on.
    pub cpu: u32,
    /// Which of the copies of the program; 0 where there is one.
    pub lane: u32,
    /// Counts the records this program (`body`'s kind and `lane`) meant to send from this CPU, from
    /// 1. A jump means records were lost.
    pub sequence: u64,
    /// Boot clock (`CLOCK_BOOTTIME`), nanoseconds.
    pub boottime_ns: u64,
    pub body: Body<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A new process (never a thread).
    Fork(Fork),
    /// An image that has just begun to run.
    Exec(Box<Image<'a>>),
    /// A process that was already running, reported by the task iterator.
    Running(Box<Image<'a>>),
    /// The last thread of a process has gone.
    Exit(Exit),
}

/// A process as the kernel knows it: the thread group id in the initial pid namespace, and the
/// start of its leader on the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    pub pid: u32,
    pub start_boottime_ns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    pub parent: TaskId,
    pub child: TaskId,
    /// Pid of the child in its innermost pid namespace.
    pub namespace_pid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    pub process: TaskId,
    /// As `wait` gives it: low 7 bits the signal, bit 7 core dumped, bits 8 to 15 the exit code.
    pub wait_status: u32,
    pub user_ns: u64,
    pub system_ns: u64,
    /// CPU time by the scheduler's own clock.
    pub cpu_ns: u64,
    pub max_rss_bytes: u64,
    /// I/O figures exist only with `CONFIG_TASK_IO_ACCOUNTING`.
    pub io: Option<Io>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Io {
    pub read_bytes: u64,
    pub write_bytes: u64,
}

/// What a process runs, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    pub process: TaskId,
    /// Real parent now (at fork it may have been another one that has ended since).
    pub parent: TaskId,
    pub namespace_pid: u32,
    pub process_group: u32,
    pub session: u32,
    /// Thread that called exec (`old_pid` of the tracepoint): other than `process.pid` where it
    /// was not the leader.
    pub exec_thread: u32,
    /// Kernel's `comm`, without the padding.
    pub comm: &'a [u8],
    pub tty: Option<Tty<'a>>,
    pub credentials: Credentials,
    pub namespaces: Namespaces,
    pub executable: File<'a>,
    /// Name given to exec (`bprm->filename`); empty for a running process.
    pub filename: &'a [u8],
    /// Interpreter (`bprm->interp`) where it differs from `filename`: the file was a script.
    pub interpreter: Option<&'a [u8]>,
    pub working_directory: Path<'a>,
    pub cgroup: Path<'a>,
    /// NUL-terminated strings, one after the other.
    pub args: Memory<'a>,
    pub argc: u32,
    pub env: Memory<'a>,
    /// A kernel thread: no image of its own.
    pub is_kernel_thread: bool,
    /// What could not be read: such a field is blank, not empty.
    pub faults: Faults,
}

/// Fields of an [`Image`] that could not be read, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults(pub u32);

impl Faults {
    pub const ARGS: Self = Self(1 << 0);
    pub const ENV: Self = Self(1 << 1);
    /// Path of the executable.
    pub const EXECUTABLE: Self = Self(1 << 2);
    pub const WORKING_DIRECTORY: Self = Self(1 << 3);
    pub const CGROUP: Self = Self(1 << 4);
    /// Inode, device and attributes of the executable.
    pub const FILE: Self = Self(1 << 5);
    pub const FILENAME: Self = Self(1 << 6);
    pub const INTERPRETER: Self = Self(1 << 7);
    pub const COMM: Self = Self(1 << 8);
    pub const TTY: Self = Self(1 << 9);
    pub const CREDENTIALS: Self = Self(1 << 10);
    pub const NAMESPACES: Self = Self(1 << 11);
    /// One of: parent, innermost pid, process group, session.
    pub const IDS: Self = Self(1 << 12);

    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tty<'a> {
    /// As the driver names it: `pts0`, `tty1`, `ttyS0`.
    pub name: &'a [u8],
    pub major: u32,
    pub minor: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    /// `None` where unset or the kernel has no audit.
    pub login_uid: Option<u32>,
    pub audit_session: Option<u32>,
    pub cap_effective: u64,
    pub cap_permitted: u64,
}

/// Inode numbers of the namespaces, as in `/proc/PID/ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Namespaces {
    pub mount: u32,
    pub pid: u32,
    pub network: u32,
    pub user: u32,
    pub uts: u32,
    pub ipc: u32,
    pub cgroup: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    pub path: Path<'a>,
    pub device_major: u32,
    pub device_minor: u32,
    pub inode: u64,
    pub size_bytes: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub is_memfd: bool,
    pub is_deleted: bool,
    /// In the writable layer of an overlay file system: changed since the container's image.
    pub is_upper_layer: bool,
}

/// A path as the kernel walked it, leaf first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// NUL-terminated components, the last one of the path first.
    pub components: &'a [u8],
    pub end: PathEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathEnd {
    /// The walk ended at the process's root (or the cgroup root).
    Root,
    /// Ended at a root that is not the process's own: outside its root, or an unmounted tree.
    Detached,
    /// A pseudo file (memfd, pipe): one name, no directory.
    Pseudo,
    /// The walk hit its limit: the front of the path is missing.
    Cut,
    /// The kernel's structures could not be read.
    Fault,
}

/// A range of the process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory<'a> {
    /// Head, or everything if `tail` is empty.
    pub head: &'a [u8],
    /// Empty unless the range was longer than what is captured.
    pub tail: &'a [u8],
    /// Length of the whole range.
    pub total_bytes: u64,
    /// Some of it could not be read; `head` and `tail` hold what could, up to the fault.
    pub is_fault: bool,
    /// Capture was switched off by configuration.
    pub is_off: bool,
}
