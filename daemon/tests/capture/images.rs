//! What a process executes, where that is not simply a file given by its path.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use common::ecs::Event;

use crate::recorder::{Recorder, shared};
use crate::scratch::Scratch;
use crate::workload::{Run, finish, path, run, start};

/// `nobody`, who is everywhere.
const NOBODY: u32 = 65534;

/// All images of the process, one identity, numbered from 1.
fn images(recorder: &Recorder, run: &Run) -> Vec<Event<'static>> {
    let images = recorder.client.images(run.pid);
    for (image, ordinal) in images.iter().zip(1..) {
        assert_eq!(image.process.entity_id, images[0].process.entity_id);
        assert_eq!((image.recorder.ordinal, &*image.recorder.source), (ordinal, "exec"));
        let code = run.status.code().map(|code| u8::try_from(code).unwrap());
        assert_eq!(image.process.exit_code, code, "every image has the end of the process");
    }
    images
}

fn args<'e>(event: &'e Event<'_>) -> Vec<&'e str> {
    event.process.args.as_ref().unwrap().iter().map(|arg| &**arg).collect()
}

#[test]
fn a_process_that_executes_again_is_the_same_process() {
    let Some(recorder) = shared() else { return };
    let run = run(&["exec-twice", "5"]);
    let images = images(recorder, &run);
    let all: Vec<_> = images.iter().map(args).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], [path(), "exec-twice", "5"]);
    assert_eq!(all[1], ["workload", "exec-twice", "5", "last"]);
    assert_eq!(all[2], ["workload", "exit", "5"]);
}

#[test]
fn a_change_of_user_shows_from_the_next_exec() {
    let Some(recorder) = shared() else { return };
    // Where that user can reach it.
    let scratch = Scratch::new();
    let copy = scratch.copy(Path::new(path()), "copy");
    let copy = copy.to_str().unwrap();
    let run = run(&["setuid", &NOBODY.to_string(), copy, "exit", "3"]);
    let images = images(recorder, &run);
    let users: Vec<_> = images
        .iter()
        .map(|image| (&*image.user.as_ref().unwrap().id, &*image.group.as_ref().unwrap().id))
        .collect();
    assert_eq!(users, [("0", "0"), ("65534", "65534")]);
    assert_eq!(images[1].user.as_ref().unwrap().name.as_deref(), Some("nobody"));
    assert_eq!(args(&images[1]), [copy, "exit", "3"]);
    assert!(images[1].process.thread.as_ref().unwrap().capabilities.effective.is_empty());
}

#[test]
fn a_setuid_program_has_another_effective_user() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    let copy = scratch.copy(Path::new(path()), "setuid-program");
    chown(&copy, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o4755)).unwrap();
    let mut command = Command::new(&copy);
    command.args(["exit", "0"]).env_clear();
    let event = recorder.client.image(finish(start(&mut command)).pid);
    let user = event.user.unwrap();
    let effective = user.effective.unwrap();
    assert_eq!((&*user.id, &*effective.id), ("0", "65534"));
    assert_eq!(effective.name.as_deref(), Some("nobody"));
    let credentials = event.recorder.credentials.unwrap();
    assert_eq!((credentials.uid, credentials.euid, credentials.suid), (0, NOBODY, NOBODY));
    let file = event.recorder.file.unwrap();
    assert_eq!((&*file.mode, file.uid), ("4755", NOBODY));
}

#[test]
fn an_exec_by_a_thread_is_one_of_its_process() {
    let Some(recorder) = shared() else { return };
    let run = run(&["thread-exec", path(), "exit", "6"]);
    assert_ne!(run.number("tid"), run.pid, "a thread that is not the leader");
    let images = images(recorder, &run);
    assert_eq!(images.len(), 2);
    assert_eq!(args(&images[1]), [path(), "exit", "6"]);
    assert_eq!(images[1].process.executable.as_deref(), Some(path()));
}

/// Ways to execute a copy: subcommand, name of the copy, is it deleted at exec, is it a memfd.
const COPIES: [(&str, &str, bool, bool); 5] = [
    ("deleted", "DIR/deleted-workload", true, false),
    ("unlinked", "DIR/unlinked-workload", false, false),
    // A memfd never had a name to lose: for the kernel it is a file without links.
    ("memfd", "memfd:workload-memfd", true, true),
    ("mount-ns", "DIR/namespace-workload", false, false),
    ("chroot", "/chroot-workload", false, false),
];

/// A path is the one that the process itself sees, also if the file has lost it.
#[test]
fn copies_in_odd_places_are_told_by_path_flags_and_inode() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    for (subcommand, name, is_deleted, is_memfd) in COPIES {
        let dir = scratch.make_dir(subcommand);
        let dir = dir.to_str().unwrap();
        let run = match subcommand {
            "memfd" => run(&["memfd", "exit", "4"]),
            _ => run(&[subcommand, dir, "exit", "4"]),
        };
        let images = images(recorder, &run);
        let [_, copy] = &images[..] else { panic!("{subcommand}: {images:#?}") };
        let name = name.replace("DIR", dir);
        assert_eq!(copy.process.executable.as_ref().unwrap(), &name, "{subcommand}");
        assert_eq!(copy.process.exit_code, Some(4), "{subcommand}");
        let file = copy.recorder.file.as_ref().unwrap();
        assert_eq!((file.deleted, file.memfd), (is_deleted, is_memfd), "{subcommand}");
        assert_eq!(file.inode.to_string(), run.fact("inode"), "{subcommand}");
        assert_eq!(file.size_bytes.to_string(), run.fact("size"), "{subcommand}");
        if subcommand == "mount-ns" {
            let namespace = |image: &Event<'_>| image.recorder.namespaces.as_ref().unwrap().mount;
            assert_eq!(namespace(copy).to_string(), run.fact("mnt_ns"));
            assert_ne!(namespace(copy), namespace(&images[0]));
        }
    }
}

#[test]
fn a_script_is_told_with_its_interpreter() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    let script = scratch.path().join("script.sh");
    fs::write(&script, "#!/bin/sh -e\nexit 4\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&script);
    command.args(["x", "y z"]).env_clear();
    let event = recorder.client.image(finish(start(&mut command)).pid);
    let script = script.to_str().unwrap();
    assert_eq!(event.recorder.script.as_deref(), Some(script));
    let shell = fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(event.process.executable.as_deref(), shell.to_str());
    assert_eq!(args(&event), ["/bin/sh", "-e", script, "x", "y z"]);
    assert_eq!(event.process.exit_code, Some(4));
    assert_eq!(event.recorder.file.unwrap().inode, fs::metadata(shell).unwrap().ino());
}

#[test]
fn paths_of_many_levels_are_whole() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    let dir = scratch.make_dir(
        &(0..40)
            .map(|level| format!("level-{level:02}-of-a-deep-tree"))
            .collect::<Vec<_>>()
            .join("/"),
    );
    let program = dir.join("program");
    fs::copy(path(), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["exit", "0"]).env_clear().current_dir(&dir);
    let event = recorder.client.image(finish(start(&mut command)).pid);
    assert_eq!(event.process.executable.as_deref(), program.to_str());
    assert_eq!(event.process.working_directory.as_deref(), dir.to_str());
    assert!(event.recorder.notes.is_empty(), "{:?}", event.recorder.notes);
}

#[test]
fn a_deleted_working_directory_keeps_its_name() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    let dir = scratch.make_dir("gone");
    let line = format!("rmdir {}; exec {} exit 0", dir.display(), path());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).current_dir(&dir).env_clear();
    command.env("PATH", "/usr/bin:/bin");
    let run = finish(start(&mut command));
    let images = images(recorder, &run);
    let last = images.last().unwrap();
    assert_eq!(last.process.executable.as_deref(), Some(path()));
    assert_eq!(last.process.working_directory.as_deref(), dir.to_str());
}
