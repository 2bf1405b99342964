//! Recorder and sensor killed at random moments, two hundred times in all, while processes come and go.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::database::{number, open};
use crate::storm;
use crate::workload::finish;

/// Of each test. Together with the recorders that die meanwhile, two hundred deaths.
const SENSORS: u32 = 20;
/// One more would be taken for a fault that a restart does not mend.
const RECORDERS: u32 = 4;
const LONGEST_LIFE_MS: u64 = 200;
/// Processes in each of two storms in the life of a sensor.
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
        std::thread::sleep(Duration::from_millis(self.below(LONGEST_LIFE_MS)));
    }
}

fn children_of(sensor: Pid) -> Vec<Pid> {
    let all = fs::read_to_string(format!("/proc/{sensor}/task/{sensor}/children")).unwrap();
    all.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// The recorder that is none of the `earlier` children, from its first moment on: to ask it would
/// let it live too long. Its broker is forked after it.
fn next_recorder(sensor: Pid, earlier: &[Pid]) -> Pid {
    wait_for("the next recorder", || {
        children_of(sensor).into_iter().find(|pid| !earlier.contains(pid))
    })
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
    let mut deaths = 0;
    for round in 0..SENSORS {
        let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
        let client = &recorder.client;
        let total = storm::size().min(STORM);
        let storm = storm::start(total);
        let mut victim = client.recorder_pid();
        for _ in 0..RECORDERS {
            chance.pause();
            let earlier = children_of(recorder.sensor());
            kill(victim, Signal::SIGKILL).unwrap();
            victim = next_recorder(recorder.sensor(), &earlier);
            deaths += 1;
        }
        let run_of_storm = finish(storm);
        // What one sensor lived to see is complete, however often its recorder died.
        storm::assert_complete(client, &run_of_storm, total);
        let health = client.balanced_health();
        let figures = capture(&health);
        assert_eq!(figures.recorder_restarts, RECORDERS);
        assert_eq!(figures.dropped_ring_full.total() + figures.not_run + figures.undecodable, 0);
        assert_eq!(health.store.lost, 0, "{health:#?}");
        let code = u8::try_from(round + 1).unwrap();
        let marker = run(&["exit", &code.to_string()]);
        committed.push((marker.pid, code));
        assert_kept(client, &committed[committed.len() - 1..]);

        // In the middle of another storm, of which nobody knows how much comes through.
        let storm = storm::start(total);
        let victim = client.recorder_pid();
        chance.pause();
        kill(recorder.sensor(), Signal::SIGKILL).unwrap();
        if ends_with == Victim::Both {
            // It may have ended already.
            let _ = kill(victim, Signal::SIGKILL);
        }
        deaths += 1;
        recorder.wait();
        // Two must never write to one database.
        wait_for("the end of the recorder", || kill(victim, None).err());
        drop(storm);
        // Takes the longer the more there is.
        if round % 10 == 0 {
            assert_sound(&scratch.database());
        }
    }
    assert_eq!(deaths, SENSORS * (RECORDERS + 1));
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    assert_kept(&recorder.client, &committed);
    let health = recorder.client.balanced_health();
    assert_eq!(health.store.lost, 0, "{health:#?}");
    // Of each ring that nobody read to its end it is said so.
    let most = if ends_with == Victim::Both { u64::from(SENSORS) } else { 0 };
    assert!(health.store.gaps <= most, "{health:#?}");
    assert!(recorder.client.gaps().iter().all(|gap| gap.cause == "not-finished"));
    recorder.stop();
    let database = open(&scratch.database());
    let rows = number(&database, "SELECT count(*) FROM process");
    let last = number(&database, "SELECT max(id) FROM process");
    assert_eq!(rows, last, "rows are numbered without holes");
    assert_sound(&scratch.database());
}
