//! Alerts as documents: the event that made a rule fire, the rule as it was then, and what people
//! said of it.
//!
//! ECS where it has a field: `event.kind` is `alert`, `rule.*`, `event.severity`.

use serde::{Deserialize, Serialize};

use crate::ecs::{Done, Event};
use crate::rule::Level;

/// One line of a result or of a subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertLine<'a> {
    /// The subscriber read too slowly: so many alerts were not sent to it. They are in the store.
    Missed(u64),
    /// The last line of every result. One without it was cut off.
    Done(Done),
    #[serde(untagged)]
    Alert(Box<Alert<'a>>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert<'a> {
    /// The event, and the process as it was then.
    #[serde(flatten)]
    pub event: Event<'a>,
    pub rule: AlertRule,
    pub alert: Triage<'a>,
}

impl<'a> Alert<'a> {
    pub fn new(mut event: Event<'a>, rule: AlertRule, alert: Triage<'a>) -> Self {
        event.event.kind = "alert".into();
        event.event.severity = Some(rule.level.severity());
        Self { event, rule, alert }
    }
}

/// The rule as it was when it fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRule {
    pub id: String,
    /// The rule's title.
    pub name: String,
    pub level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub falsepositives: Vec<String>,
    /// The text of the rule.
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Triage<'a> {
    pub id: u64,
    pub status: Status,
    /// How often it happened: repeats are counted here.
    pub count: u64,
    /// The last time.
    pub last: String,
    /// Of the last change that had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
    /// The selections of the rule that matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selections: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldMatch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Correlation>,
    /// Parent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Event<'a>>,
}

/// A value of the event that a selection asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// As the rule names it; `keyword` where it names none.
    pub field: String,
    /// The value as text; absent where the rule asked for absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What was looked for, as the rule's author wrote it or near it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// `contains`, `endswith` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Where in the value, as pairs of byte offsets; empty where that cannot be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<[usize; 2]>,
    /// The rule asked that it does not match.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_negated: bool,
}

/// What a correlation rule saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// `event_count`, `value_count`, `temporal` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it grouped by, and the values of this group.
    pub group: Vec<(String, String)>,
    pub value: f64,
    pub timespan_secs: u64,
}

/// Where triage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    New,
    InProgress,
    Resolved,
    FalsePositive,
}

impl Status {
    pub const ALL: [Status; 4] =
        [Status::New, Status::InProgress, Status::Resolved, Status::FalsePositive];

    pub fn name(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::InProgress => "in_progress",
            Status::Resolved => "resolved",
            Status::FalsePositive => "false_positive",
        }
    }

    /// By its name, `-` for `_` allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace('-', "_");
        Self::ALL.into_iter().find(|status| status.name() == text)
    }

    /// Somebody has decided.
    pub fn is_closed(self) -> bool {
        matches!(self, Status::Resolved | Status::FalsePositive)
    }
}

/// What somebody said of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub time: String,
    pub uid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
