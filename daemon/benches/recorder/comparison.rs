//! The same work while nothing, the recorder, and others record, in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::audit::Audit;
use crate::load::{EXECS, Jobs, loads, paced, storm};
use crate::process::{Process, Resident, all_cpu_ns, cpu_ns, find, resident, settle};
use crate::subject::{Left, Recording, Subject};

/// Execs of the measurement of memory, one a millisecond.
const PACED_EXECS: u32 = if cfg!(debug_assertions) { 2_000 } else { 20_000 };

/// What was measured of one subject.
pub(crate) struct Measured {
    pub(crate) subject: Subject,
    /// One of each round, in their order.
    pub(crate) blocks: Vec<Block>,
    pub(crate) memory: Option<Memory>,
}

pub(crate) struct Block {
    /// As [`loads`] has them.
    pub(crate) timed: [Timed; 2],
    pub(crate) left: Option<Left>,
}

impl Block {
    /// Whether all was done before it was looked at.
    pub(crate) fn has_settled(&self) -> bool {
        self.timed.iter().all(|timed| timed.has_settled)
    }
}

/// For each exec, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) elapsed: f64,
    /// Of its daemons, until they had done with all.
    pub(crate) cpu: f64,
    /// Of the kernel thread that hands the events of audit over.
    pub(crate) kauditd: f64,
    has_settled: bool,
}

/// Most that was resident at once.
pub(crate) struct Memory {
    pub(crate) by_process: Vec<(&'static str, Resident)>,
    /// That the load really had.
    pub(crate) execs_per_second: f64,
}

/// Those that can be measured here, and why the others cannot.
pub(crate) fn subjects(dir: &Path, audit: &anyhow::Result<Audit>) -> (Vec<Subject>, Vec<String>) {
    let mut subjects = vec![Subject::Nothing, Subject::Ours];
    let mut left_out = Vec::new();
    for subject in [Subject::Auditd, Subject::AuditdLaurel] {
        match try_it(subject, dir, audit) {
            Ok(()) => subjects.push(subject),
            Err(error) => left_out.push(format!("{subject} is left out: {error:#}")),
        }
    }
    (subjects, left_out)
}

fn try_it(subject: Subject, dir: &Path, audit: &anyhow::Result<Audit>) -> anyhow::Result<()> {
    let audit = audit.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let running =
        subject.start(&dir.join(format!("{subject} tried").replace(' ', "-")), Some(audit))?;
    running.context("nothing to try")?.stop(0)?;
    Ok(())
}

/// Each round begins with another subject, so that none is always the first after the same one.
pub(crate) fn rounds(
    count: usize,
    dir: &Path,
    subjects: &[Subject],
    audit: Option<&Audit>,
) -> anyhow::Result<Vec<Measured>> {
    let new = |subject: &Subject| Measured { subject: *subject, blocks: Vec::new(), memory: None };
    let mut all: Vec<Measured> = subjects.iter().map(new).collect();
    for round in 0..count {
        for turn in 0..all.len() {
            let at = (round + turn) % all.len();
            let measured = &mut all[at];
            let dir = dir.join(format!("round{round}-{at}"));
            eprintln!("round {} of {count}: {}", round + 1, measured.subject);
            let running = measured.subject.start(&dir, audit)?;
            let block = block(running).with_context(|| format!("measure {}", measured.subject))?;
            measured.blocks.push(block);
        }
    }
    for (at, measured) in all.iter_mut().enumerate() {
        if let Some(running) = measured.subject.start(&dir.join(format!("memory-{at}")), audit)? {
            eprintln!("memory of {}", measured.subject);
            measured.memory = Some(memory(&running.processes())?);
        }
    }
    Ok(all)
}

fn block(running: Option<Box<dyn Recording + '_>>) -> anyhow::Result<Block> {
    let processes = running.as_ref().map(|running| running.processes()).unwrap_or_default();
    settle(&processes)?;
    let [first, second] = loads();
    let timed = [timed(first, &processes)?, timed(second, &processes)?];
    // The workload itself is started by an exec too, once a storm.
    let execs = 2 * (EXECS + 1);
    let left = running.map(|running| running.stop(execs)).transpose()?;
    Ok(Block { timed, left })
}

fn timed(jobs: Jobs, processes: &[Process]) -> anyhow::Result<Timed> {
    let kauditd = find("kauditd");
    let kernel_ns = || kauditd.map_or(Ok(0), cpu_ns);
    let (before, kernel_before) = (all_cpu_ns(processes)?, kernel_ns()?);
    let elapsed = storm(EXECS, jobs)?;
    let has_settled = settle(processes)?;
    let per_exec = |ns: u64| ns as f64 / 1e3 / EXECS as f64;
    Ok(Timed {
        elapsed: elapsed.as_secs_f64() * 1e6 / EXECS as f64,
        cpu: per_exec(all_cpu_ns(processes)?.saturating_sub(before)),
        kauditd: per_exec(kernel_ns()?.saturating_sub(kernel_before)),
        has_settled,
    })
}

fn memory(processes: &[Process]) -> anyhow::Result<Memory> {
    settle(processes)?;
    std::thread::scope(|scope| {
        let load = scope.spawn(|| paced(PACED_EXECS, "paced"));
        let mut most = Vec::new();
        while !load.is_finished() {
            let mut now = Vec::new();
            for process in processes {
                now.push((process.name, resident(process.pid)?));
            }
            if sum(&now) > sum(&most) {
                most = now;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let elapsed = load.join().map_err(|_| anyhow!("the load panicked"))??;
        let execs_per_second = f64::from(PACED_EXECS) / elapsed.as_secs_f64();
        Ok(Memory { by_process: most, execs_per_second })
    })
}

fn sum(by_process: &[(&str, Resident)]) -> u64 {
    by_process.iter().map(|(_, resident)| resident.bytes).sum()
}
