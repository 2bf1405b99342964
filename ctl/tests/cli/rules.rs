//! `bpfctl rules …`

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use common::rule::{HuntDone, HuntLine, RuleInfo};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::{Server, rules};
use crate::{check, command, read_terminal, text};

/// With arguments that have spaces; gives the exit status, standard output and standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    finished(&command(&Server::start(), "rules").args(args).output().unwrap())
}

fn finished(output: &Output) -> (Option<i32>, String, String) {
    let (out, err) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
    (output.status.code(), out, err)
}

/// With a text on standard input.
fn feed(line: &str, input: &str) -> (Option<i32>, String, String) {
    let server = Server::start();
    let mut command = command(&server, line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    finished(&child.wait_with_output().unwrap())
}

#[track_caller]
fn is_harmless(out: &str) {
    assert!(!out.contains(['\x1b', '\u{202e}']), "{out:?}");
}

#[test]
fn rules_are_listed_the_worst_first_with_a_summary() {
    let (out, err) = check("rules list", 0);
    assert_eq!(err, "");
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            "LEVEL          STATE       ID        ALERTS  TITLE                      ORIGIN    FILE",
            "critical       ● active    6efe6899       0  Web\\nshell\\x1b[2J\\u{202e}  uploaded  my.yml",
            "medium         ◌ inert     7a111111       0  Known bad hash             shipped   persistence/ssh.yml",
            "  └ Hashes is never filled: Web\\nshell\\x1b[2J\\u{202e}",
            "medium         ● active    53b8a9a2      12  SSH key added              shipped   persistence/ssh.yml",
            "low            ○ disabled  7b222222       0  Cron job                   shipped   persistence/ssh.yml",
            "informational  ✗ unusable                 0  (no title)                 uploaded  my.yml",
            "  └ no condition",
            "",
            "5 rules: 2 active, 1 disabled, 1 inert, 1 unusable",
        ]
    );
}

#[test]
fn lists_are_narrowed_by_patterns_states_and_levels() {
    let titles = |line: &str| -> Vec<String> {
        let (out, err) = check(line, 0);
        assert_eq!(err, "");
        let rule = |line: &str| serde_json::from_str::<RuleInfo>(line).unwrap().title;
        out.lines().map(rule).collect()
    };
    assert_eq!(titles("rules list --json").len(), 5);
    assert_eq!(titles("rules list 53B8 --json"), ["SSH key added"]);
    assert_eq!(titles("rules list ssh cron --json"), ["SSH key added", "Cron job"]);
    assert_eq!(titles("rules list *hash level:low --json"), ["Known bad hash", "Cron job"]);
    assert_eq!(titles("rules list tag:attack.* --level med --state active --json").len(), 2);
    assert_eq!(titles("rules list --state disabled,INERT --json").len(), 2);
    assert!(titles("rules list --state overridden --json").is_empty());
    let (out, _) = check("rules list ssh", 0);
    assert!(out.ends_with("\n1 of 5 rules: 1 active\n"), "{out}");
}

#[test]
fn an_empty_list_teaches() {
    let (out, err) = check("rules list tag:absent", 0);
    assert_eq!(out, "");
    assert_eq!(
        err,
        "no rule fits\nhint: leave a pattern or an option out; `bpfctl rules list` lists all 5\n"
    );
    check("rules list --state gone", 2);
    check("rules list --level severe", 2);
    check("rules", 2);
}

#[test]
fn a_rule_is_shown_with_its_text() {
    let (out, _) = check("rules show 53b8a9a2", 0);
    assert!(out.starts_with("● active  medium  SSH key added\n  id                53b8"), "{out}");
    assert!(out.contains("\nfalse positives\n  ssh-copy-id\n"), "{out}");
    assert!(out.ends_with("── text\ntitle: SSH key added\ndetection:\n  x: '\\x1b[2J'\n"), "{out}");
    let (out, _) = check("rules show 53b8a9a2 --json", 0);
    assert!(serde_json::from_str::<common::rule::RuleText>(&out).is_ok(), "{out}");
    assert_eq!(run(&["show", "SSH key added"]).0, Some(0));
    let (_, err) = check("rules show absent", 1);
    assert!(err.starts_with("error: no such rule: absent\nhint: `bpfctl rules list`"), "{err}");
    let (_, err) = check("rules show 7", 2);
    assert!(err.starts_with("error: several rules are meant: 7\nhint: "), "{err}");
}

#[test]
fn switching_says_how_many_were_meant_and_changed() {
    let switch = |verb| run(&[verb, "SSH key added", "tag:x"]);
    assert_eq!(switch("disable"), (Some(0), "3 rules meant, 2 changed\n".into(), String::new()));
    assert_eq!(switch("enable"), (Some(0), "1 rule meant, 1 changed\n".into(), String::new()));
    let (_, out, _) = run(&["disable", "SSH key added", "tag:x", "--json"]);
    assert_eq!(out, "{\"meant\":3,\"changed\":2}\n");
    let (out, err) = check("rules enable none*", 1);
    assert_eq!(out, "");
    assert!(err.starts_with("error: no rule fits none*\nhint: `bpfctl rules list"), "{err}");
    let (_, err) = check("rules disable recorded", 1);
    assert!(err.contains("a recorded database") && err.contains("hint: it can be read"), "{err}");
    check("rules disable", 2);
}

#[test]
fn only_uploaded_rules_are_removed() {
    let disable = "`bpfctl rules disable PATTERN`";
    let (out, err) = check("rules remove 6efe", 0);
    assert_eq!((&*out, &*err), ("1 rule meant, 1 removed\n", ""));
    let (out, err) = check("rules remove *", 0);
    assert_eq!(out, "5 rules meant, 2 removed\n");
    assert!(err.starts_with("hint: ") && err.contains(disable), "{err}");
    let (_, err) = check("rules remove SSH*", 1);
    assert!(err.starts_with("error: 2 rules meant, none of them was uploaded\nhint: "), "{err}");
    assert!(err.contains(disable), "{err}");
    let (_, err) = check("rules remove none*", 1);
    assert!(err.starts_with("error: no uploaded rule fits none*\n") && err.contains(disable));
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

fn line(command: &str, path: &Path) -> String {
    format!("rules {command} {}", path.display())
}

#[test]
fn one_file_is_uploaded_and_its_rule_named() {
    let directory = directory(&[("my.yml", "again")]);
    let (out, err) = check(&line("upload", &directory.path().join("my.yml")), 0);
    assert_eq!(err, "");
    let expected = "\
uploaded 1 file: 1 stored, 0 refused
  active            1 rule
  replaced          1 rule that had the same id

STATE     LEVEL     ID                                    TITLE
● active  high      53b8a9a2-9165-4265-9f56-53a5104abdac  Web\\nshell\\x1b[2J\\u{202e}
  └ the id was derived
";
    assert_eq!(out, expected);
}

#[test]
fn directories_are_uploaded_with_a_summary_by_reason() {
    let directory = directory(&[
        ("a.yml", "good"),
        ("b/c.yaml", "refused"),
        ("b/d.yml", "refused"),
        ("e.yml", "half"),
        ("f.yml", "misnamed"),
        ("notes.txt", "refused"),
    ]);
    let large = std::fs::File::create(directory.path().join("large.yml")).unwrap();
    large.set_len((5 << 20) + 1).unwrap();
    let (out, err) = check(&line("upload", directory.path()), 1);
    let expected = "\
uploaded 6 files: 2 stored, 4 refused
  active            2 rules
  unusable          1 rule

STATE       LEVEL          ID                                    TITLE
● active    high           53b8a9a2-9165-4265-9f56-53a5104abdac  Web\\nshell\\x1b[2J\\u{202e}
  └ the id was derived
● active    high           53b8a9a2-9165-4265-9f56-53a5104abdac  Web\\nshell\\x1b[2J\\u{202e}
  └ the id was derived
✗ unusable  informational                                        (no title)

refused
  2  unknown modifier: Web\\nshell\\x1b[2J\\u{202e}
     b-c.yaml, b-d.yml
  1  larger than 5 MiB
     large.yml
  1  no condition
     e.yml
  1  not a name: f.yml
     f.yml
";
    assert_eq!(out, expected);
    assert_eq!(
        err,
        "error: 4 of 6 files refused\nhint: the summary says why; everything else is stored\n"
    );
}

#[test]
fn reports_are_one_a_line_in_json() {
    let directory = directory(&[("a.yml", "good"), ("b.yml", "refused"), ("c.yml", "misnamed")]);
    let (out, err) = check(&(line("upload", directory.path()) + " --json"), 1);
    let reports: Vec<common::rule::Report> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> =
        reports.iter().map(|report| (&*report.file, report.reason.is_none())).collect();
    assert_eq!(found, [("a.yml", true), ("b.yml", false), ("c.yml", false)]);
    assert!(err.starts_with("error: 2 of 3 files refused\n"), "{err}");
}

#[test]
fn checking_stores_nothing_and_says_so() {
    let directory = directory(&[("a.yml", "good"), ("b.yml", "refused")]);
    let (out, _) = check(&line("validate", &directory.path().join("a.yml")), 0);
    assert!(out.starts_with("checked 1 file, nothing is stored: 1 good, 0 refused\n"), "{out}");
    let (out, err) = check(&line("validate", directory.path()), 1);
    assert!(out.starts_with("checked 2 files, nothing is stored: 1 good, 1 refused\n"), "{out}");
    assert!(err.contains("nothing was stored"), "{err}");
}

#[test]
fn standard_input_is_uploaded_under_a_name() {
    let file = |line: &str| {
        let (status, out, err) = feed(line, "good");
        assert_eq!((status, &*err), (Some(0), ""), "{out}");
        serde_json::from_str::<common::rule::Report>(&out).unwrap().file
    };
    assert_eq!(file("rules upload - --json"), "stdin.yml");
    assert_eq!(file("rules upload - --name my.yml --json"), "my.yml");
    let (_, err) = check("rules upload x.yml --name y.yml", 2);
    assert!(err.contains("hint: "), "{err}");
    check("rules upload - -", 2);
    check("rules upload", 2);
}

#[test]
fn absent_files_are_refused_and_empty_directories_are_a_failure() {
    let empty = directory(&[("notes.txt", "x")]);
    let (_, err) = check(&line("upload", empty.path()), 1);
    assert!(err.starts_with("error: there is no rule: ") && err.contains("\nhint: "), "{err}");
    let (out, _) = check(&line("upload", &empty.path().join("absent.yml")), 1);
    assert!(out.contains("  1  cannot be read: No such file or directory"), "{out}");
}

#[test]
fn a_fault_of_the_recorder_ends_an_upload_and_tells_how_far_it_came() {
    let directory = directory(&[("a.yml", "good"), ("b.yml", "recorded"), ("c.yml", "good")]);
    let (out, err) = check(&line("upload", directory.path()), 1);
    assert!(out.starts_with("uploaded 1 file: 1 stored, 0 refused\n"), "{out}");
    assert!(err.starts_with("error: the recorder serves a recorded database"), "{err}");
    assert!(err.ends_with("\nhint: 1 of 3 files had been sent before that\n"), "{err}");
}

#[test]
fn a_terminal_is_told_how_far_an_upload_is() {
    let directory = directory(&[("a.yml", "slow"), ("b.yml", "good"), ("c.yml", "good")]);
    let terminal = nix::pty::openpty(None, None).unwrap();
    let server = Server::start();
    let output = command(&server, &line("upload", directory.path()))
        .stderr(terminal.slave)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let err = read_terminal(terminal.master.into(), None);
    assert!(err.contains("\r\x1b[Kuploading 2/3\r\x1b[K"), "{err:?}");
    assert!(err.ends_with("\r\x1b[K"), "{err:?}");
}

#[test]
fn a_hunt_counts_command_lines() {
    let since = ["test", "53b8a9a2", "--since", "2026-11-24 08:50:06"];
    let until = ["test", "53b8a9a2", "user", "=", "root", "--until", "2026-11-24 08:50:06"];
    for args in [&["test", "53b8a9a2"][..], &since, &until] {
        let (status, out, err) = run(args);
        assert_eq!((status, &*err), (Some(0), ""));
        let expected = "\
COUNT  LEVEL     RULE                       FIRST                    LAST                     COMMAND
   12  high      Web\\nshell\\x1b[2J\\u{202e}  2026-11-24 08:50:06.000  2026-11-24 08:50:07.000  sh -c \\x1b[2J
    1  high      Web\\nshell\\x1b[2J\\u{202e}  2026-11-24 08:50:06.000  2026-11-24 08:50:07.000  /bin/sh

would have fired 13 times, on 2 command lines; 100 records looked at
";
        assert_eq!(out, expected);
    }
}

#[test]
fn a_hunt_in_json_has_its_end() {
    let (out, err) = check("rules test 53b8a9a2 --json", 0);
    let done = HuntDone { looked_at: 100, matched: 13, ..HuntDone::default() };
    let lines = [rules::found(12, "sh -c \x1b[2J"), rules::found(1, ""), HuntLine::Done(done)];
    assert_eq!(out, lines.iter().map(rules::hunt_line).collect::<String>());
    assert_eq!(err, "");
}

#[test]
fn a_hunt_takes_files_and_standard_input() {
    let directory = directory(&[("my.yml", "title: x"), ("broken.yml", "broken")]);
    let (out, _) = check(&line("test", &directory.path().join("my.yml")), 0);
    assert!(out.ends_with("100 records looked at\n"), "{out}");
    let (status, out, _) = feed("rules test -", "title: x");
    assert!(status == Some(0) && out.ends_with("100 records looked at\n"), "{out}");
    let (_, err) = check(&line("test", &directory.path().join("broken.yml")), 1);
    assert!(err.starts_with("error: the text cannot be used: no condition\nhint: "), "{err}");
    let (_, err) = check("rules test ./absent", 1);
    assert!(err.starts_with("error: ./absent cannot be read: No such file"), "{err}");
    let (_, err) = check("rules test absent", 1);
    assert!(err.starts_with("error: no such rule: absent\nhint: "), "{err}");
}

#[test]
fn a_hunt_without_result_teaches() {
    let (out, err) = check("rules test 53b8a9a2 never", 0);
    assert_eq!(out, "");
    assert_eq!(err, "it would never have fired: of 100 records looked at none fits\n");
    let (out, err) = check("rules test 53b8a9a2 pid = 9", 0);
    assert_eq!(out, "");
    assert!(err.starts_with("no record matches the filter\nhint: "), "{err}");
}

#[test]
fn a_hunt_that_fails_says_so_and_shows_what_came() {
    for (filter, reason) in [("cutoff", "cut off"), ("failed", "gave up: database")] {
        let (out, err) = check(&format!("rules test 53b8a9a2 {filter}"), 1);
        assert!(out.lines().count() == 3 && err.contains(reason), "{out}{err}");
        is_harmless(&out);
    }
    let (_, err) = check("rules test 53b8a9a2 nmae = x", 2);
    assert!(err.contains("\n  nmae = x\n  ^^^^\n"), "{err}");
    check("rules test 53b8a9a2 --since soon", 2);
}

#[test]
fn a_hunt_can_be_interrupted() {
    let server = Server::start();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = command(&server, "rules test 53b8a9a2 endless --color never")
        .stderr(terminal.slave)
        .spawn()
        .unwrap();
    let progress = "looked at 50 of 100 records";
    let master = std::fs::File::from(terminal.master);
    let err = read_terminal(master.try_clone().unwrap(), Some(progress));
    assert!(err.contains(progress), "{err:?}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let err = read_terminal(master, None);
    assert!(err.ends_with("\r\x1b[Kerror: interrupted\r\n"), "{err:?}");
}

#[test]
fn levels_and_states_are_coloured_where_asked() {
    let (out, _) = check("rules list --color always", 0);
    assert!(out.contains("\x1b[1m\x1b[31mcritical\x1b[0m"), "{out:?}");
    assert!(out.contains("\x1b[32m● active\x1b[0m"), "{out:?}");
    for line in ["rules list", "rules show 53b8a9a2", "rules test 53b8a9a2"] {
        is_harmless(&check(line, 0).0);
    }
}
