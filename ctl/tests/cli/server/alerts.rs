//! Canned alerts: one closed, two open.

use std::sync::LazyLock;

use common::alert::{Alert, AlertLine, Status};
use common::bus::{AlertSelection, Error};
use common::ecs::{Done, Event};
use common::rule::Level;
use serde_json::json;
use zbus::interface;

use super::rules::{HOSTILE, SSH};
use super::{RECORDS, TIME_NS, check_filter, open_pipe, pipe};

/// Oldest first.
pub(crate) static ALERTS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [
        alert(1, Status::Resolved, Level::Low, "Cron job"),
        alert(2, Status::InProgress, Level::High, "SSH key added"),
        alert(3, Status::New, Level::Critical, HOSTILE),
    ]
    .map(|alert| line(&AlertLine::Alert(Box::new(alert))))
});

fn line(line: &AlertLine<'_>) -> String {
    serde_json::to_string(line).expect("a line is JSON") + "\n"
}

fn done(count: usize, has_more: bool) -> String {
    let cursor = has_more.then(|| "more".to_owned());
    line(&AlertLine::Done(Done { count: count as u64, cursor, ..Done::default() }))
}

const TEXT: &str = "\
title: SSH key added
detection:
  shell:
    Image|endswith: '/sh'
  other:
    Image: x
  condition: shell and not other
";

fn alert(id: u64, status: Status, level: Level, title: &str) -> Alert<'static> {
    let event: Event<'_> = serde_json::from_str(&RECORDS[0]).expect("a record");
    let mut document = serde_json::to_value(&event).expect("a record is JSON");
    let time = |seconds: i64| common::time::rfc3339(TIME_NS + seconds * 1_000_000_000);
    document["@timestamp"] = json!(time(i64::try_from(id).expect("small")));
    document["rule"] = json!({
        "id": SSH, "name": title, "level": level, "text": TEXT, "author": "BPF Recorder",
        "tags": ["attack.persistence"], "falsepositives": ["ssh-copy-id"],
    });
    let is_changed = status != Status::New;
    let note = is_changed.then(|| format!("ours: {HOSTILE}"));
    let change = json!({"time": time(60), "uid": 1000, "user": "alice", "status": status,
                        "note": note});
    document["alert"] = json!({
        "id": id, "status": status, "count": if id == 2 { 12 } else { 1 }, "last": time(30),
        "note": note, "history": if is_changed { json!([change]) } else { json!([]) },
        "selections": ["shell"],
        "fields": [
            {"selection": "shell", "field": "Image", "value": "/bin/sh", "pattern": "/sh",
             "operator": "endswith", "ranges": [[4, 7]]},
            {"selection": "shell", "field": "CommandLine", "value": "sh -c \u{1b}[2J",
             "ranges": [[6, 900]]},
            {"selection": "other", "field": "Image", "value": "/bin/sh", "pattern": "x",
             "is_negated": true},
            {"selection": "other", "field": "User"},
        ],
        "correlation": {"type": "event_count", "group": [["User", HOSTILE]], "value": 5.0,
                        "timespan_secs": 60},
        "ancestors": [event],
    });
    serde_json::from_value(document).expect("an alert")
}

/// Those of the selection, newest first.
fn selected(selection: &AlertSelection) -> Result<Vec<String>, Error> {
    let level = match &*selection.level {
        "" => Level::Informational,
        name => Level::parse(name).ok_or_else(|| Error::InvalidArgument(name.to_owned()))?,
    };
    let is_meant = |text: &&String| {
        let alert: Alert<'_> = serde_json::from_str(text).expect("an alert");
        let status = alert.alert.status.name();
        (selection.statuses.is_empty() || selection.statuses.iter().any(|name| name == status))
            && alert.rule.level >= level
            && (selection.rule.is_empty() || selection.rule == alert.rule.name)
    };
    Ok(ALERTS.iter().rev().filter(is_meant).cloned().collect())
}

pub(crate) struct Alerts;

#[interface(name = "org.bpfrecorder.Recorder1.Alerts")]
impl Alerts {
    async fn query(
        &self,
        filter: &str,
        selection: AlertSelection,
        limit: u32,
        cursor: &str,
    ) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        let alerts = selected(&selection)?;
        match filter {
            "" | "since 2026-11-24T08:50:06Z" => {}
            "cutoff" => return pipe(alerts[0].clone(), None),
            "endless" => return pipe(String::new(), Some(alerts.concat())),
            // A page for each.
            "pages" => {
                let at: usize = cursor.len();
                let more = if at + 1 < alerts.len() { Some("x".repeat(at + 1)) } else { None };
                let done = Done { count: 1, cursor: more, ..Done::default() };
                return pipe(alerts[at].clone() + &line(&AlertLine::Done(done)), None);
            }
            _ => return pipe(done(0, false), None),
        }
        let shown = if limit == 0 { alerts.len() } else { alerts.len().min(limit as usize) };
        pipe(alerts[..shown].concat() + &done(shown, shown < alerts.len()), None)
    }

    async fn subscribe(
        &self,
        filter: &str,
        selection: AlertSelection,
        backlog: u32,
    ) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        assert_eq!((backlog, selection.statuses.len()), (50, 2));
        let new = alert(2, Status::New, Level::High, "SSH key added");
        let new = line(&AlertLine::Alert(Box::new(new)));
        let text = [new, ALERTS[1].clone(), line(&AlertLine::Missed(2))].concat();
        match filter {
            "cutoff" => pipe(text, None),
            "recorded" => Err(Error::ReadOnly("this is a recorded database".to_owned())),
            _ => open_pipe(&text),
        }
    }

    async fn get(&self, id: u64) -> Result<String, Error> {
        match id {
            1..=3 => Ok(ALERTS[usize::try_from(id).expect("small") - 1].clone()),
            _ => Err(Error::NotFound(format!("no alert {id}"))),
        }
    }

    async fn set(&self, ids: Vec<u64>, status: &str, note: &str) -> Result<u32, Error> {
        match (status, note) {
            ("", "recorded") => Err(Error::ReadOnly("this is a recorded database".to_owned())),
            ("", "ours") | ("false_positive", "" | "our backup") => {
                let count = ids.iter().filter(|id| (1..=3).contains(*id)).count();
                Ok(u32::try_from(count).expect("small"))
            }
            other => Err(Error::Failed(format!("not expected: {other:?}"))),
        }
    }
}
