//! Limits of a recorder that runs, lowered and raised again.

use std::fs;
use std::os::unix::process::CommandExt as _;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use crate::workload::workload;

pub(super) use libc::{RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE};

/// What the limits of a process are numbered with, which is another type with each C library.
pub(super) type Resource = libc::__rlimit_resource_t;

/// The soft limit alone, so that it can be raised again.
pub(super) fn limit(pid: Pid, resource: Resource, soft: u64) {
    set(pid, resource, Some(soft));
}

/// As far as it may be.
pub(super) fn unlimit(pid: Pid, resource: Resource) {
    set(pid, resource, None);
}

/// In a process of the same user: nobody else may without a capability that containers lack.
#[allow(unsafe_code, reason = "prlimit between fork and exec")]
fn set(pid: Pid, resource: Resource, soft: Option<u64>) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let id = |name: &str| -> u32 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let mut command = workload(&["exit", "0"]);
    command.uid(id("Uid:")).gid(id("Gid:"));
    let change = move || {
        let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointers are to a local variable, or null.
        Errno::result(unsafe {
            libc::prlimit(pid.as_raw(), resource, std::ptr::null(), &raw mut limits)
        })?;
        limits.rlim_cur = soft.unwrap_or(limits.rlim_max);
        // SAFETY: as above.
        Errno::result(unsafe {
            libc::prlimit(pid.as_raw(), resource, &raw const limits, std::ptr::null_mut())
        })?;
        Ok(())
    };
    // SAFETY: the closure calls nothing but prlimit, and allocates nothing.
    let command = unsafe { command.pre_exec(change) };
    let done = command.stdout(std::process::Stdio::null()).status().unwrap();
    assert!(done.success(), "{done}");
}
