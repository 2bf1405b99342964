//! Everything at once, for long: a recorder that does its work for an hour must be as large at the
//! end as it was near the beginning. `make soak` runs an hour; the tests run long enough to see that
//! this works.

mod gaps;
mod load;
mod samples;

use std::time::{Duration, Instant};

use crate::client::capture;
use crate::database::assert_sound;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use gaps::Gaps;
use load::Load;
use samples::Samples;

/// The least that there is.
const DATABASE_BYTES: u64 = 64 << 20;
/// Room for copies of some programs, so that a short run fills it too.
const COPIES_BYTES: u64 = 8 << 20;
/// From here on the database is full for a good part of the time.
const LONG: Duration = Duration::from_secs(600);
/// What health does not warn of.
const SHORT_LAG_MS: u64 = 2000;

/// Without a word, what a test may take.
fn length() -> Duration {
    let seconds = std::env::var("BPF_SOAK").map_or(20, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

#[test]
fn a_recorder_that_works_for_long_stays_as_it_is() {
    let scratch = Scratch::new();
    let rules = scratch.make_dir("rules").display().to_string();
    let [size, copies] = [DATABASE_BYTES, COPIES_BYTES].map(|bytes| bytes.to_string());
    let mut options = vec!["--shipped-rules", &*rules, "--admin-rules", &*rules];
    options.extend(["--retention-size", &size]);
    options.extend(["--binary-total-limit", &copies, "--binary-min-free", "0"]);
    options.extend(LOSSLESS);
    let Some(recorder) = Recorder::start(&scratch, &options) else { return };
    let client = &recorder.client;
    let mut load = Load::new(client, &scratch, rules.as_ref());
    let mut samples = Samples::new(length(), &scratch);
    let mut gaps = Gaps::new(&scratch.database());
    let end = Instant::now() + length();
    while Instant::now() < end {
        load.round(|| samples.take(&recorder));
        gaps.follow();
    }
    load.finish();

    // All is in the database but for what asking makes.
    let lag_ms = || capture(&client.health()).lag_ms;
    wait_for("the end of the lag", || (lag_ms() < SHORT_LAG_MS).then_some(()));
    let health = client.health();
    samples.print();
    println!("{load}");
    println!("deleted: {:?}", health.store.retention);
    println!("copies: {:?}", capture(&health).files);
    samples.assert_flat(DATABASE_BYTES, COPIES_BYTES);
    if length() >= LONG {
        let deleted = health.store.retention.as_ref().map(|retention| retention.deleted_records);
        assert!(deleted > Some(0), "the database was never full: {:#?}", health.store);
    }
    load.assert_accounted();
    gaps.assert_accounted(client);
    recorder.stop();
    gaps.assert_books();
    assert_sound(&scratch.database());
}
