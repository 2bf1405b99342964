//! What the daemon cannot do: the message names cause and remedy, and nothing is damaged.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;

use crate::database::{assert_sound, number, open};
use crate::programs::RECORDERD;
use crate::recorder::{LOSSLESS, Recorder, command};
use crate::scratch::Scratch;
use crate::workload::run;

const NOBODY: u32 = 65534;

/// Must fail, and say all of `parts`.
#[track_caller]
pub(crate) fn refused(command: &mut Command, parts: &[&str]) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(status.code().is_some_and(|code| code != 0), "{status}: {text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

fn run_in(scratch: &Scratch) -> Command {
    command(&scratch.data(), &scratch.bus())
}

/// Also the skip: whoever may not record need not be told what cannot be recorded.
fn may_record() -> bool {
    crate::recorder::shared().is_some()
}

#[test]
fn bad_settings_are_refused() {
    let scratch = Scratch::new();
    let config = scratch.path().join("config.toml");
    fs::write(&config, "data-dir = \"/tmp\"\nring-sise = 4096\n").unwrap();
    let config = config.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--config", config], &["ring-sise", config, "ring-size"]),
        (&["--config", "/nonexistent.toml"], &["/nonexistent.toml", "No such file"]),
        (&["--ring-size", "1000"], &["ring-size", "1000", "power of two"]),
        (&["--ring-size", "2147483648"], &["ring-size", "1073741824"]),
        (&["--ring-size", "many"], &["many", "--ring-size"]),
        (&["--log", "loud"], &["loud", "debug"]),
        (&["--user", "no-such-user"], &["no-such-user", "does not exist", "--user"]),
        (&["--user", "root"], &["must not run as root", "another user"]),
    ];
    for (options, parts) in cases {
        refused(run_in(&scratch).args(options), parts);
        assert!(!scratch.bus().exists() && !scratch.data().exists(), "{options:?} left something");
    }
    refused(
        Command::new(&*RECORDERD).args(["run", "--bus", "tcp:host=x"]),
        &["tcp:host=x", "unix:path=PATH"],
    );
}

#[test]
fn check_config_tells_what_a_start_would() {
    let scratch = Scratch::new();
    let config = scratch.path().join("config.toml");
    let drop_in = scratch.make_dir("config.d").join("site.toml");
    fs::write(&config, "log = 'loud'\nring-sise = 4096\n").unwrap();
    fs::write(&drop_in, "log = \"\u{1b}\n").unwrap();
    let output = |arguments: &[&str]| {
        let mut command = Command::new(&*RECORDERD);
        command.args(arguments).arg("--config").arg(&config).output().unwrap()
    };
    let told = output(&["check-config"]);
    let text = String::from_utf8(told.stderr).unwrap();
    let starts = [(&config, ":1:7: log: "), (&config, ":2:1: ring-sise: "), (&drop_in, ":1:8: ")];
    assert_eq!(text.lines().count(), starts.len(), "{text}");
    for (line, (file, place)) in text.lines().zip(starts) {
        assert!(line.starts_with(&format!("{}{place}", file.display())), "{line}");
    }
    assert_eq!((told.status.code(), told.stdout.len()), (Some(1), 0));
    let started = output(&["run"]);
    assert_eq!(
        (started.status.code(), String::from_utf8(started.stderr).unwrap()),
        (Some(1), text)
    );

    fs::write(&config, "log = 'warn'\n").unwrap();
    fs::write(&drop_in, "").unwrap();
    let told = output(&["check-config"]);
    let text = String::from_utf8(told.stdout).unwrap();
    let files = format!("{}\n  {}\n", config.display(), drop_in.display());
    assert_eq!(text, format!("configuration is good, from:\n  {files}"));
    assert_eq!((told.status.code(), told.stderr.len()), (Some(0), 0));
}

#[test]
fn who_is_not_root_is_told_so() {
    if !may_record() {
        return;
    }
    let scratch = Scratch::new();
    let program = scratch.copy(&RECORDERD, "bpf-recorderd");
    let dir = scratch.make_dir("own");
    chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
    for data in [dir.join("data"), "/var/lib/bpf-recorder-of-the-test".into()] {
        let mut command = Command::new(&program);
        command.uid(NOBODY).gid(NOBODY).arg("run").arg("--data-dir").arg(data);
        command.arg("--bus").arg(format!("unix:path={}", dir.join("bus").display()));
        refused(&mut command, &["needs root"]);
    }
}

#[test]
fn directories_that_do_not_fit_are_refused() {
    if !may_record() {
        return;
    }
    let scratch = Scratch::new();
    let foreign = scratch.make_dir("data");
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    refused(&mut run_in(&scratch), &["belongs to user 0", "other files", "--data-dir"]);
    assert_eq!(fs::metadata(&foreign).unwrap().uid(), 0, "has changed hands");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "was written to");

    let file = scratch.path().join("file");
    fs::write(&file, "mine").unwrap();
    refused(&mut command(&file, &scratch.bus()), &["not a directory", "--data-dir"]);
    refused(&mut command(&file.join("below"), &scratch.bus()), &["data directory", "--data-dir"]);
    // No other user gets through there.
    let closed = scratch.make_dir("closed");
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    refused(
        &mut command(&closed.join("data"), &scratch.bus()),
        &["cannot reach", "--data-dir", "rights"],
    );
    refused(&mut command(Path::new("/proc/x"), &scratch.bus()), &["/proc/x", "--data-dir"]);
}

#[test]
fn addresses_that_are_taken_are_refused() {
    if !may_record() {
        return;
    }
    let scratch = Scratch::new();
    let listener = UnixListener::bind(scratch.bus()).unwrap();
    refused(&mut run_in(&scratch), &["another program listens", "--bus"]);
    assert!(scratch.bus().exists());
    drop(listener);
    fs::remove_file(scratch.bus()).unwrap();
    fs::write(scratch.bus(), "mine").unwrap();
    refused(&mut run_in(&scratch), &["no socket", "--bus"]);
    assert_eq!(fs::read_to_string(scratch.bus()).unwrap(), "mine");
    let nowhere = scratch.path().join("nowhere/bus");
    refused(&mut command(&scratch.data(), &nowhere), &["nowhere/bus", "--bus"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let run = run(&["exit", "19"]);
    recorder.stop();
    let database = Connection::open(scratch.database()).unwrap();
    let version = number(&database, "PRAGMA user_version");
    database.pragma_update(None, "user_version", 99).unwrap();
    let rows = number(&database, "SELECT count(*) FROM process");
    drop(database);
    refused(&mut run_in(&scratch), &["newer version", "99", "--data-dir"]);
    let mut open_it = Command::new(&*RECORDERD);
    open_it.arg("open").arg(scratch.database()).current_dir(scratch.path());
    refused(&mut open_it, &["newer version", "99"]);

    let database = Connection::open(scratch.database()).unwrap();
    assert_eq!(number(&database, "PRAGMA user_version"), 99);
    assert_eq!(number(&database, "SELECT count(*) FROM process"), rows);
    database.pragma_update(None, "user_version", version.cast_signed()).unwrap();
    drop(database);
    let recorder = Recorder::start(&scratch, &LOSSLESS).unwrap();
    assert_eq!(recorder.client.image(run.pid).process.exit_code, Some(19));
    recorder.stop();
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    if !may_record() {
        return;
    }
    let scratch = Scratch::new();
    scratch.make_dir("data");
    let other = Connection::open(scratch.database()).unwrap();
    other.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
    drop(other);
    refused(&mut run_in(&scratch), &["not a database of bpf-recorder"]);
    assert_eq!(number(&open(&scratch.database()), "SELECT count(*) FROM mine"), 1);
}

/// Damaged files are set aside, not deleted, and the loss is told.
#[test]
fn a_damaged_database_is_set_aside() {
    for (length, what) in [(7, "very short"), (100_000, "long")] {
        let scratch = Scratch::new();
        scratch.make_dir("data");
        let damage: Vec<u8> =
            (0..length).map(|index| b"this is no database "[index % 20]).collect();
        fs::write(scratch.database(), &damage).unwrap();
        let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
        assert_eq!(recorder.client.image(run(&["exit", "20"]).pid).process.exit_code, Some(20));
        let gaps = recorder.client.gaps();
        assert!(gaps.iter().any(|gap| gap.cause == "database-damaged"), "{what}: {gaps:?}");
        assert!(recorder.log().contains("set aside"), "{what}");
        recorder.stop();
        let kept = fs::read_dir(scratch.data())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().contains(".damaged-"));
        assert_eq!(fs::read(kept.expect("is kept")).unwrap(), damage, "{what}");
        assert_sound(&scratch.database());
    }
}
