//! What is deleted while the recorder records, and what is not.

use std::fs;
use std::process::{Command, Stdio};

use crate::client::only;
use crate::database;
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::scratch::Scratch;
use crate::workload;

const RULE: &str = "title: By a word\nid: 11111111-1111-4111-8111-111111111111\nlevel: high\n\
    logsource: {category: process_creation, product: linux}\n\
    detection: {by_word: {CommandLine|endswith: ' exit 0 wordone'}, condition: by_word}\n";

/// A shell that has a child of its own with this word, and ends: its pid.
fn shell_with(word: &str) -> u32 {
    let line = format!("{} exit 0 {word}; exit 0", workload::path());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &line]).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = shell.spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

#[test]
fn what_is_old_goes_but_not_what_an_alert_needs_nor_what_runs() {
    let scratch = Scratch::new();
    fs::write(scratch.make_dir("admin").join("a.yml"), RULE).unwrap();
    let admin = scratch.path().join("admin").display().to_string();
    let mut options = vec!["--admin-rules", &*admin, "--shipped-rules", &*admin];
    options.extend(["--retention-age", "2s", "--alert-retention-age", "1h"]);
    options.extend(LOSSLESS);
    let Some(recorder) = Recorder::start(&scratch, &options) else { return };
    let client = &recorder.client;
    let sleeper = workload::sleeper();
    let alerted = shell_with("wordone");
    let plain = shell_with("wordtwo");
    assert_eq!(client.events(&format!("pid = {plain}")).len(), 1, "it is recorded");
    wait_for("the deletion of what is old", || {
        client.events(&format!("pid = {plain}")).is_empty().then_some(())
    });
    let parent = client.image(alerted);
    let child = only(client.children(parent.process.entity_id));
    assert_eq!(child.process.parent.unwrap().executable, parent.process.executable);
    assert_eq!(client.print(&["alerts", "--json"]).lines().count(), 1);
    assert_eq!(client.events(&format!("pid = {}", sleeper.pid())).len(), 1, "it runs");
    let own = std::process::id();
    assert!(!client.events(&format!("pid = {own}")).is_empty(), "an ancestor of all of them");

    let kept = client.health().store.retention.unwrap();
    assert!(kept.deleted_records >= 2, "{kept:?}");
    assert_eq!((kept.age_ns, kept.deleted_alerts), (Some(2_000_000_000), 0));
    assert!(kept.last_pass.is_some() && kept.unmet.is_none());
    assert!(
        client.print(&["status"]).contains("2.0 s, up to 10 GiB"),
        "{}",
        client.print(&["status"])
    );
    drop(sleeper);
    recorder.stop();
    database::assert_sound(&scratch.database());
}
