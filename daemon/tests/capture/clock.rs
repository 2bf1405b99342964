//! The wall clock is set back and forward while processes come and go.
//!
//! Only where that harms nobody: with BPF_RECORDER_OWN_MACHINE=1, as in the guests.

use std::time::Duration;

use common::ecs::Event;
use jiff::Timestamp;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

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
    if std::env::var("BPF_RECORDER_OWN_MACHINE").as_deref() != Ok("1") {
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
