//! Processes that fork processes that fork processes, up to a limit: each has its place in the
//! tree, and its end.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::id::ProcessId;

use crate::client::Client;
use crate::programs::WORKLOAD;
use crate::recorder::{Recorder, shared};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{Run, finish, start, workload};

/// At one time.
const LIMIT: &str = "40";

pub(super) fn size() -> String {
    (storm::size() / 4).to_string()
}

/// Each process of the bomb ends with the number of its children, so that a wrong parent, and the
/// end of another process, show.
fn assert_whole(client: &Client, run: &Run, word: &str) {
    assert!(run.status.success());
    assert!(run.number("refused") > 0, "it never reached its limit");
    client.assert_lossless();
    let all = client.events(&format!("name = workload and cmd ~ \"bomb {} {word}\"", size()));
    assert_eq!(all.len(), 1 + run.number("forked") as usize);
    let mut children: HashMap<ProcessId, u32> =
        all.iter().map(|event| (event.process.entity_id, 0)).collect();
    assert_eq!(children.len(), all.len(), "one row each");
    let (roots, forks): (Vec<_>, Vec<_>) =
        all.iter().partition(|event| event.recorder.source == "exec");
    assert_eq!((roots.len(), roots[0].process.pid), (1, run.pid));
    for fork in &forks {
        let parent = fork.process.parent.as_ref().unwrap().entity_id;
        assert_eq!(fork.recorder.source, "fork", "{fork:#?}");
        assert_eq!(fork.recorder.parent_source.as_deref(), Some("fork"), "{fork:#?}");
        *children.get_mut(&parent).unwrap_or_else(|| panic!("not of the bomb: {fork:#?}")) += 1;
    }
    for fork in &forks {
        let process = &fork.process;
        let expected = children[&process.entity_id] % 256;
        assert_eq!(process.exit_code.map(u32::from), Some(expected), "{fork:#?}");
        assert!(process.end.is_some(), "{fork:#?}");
    }
    assert_eq!(children[&roots[0].process.entity_id], run.number("children"));
    println!("{} processes, {} refused", all.len(), run.number("refused"));
}

/// As a user whose processes are counted, in a small number at a time.
pub(super) fn of_another_user(recorder: &Recorder, word: &str) {
    let scratch = Scratch::new();
    let mut command = Command::new(scratch.copy(&WORKLOAD, "workload"));
    command.uid(54_320).gid(54_320).env_clear().stdin(Stdio::null());
    let run = finish(start(command.args(["at-most", LIMIT, "bomb", &size(), word])));
    assert_whole(&recorder.client, &run, word);
}

#[test]
fn a_bomb_of_another_user_is_recorded_whole() {
    let Some(recorder) = shared() else { return };
    of_another_user(recorder, "of-user");
}

#[test]
fn a_bomb_in_a_control_group_is_recorded_whole() {
    let Some(recorder) = shared() else { return };
    let Some(group) = Group::new() else {
        println!("skipped: no control group may be made here whose number of processes is limited");
        return;
    };
    let path = group.0.to_str().unwrap();
    let run = finish(start(&mut workload(&["join", path, "bomb", &size(), "in-group"])));
    assert_whole(&recorder.client, &run, "in-group");
    // Possible only when nobody is left in it.
    fs::remove_dir(&group.0).unwrap();
}

/// A control group that is removed when it is dropped.
struct Group(PathBuf);

impl Group {
    /// In the first version of control groups the controller has a tree of its own. In the second
    /// one nothing is changed but below a machine that is ours.
    fn new() -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let own_tree = root.join("pids");
        let parent = if own_tree.join("cgroup.procs").exists() { &*own_tree } else { root };
        if parent == root && super::pids::is_own_machine() {
            fs::write(root.join("cgroup.subtree_control"), "+pids").ok()?;
        }
        let group = Self(parent.join(format!("bpf-recorder-test-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join("pids.max"), LIMIT).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
