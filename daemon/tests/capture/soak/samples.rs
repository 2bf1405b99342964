//! How large the recorder is, over time, and whether it grows.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::client::capture;
use crate::recorder::Recorder;
use crate::scratch::Scratch;

/// What the last quarter may have more than the second one: a part, and some pages.
const MORE_PART: u64 = 10;
const MORE_BYTES: u64 = 8 << 20;
/// Of these what is usual at one time is little at another: a machine with others on it has its
/// moods. One that cannot keep up is behind by more each time.
const MORE_TIMES: u64 = 2;
const MORE_LAG_MS: u64 = 500;
const MORE_RING_BYTES: u64 = 1 << 20;
/// SQLite keeps the files of a closed reader for the next one, two for each, so that a moment with
/// more readers than ever before stays to be seen; and few samples have none without a file that is
/// just being read.
const MORE_DESCRIPTORS: u64 = 8;
/// Below, caches still fill in the second quarter, so that memory is not judged.
const JUDGED: Duration = Duration::from_secs(300);
/// What the database's log is cut to (`store::write`), and a transaction more.
const LOG_BYTES: u64 = 24 << 20;
/// `LOSSLESS`: what is larger is not copied.
const LARGEST_COPY: u64 = 12 << 20;
const LINES: u32 = 24;

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    sensor_bytes: u64,
    recorder_bytes: u64,
    broker_bytes: u64,
    /// Without the ring and files, which are mapped.
    anonymous_bytes: u64,
    /// Of sensor, recorder and broker.
    descriptors: [u64; 3],
    /// With its log.
    database_bytes: u64,
    file_bytes: u64,
    copies_bytes: u64,
    records: u64,
    ring_used_bytes: u64,
    lag_ms: u64,
    lost: u64,
}

pub(super) struct Samples {
    start: Instant,
    length: Duration,
    copies: PathBuf,
    all: Vec<Sample>,
    printed: u32,
}

impl Samples {
    pub(super) fn new(length: Duration, scratch: &Scratch) -> Self {
        println!(
            "{:>7} {:>8} {:>9} {:>9} {:>7} {:>11} {:>9} {:>7} {:>9} {:>9} {:>7} {:>7}",
            "second",
            "sensor",
            "recorder",
            "anonymous",
            "broker",
            "fds",
            "database",
            "copies",
            "records",
            "ring",
            "lag ms",
            "lost"
        );
        let copies = scratch.data().join("binaries");
        Self { start: Instant::now(), length, copies, all: Vec::new(), printed: 0 }
    }

    pub(super) fn take(&mut self, daemon: &Recorder) {
        let health = daemon.client.health();
        let figures = capture(&health);
        let [sensor, recorder] =
            [figures.sensor_pid, figures.recorder_pid].map(|pid| Pid::from_raw(pid.cast_signed()));
        let broker = daemon.children().into_iter().find(|pid| *pid != recorder);
        let broker = broker.expect("a broker, which is the sensor's other child");
        let sample = Sample {
            at: self.start.elapsed(),
            sensor_bytes: memory(sensor, "VmRSS"),
            recorder_bytes: memory(recorder, "VmRSS"),
            anonymous_bytes: memory(recorder, "RssAnon"),
            broker_bytes: memory(broker, "VmRSS"),
            descriptors: [sensor, recorder, broker].map(descriptors),
            database_bytes: health.store.size_bytes,
            file_bytes: fs::metadata(&health.store.path).unwrap().len(),
            copies_bytes: size_of(&self.copies),
            records: health.store.records,
            ring_used_bytes: figures.ring_used_bytes,
            lag_ms: figures.lag_ms,
            lost: figures.dropped_ring_full.total() + figures.not_run,
        };
        self.all.push(sample);
        if sample.at >= self.length * self.printed / LINES {
            self.printed += 1;
            print(&sample);
        }
    }

    /// The last one, and what is compared.
    pub(super) fn print(&self) {
        self.all.last().into_iter().for_each(print);
        let [second, last] = self.quarters();
        for figure in FIGURES {
            let [before, after] = [second, last].map(|quarter| figure.of(quarter));
            println!("{}: {before} in the second quarter, {after} in the last", figure.name);
        }
    }

    fn quarters(&self) -> [&[Sample]; 2] {
        let at =
            |quarter: u32| self.all.partition_point(|sample| sample.at < self.length * quarter / 4);
        [&self.all[at(1)..at(2)], &self.all[at(3)..]]
    }

    pub(super) fn assert_flat(&self, database_bytes: u64, copies_bytes: u64) {
        let [second, last] = self.quarters();
        assert!(!second.is_empty() && !last.is_empty(), "too few samples: {}", self.all.len());
        self.assert_database(last, database_bytes);
        self.assert_copies(copies_bytes);
        for figure in FIGURES {
            let [before, after] = [second, last].map(|quarter| figure.of(quarter));
            let most = match figure.kind {
                Kind::Descriptors => before + MORE_DESCRIPTORS,
                Kind::Memory if self.length < JUDGED => continue,
                Kind::Memory => before + before / MORE_PART + MORE_BYTES,
                Kind::Behind { more } => before * MORE_TIMES + more,
            };
            assert!(after <= most, "{}: {before} became {after}", figure.name);
        }
    }

    /// A new one comes before an old one goes.
    fn assert_copies(&self, limit: u64) {
        let most = self.all.iter().map(|sample| sample.copies_bytes).max().unwrap_or_default();
        println!("copies: at most {most} bytes");
        assert!(most > 0, "nothing was copied");
        assert!(most <= limit + LARGEST_COPY, "{most} bytes");
    }

    fn assert_database(&self, last: &[Sample], database_bytes: u64) {
        for sample in &self.all {
            assert!(sample.file_bytes <= database_bytes + database_bytes / 16, "{sample:#?}");
            assert!(sample.database_bytes <= sample.file_bytes + LOG_BYTES, "{sample:#?}");
        }
        // What is too large is deleted while more comes, so that the limit may be passed for a
        // moment, by less than deleting begins before it, and is kept as a rule.
        let mut files: Vec<u64> = last.iter().map(|sample| sample.file_bytes).collect();
        files.sort_unstable();
        assert!(files[files.len() / 2] <= database_bytes, "{files:?}");
        let most = self.all.iter().map(|sample| sample.file_bytes).max();
        println!(
            "largest file: {most:?}, in the last quarter as a rule: {}",
            files[files.len() / 2]
        );
    }
}

#[derive(Clone, Copy)]
enum Kind {
    /// Compared by the median.
    Memory,
    /// By the least: files and connections come and go, and what is never closed stays.
    Descriptors,
    /// By the median: how far the recorder is behind.
    Behind { more: u64 },
}

#[derive(Clone, Copy)]
struct Figure {
    name: &'static str,
    kind: Kind,
    value: fn(&Sample) -> u64,
}

const FIGURES: [Figure; 8] = [
    Figure { name: "memory of the sensor", kind: Kind::Memory, value: |s| s.sensor_bytes },
    Figure { name: "memory of the recorder", kind: Kind::Memory, value: |s| s.recorder_bytes },
    Figure { name: "memory of the broker", kind: Kind::Memory, value: |s| s.broker_bytes },
    Figure {
        name: "descriptors of the sensor",
        kind: Kind::Descriptors,
        value: |s| s.descriptors[0],
    },
    Figure {
        name: "descriptors of the recorder",
        kind: Kind::Descriptors,
        value: |s| s.descriptors[1],
    },
    Figure {
        name: "descriptors of the broker",
        kind: Kind::Descriptors,
        value: |s| s.descriptors[2],
    },
    Figure { name: "lag in ms", kind: Kind::Behind { more: MORE_LAG_MS }, value: |s| s.lag_ms },
    Figure {
        name: "bytes in the ring",
        kind: Kind::Behind { more: MORE_RING_BYTES },
        value: |s| s.ring_used_bytes,
    },
];

impl Figure {
    fn of(self, samples: &[Sample]) -> u64 {
        let mut values: Vec<u64> = samples.iter().map(self.value).collect();
        values.sort_unstable();
        let index = match self.kind {
            Kind::Memory | Kind::Behind { .. } => values.len() / 2,
            Kind::Descriptors => 0,
        };
        values.get(index).copied().unwrap_or_default()
    }
}

fn print(sample: &Sample) {
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "{:>7} {:>8} {:>9} {:>9} {:>7} {:>3}+{:>3}+{:<3} {:>9} {:>7} {:>9} {:>9} {:>7} {:>7}",
        sample.at.as_secs(),
        mib(sample.sensor_bytes),
        mib(sample.recorder_bytes),
        mib(sample.anonymous_bytes),
        mib(sample.broker_bytes),
        sample.descriptors[0],
        sample.descriptors[1],
        sample.descriptors[2],
        mib(sample.database_bytes),
        mib(sample.copies_bytes),
        sample.records,
        sample.ring_used_bytes,
        sample.lag_ms,
        sample.lost
    );
}

fn memory(pid: Pid, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib: u64 = line.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

fn descriptors(pid: Pid) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

/// What is removed meanwhile takes no room.
fn size_of(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    let Ok(entries) = fs::read_dir(path) else { return metadata.len() };
    entries.filter_map(Result::ok).map(|entry| size_of(&entry.path())).sum()
}
