//! The columns of the tree, and its lines as texts.

use std::collections::HashMap;

use common::id::ProcessId;
use common::rule::Level;
use common::time;
use eframe::egui::Ui;

use super::super::timeline::columns::state_text;
use super::super::{Action, parts};
use crate::state::row::Row;
use crate::state::tree::{Kind, Line, Tree};
use crate::theme::{self, Tokens};
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text::{self, Clock};

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

const TIME: usize = 0;
const AFTER: usize = 1;
pub(super) const PROCESS: usize = 2;
const PID: usize = 3;
const STATE: usize = 4;
const RAN: usize = 5;
const USER: usize = 6;
const ALERTS: usize = 7;
const CONTAINER: usize = 8;

pub(super) const SPECS: &[Spec] = &[
    Spec { is_right: true, ..spec("began", 104.0) },
    Spec { is_right: true, ..spec("after", 76.0) },
    Spec { is_wide: true, ..spec("process", 200.0) },
    Spec { is_right: true, ..spec("pid", 60.0) },
    spec("state", 96.0),
    Spec { is_right: true, ..spec("ran for", 84.0) },
    spec("user", 126.0),
    spec("alerts", 104.0),
    Spec { is_shown: false, ..spec("container", 66.0) },
];

/// Levels whose lines are drawn; deeper ones lose their left end.
const MOST_LEVELS: u32 = 24;

/// What rules say of a process: how often they fired, and how urgent the worst is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fired {
    pub(super) count: u32,
    pub(super) worst: Level,
}

pub(super) struct TreeRows<'a> {
    pub(super) tree: &'a Tree,
    pub(super) alerts: &'a HashMap<ProcessId, Option<Fired>>,
    pub(super) clock: &'a Clock,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
    /// Chosen in a menu.
    pub(super) focused: Option<ProcessId>,
    pub(super) toggled: Option<u64>,
}

/// What leads to a line, in a face of equal widths.
pub(super) fn lead(line: &Line) -> String {
    let mut lead = String::new();
    let first = line.depth.saturating_sub(MOST_LEVELS);
    if first > 0 {
        lead.push_str(&format!("{first}… "));
    }
    for depth in first + 1..line.depth {
        let goes_on = depth < 64 && line.guides & (1 << depth) != 0;
        lead.push_str(if goes_on { "│ " } else { "  " });
    }
    if line.depth > 0 {
        lead.push_str(if line.is_last { "└ " } else { "├ " });
    }
    lead
}

fn mark(line: &Line) -> &'static str {
    match line.is_open {
        Some(true) => "▾ ",
        Some(false) => "▸ ",
        None => "  ",
    }
}

/// The command, as far as it is known.
fn command(row: &Row) -> &str {
    [&row.command_line.text, &row.executable.text]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or(row.title(), |text| text)
}

impl TreeRows<'_> {
    fn line(&self, index: u64) -> Option<&Line> {
        self.tree.laid_out().get(index as usize)
    }

    /// A line without what leads to it.
    fn title(&self, line: &Line) -> String {
        let row = self.tree.row(line.id);
        match &line.kind {
            Kind::Process => row.map_or_else(String::new, |row| text::line(command(row))),
            Kind::Group { alike, count, .. } => {
                let name = if alike.is_empty() { "(unknown)" } else { alike };
                format!("{} × {}", text::number(u64::from(*count)), text::line(name))
            }
            Kind::Ancestors => "… show more ancestors".to_owned(),
            Kind::Unseen => {
                let pid = row.and_then(|row| row.ppid);
                let pid = pid.map(|pid| format!(" {pid}")).unwrap_or_default();
                format!("parent{pid}: not recorded")
            }
            Kind::Others => format!("… other children of {}", self.named(line.id)),
            Kind::Cut => format!("… more children of {}", self.named(line.id)),
            Kind::Loading => "…".to_owned(),
        }
    }

    fn named(&self, id: ProcessId) -> String {
        let row = self.tree.row(id);
        format!("{} {}", row.map_or(String::new(), |row| text::line(row.title())), id.pid)
    }

    fn time(&self, ns: i64, index: u64) -> String {
        let before = index.checked_sub(1).and_then(|above| self.began(above));
        let date = self.clock.date(ns);
        let known = before.unwrap_or(self.clock.now_ns);
        if self.clock.date(known) == date {
            return self.clock.time(ns);
        }
        let time = self.clock.time(ns);
        format!("{} {}", date.get(5..).unwrap_or(&date), time.get(..8).unwrap_or(&time))
    }

    fn began(&self, index: u64) -> Option<i64> {
        let line = self.line(index)?;
        match &line.kind {
            Kind::Process => self.tree.row(line.id).map(|row| row.start_ns),
            Kind::Group { from_ns, .. } => Some(*from_ns),
            _ => None,
        }
    }

    /// `+1.4 ms`: how long after its parent it began.
    fn after(&self, line: &Line) -> Option<String> {
        let own = self.tree.row(line.id)?.start_ns;
        let parent = self.tree.parent(line.id)?.start_ns;
        Some(format!("+{}", time::duration(u64::try_from(own - parent).ok()?)))
    }

    /// Another user than the parent's is told by a mark and a word.
    fn user(&self, row: &Row) -> Cell {
        let shown = who(row);
        let parent = self.tree.parent(row.id).map(who);
        match parent {
            Some(parent) if parent != shown && !parent.is_empty() && !shown.is_empty() => Cell {
                text: text::line(&format!("⇄ {shown} (was {parent})")),
                color: Some(self.tokens.warning),
                is_mono: false,
            },
            _ => Cell { text: text::line(&shown), ..Cell::default() },
        }
    }

    fn alerts(&self, id: ProcessId) -> Option<Cell> {
        let fired = self.alerts.get(&id)?.as_ref()?;
        let mut shown = format!("{} {}", theme::level_mark(fired.worst), fired.worst.name());
        if fired.count > 1 {
            shown.push_str(&format!(" ×{}", fired.count));
        }
        Some(Cell { text: shown, color: Some(self.tokens.level(fired.worst)), is_mono: false })
    }

    fn process_cell(&self, row: &Row, line: &Line, column: usize) -> Cell {
        let plain = |text: String| Cell { text, ..Cell::default() };
        let weak = |text: String| Cell { text, color: Some(self.tokens.weak), ..Cell::default() };
        match column {
            AFTER => weak(self.after(line).unwrap_or_default()),
            PID => plain(row.id.pid.to_string()),
            STATE => Cell {
                text: state_text(row),
                color: Some(self.tokens.state(row.state)),
                is_mono: false,
            },
            RAN => plain(row.run_time_ns.map(time::duration).unwrap_or_default()),
            USER => self.user(row),
            ALERTS => self.alerts(row.id).unwrap_or_default(),
            CONTAINER if !row.container.text.is_empty() => {
                let short: String = row.container.text.chars().take(12).collect();
                plain(format!("▣ {}", text::line(&short)))
            }
            _ => Cell::default(),
        }
    }
}

/// The user, and the effective one where it is another.
fn who(row: &Row) -> String {
    if row.effective_user.text.is_empty() {
        row.user.text.to_string()
    } else {
        format!("{} → {}", row.user.text, row.effective_user.text)
    }
}

/// `3 failed, 1 running`
fn tally(running: u32, failed: u32, killed: u32) -> String {
    let parts = [("⚡", killed, "killed"), ("✖", failed, "failed"), ("▶", running, "running")];
    let parts = parts.into_iter().filter(|(_, count, _)| *count > 0);
    if running + failed + killed == 0 {
        return "✔ none failed".to_owned();
    }
    parts.map(|(mark, count, name)| format!("{mark} {count} {name}")).collect::<Vec<_>>().join(" ")
}

impl Rows for TreeRows<'_> {
    fn total(&self) -> u64 {
        self.tree.laid_out().len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        self.line(index).map(Line::key)
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(line) = self.line(index) else { return Cell::default() };
        if column == PROCESS {
            let is_focus = line.kind == Kind::Process && self.tree.focus() == Some(line.id);
            let is_told = matches!(line.kind, Kind::Process | Kind::Group { .. });
            let color = match (is_focus, is_told) {
                (true, _) => Some(self.tokens.accent),
                (false, true) => None,
                (false, false) => Some(self.tokens.weak),
            };
            let here = if is_focus { "◆ " } else { "" };
            let text = format!("{}{}{here}{}", lead(line), mark(line), self.title(line));
            return Cell { text, color, is_mono: true };
        }
        match (&line.kind, column, self.tree.row(line.id)) {
            (Kind::Process, TIME, Some(row)) => {
                Cell { text: self.time(row.start_ns, index), ..Cell::default() }
            }
            (Kind::Process, _, Some(row)) => self.process_cell(row, line, column),
            (Kind::Group { from_ns, .. }, TIME, _) => {
                Cell { text: self.time(*from_ns, index), ..Cell::default() }
            }
            (Kind::Group { from_ns, to_ns, .. }, RAN, _) => {
                let length = u64::try_from(to_ns - from_ns).unwrap_or(0);
                let text = format!("in {}", time::duration(length));
                Cell { text, color: Some(self.tokens.weak), is_mono: false }
            }
            (Kind::Group { running, failed, killed, .. }, STATE, _) => {
                let color = (*failed + *killed > 0).then_some(self.tokens.failed);
                Cell { text: tally(*running, *failed, *killed), color, is_mono: false }
            }
            _ => Cell::default(),
        }
    }

    fn label(&self, index: u64) -> String {
        let Some(line) = self.line(index) else { return String::new() };
        let level = format!("level {}", line.depth + 1);
        let mut parts = vec![self.title(line), level];
        if let Some(is_open) = line.is_open {
            parts.push(if is_open { "expanded" } else { "collapsed" }.to_owned());
        }
        for column in [PID, STATE, TIME, AFTER, USER, ALERTS, CONTAINER] {
            let shown = self.cell(index, column).text;
            if !shown.is_empty() {
                let name = SPECS[column].title;
                parts.push(if column == STATE { shown } else { format!("{name} {shown}") });
            }
        }
        parts.join(", ")
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        let Some(line) = self.line(index).cloned() else { return };
        if let Some(is_open) = line.is_open
            && ui.button(if is_open { "Fold" } else { "Open" }).clicked()
        {
            self.toggled = Some(index);
        }
        let row = self.tree.row(line.id).filter(|_| line.kind == Kind::Process);
        let Some(row) = row.cloned() else { return };
        if ui.button("Tree of this process").clicked() {
            self.focused = Some(row.id);
        }
        ui.separator();
        parts::copy_items(ui, &row, &mut self.actions);
        ui.separator();
        parts::pivot_items(ui, &row, &mut self.actions);
    }
}
