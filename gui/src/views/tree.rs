//! The relatives of a process: who started it, and what it started.
//!
//! Filter and range leave it as it is: an ancestor that does not match is still an ancestor.

mod fired;
mod heading;
mod rows;

use std::collections::HashMap;
use std::ops::Range;

use common::id::ProcessId;
use eframe::egui::{Key, Modifiers, Ui};

use super::{Action, Context, Reply, View, ViewId};
use crate::commands::Command;
use crate::connection::processes::{Answer as Found, Ask, Live};
use crate::connection::{Answer, Asked as Asking, Request, Ticket, Trouble};
use crate::state::row::Row;
use crate::state::tree::{Asked, Kind, Line, Tree};
use crate::theme::{self, Tokens};
use crate::widgets::table::{self, Outcome, TableState};
use rows::{Fired, PROCESS, SPECS, TreeRows};

const NAME: &str = "Tree";
/// Processes without a parent: the first of each boot, and what was adopted from outside.
const MOST_ROOTS: u32 = 2000;
const ROOTS: &str = "not parent_id exists or ppid in (0, 1)";
/// A subscription of its own is given up when nobody looked for so long.
const PATIENCE_NS: i64 = 10_000_000_000;

#[derive(Default)]
pub(super) struct TreeView {
    tree: Tree,
    /// What is shown until what was asked for is here.
    next: Option<Tree>,
    table: TableState,
    asking: HashMap<Ticket, Asked>,
    asking_roots: Asking,
    asking_alerts: (Asking, Vec<ProcessId>),
    /// Of processes that were asked for; `None`: no rule fired.
    alerts: HashMap<ProcessId, Option<Fired>>,
    /// With a filter, what the window follows is not all that happens.
    following: Asking,
    seen_ns: i64,
    trouble: Option<Trouble>,
    /// The selection that this view knows of.
    selected: Option<ProcessId>,
    /// The line that keys move from.
    cursor: Option<u64>,
    is_asked: bool,
}

impl View for TreeView {
    fn id(&self) -> ViewId {
        ViewId::Tree
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        self.follow(cx);
        let is_chosen_elsewhere = cx.selected.is_some() && cx.selected != self.selected;
        let is_known = self.is_asked && !is_chosen_elsewhere;
        let focus = if is_known { self.focus() } else { cx.selected };
        self.selected = cx.selected;
        self.look_at(focus, cx);
    }

    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.following.is(reply.ticket) {
            self.followed(reply.result, cx);
        } else if let Some(asked) = self.asking.remove(&reply.ticket) {
            self.take(asked, reply.result);
        } else if self.asking_roots.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Processes(Found::Page(page))) => {
                    self.put_next();
                    self.tree.take_roots(page.rows);
                }
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.asking_alerts.0.take(reply.ticket) {
            self.take_alerts(reply.result);
        } else {
            return Some(reply);
        }
        None
    }

    fn live(&mut self, live: &Live, cx: &mut Context<'_>) {
        // A subscription of its own has all of them.
        if cx.scope.span.is_open() && !self.following.is_waiting() {
            self.take_live(&live.rows);
        }
    }

    fn tables(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let was_away = cx.clock.now_ns.saturating_sub(self.seen_ns) > PATIENCE_NS;
        self.seen_ns = cx.clock.now_ns;
        if was_away && self.is_asked && !self.following.is_waiting() {
            self.refresh(cx);
        }
        self.follow_selection(cx);
        self.heading(ui, cx);
        if self.tree.is_empty() {
            self.tell_empty(ui, cx);
            return;
        }
        let total = self.tree.lines().len() as u64;
        let at = self.cursor.and_then(|key| self.tree.line_of(key)).map(|at| at as u64);
        self.keys(ui, at, cx);
        let mut rows = TreeRows {
            tree: &self.tree,
            alerts: &self.alerts,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
            focused: None,
            toggled: None,
        };
        let mut columns = cx.settings.tables.remove(NAME).unwrap_or_default();
        let outcome = table::show(ui, NAME, SPECS, &mut columns, &mut self.table, at, &mut rows);
        let (focused, toggled) = (rows.focused, rows.toggled);
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(NAME.to_owned(), columns);
        self.obey(ui, &outcome, cx);
        if let Some(at) = toggled {
            self.toggle(at, cx);
        }
        if let Some(id) = focused {
            self.look_at(Some(id), cx);
        }
        self.fetch(&(outcome.visible.start..outcome.visible.end.min(total)), cx);
    }

    fn run(&mut self, command: Command, cx: &mut Context<'_>) -> bool {
        if command != Command::ShowInTree {
            return false;
        }
        if let Some(id) = cx.selected {
            self.selected = Some(id);
            if self.focus() != Some(id) {
                self.look_at(Some(id), cx);
            }
        }
        true
    }
}

impl TreeView {
    fn focus(&self) -> Option<ProcessId> {
        self.next.as_ref().unwrap_or(&self.tree).focus()
    }

    /// Asks for the relatives of a process, or for the roots. What is shown stays until they are here.
    fn look_at(&mut self, focus: Option<ProcessId>, cx: &mut Context<'_>) {
        for ticket in self.asking.drain().map(|(ticket, _)| ticket) {
            cx.link.cancel(ticket);
        }
        self.asking_roots.cancel(cx.link);
        self.trouble = None;
        self.is_asked = true;
        let next = Tree::new(focus);
        let up = if self.tree.focus() == focus { self.tree.up().max(next.up()) } else { next.up() };
        self.next = Some(next);
        self.cursor = focus.map(Line::key_of);
        match focus {
            Some(id) => self.ask(Asked::around(id, up), cx),
            None => {
                let ask = Ask::Page {
                    filter: ROOTS.to_owned(),
                    limit: MOST_ROOTS,
                    newest_first: true,
                    cursor: String::new(),
                };
                self.asking_roots.ask(cx.link, Request::Processes(ask));
            }
        }
    }

    fn ask(&mut self, asked: Asked, cx: &mut Context<'_>) {
        let Asked { id, up, down, limit } = asked;
        let ask = Ask::Tree { id: id.to_string(), up, down, limit };
        self.asking.insert(cx.link.ask(Request::Processes(ask)), asked);
    }

    /// What was asked for takes the place of what is shown. What was open stays so.
    fn put_next(&mut self) {
        if let Some(next) = self.next.take() {
            let before = std::mem::replace(&mut self.tree, next);
            if before.focus() == self.tree.focus() {
                self.tree.keep_open(before);
            } else {
                self.table.top = 0.0;
            }
        }
        self.alerts.clear();
    }

    fn take(&mut self, asked: Asked, result: Result<Answer, Trouble>) {
        match result {
            Ok(Answer::Processes(Found::Tree(events))) => {
                self.put_next();
                self.tree.take(asked, events.iter().map(Row::of).collect());
                if let Some(at) = self.cursor.and_then(|key| self.tree.line_of(key)) {
                    self.table.reveal(at as u64);
                }
            }
            Ok(_) => self.tree.fail(asked.id),
            Err(trouble) => {
                self.tree.fail(asked.id);
                self.trouble = Some(trouble);
            }
        }
    }

    fn take_live(&mut self, rows: &[Row]) {
        for row in rows {
            if self.tree.live(row.clone()) {
                // A rule may have fired on it.
                self.alerts.remove(&row.id);
            }
        }
    }

    /// Follows everything where the window follows only what matches.
    fn follow(&mut self, cx: &mut Context<'_>) {
        self.following.cancel(cx.link);
        self.seen_ns = cx.clock.now_ns;
        if cx.scope.span.is_open() && !cx.scope.filter.text().is_empty() {
            let ask = Ask::Follow { filter: String::new() };
            self.following.ask(cx.link, Request::Processes(ask));
        }
    }

    fn followed(&mut self, result: Result<Answer, Trouble>, cx: &mut Context<'_>) {
        let is_left = cx.clock.now_ns.saturating_sub(self.seen_ns) > PATIENCE_NS;
        match result {
            Ok(_) if is_left => self.following.cancel(cx.link),
            Ok(Answer::Processes(Found::Live(live))) if cx.is_live => self.take_live(&live.rows),
            Ok(_) => {}
            // A recorded database cannot be followed, and an end of the connection is told elsewhere.
            Err(_) => self.following.forget(),
        }
    }

    /// A process that was chosen elsewhere is shown here, with its relatives where it is not here.
    fn follow_selection(&mut self, cx: &mut Context<'_>) {
        if cx.selected == self.selected {
            return;
        }
        self.selected = cx.selected;
        match cx.selected {
            Some(id) if self.next.is_none() && self.tree.reveal(id) => self.go(Line::key_of(id)),
            Some(id) => self.look_at(Some(id), cx),
            None => {}
        }
    }

    fn go(&mut self, key: u64) {
        self.cursor = Some(key);
        if let Some(at) = self.tree.line_of(key) {
            self.table.reveal(at as u64);
        }
    }

    fn obey(&mut self, ui: &Ui, outcome: &Outcome, cx: &mut Context<'_>) {
        let Some(line) = outcome.selected.and_then(|at| self.line(at)) else {
            if let Some(at) = outcome.opened {
                self.toggle(at, cx);
            }
            return;
        };
        self.cursor = Some(line.key());
        if line.kind == Kind::Process {
            self.selected = Some(line.id);
            cx.act(Action::Select(line.id));
        }
        let is_more = matches!(line.kind, Kind::Ancestors | Kind::Others | Kind::Cut);
        let is_on_mark = outcome.clicked.is_some_and(|(column, x)| {
            let width = ui.fonts_mut(|fonts| fonts.glyph_width(&theme::mono(), '0'));
            let lead = rows::lead(&line).chars().count() as f32;
            let from = table::PADDING + lead * width - 2.0;
            column == PROCESS && (from..from + 2.0 * width + 2.0).contains(&x)
        });
        if is_on_mark
            || (is_more && outcome.clicked.is_some())
            || (outcome.opened.is_some() && !is_more)
        {
            self.toggle(outcome.selected.unwrap_or(0), cx);
        }
    }

    fn line(&self, index: u64) -> Option<Line> {
        self.tree.laid_out().get(index as usize).cloned()
    }

    fn toggle(&mut self, index: u64, cx: &mut Context<'_>) {
        let Some(line) = self.line(index) else { return };
        match line.is_open {
            Some(true) => self.tree.fold(&line),
            Some(false) => self.open(&line, cx),
            None => {}
        }
    }

    fn open(&mut self, line: &Line, cx: &mut Context<'_>) {
        self.trouble = None;
        if let Some(asked) = self.tree.open(line) {
            self.tree.ask_pending(line.id);
            self.ask(asked, cx);
        }
    }

    /// Right opens, then goes in; Left folds, then goes out.
    fn keys(&mut self, ui: &Ui, at: Option<u64>, cx: &mut Context<'_>) {
        let Some(line) = at.and_then(|at| self.line(at)) else { return };
        if !table::takes_keys(ui, NAME) {
            return;
        }
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::ArrowRight) {
            match (line.is_open, at.and_then(|at| self.line(at + 1))) {
                (Some(false), _) => self.open(&line, cx),
                (Some(true), Some(below)) if below.depth > line.depth => self.step_to(&below, cx),
                _ => {}
            }
        }
        if pressed(Key::ArrowLeft) {
            if line.is_open == Some(true) {
                self.tree.fold(&line);
            } else if let Some(above) = self.above(at.unwrap_or(0), line.depth) {
                self.step_to(&above, cx);
            }
        }
    }

    /// The line that a line hangs on.
    fn above(&self, index: u64, depth: u32) -> Option<Line> {
        let before = self.tree.laid_out().get(..index as usize)?;
        before.iter().rev().find(|line| line.depth < depth).cloned()
    }

    fn step_to(&mut self, line: &Line, cx: &mut Context<'_>) {
        if line.kind == Kind::Process {
            self.selected = Some(line.id);
            cx.act(Action::Select(line.id));
        }
        self.go(line.key());
    }

    /// Asks for what is open in sight and not here, and for its alerts.
    fn fetch(&mut self, visible: &Range<u64>, cx: &mut Context<'_>) {
        for asked in self.tree.wants(visible) {
            self.ask(asked, cx);
        }
        self.fetch_alerts(visible, cx);
    }
}
