//! The wall clock is set back and forward while processes come and go, and the machine sleeps.
//!
//! Only where that harms nobody: with BPF_RECORDER_OWN_MACHINE=1, as in the guests.

use std::fs;
use std::time::Duration;

use common::ecs::Event;
use jiff::Timestamp;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::hostile::pids::is_own_machine;
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{run, sleeper};

/// Of what is told of a time: far more than anything here takes, and less than the clock is set by.
const TOLERANCE: Duration = Duration::from_secs(1200);
const HOUR: i64 = 3600;

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).unwrap().into()
}

/// The wall clock, right again when this is dropped.
struct WallClock {
    /// Between it and the one that nobody sets.
    offset: Duration,
}

impl WallClock {
    fn new() -> Self {
        Self { offset: read(ClockId::CLOCK_REALTIME) - read(ClockId::CLOCK_BOOTTIME) }
    }

    /// Wrong by so many seconds from now on.
    fn set(&self, seconds: i64) {
        let right = TimeSpec::from(self.offset + read(ClockId::CLOCK_BOOTTIME));
        let time = TimeSpec::new(right.tv_sec() + seconds, right.tv_nsec());
        clock_settime(ClockId::CLOCK_REALTIME, time).unwrap();
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}

/// Between its start and its end.
#[track_caller]
fn duration(event: &Event<'_>) -> Duration {
    let process = &event.process;
    let (start, end) = (&process.start, process.end.as_deref().unwrap());
    let duration = moment(end).duration_since(moment(start));
    duration.try_into().unwrap_or_else(|_| panic!("it ended before it began: {event:#?}"))
}

#[test]
fn a_clock_that_is_set_changes_neither_order_nor_durations() {
    if !is_own_machine() {
        return println!("skipped: the clock may not be set (BPF_RECORDER_OWN_MACHINE=1)");
    }
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let clock = WallClock::new();
    let total = storm::size().min(200);
    let mut seen = Vec::new();
    // Back, forward beyond where it was, and right again.
    for seconds in [0, -HOUR, HOUR, 0] {
        let before = sleeper();
        client.image(before.pid());
        clock.set(seconds);
        // The clocks are compared with each batch: this one has both times in it.
        client.image(run(&["exit", "1"]).pid);
        let now = Timestamp::now();
        let after = run(&["exit", "2"]);
        let storm = storm::run(total);
        let pid = before.pid();
        drop(before);
        storm::assert_complete(client, &storm, total);

        let event = client.image(after.pid);
        let start = moment(&event.process.start);
        assert!(apart(start, now) < TOLERANCE, "{seconds}: it is {now}: {event:#?}");
        assert!(duration(&event) < TOLERANCE, "{event:#?}");
        for child in storm::recorded(client, &storm, total) {
            assert!(duration(&child) < TOLERANCE, "{child:#?}");
        }
        // One that lived while the clock was set.
        let lived = client.image(pid);
        assert!(duration(&lived) < TOLERANCE, "{seconds}: {lived:#?}");
        seen.extend([pid, after.pid]);
    }
    drop(clock);

    // In the order in which they ran, whatever the clock said then.
    let events: Vec<_> = seen.iter().map(|pid| client.image(*pid)).collect();
    let boot_clock = |event: &Event<'_>| event.process.entity_id.start_boottime_ns;
    assert!(events.is_sorted_by_key(|event| event.event.sequence), "{events:#?}");
    assert!(events.is_sorted_by_key(boot_clock), "{events:#?}");
    client.assert_lossless();
    recorder.stop();
}

/// Suspends the machine to its memory for some seconds; tells how long it slept.
fn sleep_deeply() -> Duration {
    const ALARM: &str = "/sys/class/rtc/rtc0/wakealarm";
    let asleep = || {
        let awake = read(ClockId::CLOCK_MONOTONIC);
        read(ClockId::CLOCK_BOOTTIME) - awake
    };
    let before = asleep();
    fs::write(ALARM, "+4").unwrap();
    fs::write("/sys/power/state", "mem").unwrap();
    asleep() - before
}

/// The kernel counts the time asleep in the clock by which processes are told apart.
#[test]
fn a_machine_that_slept_goes_on_and_its_processes_are_older_by_that() {
    let states = fs::read_to_string("/sys/power/state").unwrap_or_default();
    if !is_own_machine() || !states.contains("mem") {
        return println!("skipped: the machine may not, or cannot, sleep");
    }
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let sleeper = sleeper();
    let pid = sleeper.pid();
    client.image(pid);
    let before = Timestamp::now();
    let slept = sleep_deeply();
    assert!(slept > Duration::from_secs(1), "it slept {slept:?}");
    let after = run(&["exit", "2"]);
    drop(sleeper);

    let lived = client.image(pid);
    assert!(duration(&lived) > slept, "{slept:?}: {lived:#?}");
    let after = client.image(after.pid);
    let awake = moment(&after.process.start).duration_since(before);
    assert!(awake.unsigned_abs() >= slept && awake.is_positive(), "{slept:?}: {after:#?}");
    assert!(duration(&after) < TOLERANCE, "{after:#?}");
    let total = storm::size().min(200);
    let storm = storm::run(total);
    storm::assert_complete(client, &storm, total);
    client.assert_lossless();
    recorder.stop();
}
