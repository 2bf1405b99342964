//! Shapes beside colours: what tells states, levels and decisions apart for those who see no colour.
//!
//! Drawn, not written: the characters for them are pictures in colour on some systems.

use common::alert::Status;
use common::binary::Storage;
use common::ecs::Event;
use common::filter::signal_name;
use common::record::State;
use common::rule::{Level, RuleState};
use maud::{Markup, html};

/// What rules say of a process: how often they fired, and how urgent the worst is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) count: u64,
    pub(crate) worst: Level,
}

/// Name and path of each shape, in a square of 12.
const SHAPES: [(&str, &str); 16] = [
    ("run", "M3 1.5v9l7.5-4.5z"),
    ("done", "M1.6 6.6 4.7 9.7 10.4 2.6"),
    ("fail", "M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6"),
    ("kill", "M7.6.8 2.6 6.9h2.9L4.2 11.2 9.4 5H6.5z"),
    ("unknown", "M3.6 4.2a2.4 2.4 0 1 1 3.5 2.1c-.8.4-1.1.8-1.1 1.7M6 9.7v1.1"),
    ("dot", "M6 2.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6z"),
    ("ring", "M6 2.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z"),
    ("square", "M2.4 2.4h7.2v7.2H2.4z"),
    ("dash", "M2.2 6h7.6"),
    ("hollow", "M6 2.4 10.2 9.8H1.8z"),
    ("peak", "M6 1.6 11 10.4H1z"),
    ("warn", "M6 1.4 11.2 10.6H.8zM6 4.8v2.8M6 8.9v.5"),
    ("more", "M2.4 6h.02M6 6h.02M9.6 6h.02"),
    ("funnel", "M1.5 2.5h9M3.2 6h5.6M5 9.5h2"),
    ("hatch", "M1 5l4-4M1 11 11 1M7 11l4-4"),
    ("box", "M2 3.6 6 1.4l4 2.2v4.8L6 10.6 2 8.4zM2 3.6l4 2.2 4-2.2M6 5.8v4.8"),
];

/// All shapes, once in a page.
pub(super) fn sheet() -> Markup {
    html! {
        svg.sheet width="0" height="0" aria-hidden="true" {
            @for (name, path) in SHAPES {
                symbol id={ "m-" (name) } viewBox="0 0 12 12" { path d=(path) {} }
            }
        }
    }
}

pub(super) fn mark(name: &str) -> Markup {
    html! {
        svg.mark.{ "m-" (name) } aria-hidden="true" viewBox="0 0 12 12" {
            use href={ "#m-" (name) } {}
        }
    }
}

/// What is not known runs, as far as anybody knows.
pub(super) fn state_of(event: &Event<'_>) -> State {
    let name = &*event.recorder.state;
    State::ALL.into_iter().find(|state| state.name() == name).unwrap_or(State::Running)
}

fn state_shape(state: State) -> &'static str {
    match state {
        State::Running => "run",
        State::Ended => "done",
        State::Failed => "fail",
        State::Killed => "kill",
        State::Unobserved => "unknown",
    }
}

/// `failed 2`
pub(super) fn state_words(event: &Event<'_>) -> String {
    let state = state_of(event);
    match (state, event.process.exit_code, event.process.exit_signal) {
        (State::Failed, Some(code), _) => format!("{} {code}", state.name()),
        (State::Killed, _, Some(number)) => match signal_name(number) {
            Some(name) => format!("{} {name}", state.name()),
            None => format!("{} {number}", state.name()),
        },
        _ => state.name().to_owned(),
    }
}

pub(super) fn state(event: &Event<'_>) -> Markup {
    let state = state_of(event);
    html! {
        span.state.{ "is-" (state.name()) } { (mark(state_shape(state))) (state_words(event)) }
    }
}

/// Several states at once: `3 failed`.
pub(super) fn state_count(state: State, count: usize) -> Markup {
    html! {
        span.state.{ "is-" (state.name()) } {
            (mark(state_shape(state))) (count) " " (state.name())
        }
    }
}

/// How urgent, as one to three peaks.
pub(super) fn level_mark(level: Level) -> Markup {
    let (shape, count) = match level {
        Level::Informational => ("dot", 1),
        Level::Low => ("hollow", 1),
        Level::Medium => ("peak", 1),
        Level::High => ("peak", 2),
        Level::Critical => ("peak", 3),
    };
    html! { @for _ in 0..count { (mark(shape)) } }
}

pub(super) fn level(level: Level) -> Markup {
    html! {
        span.level.{ "is-" (level.name()) } { (level_mark(level)) span.word { (level.name()) } }
    }
}

/// Beside the name of a process.
pub(super) fn fired(fired: Fired) -> Markup {
    let name = fired.worst.name();
    let title = format!("{}, worst {name}", super::measure::counted(fired.count, "alert"));
    html! {
        span.fired.{ "is-" (name) } title=(title) {
            (level_mark(fired.worst))
            @if fired.count > 1 { (fired.count) }
            span.unseen { (title) }
        }
    }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::InProgress => "in progress",
        Status::Resolved => "resolved",
        Status::FalsePositive => "false positive",
    }
}

pub(super) fn status(status: Status) -> Markup {
    let shape = match status {
        Status::New => "dot",
        Status::InProgress => "run",
        Status::Resolved => "done",
        Status::FalsePositive => "fail",
    };
    html! {
        span.status.{ "is-" (status.name()) } { (mark(shape)) (status_name(status)) }
    }
}

pub(super) fn rule_state_name(state: RuleState) -> &'static str {
    match state {
        RuleState::Active => "enabled",
        other => other.name(),
    }
}

pub(super) fn rule_state(state: RuleState) -> Markup {
    let shape = match state {
        RuleState::Active => "dot",
        RuleState::Disabled => "ring",
        RuleState::Inert | RuleState::Overridden => "dash",
        RuleState::Unusable => "fail",
    };
    html! {
        span.rule-state.{ "is-" (state.name()) } { (mark(shape)) (rule_state_name(state)) }
    }
}

/// `kept, pinned`
pub(super) fn storage(storage: Storage, is_pinned: bool) -> Markup {
    let (shape, class) = match storage {
        Storage::Kept => (Some("done"), "is-kept"),
        Storage::Damaged | Storage::Failed => (Some("fail"), "is-failed"),
        _ => (None, "is-weak"),
    };
    html! {
        span.storage.(class) {
            @if let Some(shape) = shape { (mark(shape)) }
            (storage.name().replace('-', " "))
            @if is_pinned { ", pinned" }
        }
    }
}

/// Something to be looked at.
pub(super) fn warning(text: &str) -> Markup {
    html! { span.warning { (mark("warn")) span { (super::hostile::plain(text)) } } }
}
