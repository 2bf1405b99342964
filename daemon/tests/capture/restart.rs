//! Halves of the daemon that die, and come back.

use nix::sys::signal::{Signal, kill};

use crate::client::capture;
use crate::database::assert_sound;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{finish, run, sleeper};

/// What happens while no recorder reads waits in the ring.
#[test]
fn a_recorder_that_is_killed_loses_nothing() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let sleeper = sleeper();
    // Its file is read a little later.
    let before = wait_for("its hash", || {
        Some(client.image(sleeper.pid())).filter(|image| image.process.hash.is_some())
    });
    let total = storm::size();
    let storm = storm::start(total);
    let killed = wait_for("half of the storm", || {
        let health = client.health();
        let capture = capture(&health);
        (capture.decoded.exec > u64::from(total / 2)).then_some(capture.recorder_pid)
    });
    kill(nix::unistd::Pid::from_raw(killed.cast_signed()), Signal::SIGKILL).unwrap();
    let run = finish(storm);
    assert!(run.status.success());

    storm::assert_complete(client, &run, total);
    let health = client.health();
    assert_eq!(capture(&health).recorder_restarts, 1);
    assert_ne!(capture(&health).recorder_pid, killed);
    assert_eq!(capture(&health).sensor_pid.cast_signed(), recorder.sensor().as_raw());
    assert!(health.warnings.iter().any(|warning| warning.contains("restarted")), "{health:?}");
    assert_eq!(client.image(sleeper.pid()), before, "still the same, and still running");
    client.assert_lossless();
    drop(sleeper);
    recorder.stop();
}

/// One that dies again and again, at any moment, repeats and leaves out nothing.
#[test]
fn a_recorder_that_is_killed_often_loses_nothing() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let total = storm::size();
    let storm = storm::start(total);
    for deaths in 1..=3 {
        let pid = client.recorder_pid();
        // Different moments of its life.
        std::thread::sleep(std::time::Duration::from_millis(250 * deaths));
        kill(pid, Signal::SIGKILL).unwrap();
        wait_for("the next recorder", || {
            let answer = client.ask(&["health", "--json"]);
            (answer.status == Some(0)).then_some(())
        });
    }
    let run = finish(storm);
    storm::assert_complete(client, &run, total);
    assert_eq!(capture(&client.health()).recorder_restarts, 3);
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn what_ended_while_nobody_watched_is_told_so() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let mut leaves = sleeper();
    let stays = sleeper();
    let ended = run(&["exit", "3"]);
    let [leaving, staying, done] =
        [leaves.pid(), stays.pid(), ended.pid].map(|pid| recorder.client.image(pid));
    recorder.crash();
    leaves.kill();

    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let client = &recorder.client;
    let left = client.image(leaving.process.pid);
    assert_eq!(left.process.entity_id, leaving.process.entity_id);
    assert_eq!(left.recorder.state, "unobserved");
    assert_eq!((&left.process.end, left.process.exit_code), (&None, None));
    assert_eq!(client.image(staying.process.pid), staying, "one row, still running");
    assert_eq!(client.image(done.process.pid), done, "what had ended stays as it was");

    // The one that stayed is still followed.
    drop(stays);
    let after = client.image(staying.process.pid);
    assert_eq!((after.process.exit_signal, &*after.recorder.state), (Some(9), "killed"));
    // What the ring of the first one still held is not known, and that is said.
    let gaps = client.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].count, &*gaps[0].cause), (0, "not-finished"));
    recorder.stop();
    assert_sound(&scratch.database());
}

/// The recorder alone must not go on when the sensor is gone.
#[test]
fn a_recorder_without_sensor_writes_what_is_left_and_ends() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let child = recorder.client.recorder_pid();
    let run = run(&["exit", "3"]);
    kill(recorder.sensor(), Signal::SIGKILL).unwrap();
    recorder.wait();
    wait_for("the end of the recorder", || kill(child, None).err());
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    assert_eq!(recorder.client.image(run.pid).process.exit_code, Some(3));
    recorder.stop();
}
