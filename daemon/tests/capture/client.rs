//! Asking a recorder, as people do: with bpfctl.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::ecs::{Event, Gap, Line};
use common::health::{Capture, Health};
use common::id::ProcessId;
use nix::unistd::Pid;

use crate::programs::BPFCTL;
use crate::recorder::wait_for;

pub(crate) struct Client {
    address: String,
}

/// What bpfctl said.
pub(crate) struct Answer {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Client {
    pub(crate) fn new(bus: &Path) -> Self {
        Self { address: format!("unix:path={}", bus.display()) }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*BPFCTL);
        command.arg("--address").arg(&self.address).args(arguments).env_clear();
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", BPFCTL.display()))
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Answer {
        let output = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).expect("bpfctl prints UTF-8");
        Answer { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What is printed when all goes well.
    pub(crate) fn print(&self, arguments: &[&str]) -> String {
        let answer = self.ask(arguments);
        assert_eq!(answer.status, Some(0), "bpfctl {arguments:?}: {}", answer.err);
        answer.out
    }

    /// Everything recorded that matches, in order. A recorder that is behind answers with what it
    /// has, and says so.
    pub(crate) fn events(&self, filter: &str) -> Vec<Event<'static>> {
        let out = wait_for("an answer with the newest events", || {
            let answer = self.ask(&["events", "--json", "-n", "0", filter]);
            assert_eq!(answer.status, Some(0), "bpfctl events {filter}: {}", answer.err);
            (!answer.err.contains("the recorder is behind")).then_some(answer.out)
        });
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a recorder that cannot write has of a process.
    pub(crate) fn stored_while_behind(&self, pid: u32) -> String {
        let answer = self.ask(&["events", "--json", &format!("pid = {pid}")]);
        assert_eq!(answer.status, Some(0), "{}", answer.err);
        assert!(answer.err.contains("the recorder is behind"), "{}", answer.err);
        answer.out
    }

    /// All images of a process that this one started.
    pub(crate) fn images(&self, pid: u32) -> Vec<Event<'static>> {
        self.events(&format!("pid = {pid} and ppid = {}", std::process::id()))
    }

    /// The only image of a process that this one started.
    pub(crate) fn image(&self, pid: u32) -> Event<'static> {
        only(self.images(pid))
    }

    pub(crate) fn children(&self, parent: ProcessId) -> Vec<Event<'static>> {
        self.events(&format!("parent_id = {parent}"))
    }

    /// With the figures of the recording, which a recorder that is behind leaves out.
    pub(crate) fn health(&self) -> Health {
        wait_for("the figures of the recording", || {
            let out = self.print(&["health", "--json"]);
            let health: Health = serde_json::from_str(out.lines().next().unwrap()).unwrap();
            (health.capture.is_some() || health.state != "recording").then_some(health)
        })
    }

    /// The newest gaps.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let out = self.print(&["health", "--json"]);
        let gap = |line| match serde_json::from_str(line).unwrap() {
            Line::Gap(gap) => gap,
            other => panic!("not a gap: {other:?}"),
        };
        out.lines().skip(1).map(gap).collect()
    }

    pub(crate) fn recorder_pid(&self) -> Pid {
        Pid::from_raw(capture(&self.health()).recorder_pid.cast_signed())
    }

    /// Asks until the books balance: other processes of the machine come between two counters.
    pub(crate) fn balanced_health(&self) -> Health {
        let is_balanced = |health: &Health| {
            // What is recorded only stays as it is.
            let Some(capture) = &health.capture else { return true };
            let meant = capture.meant.total() + capture.not_run;
            meant == capture.decoded.total() + capture.undecodable + health.store.lost
        };
        let mut last = Health::default();
        let balanced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("records that were meant to be either decoded or lost", || {
                last = self.health();
                is_balanced(&last).then(|| last.clone())
            })
        }));
        balanced.unwrap_or_else(|_| panic!("does not balance: {last:#?}"))
    }

    /// Nothing was lost in any way.
    pub(crate) fn assert_lossless(&self) {
        let health = self.balanced_health();
        let capture = capture(&health);
        let lost = (
            health.store.lost,
            health.store.gaps,
            capture.dropped_ring_full.total(),
            capture.not_run,
            capture.undecodable,
        );
        assert_eq!(lost, (0, 0, 0, 0, 0), "{health:#?}");
    }
}

pub(crate) fn capture(health: &Health) -> &Capture {
    health.capture.as_ref().expect("the recorder answers with its figures")
}

#[track_caller]
pub(crate) fn only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// For those who speak to a recorder without bpfctl.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) async fn connect(bus: &Path) -> zbus::Connection {
    let stream = tokio::net::UnixStream::connect(bus).await.unwrap();
    let stream = stream.into_std().unwrap();
    zbus::connection::Builder::unix_stream(stream).p2p().build().await.unwrap()
}
