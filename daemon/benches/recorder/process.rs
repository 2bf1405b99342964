//! What the kernel tells of a process that runs.

use std::fs;

/// Sum over the threads: field 1 of `/proc/PID/task/TID/schedstat` is time on the CPU.
pub(crate) fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(sum)
}
