//! What the kernel tells of processes that run, and how they are ended.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) pid: u32,
}

/// By the scheduler's own clock, of threads that have ended too: a sum over `/proc/PID/task` would
/// forget those.
pub(crate) fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.num_nanoseconds())?)
}

pub(crate) fn all_cpu_ns(processes: &[Process]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for process in processes {
        sum += cpu_ns(process.pid).with_context(|| format!("look at {}", process.name))?;
    }
    Ok(sum)
}

/// Waits until they have next to nothing left to do, which no two tell in the same way. Whether
/// that came about: on a machine where others work, it may not.
pub(crate) fn settle(processes: &[Process]) -> anyhow::Result<bool> {
    const STEP: Duration = Duration::from_millis(300);
    const REST_NS: u64 = 6_000_000;
    const LIMIT: Duration = Duration::from_secs(15);

    let mut steps_at_rest = 0;
    let mut before = all_cpu_ns(processes)?;
    let start = Instant::now();
    while !processes.is_empty() && steps_at_rest < 3 {
        if start.elapsed() > LIMIT {
            return Ok(false);
        }
        std::thread::sleep(STEP);
        let now = all_cpu_ns(processes)?;
        steps_at_rest = if now.saturating_sub(before) < REST_NS { steps_at_rest + 1 } else { 0 };
        before = now;
    }
    Ok(true)
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) bytes: u64,
    /// Of each page the part that falls to this process, if those that have it share it evenly.
    pub(crate) proportional_bytes: u64,
    /// Without pages of files and what is shared, which others may have as well.
    pub(crate) anonymous_bytes: u64,
}

pub(crate) fn resident(pid: u32) -> anyhow::Result<Resident> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let bytes = |name: &str| {
        let line = maps.lines().find(|line| line.starts_with(name)).context("find a size")?;
        anyhow::Ok(line.split_whitespace().nth(1).unwrap_or("0").parse::<u64>()? << 10)
    };
    Ok(Resident {
        bytes: bytes("Rss:")?,
        proportional_bytes: bytes("Pss:")?,
        anonymous_bytes: bytes("Anonymous:")?,
    })
}

pub(crate) fn name(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// Kernel threads and others, by name.
pub(crate) fn find(wanted: &str) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| name(*pid).is_some_and(|name| name == wanted))
}

pub(crate) fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|line| line.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

pub(crate) fn child_named(parent: u32, wanted: &str) -> Option<u32> {
    children(parent).into_iter().find(|pid| name(*pid).is_some_and(|name| name == wanted))
}

/// Where a program is; that of an administrator need not be in the search path.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(usual);
    places.find_map(|place| Some(place.join(program)).filter(|path| path.is_file()))
}

/// Asks it to end and waits, and kills what does not. May be called again.
pub(crate) fn end(child: &mut Child) -> anyhow::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    nix::sys::signal::kill(pid, Signal::SIGTERM)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    Ok(child.wait()?)
}
