//! The program as people run it, against a recorder that stands for the wire.
//!
//! The real daemon is driven in the tests of the daemon.

#[path = "cli/alerts.rs"]
mod alerts;
#[path = "cli/binaries.rs"]
mod binaries;
#[path = "cli/binaries_get.rs"]
mod binaries_get;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/manual.rs"]
mod manual;
#[path = "cli/rules.rs"]
mod rules;
#[path = "cli/server.rs"]
mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server::Server;

fn command(server: &Server, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpfctl"));
    command.args(line.split_whitespace()).arg("--utc").env("BPFCTL_ADDRESS", server.address());
    command.env_remove("CLICOLOR_FORCE");
    command
}

fn run(server: &Server, line: &str) -> Output {
    command(server, line).output().expect("bpfctl runs")
}

/// What was written to a terminal, up to a text, or until nobody holds it any more.
fn read_terminal(mut master: std::fs::File, end: Option<&str>) -> String {
    let mut found = String::new();
    let mut part = [0; 1000];
    // An error is how the end of a terminal is told.
    while let Ok(length @ 1..) = master.read(&mut part) {
        found.push_str(text(&part[..length]));
        if end.is_some_and(|end| found.contains(end)) {
            break;
        }
    }
    found
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

/// Runs, checks the exit status, and gives standard output and standard error.
#[track_caller]
fn check(line: &str, status: i32) -> (String, String) {
    let output = run(&Server::start(), line);
    let (out, err) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
    assert_eq!(output.status.code(), Some(status), "{line}\n{out}{err}");
    (out, err)
}

#[test]
fn json_passes_through_without_its_end() {
    let (out, err) = check("events --json -n 0", 0);
    assert_eq!(out, server::RECORDS.concat());
    assert_eq!(err, "");
    let (out, _) = check("events --json --reverse", 0);
    assert_eq!(out, server::RECORDS.iter().rev().map(String::as_str).collect::<String>());
}

#[test]
fn the_newest_are_chosen_and_the_oldest_of_them_comes_first() {
    let (out, err) = check("events --json -n 2", 0);
    assert_eq!(out, server::RECORDS[1..].concat());
    assert_eq!(err, "");
    let (out, err) = check("events -n 2", 0);
    let rows: Vec<_> = out.lines().map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(rows[2..], [Some("101"), Some("102")], "{out}");
    assert_eq!(err, "the newest 2 records; all with -n 0\n");
}

#[test]
fn the_table_is_aligned_and_harmless() {
    let (out, _) = check("events", 0);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "TIME              PID     PPID  USER      STATUS     COMMAND",
            "2026-11-24 UTC",
            "08:50:06.000      100        1  root      ▶ running  sh -c \\x1b[2J",
            "08:50:07.000      101        1  root      · ended    sh -c \\x1b[2J",
            "08:50:08.000      102        1  root      ! SIGKILL  sh -c \\x1b[2J",
        ]
    );
}

#[test]
fn nothing_found_is_a_success_that_says_so() {
    let (out, err) = check("events pid = 9", 0);
    assert_eq!(out, "");
    assert!(err.starts_with("no process matches\nhint: "), "{err}");
}

#[test]
fn a_filter_that_does_not_parse_is_pointed_at() {
    for line in ["events nmae = x", "export nmae = x", "top pid nmae = x", "events -f nmae = x"] {
        let (out, err) = check(line, 2);
        assert_eq!(out, "");
        assert!(err.contains("\n  nmae = x\n  ^^^^\n"), "{line}: {err}");
        assert!(err.contains("hint: `bpfctl fields`"), "{err}");
    }
}

#[test]
fn wrong_times_and_ids_are_wrong_usage() {
    let (_, err) = check("events --since soon", 2);
    assert!(err.contains("--since is not a time: soon\nhint: "), "{err}");
    check("show bash", 2);
    check("events --frobnicate", 2);
    check("export --json --format csv", 2);
}

#[test]
fn an_ambiguous_pid_is_wrong_usage_with_a_choice() {
    for line in ["show 7", "tree 7", "show 7 --json"] {
        let (out, err) = check(line, 2);
        assert_eq!(out, "");
        assert!(err.contains("error: 2 processes had the pid 7\n"), "{err}");
        assert!(
            err.contains("3f2a9c81d0b4-7-64     2026-11-24 08:50:06.000  ended    one\n"),
            "{err}"
        );
        assert!(err.ends_with("hint: choose one by its id\n"), "{err}");
    }
}

#[test]
fn no_such_process_is_a_failure() {
    let (_, err) = check("show 8", 1);
    assert!(err.starts_with("error: not found: no process 8\nhint: "), "{err}");
}

#[test]
fn a_process_is_shown_and_drawn() {
    let (out, _) = check("show 100", 0);
    assert!(out.starts_with("▶ running  sh  pid 100\n"), "{out}");
    assert!(out.contains(&format!("\n  sha256            {}\n", "9f86".repeat(16))), "{out}");
    let package = "  package           dash (dpkg), modified: not as the package brought it\n";
    assert!(out.contains(&format!("\n  copy              kept\n{package}")), "{out}");
    let (out, _) = check("show 100 --json", 0);
    assert_eq!(out, server::RECORDS[0]);
    let (out, _) = check("show 101", 0);
    assert!(out.contains("\n  content           not known: the process had ended and"), "{out}");
    let (out, _) = check("tree 101", 0);
    assert!(out.contains("▸ 101"), "{out}");
}

#[test]
fn state_figures_and_counts_are_shown() {
    let (out, _) = check("status", 0);
    assert!(
        out.starts_with("● recording  web1\n") && out.contains("!! 12 records, in 1 gap"),
        "{out}"
    );
    let (out, _) = check("health", 0);
    assert!(out.contains("!! 2026-11-24 08:50:06.000  12 exec records lost on CPU 1"), "{out}");
    let (out, _) = check("health --json", 0);
    assert!(out.lines().nth(1).is_some_and(|line| line.starts_with("{\"gap\":")), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    let (out, _) = check("top exe", 0);
    assert!(out.contains("/bin/sh"), "{out}");
    let (out, _) = check("top exe --json", 0);
    assert!(out.starts_with("{\"value\":\"/bin/sh\",\"count\":3,"), "{out}");
}

#[test]
fn a_result_that_is_cut_off_is_a_failure() {
    for line in ["events cutoff", "events cutoff -n 0 --json", "export cutoff", "events -f cutoff"]
    {
        let (_, err) = check(line, 1);
        assert!(err.contains("cut off") && err.contains("\nhint: "), "{line}: {err}");
    }
    let (out, _) = check("events cutoff -n 0 --json", 1);
    assert_eq!(out, server::RECORDS[0], "what came before is shown");
}

#[test]
fn a_recorder_that_cannot_be_reached_has_its_own_status() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    let deaf = directory.path().join("deaf");
    // Dropped at once: the socket stays, nobody listens.
    drop(std::os::unix::net::UnixListener::bind(&deaf).unwrap());
    for (path, reason) in [(&absent, "there is no such socket"), (&deaf, "nobody listens")] {
        for command in ["status", "events", "export"] {
            let output = Command::new(env!("CARGO_BIN_EXE_bpfctl"))
                .args([command, "--address"])
                .arg(path)
                .output()
                .unwrap();
            let err = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{err}");
            assert!(err.contains(reason) && err.contains("\nhint: start the recorder"), "{err}");
        }
    }
}

#[test]
fn output_that_nobody_reads_any_more_is_a_success() {
    for line in [
        "events endless -n 0",
        "events endless -n 0 --json",
        "export endless",
        "export endless --format csv",
    ] {
        let server = Server::start();
        let mut child =
            command(&server, line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{line}");
    }
}

#[test]
fn following_prints_at_once_and_ends_with_ctrl_c() {
    for line in ["events -f", "events -f --json"] {
        let server = Server::start();
        let mut child = command(&server, line).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        // The server keeps the pipe open: these lines came through while it was.
        let lost = out
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("lost") || line.contains("\"gap\""));
        assert!(lost.is_some());
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
}

#[test]
fn following_shows_the_end_of_processes() {
    let server = Server::start();
    let mut child = command(&server, "events -f").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<_> = out.by_ref().take(6).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        lines[2..],
        [
            "08:50:06.000      100        1  root      ▶ running  sh -c \\x1b[2J",
            "08:50:08.000      102        1  root      ! killed   sh killed by SIGKILL after 1.4 ms",
            "!! 2 events not shown: this reader was too slow; they are in the record, list them without --follow",
            "!! 08:50:06.000  12 exec records lost on CPU 1 (ring-full)",
        ]
    );
}

#[test]
fn exports_are_whole_private_and_never_overwrite() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.ndjson");
    let export = |options: &str| {
        let output = run(&Server::start(), &format!("export {options} -o {}", file.display()));
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let names = |path: &Path| std::fs::read_dir(path).unwrap().count();

    assert_eq!(export("cutoff").0, Some(1));
    assert_eq!(names(directory.path()), 0, "a file that is not whole is removed");

    let (status, err) = export("");
    assert_eq!((status, err), (Some(0), format!("wrote 3 records to {}\n", file.display())));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), server::RECORDS.concat());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let (status, err) = export("--format csv");
    assert_eq!(status, Some(1));
    assert!(err.contains("exists\nhint: ") && err.contains("--force"), "{err}");

    assert_eq!(export("--format csv --force").0, Some(0));
    let csv = std::fs::read_to_string(&file).unwrap();
    assert_eq!((csv.lines().count(), names(directory.path())), (4, 1));
}

#[test]
fn an_interrupted_export_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start();
    let file = directory.path().join("x");
    let mut child = command(&server, &format!("export endless -o {}", file.display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let is_writing = || {
        let files = std::fs::read_dir(directory.path()).unwrap();
        files.flatten().any(|entry| entry.metadata().is_ok_and(|found| found.len() > 0))
    };
    while !is_writing() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn colour_is_used_only_where_asked_on_a_pipe() {
    let (out, _) = check("events", 0);
    assert!(!out.contains('\x1b'));
    let (out, _) = check("events --color always", 0);
    assert!(out.contains("\x1b[32m▶ running\x1b[0m"), "{out}");
}

#[test]
fn fields_and_completions_need_no_recorder() {
    for line in [&["fields"][..], &["fields", "--json"], &["completions", "zsh"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_bpfctl"))
            .args(line)
            .env("BPFCTL_ADDRESS", "/nowhere")
            .output()
            .unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{line:?}");
    }
}
