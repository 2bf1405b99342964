//! What `/proc` said of a process, as an image like those of the kernel.
//!
//! Formats: proc(5). Start times are in ticks there: the identity is made of the tick's beginning
//! and matched with the kernel's by range, see `Tracker::canonicalise`.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;

use ebpf::event::{
    Credentials, Faults, File, Image, Memory, Namespaces, Path, PathEnd, TaskId, Tty,
};
use memchr::memrchr;
use nix::sys::stat::{major, minor};
use nix::unistd::{SysconfVar, sysconf};

use crate::sensor::RawProcess;

/// A process, with its paths turned around as the kernel walks them.
pub(crate) struct Process<'a> {
    raw: &'a RawProcess,
    comm: &'a [u8],
    task: TaskId,
    parent_pid: u32,
    process_group: u32,
    session: u32,
    tty: Option<(Vec<u8>, u32, u32)>,
    is_kernel_thread: bool,
    exe: Vec<u8>,
    cwd: Vec<u8>,
    cgroup: Vec<u8>,
    is_deleted: bool,
}

/// `PF_KTHREAD` of the flags in `stat`.
const PF_KTHREAD: u64 = 0x0020_0000;

impl<'a> Process<'a> {
    /// `None` for a process that was gone before it could be read.
    pub(crate) fn parse(raw: &'a RawProcess) -> Option<Self> {
        // The name is in parentheses and may contain any byte, so the last one ends it.
        let open = memchr::memchr(b'(', &raw.stat)?;
        let close = memrchr(b')', &raw.stat)?;
        let comm = raw.stat.get(open + 1..close)?;
        let pid = number(&raw.stat[..open])?;
        let fields: Vec<&[u8]> = raw.stat.get(close + 2..)?.split(|byte| *byte == b' ').collect();
        // Field 3 of proc(5), the state, is the first one here.
        let field = |index: usize| fields.get(index - 3).copied().and_then(number);
        let ticks = field(22)?;
        let exe = raw.exe.as_ref().map_or(&[][..], |exe| exe.as_bytes());
        let stripped = exe.strip_suffix(b" (deleted)");
        let is_deleted = raw.exe_meta.as_ref().is_some_and(|meta| meta.nlink() == 0)
            || (stripped.is_some() && raw.exe_meta.is_none());
        let exe = if is_deleted { stripped.unwrap_or(exe) } else { exe };
        let cwd = raw.cwd.as_ref().map_or(&[][..], |cwd| cwd.as_bytes());
        Some(Self {
            raw,
            comm,
            task: TaskId {
                pid: u32::try_from(pid).ok()?,
                start_boottime_ns: ticks.saturating_mul(tick_ns()),
            },
            parent_pid: pid_of(field(4)),
            process_group: pid_of(field(5)),
            session: pid_of(field(6)),
            tty: tty(field(7).unwrap_or(0)),
            is_kernel_thread: field(9)? & PF_KTHREAD != 0,
            exe: leaf_first(exe),
            cwd: leaf_first(cwd),
            cgroup: leaf_first(unified_cgroup(&raw.cgroup)),
            is_deleted,
        })
    }

    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    pub(crate) fn parent_pid(&self) -> u32 {
        self.parent_pid
    }

    /// With the identities as the caller knows them more exactly.
    pub(crate) fn image(&self, process: TaskId, parent: TaskId) -> Image<'_> {
        let status = Status(&self.raw.status);
        let [uid, euid, suid] = status.ids(b"Uid:");
        let [gid, egid, sgid] = status.ids(b"Gid:");
        let known = |is_known: bool| if is_known { PathEnd::Root } else { PathEnd::Fault };
        let exe_end = if self.exe.starts_with(b"memfd:") {
            PathEnd::Pseudo
        } else {
            known(self.raw.exe.is_some())
        };
        Image {
            process,
            parent,
            namespace_pid: status.last_number(b"NSpid:").unwrap_or(self.task.pid),
            process_group: self.process_group,
            session: self.session,
            exec_thread: self.task.pid,
            comm: self.comm,
            tty: self.tty.as_ref().map(|(name, major, minor)| Tty {
                name,
                major: *major,
                minor: *minor,
            }),
            credentials: Credentials {
                uid,
                gid,
                euid,
                egid,
                suid,
                sgid,
                login_uid: set_number(&self.raw.loginuid),
                audit_session: set_number(&self.raw.sessionid),
                cap_effective: status.hex(b"CapEff:"),
                cap_permitted: status.hex(b"CapPrm:"),
            },
            namespaces: namespaces(self.raw.namespaces),
            executable: self.file(exe_end),
            filename: &[],
            interpreter: None,
            working_directory: Path { components: &self.cwd, end: known(self.raw.cwd.is_some()) },
            cgroup: Path { components: &self.cgroup, end: known(!self.raw.cgroup.is_empty()) },
            args: memory(&self.raw.cmdline, false),
            argc: u32::try_from(memchr::memchr_iter(0, &self.raw.cmdline).count())
                .unwrap_or(u32::MAX),
            env: match &self.raw.environ {
                Some(environ) => memory(environ, self.raw.exe.is_none()),
                None => Memory { is_off: true, ..memory(&[], false) },
            },
            is_kernel_thread: self.is_kernel_thread,
            faults: if self.raw.status.is_empty() {
                Faults::CREDENTIALS
            } else {
                Faults::default()
            },
        }
    }

    fn file(&self, end: PathEnd) -> File<'_> {
        let meta = self.raw.exe_meta.as_ref();
        let get = |figure: fn(&std::fs::Metadata) -> u64| meta.map_or(0, figure);
        let device = get(MetadataExt::dev);
        let time = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
        File {
            path: Path { components: &self.exe, end },
            device_major: u32::try_from(major(device)).unwrap_or(0),
            device_minor: u32::try_from(minor(device)).unwrap_or(0),
            inode: get(MetadataExt::ino),
            size_bytes: get(MetadataExt::size),
            mtime_ns: meta.map_or(0, |meta| time(meta.mtime(), meta.mtime_nsec())),
            ctime_ns: meta.map_or(0, |meta| time(meta.ctime(), meta.ctime_nsec())),
            mode: meta.map_or(0, MetadataExt::mode),
            uid: meta.map_or(0, MetadataExt::uid),
            gid: meta.map_or(0, MetadataExt::gid),
            is_memfd: self.exe.starts_with(b"memfd:"),
            is_deleted: self.is_deleted,
            is_upper_layer: false,
        }
    }
}

/// Length of a tick of `/proc`, nanoseconds.
pub(crate) fn tick_ns() -> u64 {
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    1_000_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

/// When a process began, in ticks; `None` where `/proc` does not tell.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.get(memrchr(b')', &stat)? + 2..)?;
    // Field 22; the first one after the name is field 3.
    number(rest.split(|byte| *byte == b' ').nth(22 - 3)?)
}

fn memory(bytes: &[u8], is_unreadable: bool) -> Memory<'_> {
    Memory {
        head: bytes,
        tail: &[],
        total_bytes: bytes.len() as u64,
        // A full buffer means that there was more.
        is_fault: is_unreadable || bytes.len() >= 32 << 10,
        is_off: false,
    }
}

fn namespaces([mount, pid, network, user, uts, ipc, cgroup]: [u32; 7]) -> Namespaces {
    Namespaces { mount, pid, network, user, uts, ipc, cgroup }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn pid_of(field: Option<u64>) -> u32 {
    field.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0)
}

/// Name as the driver would give it, from the device number of proc(5).
fn tty(device: u64) -> Option<(Vec<u8>, u32, u32)> {
    let device = u32::try_from(device).ok().filter(|device| *device != 0)?;
    let major = device >> 8 & 0xfff;
    let minor = device & 0xff | device >> 12 & 0xf_ff00;
    // Numbers of devices.txt: 136 to 143 are pseudo terminals, 4 consoles and serial lines.
    let name = match major {
        136..=143 => format!("pts{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        _ => return None,
    };
    Some((name.into_bytes(), major, minor))
}

/// 4294967295 stands for unset.
fn set_number(text: &[u8]) -> Option<u32> {
    number(text).and_then(|number| u32::try_from(number).ok()).filter(|number| *number != u32::MAX)
}

/// `/usr/bin/ls` becomes `ls`, `bin`, `usr`, each ended by NUL.
fn leaf_first(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 1);
    let path = path.strip_prefix(b"/memfd:").map_or(path, |_| &path[1..]);
    for component in path.rsplit(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        out.extend_from_slice(component);
        out.push(0);
    }
    out
}

/// The path in the unified hierarchy, or, where that is the root, in the v1 `pids` hierarchy.
fn unified_cgroup(text: &[u8]) -> &[u8] {
    let mut unified: &[u8] = b"/";
    let mut pids: &[u8] = b"/";
    for line in text.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        if let (Some(number), Some(names), Some(path)) = (parts.next(), parts.next(), parts.next())
        {
            if number == b"0" {
                unified = path;
            } else if names.split(|byte| *byte == b',').any(|name| name == b"pids") {
                pids = path;
            }
        }
    }
    if unified == b"/" { pids } else { unified }
}

/// `/proc/PID/status`.
struct Status<'a>(&'a [u8]);

impl Status<'_> {
    fn line(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key))
    }

    /// Real, effective, saved.
    fn ids(&self, key: &[u8]) -> [u32; 3] {
        let line = self.line(key).unwrap_or_default();
        let mut ids = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(|word| number(word).and_then(|id| u32::try_from(id).ok()).unwrap_or(u32::MAX));
        [(); 3].map(|()| ids.next().unwrap_or(u32::MAX))
    }

    fn last_number(&self, key: &[u8]) -> Option<u32> {
        let line = self.line(key)?;
        let last = line.split(u8::is_ascii_whitespace).rfind(|word| !word.is_empty())?;
        number(last).and_then(|number| u32::try_from(number).ok())
    }

    fn hex(&self, key: &[u8]) -> u64 {
        let text = self.line(key).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default().trim();
        u64::from_str_radix(text, 16).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_understood() {
        let raw = RawProcess {
            stat: std::fs::read("/proc/self/stat").unwrap(),
            status: std::fs::read("/proc/self/status").unwrap(),
            cmdline: std::fs::read("/proc/self/cmdline").unwrap(),
            exe: std::fs::read_link("/proc/self/exe").ok().map(Into::into),
            exe_meta: std::fs::metadata("/proc/self/exe").ok(),
            ..RawProcess::default()
        };
        let process = Process::parse(&raw).unwrap();
        let image = process.image(process.task(), TaskId { pid: 1, start_boottime_ns: 0 });
        assert_eq!(image.process.pid, std::process::id());
        assert_eq!(process.parent_pid(), std::os::unix::process::parent_id());
        assert_eq!(image.credentials.uid, nix::unistd::getuid().as_raw());
        assert_eq!(image.argc as usize, std::env::args_os().count());
        assert!(image.process.start_boottime_ns > 0);
        assert!(!image.is_kernel_thread);
    }

    #[test]
    fn hostile_names_do_not_confuse() {
        let stat = b"7 (a) R 1 (b) S 5 6 6 34817 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0".to_vec();
        let raw = RawProcess { stat, ..RawProcess::default() };
        let process = Process::parse(&raw).unwrap();
        assert_eq!(process.comm, b"a) R 1 (b");
        assert_eq!(process.parent_pid(), 5);
        assert_eq!(process.tty.as_ref().unwrap().0, b"pts1");
        assert_eq!(process.task().start_boottime_ns, 77 * tick_ns());
        for stat in [&b""[..], b"7 (", b"7 (a)", b"x (a) R", b")("] {
            let raw = RawProcess { stat: stat.to_vec(), ..RawProcess::default() };
            assert!(Process::parse(&raw).is_none());
        }
    }

    #[test]
    fn groups_of_both_hierarchies() {
        assert_eq!(unified_cgroup(b"0::/user.slice\n"), b"/user.slice");
        assert_eq!(unified_cgroup(b"4:pids:/docker/x\n1:cpu:/y\n0::/\n"), b"/docker/x");
        assert_eq!(unified_cgroup(b""), b"/");
    }
}
