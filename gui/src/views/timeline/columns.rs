//! The columns of the process table.

use common::filter::{Field, signal_name};
use common::record::State;
use common::time;
use eframe::egui::Ui;

use super::super::{Action, ViewId, parts};
use super::turned;
use crate::state::narrow::Condition;
use crate::state::outline::Outline;
use crate::state::row::{Row, Text};
use crate::theme::{Tokens, state_mark};
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text::{self, Clock};

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

const fn hidden(title: &'static str, width: f32) -> Spec {
    Spec { is_shown: false, ..spec(title, width) }
}

pub(super) const TIME: usize = 0;
const STATE: usize = 3;
const DURATION: usize = 6;

pub(super) const SPECS: &[Spec] = &[
    Spec { is_right: true, ..spec("time", 104.0) },
    Spec { is_right: true, ..spec("pid", 64.0) },
    spec("process", 120.0),
    spec("state", 96.0),
    Spec { is_wide: true, ..spec("command line", 220.0) },
    spec("user", 90.0),
    Spec { is_right: true, ..spec("ran for", 70.0) },
    spec("parent", 120.0),
    hidden("executable", 200.0),
    hidden("working directory", 160.0),
    hidden("terminal", 70.0),
    hidden("unit", 140.0),
    hidden("container", 110.0),
    Spec { is_right: true, ..hidden("ppid", 64.0) },
    hidden("id", 220.0),
];

/// The field that a column shows.
const FIELDS: [Field; 15] = [
    Field::Time,
    Field::Pid,
    Field::Name,
    Field::State,
    Field::Cmd,
    Field::User,
    Field::Duration,
    Field::Parent,
    Field::Exe,
    Field::Cwd,
    Field::Tty,
    Field::Unit,
    Field::Container,
    Field::Ppid,
    Field::Id,
];

pub(super) struct TimelineRows<'a> {
    pub(super) outline: &'a Outline,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) is_newest_first: bool,
    pub(super) actions: Vec<Action>,
}

impl TimelineRows<'_> {
    fn row(&self, index: u64) -> Option<&Row> {
        self.outline.row(turned(index, self.outline.total(), self.is_newest_first))
    }

    /// The date stands where it changes, and in the row at the top of the whole table.
    fn time(&self, row: &Row, index: u64) -> Cell {
        let above = index.checked_sub(1).and_then(|above| self.row(above));
        let date = self.clock.date(row.time_ns);
        let is_same = match above {
            Some(above) => self.clock.date(above.time_ns) == date,
            None => index > 0 || date == self.clock.date(self.clock.now_ns),
        };
        if is_same {
            Cell { text: self.clock.time(row.time_ns), ..Cell::default() }
        } else {
            let time = self.clock.time(row.time_ns);
            Cell {
                text: format!("{} {}", &date[5.min(date.len())..], &time[..8.min(time.len())]),
                ..Cell::default()
            }
        }
    }
}

impl Rows for TimelineRows<'_> {
    fn total(&self) -> u64 {
        self.outline.total()
    }

    fn key(&self, index: u64) -> Option<u64> {
        self.row(index).map(|row| row.sequence.cast_unsigned())
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(row) = self.row(index) else { return Cell::default() };
        match column {
            TIME => self.time(row, index),
            STATE => Cell {
                text: state_text(row),
                color: Some(self.tokens.state(row.state)),
                is_mono: false,
            },
            DURATION => Cell {
                text: row.run_time_ns.map(time::duration).unwrap_or_default(),
                ..Cell::default()
            },
            _ => Cell {
                text: text::line(&value(row, column)),
                color: (column > DURATION).then_some(self.tokens.weak),
                is_mono: matches!(FIELDS[column], Field::Cmd | Field::Exe | Field::Cwd | Field::Id),
            },
        }
    }

    fn label(&self, index: u64) -> String {
        let Some(row) = self.row(index) else { return String::new() };
        format!(
            "{}, pid {}, {}, {}, {}, {}",
            self.clock.time_and_date(row.time_ns),
            row.id.pid,
            text::line(row.title()),
            text::line(&row.command_line.text),
            text::line(&row.user.text),
            row.state.name(),
        )
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, column: usize) {
        let Some(row) = self.row(index).cloned() else { return };
        let field = FIELDS[column];
        if let Some(condition) = condition(&row, field) {
            ui.label(format!("{}: {}", field.name(), shortened(&value(&row, column))));
            if ui.button("Include").clicked() {
                self.actions.push(Action::Narrow(condition.include));
            }
            if ui.button("Exclude").clicked() {
                self.actions.push(Action::Narrow(condition.exclude));
            }
            ui.separator();
        }
        if ui.button("Copy cell").clicked() {
            let text = if column == TIME {
                time::rfc3339(row.time_ns)
            } else {
                value(&row, column).into_owned()
            };
            self.actions.push(Action::Copy(text));
        }
        parts::copy_items(ui, &row, &mut self.actions);
        ui.separator();
        if ui.button("Show in tree").clicked() {
            self.actions.push(Action::Visit(ViewId::Tree, row.id));
        }
        parts::pivot_items(ui, &row, &mut self.actions);
    }
}

/// What a column shows of a row, not escaped. Times and durations have their own form.
fn value(row: &Row, column: usize) -> std::borrow::Cow<'_, str> {
    let of = |text: &'_ Text| -> std::borrow::Cow<'_, str> { text.text.to_string().into() };
    match FIELDS[column] {
        Field::Time => time::rfc3339(row.time_ns).into(),
        Field::Pid => row.id.pid.to_string().into(),
        Field::Name => row.title().into(),
        Field::State => state_text(row).into(),
        Field::Cmd => (&*row.command_line.text).into(),
        Field::User => match row.effective_user.text.is_empty() {
            true => (&*row.user.text).into(),
            false => format!("{} → {}", row.user.text, row.effective_user.text).into(),
        },
        Field::Duration => row.run_time_ns.map(time::duration).unwrap_or_default().into(),
        Field::Parent => base_name(&row.parent.text).into(),
        Field::Exe => of(&row.executable),
        Field::Cwd => of(&row.working_directory),
        Field::Tty => of(&row.tty),
        Field::Unit => of(&row.unit),
        Field::Container => row.container.text.chars().take(12).collect::<String>().into(),
        Field::Ppid => row.ppid.map(|ppid| ppid.to_string()).unwrap_or_default().into(),
        _ => row.id.to_string().into(),
    }
}

/// `None` for times and durations, which no other row has.
fn condition(row: &Row, field: Field) -> Option<Condition> {
    Some(match field {
        Field::Time | Field::Duration => return None,
        Field::Pid => Condition::equal(field, &row.id.pid.to_string()),
        Field::Ppid => Condition::equal(field, &row.ppid?.to_string()),
        Field::Id => Condition::equal(field, &row.id.to_string()),
        Field::State => Condition::equal(field, row.state.name()),
        Field::Name => Condition::text(field, &row.name),
        Field::Cmd => Condition::text(field, &row.command_line),
        Field::User => Condition::text(field, &row.user),
        Field::Parent => Condition::text(field, &row.parent),
        Field::Exe => Condition::text(field, &row.executable),
        Field::Cwd => Condition::text(field, &row.working_directory),
        Field::Tty => Condition::text(field, &row.tty),
        Field::Unit => Condition::text(field, &row.unit),
        Field::Container => Condition::text(field, &row.container),
        _ => return None,
    })
}

/// `✖ failed 2`.
pub(in crate::views) fn state_text(row: &Row) -> String {
    let mark = state_mark(row.state);
    let name = row.state.name();
    match (row.state, row.exit_code, row.signal) {
        (State::Failed, Some(code), _) => format!("{mark} {name} {code}"),
        (State::Killed, _, Some(signal)) => match signal_name(signal) {
            Some(signal) => format!("{mark} {name} {signal}"),
            None => format!("{mark} {name} {signal}"),
        },
        _ => format!("{mark} {name}"),
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn shortened(text: &str) -> String {
    let mut shown: String = text::line(text).chars().take(40).collect();
    if shown.chars().count() == 40 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_field() {
        assert_eq!(SPECS.len(), FIELDS.len());
        assert_eq!((SPECS[TIME].title, FIELDS[TIME]), ("time", Field::Time));
        assert_eq!((SPECS[STATE].title, FIELDS[STATE]), ("state", Field::State));
        assert_eq!((SPECS[DURATION].title, FIELDS[DURATION]), ("ran for", Field::Duration));
    }
}
