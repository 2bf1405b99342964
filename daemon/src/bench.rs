//! What the benchmark needs of the inside. No part of any interface.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::id::BootId;
use ebpf::event::{Body, Event, TaskId};

use crate::enrich::environment::Policy;
use crate::recorder::{Assembler, Detector, Progress, Tracker};
use crate::settings::Environment;
use crate::store::{Committed, Writer, WriterThread};

/// What a replay did.
#[derive(Debug)]
pub struct Replay {
    pub events: u64,
    pub processes: u64,
    pub elapsed: Duration,
    pub database_bytes: u64,
}

const BATCH: u64 = 4096;

/// Decodes, tracks and stores captured records of `generations` rounds, each with processes of its
/// own, as fast as it can.
pub fn replay(raw: &[Vec<u8>], generations: u64, path: &Path) -> anyhow::Result<Replay> {
    let environment = Environment { is_recorded: true, only: None, redacted_words: Vec::new() };
    let assembler = Assembler::new(BootId::from_bits(1), Policy::new(&environment));
    let mut tracker = Tracker::new(assembler, Detector::none(), Progress::default(), 1);
    let store = WriterThread::start(Writer::open(path)?, Committed::default())?;
    let start = Instant::now();
    let mut events = 0;
    for generation in 0..generations {
        for bytes in raw {
            let mut event = ebpf::wire::decode(bytes).context("decode a captured record")?;
            make_new(&mut event, generation, events + 1);
            tracker.event(&event);
            events += 1;
            if events % BATCH == 0 {
                hand_over(&mut tracker, &store);
            }
        }
    }
    hand_over(&mut tracker, &store);
    let processes = tracker.progress.decoded.exit;
    store.finish(Duration::from_secs(600));
    let elapsed = start.elapsed();
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |meta| meta.len())
    };
    Ok(Replay { events, processes, elapsed, database_bytes: size("") + size("-wal") })
}

fn hand_over(tracker: &mut Tracker, store: &WriterThread) {
    let mut batch = Box::new(tracker.take_batch());
    while let Err(back) = store.try_send(batch) {
        batch = back;
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The same act again, by other processes at another time.
fn make_new(event: &mut Event<'_>, generation: u64, sequence: u64) {
    let shift_ns = generation * 1_000_000_000;
    event.boottime_ns += shift_ns;
    // All of one stream, so that no number is missing.
    event.cpu = 0;
    event.sequence = sequence;
    let later = |task: &mut TaskId| task.start_boottime_ns += shift_ns;
    match &mut event.body {
        Body::Fork(fork) => {
            later(&mut fork.parent);
            later(&mut fork.child);
        }
        Body::Exec(image) | Body::Running(image) => {
            later(&mut image.process);
            later(&mut image.parent);
        }
        Body::Exit(exit) => later(&mut exit.process),
    }
}
