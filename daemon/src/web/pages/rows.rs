//! The table of processes. `rows.js` builds the same rows of what happens now: keep both in step.

use std::collections::HashMap;

use common::ecs::Event;
use common::filter::Field;
use common::id::ProcessId;
use maud::{Markup, html};

use super::facts::sought;
use super::mark::{self, Fired};
use super::{Clock, hostile, link};

/// Titles with the classes of their columns.
const COLUMNS: [(&str, &str); 8] = [
    ("c-time num", "time"),
    ("c-pid num", "pid"),
    ("c-name", "process"),
    ("c-cmd", "command line"),
    ("c-user", "user"),
    ("c-place", "container, unit"),
    ("c-state", "state"),
    ("c-parent", "parent"),
];

pub(super) struct Table<'a> {
    pub(super) clock: &'a Clock,
    pub(super) fired: &'a HashMap<ProcessId, Fired>,
}

impl Table<'_> {
    pub(super) fn show(&self, events: &[Event<'_>]) -> Markup {
        let above = |at: usize| at.checked_sub(1).map(|above| time_of(&events[above]));
        html! {
            table.list.processes {
                thead {
                    tr {
                        @for (class, title) in COLUMNS { th scope="col" class=(class) { (title) } }
                        th.c-more scope="col" { span.unseen { "menu" } }
                    }
                }
                tbody #rows {
                    @for (at, event) in events.iter().enumerate() { (self.row(event, above(at))) }
                }
            }
        }
    }

    fn row(&self, event: &Event<'_>, above: Option<&str>) -> Markup {
        let process = &event.process;
        let command = process.command_line.as_deref().or(process.executable.as_deref());
        html! {
            tr data-seq=(event.event.sequence) data-open=(link::process(&process.entity_id)) {
                td.c-time.num { (self.clock.in_row(time_of(event), above)) }
                td.c-pid.num { (value(&process.pid.to_string(), Field::Pid)) }
                td.c-name { (self.name(event)) }
                td.c-cmd { (text(command.unwrap_or_default(), Field::Cmd)) }
                td.c-user { (user(event)) }
                td.c-place { (place(event)) }
                td.c-state { (state(event)) }
                td.c-parent { (parent(event)) }
                td.c-more { (more()) }
            }
        }
    }

    fn name(&self, event: &Event<'_>) -> Markup {
        let id = &event.process.entity_id;
        let link = html! {
            a.clip href=(link::process(id)) { (hostile::short(event.name())) }
        };
        html! {
            span.line {
                @match event.process.name.as_deref() {
                    Some(name) => (sought(name, Some(Field::Name), &link)),
                    None => (link),
                }
                @if let Some(fired) = self.fired.get(id) { (mark::fired(*fired)) }
            }
        }
    }
}

/// The end of a first image tells when it began, and that is where it belongs.
fn time_of<'e>(event: &'e Event<'_>) -> &'e str {
    let is_first = event.recorder.ordinal == 0;
    if event.event.action == "end" && is_first { &event.process.start } else { &event.timestamp }
}

fn value(shown: &str, field: Field) -> Markup {
    sought(shown, Some(field), &html! { (hostile::short(shown)) })
}

fn text(shown: &str, field: Field) -> Markup {
    if shown.is_empty() {
        return html! {};
    }
    sought(shown, Some(field), &html! { span.line { (hostile::line(shown)) } })
}

/// The user, and the effective one where it is another.
pub(super) fn user(event: &Event<'_>) -> Markup {
    let Some(user) = &event.user else { return html! {} };
    let name = user.name.as_deref().unwrap_or(&user.id);
    let effective = user.effective.as_deref().map(|user| user.name.as_deref().unwrap_or(&user.id));
    let shown = html! {
        span.clip {
            (hostile::short(name))
            @if let Some(effective) = effective { " → " (hostile::short(effective)) }
        }
    };
    sought(name, Some(Field::User), &shown)
}

/// The container, or the unit outside of one.
fn place(event: &Event<'_>) -> Markup {
    if let Some(container) = &event.container {
        let short: String = container.id.chars().take(12).collect();
        let shown = html! { span.clip { (mark::mark("box")) (hostile::short(&short)) } };
        return sought(&container.id, Some(Field::Container), &shown);
    }
    let Some(unit) = event.recorder.unit.as_deref() else { return html! {} };
    sought(unit, Some(Field::Unit), &html! { span.clip { (hostile::short(unit)) } })
}

fn state(event: &Event<'_>) -> Markup {
    sought(mark::state_of(event).name(), Some(Field::State), &mark::state(event))
}

fn parent(event: &Event<'_>) -> Markup {
    let Some(parent) = &event.process.parent else { return html! {} };
    let link = |name: &str| {
        html! { a.clip href=(link::process(&parent.entity_id)) { (hostile::short(name)) } }
    };
    match parent.executable.as_deref() {
        Some(path) => sought(path, Some(Field::Parent), &link(hostile::base_name(path))),
        None => link(&format!("pid {}", parent.pid)),
    }
}

fn more() -> Markup {
    html! {
        button.more.needs-js type="button" aria-label="Menu of this row" aria-haspopup="menu" {
            (mark::mark("more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::process::tests::{event, hostile_event};

    fn shown(event: &Event<'_>) -> String {
        let clock = Clock(common::time::Clock { now_ns: 0, zone: jiff::tz::TimeZone::UTC });
        let fired = HashMap::new();
        Table { clock: &clock, fired: &fired }.show(std::slice::from_ref(event)).into_string()
    }

    #[test]
    fn hostile_strings_are_text() {
        let shown = shown(&hostile_event());
        for bad in ["<script", "<img", "\u{202e}", "\" onclick", "\x1b"] {
            assert!(!shown.contains(bad), "{bad:?} in {shown}");
        }
        assert!(shown.len() < 10_000, "{}", shown.len());
    }

    #[test]
    fn an_end_stands_where_the_process_began() {
        let mut event = event(1);
        event.event.action = "end".into();
        event.process.start = "1970-01-01T00:00:01.000000000Z".to_owned();
        assert!(shown(&event).contains("datetime=\"1970-01-01T00:00:01"));
    }
}
