//! Processes that are older than the recorder.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use common::ecs::Event;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{capture, only};
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::workload::{finish, path, start, start_sleeper, workload};

/// The task iterator came with Linux 5.18; before, `/proc` tells.
pub(crate) fn expected_source() -> &'static str {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    if version >= (5, 18) { "iterator" } else { "proc" }
}

/// Start of the process in ticks of 10 ms, as proc(5) tells.
fn start_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
}

/// Where only `/proc` tells of a start, the nanoseconds are known from the first event on.
fn assert_same_process(before: &Event<'_>, after: &Event<'_>) {
    let (a, b) = (before.process.entity_id, after.process.entity_id);
    match expected_source() {
        "iterator" => assert_eq!(a, b),
        _ => {
            assert_eq!((a.boot, a.pid), (b.boot, b.pid));
            assert!(a.start_boottime_ns.abs_diff(b.start_boottime_ns) < 10_000_000);
        }
    }
}

#[test]
fn an_older_process_is_there_until_its_end() {
    let scratch = Scratch::new();
    let mut command = workload(&["sleep", "600000", "", "last argument"]);
    command.env("OLD", "yes").current_dir(scratch.path());
    let sleeper = start_sleeper(&mut command);
    let ticks = start_ticks(sleeper.pid());
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };

    let before = recorder.client.image(sleeper.pid());
    let process = &before.process;
    assert_eq!(before.recorder.source, expected_source());
    assert_eq!((&*before.event.action, &*before.recorder.state), ("running", "running"));
    assert_eq!(capture(&recorder.client.health()).snapshot, expected_source());
    let args = [path(), "sleep", "600000", "", "last argument"];
    assert_eq!(process.args.as_ref().unwrap(), &args);
    assert_eq!(process.env_vars.as_ref().unwrap(), &["OLD=yes"]);
    assert_eq!(process.executable.as_deref(), Some(path()));
    assert_eq!(process.working_directory.as_deref(), scratch.path().to_str());
    assert_eq!(process.entity_id.start_boottime_ns / 10_000_000, ticks);
    assert_eq!(before.user.as_ref().unwrap().id, "0");
    assert_eq!(process.parent.as_ref().unwrap().pid, std::process::id());

    kill(Pid::from_raw(sleeper.pid().cast_signed()), Signal::SIGTERM).unwrap();
    drop(sleeper);
    let after = recorder.client.image(before.process.pid);
    assert_same_process(&before, &after);
    assert_eq!((after.process.exit_signal, &*after.recorder.state), (Some(15), "killed"));
    assert_eq!(after.recorder.source, expected_source());
    recorder.client.assert_lossless();
    recorder.stop();
}

#[test]
fn a_child_of_an_older_process_knows_its_parent() {
    let scratch = Scratch::new();
    let line = format!("read x; {} exit 5; read x; exit 9", path());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).env_clear().stdin(Stdio::piped());
    let mut shell = start(&mut command);
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let before = recorder.client.image(shell.pid());
    shell.input().write_all(b"go\ngo\n").unwrap();
    assert_eq!(finish(shell).status.code(), Some(9));

    let after = recorder.client.image(before.process.pid);
    assert_same_process(&before, &after);
    assert_eq!(after.process.exit_code, Some(9));
    let child = only(recorder.client.children(after.process.entity_id));
    assert_eq!((child.process.exit_code, &*child.recorder.source), (Some(5), "exec"));
    let parent = child.process.parent.unwrap();
    let executable = fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(parent.executable.as_deref(), executable.to_str());
    assert_eq!(parent.command_line.unwrap(), format!("/bin/sh -c {line}"));
    recorder.stop();
}

#[test]
fn the_kernels_own_threads_have_a_name_and_no_executable() {
    let Some(recorder) = crate::recorder::shared() else { return };
    if fs::read_to_string("/proc/2/comm").ok().as_deref() != Some("kthreadd\n") {
        println!("skipped: not the initial pid namespace");
        return;
    }
    let event = only(recorder.client.events("pid = 2"));
    assert_eq!(event.recorder.comm.as_deref(), Some("kthreadd"));
    assert_eq!(event.process.name.as_deref(), Some("kthreadd"));
    assert_eq!((&event.process.executable, &event.process.args), (&None, &None));
    assert!(event.recorder.notes.is_empty(), "{:?}", event.recorder.notes);
}
