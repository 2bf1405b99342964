//! Records as rows for spreadsheets.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@`, and a traced process chooses
//! its own arguments: such cells begin with an apostrophe. Control characters are escaped, so that
//! a record is one line.

use crate::ecs::Event;
use crate::escape;

pub const COLUMNS: [&str; 28] = [
    "@timestamp",
    "event.action",
    "event.sequence",
    "process.entity_id",
    "process.pid",
    "process.parent.pid",
    "process.parent.entity_id",
    "process.parent.executable",
    "user.id",
    "user.name",
    "user.effective",
    "group.name",
    "process.name",
    "process.executable",
    "process.hash.sha256",
    "process.command_line",
    "process.working_directory",
    "process.start",
    "process.end",
    "state",
    "process.exit_code",
    "process.exit_signal",
    "run_time_ns",
    "container.runtime",
    "container.id",
    "unit",
    "process.tty.name",
    "notes",
];

/// The cells of a record, one for each of [`COLUMNS`].
pub fn row(event: &Event<'_>) -> [String; COLUMNS.len()] {
    let process = &event.process;
    let parent = process.parent.as_ref();
    let user = event.user.as_ref();
    let effective = user.and_then(|user| user.effective.as_ref());
    let container = event.container.as_ref();
    let recorder = &event.recorder;
    [
        event.timestamp.clone(),
        safe(&event.event.action),
        event.event.sequence.to_string(),
        process.entity_id.to_string(),
        process.pid.to_string(),
        number(parent.map(|parent| parent.pid)),
        number(parent.map(|parent| parent.entity_id)),
        text(parent.and_then(|parent| parent.executable.as_deref())),
        text(user.map(|user| &*user.id)),
        text(user.and_then(|user| user.name.as_deref())),
        text(effective.map(|user| user.name.as_deref().unwrap_or(&user.id))),
        text(event.group.as_ref().and_then(|group| group.name.as_deref())),
        safe(event.name()),
        text(process.executable.as_deref()),
        text(process.hash.as_ref().map(|hash| &*hash.sha256)),
        text(process.command_line.as_deref()),
        text(process.working_directory.as_deref()),
        safe(&process.start),
        text(process.end.as_deref()),
        safe(&recorder.state),
        number(process.exit_code),
        number(process.exit_signal),
        number(recorder.resources.as_ref().map(|resources| resources.run_time_ns)),
        text(container.map(|container| &*container.runtime)),
        text(container.map(|container| &*container.id)),
        text(recorder.unit.as_deref()),
        text(process.tty.as_ref().map(|tty| &*tty.name)),
        safe(&recorder.notes.join("; ")),
    ]
}

fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn text(value: Option<&str>) -> String {
    value.map(safe).unwrap_or_default()
}

fn safe(value: &str) -> String {
    let line = escape::terminal(value);
    match line.chars().next() {
        // The wide forms count as signs, too.
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => format!("'{line}"),
        _ => line.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_leaves_its_line() {
        for (value, expected) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("-bash", "'-bash"),
            ("@x", "'@x"),
            ("\t=1", "\\t=1"),
            ("a\r\nb\x1b", "a\\r\\nb\\x1b"),
            ("plain = 1", "plain = 1"),
        ] {
            assert_eq!(safe(value), expected);
        }
    }
}
