//! Whether the pids seen here are those of the kernel's records.

/// The initial namespace has a fixed number (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
pub(crate) fn is_in_pid_namespace() -> bool {
    const INITIAL: u64 = 0xefff_fffc;
    std::fs::metadata("/proc/self/ns/pid")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::ino(&meta) != INITIAL)
}
