//! Every process in the order in which it began.

pub(super) mod columns;
mod find;

use std::collections::HashMap;
use std::ops::Range;

use common::id::ProcessId;
use eframe::egui::Ui;

use super::{Action, Context, Reply, View, ViewId, parts};
use crate::commands::Command;
use crate::connection::processes::{Answer as Found, Ask, Live};
use crate::connection::{Answer, Asked, Request, Ticket, Trouble};
use crate::state::outline::{Outline, Shift, Want};
use crate::state::row::Row;
use crate::state::scope::Scope;
use crate::theme::Tokens;
use crate::widgets::table::{self, TableState};
use columns::{SPECS, TIME, TimelineRows};
use find::{Find, Way};

/// Parts of the range that are counted first: enough that a segment is small, if all is even.
const PARTS: u32 = 4000;
const NAME: &str = "Processes";

#[derive(Default)]
pub(super) struct Timeline {
    outline: Outline,
    table: TableState,
    /// What the outline is of.
    scope: Option<Scope>,
    counting: Asked,
    /// Segments on their way, by where they begin.
    fetching: HashMap<Ticket, i64>,
    trouble: Option<Trouble>,
    /// Row that is looked at: its position in the store, and where it is in the outline.
    selected: Option<(i64, u64)>,
    /// The table stands at the end that grows, until it is scrolled.
    is_at_end: bool,
    find: Find,
}

impl View for Timeline {
    fn id(&self) -> ViewId {
        ViewId::Timeline
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        for ticket in self.fetching.drain().map(|(ticket, _)| ticket) {
            cx.link.cancel(ticket);
        }
        let scope = cx.scope;
        let is_other = self.scope.as_ref().is_none_or(|known| {
            known.filter.text() != scope.filter.text() || known.span != scope.span
        });
        if is_other {
            self.is_at_end = true;
        }
        self.scope = Some(scope.clone());
        let ask = Ask::Counts {
            filter: scope.filter_text(),
            from_ns: scope.from_ns,
            to_ns: scope.to_ns,
            buckets: PARTS,
        };
        self.counting.ask(cx.link, Request::Processes(ask));
    }

    fn answer(&mut self, reply: Reply, _cx: &mut Context<'_>) -> Option<Reply> {
        if self.counting.take(reply.ticket) {
            self.counted(reply.result);
            return None;
        }
        let Some(from_ns) = self.fetching.remove(&reply.ticket) else { return Some(reply) };
        let shift = match reply.result {
            Ok(Answer::Processes(Found::Page(page))) => self.outline.fill(from_ns, page.rows),
            Ok(Answer::Processes(Found::Counts(counts))) => self.outline.split(from_ns, &counts),
            Ok(_) => None,
            Err(trouble) => {
                self.outline.fail(from_ns);
                self.trouble = Some(trouble);
                None
            }
        };
        if let Some(shift) = shift {
            self.keep_place(shift);
        }
        None
    }

    fn live(&mut self, live: &Live, cx: &mut Context<'_>) {
        if !cx.scope.span.is_open() {
            return;
        }
        for row in &live.rows {
            self.outline.live(row.clone());
        }
        if let Some((sequence, _)) = self.selected
            && let Some(index) = self.outline.index_of(sequence)
        {
            self.selected = Some((sequence, index));
        }
    }

    fn tables(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if let Some(way) = self.find.ui(ui, cx) {
            self.go_to_match(way, cx);
        }
        if self.is_empty_and_known() {
            self.tell_empty(ui, cx);
            return;
        }
        let total = self.outline.total();
        let is_newest_first = cx.settings.is_newest_first;
        if self.is_at_end && cx.settings.is_following {
            if is_newest_first { self.table.top = 0.0 } else { self.table.to_end(total) }
        }
        let selected = self.selected.map(|(_, index)| turned(index, total, is_newest_first));
        let mut rows = TimelineRows {
            outline: &self.outline,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            is_newest_first,
            actions: Vec::new(),
        };
        let mut remembered = cx.settings.tables.remove(NAME).unwrap_or_default();
        let outcome =
            table::show(ui, NAME, SPECS, &mut remembered, &mut self.table, selected, &mut rows);
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(NAME.to_owned(), remembered);
        if outcome.is_scrolled {
            self.is_at_end = self.stands_at_end(is_newest_first);
        }
        if outcome.title == Some(TIME) {
            cx.act(Action::Run(Command::ToggleOrder));
        }
        if let Some(index) = outcome.selected {
            self.select(turned(index, total, is_newest_first), cx);
        }
        let visible = turned_range(outcome.visible, total, is_newest_first);
        self.fetch(&visible, cx);
        self.follow_selection(cx);
    }

    fn run(&mut self, command: Command, cx: &mut Context<'_>) -> bool {
        match command {
            Command::ToggleFollow if cx.settings.is_following => self.is_at_end = true,
            Command::ToggleOrder => {
                self.is_at_end = true;
                self.table.top = 0.0;
            }
            Command::Find => self.find.open(),
            _ => return false,
        }
        true
    }

    fn go_to(&mut self, time_ns: i64, cx: &mut Context<'_>) {
        let total = self.outline.total();
        let index = self.outline.index_at(time_ns).min(total.saturating_sub(1));
        let row = turned(index, total, cx.settings.is_newest_first);
        self.table.top = row as f64;
        self.is_at_end = false;
        self.select(index, cx);
    }

    fn count(&self) -> Option<u64> {
        self.scope.as_ref().map(|_| self.outline.total())
    }
}

impl Timeline {
    fn counted(&mut self, result: Result<Answer, Trouble>) {
        let Some(scope) = &self.scope else { return };
        match result {
            Ok(Answer::Processes(Found::Counts(counts))) => {
                let is_open = scope.span.is_open();
                self.outline = Outline::new(scope.from_ns, scope.to_ns, &counts, is_open);
                self.trouble = None;
                self.selected = None;
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// Rows came or went above what is seen: what is seen stays.
    fn keep_place(&mut self, shift: Shift) {
        if !self.is_at_end && (shift.index as f64) < self.table.top {
            self.table.top = (self.table.top + shift.by as f64).max(0.0);
        }
        if let Some((sequence, index)) = self.selected {
            let moved =
                if shift.index < index { index.saturating_add_signed(shift.by) } else { index };
            let index = self.outline.index_of(sequence).unwrap_or(moved);
            self.selected = Some((sequence, index));
        }
    }

    fn stands_at_end(&self, is_newest_first: bool) -> bool {
        let end = self.outline.total() as f64 - self.table.page;
        if is_newest_first { self.table.top < 0.5 } else { self.table.top + 0.5 > end }
    }

    fn select(&mut self, index: u64, cx: &mut Context<'_>) {
        let Some(row) = self.outline.row(index) else {
            // It will be when it is here.
            self.selected = Some((-1, index));
            return;
        };
        self.selected = Some((row.sequence, index));
        cx.act(Action::SelectImage(row.id, row.sequence));
    }

    fn go_to_match(&mut self, way: Way, cx: &mut Context<'_>) {
        let total = self.outline.total();
        let from = self.selected.map(|(sequence, _)| sequence);
        let is_newest_first = cx.settings.is_newest_first;
        let mut rows: Vec<&Row> = self.outline.rows().collect();
        if is_newest_first {
            rows.reverse();
        }
        let found = self.find.go(&rows, total, from, way);
        let Some(index) = found.and_then(|found| self.outline.index_of(found.sequence)) else {
            return;
        };
        self.is_at_end = false;
        self.table.reveal(turned(index, total, is_newest_first));
        self.select(index, cx);
    }

    /// The process that is looked at may have been chosen elsewhere, or before its row was here.
    fn follow_selection(&mut self, cx: &mut Context<'_>) {
        match self.selected {
            Some((-1, index)) if self.outline.row(index).is_some() => self.select(index, cx),
            None => {
                let Some(id) = cx.selected else { return };
                let row = self.outline.rows().find(|row| row.id == id);
                if let Some(sequence) = row.map(|row| row.sequence)
                    && let Some(index) = self.outline.index_of(sequence)
                {
                    self.selected = Some((sequence, index));
                }
            }
            Some((sequence, index)) => {
                let is_other = |id: ProcessId| cx.selected.is_some_and(|selected| selected != id);
                let here = self.outline.row(index).filter(|row| row.sequence == sequence);
                let is_chosen_now =
                    cx.actions.iter().any(|action| matches!(action, Action::SelectImage(..)));
                if !is_chosen_now && here.is_some_and(|row| is_other(row.id)) {
                    self.selected = None;
                }
            }
        }
    }

    /// Asks for what is seen and not here, and forgets what is far.
    fn fetch(&mut self, visible: &Range<u64>, cx: &mut Context<'_>) {
        let Some(scope) = &self.scope else { return };
        self.outline.forget_far(visible);
        let given_up = self.outline.give_up_far(visible);
        self.fetching.retain(|ticket, from_ns| {
            let is_wanted = !given_up.contains(from_ns);
            if !is_wanted {
                cx.link.cancel(*ticket);
            }
            is_wanted
        });
        for want in self.outline.wants(visible) {
            let ask = match want {
                Want::Rows { from_ns, to_ns } => Ask::Page {
                    filter: scope.within(from_ns, to_ns),
                    limit: 0,
                    newest_first: false,
                    cursor: String::new(),
                },
                Want::Counts { from_ns, to_ns, parts } => {
                    Ask::Counts { filter: scope.filter_text(), from_ns, to_ns, buckets: parts }
                }
            };
            let ticket = cx.link.ask(Request::Processes(ask));
            self.fetching.insert(ticket, want.from_ns());
        }
    }

    fn is_empty_and_known(&self) -> bool {
        self.outline.total() == 0 && !self.counting.is_waiting()
    }

    /// An empty table says why, and what to do.
    fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if let Some(trouble) = &self.trouble {
            parts::failed(ui, trouble, cx);
            return;
        }
        ui.add_space(ui.available_height() / 4.0);
        ui.vertical_centered(|ui| {
            if cx.scope.filter.text().is_empty() {
                ui.label(format!("Nothing began in this range: {}.", cx.scope.span.name()));
            } else {
                ui.label("No process matches.");
            }
            parts::offer_more(ui, cx);
        });
    }
}

/// The order of the table and that of the outline, either way.
fn turned(index: u64, total: u64, is_newest_first: bool) -> u64 {
    if is_newest_first { total.saturating_sub(index + 1) } else { index }
}

fn turned_range(range: Range<u64>, total: u64, is_newest_first: bool) -> Range<u64> {
    if is_newest_first {
        total.saturating_sub(range.end)..total.saturating_sub(range.start)
    } else {
        range
    }
}
