//! What somebody takes away from a recorder, or damages: files, locks, places.

mod bus;
mod descriptors;
mod disk;
mod kills;
mod limits;
mod memory;
mod writes;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::client::{Client, capture, connect, runtime};
use crate::database::assert_sound;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::run;

/// What ran is in the record, with its end.
fn assert_recorded(client: &Client, number: u8) {
    let run = run(&["exit", &number.to_string()]);
    assert_eq!(client.image(run.pid).process.exit_code, Some(number));
}

fn wait_for_the_next(client: &Client, deaths: u32) {
    wait_for("the next recorder", || {
        let answer = client.ask(&["health", "--json"]);
        let line = answer.out.lines().next()?.to_owned();
        let health: common::health::Health = serde_json::from_str(&line).ok()?;
        (health.capture.as_ref()?.recorder_restarts >= deaths).then_some(())
    });
}

fn beside(scratch: &Scratch, suffix: &str) -> PathBuf {
    let mut name = scratch.database().into_os_string();
    name.push(suffix);
    name.into()
}

/// It would be written on and on, with nobody able to read it, and be gone at the end.
#[test]
fn a_database_that_is_removed_is_noticed_and_told() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    assert_recorded(client, 1);
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&scratch, suffix)).unwrap();
    }
    // What happens is what makes it look.
    run(&["exit", "2"]);
    wait_for_the_next(client, 1);
    assert_recorded(client, 3);
    let gaps = client.gaps();
    assert!(gaps.iter().any(|gap| gap.cause == "database-removed"), "{gaps:?}");
    assert!(recorder.log().contains("was removed or replaced"), "{}", recorder.log());
    recorder.stop();
    assert_sound(&scratch.database());
}

/// What it held is not lost with it.
#[test]
fn a_log_that_is_removed_costs_nothing() {
    for suffixes in [&["-wal"][..], &["-shm"], &["-wal", "-shm"]] {
        let scratch = Scratch::new();
        let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
        let client = &recorder.client;
        let runs: Vec<_> = (1..=20).map(|code| run(&["exit", &code.to_string()])).collect();
        assert_eq!(client.image(runs[19].pid).process.exit_code, Some(20));
        for suffix in suffixes {
            fs::remove_file(beside(&scratch, suffix)).unwrap();
        }
        let after = run(&["exit", "21"]);
        wait_for_the_next(client, 1);
        for (run, code) in runs.iter().chain([&after]).zip(1..) {
            assert_eq!(client.image(run.pid).process.exit_code, Some(code), "{suffixes:?}");
        }
        client.assert_lossless();
        recorder.stop();
        assert_sound(&scratch.database());
    }
}

/// A backup tool, or a curious person with sqlite3, may hold it for a while.
#[test]
fn a_database_that_another_program_locks_waits() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    assert_recorded(client, 1);
    let other = Connection::open(scratch.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let runs: Vec<_> = (1..=20).map(|code| run(&["exit", &code.to_string()])).collect();
    wait_for("a warning", || {
        let health = client.health();
        health.warnings.iter().any(|warning| warning.contains("locked")).then_some(())
    });
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    wait_for("the end of the warning", || {
        let health = client.health();
        (!health.warnings.iter().any(|warning| warning.contains("locked"))).then_some(())
    });
    for (run, code) in runs.iter().zip(1..) {
        assert_eq!(client.image(run.pid).process.exit_code, Some(code));
    }
    assert_eq!(capture(&client.health()).recorder_restarts, 0);
    client.assert_lossless();
    recorder.stop();
}

/// Damages what a recorder has left. The next one must set it aside, tell so, and record.
fn check_damage(damage: impl FnOnce(&File)) {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    for number in 0..50 {
        run(&["exit", "1", &"x".repeat(500), &number.to_string()]);
    }
    assert_recorded(&recorder.client, 2);
    recorder.stop();
    damage(&OpenOptions::new().write(true).open(scratch.database()).unwrap());
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let client = &recorder.client;
    run(&["exit", "3"]);
    wait_for("a record in a new database", || {
        let answer = client.ask(&["health", "--json"]);
        answer.out.contains("database-damaged").then_some(())
    });
    assert_recorded(client, 4);
    assert!(recorder.log().contains("set aside"), "{}", recorder.log());
    recorder.stop();
    assert_sound(&scratch.database());
}

/// Found when it is read or written, not when it is opened.
#[test]
fn damage_in_the_middle_is_set_aside_while_recording() {
    check_damage(|file| {
        // All pages but the first, which has the schema.
        for page in 1..file.metadata().unwrap().len() / 4096 {
            file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
        }
    });
}

/// The last pages are missing, as after a file system that lost them.
#[test]
fn a_database_that_was_cut_off_is_set_aside() {
    check_damage(|file| {
        file.set_len(file.metadata().unwrap().len() / 2 / 4096 * 4096).unwrap();
    });
}

/// More than there are places for: those without one are told so, the others are served.
#[test]
fn more_subscribers_than_places_are_told_so() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let mut followers = Vec::new();
    for number in 0..140 {
        let out = File::create(scratch.path().join(format!("out-{number}"))).unwrap();
        let err = File::create(scratch.path().join(format!("err-{number}"))).unwrap();
        let mut command =
            client.command(&["events", "--follow", "--json", "-n", "0", "args = mark"]);
        followers.push(command.stdout(out).stderr(err).spawn().unwrap());
    }
    let said = |kind: &str, number: usize| {
        fs::read_to_string(scratch.path().join(format!("{kind}-{number}"))).unwrap()
    };
    // The first has begun once it has seen something.
    wait_for("events for most of them", || {
        run(&["exit", "0", "mark"]);
        std::thread::sleep(Duration::from_millis(300));
        ((0..140).filter(|number| said("out", *number).contains("mark")).count() >= 100)
            .then_some(())
    });
    let refused = followers.iter_mut().filter_map(|child| child.try_wait().unwrap());
    let refused: Vec<_> = refused.collect();
    assert!(!refused.is_empty() && refused.iter().all(|status| !status.success()), "{refused:?}");
    // Their connections are places, too.
    for mut child in followers {
        let _ = child.kill();
        let _ = child.wait();
    }
    wait_for("a place", || (client.ask(&["status"]).status == Some(0)).then_some(()));
    assert_recorded(client, 3);
    client.assert_lossless();
    recorder.stop();
}

/// None of them reads, and all are on one connection.
#[test]
fn a_thousand_subscriptions_are_given_or_refused() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    runtime().block_on(async {
        let connection = connect(&scratch.bus()).await;
        let processes = common::bus::ProcessesProxy::new(&connection).await.unwrap();
        let (mut pipes, mut refusals) = (Vec::new(), Vec::new());
        for _ in 0..1000 {
            match processes.subscribe("", 0).await {
                Ok(pipe) => pipes.push(pipe),
                Err(error) => refusals.push(error.to_string()),
            }
        }
        assert_eq!((pipes.len(), refusals.len()), (128, 872));
        assert!(refusals.iter().all(|error| error.contains("close one")), "{refusals:?}");
        let total = storm::size().min(5000);
        let run = storm::run(total);
        storm::assert_complete(client, &run, total);
        drop(pipes);
        while processes.subscribe("", 0).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    client.assert_lossless();
    recorder.stop();
}
