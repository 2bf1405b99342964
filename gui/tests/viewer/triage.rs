//! Alerts, rules and binaries of the recorder at the other end.

use std::path::PathBuf;

use common::alert::{Alert, Change};
use common::binary::Binary;
use common::bus::Affected;
use common::ecs::Event;
use common::filter::Filter;
use common::rule::{Found, HuntDone, Level, Report, RuleState, RuleText};
use common::time::{parse_rfc3339, rfc3339};
use gui::connection::{
    Answer, Notice, Request, Ticket, Trouble, TroubleKind, alerts, binaries, export, files, rules,
};
use gui::state::alert_row::AlertRow;
use gui::state::binary_row::BinaryRow;
use serde_json::json;

use crate::select::matches;

pub(crate) const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(crate) struct Triage {
    pub(crate) alerts: Vec<Alert<'static>>,
    pub(crate) rules: Vec<RuleText>,
    pub(crate) binaries: Vec<Binary>,
    /// Nobody is allowed to change anything.
    pub(crate) is_refusing: bool,
    /// What the desktop's dialog gives.
    pub(crate) chosen: Option<PathBuf>,
    /// Exports come upon a file that is there.
    pub(crate) has_file: bool,
    /// Exports do not come to their end.
    pub(crate) is_slow: bool,
    following: Vec<Ticket>,
    watching: Vec<Ticket>,
}

impl Triage {
    /// Three alerts of two rules on two processes, made of one that is real.
    pub(crate) fn new(real: &Alert<'static>, other: &Event<'static>) -> Self {
        let mut second = later(real, 1);
        second.rule.id = "5413e79f-f6b2-47d1-977a-2f463d4cf415".to_owned();
        second.rule.name = "A\nhostile \u{202e}title".to_owned();
        second.rule.level = Level::Critical;
        let mut third = later(real, 2);
        third.event.process = other.process.clone();
        third.event.process.name = Some("elsewhere".into());
        let rules = vec![
            rule(&second.rule.id, "Critical one", Level::Critical, "shipped"),
            rule(&real.rule.id, &real.rule.name, real.rule.level, "shipped"),
            rule("aaaa-1", "Mine", Level::Low, "uploaded"),
        ];
        Self {
            alerts: vec![real.clone(), second, third],
            rules,
            binaries: vec![
                binary(SHA256, "/tmp/x-dropped", 1),
                binary(&"b".repeat(64), "/bin/sh", 9),
            ],
            is_refusing: false,
            chosen: None,
            has_file: false,
            is_slow: false,
            following: Vec::new(),
            watching: Vec::new(),
        }
    }

    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.following.retain(|following| *following != ticket);
        self.watching.retain(|watching| *watching != ticket);
    }

    /// One more, just now.
    pub(crate) fn raise(&mut self, time_ns: i64) -> Vec<Notice> {
        let number = i64::try_from(self.alerts.len()).unwrap();
        let mut alert = later(&self.alerts[0], number);
        alert.event.timestamp = rfc3339(time_ns);
        self.alerts.push(alert);
        self.tell(&[self.alerts.len() - 1])
    }

    fn tell(&self, changed: &[usize]) -> Vec<Notice> {
        let rows: Vec<AlertRow> =
            changed.iter().map(|at| AlertRow::of(&self.alerts[*at])).collect();
        let live = alerts::Live { rows, missed: 0 };
        let answer = Answer::Alerts(alerts::Answer::Live(live));
        self.following.iter().map(|ticket| Notice::Answer(*ticket, Ok(answer.clone()))).collect()
    }

    /// `None` for what others answer.
    pub(crate) fn answer(&mut self, ticket: Ticket, request: &Request) -> Option<Vec<Notice>> {
        let (result, more) = match request {
            Request::Alerts(alerts::Ask::Page { .. }) => return None,
            Request::Alerts(alerts::Ask::Set { .. })
            | Request::Rules(rules::Ask::Switch { .. } | rules::Ask::Upload { .. })
            | Request::Binaries(binaries::Ask::Pin { .. })
                if self.is_refusing =>
            {
                (Err(refusal()), Vec::new())
            }
            Request::Alerts(ask) => {
                let (answer, more) = self.alerts(ticket, ask);
                (Ok(Answer::Alerts(answer)), more)
            }
            Request::Rules(ask) => (Ok(Answer::Rules(self.rules(ticket, ask))), Vec::new()),
            Request::Binaries(ask) => (Ok(Answer::Binaries(self.binaries(ask))), Vec::new()),
            Request::Export(ask) => return Some(self.export(ticket, ask)),
            Request::Files(ask) => (self.files(ask).map(Answer::Files), Vec::new()),
            _ => return None,
        };
        let mut notices = vec![Notice::Answer(ticket, result)];
        notices.extend(more);
        Some(notices)
    }

    fn alerts(&mut self, ticket: Ticket, ask: &alerts::Ask) -> (alerts::Answer, Vec<Notice>) {
        let answer = match ask {
            alerts::Ask::Rows { filter, .. } => {
                let filter = Filter::parse(filter, 0).unwrap();
                let is_meant = |alert: &&Alert<'_>| matches(&filter.expr, &alert.event);
                let rows = self.alerts.iter().filter(is_meant).map(AlertRow::of).collect();
                alerts::Answer::Rows { rows, cursor: None }
            }
            alerts::Ask::One { id } => {
                let alert = self.alerts.iter().find(|alert| alert.alert.id == *id).unwrap();
                alerts::Answer::One(Box::new(alert.clone()))
            }
            alerts::Ask::Set { ids, status, note } => {
                let mut changed = Vec::new();
                for (at, alert) in self.alerts.iter_mut().enumerate() {
                    let triage = &mut alert.alert;
                    if ids.contains(&triage.id) {
                        triage.status = status.unwrap_or(triage.status);
                        triage.note = (!note.is_empty()).then(|| note.clone());
                        triage.history.push(Change {
                            time: alert.event.timestamp.clone(),
                            uid: 1000,
                            user: Some("ann".to_owned()),
                            status: triage.status,
                            note: triage.note.clone(),
                        });
                        changed.push(at);
                    }
                }
                let count = u32::try_from(changed.len()).unwrap();
                return (alerts::Answer::Set(count), self.tell(&changed));
            }
            alerts::Ask::Follow { .. } => {
                self.following.push(ticket);
                alerts::Answer::Live(alerts::Live::default())
            }
            alerts::Ask::Page { .. } => panic!("answered elsewhere"),
        };
        (answer, Vec::new())
    }

    fn rules(&mut self, ticket: Ticket, ask: &rules::Ask) -> rules::Answer {
        match ask {
            rules::Ask::List => {
                rules::Answer::List(self.rules.iter().map(|rule| rule.info.clone()).collect())
            }
            rules::Ask::Get { id } => {
                let rule = self.rules.iter().find(|rule| rule.info.id == *id).unwrap();
                rules::Answer::One(Box::new(rule.clone()))
            }
            rules::Ask::Switch { ids, is_enabled } => {
                for rule in self.rules.iter_mut().filter(|rule| ids.contains(&rule.info.id)) {
                    let state = [RuleState::Disabled, RuleState::Active];
                    rule.info.state = state[usize::from(*is_enabled)];
                }
                let count = u32::try_from(ids.len()).unwrap();
                rules::Answer::Switched(Affected { meant: count, changed: count })
            }
            rules::Ask::Upload { name, .. } | rules::Ask::Check { name, .. } => {
                let reason = "line 2, column 1: did not find expected ','".to_owned();
                rules::Answer::Report(Report {
                    file: name.clone(),
                    is_stored: false,
                    reason: Some(reason),
                    rules: Vec::new(),
                    replaced: Vec::new(),
                })
            }
            rules::Ask::Remove { ids } => {
                self.rules.retain(|rule| !ids.contains(&rule.info.id));
                rules::Answer::Removed(Affected { meant: 1, changed: 1 })
            }
            rules::Ask::Hunt { .. } => {
                let found = Found {
                    rule_id: "x".to_owned(),
                    rule_title: "x".to_owned(),
                    level: Level::High,
                    command_line: "/tmp/found --once".to_owned(),
                    executable: "/tmp/found".to_owned(),
                    count: 3,
                    first: self.alerts[0].event.timestamp.clone(),
                    last: self.alerts[0].event.timestamp.clone(),
                    example: self.alerts[0].event.process.entity_id.to_string(),
                    selections: Vec::new(),
                };
                let done = HuntDone { looked_at: 33, matched: 3, ..HuntDone::default() };
                rules::Answer::Hunted { found: vec![found], done }
            }
            rules::Ask::Watch => {
                self.watching.push(ticket);
                rules::Answer::Changed
            }
        }
    }

    fn binaries(&mut self, ask: &binaries::Ask) -> binaries::Answer {
        match ask {
            binaries::Ask::Rows { selection, .. } => {
                let is_meant = |binary: &&Binary| !selection.is_unpackaged || binary.runs == 1;
                let rows = self.binaries.iter().filter(is_meant).map(BinaryRow::of).collect();
                binaries::Answer::Rows(rows)
            }
            binaries::Ask::One { hash } => {
                let is_it = |binary: &&Binary| binary.hash.sha256 == *hash;
                binaries::Answer::One(Box::new(self.binaries.iter().find(is_it).unwrap().clone()))
            }
            binaries::Ask::Pin { hashes, is_pinned } => {
                for binary in self.binaries.iter_mut() {
                    if hashes.contains(&binary.hash.sha256) {
                        binary.pinned = *is_pinned;
                    }
                }
                let count = u32::try_from(hashes.len()).unwrap();
                binaries::Answer::Pinned { is_pinned: *is_pinned, count }
            }
            binaries::Ask::Save { path, .. } => binaries::Answer::Saved { path: path.clone() },
            binaries::Ask::Verify => binaries::Answer::Verified(binaries::Verified {
                checked: 2,
                damaged: vec![(SHA256.to_owned(), "its hash is another".to_owned())],
            }),
        }
    }

    fn export(&self, ticket: Ticket, ask: &export::Ask) -> Vec<Notice> {
        let answer = |answer| Notice::Answer(ticket, Ok(Answer::Export(answer)));
        if self.has_file && !ask.may_replace {
            let there = Trouble::new(TroubleKind::Exists, "it is there already");
            return vec![Notice::Answer(ticket, Err(there))];
        }
        let tally = export::Tally { records: 1234, bytes: 4096, ..Default::default() };
        let mut notices = vec![answer(export::Answer::Progress(tally))];
        if !self.is_slow {
            notices.push(answer(export::Answer::Written { path: ask.path.clone(), tally }));
        }
        notices
    }

    fn files(&self, ask: &files::Ask) -> Result<files::Answer, Trouble> {
        match ask {
            files::Ask::ChooseToOpen { .. } | files::Ask::ChooseToSave { .. } => {
                match &self.chosen {
                    Some(path) => Ok(files::Answer::Chosen(Some(path.clone()))),
                    None => Err(Trouble::new(TroubleKind::NotInstalled, "there is no file dialog")
                        .hint("type the path instead")),
                }
            }
            files::Ask::Read { path } => Ok(files::Answer::Text {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                text: "title: from a file\n".to_owned(),
            }),
        }
    }
}

fn refusal() -> Trouble {
    Trouble::new(TroubleKind::NotPermitted, "the recorder refuses this: triage")
        .hint("be a member of the group: `sudo usermod -aG bpf-recorder $USER`")
}

fn later(alert: &Alert<'static>, number: i64) -> Alert<'static> {
    let mut alert = alert.clone();
    alert.alert.id += number.cast_unsigned();
    let time_ns = parse_rfc3339(&alert.event.timestamp).unwrap();
    alert.event.timestamp = rfc3339(time_ns + number * 1_000_000_000);
    alert
}

fn rule(id: &str, title: &str, level: Level, origin: &str) -> RuleText {
    serde_json::from_value(json!({
        "id": id, "title": title, "level": level, "is_correlation": false, "state": "active",
        "is_enabled": true, "origin": origin, "file": format!("{id}.yml"), "document": 1,
        "alerts": 1, "text": format!("title: {title}\nid: {id}\n"),
    }))
    .unwrap()
}

fn binary(sha256: &str, path: &str, runs: u64) -> Binary {
    serde_json::from_value(json!({
        "hash": { "sha256": sha256, "sha1": "0".repeat(40), "md5": "1".repeat(32) },
        "size_bytes": 4, "storage": "kept", "stored_bytes": 4, "runs": runs,
        "first": "2026-11-26T19:30:00Z", "last": format!("2026-11-26T19:3{runs}:00Z"),
        "files": [{ "path": path, "device": "254:0", "inode": 7, "mode": "0755", "uid": 0, "gid": 0,
            "mtime": "2026-11-26T19:00:00Z", "ctime": "2026-11-26T19:00:00Z", "runs": runs }],
    }))
    .unwrap()
}
