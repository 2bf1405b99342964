//! The lines of the list: headings of groups, and alerts.

use common::alert::Status;
use common::filter::Field;
use common::time;
use eframe::egui::{Color32, Ui};

use super::STATUSES;
use crate::state::alert_list::{AlertList, Group, Grouping, Key};
use crate::state::alert_row::AlertRow;
use crate::state::marks::Marks;
use crate::state::narrow::Condition;
use crate::theme::{Tokens, level_mark};
use crate::views::parts::{counted, status_text};
use crate::views::{Action, Subject, ViewId};
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text::{self, Clock};

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

const TIME: usize = 0;
const LEVEL: usize = 1;
const STATUS: usize = 2;
const RULE: usize = 3;
const PROCESS: usize = 4;
const PID: usize = 5;
const COMMAND: usize = 6;
const USER: usize = 7;
const COUNT: usize = 8;

const SPECS: [Spec; 10] = [
    Spec { is_right: true, ..spec("time", 118.0) },
    spec("level", 110.0),
    spec("status", 104.0),
    spec("rule", 260.0),
    spec("process", 104.0),
    Spec { is_right: true, ..spec("pid", 60.0) },
    Spec { is_wide: true, ..spec("command line", 200.0) },
    spec("user", 76.0),
    Spec { is_right: true, ..spec("times", 48.0) },
    spec("note", 140.0),
];

/// The columns hide what the heading says.
pub(super) fn specs(grouping: Grouping) -> [Spec; 10] {
    let mut specs = SPECS;
    match grouping {
        Grouping::Rule => {
            (specs[LEVEL].is_shown, specs[RULE].is_shown) = (false, false);
        }
        Grouping::Process => {
            for column in [PROCESS, PID, USER] {
                specs[column].is_shown = false;
            }
            specs[RULE].is_wide = true;
            specs[COMMAND].is_wide = false;
        }
    }
    specs
}

pub(super) fn name(grouping: Grouping) -> &'static str {
    match grouping {
        Grouping::Rule => "Alerts by rule",
        Grouping::Process => "Alerts by process",
    }
}

pub(super) struct AlertLines<'a> {
    pub(super) list: &'a AlertList,
    pub(super) marks: &'a Marks<Key>,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
    /// Chosen from a menu.
    pub(super) decided: Option<Status>,
}

impl AlertLines<'_> {
    fn line(&self, index: u64) -> Option<&Key> {
        self.list.lines().get(usize::try_from(index).ok()?)
    }

    fn alert(&self, index: u64) -> Option<&AlertRow> {
        match self.line(index)? {
            Key::Alert(id) => self.list.row(*id),
            Key::Group(_) => None,
        }
    }

    fn group(&self, index: u64) -> Option<&Group> {
        match self.line(index)? {
            Key::Group(key) => self.list.group(key),
            Key::Alert(_) => None,
        }
    }

    fn title(&self, group: &Group) -> String {
        let Some(row) = group.alerts.first().and_then(|id| self.list.row(*id)) else {
            return String::new();
        };
        let what = match self.list.choice().grouping {
            Grouping::Rule => text::line(&row.rule.text),
            Grouping::Process => {
                format!("{}  pid {}", text::line(row.title()), row.process.pid)
            }
        };
        let count = counted(group.alerts.len() as u64, "alert");
        let mut title = format!("{what}   ·   {count}");
        if group.new > 0 {
            title.push_str(&format!(", {} new", group.new));
        }
        title
    }

    fn status_color(&self, status: Status) -> Option<Color32> {
        match status {
            Status::New => Some(self.tokens.accent),
            Status::InProgress => None,
            Status::Resolved | Status::FalsePositive => Some(self.tokens.weak),
        }
    }

    fn alert_menu(&mut self, ui: &mut Ui, row: &AlertRow) {
        for (status, _, key) in STATUSES {
            let button = eframe::egui::Button::new(status_text(status)).shortcut_text(key);
            if ui.add(button).clicked() {
                self.decided = Some(status);
            }
        }
        ui.separator();
        if ui.button("Show the process").clicked() {
            self.actions.push(Action::Visit(ViewId::Timeline, row.process));
        }
        if ui.button("Show the rule").clicked() {
            self.actions.push(Action::LookAt(Subject::Rule(row.rule_id.to_string())));
        }
        let condition = Condition::text(Field::Exe, &row.executable);
        if ui.button("Only this executable").clicked() {
            self.actions.push(Action::Narrow(condition.include));
        }
        if ui.button("Without this executable").clicked() {
            self.actions.push(Action::Narrow(condition.exclude));
        }
        ui.separator();
        if ui.button("Copy command line").clicked() {
            self.actions.push(Action::Copy(row.command_line.text.to_string()));
        }
        if ui.button("Copy number of the alert").clicked() {
            self.actions.push(Action::Copy(row.id.to_string()));
        }
    }
}

impl Rows for AlertLines<'_> {
    fn total(&self) -> u64 {
        self.list.lines().len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        match self.line(index)? {
            Key::Alert(id) => Some(*id),
            Key::Group(key) => {
                let mut hasher = DefaultHasher::new();
                ("group", key).hash(&mut hasher);
                Some(hasher.finish())
            }
        }
    }

    fn heading(&self, index: u64) -> Option<(Cell, Cell)> {
        let group = self.group(index)?;
        let fold = if self.list.is_folded(&group.key) { "⏵" } else { "⏷" };
        let (mark, level) = (level_mark(group.worst), group.worst.name());
        let mark = Cell {
            text: format!("{fold} {mark} {level}"),
            color: Some(self.tokens.level(group.worst)),
            is_mono: false,
        };
        Some((mark, Cell { text: self.title(group), ..Cell::default() }))
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(row) = self.alert(index) else { return Cell::default() };
        let plain = |text: String| Cell { text, ..Cell::default() };
        let weak = |text: &str| Cell {
            text: text::line(text),
            color: Some(self.tokens.weak),
            is_mono: false,
        };
        match column {
            TIME => plain(self.clock.short(row.time_ns)),
            LEVEL => Cell {
                text: format!("{} {}", level_mark(row.level), row.level.name()),
                color: Some(self.tokens.level(row.level)),
                is_mono: false,
            },
            STATUS => Cell {
                text: status_text(row.status),
                color: self.status_color(row.status),
                is_mono: false,
            },
            RULE => plain(text::line(&row.rule.text)),
            PROCESS => plain(text::line(row.title())),
            PID => plain(row.process.pid.to_string()),
            COMMAND => {
                Cell { text: text::line(&row.command_line.text), color: None, is_mono: true }
            }
            USER => weak(&row.user.text),
            COUNT if row.count > 1 => plain(format!("{}×", text::number(row.count))),
            COUNT => Cell::default(),
            _ => weak(&row.note.text),
        }
    }

    fn label(&self, index: u64) -> String {
        if let Some(group) = self.group(index) {
            let fold = if self.list.is_folded(&group.key) { "folded" } else { "unfolded" };
            return format!("group, {}, {}, {fold}", group.worst.name(), self.title(group));
        }
        let Some(row) = self.alert(index) else { return String::new() };
        format!(
            "alert {}, {}, {}, {}, {}, pid {}, {}",
            row.id,
            row.level.name(),
            text::line(&row.rule.text),
            crate::state::alert_row::status_name(row.status),
            text::line(row.title()),
            row.process.pid,
            time::rfc3339(row.time_ns)
        )
    }

    fn is_chosen(&self, index: u64) -> Option<bool> {
        Some(self.line(index).is_some_and(|key| self.marks.contains(key)))
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        if let Some(row) = self.alert(index).cloned() {
            self.alert_menu(ui, &row);
        } else if self.group(index).is_some() {
            for (status, _, key) in STATUSES {
                let text = format!("All: {}", status_text(status));
                let button = eframe::egui::Button::new(text).shortcut_text(key);
                if ui.add(button).clicked() {
                    self.decided = Some(status);
                }
            }
        }
    }
}
