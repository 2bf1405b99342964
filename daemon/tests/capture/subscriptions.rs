//! Following what happens.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use common::ecs::{Event, Line};
use common::id::ProcessId;

use crate::client::{Client, capture, connect, runtime};
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

/// What ends the two subscriptions of a test.
const MARK: &str = "the-last-of-all";

/// Subscriptions to everything, without bpfctl, whose queues would be part of it.
fn subscribe_twice(scratch: &Scratch) -> [OwnedFd; 2] {
    runtime().block_on(async {
        let connection = connect(&scratch.bus()).await;
        let processes = common::bus::ProcessesProxy::new(&connection).await.unwrap();
        let first = processes.subscribe("", 0).await.unwrap();
        [first.into(), processes.subscribe("", 0).await.unwrap().into()]
    })
}

/// All lines up to the mark, with a pause after each until there is no hurry any more.
fn read_up_to_mark(
    pipe: OwnedFd,
    pause: Duration,
    is_over: Arc<AtomicBool>,
) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let mut read = Vec::new();
        for line in BufReader::new(File::from(pipe)).lines() {
            let line = line.unwrap();
            let is_last = line.contains(MARK);
            read.push(line);
            if is_last {
                return read;
            }
            if !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(pause);
            }
        }
        panic!("the pipe ended after {} lines", read.len());
    })
}

/// One that keeps up is told of the beginning and the end of each.
fn assert_told_once(lines: &[String], children: &[Event<'_>]) {
    let mut told: HashMap<ProcessId, Vec<String>> =
        children.iter().map(|child| (child.process.entity_id, Vec::new())).collect();
    for line in lines {
        let Line::Event(event) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
        // Of a fork that was written before its exec came there is more.
        if event.recorder.source == "exec"
            && let Some(told) = told.get_mut(&event.process.entity_id)
        {
            told.push(event.event.action.into_owned());
        }
    }
    assert!(told.values().all(|told| *told == ["exec", "end"]), "{told:?}");
}

/// What it is told is what another one is told that keeps up, with as much left out as it is told
/// that it missed, and there.
#[test]
fn a_slow_subscriber_is_told_everything_in_order_but_what_it_is_told_it_missed() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    // Each begins and ends: more than a queue holds, and so little more that one who reads keeps up.
    let total = 5_000;
    let is_over = Arc::<AtomicBool>::default();
    let [quick, slow] = subscribe_twice(&scratch);
    let quick = read_up_to_mark(quick, Duration::ZERO, is_over.clone());
    let slow = read_up_to_mark(slow, Duration::from_millis(200), is_over.clone());
    let storm = storm::run(total);
    run(&["exit", "0", MARK]);
    is_over.store(true, Ordering::Relaxed);
    let [quick, slow] = [quick, slow].map(|reader| reader.join().unwrap());

    client.balanced_health();
    assert_told_once(&quick, &storm::recorded(client, &storm, total));
    let mut at = quick.iter().position(|line| *line == slow[0]).expect("what both were told");
    let mut missed = 0;
    for line in &slow {
        match serde_json::from_str(line) {
            Ok(Line::Missed(count)) => {
                missed += count;
                at += usize::try_from(count).unwrap();
            }
            _ => {
                assert_eq!(*line, quick[at], "after {missed} missed");
                at += 1;
            }
        }
    }
    assert_eq!(at, quick.len());
    assert!(missed > 0, "it was not slow");
    println!("{} lines for the slow one, {missed} missed, {} in all", slow.len(), quick.len());
    assert_eq!(capture(&client.health()).subscriber_missed, missed);
    client.assert_lossless();
    recorder.stop();
}
