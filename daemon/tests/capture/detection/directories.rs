//! Directories of rules that come, go, and cannot be read, while the recorder runs.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};

use super::*;

fn is_active(client: &Client, id: &str) -> bool {
    state_of(client, id) == Some(RuleState::Active)
}

fn warns(client: &Client, part: &str) -> bool {
    let is_it =
        |warning: &String| warning.contains("rules may be missing") && warning.contains(part);
    client.health().warnings.iter().any(is_it)
}

/// By which rules a process with this word is alerted on.
fn alerted_by(client: &Client, word: &str) -> Vec<String> {
    let pid = process_with(word);
    // Whatever it is alerted on for is there together with its record.
    client.image(pid);
    let all = alerts(client, &[]);
    all.into_iter()
        .filter(|alert| alert.event.process.pid == pid)
        .map(|alert| alert.rule.id.to_string())
        .collect()
}

fn upload(scratch: &Scratch, client: &Client) {
    let file = put(scratch, "mine", "mine.yml", &rule(SECOND, "Mine", "wordtwo"));
    client.print(&["rules", "upload", file.to_str().unwrap()]);
    assert!(is_active(client, SECOND));
}

#[test]
fn directories_may_come_and_go() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    assert!(rules(client).is_empty() && !warns(client, ""));
    upload(&scratch, client);
    put(&scratch, "admin", "a.yml", &rule(FIRST, "One", "wordone"));
    wait_for("a new directory to be found", || is_active(client, FIRST).then_some(()));
    assert_eq!(alerted_by(client, "wordone"), [FIRST]);

    fs::remove_dir_all(scratch.path().join("admin")).unwrap();
    wait_for("a warning", || warns(client, "admin is gone").then_some(()));
    assert!(!is_active(client, FIRST));
    assert!(alerted_by(client, "wordone-gone").is_empty());
    assert_eq!(alerted_by(client, "wordtwo"), [SECOND], "the others are in force");
    // To switch a rule does not mean that the directory is not missed.
    client.print(&["rules", "disable", SECOND]);
    client.print(&["rules", "enable", SECOND]);
    assert!(warns(client, "admin is gone"));

    fs::create_dir(scratch.path().join("admin")).unwrap();
    put(&scratch, "admin", "b.yml", &rule(FIRST, "One", "wordone"));
    wait_for("rules in a directory that came back", || is_active(client, FIRST).then_some(()));
    assert!(!warns(client, ""));
    assert_eq!(alerted_by(client, "wordone-again"), [FIRST]);
    client.assert_lossless();
    recorder.stop();
}

#[test]
fn uploaded_rules_that_are_removed_from_outside_are_missed() {
    let scratch = Scratch::new();
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    upload(&scratch, client);
    let directory = scratch.data().join("rules");
    fs::remove_dir_all(&directory).unwrap();
    wait_for("a warning", || warns(client, "is gone").then_some(()));
    assert!(!is_active(client, SECOND));
    // Who has them read again says that they are as they should be.
    kill(recorder.sensor(), Signal::SIGHUP).unwrap();
    wait_for("the end of the warning", || (!warns(client, "")).then_some(()));
    upload(&scratch, client);
    assert!(directory.join("mine.yml").exists());
    assert_eq!(alerted_by(client, "wordtwo"), [SECOND]);
    recorder.stop();
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let scratch = Scratch::new();
    put(&scratch, "admin", "a.yml", &rule(FIRST, "One", "wordone"));
    let Some(recorder) = recorder(&scratch, &[]) else { return };
    let client = &recorder.client;
    assert!(is_active(client, FIRST));
    let mode = |mode| {
        let admin = scratch.path().join("admin");
        fs::set_permissions(admin, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o700);
    wait_for("a warning", || warns(client, "admin cannot be read").then_some(()));
    mode(0o755);
    wait_for("the end of the warning", || (!warns(client, "")).then_some(()));
    assert!(is_active(client, FIRST));
    assert_eq!(alerted_by(client, "wordone"), [FIRST]);
    recorder.stop();
}
