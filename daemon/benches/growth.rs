//! How long questions take, and upkeep, as the database grows. Prints, and does not judge.
//!
//! Part of `make bench`; `cargo bench -p daemon --bench growth -- --sizes 10000000` for more, and with
//! `--ask FILE [PART]` the questions that have this part, of a database that is there.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use daemon::bench::{growth, machine};

const SIZES: [u64; 2] = [100_000, 1_000_000];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know that it starts.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--ask") {
        let argument = |at| arguments.get(at).map_or("", String::as_str);
        return ask(Path::new(argument(at + 1)), argument(at + 2));
    }
    let sizes = match arguments.iter().position(|argument| argument == "--sizes") {
        Some(at) => {
            // Cargo adds arguments of its own.
            let sizes = arguments[at + 1..].iter().take_while(|size| !size.starts_with("--"));
            sizes.map(|size| size.parse()).collect::<Result<_, _>>()?
        }
        None => SIZES.to_vec(),
    };
    let dir = tempfile::Builder::new().prefix("bpf-recorder-growth").tempdir()?;
    for size in sizes {
        measure(&dir.path().join(format!("{size}.db")), size)?;
    }
    Ok(())
}

fn measure(path: &Path, processes: u64) -> anyhow::Result<()> {
    println!("\n## {processes} processes\n");
    println!("load average before: {}", fs::read_to_string("/proc/loadavg")?.trim());
    let start = Instant::now();
    machine::database(path, processes)?;
    let made = start.elapsed();
    let bytes = fs::metadata(path)?.len();
    println!("written at {:.0} processes/s", processes as f64 / made.as_secs_f64());
    println!("{} bytes, {:.0} for each process\n", bytes, bytes as f64 / processes as f64);
    ask(path, "")?;
    let done = growth::upkeep(path, processes)?;
    println!("| opening it to record | {} | | |", millis(done.open));
    let at = |part: usize| done.steps.get(done.steps.len() * part / 1000).copied();
    let step = |part| at(part).map(millis).unwrap_or_default();
    let most = done.steps.last().copied().map(millis).unwrap_or_default();
    println!(
        "| one of {} steps of retention: median, 99.9 of 100, longest | {} | {}, {most} | {} |",
        done.steps.len(),
        step(500),
        step(999),
        done.deleted
    );
    println!("\nresident memory at most: {} MiB", peak_kib()? >> 10);
    Ok(())
}

fn ask(path: &Path, part: &str) -> anyhow::Result<()> {
    println!("| question | first, ms | median, ms | found |\n| --- | ---: | ---: | ---: |");
    for timing in growth::questions(path, part)? {
        let (first, median) = (millis(timing.first), millis(timing.median));
        println!("| {} | {first} | {median} | {} |", timing.question, timing.found);
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn peak_kib() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse()?)
}
