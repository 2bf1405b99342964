//! Following what happens.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

use common::ecs::{Event, Line};
use common::id::ProcessId;

use crate::client::{Client, capture};
use crate::recorder::{LOSSLESS, PATIENCE, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{finish, path, run};

/// `bpfctl events --follow --json`, ended when it is dropped.
pub(crate) struct Follower {
    child: Child,
}

impl Follower {
    /// Returns once the recorder knows of the subscription.
    pub(crate) fn start(client: &Client, arguments: &[&str]) -> Self {
        let subscribers = || capture(&client.health()).subscribers;
        let before = subscribers();
        let mut command = client.command(&["events", "--follow", "--json"]);
        let child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("a subscription", || (subscribers() > before).then_some(()));
        Self { child }
    }

    pub(crate) fn lines(&mut self) -> Receiver<Line<'static>> {
        let out = self.child.stdout.take().unwrap();
        let (sender, receiver) = sync_channel(1 << 16);
        std::thread::spawn(move || read(out, |line| sender.send(line).is_ok()));
        receiver
    }
}

fn read(out: ChildStdout, mut take: impl FnMut(Line<'static>) -> bool) {
    for line in BufReader::new(out).lines() {
        if !take(serde_json::from_str(&line.unwrap()).unwrap()) {
            return;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next event.
fn next(lines: &Receiver<Line<'static>>) -> Event<'static> {
    match lines.recv_timeout(PATIENCE) {
        Ok(Line::Event(event)) => *event,
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn a_process_is_followed_from_exec_to_end() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let filter = format!("ppid = {} and exe = {}", std::process::id(), path());
    let mut follower = Follower::start(&recorder.client, &["-n", "0", &filter]);
    let lines = follower.lines();
    let pid = run(&["exit", "9"]).pid;
    let began = next(&lines);
    let ended = next(&lines);
    assert_eq!((&*began.event.action, began.process.pid), ("exec", pid));
    assert_eq!((&*began.recorder.state, began.process.exit_code), ("running", None));
    assert_eq!((&*ended.event.action, ended.process.exit_code), ("end", Some(9)));
    assert_eq!(ended.process.entity_id, began.process.entity_id);
    assert_eq!(ended.process.args, began.process.args);
    assert_eq!(Some(&ended.timestamp), ended.process.end.as_ref());
    // A filter on the end matches when the end is known.
    let filter = format!("{filter} and exit_code = 8");
    let mut follower = Follower::start(&recorder.client, &["-n", "0", &filter]);
    let lines = follower.lines();
    run(&["exit", "9"]);
    run(&["exit", "8"]);
    let ended = next(&lines);
    assert_eq!((&*ended.event.action, ended.process.exit_code), ("end", Some(8)));
    drop(follower);
    recorder.stop();
}

/// Stored and live records join without a seam.
#[test]
fn backlog_and_live_events_leave_out_and_repeat_nothing() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    // Within the queue of a subscriber.
    let total = storm::size().min(1_000);
    let storm = storm::start(total);
    let client = &recorder.client;
    wait_for("a part of the storm", || {
        (capture(&client.health()).decoded.exec > u64::from(total / 4)).then_some(())
    });
    let filter = format!("cmd ~ storm-child and exe = {}", path());
    let mut follower = Follower::start(client, &["-n", "1000000", &filter]);
    let lines = follower.lines();
    let run = finish(storm);
    let children: HashSet<ProcessId> =
        storm::recorded(client, &run, total).iter().map(|child| child.process.entity_id).collect();
    let mut execs: HashMap<ProcessId, u32> = HashMap::new();
    let mut ended = HashSet::new();
    while ended.len() < children.len() {
        let line = match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("{} of {} ends came, {} execs", ended.len(), children.len(), execs.len())
            }
        };
        let Line::Event(event) = line else { panic!("{line:?}") };
        let id = event.process.entity_id;
        // Other storms of the machine match as well.
        if !children.contains(&id) {
            continue;
        }
        if event.event.action == "exec" {
            *execs.entry(id).or_default() += 1;
        }
        if event.process.end.is_some() {
            ended.insert(id);
        }
    }
    assert_eq!(execs.len(), children.len());
    let repeated: Vec<_> = execs.iter().filter(|(_, count)| **count != 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
    drop(follower);
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn a_subscriber_that_does_not_read_is_told_what_it_missed() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let mut follower = Follower::start(client, &["-n", "0"]);
    // More than its queue and the pipes hold.
    let total = storm::size().max(8_000);
    let run = storm::run(total);
    storm::assert_complete(client, &run, total);
    client.assert_lossless();

    // Now it reads.
    let lines = follower.lines();
    let missed = loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(Line::Missed(missed)) => break missed,
            Ok(_) => {}
            Err(error) => panic!("not told: {error}"),
        }
    };
    assert!(missed > 0);
    let told = capture(&client.health()).subscriber_missed;
    assert!(told >= missed, "{told} {missed}");
    drop(follower);
    recorder.stop();
}
