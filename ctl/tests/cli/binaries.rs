//! `bpfctl binaries …`, but for `get`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use common::binary::{Binary, VerifyLine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::Server;
use crate::server::binaries::{self, BINARIES, Copies, GOOD};
use crate::{check, command, read_terminal, text};

#[track_caller]
fn is_harmless(out: &str) {
    assert!(!out.contains(['\x1b', '\u{202e}']), "{out:?}");
}

#[test]
fn contents_are_listed_as_a_table() {
    let (out, err) = check("binaries list", 0);
    assert_eq!(err, "");
    is_harmless(&out);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 1 + BINARIES.len(), "{out}");
    let title = format!("SHA-256{}PATH", " ".repeat(59));
    assert!(lines[0].starts_with("LAST RUN") && lines[0].ends_with(&title), "{out}");
    let good = format!("● kept     curl     {}  /usr/bin/curl", *GOOD);
    assert_eq!(lines[1], format!("2026-11-24 08:51:06.000    10  175 KiB  {good}"));
    assert!(lines[2].contains("  ○ evicted  -        e00000"), "{out}");
    assert!(lines[2].ends_with("  /tmp/Web\\nshell\\x1b[2J\\u{202e} +1"), "{out}");
    assert!(lines[3].contains("  ✗ damaged  curl     d00000"), "{out}");
}

/// What the digits of those listed begin with.
#[track_caller]
fn listed(args: &[&str]) -> Vec<String> {
    let server = Server::start();
    let output = command(&server, "binaries list --json").args(args).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let digits = |line: &str| serde_json::from_str::<Binary>(line).unwrap().hash.sha256;
    text(&output.stdout).lines().map(|line| digits(line)[..6].to_owned()).collect()
}

#[test]
fn lists_are_narrowed_and_ordered() {
    let good = &GOOD[..6];
    assert_eq!(listed(&[]), [good, "e00000", "d00000", "500000", "600000", "700000"]);
    assert_eq!(listed(&["-n", "1"]), [good]);
    assert_eq!(listed(&["-n", "0"]).len(), 6);
    assert_eq!(listed(&["--unpackaged"]), ["e00000"]);
    assert_eq!(listed(&["--order", "first", "-n", "2"]), ["700000", "600000"]);
    assert_eq!(listed(&["--order", "rarest", "-n", "2"]), ["700000", "600000"]);
    assert_eq!(listed(&["--new", "2026-11-24 08:50:10"]), ["600000", "700000"]);
    assert_eq!(listed(&["--since", "2026-11-24 08:50:06"]).len(), 6);
    assert_eq!(listed(&["parent = /usr/sbin/nginx"]), [good, "e00000"]);
    assert_eq!(listed(&["--only", "parent", "=", "/usr/sbin/nginx"]), [good]);
}

#[test]
fn a_list_passes_through_as_json() {
    let (out, err) = check("binaries list --json", 0);
    assert_eq!(out, BINARIES.iter().map(binaries::binary_line).collect::<String>());
    assert_eq!(err, "");
}

#[test]
fn what_the_table_cannot_tell_is_remarked() {
    let (_, err) = check("binaries list -n 2", 0);
    assert_eq!(err, "the first 2 binaries, there may be more; all with -n 0\n");
    let (out, err) = check("binaries list --unpackaged pid = 9", 0);
    assert_eq!(
        (&*out, &*err),
        ("", "no binary matches\nhint: remove `pid = 9` or `--unpackaged`\n")
    );
    let (_, err) = check("binaries list --new 2100-01-01", 0);
    assert_eq!(err, "no binary matches\nhint: remove `--new`\n");
}

#[test]
fn wrong_commands_about_binaries_are_wrong_usage() {
    let (_, err) = check("binaries list nmae = x", 2);
    assert!(err.contains("\n  nmae = x\n  ^^^^\n"), "{err}");
    let (_, err) = check("binaries list --only", 2);
    assert!(err.starts_with("error: --only needs a filter") && err.contains("\nhint: "), "{err}");
    let (_, err) = check("binaries list --new soon", 2);
    assert!(err.contains("--new is not a time: soon\nhint: "), "{err}");
    for line in [
        "binaries",
        "binaries list --order most",
        "binaries show 9f86d",
        "binaries show x",
        "binaries pin",
    ] {
        check(line, 2);
    }
}

#[test]
fn a_list_that_is_cut_off_is_a_failure() {
    let first = binaries::binary_line(&BINARIES[0]);
    let (out, err) = check("binaries list cutoff --json", 1);
    assert!(out == first && err.contains("cut off"), "{out}{err}");
    let (out, err) = check("binaries list cutoff", 1);
    assert!(out.lines().count() == 2 && err.contains("cut off"), "{out}{err}");
}

#[test]
fn a_list_that_nobody_reads_any_more_is_a_success() {
    let server = Server::start();
    let mut child = command(&server, "binaries list endless -n 0 --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn a_content_is_shown_by_the_beginning_of_its_hash() {
    let (out, err) = check(&format!("binaries show {}", GOOD[..12].to_uppercase()), 0);
    assert_eq!(err, "");
    let begin = format!("● kept  /usr/bin/curl  {}\n  sha256            {}\n", &GOOD[..12], *GOOD);
    assert!(out.starts_with(&begin), "{out}");
    let (out, _) = check("binaries show e00000", 0);
    is_harmless(&out);
    for part in [
        "○ evicted  /tmp/Web\\nshell\\x1b[2J\\u{202e}  e00000000000\n",
        "  copy              not kept any more: removed to make room for others\n",
        "── file 1 of 2\n  path              /tmp/Web\\nshell\\x1b[2J\\u{202e}\n",
        "  attention         runs as its owner, whoever starts it (setuid)\n",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let (out, _) = check("binaries show e00000 --color always", 0);
    assert!(out.contains("\x1b[1m\x1b[35mmode 4755, owner 0:0\x1b[0m"), "{out:?}");
    assert_eq!(check("binaries show e00000 --json", 0).0, binaries::binary_line(&BINARIES[1]));
}

#[test]
fn a_hash_that_means_none_or_several_is_told() {
    for command in ["show", "pin", "unpin"] {
        let (_, err) = check(&format!("binaries {command} 123456"), 1);
        assert!(err.starts_with("error: no such binary: 123456\nhint: `bpfctl binaries list`"));
        let (_, err) = check(&format!("binaries {command} abcdef"), 2);
        let expected =
            "error: several hashes begin with abcdef\nhint: give more digits of the hash\n";
        assert_eq!(err, expected);
    }
}

#[test]
fn one_hash_that_means_several_is_told_among_others() {
    let (out, err) = check("binaries pin 500000 abcdef", 2);
    assert_eq!(out, "");
    assert!(err.ends_with("abcdef\nhint: give more digits of the hash\n"), "{err}");
}

#[test]
fn pinning_says_how_many() {
    let (out, err) = check("binaries pin 500000 600000 500000", 0);
    assert_eq!((&*out, &*err), ("2 binaries pinned\n", ""));
    let (out, err) = check("binaries unpin 500000", 0);
    assert_eq!((&*out, &*err), ("1 binary no longer pinned\n", ""));
    let (out, err) = check("binaries pin 500000 123456 654321", 1);
    assert_eq!(out, "1 binary pinned\n");
    assert!(err.starts_with("error: no such binary: 123456, 654321\nhint: "), "{err}");
    let (out, _) = check("binaries pin 500000 123456 --json", 1);
    assert_eq!(out, "{\"changed\":1,\"meant\":2}\n");
    let (_, err) = check("binaries pin eeeeee", 1);
    assert!(err.contains("a recorded database"), "{err}");
}

#[test]
fn pinning_what_has_no_copy_is_remarked() {
    let (out, err) = check("binaries pin 500000 e00000", 0);
    assert_eq!(out, "2 binaries pinned\n");
    assert_eq!(err, "note: e00000: not kept any more: removed to make room for others\n");
    assert_eq!(check("binaries unpin e00000", 0).1, "");
}

/// Gives the exit status, standard output and standard error.
fn verify(copies: Copies, options: &str) -> (Option<i32>, String, String) {
    let server = Server::with_copies(copies);
    let Output { status, stdout, stderr } =
        command(&server, &format!("binaries verify {options}")).output().unwrap();
    (status.code(), text(&stdout).to_owned(), text(&stderr).to_owned())
}

#[test]
fn sound_copies_are_a_success() {
    let sound = "3 copies checked, none is damaged\n";
    assert_eq!(verify(Copies::Sound, ""), (Some(0), sound.to_owned(), String::new()));
    let none = "there is no copy to check\n";
    assert_eq!(verify(Copies::None, ""), (Some(0), String::new(), none.to_owned()));
}

#[test]
fn damaged_copies_are_listed_and_a_failure() {
    let (status, out, err) = verify(Copies::Damaged, "");
    let reason = "not zstd: Web\\nshell\\x1b[2J\\u{202e}";
    let expected = format!(
        "DAMAGED{}REASON\n{}  {reason}\n{}  {reason}\n\n3 copies checked, 2 damaged\n",
        " ".repeat(59),
        "a".repeat(64),
        "b".repeat(64)
    );
    assert_eq!((status, &*out), (Some(1), &*expected));
    assert!(err.starts_with("error: 2 copies are damaged\nhint: "), "{err}");
}

#[test]
fn what_is_found_of_the_copies_passes_through_as_json() {
    let (status, out, _) = verify(Copies::Damaged, "--json");
    let done = VerifyLine::Done { checked: 3, damaged: 2, error: None };
    let lines = [binaries::damaged("a"), binaries::damaged("b"), done];
    assert_eq!(status, Some(1));
    assert_eq!(out, lines.iter().map(binaries::line).collect::<String>());
}

#[test]
fn reading_copies_that_fails_says_so_and_shows_what_came() {
    for (copies, reason) in [(Copies::CutOff, "cut off"), (Copies::Failed, "gave up: database")] {
        let (status, out, err) = verify(copies, "");
        assert_eq!((status, out.lines().count()), (Some(1), 3), "{out}");
        assert!(err.contains(reason), "{err}");
    }
}

#[test]
fn reading_copies_shows_progress_and_can_be_interrupted() {
    let server = Server::with_copies(Copies::Endless);
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = command(&server, "binaries verify --color never")
        .stdout(Stdio::null())
        .stderr(terminal.slave)
        .spawn()
        .unwrap();
    let progress = "checked 1 of 3 copies, 1.0 MiB of 10 MiB";
    let master = std::fs::File::from(terminal.master);
    let err = read_terminal(master.try_clone().unwrap(), Some(progress));
    assert!(err.contains(progress), "{err:?}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let err = read_terminal(master, None);
    assert!(err.contains("\r\x1b[Kerror: interrupted\r\nhint: "), "{err:?}");
}
