//! An alert as a line of a list: without the rule's text and the ancestors.

use common::alert::{Alert, Status};
use common::id::ProcessId;
use common::rule::Level;
use common::time::parse_rfc3339;

use super::row::Text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    pub id: u64,
    /// When it was raised.
    pub time_ns: i64,
    /// When it happened last, and how often.
    pub last_ns: i64,
    pub count: u64,
    pub rule_id: Box<str>,
    pub rule: Text,
    pub level: Level,
    pub status: Status,
    pub note: Text,
    pub process: ProcessId,
    pub name: Text,
    pub executable: Text,
    pub command_line: Text,
    pub user: Text,
}

impl AlertRow {
    pub fn of(alert: &Alert<'_>) -> Self {
        let event = &alert.event;
        let text = |text: Option<&str>| text.map(Text::new).unwrap_or_default();
        let time_ns = parse_rfc3339(&event.timestamp).unwrap_or(0);
        let user = event.user.as_ref().map(|user| user.name.as_deref().unwrap_or(&user.id));
        Self {
            id: alert.alert.id,
            time_ns,
            last_ns: parse_rfc3339(&alert.alert.last).unwrap_or(time_ns),
            count: alert.alert.count,
            rule_id: alert.rule.id.as_str().into(),
            rule: Text::new(&alert.rule.name),
            level: alert.rule.level,
            status: alert.alert.status,
            note: text(alert.alert.note.as_deref()),
            process: event.process.entity_id,
            name: text(event.process.name.as_deref()),
            executable: text(event.process.executable.as_deref()),
            command_line: text(event.process.command_line.as_deref()),
            user: text(user),
        }
    }

    /// What the process is called.
    pub fn title(&self) -> &str {
        if self.name.text.is_empty() { "(unknown)" } else { &self.name.text }
    }
}

/// As people read it.
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::InProgress => "in progress",
        Status::Resolved => "resolved",
        Status::FalsePositive => "false positive",
    }
}
