//! Many processes in little time, on all processors: each is recorded, once, and right.

use std::collections::HashSet;

use common::ecs::Event;

use crate::client::Client;
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::workload::{self, Job, Run, finish, workload};

/// How many, unless a test needs more.
pub(crate) fn size() -> u32 {
    std::env::var("BPF_STORM").map_or(20_000, |number| number.parse().unwrap())
}

const WORKERS: u32 = 2;

pub(crate) fn start(total: u32) -> Job {
    let arguments = ["storm", "-j", &WORKERS.to_string(), &total.to_string()];
    workload::start(&mut workload(&arguments))
}

pub(crate) fn run(total: u32) -> Run {
    let run = finish(start(total));
    assert!(run.status.success());
    run
}

/// What the children executed, in the order of their indices.
///
/// A fork that was written before its exec came may have a row of its own; it has the same end.
pub(crate) fn recorded(client: &Client, run: &Run, total: u32) -> Vec<Event<'static>> {
    let root = client.image(run.pid);
    let mut children = Vec::new();
    let mut workers = client.children(root.process.entity_id);
    // Records of different processors may come in another order than they happened.
    workers.sort_by_key(|worker| worker.process.entity_id.start_boottime_ns);
    let pids: Vec<String> = workers.iter().map(|worker| worker.process.pid.to_string()).collect();
    assert_eq!(pids, run.facts("worker"));
    for (worker, number) in workers.iter().zip(0..) {
        assert_eq!((&*worker.recorder.source, worker.process.exit_code), ("fork", Some(0)));
        let (mut own, forks): (Vec<_>, Vec<_>) = client
            .children(worker.process.entity_id)
            .into_iter()
            .partition(|child| child.recorder.source == "exec");
        own.sort_by_key(index);
        let range = total * number / WORKERS..total * (number + 1) / WORKERS;
        assert!(own.iter().map(index).eq(range), "each index once");
        for fork in &forks {
            assert_eq!(fork.recorder.source, "fork", "{fork:#?}");
            let is_same = |exec: &&Event<'_>| exec.process.entity_id == fork.process.entity_id;
            let exec = own.iter().find(is_same).unwrap_or_else(|| panic!("{fork:#?}"));
            assert_eq!(exec.recorder.resources, fork.recorder.resources);
        }
        children.extend(own);
    }
    children
}

fn index(child: &Event<'_>) -> u32 {
    child.process.args.as_ref().unwrap()[2].parse().unwrap()
}

/// Every child once, with its arguments, its parent and its end.
pub(crate) fn assert_complete(client: &Client, run: &Run, total: u32) {
    // A recorder that is behind answers with what it has.
    client.balanced_health();
    let mut ids = HashSet::new();
    for (child, expected) in recorded(client, run, total).iter().zip(0_u32..) {
        let process = &child.process;
        let context = || format!("{child:#?}");
        assert!(ids.insert(process.entity_id), "{}", context());
        let arguments = [workload::path(), "storm-child", &expected.to_string()];
        assert_eq!(process.args.as_ref().unwrap(), &arguments, "{}", context());
        assert_eq!(process.exit_code, u8::try_from(expected % 256).ok(), "{}", context());
        assert!(process.end.is_some() && process.exit_signal.is_none(), "{}", context());
        assert_eq!((&*child.recorder.source, child.recorder.ordinal), ("exec", 1), "{}", context());
        assert_eq!(child.recorder.parent_source.as_deref(), Some("fork"), "{}", context());
        let parent = process.parent.as_ref().unwrap();
        assert_eq!(parent.executable.as_deref(), Some(workload::path()), "{}", context());
    }
    assert_eq!(ids.len(), total as usize);
}

#[test]
fn every_process_is_recorded() {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let total = size();
    let run = run(total);
    assert_complete(&recorder.client, &run, total);
    recorder.client.assert_lossless();
    recorder.stop();
}

/// What runs at the start is found by the snapshot, what happens next by the programs, and what
/// both see is one process.
#[test]
fn a_start_in_the_middle_repeats_nothing() {
    let scratch = Scratch::new();
    let total = size();
    let storm = start(total);
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let run = finish(storm);
    let client = &recorder.client;
    let root = client.image(run.pid);
    for worker in client.children(root.process.entity_id) {
        let children = client.children(worker.process.entity_id);
        for child in &children {
            assert_ne!(child.recorder.state, "running", "{child:#?}");
            assert_ne!(child.recorder.state, "unobserved", "{child:#?}");
        }
        let images: HashSet<_> = children
            .iter()
            .map(|child| (child.process.entity_id, child.process.args.clone()))
            .collect();
        assert_eq!(images.len(), children.len(), "an image was recorded twice");
    }
    client.assert_lossless();
    recorder.stop();
}
