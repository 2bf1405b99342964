//! What is recorded of a short process, compared with what is known of it otherwise.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use common::ecs::{Namespaces, capability_names};
use common::time::rfc3339;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{getpgrp, getsid};

use crate::programs::WORKLOAD;
use crate::recorder::shared;
use crate::scratch::Scratch;
use crate::workload::{finish, path, start, workload};

fn now() -> String {
    let time = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
    rfc3339(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

#[test]
fn a_short_process_has_every_field() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    let before = now();
    let mut command = workload(&["exit", "5", "two words"]);
    command.current_dir(scratch.path()).env("A", "1").env("B", "two words");
    let pid = finish(start(&mut command)).pid;
    let event = recorder.client.image(pid);
    let process = &event.process;

    let args = [path(), "exit", "5", "two words"];
    assert_eq!(process.args.as_ref().unwrap(), &args);
    assert_eq!(process.args_count, Some(4));
    assert_eq!(process.command_line.as_ref().unwrap(), &args.join(" "));
    assert_eq!(process.env_vars.as_ref().unwrap(), &["A=1", "B=two words"]);
    assert_eq!(process.working_directory.as_deref(), scratch.path().to_str());
    assert_eq!(process.executable.as_deref(), Some(path()));
    let name = WORKLOAD.file_name().unwrap().to_str();
    assert_eq!((process.name.as_deref(), event.recorder.comm.as_deref()), (name, name));
    assert_eq!((process.exit_code, process.exit_signal), (Some(5), None));

    // The wall clock is derived from the boot clock: it may be some microseconds off.
    let slack = |time: &str| common::time::parse_rfc3339(time).unwrap() + 50_000_000;
    let end = process.end.as_ref().unwrap();
    let times = [&process.start, &event.timestamp, end];
    assert!(times.is_sorted(), "{times:?}");
    assert!(slack(&process.start) >= slack(&before) - 50_000_000, "{before} {times:?}");
    assert!(slack(&now()) >= slack(end) - 50_000_000, "{times:?}");
    let resources = event.recorder.resources.as_ref().unwrap();
    assert!(resources.run_time_ns > 0 && resources.max_rss_bytes > 4096, "{resources:?}");

    assert_eq!((&*event.event.action, &*event.recorder.source), ("exec", "exec"));
    assert_eq!((event.recorder.ordinal, &*event.recorder.state), (1, "failed"));
    assert!(event.recorder.notes.is_empty(), "{:?}", event.recorder.notes);
}

#[test]
fn the_parent_is_known() {
    let Some(recorder) = shared() else { return };
    let event = recorder.client.image(crate::workload::run(&["exit", "0"]).pid);
    let parent = event.process.parent.unwrap();
    assert_eq!(parent.pid, std::process::id());
    let own: Vec<String> = std::env::args().collect();
    assert_eq!(parent.command_line.unwrap(), own.join(" "));
    let executable = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(parent.executable.as_deref(), executable.to_str());
    assert_eq!(event.recorder.parent_source.as_deref(), Some("fork"));
}

#[test]
fn the_context_is_that_of_proc() {
    let Some(recorder) = shared() else { return };
    // A child has what this process has.
    let event = recorder.client.image(crate::workload::run(&["exit", "0"]).pid);
    let process = &event.process;
    let id =
        |pid: &Option<common::ecs::Leader>| pid.as_ref().map(|leader| leader.pid.cast_signed());
    // Who never began a session or a group, and descends from none who did, is in number 0.
    let number = |pid: nix::unistd::Pid| Some(pid.as_raw()).filter(|number| *number != 0);
    assert_eq!(id(&process.session_leader), number(getsid(None).unwrap()));
    assert_eq!(id(&process.group_leader), number(getpgrp()));

    let user = event.user.as_ref().unwrap();
    assert_eq!((&*user.id, user.name.as_deref()), ("0", Some("root")));
    assert!(user.effective.is_none());
    let group = event.group.as_ref().unwrap();
    assert_eq!((&*group.id, group.name.as_deref()), ("0", Some("root")));
    let login: u32 = fs::read_to_string("/proc/self/loginuid")
        .map_or(u32::MAX, |number| number.trim().parse().unwrap());
    let credentials = event.recorder.credentials.as_ref().unwrap();
    assert_eq!(credentials.login_uid, (login != u32::MAX).then_some(login));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    let names = capability_names(u64::from_str_radix(effective, 16).unwrap());
    assert_eq!(process.thread.as_ref().unwrap().capabilities.effective, names);

    let namespace = |name: &str| {
        u32::try_from(fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino()).unwrap()
    };
    let namespaces = Namespaces {
        mount: namespace("mnt"),
        pid: namespace("pid"),
        network: namespace("net"),
        user: namespace("user"),
        uts: namespace("uts"),
        ipc: namespace("ipc"),
        cgroup: namespace("cgroup"),
        process_pid: process.pid,
    };
    assert_eq!(event.recorder.namespaces, Some(namespaces));
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let cgroup = event.recorder.cgroup.as_deref().unwrap();
    assert!(cgroups.lines().any(|line| line.rsplit(':').next() == Some(cgroup)), "{cgroup}");
}

#[test]
fn the_file_is_that_of_stat() {
    let Some(recorder) = shared() else { return };
    let event = recorder.client.image(crate::workload::run(&["exit", "0"]).pid);
    let file = event.recorder.file.unwrap();
    let meta = fs::metadata(&*WORKLOAD).unwrap();
    let (major, minor) = (nix::sys::stat::major(meta.dev()), nix::sys::stat::minor(meta.dev()));
    let time = |seconds: i64, nanos: i64| rfc3339(seconds * 1_000_000_000 + nanos);
    assert_eq!(file.device, format!("{major}:{minor}"));
    assert_eq!((file.inode, file.size_bytes), (meta.ino(), meta.size()));
    assert_eq!(file.mtime, time(meta.mtime(), meta.mtime_nsec()));
    assert_eq!(file.ctime, time(meta.ctime(), meta.ctime_nsec()));
    assert_eq!(file.mode, format!("{:04o}", meta.permissions().mode() & 0o7777));
    assert_eq!((file.uid, file.gid), (meta.uid(), meta.gid()));
    assert!(!file.memfd && !file.deleted && !file.upper_layer);
}
