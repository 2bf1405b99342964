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
use std::rc::Rc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::client::{Client, capture, connect, only, runtime};
use crate::database::{assert_sound, open};
use crate::disk_full::check_overrun;
use crate::paused::Paused;
use crate::recorder::{LOSSLESS, PATIENCE, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::run;

use self::descriptors::open_files;

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

#[test]
fn a_database_that_is_locked_for_longer_than_the_ring_lasts_costs_what_is_counted() {
    let scratch = Rc::new(Scratch::new());
    check_overrun(&scratch, "locked", || {
        let other = Connection::open(scratch.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    });
}

/// Damages what a recorder has left. The next one must set it aside, tell so, and record.
fn check_damage(damage: impl FnOnce(&Connection, &File)) {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    for number in 0..50 {
        run(&["exit", "1", &"x".repeat(500), &number.to_string()]);
    }
    assert_recorded(&recorder.client, 2);
    recorder.stop();
    let database = open(&scratch.database());
    damage(&database, &OpenOptions::new().write(true).open(scratch.database()).unwrap());
    drop(database);
    let damaged = fs::read(scratch.database()).unwrap();
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let client = &recorder.client;
    run(&["exit", "3"]);
    wait_for("a record in a new database", || {
        let answer = client.ask(&["health", "--json"]);
        answer.out.contains("database-damaged").then_some(())
    });
    assert_recorded(client, 4);
    assert_set_aside(&scratch, &damaged);
    recorder.stop();
    assert_sound(&scratch.database());
}

/// Found when it is read or written, not when it is opened.
#[test]
fn damage_in_the_middle_is_set_aside_while_recording() {
    check_damage(|database, file| {
        for page in leaves(database) {
            overwrite(file, page);
        }
    });
}

/// Damages the database of a recorder that goes on. Its successor sets it aside, tells so, and
/// records what happened since in a new one: the ring has it.
fn check_damage_while_recording(damage: impl FnOnce(&Connection, &File)) {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    for number in 0..50 {
        run(&["exit", "1", &"x".repeat(500), &number.to_string()]);
    }
    assert_recorded(client, 2);
    let database = scratch.database();
    let other = Connection::open(&database).unwrap();
    let paused = pause_with_an_empty_log(client, &other);
    damage(&other, &OpenOptions::new().write(true).open(&database).unwrap());
    drop(other);
    let damaged = fs::read(&database).unwrap();
    let runs: Vec<_> = (1..=20).map(|code| run(&["exit", &code.to_string()])).collect();
    paused.go_on();
    wait_for_the_next(client, 1);
    assert_recorded(client, 4);
    for (run, code) in runs.iter().zip(1..) {
        assert_eq!(client.image(run.pid).process.exit_code, Some(code));
    }
    assert_set_aside(&scratch, &damaged);
    let gaps = client.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].count, &*gaps[0].cause), (0, "database-damaged"));
    let health = client.health();
    let figures = capture(&health);
    let lost = (figures.dropped_ring_full.total(), figures.not_run, figures.undecodable);
    assert_eq!((figures.recorder_restarts, lost), (1, (0, 0, 0)), "{health:#?}");
    recorder.stop();
    assert_sound(&database);
}

/// So that it reads what is damaged: what the log holds, and what nobody else wrote since, it would
/// not.
fn pause_with_an_empty_log(client: &Client, other: &Connection) -> Paused {
    wait_for("an empty log", || {
        let paused = Paused::new(client);
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = other.query_row(sql, [], |row| row.get(0)).unwrap();
        if is_busy {
            paused.go_on();
            return None;
        }
        Some(paused)
    })
}

/// The only one, as it was damaged.
fn assert_set_aside(scratch: &Scratch, damaged: &[u8]) {
    let names = fs::read_dir(scratch.data()).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("recorder.db.damaged-") && name.ends_with('Z')
    };
    let path = only(names.filter(is_one).collect());
    assert!(fs::read(&path).unwrap() == damaged, "{} is not what was damaged", path.display());
}

/// The leaves of the table that everything goes into.
fn leaves(database: &Connection) -> Vec<u64> {
    let mut query = database
        .prepare("SELECT pageno FROM dbstat WHERE name = 'process' AND pagetype = 'leaf'")
        .unwrap();
    let pages = query.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    pages.map(|page| page.unwrap().cast_unsigned()).collect()
}

fn overwrite(file: &File, page: u64) {
    file.write_all_at(&[0xa5; 4096], (page - 1) * 4096).unwrap();
}

#[test]
fn a_page_that_is_damaged_while_recording_costs_the_past_and_is_told() {
    check_damage_while_recording(|database, file| {
        overwrite(file, *leaves(database).last().unwrap());
    });
}

#[test]
fn a_database_that_is_cut_off_while_recording_costs_the_past_and_is_told() {
    check_damage_while_recording(|_, file| {
        file.set_len(file.metadata().unwrap().len() / 2 / 4096 * 4096).unwrap();
    });
}

/// Where nothing is written any more: who asks for it meets it, and could not be answered for ever.
#[test]
fn damage_that_only_a_question_meets_is_set_aside_too() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    for _ in 0..400 {
        run(&["exit", "1"]);
    }
    assert_recorded(&recorder.client, 2);
    recorder.stop();
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    let client = &recorder.client;
    assert_recorded(client, 3);
    let database = open(&scratch.database());
    let file = OpenOptions::new().write(true).open(scratch.database()).unwrap();
    // Of those that had ended, and not the last ones: what is written again is in the log.
    let leaves = leaves(&database);
    overwrite(&file, leaves[leaves.len() / 2]);
    drop(database);
    // What prepares searches may have met it before.
    client.ask(&["events", "--json", "-n", "0", "exit_code = 1"]);
    wait_for_the_next(client, 1);
    assert_recorded(client, 5);
    let gaps = client.gaps();
    assert_eq!((gaps.len(), &*gaps[0].cause), (1, "database-damaged"), "{gaps:?}");
    recorder.stop();
    assert_sound(&scratch.database());
}

/// The last pages are missing, as after a file system that lost them.
#[test]
fn a_database_that_was_cut_off_is_set_aside() {
    check_damage(|_, file| {
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
    // What is asked leaves connections to the database open, for the next one who asks.
    assert_recorded(client, 1);
    let pid = client.recorder_pid();
    let at_rest = open_files(pid);
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
        // All places are free again, and no more than these.
        let deadline = Instant::now() + PATIENCE;
        let mut pipes = Vec::new();
        while pipes.len() < 128 {
            match processes.subscribe("", 0).await {
                Ok(pipe) => pipes.push(pipe),
                Err(error) => {
                    assert!(Instant::now() < deadline, "{}: {error}", pipes.len());
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        assert!(processes.subscribe("", 0).await.is_err());
    });
    // Less than hang on the pipes; who asks meanwhile may have some open.
    wait_for("the descriptors of before", || (open_files(pid) <= at_rest + 8).then_some(()));
    client.assert_lossless();
    recorder.stop();
}
