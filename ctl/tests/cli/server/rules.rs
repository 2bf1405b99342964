//! Canned rules: what is asked for decides the answer.

use common::bus::{Affected, Error};
use common::rule::{
    Found, HuntDone, HuntLine, Level, Origin, Report, RuleInfo, RuleState, RuleText,
};
use zbus::interface;

use super::{TIME_NS, check_filter, pipe};

pub(crate) const SSH: &str = "53b8a9a2-9165-4265-9f56-53a5104abdac";

/// Text that would do harm on a terminal.
pub(crate) const HOSTILE: &str = "Web\nshell\x1b[2J\u{202e}";

fn rule(id: &str, title: &str, level: Level, state: RuleState) -> RuleInfo {
    RuleInfo {
        id: id.to_owned(),
        title: title.to_owned(),
        level,
        is_correlation: false,
        state,
        reason: None,
        is_enabled: state != RuleState::Disabled,
        origin: Origin::Shipped,
        file: "persistence/ssh.yml".to_owned(),
        document: 1,
        status: Some("test".to_owned()),
        description: None,
        author: Some("BPF Recorder".to_owned()),
        license: None,
        date: None,
        tags: vec!["attack.persistence".to_owned()],
        references: Vec::new(),
        falsepositives: vec!["ssh-copy-id".to_owned()],
        notes: Vec::new(),
        alerts: 0,
    }
}

pub(crate) fn rules() -> Vec<RuleInfo> {
    let uploaded = |rule| RuleInfo { origin: Origin::Uploaded, file: "my.yml".to_owned(), ..rule };
    vec![
        RuleInfo { alerts: 12, ..rule(SSH, "SSH key added", Level::Medium, RuleState::Active) },
        uploaded(rule("6efe6899-bd1e", HOSTILE, Level::Critical, RuleState::Active)),
        RuleInfo {
            reason: Some(format!("Hashes is never filled: {HOSTILE}")),
            ..rule("7a111111-bd1e", "Known bad hash", Level::Medium, RuleState::Inert)
        },
        rule("7b222222-bd1e", "Cron job", Level::Low, RuleState::Disabled),
        uploaded(RuleInfo {
            reason: Some("no condition".to_owned()),
            tags: Vec::new(),
            ..rule("", "", Level::Informational, RuleState::Unusable)
        }),
    ]
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Failed(error.to_string()))
}

pub(crate) struct Rules;

#[interface(name = "org.bpfrecorder.Recorder1.Rules")]
impl Rules {
    async fn list(&self) -> Result<String, Error> {
        json(&rules())
    }

    async fn get(&self, id: &str) -> Result<String, Error> {
        match id {
            "53b8a9a2" | "SSH key added" => {
                let text = "title: SSH key added\ndetection:\n  x: '\x1b[2J'\n".to_owned();
                json(&RuleText { info: rules().remove(0), text })
            }
            "7" => Err(Error::Ambiguous(String::new())),
            _ => Err(Error::NotFound(format!("no rule {id}"))),
        }
    }

    async fn set_enabled(
        &self,
        patterns: Vec<String>,
        is_enabled: bool,
    ) -> Result<Affected, Error> {
        match (&*patterns.join(" "), is_enabled) {
            ("none*", _) => Ok(Affected { meant: 0, changed: 0 }),
            ("recorded", _) => Err(Error::ReadOnly("this is a recorded database".to_owned())),
            ("SSH key added tag:x", true) => Ok(Affected { meant: 1, changed: 1 }),
            ("SSH key added tag:x", false) => Ok(Affected { meant: 3, changed: 2 }),
            other => Err(Error::Failed(format!("not expected: {other:?}"))),
        }
    }

    async fn upload(&self, name: &str, content: &[u8]) -> Result<String, Error> {
        report(name, content, true)
    }

    async fn validate(&self, name: &str, content: &[u8]) -> Result<String, Error> {
        report(name, content, false)
    }

    async fn remove(&self, patterns: Vec<String>) -> Result<Affected, Error> {
        Ok(match &*patterns.join(" ") {
            "none*" => Affected { meant: 0, changed: 0 },
            "SSH*" => Affected { meant: 2, changed: 0 },
            "*" => Affected { meant: 5, changed: 2 },
            _ => Affected { meant: 1, changed: 1 },
        })
    }

    async fn hunt(&self, id: &str, filter: &str) -> Result<zbus::OwnedFd, Error> {
        match id {
            "53b8a9a2" => hunted(filter),
            _ => Err(Error::NotFound(format!("no rule {id}"))),
        }
    }

    async fn hunt_text(&self, content: &[u8], filter: &str) -> Result<zbus::OwnedFd, Error> {
        match content {
            b"broken" => Err(Error::InvalidArgument("no condition".to_owned())),
            _ => hunted(filter),
        }
    }
}

/// The content is words: what is the matter with it.
fn report(name: &str, content: &[u8], stores: bool) -> Result<String, Error> {
    let has = |word: &str| content.windows(word.len()).any(|part| part == word.as_bytes());
    if has("slow") {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    if has("misnamed") {
        return Err(Error::InvalidArgument(format!("not a name: {name}")));
    }
    if has("recorded") {
        return Err(Error::ReadOnly("this is a recorded database".to_owned()));
    }
    let reason = has("refused").then(|| format!("unknown modifier: {HOSTILE}"));
    let mut rules = Vec::new();
    if reason.is_none() {
        let mut good = rule(SSH, HOSTILE, Level::High, RuleState::Active);
        good.notes = vec!["the id was derived".to_owned()];
        rules.push(good);
    }
    if has("half") {
        let broken = rule("", "", Level::Informational, RuleState::Unusable);
        rules.push(RuleInfo { reason: Some("no condition".to_owned()), ..broken });
    }
    let is_stored = stores && reason.is_none();
    let replaced = if has("again") { vec![SSH.to_owned()] } else { Vec::new() };
    json(&Report { file: name.to_owned(), is_stored, reason, rules, replaced })
}

pub(crate) fn hunt_line(line: &HuntLine) -> String {
    serde_json::to_string(line).expect("a line is JSON") + "\n"
}

pub(crate) fn found(count: u64, command_line: &str) -> HuntLine {
    HuntLine::Found(Box::new(Found {
        rule_id: SSH.to_owned(),
        rule_title: HOSTILE.to_owned(),
        level: Level::High,
        command_line: command_line.to_owned(),
        executable: "/bin/sh".to_owned(),
        count,
        first: common::time::rfc3339(TIME_NS),
        last: common::time::rfc3339(TIME_NS + 1_000_000_000),
        example: "3f2a9c81d0b4-100-64".to_owned(),
        selections: vec!["selection".to_owned()],
    }))
}

fn hunted(filter: &str) -> Result<zbus::OwnedFd, Error> {
    check_filter(filter)?;
    let progress = hunt_line(&HuntLine::Progress { looked_at: 50, total: 100 });
    let done = |done| hunt_line(&HuntLine::Done(done));
    let all = HuntDone { looked_at: 100, matched: 13, ..HuntDone::default() };
    let failed = HuntDone { error: Some("database".to_owned()), ..all.clone() };
    let lines =
        [progress.clone(), hunt_line(&found(12, "sh -c \x1b[2J")), hunt_line(&found(1, ""))];
    match filter {
        "cutoff" => pipe(lines.concat(), None),
        "endless" => pipe(String::new(), Some(progress)),
        "failed" => pipe(lines.concat() + &done(failed), None),
        "pid = 9" => pipe(done(HuntDone::default()), None),
        "never" => pipe(done(HuntDone { looked_at: 100, ..HuntDone::default() }), None),
        "" | "since 2026-11-24T08:50:06Z" | "(user = root) and until 2026-11-24T08:50:06Z" => {
            pipe(lines.concat() + &done(all), None)
        }
        other => Err(Error::Failed(format!("not expected: {other}"))),
    }
}
