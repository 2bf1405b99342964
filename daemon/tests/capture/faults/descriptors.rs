//! A recorder that may open no more files goes on recording, and says to others what is missing.

use std::process::Child;

use nix::unistd::Pid;

use super::limits::{RLIMIT_NOFILE, limit, unlimit};
use super::*;
use crate::storm;
use crate::workload::finish;

/// Enough for a few clients, and not for all.
const FREE_DESCRIPTORS: u64 = 24;
const FOLLOWERS: usize = 40;

pub(super) fn open_files(pid: Pid) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

struct Followers(Vec<Child>);

impl Followers {
    fn start(scratch: &Scratch, client: &Client) -> Self {
        let start = |number| {
            let file =
                |kind| File::create(scratch.path().join(format!("{kind}-{number}"))).unwrap();
            let mut command = client.command(&["events", "--follow", "--json", "-n", "0"]);
            command.stdout(file("out")).stderr(file("err")).spawn().unwrap()
        };
        Self((0..FOLLOWERS).map(start).collect())
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_recorder_out_of_descriptors_records_on() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    assert_recorded(client, 1);
    let pid = client.recorder_pid();
    let at_rest = open_files(pid);
    limit(pid, RLIMIT_NOFILE, at_rest + FREE_DESCRIPTORS);
    let mut followers = Followers::start(&scratch, client);
    wait_for("the last descriptor to be taken", || {
        (open_files(pid) + 2 >= at_rest + FREE_DESCRIPTORS).then_some(())
    });
    // New contents too: their files cannot be handed over.
    let program = scratch.copy(&crate::programs::WORKLOAD, "unseen");
    std::process::Command::new(&program).args(["exit", "0", "unseen"]).status().unwrap();
    let total = storm::size();
    let run = finish(storm::start(total));
    wait_for("a message", || recorder.log().contains("could not connect").then_some(()));
    let is_refused = |child: &mut Child| child.try_wait().unwrap().is_some_and(|s| !s.success());
    let refused: Vec<usize> =
        (0..FOLLOWERS).filter(|number| is_refused(&mut followers.0[*number])).collect();
    for number in refused {
        let said = fs::read_to_string(scratch.path().join(format!("err-{number}"))).unwrap();
        let reasons = ["closed the connection", "oo many open files", "too many files are open"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    }
    drop(followers);

    wait_for("an answer", || (client.ask(&["status"]).status == Some(0)).then_some(()));
    storm::assert_complete(client, &run, total);
    assert_eq!(client.recorder_pid(), pid, "it went on");
    wait_for("all files to be looked at", || {
        (capture(&client.health()).files.waiting == 0).then_some(())
    });
    // Within the limit, too, files are read again.
    let program = scratch.copy(&crate::programs::WORKLOAD, "seen");
    std::process::Command::new(&program).args(["exit", "0", "seen"]).status().unwrap();
    let filter = format!("exe = {}", program.display());
    wait_for("its hash", || {
        let images = client.events(&filter);
        images.iter().any(|image| image.process.hash.is_some()).then_some(())
    });
    client.assert_lossless();
    unlimit(pid, RLIMIT_NOFILE);
    recorder.stop();
    assert_sound(&scratch.database());
}
