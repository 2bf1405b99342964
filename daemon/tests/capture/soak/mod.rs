//! Everything at once, for long: a recorder that does its work for an hour must be as large at the
//! end as it was near the beginning. `make soak` runs an hour; the tests run long enough to see that
//! this works.

mod load;
mod samples;

use std::time::{Duration, Instant};

use crate::client::capture;
use crate::database::assert_sound;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use load::Load;
use samples::Samples;

/// The least that there is.
const DATABASE_BYTES: u64 = 64 << 20;

/// Without a word, what a test may take.
fn length() -> Duration {
    let seconds = std::env::var("BPF_SOAK").map_or(20, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

#[test]
fn a_recorder_that_works_for_long_stays_as_it_is() {
    let scratch = Scratch::new();
    let rules = scratch.make_dir("rules").display().to_string();
    let size = DATABASE_BYTES.to_string();
    let mut options = vec!["--shipped-rules", &*rules, "--admin-rules", &*rules];
    options.extend(["--retention-size", &size]);
    options.extend(LOSSLESS);
    let Some(recorder) = Recorder::start(&scratch, &options) else { return };
    let client = &recorder.client;
    let mut load = Load::new(client, rules.as_ref());
    let mut samples = Samples::new(length());
    let end = Instant::now() + length();
    while Instant::now() < end {
        load.round(|| samples.take(client));
    }
    load.finish();

    // All is in the database but for what asking makes.
    wait_for("the end of the lag", || (capture(&client.health()).lag_ms == 0).then_some(()));
    let health = client.health();
    samples.print();
    println!("{load}");
    println!("deleted: {:?}", health.store.retention);
    samples.assert_flat(DATABASE_BYTES);
    load.assert_accounted();
    assert_accounted(&recorder);
    recorder.stop();
    assert_sound(&scratch.database());
}

/// What programs meant to send was read, or the kernel counted it as dropped.
fn assert_accounted(recorder: &Recorder) {
    let health = wait_for("all to be read", || {
        let health = recorder.client.health();
        let figures = capture(&health);
        let read = figures.decoded.total() + figures.undecodable;
        (figures.meant.total() == read + figures.dropped_ring_full.total()).then_some(health)
    });
    let figures = capture(&health);
    let deleted = health.store.retention.as_ref().unwrap().deleted_gaps;
    let lost = figures.dropped_ring_full.total() + figures.not_run + figures.undecodable;
    println!("sent {}, lost {lost}", figures.meant.total());
    // Rows of gaps are deleted with the records around them.
    assert!(health.store.lost == lost || deleted > 0, "{health:#?}");
}
