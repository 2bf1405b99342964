//! A recorded database, served read-only.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::programs::RECORDERD;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::workload::run;

/// `bpf-recorderd open`, ended when it is dropped.
pub(crate) struct Opened {
    child: Child,
    pub(crate) client: Client,
}

impl Opened {
    pub(crate) fn serve(database: &Path, bus: &Path) -> Self {
        Self::serve_by(&mut Command::new(&*RECORDERD), database, bus)
    }

    fn serve_by(program: &mut Command, database: &Path, bus: &Path) -> Self {
        let log = bus.with_extension("log");
        let mut child = program
            .arg("open")
            .arg(database)
            .arg("--bus")
            .arg(format!("unix:path={}", bus.display()))
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let client = Client::new(bus);
        wait_for("an answer", || {
            let end = child.try_wait().unwrap();
            assert!(end.is_none(), "{end:?}: {}", fs::read_to_string(&log).unwrap());
            client.run(&["status"]).status.success().then_some(())
        });
        Self { child, client }
    }

    fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names, contents and times of all files.
fn state(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut state: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.clone(),
                fs::read(&path).unwrap(),
                fs::metadata(&path).unwrap().modified().unwrap(),
            )
        })
        // The index of the log, in shared memory, is no part of the record.
        .filter(|(path, ..)| !path.to_str().unwrap().ends_with("-shm"))
        .collect();
    state.sort();
    state
}

#[test]
fn a_recorded_database_is_served_and_left_as_it_is() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let run = run(&["exit", "17"]);
    // Its file is read a little later.
    let live = wait_for("its hash", || {
        Some(recorder.client.image(run.pid)).filter(|image| image.process.hash.is_some())
    });
    recorder.stop();
    let before = state(&scratch.data());

    let opened = Opened::serve(&scratch.database(), &scratch.path().join("opened"));
    assert_eq!(opened.client.image(run.pid), live);
    let health = opened.client.health();
    assert_eq!((&*health.state, &health.capture), ("read-only", &None));
    assert!(
        opened.client.print(&["show", &live.process.entity_id.to_string()]).contains("exit 17")
    );
    let answer = opened.client.ask(&["events", "--follow"]);
    assert_eq!(answer.status, Some(1), "{}", answer.err);
    assert!(answer.err.contains("recorded database"), "{}", answer.err);
    assert!(answer.err.contains("hint: "), "{}", answer.err);
    opened.stop();
    assert!(!scratch.path().join("opened").exists(), "its socket is left over");
    assert_eq!(state(&scratch.data()), before);
}

/// Who examines a copy is not root, and may have it on a medium that cannot be written.
#[test]
fn a_copy_can_be_examined_where_nothing_can_be_written() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let run = run(&["exit", "18"]);
    recorder.stop();
    let copies = scratch.make_dir("copies");
    let copy = copies.join("evidence.db");
    fs::copy(scratch.database(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o444)).unwrap();
    let bus_dir = scratch.make_dir("bus-dir");
    chown(&bus_dir, Some(65534), Some(65534)).unwrap();

    let program = scratch.copy(&RECORDERD, "bpf-recorderd");
    let opened = Opened::serve_by(
        Command::new(program).uid(65534).gid(65534),
        &copy,
        &bus_dir.join("opened"),
    );
    assert_eq!(opened.client.image(run.pid).process.exit_code, Some(18), "the file is complete");
    opened.stop();
}
