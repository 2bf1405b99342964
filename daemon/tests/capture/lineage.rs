//! Who started whom.

use crate::client::only;
use crate::recorder::shared;
use crate::workload::{path, run};

#[test]
fn a_fork_without_exec_has_the_image_of_its_parent() {
    let Some(recorder) = shared() else { return };
    let run = run(&["fork-only", "4"]);
    let root = recorder.client.image(run.pid);
    let children = recorder.client.children(root.process.entity_id);
    let pids: Vec<_> = children.iter().map(|child| child.process.pid.to_string()).collect();
    assert_eq!(pids, run.facts("child"));
    for (child, code) in children.iter().zip(0..) {
        assert_eq!((&*child.recorder.source, child.recorder.ordinal), ("fork", 0));
        assert_eq!(&*child.event.action, "fork");
        assert_eq!(child.process.exit_code, Some(code));
        assert_eq!(child.process.executable.as_deref(), Some(path()));
        assert_eq!(child.process.args, root.process.args);
        assert_eq!(child.recorder.parent_source.as_deref(), Some("fork"));
    }
}

/// The parent is who forked, also if another one has adopted the process before its exec.
#[test]
fn a_daemon_keeps_the_parent_that_forked_it() {
    let Some(recorder) = shared() else { return };
    let run = run(&["daemonize", "exit", "12"]);
    let first = only(recorder.client.children(recorder.client.image(run.pid).process.entity_id));
    assert_eq!(
        (first.process.pid, first.process.exit_code),
        (run.number("parent_at_fork"), Some(10))
    );
    let daemon = recorder.client.children(first.process.entity_id);
    // Slow machines may write the fork before the exec comes, which then has a row of its own.
    let daemon = daemon.last().unwrap();
    assert_eq!(daemon.process.pid, run.number("daemon"));
    assert_eq!((daemon.process.exit_code, &*daemon.recorder.source), (Some(12), "exec"));
    let parent = daemon.process.parent.as_ref().unwrap();
    assert_eq!(parent.pid, run.number("parent_at_fork"));
    assert_ne!(parent.pid, run.number("parent_at_exec"));
    assert_eq!(parent.executable.as_deref(), Some(path()));
    assert_eq!(daemon.recorder.parent_source.as_deref(), Some("fork"));
    assert_eq!(daemon.process.session_leader.as_ref().unwrap().pid, daemon.process.pid, "setsid");
    let tree = recorder.client.print(&["tree", &run.pid.to_string(), "--up", "0"]);
    for pid in [run.pid, first.process.pid, daemon.process.pid] {
        assert!(tree.contains(&pid.to_string()), "{pid}: {tree}");
    }
}

#[test]
fn orphans_keep_their_parent() {
    let Some(recorder) = shared() else { return };
    let run = run(&["orphans", "3"]);
    let parent = only(recorder.client.children(recorder.client.image(run.pid).process.entity_id));
    assert_eq!(parent.process.pid, run.number("parent"));
    let mut orphans = recorder.client.children(parent.process.entity_id);
    orphans.sort_by_key(|orphan| orphan.process.entity_id.start_boottime_ns);
    let ends: Vec<_> = orphans
        .iter()
        .map(|orphan| (orphan.process.pid.to_string(), orphan.process.exit_code.unwrap()))
        .collect();
    let expected: Vec<_> = run.facts("orphan").iter().cloned().zip(0..).collect();
    assert_eq!(ends, expected);
}

#[test]
fn one_pid_twice_is_two_processes() {
    let Some(recorder) = shared() else { return };
    let run = run(&["pid-reuse"]);
    assert_eq!(run.fact("first"), run.fact("second"));
    let pid = run.fact("first");
    let both = recorder.client.children(recorder.client.image(run.pid).process.entity_id);
    let ends: Vec<_> = both.iter().map(|process| process.process.exit_code).collect();
    assert_eq!(ends, [Some(21), Some(22)]);
    assert_ne!(both[0].process.entity_id, both[1].process.entity_id);
    assert!(both.iter().all(|process| process.process.pid.to_string() == pid));

    let answer = recorder.client.ask(&["show", pid]);
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    for process in &both {
        let id = process.process.entity_id.to_string();
        assert!(answer.err.contains(&id), "{}", answer.err);
        let shown = recorder.client.print(&["show", &id]);
        let code = process.process.exit_code.unwrap();
        assert!(shown.contains(&format!("exit {code}")), "{shown}");
    }
}
