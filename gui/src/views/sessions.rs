//! What one session, login, terminal or unit ran, in order, to be read like a transcript.

mod heading;
mod rows;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use eframe::egui::{self, Frame, Margin, Panel, Ui};

use super::{Action, Context, Reply, View, ViewId};
use crate::connection::processes::{Answer as Found, Ask, Live};
use crate::connection::{Answer, Asked, Request, Ticket, Trouble};
use crate::state::scope::Scope;
use crate::state::sessions::{self, Group, Grouping, Leader, Transcript};
use crate::theme::Tokens;
use crate::widgets::table::{self, TableState};
use rows::{GROUPS, GroupRows, LINES, LineRows};

const NAME: &str = "Sessions";
const TRANSCRIPT: &str = "Transcript";
/// Those with the most records; the others are told of.
const MOST_GROUPS: u32 = 1000;
const PAGE: u32 = 2000;
/// The next page is asked for when so few lines are left.
const AHEAD: u64 = 400;
/// Leaders that are asked for at once.
const MOST_LEADERS: usize = 8;
/// The list is asked for anew so often while something happens.
const EVERY_NS: i64 = 5_000_000_000;

#[derive(Default)]
pub(super) struct Sessions {
    grouping: Grouping,
    has_forks: bool,
    scope: Option<Scope>,
    groups: Vec<Group>,
    asked_groups: Asked,
    asked_at_ns: i64,
    /// Something happened since the list was asked for.
    is_outdated: bool,
    leaders: HashMap<Ticket, String>,
    list: TableState,
    chosen: Option<String>,
    transcript: Transcript,
    /// The answer takes the place of what is shown.
    is_first_page: bool,
    asked_page: Asked,
    table: TableState,
    /// The line that is looked at, by its position in the store.
    line: Option<i64>,
    is_at_end: bool,
    trouble: Option<Trouble>,
}

impl View for Sessions {
    fn id(&self) -> ViewId {
        ViewId::Sessions
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        let is_other = self.scope.as_ref().is_none_or(|known| {
            known.filter.text() != cx.scope.filter.text() || known.span != cx.scope.span
        });
        self.scope = Some(cx.scope.clone());
        self.trouble = None;
        for (ticket, _) in self.leaders.drain() {
            cx.link.cancel(ticket);
        }
        if is_other {
            // Who began something may be another within another range.
            self.groups.clear();
        }
        for group in &mut self.groups {
            if group.leader == Leader::Asked {
                group.leader = Leader::Unknown;
            }
        }
        self.ask_groups(cx);
        self.read_anew(cx);
    }

    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.asked_groups.take(reply.ticket) {
            self.take_groups(reply.result, cx);
        } else if self.asked_page.take(reply.ticket) {
            self.take_page(reply.result);
        } else if let Some(value) = self.leaders.remove(&reply.ticket) {
            let found = match reply.result {
                Ok(Answer::Processes(Found::Page(page))) => page.rows.into_iter().next(),
                _ => None,
            };
            let leader = found.map_or(Leader::None, |row| Leader::Known(Box::new(row)));
            if let Some(group) = self.groups.iter_mut().find(|group| group.value == value) {
                group.leader = leader;
            }
        } else {
            return Some(reply);
        }
        None
    }

    fn live(&mut self, live: &Live, cx: &mut Context<'_>) {
        if !cx.scope.span.is_open() {
            return;
        }
        self.is_outdated = true;
        let Some(chosen) = &self.chosen else { return };
        for row in &live.rows {
            if self.grouping.has(row, chosen) {
                self.transcript.live(row.clone(), self.has_forks);
            }
        }
    }

    fn tables(&self) -> Vec<&'static str> {
        vec![NAME, TRANSCRIPT]
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        self.keep_fresh(ui, cx);
        let tokens = Tokens::of(ui.ctx());
        let bar = Frame::new().inner_margin(Margin::symmetric(8, 3)).fill(tokens.panel);
        bar.show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            self.bar(ui, cx, tokens);
        });
        if self.groups.is_empty() {
            self.tell_empty(ui, cx, tokens);
            return;
        }
        Panel::left("sessions")
            .frame(Frame::new().fill(tokens.paper))
            .resizable(true)
            .default_size(400.0)
            .size_range(160.0..=900.0)
            .show(ui, |ui| self.group_list(ui, cx));
        egui::CentralPanel::no_frame().frame(Frame::new().fill(tokens.paper)).show(ui, |ui| {
            self.title(ui, cx, tokens);
            self.transcript(ui, cx);
        });
    }

    fn count(&self) -> Option<u64> {
        self.scope.as_ref().map(|_| self.groups.len() as u64)
    }
}

impl Sessions {
    fn ask_groups(&mut self, cx: &mut Context<'_>) {
        self.asked_at_ns = cx.clock.now_ns;
        self.is_outdated = false;
        let Some(scope) = &self.scope else { return };
        let ask = Ask::Top {
            field: self.grouping.field().name(),
            filter: scope.text(),
            limit: MOST_GROUPS,
        };
        self.asked_groups.ask(cx.link, Request::Processes(ask));
    }

    /// What happens makes the list old; it is asked for anew while somebody looks.
    fn keep_fresh(&mut self, ui: &Ui, cx: &mut Context<'_>) {
        if !self.is_outdated || !ui.input(|input| input.focused) || self.asked_groups.is_waiting() {
            return;
        }
        let age_ns = cx.clock.now_ns.saturating_sub(self.asked_at_ns);
        match u64::try_from(EVERY_NS - age_ns) {
            Ok(left @ 1..) => ui.ctx().request_repaint_after(Duration::from_nanos(left)),
            _ => self.ask_groups(cx),
        }
    }

    fn take_groups(&mut self, result: Result<Answer, Trouble>, cx: &mut Context<'_>) {
        match result {
            Ok(Answer::Processes(Found::Top(counts))) => {
                self.groups = sessions::groups(counts, &self.groups);
                for value in self.leaders.values() {
                    if let Some(group) = self.groups.iter_mut().find(|g| g.value == *value) {
                        group.leader = Leader::Asked;
                    }
                }
                if self.chosen.is_none()
                    && let Some(group) = self.groups.first()
                {
                    self.choose(group.value.clone(), cx);
                }
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn choose(&mut self, value: String, cx: &mut Context<'_>) {
        if self.chosen.as_ref() == Some(&value) {
            return;
        }
        self.chosen = Some(value);
        (self.line, self.is_at_end) = (None, false);
        self.transcript = Transcript::default();
        self.table = TableState::default();
        self.read_anew(cx);
    }

    fn read_anew(&mut self, cx: &mut Context<'_>) {
        self.is_first_page = true;
        self.ask_page(String::new(), cx);
    }

    fn ask_page(&mut self, cursor: String, cx: &mut Context<'_>) {
        self.asked_page.cancel(cx.link);
        let (Some(scope), Some(value)) = (&self.scope, &self.chosen) else { return };
        let filter = sessions::transcript_filter(scope, self.grouping, value, self.has_forks);
        let ask = Ask::Page { filter, limit: PAGE, newest_first: false, cursor };
        self.asked_page.ask(cx.link, Request::Processes(ask));
    }

    fn take_page(&mut self, result: Result<Answer, Trouble>) {
        match result {
            Ok(Answer::Processes(Found::Page(page))) => {
                if std::mem::take(&mut self.is_first_page) {
                    self.transcript = Transcript::default();
                }
                self.transcript.append(page.rows, page.cursor);
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn group_by(&mut self, grouping: Grouping, cx: &mut Context<'_>) {
        self.grouping = grouping;
        self.groups.clear();
        for (ticket, _) in self.leaders.drain() {
            cx.link.cancel(ticket);
        }
        self.asked_page.cancel(cx.link);
        (self.chosen, self.line, self.trouble) = (None, None, None);
        self.transcript = Transcript::default();
        self.list = TableState::default();
        self.ask_groups(cx);
    }

    fn group_list(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let chosen =
            self.groups.iter().position(|group| Some(&group.value) == self.chosen.as_ref());
        let mut rows = GroupRows {
            groups: &self.groups,
            grouping: self.grouping,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
        };
        let mut columns = cx.settings.tables.remove(NAME).unwrap_or_default();
        let selected = chosen.map(|at| at as u64);
        let outcome =
            table::show(ui, NAME, GROUPS, &mut columns, &mut self.list, selected, &mut rows);
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(NAME.to_owned(), columns);
        if let Some(group) = outcome.selected.and_then(|at| self.groups.get(at as usize)) {
            self.choose(group.value.clone(), cx);
        }
        self.fetch_leaders(&outcome.visible, cx);
    }

    fn fetch_leaders(&mut self, visible: &Range<u64>, cx: &mut Context<'_>) {
        let Some(scope) = &self.scope else { return };
        let range = visible.start as usize..(visible.end as usize).min(self.groups.len());
        for group in self.groups.get_mut(range).unwrap_or_default() {
            if self.leaders.len() >= MOST_LEADERS {
                return;
            }
            if group.leader != Leader::Unknown {
                continue;
            }
            group.leader = Leader::Asked;
            let filter = sessions::leader_filter(scope, self.grouping, &group.value);
            let ask = Ask::Page { filter, limit: 1, newest_first: false, cursor: String::new() };
            let ticket = cx.link.ask(Request::Processes(ask));
            self.leaders.insert(ticket, group.value.clone());
        }
    }

    fn transcript(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let total = self.transcript.rows().len() as u64;
        if total == 0 {
            let tokens = Tokens::of(ui.ctx());
            ui.add_space(ui.available_height() / 4.0);
            let told = match (self.asked_page.is_waiting(), self.has_forks) {
                (true, _) => "…",
                (false, true) => "Nothing of it is in this range.",
                (false, false) => "It executed nothing in this range. Forks shows what it forked.",
            };
            ui.vertical_centered(|ui| ui.colored_label(tokens.weak, told));
            return;
        }
        if self.is_at_end && cx.settings.is_following {
            self.table.to_end(total);
        }
        let selected = self.line.and_then(|line| self.transcript.index_of(line));
        let mut rows = LineRows {
            transcript: &self.transcript,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
        };
        let mut columns = cx.settings.tables.remove(TRANSCRIPT).unwrap_or_default();
        let selected = selected.map(|at| at as u64);
        let outcome =
            table::show(ui, TRANSCRIPT, LINES, &mut columns, &mut self.table, selected, &mut rows);
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(TRANSCRIPT.to_owned(), columns);
        if outcome.is_scrolled {
            let is_last_seen = self.table.top + self.table.page + 0.5 > total as f64;
            self.is_at_end = is_last_seen && self.transcript.is_complete();
        }
        if let Some(row) = outcome.selected.and_then(|at| self.transcript.rows().get(at as usize)) {
            self.line = Some(row.sequence);
            cx.act(Action::SelectImage(row.id, row.sequence));
        }
        let is_near_end = outcome.visible.end + AHEAD > total;
        if is_near_end
            && !self.asked_page.is_waiting()
            && self.trouble.is_none()
            && let Some(cursor) = self.transcript.cursor().map(str::to_owned)
        {
            self.ask_page(cursor, cx);
        }
    }
}
