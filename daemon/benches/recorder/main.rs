//! What recording costs, beside what auditd costs where it is installed. Prints, and does not judge.
//!
//! `make bench`, as root; `cargo bench -p daemon --bench recorder -- --rounds 20` for more rounds.
//! Figures of one machine at one time: compare ratios, not seconds. The table is also written to the
//! file named in `BPF_BENCH_TABLE`. With `--database FILE PROCESSES` it makes a database instead, for
//! the benchmark of the viewer.

mod alone;
mod audit;
mod auditd;
mod comparison;
mod load;
mod machine;
mod ours;
mod process;
mod results;
mod subject;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::audit::Audit;
use crate::load::EXECS;
use crate::ours::RULES;
use crate::results::Results;
use crate::subject::Subject;
use crate::table::Table;

const ROUNDS: usize = 5;

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
    let rounds = match arguments.iter().position(|argument| argument == "--rounds") {
        None => ROUNDS,
        Some(at) => arguments.get(at + 1).context("--rounds takes a number")?.parse()?,
    };
    ensure!(rounds > 0, "--rounds takes a number above 0");
    load::heed_signals()?;
    let dir = tempfile::Builder::new().prefix("bpf-recorder-bench").tempdir()?;
    // The recorder runs as another user.
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    machine::describe(dir.path())?;
    let text = measure(dir.path(), rounds)?;
    println!("\n{text}");
    if let Some(path) = std::env::var_os("BPF_BENCH_TABLE") {
        fs::write(path, text).context("write the table")?;
    }
    Ok(())
}

/// The table, and what one has to know to read it.
fn measure(dir: &Path, rounds: usize) -> anyhow::Result<String> {
    let mut table = Table::default();
    if !nix::unistd::geteuid().is_root() {
        alone::from_memory(dir, &mut table)?;
        return Ok(format!("{table}\nnot root: nothing is captured, the rest is left out\n"));
    }
    // Held to the end: what is measured then is spared audit as well.
    let audit = Audit::take();
    let (subjects, left_out) = comparison::subjects(dir, &audit);
    let measured = comparison::rounds(rounds, dir, &subjects, audit.as_ref().ok())?;
    let results = Results::new(&measured);
    results.print_absolute();
    results.add_to(&mut table);
    alone::from_memory(dir, &mut table)?;
    alone::alerts(dir, &mut table)?;
    alone::programs(dir)?;
    Ok(format!("{table}\n{}\n", notes(rounds, &subjects, &left_out)))
}

/// What one has to know to read the table.
fn notes(rounds: usize, subjects: &[Subject], left_out: &[String]) -> String {
    let mut lines = vec![
        format!(
            "Median (least to most) of {rounds} rounds: {EXECS} execs one after the other and {EXECS} on every \
             core, with nothing and with each of these in turn."
        ),
        "This project records start, exec and exit, with environment and hashes; auditd execve and \
         execveat."
            .to_owned(),
    ];
    for (name, rules) in RULES {
        let are = if Path::new(rules).is_dir() { "evaluated on each exec" } else { "not here" };
        lines.push(format!("This project's rules, {name} ({rules}): {are}."));
    }
    lines.extend(
        [
            "With laurel, auditd writes no log of its own.",
            "Memory is what is resident, each page once; in brackets of each process, so that what they share counts often.",
            "In events/s from memory, rules are measured apart and added up.",
        ]
        .map(str::to_owned),
    );
    lines.extend_from_slice(left_out);
    if subjects.contains(&Subject::Auditd) {
        lines.push(
            "Audit is as it was. But now that it was on, the kernel follows each new process for it until \
             this machine restarts; the rule `auditctl -a never,task` spares them that."
                .to_owned(),
        );
    }
    lines.join("\n")
}
