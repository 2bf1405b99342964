//! Contents as a table.

use common::binary::{PackageState, Storage};
use common::filter::Field;
use eframe::egui::Ui;

use super::facts;
use crate::state::binary_row::{BinaryRow, Order};
use crate::state::marks::Marks;
use crate::state::narrow::Condition;
use crate::theme::Tokens;
use crate::views::Action;
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text::{self, Clock};

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

const FILE: usize = 0;
const PATH: usize = 1;
const RUNS: usize = 2;
const FIRST: usize = 3;
const LAST: usize = 4;
const SIZE: usize = 5;
const PACKAGE: usize = 6;
const COPY: usize = 7;
const ALERTS: usize = 8;

pub(super) const SPECS: &[Spec] = &[
    spec("file", 130.0),
    Spec { is_wide: true, ..spec("path", 160.0) },
    Spec { is_right: true, ..spec("runs", 60.0) },
    Spec { is_right: true, ..spec("seen first", 116.0) },
    Spec { is_right: true, ..spec("run last", 116.0) },
    Spec { is_right: true, ..spec("size", 76.0) },
    spec("package", 120.0),
    spec("copy", 96.0),
    Spec { is_right: true, ..spec("alerts", 52.0) },
    spec("SHA-256", 84.0),
];

pub(super) fn order_of(column: usize) -> Option<Order> {
    match column {
        RUNS => Some(Order::Rarest),
        FIRST => Some(Order::Newest),
        LAST => Some(Order::LastRun),
        _ => None,
    }
}

pub(super) struct BinaryLines<'a> {
    pub(super) rows: &'a [BinaryRow],
    /// Positions of what is shown.
    pub(super) shown: &'a [usize],
    pub(super) marks: &'a Marks<Box<str>>,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
}

impl BinaryLines<'_> {
    fn row(&self, index: u64) -> Option<&BinaryRow> {
        self.rows.get(*self.shown.get(usize::try_from(index).ok()?)?)
    }

    fn package(&self, row: &BinaryRow) -> Cell {
        let Some((name, state)) = &row.package else {
            let text = "none".to_owned();
            return Cell { text, color: Some(self.tokens.weak), is_mono: false };
        };
        let name = text::line(&name.text);
        match state {
            PackageState::Modified => Cell {
                text: format!("⚠ {name}, modified"),
                color: Some(self.tokens.failed),
                is_mono: false,
            },
            _ => Cell { text: name, ..Cell::default() },
        }
    }

    fn copy(&self, row: &BinaryRow) -> Cell {
        let color = match row.storage {
            Storage::Kept => None,
            Storage::Damaged | Storage::Failed => Some(self.tokens.failed),
            _ => Some(self.tokens.weak),
        };
        Cell { text: copy_text(row), color, is_mono: false }
    }
}

/// `✔ kept, pinned`
fn copy_text(row: &BinaryRow) -> String {
    let mark = match row.storage {
        Storage::Kept => "✔ ",
        Storage::Damaged | Storage::Failed => "✖ ",
        _ => "",
    };
    let pinned = if row.is_pinned { ", pinned" } else { "" };
    format!("{mark}{}{pinned}", row.storage.name().replace('-', " "))
}

impl Rows for BinaryLines<'_> {
    fn total(&self) -> u64 {
        self.shown.len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        // The beginning of a good hash is one.
        let digits = self.row(index)?.sha256.get(..16)?;
        u64::from_str_radix(digits, 16).ok()
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(row) = self.row(index) else { return Cell::default() };
        let plain = |text: String| Cell { text, ..Cell::default() };
        match column {
            FILE => {
                let mark = if row.is_notable { "⚠ " } else { "" };
                let name = row.path.text.rsplit('/').next().unwrap_or_default();
                Cell { text: format!("{mark}{}", text::line(name)), ..Cell::default() }
            }
            PATH => {
                let others = match row.other_paths {
                    0 => String::new(),
                    others => format!("  +{others}"),
                };
                let text = format!("{}{others}", text::line(&row.path.text));
                Cell { text, color: Some(self.tokens.weak), is_mono: true }
            }
            RUNS => plain(text::number(row.runs)),
            FIRST => plain(self.clock.short(row.first_ns)),
            LAST => plain(self.clock.short(row.last_ns)),
            SIZE => plain(text::size(row.size_bytes)),
            PACKAGE => self.package(row),
            COPY => self.copy(row),
            ALERTS if row.alerts == 0 => Cell::default(),
            ALERTS => Cell {
                text: format!("▲ {}", text::number(row.alerts)),
                color: Some(self.tokens.failed),
                is_mono: false,
            },
            _ => {
                Cell { text: text::line(&row.sha256), color: Some(self.tokens.weak), is_mono: true }
            }
        }
    }

    fn label(&self, index: u64) -> String {
        let Some(row) = self.row(index) else { return String::new() };
        let package = match &row.package {
            Some((name, state)) => format!("package {}, {}", text::line(&name.text), state.name()),
            None => "no package".to_owned(),
        };
        format!(
            "{}, ran {} times, last {}, {package}, copy {}, {} alerts",
            text::line(&row.path.text),
            row.runs,
            self.clock.time_and_date(row.last_ns),
            copy_text(row),
            row.alerts
        )
    }

    fn is_chosen(&self, index: u64) -> Option<bool> {
        Some(self.row(index).is_some_and(|row| self.marks.contains(&row.sha256)))
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        let Some(row) = self.row(index).cloned() else { return };
        if ui.button(facts::SHOW_RUNS).clicked() {
            self.actions.extend(facts::runs(&row.sha256));
        }
        let condition = Condition::text(Field::Exe, &row.path);
        if ui.button("Only this path").clicked() {
            self.actions.push(Action::Narrow(condition.include));
        }
        if ui.button("Without this path").clicked() {
            self.actions.push(Action::Narrow(condition.exclude));
        }
        ui.separator();
        if ui.button("Copy path").clicked() {
            self.actions.push(Action::Copy(row.path.text.to_string()));
        }
        if ui.button("Copy SHA-256").clicked() {
            self.actions.push(Action::Copy(row.sha256.to_string()));
        }
    }
}
