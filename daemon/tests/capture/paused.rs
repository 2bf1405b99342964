//! A recorder that stands still; what happens meanwhile it reads later.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::recorder::wait_for;

pub(crate) struct Paused(Pid);

impl Paused {
    /// Returns when no thread of the recorder runs any more: a signal only begins to stop them.
    pub(crate) fn new(client: &Client) -> Self {
        let pid = client.recorder_pid();
        kill(pid, Signal::SIGSTOP).unwrap();
        wait_for("a recorder that stands still", || stands_still(pid).then_some(()));
        Self(pid)
    }

    pub(crate) fn go_on(self) {
        kill(self.0, Signal::SIGCONT).unwrap();
    }
}

fn stands_still(pid: Pid) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name.trim_start().starts_with('T')
    })
}
