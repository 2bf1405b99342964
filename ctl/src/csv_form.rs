//! Records as rows for spreadsheets.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@`, and a traced process chooses
//! its own arguments: such cells begin with an apostrophe. Control characters are escaped, so that
//! a record is one line.

use common::ecs::Event;
use common::escape;

use crate::error::CommandError;
use crate::row;

pub(crate) const COLUMNS: [&str; 28] = [
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

pub(crate) fn row(event: &Event<'_>) -> [String; COLUMNS.len()] {
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
        safe(row::name(event)),
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

/// Of making a row, where the CSV writer itself fails.
pub(crate) fn error(error: csv::Error) -> CommandError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        kind => CommandError::failure(format!("cannot write CSV: {kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use common::binary::Hashes;

    use super::*;
    use crate::row::tests::{ended, event};

    #[test]
    fn a_record_is_one_row_under_its_titles() {
        let mut event = ended(event(4711, "curl -o x,y"), 1, 5);
        let hash = Hashes { sha256: "9f86d081".to_owned(), ..Hashes::default() };
        event.process.hash = Some(Cow::Owned(hash));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).unwrap();
        writer.write_record(row(&event)).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "2026-11-24T14:03:27.512345678Z,exec,7,3f2a9c81d0b4-4711-1a2b,4711,1,3f2a9c81d0b4-1-5,,0,\
             root,,,curl,/usr/bin/curl,9f86d081,\"curl -o x,y\",,2026-11-24T14:03:27.500000000Z,\
             2026-11-24T14:03:28Z,failed,1,,5,,,,,"
        );
    }

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
