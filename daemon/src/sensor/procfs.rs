//! Copies what `/proc` says of the processes that run, for kernels without a task iterator
//! (before 5.18). Bytes only: whoever parses them has no privilege.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files of one `/proc/PID`, empty where they could not be read.
#[derive(Debug, Default)]
pub(crate) struct RawProcess {
    pub(crate) stat: Vec<u8>,
    pub(crate) status: Vec<u8>,
    pub(crate) cmdline: Vec<u8>,
    /// `None` where it is not to be recorded.
    pub(crate) environ: Option<Vec<u8>>,
    pub(crate) cgroup: Vec<u8>,
    pub(crate) loginuid: Vec<u8>,
    pub(crate) sessionid: Vec<u8>,
    pub(crate) exe: Option<OsString>,
    pub(crate) exe_meta: Option<fs::Metadata>,
    pub(crate) cwd: Option<OsString>,
    /// mnt, pid, net, user, uts, ipc, cgroup.
    pub(crate) namespaces: [u32; 7],
}

/// As much as the kernel programs capture.
const MOST_BYTES: u64 = 32 << 10;

pub(crate) fn collect(with_environment: bool) -> Vec<RawProcess> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let is_pid = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_pid))
        .map(|entry| read(&entry.path(), with_environment))
        .collect()
}

fn read(dir: &Path, with_environment: bool) -> RawProcess {
    let bytes = |name: &str| {
        let mut bytes = Vec::new();
        if let Ok(file) = File::open(dir.join(name)) {
            let _ = file.take(MOST_BYTES).read_to_end(&mut bytes);
        }
        bytes
    };
    let link = |name: &str| fs::read_link(dir.join(name)).ok().map(PathBuf::into_os_string);
    let namespace = |name: &str| {
        // Device and inode of a namespace file are those of the namespace: the inode is its number.
        fs::metadata(dir.join("ns").join(name))
            .ok()
            .and_then(|meta| u32::try_from(meta.ino()).ok())
            .unwrap_or(0)
    };
    RawProcess {
        stat: bytes("stat"),
        status: bytes("status"),
        cmdline: bytes("cmdline"),
        environ: with_environment.then(|| bytes("environ")),
        cgroup: bytes("cgroup"),
        loginuid: bytes("loginuid"),
        sessionid: bytes("sessionid"),
        exe: link("exe"),
        exe_meta: fs::metadata(dir.join("exe")).ok(),
        cwd: link("cwd"),
        namespaces: ["mnt", "pid", "net", "user", "uts", "ipc", "cgroup"].map(namespace),
    }
}
