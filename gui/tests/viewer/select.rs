//! Filters over documents: the few fields that tests ask for. The recorder's own filtering is tested
//! where it is.

use common::ecs::Event;
use common::filter::{Expr, Field, Term, Test};
use common::time::parse_rfc3339;

/// Panics at a field that nobody needed so far.
pub(crate) fn matches(expr: &Expr, event: &Event<'_>) -> bool {
    match expr {
        Expr::True => true,
        Expr::And(all) => all.iter().all(|expr| matches(expr, event)),
        Expr::Or(any) => any.iter().any(|expr| matches(expr, event)),
        Expr::Not(expr) => !matches(expr, event),
        Expr::Term(term) => holds(term, event),
    }
}

fn holds(term: &Term, event: &Event<'_>) -> bool {
    let process = &event.process;
    let text = |value: Option<&str>| match (&term.test, value) {
        (_, None) => false,
        (Test::Exists, Some(_)) => true,
        (Test::TextIn(values), Some(text)) => {
            values.iter().any(|value| **value == *text.as_bytes())
        }
        (Test::Contains(needle), Some(text)) => {
            let needle = String::from_utf8_lossy(needle.folded()).to_lowercase();
            text.to_lowercase().contains(&needle)
        }
        (test, _) => panic!("{test:?} of a text"),
    };
    let number = |value: i64| match &term.test {
        Test::IntIn(values) => values.contains(&value),
        Test::IntCompare(comparison, than) => comparison.holds(value.cmp(than)),
        test => panic!("{test:?} of a number"),
    };
    match term.field {
        Field::Time => number(began(event)),
        Field::Ppid => process.parent.as_ref().is_some_and(|parent| number(parent.pid.into())),
        Field::ParentId => process.parent.is_some(),
        Field::Sid => {
            let leader = process.session_leader.as_ref();
            leader.is_some_and(|leader| number(leader.pid.into()))
        }
        Field::AuditSession => {
            let credentials = event.recorder.credentials.as_ref();
            let session = credentials.and_then(|credentials| credentials.audit_session);
            session.is_some_and(|session| number(session.into()))
        }
        Field::Source => text(Some(&event.recorder.source)),
        Field::Pid => number(i64::from(process.pid)),
        Field::Name => text(process.name.as_deref()),
        Field::Exe => text(process.executable.as_deref()),
        Field::Cmd => text(process.command_line.as_deref()),
        Field::User => text(event.user.as_ref().and_then(|user| user.name.as_deref())),
        Field::Sha256 => text(process.hash.as_ref().map(|hash| hash.sha256.as_str())),
        Field::State => text(Some(&event.recorder.state)),
        Field::Id => match &term.test {
            Test::ProcessIn(ids) => ids.contains(&process.entity_id),
            test => panic!("{test:?} of an id"),
        },
        field => panic!("no test asked for {} so far", field.name()),
    }
}

/// When an image began.
pub(crate) fn began(event: &Event<'_>) -> i64 {
    parse_rfc3339(&event.timestamp).unwrap()
}
