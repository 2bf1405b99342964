//! What recording costs. Prints, and does not judge.
//!
//! `make bench`, as root. Figures of one machine at one time: compare ratios, not seconds.
//! With `--database FILE PROCESSES` it makes a database instead, for the benchmark of the viewer.

mod alone;
mod load;
mod machine;
mod ours;
mod process;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::load::{EXECS, storm};
use crate::ours::{RULES, Recorder};
use crate::table::{row, spread};

/// Blocks of each kind.
const BLOCKS: usize = 5;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--database") {
        let [file, processes, ..] = &arguments[at + 1..] else {
            bail!("--database takes a file and a number of processes");
        };
        return daemon::bench::machine::database(Path::new(file), processes.parse()?);
    }
    let dir = tempfile::Builder::new().prefix("bpf-recorder-bench").tempdir()?;
    // The recorder runs as another user.
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    machine::describe()?;
    alone::replay(dir.path())?;
    for (name, rules) in RULES {
        alone::evaluation(name, Path::new(rules));
    }
    if !nix::unistd::geteuid().is_root() {
        println!("not root: nothing is captured, the rest is left out");
        return Ok(());
    }
    blocks(dir.path())?;
    alone::programs(dir.path())?;
    alone::alerts(dir.path())
}

/// The same work with and without a recorder, in turn.
fn blocks(dir: &Path) -> anyhow::Result<()> {
    let mut ratios = Vec::new();
    let mut with = Vec::new();
    let mut cpu = Vec::new();
    let mut last = None;
    for block in 0..BLOCKS {
        let without = storm(EXECS)?;
        let recorder = Recorder::start(&dir.join(format!("block{block}")))?;
        let before = recorder.cpu_ns()?;
        let elapsed = storm(EXECS)?;
        let health = recorder.health()?;
        let used = recorder.cpu_ns()?.saturating_sub(before);
        let disk = recorder.stop()?;
        ratios.push(100.0 * (elapsed.as_secs_f64() / without.as_secs_f64() - 1.0));
        with.push(elapsed.as_secs_f64() * 1e6 / EXECS as f64);
        cpu.push(used as f64 / 1e3 / EXECS as f64);
        last = Some((health, disk));
    }
    let (health, disk) = last.context("a block")?;
    let capture = health.capture.context("figures of the capture")?;
    row(
        &format!("time per exec with recorder ({EXECS} execs, both cores)"),
        &spread(&mut with, "µs"),
    );
    row("  added by the recorder, block by block", &spread(&mut ratios, "%"));
    row("CPU of sensor and recorder per exec", &spread(&mut cpu, "µs"));
    let execs = capture.decoded.exec.max(1);
    row("on disk per exec, all in", &format!("{} bytes", disk / execs));
    row("resident memory of the recorder", &format!("{} MiB", capture.resident_bytes >> 20));
    row(
        "lost",
        &format!(
            "{} of {}",
            capture.meant.total() - capture.decoded.total(),
            capture.meant.total()
        ),
    );
    Ok(())
}
