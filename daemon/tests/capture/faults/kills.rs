//! Recorder and sensor killed at random moments, while processes come and go: the recorder alone
//! two hundred times where nothing may be lost, and again where the ring is too small.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use common::health::Kinds;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::*;
use crate::database::{books, lost, number, open};
use crate::ledger::{Kind, Ledger};
use crate::losses::plus;
use crate::storm;
use crate::workload::{self, Run, finish, workload};

/// Of each of the two tests that end with one.
const SENSORS: u32 = 25;
/// In the life of a sensor. One more would be taken for a fault that a restart does not mend.
const RECORDERS: u32 = 4;
/// Each for some sensors: one that is too small at any time, and one while no recorder reads.
const SMALL_RINGS: [&str; 2] = ["32768", "131072"];
const SENSORS_OF_A_RING: u32 = 6;
const SHORTEST_LIFE_MS: u64 = 20;
const LONGEST_LIFE_MS: u64 = 200;
/// Processes in each of the storms that follow each other.
const STORM: u32 = 400;

/// Repeatable, with the seed that is printed.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed: u64 = std::env::var("BPF_SEED").map_or_else(
            |_| jiff::Timestamp::now().subsec_nanosecond().unsigned_abs().into(),
            |seed| seed.parse().unwrap(),
        );
        println!("BPF_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn pause(&mut self) {
        let life = SHORTEST_LIFE_MS + self.below(LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
        std::thread::sleep(Duration::from_millis(life));
    }
}

/// Storms, one after the other until it is told to end. They leave the processors some time: more is
/// not asked of the recorder than that it is never alone.
struct Load {
    is_over: Arc<AtomicBool>,
    storm: Arc<AtomicU32>,
    runs: Option<JoinHandle<Vec<Run>>>,
}

impl Load {
    fn start() -> Self {
        let (is_over, storm) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_over_now, pid) = (is_over.clone(), storm.clone());
        let runs = std::thread::spawn(move || {
            let mut runs = Vec::new();
            while !is_over_now.load(Ordering::Relaxed) {
                let job = workload::start(&mut workload(&storm_arguments()));
                pid.store(job.pid(), Ordering::Relaxed);
                runs.push(finish(job));
            }
            runs
        });
        Self { is_over, storm, runs: Some(runs) }
    }

    /// Returns while it runs, which it does at once unless a storm just makes place for the next.
    fn wait_until_it_runs(&self) {
        wait_for("a storm", || {
            let storm = self.storm.load(Ordering::Relaxed);
            let workers =
                fs::read_to_string(format!("/proc/{storm}/task/{storm}/children")).ok()?;
            (!workers.is_empty()).then_some(())
        });
    }

    fn finish(mut self) -> Vec<Run> {
        self.is_over.store(true, Ordering::Relaxed);
        let runs = self.runs.take().unwrap().join().unwrap();
        assert!(runs.iter().all(|run| run.status.success()));
        runs
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.runs.take().map(JoinHandle::join);
    }
}

fn size() -> u32 {
    storm::size().min(STORM)
}

fn storm_arguments() -> [String; 6] {
    ["storm", "-j", "2", "-w", "1", &size().to_string()].map(str::to_owned)
}

fn boottime_ns() -> u64 {
    let time = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap());
    time.as_nanos().try_into().unwrap()
}

/// The recorder that is none of the `earlier` children, from its first moment on: to ask it would
/// let it live too long. Its broker is forked after it.
fn next_recorder(recorder: &Recorder, earlier: &[Pid]) -> Pid {
    wait_for("the next recorder", || {
        recorder.children().into_iter().find(|pid| !earlier.contains(pid))
    })
}

/// Returns when they died, on the boot clock.
fn kill_recorders(recorder: &Recorder, chance: &mut Chance, load: &Load) -> Vec<u64> {
    let mut victim = recorder.client.recorder_pid();
    let mut deaths = Vec::new();
    for _ in 0..RECORDERS {
        chance.pause();
        load.wait_until_it_runs();
        let earlier = recorder.children();
        kill(victim, Signal::SIGKILL).unwrap();
        deaths.push(boottime_ns());
        victim = next_recorder(recorder, &earlier);
    }
    deaths
}

/// Between each death and the next one programs of the load began.
fn assert_under_load(scratch: &Scratch, runs: &[Run], deaths: &[u64]) {
    let workers: Vec<_> = runs.iter().flat_map(|run| run.facts("worker")).cloned().collect();
    let workers = workers.join(", ");
    let database = open(&scratch.database());
    let ends = deaths.iter().copied().skip(1).chain([i64::MAX.cast_unsigned()]);
    for (from, to) in deaths.iter().zip(ends) {
        let began = number(
            &database,
            &format!(
                "SELECT count(*) FROM process AS worker JOIN process AS child ON child.parent = worker.id
                 WHERE worker.pid IN ({workers}) AND child.source = 0
                 AND child.start_boottime_ns > {from} AND child.start_boottime_ns < {to}"
            ),
        );
        assert!(began > 0, "nothing happened between {from} and {to} of {deaths:?}");
    }
}

fn assert_kept(client: &Client, runs: &[(u32, u8)]) {
    for (pid, code) in runs {
        let images = client.images(*pid);
        let exits: Vec<_> = images.iter().map(|image| image.process.exit_code).collect();
        assert!(exits.contains(&Some(*code)), "{pid}: {images:#?}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Sensor,
    Both,
}

/// Of the last ring the recorder writes what is left.
#[test]
fn recorders_and_sensors_that_are_killed_lose_nothing_that_was_committed() {
    check(Victim::Sensor);
}

#[test]
fn both_killed_at_any_moment_lose_nothing_that_was_committed() {
    check(Victim::Both);
}

fn check(ends_with: Victim) {
    let scratch = Scratch::new();
    let mut chance = Chance::new();
    let mut committed: Vec<(u32, u8)> = Vec::new();
    let (mut deaths, mut programs) = (0, 0);
    for round in 0..SENSORS {
        let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
        let client = &recorder.client;
        let load = Load::start();
        let times = kill_recorders(&recorder, &mut chance, &load);
        let runs = load.finish();
        assert_nothing_lost(client, &runs);
        assert_under_load(&scratch, &runs, &times);
        deaths += times.len();
        programs += runs.len() * size() as usize;
        let code = u8::try_from(round + 1).unwrap();
        committed.push((run(&["exit", &code.to_string()]).pid, code));
        assert_kept(client, &committed[committed.len() - 1..]);

        kill_sensor(&recorder, ends_with, &mut chance);
        // Takes the longer the more there is.
        if round % 10 == 0 {
            assert_sound(&scratch.database());
        }
    }
    assert_eq!(deaths, (SENSORS * RECORDERS) as usize);
    let log = assert_all_kept(&scratch, ends_with, &committed);
    let recorded = log.matches("were already running").count() - 1 - SENSORS as usize;
    println!("{deaths} recorders, of which {recorded} lived to record, and {SENSORS} sensors");
    println!("{programs} programs while recorders died");
}

/// What one sensor lived to see is complete, however often its recorder died.
fn assert_nothing_lost(client: &Client, runs: &[Run]) {
    for run in runs {
        storm::assert_complete(client, run, size());
    }
    let health = client.balanced_health();
    let figures = capture(&health);
    assert_eq!(figures.recorder_restarts, RECORDERS);
    assert_eq!(figures.dropped_ring_full.total() + figures.not_run + figures.undecodable, 0);
    assert_eq!(health.store.lost, 0, "{health:#?}");
}

/// In the middle of another load, of which nobody knows how much comes through.
fn kill_sensor(recorder: &Recorder, ends_with: Victim, chance: &mut Chance) {
    let load = Load::start();
    let victim = recorder.client.recorder_pid();
    chance.pause();
    load.wait_until_it_runs();
    kill(recorder.sensor(), Signal::SIGKILL).unwrap();
    if ends_with == Victim::Both {
        // It may have ended already.
        let _ = kill(victim, Signal::SIGKILL);
    }
    recorder.wait();
    // Two must never write to one database.
    wait_for("the end of the recorder", || kill(victim, None).err());
}

/// Returns what all said.
fn assert_all_kept(scratch: &Scratch, ends_with: Victim, committed: &[(u32, u8)]) -> String {
    let recorder = Recorder::start(scratch, &LOSSLESS).unwrap();
    assert_kept(&recorder.client, committed);
    let health = recorder.client.balanced_health();
    assert_eq!(health.store.lost, 0, "{health:#?}");
    // Of each ring that nobody read to its end it is said so.
    let most = if ends_with == Victim::Both { u64::from(SENSORS) } else { 0 };
    assert!(health.store.gaps <= most, "{health:#?}");
    assert!(recorder.client.gaps().iter().all(|gap| gap.cause == "not-finished"));
    let log = recorder.log();
    recorder.stop();
    let database = open(&scratch.database());
    let rows = number(&database, "SELECT count(*) FROM process");
    let last = number(&database, "SELECT max(id) FROM process");
    assert_eq!(rows, last, "rows are numbered without holes");
    assert_sound(&scratch.database());
    log
}

/// What the ring does not hold while no recorder reads is lost, but is counted, and once: the next
/// recorder goes on counting where the one before committed.
#[test]
fn what_a_small_ring_loses_while_recorders_are_killed_is_counted_exactly() {
    let mut chance = Chance::new();
    for ring_size in SMALL_RINGS {
        let mut lost = Kinds::default();
        for _ in 0..SENSORS_OF_A_RING {
            let Some(lost_by_one) = overrun(ring_size, &mut chance) else { return };
            lost = plus(lost, lost_by_one);
        }
        let deaths = SENSORS_OF_A_RING * RECORDERS;
        println!("a ring of {ring_size} bytes, {deaths} recorders: {lost:?} lost");
        assert!(lost.total() > 0);
    }
}

/// Returns what was lost while recorders of one sensor were killed.
fn overrun(ring_size: &str, chance: &mut Chance) -> Option<Kinds> {
    // A database of its own, whose gaps are those of one ring.
    let scratch = Scratch::new();
    let recorder =
        Recorder::start(&scratch, &[&["--ring-size", ring_size], &LOSSLESS[2..]].concat())?;
    let load = Load::start();
    kill_recorders(&recorder, chance, &load);
    let runs = load.finish();
    let health = recorder.client.balanced_health();
    let figures = capture(&health);
    assert_eq!(figures.recorder_restarts, RECORDERS);
    assert_eq!(plus(figures.sent, figures.dropped_ring_full), figures.meant);
    let counted = figures.dropped_ring_full.total() + figures.not_run;
    assert_eq!((health.store.lost, figures.undecodable), (counted, 0), "{health:#?}");
    recorder.stop();
    Some(assert_books(&scratch, &runs, figures.duplicate_exits))
}

/// Returns what was lost.
fn assert_books(scratch: &Scratch, runs: &[Run], duplicate_exits: u64) -> Kinds {
    let database = open(&scratch.database());
    let (decoded, meant) = books(&database);
    let lost = lost(&database);
    assert_eq!(plus(decoded, lost), meant);
    // What was read was written, and not again after a death.
    let ledger = Ledger::read(&scratch.database());
    let [fork, exec, exit] = Kind::ALL.map(|kind| ledger.count(kind));
    assert_eq!(Kinds { fork, exec, exit: exit + duplicate_exits }, decoded);
    println!("{} meant: {} recorded, {} lost", meant.total(), decoded.total(), lost.total());
    let workers: Vec<u32> = runs
        .iter()
        .flat_map(|run| run.facts("worker"))
        .map(|worker| worker.parse().unwrap())
        .collect();
    let workers = ledger.processes.keys().filter(|id| workers.contains(&id.0)).copied().collect();
    for child in ledger.children(&workers) {
        ledger.assert_once(&child);
    }
    assert_sound(&scratch.database());
    lost
}
