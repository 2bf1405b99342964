//! A ring that is too small: what is lost is counted, exactly, and shown.

use common::health::Kinds;

use crate::client::{Client, capture};
use crate::database::{assert_sound, books, lost, open};
use crate::paused::Paused;
use crate::recorder::{Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::finish;

pub(crate) fn plus(a: Kinds, b: Kinds) -> Kinds {
    Kinds { fork: a.fork + b.fork, exec: a.exec + b.exec, exit: a.exit + b.exit }
}

/// More than a small ring holds, while nobody reads it; then some that are read.
fn overrun(client: &Client) {
    let paused = Paused::new(client);
    finish(storm::start(storm::size() / 4));
    paused.go_on();
    finish(storm::start(storm::size() / 4));
}

fn check(ring_size: &str) {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &["--ring-size", ring_size]) else { return };
    let client = &recorder.client;
    overrun(client);
    // A loss is noticed by the next record of its kind and processor.
    let health = client.balanced_health();
    let figures = capture(&health);
    let dropped = figures.dropped_ring_full;
    assert!(dropped.total() > 0, "{health:#?}");
    assert_eq!(plus(figures.sent, dropped), figures.meant);
    assert!(health.store.gaps > 0 && health.store.lost >= dropped.total(), "{health:#?}");
    let is_told = |warning: &String| warning.contains("ring was full");
    assert!(health.warnings.iter().any(is_told), "{health:#?}");

    let gaps = client.gaps();
    assert!(!gaps.is_empty());
    for gap in &gaps {
        assert!(gap.count > 0, "{gap:?}");
        match &*gap.cause {
            "ring-full" => assert!(["fork", "exec", "exit"].contains(&&*gap.kind), "{gap:?}"),
            // What the kernel skipped has no kind.
            cause => assert_eq!((cause, &*gap.kind), ("not-run", "any")),
        }
    }
    let shown = client.print(&["health"]);
    assert!(shown.contains("!!") && shown.contains("lost"), "{shown}");
    recorder.stop();

    let database = open(&scratch.database());
    let (decoded, meant) = books(&database);
    assert_eq!(plus(decoded, lost(&database)), meant);
    assert!(lost(&database).total() >= dropped.total());
    assert_sound(&scratch.database());
}

/// A process whose end was lost is not shown as running for ever.
#[test]
fn a_lost_end_is_found_out() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &["--ring-size", "32768"]) else { return };
    let client = &recorder.client;
    overrun(client);
    assert!(capture(&client.balanced_health()).dropped_ring_full.exit > 0);
    wait_for("all that has ended to be shown so", || {
        let ghosts = client.events("name = workload and cmd ~ storm-child and state = running");
        ghosts.iter().all(|ghost| is_running(ghost.process.pid)).then_some(())
    });
    recorder.stop();
}

fn is_running(pid: u32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.contains("storm-child")
}

#[test]
fn a_ring_of_one_page_loses_and_tells() {
    check("4096");
}

#[test]
fn a_small_ring_loses_and_tells() {
    check("32768");
}
