//! `bpfctl binaries get`: nothing but the right content appears, and nobody can execute it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

use crate::server::Server;
use crate::server::binaries::{CONTENT, GOOD};
use crate::{command, read_terminal, text};

/// Gives the exit status and standard error.
fn get(hash: &str, file: &Path, options: &str) -> (Option<i32>, String) {
    let line = format!("binaries get {hash} {options}");
    let output = command(&Server::start(), &line).arg("-o").arg(file).output().unwrap();
    assert_eq!(text(&output.stdout), "");
    (output.status.code(), text(&output.stderr).to_owned())
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(directory: &TempDir) -> usize {
    std::fs::read_dir(directory.path()).unwrap().count()
}

fn mode(file: &Path) -> u32 {
    file.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_content_is_written_whole_and_not_executable() {
    let directory = directory();
    let file = directory.path().join("x");
    let (status, err) = get(&GOOD[..6], &file, "");
    let path = file.display();
    let expected = format!("wrote 175 KiB to {path}; it may be dangerous, and is not executable\n");
    assert_eq!((status, err), (Some(0), expected));
    assert!(std::fs::read(&file).unwrap() == *CONTENT);
    assert_eq!((mode(&file), names(&directory)), (0o600, 1));
}

#[test]
fn a_file_is_replaced_only_where_asked_and_keeps_no_mode() {
    let directory = directory();
    let (file, link) = (directory.path().join("x"), directory.path().join("hard"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o4755)).unwrap();
    std::fs::hard_link(&file, &link).unwrap();
    let (status, err) = get(&GOOD, &file, "");
    assert_eq!(status, Some(1));
    assert!(err.contains("x exists\nhint: ") && err.contains("--force"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");

    assert_eq!(get(&GOOD, &file, "--force").0, Some(0));
    assert!(std::fs::read(&file).unwrap() == *CONTENT);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(std::fs::read_to_string(&link).unwrap(), "old", "it is another file");
    assert_eq!(names(&directory), 2);
}

#[test]
fn a_broken_transfer_leaves_everything_as_it_was() {
    let directory = directory();
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    std::fs::write(&old, "old").unwrap();
    for (hash, reason) in [
        ("500000", "only 179999 of its 180000 bytes came"),
        ("600000", "what came has the SHA-256 "),
    ] {
        for (file, options) in [(&new, ""), (&old, "--force")] {
            let (status, err) = get(hash, file, options);
            assert_eq!(status, Some(1), "{err}");
            assert!(err.contains(reason) && err.contains("\nhint: nothing was written"), "{err}");
        }
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(names(&directory), 1);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_untouched() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "old").unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink(at("absent"), at("dangling")).unwrap();
    mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    let before = names(&directory);
    for (name, reason) in [
        ("link", "is a symbolic link"),
        ("dangling", "is a symbolic link"),
        ("fifo", "is not a regular file"),
        ("directory", "is a directory"),
        ("file/x", "Not a directory"),
    ] {
        for options in ["", "--force"] {
            let (status, err) = get(&GOOD, &at(name), options);
            assert!(matches!(status, Some(1 | 2)) && err.contains(reason), "{name}: {err}");
        }
    }
    assert!(get(&GOOD, Path::new("/dev/null"), "--force").1.contains("is not a regular file"));
    assert_eq!(names(&directory), before);
    assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "old");
    assert!(at("link").is_symlink() && !at("absent").exists());
}

#[test]
fn what_has_no_copy_says_why() {
    let directory = directory();
    let file = directory.path().join("x");
    let (status, err) = get("e00000", &file, "");
    let expected = "error: there is no copy: not kept any more: removed to make room for others\n\
                    hint: `bpfctl binaries show e00000` tells what is known of it\n";
    assert_eq!((status, &*err), (Some(1), expected));
    let (status, err) = get("d00000", &file, "");
    assert_eq!(status, Some(1));
    assert!(err.starts_with("error: the copy is damaged: not zstd\nhint: "), "{err}");
    let (status, err) = get("123456", &file, "");
    assert!(status == Some(1) && err.starts_with("error: no such binary: 123456\n"), "{err}");
    let (status, err) = get("abcdef", &file, "");
    assert!(status == Some(2) && err.contains("hint: give more digits"), "{err}");
    assert_eq!(names(&directory), 0);
}

#[test]
fn standard_output_gets_the_right_content_or_nothing() {
    let server = Server::start();
    let run = |hash: &str| command(&server, &format!("binaries get {hash} -o -")).output().unwrap();
    let output = run(&GOOD);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(output.stdout == *CONTENT);
    for hash in ["500000", "600000"] {
        let output = run(hash);
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
    }
}

#[test]
fn a_terminal_does_not_get_a_content() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let server = Server::start();
    let output = command(&server, &format!("binaries get {} -o -", *GOOD))
        .stdout(terminal.slave)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = text(&output.stderr);
    assert!(err.starts_with("error: standard output is a terminal\nhint: "), "{err}");
    assert_eq!(read_terminal(terminal.master.into(), None), "");
}

#[test]
fn a_large_one_shows_progress_and_leaves_nothing_when_interrupted() {
    let directory = directory();
    let server = Server::start();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = command(&server, "binaries get 700000 --color never")
        .arg("-o")
        .arg(directory.path().join("x"))
        .stderr(terminal.slave)
        .spawn()
        .unwrap();
    let master = std::fs::File::from(terminal.master);
    let err = read_terminal(master.try_clone().unwrap(), Some(" of 1.0 PiB"));
    assert!(err.contains(" of 1.0 PiB"), "{err:?}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let err = read_terminal(master, None);
    assert!(err.contains("error: interrupted\r\nhint: nothing was written\r\n"), "{err:?}");
    assert_eq!(names(&directory), 0);
}
