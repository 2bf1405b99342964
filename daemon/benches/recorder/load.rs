//! The work that is done while something records, and what is captured of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ebpf::load::{Lanes, Options, Programs};
use ebpf::ring::Ring;
use tokio::signal::unix::{SignalKind, signal};

/// Execs of one storm. What was built for debugging only shows that all of it works.
pub(crate) const EXECS: u64 = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
/// Execs whose records are captured for the replay.
const CAPTURED_EXECS: u64 = 500;

static IS_ENDED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C and SIGTERM an error of the next load, so that what was started is ended and what
/// was set is put back; the second ends it at once. They are not blocked: what is started here would inherit that.
pub(crate) fn heed_signals() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(guard);
    // It has nothing to finish, and ends with the program.
    std::thread::spawn(move || {
        runtime.block_on(async {
            for is_ended_before in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if is_ended_before {
                    eprintln!("ended at once: not all is as it was");
                    std::process::exit(1);
                }
                IS_ENDED.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(())
}

fn ensure_not_ended() -> anyhow::Result<()> {
    ensure!(!IS_ENDED.load(Ordering::Relaxed), "ended by a signal");
    Ok(())
}

/// Processes that exec at the same time.
#[derive(Clone, Copy)]
pub(crate) struct Jobs {
    pub(crate) name: &'static str,
    pub(crate) count: usize,
}

/// One leaves the other cores to whatever records; the other has it compete for each.
pub(crate) fn loads() -> [Jobs; 2] {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    [
        Jobs { name: "one after the other", count: 1 },
        Jobs { name: "every core busy", count: cores.min(64) },
    ]
}

/// Starts, waits for and ends a static program so often.
pub(crate) fn storm(execs: u64, jobs: Jobs) -> anyhow::Result<Duration> {
    ensure_not_ended()?;
    let start = Instant::now();
    let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
        .args(["storm", "-j", &jobs.count.to_string(), &execs.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("run the workload (build it with make workload)")?;
    ensure!(status.success(), "the workload failed: {status}");
    Ok(start.elapsed())
}

/// Starts a process each millisecond, with the word in its command line. Returns the time it took:
/// a machine may be too slow for that.
pub(crate) fn paced(execs: u32, word: &str) -> anyhow::Result<Duration> {
    let start = Instant::now();
    for number in 0..execs {
        ensure_not_ended()?;
        let due = start + Duration::from_millis(number.into());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let status = Command::new(program("BPF_WORKLOAD", "target/workload"))
            .args(["exit", "0", word, &number.to_string()])
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "the workload failed: {status}");
    }
    Ok(start.elapsed())
}

/// Real records of a small storm.
pub(crate) fn capture() -> anyhow::Result<Vec<Vec<u8>>> {
    let options =
        Options { ring_size_bytes: 32 << 20, capture_env: true, cookie: 1, lanes: Lanes::AsNeeded };
    let mut programs = Programs::load(&options)?;
    programs.attach()?;
    storm(CAPTURED_EXECS, loads()[1])?;
    programs.detach();
    let mut ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes())?;
    let mut raw = Vec::new();
    while let Some(record) = ring.next() {
        raw.push(record.to_vec());
    }
    Ok(raw)
}

pub(crate) fn program(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| name.into(), PathBuf::from)
}
