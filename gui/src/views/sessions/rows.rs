//! The two tables of the view: the sessions, and what one of them ran.

use common::time;
use eframe::egui::Ui;

use super::super::timeline::columns::state_text;
use super::super::{Action, ViewId, parts};
use crate::state::narrow::Condition;
use crate::state::row::Row;
use crate::state::sessions::{Group, Grouping, Leader, Transcript};
use crate::theme::Tokens;
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text::{self, Clock};

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

pub(super) const GROUPS: &[Spec] = &[
    Spec { is_right: true, ..spec("last", 88.0) },
    spec("user", 64.0),
    Spec { is_wide: true, ..spec("begun by", 120.0) },
    Spec { is_right: true, ..spec("number", 60.0) },
    Spec { is_right: true, ..spec("images", 56.0) },
];

const BEGUN_BY: usize = 2;

pub(super) struct GroupRows<'a> {
    pub(super) groups: &'a [Group],
    pub(super) grouping: Grouping,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
}

/// The command, as far as it is known.
pub(super) fn command(row: &Row) -> &str {
    [&row.command_line.text, &row.executable.text]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or(row.title(), |text| text)
}

/// Without what nobody needs of a recent time.
fn short_time(clock: &Clock, ns: i64) -> String {
    let (date, time) = (clock.date(ns), clock.time(ns));
    let clipped = time.get(..8).unwrap_or(&time);
    if date == clock.date(clock.now_ns) {
        return clipped.to_owned();
    }
    format!("{} {}", date.get(5..).unwrap_or(&date), clipped.get(..5).unwrap_or(clipped))
}

impl Rows for GroupRows<'_> {
    fn total(&self) -> u64 {
        self.groups.len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let group = self.groups.get(index as usize)?;
        let mut hasher = DefaultHasher::new();
        group.value.hash(&mut hasher);
        Some(hasher.finish())
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(group) = self.groups.get(index as usize) else { return Cell::default() };
        let leader = match &group.leader {
            Leader::Known(row) => Some(row),
            _ => None,
        };
        let shown = match column {
            0 => short_time(self.clock, group.last_ns),
            1 => leader.map_or_else(String::new, |row| text::line(&row.user.text)),
            BEGUN_BY => match (&group.leader, leader) {
                (_, Some(row)) => text::line(command(row)),
                (Leader::None, _) => "(its leader was not recorded)".to_owned(),
                _ => "…".to_owned(),
            },
            3 => text::line(&group.value),
            _ => text::number(group.records),
        };
        let is_weak = column == 0 || (column == BEGUN_BY && leader.is_none());
        let color = is_weak.then_some(self.tokens.weak);
        Cell { text: shown, color, is_mono: column == BEGUN_BY && leader.is_some() }
    }

    fn label(&self, index: u64) -> String {
        let Some(group) = self.groups.get(index as usize) else { return String::new() };
        format!(
            "{} {}, {}, begun by {}, from {} to {}, {} images",
            self.grouping.field().name(),
            text::line(&group.value),
            self.cell(index, 1).text,
            self.cell(index, BEGUN_BY).text,
            self.clock.time_and_date(group.first_ns),
            self.clock.time_and_date(group.last_ns),
            group.records,
        )
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        let Some(group) = self.groups.get(index as usize).cloned() else { return };
        let condition = self.grouping.condition(&group.value);
        if ui.button("Include").clicked() {
            self.actions.push(Action::Narrow(condition.include));
        }
        if ui.button("Exclude").clicked() {
            self.actions.push(Action::Narrow(condition.exclude));
        }
        ui.separator();
        if ui.button("Copy number").clicked() {
            self.actions.push(Action::Copy(group.value.clone()));
        }
        let Leader::Known(row) = &group.leader else { return };
        if ui.button("Show its beginning in tree").clicked() {
            self.actions.push(Action::Visit(ViewId::Tree, row.id));
        }
    }
}

pub(super) const LINES: &[Spec] = &[
    Spec { is_right: true, ..spec("time", 104.0) },
    Spec { is_wide: true, ..spec("command line", 240.0) },
    spec("state", 96.0),
    Spec { is_right: true, ..spec("ran for", 70.0) },
    Spec { is_right: true, ..spec("pid", 60.0) },
    Spec { is_shown: false, ..spec("user", 90.0) },
    Spec { is_shown: false, ..spec("working directory", 160.0) },
];

const COMMAND: usize = 1;
const STATE: usize = 2;

pub(super) struct LineRows<'a> {
    pub(super) transcript: &'a Transcript,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
}

impl LineRows<'_> {
    fn row(&self, index: u64) -> Option<&Row> {
        self.transcript.rows().get(index as usize)
    }

    fn time(&self, row: &Row, index: u64) -> String {
        let above = index.checked_sub(1).and_then(|above| self.row(above));
        let known = above.map_or(self.clock.now_ns, |row| row.time_ns);
        let date = self.clock.date(row.time_ns);
        let time = self.clock.time(row.time_ns);
        if self.clock.date(known) == date {
            return time;
        }
        format!("{} {}", date.get(5..).unwrap_or(&date), time.get(..8).unwrap_or(&time))
    }
}

/// As a shell shows it: `#` for root.
fn prompt(row: &Row) -> &'static str {
    let is_effective = !row.effective_user.text.is_empty();
    let user = if is_effective { &row.effective_user } else { &row.user };
    if &*user.text == "root" { "# " } else { "$ " }
}

impl Rows for LineRows<'_> {
    fn total(&self) -> u64 {
        self.transcript.rows().len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        self.row(index).map(|row| row.sequence.cast_unsigned())
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(row) = self.row(index) else { return Cell::default() };
        let plain = |text: String| Cell { text, ..Cell::default() };
        match column {
            0 => Cell { color: Some(self.tokens.weak), ..plain(self.time(row, index)) },
            COMMAND => {
                let indent = "  ".repeat(self.transcript.level(row) as usize);
                let fork = if &*row.action == "fork" { "(fork of) " } else { "" };
                let shown = text::line(command(row));
                let text = format!("{indent}{}{fork}{shown}", prompt(row));
                let color = (&*row.action == "fork").then_some(self.tokens.weak);
                Cell { text, color, is_mono: true }
            }
            STATE => Cell { color: Some(self.tokens.state(row.state)), ..plain(state_text(row)) },
            3 => plain(row.run_time_ns.map(time::duration).unwrap_or_default()),
            4 => plain(row.id.pid.to_string()),
            5 => plain(text::line(&row.user.text)),
            _ => Cell { is_mono: true, ..plain(text::line(&row.working_directory.text)) },
        }
    }

    fn label(&self, index: u64) -> String {
        let Some(row) = self.row(index) else { return String::new() };
        format!(
            "{}, {}, {}, ran for {}, pid {}, level {}",
            self.clock.time_and_date(row.time_ns),
            text::line(command(row)),
            state_text(row),
            self.cell(index, 3).text,
            row.id.pid,
            self.transcript.level(row) + 1,
        )
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        let Some(row) = self.row(index).cloned() else { return };
        parts::copy_items(ui, &row, &mut self.actions);
        ui.separator();
        if ui.button("Show in tree").clicked() {
            self.actions.push(Action::Visit(ViewId::Tree, row.id));
        }
        if ui.button("Only this executable").clicked() {
            let condition = Condition::text(common::filter::Field::Exe, &row.executable);
            self.actions.push(Action::Narrow(condition.include));
        }
    }
}
