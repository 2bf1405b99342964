//! Two daemons at one time.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::client::capture;
use crate::recorder::{LOSSLESS, Recorder, command};
use crate::refusals::refused;
use crate::scratch::Scratch;
use crate::workload::run;

/// The second one is refused, whoever its recorder would run as, and the first one is not harmed.
#[test]
fn one_data_directory_has_one_recorder() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let owner = fs::metadata(scratch.database()).unwrap().uid();
    let pid = recorder.sensor().to_string();
    let other_bus = scratch.path().join("other-bus");
    for user in ["nobody", "1"] {
        let mut second = command(&scratch.data(), &other_bus);
        refused(second.args(["--user", user]), &["another recorder", &pid, "--data-dir"]);
        assert_eq!(fs::metadata(scratch.database()).unwrap().uid(), owner, "changed hands");
        assert_eq!(fs::metadata(scratch.data()).unwrap().uid(), owner, "changed hands");
    }
    assert!(!other_bus.exists(), "left a socket behind");
    let event = recorder.client.image(run(&["exit", "3"]).pid);
    assert_eq!(event.process.exit_code, Some(3));
    recorder.stop();
}

#[test]
fn two_recorders_record_side_by_side() {
    let [first, second] = [Scratch::new(), Scratch::new()];
    let Some(a) = Recorder::start(&first, &LOSSLESS) else { return };
    let b = Recorder::start(&second, &LOSSLESS).unwrap();
    let pid = run(&["exit", "3"]).pid;
    let [seen, seen_too] = [&a, &b].map(|recorder| recorder.client.image(pid));
    assert_eq!(seen.process.entity_id, seen_too.process.entity_id);
    // The first one saw the second one start: sensor and recorder are processes like others.
    let sensor = capture(&b.client.health()).sensor_pid;
    assert_eq!(a.client.images(sensor).len(), 1);
    a.stop();
    assert_eq!(b.client.image(run(&["exit", "4"]).pid).process.exit_code, Some(4));
    b.stop();
}
