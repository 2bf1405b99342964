//! Alerts in groups, and what people decide on them.

mod bars;
mod lines;
mod why;

pub(super) use why::rule_text;

use common::alert::{Alert, Status};
use common::bus::AlertSelection;
use eframe::egui::{Key as Button, Ui};

use super::{Action, Context, Reply, Subject, View, ViewId, parts};
use crate::commands::Command;
use crate::connection::alerts::{Answer as Found, Ask, Live as Raised};
use crate::connection::processes::Live;
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::state::alert_list::{AlertList, Choice, Grouping, Key};
use crate::state::alert_row::AlertRow;
use crate::state::marks::{Marks, Reach};
use crate::theme::Tokens;
use crate::widgets::table::{self, TableState};
use lines::AlertLines;

const NAME: &str = "Alerts";
/// Fetched at once; older ones on demand.
const PAGE: u32 = 1000;

/// With the keys that set them.
const STATUSES: [(Status, Button, &str); 4] = [
    (Status::New, Button::N, "N"),
    (Status::InProgress, Button::P, "P"),
    (Status::Resolved, Button::R, "R"),
    (Status::FalsePositive, Button::F, "F"),
];

#[derive(Default)]
pub(super) struct Alerts {
    list: AlertList,
    marks: Marks<Key>,
    table: TableState,
    is_known: bool,
    /// To go on from, where there are older ones.
    cursor: Option<String>,
    /// The alert of the details, whole.
    shown: Option<Box<Alert<'static>>>,
    /// It is not in the list, but was asked for.
    wanted: Option<u64>,
    note: String,
    wants_note: bool,
    trouble: Option<Trouble>,
    following: Asked,
    /// The first page waits until nothing can be missed any more.
    is_beginning: bool,
    paging: Asked,
    /// What was told while a page was on its way, and so may be newer than what is in that.
    late: Vec<AlertRow>,
    showing: Asked,
    setting: Asked,
    is_choice_read: bool,
    /// The alert that was asked for last, whether or not it came.
    asked_for: Option<u64>,
}

impl View for Alerts {
    fn id(&self) -> ViewId {
        ViewId::Alerts
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        self.read_choice(cx);
        let follow = Ask::Follow { filter: cx.scope.filter_text() };
        self.following.ask(cx.link, Request::Alerts(follow));
        self.paging.cancel(cx.link);
        self.is_beginning = true;
        if let Some(id) = self.looked_at() {
            self.showing.ask(cx.link, Request::Alerts(Ask::One { id }));
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.following.is(reply.ticket) {
            if std::mem::take(&mut self.is_beginning) {
                self.ask_first_page(cx);
            }
            match reply.result {
                Ok(Answer::Alerts(Found::Live(live))) => self.take_live(live, cx),
                // Nothing to follow, as in a recorded database; a lost connection is told elsewhere.
                Ok(_) | Err(_) => self.following.cancel(cx.link),
            }
        } else if self.paging.take(reply.ticket) {
            self.take_page(reply.result, cx);
        } else if self.showing.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Alerts(Found::One(alert))) => self.shown = Some(alert),
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.setting.take(reply.ticket) {
            match reply.result {
                Ok(_) => {
                    self.note.clear();
                    self.trouble = None;
                    if !self.following.is_waiting() {
                        self.refresh(cx);
                    }
                }
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else {
            return Some(reply);
        }
        None
    }

    fn live(&mut self, _live: &Live, _cx: &mut Context<'_>) {}

    fn tables(&self) -> Vec<&'static str> {
        vec![lines::name(self.list.choice().grouping)]
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        self.read_choice(cx);
        self.choice_bar(ui, cx);
        self.decision_bar(ui, cx);
        if self.list.lines().is_empty() {
            self.tell_empty(ui, cx);
        } else {
            self.table(ui, cx);
        }
        self.show_looked_at(cx);
    }

    fn details(&mut self, ui: &mut Ui, cx: &mut Context<'_>) -> bool {
        match &self.shown {
            Some(alert) if self.looked_at() == Some(alert.alert.id) => why::show(ui, cx, alert),
            _ if self.showing.is_waiting() => {
                parts::weak(ui, "…");
            }
            _ => {
                ui.add_space(ui.available_height() / 3.0);
                ui.vertical_centered(|ui| {
                    parts::weak(ui, "Select an alert to see why it fired.");
                });
            }
        }
        true
    }

    fn look_at(&mut self, subject: &Subject, cx: &mut Context<'_>) -> bool {
        let Subject::Alert(id) = *subject else { return false };
        self.wanted = Some(id);
        self.find_wanted();
        self.showing.ask(cx.link, Request::Alerts(Ask::One { id }));
        true
    }

    fn subject(&self) -> Option<Subject> {
        self.looked_at().map(Subject::Alert)
    }

    fn is_always_fresh(&self) -> bool {
        true
    }

    fn count(&self) -> Option<u64> {
        self.is_known.then(|| self.list.shown())
    }
}

impl Alerts {
    /// Of everything anew.
    fn ask_first_page(&mut self, cx: &mut Context<'_>) {
        self.cursor = None;
        self.ask_page(String::new(), cx);
    }

    fn ask_page(&mut self, cursor: String, cx: &mut Context<'_>) {
        let selection = AlertSelection::default();
        let ask = Ask::Rows { filter: cx.scope.text(), selection, limit: PAGE, cursor };
        self.late.clear();
        self.paging.ask(cx.link, Request::Alerts(ask));
    }

    fn take_page(&mut self, result: Result<Answer, Trouble>, cx: &mut Context<'_>) {
        match result {
            Ok(Answer::Alerts(Found::Rows { rows, cursor })) => {
                match self.cursor.take() {
                    Some(_) => self.list.add(rows, &mut self.marks),
                    None => self.list.replace(rows, &mut self.marks),
                }
                let late = std::mem::take(&mut self.late);
                self.add_told(late, cx);
                self.cursor = cursor;
                self.is_known = true;
                self.find_wanted();
                self.show_looked_at(cx);
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// What was raised or changed. What changed is shown even where new ones are not.
    fn take_live(&mut self, live: Raised, cx: &mut Context<'_>) {
        if self.paging.is_waiting() {
            self.late.extend_from_slice(&live.rows);
        }
        let told = |id: &u64| live.rows.iter().any(|row| row.id == *id);
        if let Some(id) = self.looked_at().filter(told) {
            self.showing.ask(cx.link, Request::Alerts(Ask::One { id }));
        }
        let above = self.marks.cursor().and_then(|key| self.position(key));
        self.add_told(live.rows, cx);
        // What is looked at stays where it is on the screen.
        let below = self.marks.cursor().and_then(|key| self.position(key));
        if let (Some(above), Some(below)) = (above, below) {
            self.table.top = (self.table.top + below as f64 - above as f64).max(0.0);
        }
        if live.missed > 0 {
            self.ask_first_page(cx);
        }
    }

    fn add_told(&mut self, mut rows: Vec<AlertRow>, cx: &Context<'_>) {
        let takes_new = cx.is_live && cx.scope.span.is_open();
        rows.retain(|row| takes_new || self.list.row(row.id).is_some());
        self.list.add(rows, &mut self.marks);
    }

    fn position(&self, key: &Key) -> Option<u64> {
        self.list.lines().iter().position(|line| line == key).map(|at| at as u64)
    }

    /// The alert of the details.
    fn looked_at(&self) -> Option<u64> {
        match (self.wanted, self.marks.cursor()) {
            (Some(id), _) => Some(id),
            (None, Some(Key::Alert(id))) => Some(*id),
            // Of a group its newest.
            (None, Some(Key::Group(key))) => self.list.group(key)?.alerts.first().copied(),
            (None, None) => None,
        }
    }

    /// One that was asked for becomes the chosen one as soon as it is in the list.
    fn find_wanted(&mut self) {
        let Some(id) = self.wanted else { return };
        if self.list.unfold_to(id, &mut self.marks) {
            self.wanted = None;
            let key = Key::Alert(id);
            self.marks.choose(self.list.lines(), &key, Reach::Only);
            if let Some(at) = self.position(&key) {
                self.table.reveal(at);
            }
        }
    }

    fn show_looked_at(&mut self, cx: &mut Context<'_>) {
        let Some(id) = self.looked_at() else { return };
        let is_shown = self.shown.as_ref().is_some_and(|alert| alert.alert.id == id);
        if !is_shown && self.asked_for != Some(id) {
            self.asked_for = Some(id);
            self.showing.ask(cx.link, Request::Alerts(Ask::One { id }));
        }
    }

    fn table(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let name = lines::name(self.list.choice().grouping);
        let specs = lines::specs(self.list.choice().grouping);
        let selected = self.marks.cursor().and_then(|key| self.position(key));
        let reach = parts::reach(ui);
        let has_keys = table::takes_keys(ui, name);
        let mut rows = AlertLines {
            list: &self.list,
            marks: &self.marks,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
            decided: None,
        };
        let mut remembered = cx.settings.tables.remove(name).unwrap_or_default();
        let outcome =
            table::show(ui, name, &specs, &mut remembered, &mut self.table, selected, &mut rows);
        let decided = rows.decided.take();
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(name.to_owned(), remembered);
        if let Some(at) = outcome.selected {
            self.choose(at, outcome.is_for_menu, reach);
        }
        if let Some(at) = outcome.opened {
            self.open(at, cx);
        }
        if let Some(status) = decided {
            self.decide(Some(status), cx);
        }
        if has_keys {
            self.keys(ui, cx);
        }
    }

    fn choose(&mut self, at: u64, is_for_menu: bool, reach: Reach) {
        let Some(key) = self.list.lines().get(at as usize).cloned() else { return };
        self.wanted = None;
        if !(is_for_menu && self.marks.contains(&key)) {
            self.marks.choose(self.list.lines(), &key, reach);
        }
    }

    /// A group folds; of an alert the process is looked at.
    fn open(&mut self, at: u64, cx: &mut Context<'_>) {
        match self.list.lines().get(at as usize).cloned() {
            Some(Key::Group(key)) => {
                let is_folded = self.list.is_folded(&key);
                self.list.fold(&key, !is_folded, &mut self.marks);
            }
            Some(Key::Alert(id)) => {
                if let Some(row) = self.list.row(id) {
                    cx.act(Action::Visit(ViewId::Timeline, row.process));
                }
            }
            None => {}
        }
    }

    fn keys(&mut self, ui: &Ui, cx: &mut Context<'_>) {
        for (status, key, _) in STATUSES {
            if parts::pressed(ui, key) {
                self.decide(Some(status), cx);
            }
        }
        if parts::pressed(ui, Button::M) {
            self.wants_note = true;
        }
        if parts::wants_all(ui) {
            let alerts: Vec<Key> = self.list.lines().to_vec();
            self.marks.choose_all(&alerts);
        }
        for (key, is_folded) in [(Button::ArrowLeft, true), (Button::ArrowRight, false)] {
            if !parts::pressed(ui, key) {
                continue;
            }
            let group = self.marks.cursor().and_then(|key| self.list.group_of(key));
            if let Some(group) = group {
                if is_folded {
                    let key = Key::Group(group.clone());
                    self.marks.choose(self.list.lines(), &key, Reach::Only);
                }
                self.list.fold(&group, is_folded, &mut self.marks);
            }
        }
    }

    /// Tells the recorder what people decided, on all that is chosen.
    fn decide(&mut self, status: Option<Status>, cx: &mut Context<'_>) {
        let ids = self.meant();
        let note = self.note.trim().to_owned();
        if ids.is_empty() || (status.is_none() && note.is_empty()) {
            return;
        }
        self.setting.ask(cx.link, Request::Alerts(Ask::Set { ids, status, note }));
    }

    fn meant(&self) -> Vec<u64> {
        match self.wanted {
            Some(id) => vec![id],
            None => self.list.meant(&self.marks),
        }
    }

    fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if !self.is_known {
            match self.trouble.clone().filter(|_| !self.paging.is_waiting()) {
                Some(trouble) => parts::failed(ui, &trouble, cx),
                None => parts::empty(ui, "…", |_| {}),
            }
            return;
        }
        let decided = self.list.total();
        if decided > 0 {
            let title = format!("Nothing is open: {decided} of other status or level.");
            parts::empty(ui, &title, |ui| {
                if ui.button("Show all of them").clicked() {
                    let statuses = Status::ALL.to_vec();
                    let grouping = self.list.choice().grouping;
                    self.set_choice(Choice { grouping, statuses, ..Choice::default() }, cx);
                }
            });
            return;
        }
        let title = match cx.scope.filter.text() {
            "" => format!("No rule fired in this range: {}.", cx.scope.span.name()),
            _ => "No rule fired on a process that matches:".to_owned(),
        };
        parts::empty(ui, &title, |ui| {
            parts::offer_more(ui, cx);
            if ui.button("See what the rules look for").clicked() {
                cx.act(Action::Run(Command::Show(ViewId::Rules)));
            }
        });
    }

    fn read_choice(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.is_choice_read, true) {
            let stored = cx.settings.views.get(NAME).cloned();
            let choice = stored.and_then(|value| serde_json::from_value(value).ok());
            self.list.choose(choice.unwrap_or_default(), &mut self.marks);
        }
    }

    fn set_choice(&mut self, choice: Choice, cx: &mut Context<'_>) {
        if let Ok(value) = serde_json::to_value(&choice) {
            cx.settings.views.insert(NAME.to_owned(), value);
        }
        self.list.choose(choice, &mut self.marks);
    }

    fn set_grouping(&mut self, grouping: Grouping, cx: &mut Context<'_>) {
        let cursor = self.looked_at();
        self.set_choice(Choice { grouping, ..self.list.choice().clone() }, cx);
        self.wanted = cursor;
        self.find_wanted();
    }
}
