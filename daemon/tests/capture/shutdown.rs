//! Stopping well, and going on.

use nix::sys::signal::Signal;

use crate::database::{assert_sound, books, lost, open};
use crate::recorded::Opened;
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::finish;

/// Whatever happened before the signal is in the database.
fn check(signal: Signal) {
    let scratch = Scratch::new();
    let total = storm::size() / 4;
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let first = finish(storm::start(total));
    recorder.stop_by(signal);
    drop(recorder);
    let opened = Opened::serve(&scratch.database(), &scratch.path().join("opened"));
    storm::assert_complete(&opened.client, &first, total);
    drop(opened);

    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let second = finish(storm::start(total));
    storm::assert_complete(&recorder.client, &first, total);
    storm::assert_complete(&recorder.client, &second, total);
    recorder.client.assert_lossless();
    recorder.stop_by(signal);

    assert_sound(&scratch.database());
    let database = open(&scratch.database());
    let (decoded, meant) = books(&database);
    assert_eq!(decoded, meant);
    assert_eq!(lost(&database).total(), 0);
}

#[test]
fn sigterm_right_after_a_burst() {
    check(Signal::SIGTERM);
}

#[test]
fn sigint_right_after_a_burst() {
    check(Signal::SIGINT);
}
