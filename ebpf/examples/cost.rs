//! Prints what the programs cost: attach, run N execs of a program, and ask the kernel.
//!
//! `cargo run --release -p ebpf --example cost -- [N [PROGRAM]]`, as root, with
//! `sysctl kernel.bpf_stats_enabled=1`.

use std::error::Error;
use std::fs::File;
use std::process::Command;
use std::time::Instant;

use ebpf::load::{Lanes, Options, Programs};
use ebpf::ring::Ring;
use ebpf::shared::Shared;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let program = arguments.next().unwrap_or_else(|| "/bin/true".to_owned());

    let start = Instant::now();
    let options =
        Options { ring_size_bytes: 32 << 20, capture_env: true, cookie: 0, lanes: Lanes::AsNeeded };
    let mut programs = Programs::load(&options)?;
    println!("loaded in {:?}", start.elapsed());
    let mut ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes())?;
    let shared = Shared::map(programs.shared_fd(), programs.slots())?;

    let plain = time_per_exec(runs, &program, || ())?;
    programs.attach()?;
    let (mut records, mut bytes) = (0u32, 0);
    let traced = time_per_exec(runs, &program, || {
        while let Some(record) = ring.next() {
            records += 1;
            bytes += record.len();
        }
        ring.release(ring.position());
    })?;
    programs.detach();
    if let Some(iterator) = programs.snapshot()? {
        let stream_bytes = std::io::copy(&mut File::from(iterator), &mut std::io::sink())?;
        println!("snapshot of {stream_bytes} bytes");
    }

    println!("exec without: {plain:.0} ns, with: {traced:.0} ns");
    println!("{records} records, {} bytes on average", bytes / records.max(1) as usize);
    for program in programs.statistics()? {
        let mean_ns = program.run_time_ns / program.run_count.max(1);
        println!("{:18} {:8} runs, {mean_ns} ns each", program.name, program.run_count);
    }
    println!("{:?}", shared.totals());
    Ok(())
}

fn time_per_exec(runs: u32, program: &str, mut after: impl FnMut()) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    for _ in 0..runs {
        Command::new(program).status()?;
        after();
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(runs))
}
