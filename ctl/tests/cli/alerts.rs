//! `bpfctl alerts …`

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::Server;
use crate::server::alerts::ALERTS;
use crate::{check, command};

const CLOSED: &str = "closed alerts are not shown; all with --status all\n";

#[track_caller]
fn is_harmless(out: &str) {
    assert!(!out.contains(['\x1b', '\u{202e}']), "{out:?}");
}

#[test]
fn open_alerts_are_listed_the_newest_last() {
    let (out, err) = check("alerts", 0);
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            "TIME             ID  LEVEL     STATUS         RULE                       COUNT      PID  PROCESS   USER      COMMAND",
            "2026-11-24 UTC",
            "08:50:08.000      2  high      ◐ in_progress  SSH key added                ×12      100  sh        root      sh -c \\x1b[2J",
            "08:50:09.000      3  critical  ● new          Web\\nshell\\x1b[2J\\u{202e}             100  sh        root      sh -c \\x1b[2J",
        ]
    );
    assert_eq!(err, CLOSED);
    let (out, _) = check("alerts --color always", 0);
    assert!(out.contains("\x1b[1m\x1b[31mcritical\x1b[0m  \x1b[1m● new\x1b[0m"), "{out:?}");
}

#[test]
fn alerts_are_narrowed_and_turned_round() {
    let ids = |line: &str| -> Vec<u64> {
        let (out, err) = check(line, 0);
        assert_eq!(err, "");
        let id = |line: &str| {
            let alert: common::alert::Alert<'_> = serde_json::from_str(line).unwrap();
            alert.alert.id
        };
        out.lines().map(id).collect()
    };
    assert_eq!(ids("alerts --json"), [2, 3]);
    assert_eq!(ids("alerts --json --reverse"), [3, 2]);
    assert_eq!(ids("alerts --json --status all"), [1, 2, 3]);
    assert_eq!(ids("alerts --json --status resolved,new"), [1, 3]);
    assert_eq!(ids("alerts --json --level crit"), [3]);
    assert_eq!(ids("alerts --json --rule absent"), [0; 0]);
    assert_eq!(ids("alerts --json -n 1"), [3]);
    assert_eq!(ids("alerts --json --since 2026-11-24T08:50:06Z"), [2, 3]);
    assert_eq!(ids("alerts --json pages -n 0 --status all"), [1, 2, 3]);
    assert_eq!(ids("alerts --json pages -n 0 --status all --reverse"), [3, 2, 1]);
    let (out, _) = check("alerts --json --status all", 0);
    assert_eq!(out, ALERTS.concat());
}

#[test]
fn what_the_table_cannot_tell_is_remarked() {
    let (_, err) = check("alerts -n 1", 0);
    assert_eq!(err, format!("the newest 1 alert; all with -n 0\n{CLOSED}"));
    let (_, err) = check("alerts --status all", 0);
    assert_eq!(err, "");
    let (out, err) = check("alerts pid = 9 --level high", 0);
    assert_eq!(out, "");
    assert_eq!(err, "no alert matches\nhint: remove `pid = 9` or `--level`\n");
    let (_, err) = check("alerts --rule absent --status new", 0);
    assert_eq!(err, "no alert matches\nhint: remove `--status` or `--rule`\n");
}

#[test]
fn wrong_alert_commands_are_wrong_usage() {
    let (_, err) = check("alerts nmae = x", 2);
    assert!(err.contains("\n  nmae = x\n  ^^^^\n"), "{err}");
    let (_, err) = check("alerts --json show 3", 2);
    assert!(err.contains("hint: put it first: `bpfctl alerts show …`"), "{err}");
    for line in [
        "alerts --status open",
        "alerts --level severe",
        "alerts --follow --until now",
        "alerts --since soon",
        "alerts show x",
        "alerts set 1",
        "alerts set --note x",
        "alerts set 5..3 --note x",
        "alerts set 1..999999999 --note x",
    ] {
        check(line, 2);
    }
}

#[test]
fn a_result_of_alerts_that_is_cut_off_is_a_failure() {
    for line in ["alerts cutoff", "alerts cutoff --json -r", "alerts cutoff -f"] {
        let (_, err) = check(line, 1);
        assert!(err.contains("cut off") && err.contains("\nhint: "), "{line}: {err}");
    }
    let (out, _) = check("alerts cutoff --json -r", 1);
    assert_eq!(out, ALERTS[2], "what came before is shown");
}

#[test]
fn following_shows_changes_and_ends_with_ctrl_c() {
    let server = Server::start();
    let mut child = command(&server, "alerts -f").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<_> = out.by_ref().take(5).map(Result::unwrap).collect();
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        lines[1..],
        [
            "2026-11-24 UTC",
            "08:50:08.000      2  high      ● new          SSH key added                               ×12      100  sh        root      sh -c \\x1b[2J",
            "08:51:06.000      2  high      ◐ in_progress  SSH key added                               ×12      100  sh        root      by alice: ours: Web\\nshell\\x1b[2J\\u{202e}",
            "!! 2 alerts not shown: this reader was too slow; they are stored, list them without --follow",
        ]
    );
    let (_, err) = check("alerts -f recorded", 1);
    assert!(err.contains("a recorded database") && err.contains("\nhint: "), "{err}");
}

#[test]
fn alerts_that_nobody_reads_any_more_are_a_success() {
    let server = Server::start();
    let mut child = command(&server, "alerts endless -r -n 0 --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), crate::text(&output.stderr)), (Some(0), ""));
}

#[test]
fn an_alert_is_shown_whole() {
    let (out, err) = check("alerts show 2", 0);
    assert_eq!(err, "");
    is_harmless(&out);
    for part in [
        "high  SSH key added  alert 2\n  status            ◐ in_progress\n",
        "  count             ×12, the last 2026-11-24 08:50:36.000\n",
        "  note              ours: Web\n                    shell\\x1b[2J\\u{202e}\n",
        "  author            BPF Recorder\n",
        "  tags              attack.persistence\n  false positives   ssh-copy-id\n",
        "  command           sh -c \\x1b[2J\n  pid               100\n",
        "ancestry\n    100  sh -c \\x1b[2J\n    100  └─ sh -c \\x1b[2J\n",
        "  2026-11-24 08:51:06.000  ◐ in_progress  by alice\n",
        "── the process as it was then\n  executable        /bin/sh\n",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert_eq!(check("alerts show 2 --json", 0).0, ALERTS[1]);
    let (_, err) = check("alerts show 99", 1);
    assert!(err.starts_with("error: no such alert: 99\nhint: `bpfctl alerts --status"), "{err}");
}

const EXPLAINED: &str = "\
critical  Web\\nshell\\x1b[2J\\u{202e}  alert 3
  rule              53b8a9a2-9165-4265-9f56-53a5104abdac
  raised            2026-11-24 08:50:09.000
  process           sh -c \\x1b[2J  pid 100
  matched           shell

── the rule, with the selections that matched
  title: SSH key added
  detection:
>   shell:
>     Image|endswith: '/sh'
    other:
      Image: x
    condition: shell and not other

── the event, with what was found
shell
  Image|endswith '/sh'
      /bin»/sh«
  CommandLine
      sh -c »\\x1b[2J«
other
  not Image 'x'
      /bin/sh
  User
      (there is none)

── the correlation
  type              event_count
  value             5
  within            1 m 00 s
  of                User = Web\\nshell\\x1b[2J\\u{202e}
";

#[test]
fn an_alert_is_explained_in_the_rule_and_in_the_event() {
    assert_eq!(check("alerts explain 3", 0).0, EXPLAINED);
    let (out, _) = check("alerts explain 3 --color always", 0);
    assert!(out.contains("\x1b[1m> \x1b[0m\x1b[1m    Image|endswith: '/sh'\x1b[0m\n"), "{out:?}");
    assert!(out.contains("/bin\x1b[1m\x1b[4m\x1b[33m/sh\x1b[0m\n"), "{out:?}");
    assert!(out.contains("\x1b[33m\\x1b[2J\x1b[0m\n") && !out.contains('»'), "{out:?}");
    assert_eq!(check("alerts explain 3 --json", 0).0, ALERTS[2]);
    let (_, err) = check("alerts explain 99", 1);
    assert!(err.starts_with("error: no such alert: 99\n"), "{err}");
}

#[test]
fn alerts_are_judged_by_number_and_range() {
    let (out, err) = check("alerts set 1..3 --status false_positive", 0);
    assert_eq!((&*out, &*err), ("3 alerts set to false_positive\n", ""));
    let (out, err) = check("alerts set 1,3..5 7 --note ours", 0);
    assert_eq!((&*out, &*err), ("note added to 2 alerts\n", "no such alert: 4, 5, 7\n"));
    let (out, err) = check("alerts set 3..300 --note ours", 0);
    assert_eq!((&*out, &*err), ("note added to 1 alert\n", "297 of these do not exist\n"));
    let (out, _) = check("alerts set 1 2 9 --status false-positive --json", 0);
    assert_eq!(out, "{\"changed\":2,\"meant\":3}\n");
    let server = Server::start();
    let output = command(&server, "alerts set 2 --status false_positive")
        .args(["--note", "our backup"])
        .output()
        .unwrap();
    assert_eq!(crate::text(&output.stdout), "1 alert set to false_positive, with a note\n");
}

#[test]
fn alerts_that_cannot_be_judged_are_a_failure() {
    let (_, err) = check("alerts set 9 --note ours", 1);
    assert!(err.starts_with("error: no such alert: 9\nhint: "), "{err}");
    let (_, err) = check("alerts set 8..9 --note ours", 1);
    assert!(err.starts_with("error: none of these 2 alerts exists\nhint: "), "{err}");
    let (_, err) = check("alerts set 1 --note recorded", 1);
    assert!(err.contains("a recorded database") && err.contains("\nhint: it can be read"), "{err}");
}
