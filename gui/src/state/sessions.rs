//! What ran together: sessions of the kernel, logins, terminals, services. And what one of them ran,
//! as a transcript.

use std::collections::HashMap;

use common::bus::Count;
use common::filter::{Expr, Field, Filter};
use common::id::ProcessId;

use super::narrow::Condition;
use super::row::{Row, Text};
use super::scope::Scope;

/// Levels that a transcript indents.
const MOST_LEVELS: u32 = 8;

/// What makes processes belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Grouping {
    #[default]
    Session,
    Login,
    Terminal,
    Unit,
}

impl Grouping {
    pub const ALL: [Grouping; 4] =
        [Grouping::Session, Grouping::Login, Grouping::Terminal, Grouping::Unit];

    pub fn name(self) -> &'static str {
        match self {
            Grouping::Session => "Session leaders",
            Grouping::Login => "Logins",
            Grouping::Terminal => "Terminals",
            Grouping::Unit => "Units",
        }
    }

    pub fn doc(self) -> &'static str {
        match self {
            Grouping::Session => "What shares a session leader, such as a shell (sid)",
            Grouping::Login => "What one login brought about, kept across su (audit_session)",
            Grouping::Terminal => "What had the same terminal (tty)",
            Grouping::Unit => "What systemd started together: services, user sessions (unit)",
        }
    }

    /// Said where there is none.
    pub fn missing(self) -> &'static str {
        match self {
            Grouping::Session => "No process of this range has a session.",
            Grouping::Login => {
                "No process of this range belongs to a login of the audit system. Logins are \
                 numbered where pam_loginuid is set up; services and containers have none."
            }
            Grouping::Terminal => "No process of this range had a terminal.",
            Grouping::Unit => "No process of this range ran in a systemd unit.",
        }
    }

    pub fn field(self) -> Field {
        match self {
            Grouping::Session => Field::Sid,
            Grouping::Login => Field::AuditSession,
            Grouping::Terminal => Field::Tty,
            Grouping::Unit => Field::Unit,
        }
    }

    /// Whether a record belongs to a group.
    pub fn has(self, row: &Row, value: &str) -> bool {
        let is = |number: Option<u32>| number.is_some_and(|number| number.to_string() == value);
        match self {
            Grouping::Session => is(row.sid),
            Grouping::Login => is(row.audit_session),
            Grouping::Terminal => *row.tty.text == *value,
            Grouping::Unit => *row.unit.text == *value,
        }
    }

    /// That a record belongs to a group.
    pub fn condition(self, value: &str) -> Condition {
        match self {
            Grouping::Session | Grouping::Login => Condition::equal(self.field(), value),
            _ => Condition::text(self.field(), &Text::new(value)),
        }
    }
}

/// One of them, within the range.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub value: String,
    pub records: u64,
    pub first_ns: i64,
    pub last_ns: i64,
    /// Who began it: its leader, or else its first process within the range. Asked for when seen.
    pub leader: Leader,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Leader {
    Unknown,
    Asked,
    /// It was not recorded.
    None,
    Known(Box<Row>),
}

/// By the last that happened, newest first. What was known of leaders stays.
pub fn groups(counts: Vec<Count>, before: &[Group]) -> Vec<Group> {
    let known: HashMap<&str, &Leader> =
        before.iter().map(|group| (group.value.as_str(), &group.leader)).collect();
    let mut groups: Vec<Group> = counts
        .into_iter()
        .map(|count| {
            let leader = match known.get(count.value.as_str()) {
                Some(Leader::Known(row)) => Leader::Known(row.clone()),
                _ => Leader::Unknown,
            };
            let Count { value, count: records, first_ns, last_ns } = count;
            Group { value, records, first_ns, last_ns, leader }
        })
        .collect();
    groups.sort_by(|a, b| b.last_ns.cmp(&a.last_ns).then_with(|| a.value.cmp(&b.value)));
    groups
}

/// A filter that finds what a group ran within the range. Without forks only what was executed.
pub fn transcript_filter(
    scope: &Scope,
    grouping: Grouping,
    value: &str,
    has_forks: bool,
) -> String {
    let mut conditions = vec![grouping.condition(value).include];
    if !has_forks {
        conditions.push("source != fork".to_owned());
    }
    with(&scope.text(), &conditions)
}

/// A filter that finds who began a group. A leader may have begun before the range.
pub fn leader_filter(scope: &Scope, grouping: Grouping, value: &str) -> String {
    let own = grouping.condition(value).include;
    match grouping {
        Grouping::Session => with("", &[own, Condition::equal(Field::Pid, value).include]),
        _ => with(&scope.text(), &[own]),
    }
}

fn with(filter: &str, conditions: &[String]) -> String {
    // Made from parts that parse; times in them are absolute.
    let parsed = conditions.iter().map(String::as_str).chain([filter]);
    let parsed = parsed.filter_map(|text| Filter::parse(text, 0).ok()).map(|filter| filter.expr);
    Expr::and(parsed).to_string()
}

/// What a group ran, in order, page by page.
#[derive(Debug, Default)]
pub struct Transcript {
    rows: Vec<Row>,
    by_sequence: HashMap<i64, usize>,
    /// By process: how deep it stands.
    depths: HashMap<ProcessId, u32>,
    /// To go on from.
    cursor: Option<String>,
    is_complete: bool,
}

impl Transcript {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Nothing more is stored.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub fn index_of(&self, sequence: i64) -> Option<usize> {
        self.by_sequence.get(&sequence).copied()
    }

    /// Takes the next page.
    pub fn append(&mut self, rows: Vec<Row>, cursor: Option<String>) {
        for row in rows {
            self.put(row);
        }
        self.is_complete = cursor.is_none();
        self.cursor = cursor;
    }

    /// What happened just now. New ones only once all before them are here.
    pub fn live(&mut self, row: Row, has_forks: bool) {
        let is_known = self.by_sequence.contains_key(&row.sequence);
        let is_new = self.is_complete && !row.is_end && (has_forks || &*row.action != "fork");
        if is_known || is_new {
            self.put(row);
        }
    }

    fn put(&mut self, row: Row) {
        if let Some(known) = self.index_of(row.sequence) {
            self.rows[known].update(row);
            return;
        }
        // A process stands below its parent, where that is part of the transcript.
        let parent = row.parent_id.and_then(|parent| self.depths.get(&parent));
        let depth = parent.map_or(0, |depth| depth + 1);
        self.depths.entry(row.id).or_insert(depth);
        let sequence = row.sequence;
        let at = self.rows.partition_point(|known| known.place() <= row.place());
        if at == self.rows.len() {
            self.by_sequence.insert(sequence, at);
            self.rows.push(row);
            return;
        }
        self.rows.insert(at, row);
        for (index, row) in self.rows.iter().enumerate().skip(at) {
            self.by_sequence.insert(row.sequence, index);
        }
    }

    /// How far a row is indented.
    pub fn level(&self, row: &Row) -> u32 {
        self.depths.get(&row.id).copied().unwrap_or(0).min(MOST_LEVELS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Span;
    use super::*;
    use crate::state::row::tests::row;

    fn scope(filter: &str) -> Scope {
        Scope::settle(filter, Span::Between { from_ns: 5, to_ns: 9 }, 0, None).unwrap()
    }

    fn count(value: &str, last_ns: i64) -> Count {
        Count { value: value.to_owned(), count: 3, first_ns: 1, last_ns }
    }

    #[test]
    fn filters_are_of_the_group_and_the_scope() {
        let scope = scope("name = a or name = b");
        for grouping in Grouping::ALL {
            let value = if grouping.field() == Field::Tty { "pts/0" } else { "17" };
            let text = transcript_filter(&scope, grouping, value, false);
            let parsed = Filter::parse(&text, 0).unwrap();
            assert_eq!(parsed.expr.to_string(), text);
            for part in [grouping.field().name(), "name = b", "source", "1970"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        let leader = leader_filter(&scope, Grouping::Session, "17");
        assert_eq!(leader, "sid = 17 and pid = 17");
        assert!(leader_filter(&scope, Grouping::Terminal, "pts/0").contains("1970"));
    }

    #[test]
    fn hostile_names_stay_values() {
        let value = "a\" or exe exists or name = \"x";
        let text = transcript_filter(&scope(""), Grouping::Unit, value, true);
        let parsed = Filter::parse(&text, 0).unwrap();
        assert!(matches!(parsed.expr, Expr::And(_)), "{text}");
    }

    #[test]
    fn groups_are_newest_first_and_keep_their_leaders() {
        let mut first = groups(vec![count("1", 10), count("2", 20)], &[]);
        assert_eq!(first[0].value, "2");
        first[0].leader = Leader::Known(Box::new(row(9, 1)));
        first[1].leader = Leader::Asked;
        let next = groups(vec![count("1", 30), count("2", 20)], &first);
        assert_eq!(next[0].value, "1");
        assert_eq!(next[0].leader, Leader::Unknown);
        assert!(matches!(&next[1].leader, Leader::Known(_)));
    }

    #[test]
    fn members_are_told_by_their_field() {
        let member = Row { sid: Some(17), tty: Text::new("pts/0"), ..row(1, 1) };
        assert!(Grouping::Session.has(&member, "17"));
        assert!(!Grouping::Session.has(&member, "1"));
        assert!(Grouping::Terminal.has(&member, "pts/0"));
        assert!(!Grouping::Login.has(&member, "17"));
    }

    #[test]
    fn a_transcript_is_in_order_and_indented() {
        let mut transcript = Transcript::default();
        let child = |sequence, parent, time| Row {
            parent_id: Some(row(parent, 0).id),
            ..row(sequence, time)
        };
        transcript.append(vec![row(1, 10), child(2, 1, 20)], Some("next".to_owned()));
        transcript.live(row(9, 90), false);
        assert_eq!(transcript.rows().len(), 2, "what is before it is not here");
        transcript.append(vec![child(3, 2, 30), child(4, 77, 40)], None);
        let levels: Vec<u32> = transcript.rows().iter().map(|row| transcript.level(row)).collect();
        assert_eq!(levels, [0, 1, 2, 0]);
        transcript.live(row(9, 90), false);
        transcript.live(row(5, 35), false);
        transcript.live(Row { action: "fork".into(), ..row(6, 99) }, false);
        let order: Vec<i64> = transcript.rows().iter().map(|row| row.sequence).collect();
        assert_eq!(order, [1, 2, 3, 5, 4, 9]);
        assert_eq!(transcript.index_of(9), Some(5));
    }

    #[test]
    fn ends_are_noted_and_begin_nothing() {
        let mut transcript = Transcript::default();
        transcript.append(vec![row(1, 10)], None);
        let end = |sequence| Row {
            is_end: true,
            state: common::record::State::Failed,
            ..row(sequence, 50)
        };
        transcript.live(end(1), false);
        transcript.live(end(2), false);
        assert_eq!(transcript.rows().len(), 1);
        assert_eq!(transcript.rows()[0].state, common::record::State::Failed);
    }
}
