//! The work that is done while something records, and what is captured of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ebpf::load::{Lanes, Options, Programs};
use ebpf::ring::Ring;

/// Execs of one block.
pub(crate) const EXECS: u64 = 10_000;
/// Execs whose records are captured for the replay.
const CAPTURED_EXECS: u64 = 500;
/// Execs of the measurement of alerts, one a millisecond.
pub(crate) const ALERTED_EXECS: u32 = 3000;

pub(crate) fn program(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| name.into(), PathBuf::from)
}

/// Starts, waits for and ends a static program so often, on both cores.
pub(crate) fn storm(execs: u64) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
        .args(["storm", "-j", "2", &execs.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("run the workload (build it with make workload)")?;
    ensure!(status.success(), "the workload failed: {status}");
    Ok(start.elapsed())
}

/// Starts a process each millisecond.
pub(crate) fn paced() -> anyhow::Result<()> {
    let start = Instant::now();
    for number in 0..ALERTED_EXECS {
        let due = start + Duration::from_millis(number.into());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
            .args(["exit", "0", "alert-each", &number.to_string()])
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "the workload failed: {status}");
    }
    Ok(())
}

/// Real records of a small storm.
pub(crate) fn capture() -> anyhow::Result<Vec<Vec<u8>>> {
    let options =
        Options { ring_size_bytes: 32 << 20, capture_env: true, cookie: 1, lanes: Lanes::AsNeeded };
    let mut programs = Programs::load(&options)?;
    programs.attach()?;
    storm(CAPTURED_EXECS)?;
    programs.detach();
    let mut ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes())?;
    let mut raw = Vec::new();
    while let Some(record) = ring.next() {
        raw.push(record.to_vec());
    }
    Ok(raw)
}
