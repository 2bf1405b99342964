//! Contents that ran, by their SHA-256, and the copies that are kept of them.

mod bars;
mod facts;
mod lines;

use std::path::PathBuf;

use common::binary::Binary;
use common::bus::BinarySelection;
use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{Context, Reply, Subject, View, ViewId, parts};
use crate::commands::Command;
use crate::connection::binaries::{Answer as Found, Ask};
use crate::connection::files::{Answer as File, Ask as AskFile};
use crate::connection::processes::Live;
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::state::binary_row::{self, BinaryRow, Order};
use crate::state::marks::{Marks, Reach};
use crate::theme::Tokens;
use crate::widgets::table::{self, TableState};
use lines::BinaryLines;

const NAME: &str = "Binaries";
/// More are narrowed by filter, range or choice.
const MOST: u32 = 20_000;
/// While something runs all the time, the list is asked for not more often.
const PATIENCE_NS: i64 = 5_000_000_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Choice {
    order: Order,
    /// Seen first in the range.
    is_new: bool,
    is_unpackaged: bool,
}

#[derive(Default)]
pub(super) struct Binaries {
    choice: Choice,
    is_choice_read: bool,
    /// All that came, in order, and what is shown of it.
    rows: Vec<BinaryRow>,
    shown: Vec<usize>,
    keys: Vec<Box<str>>,
    words: String,
    wants_focus: bool,
    marks: Marks<Box<str>>,
    table: TableState,
    is_known: bool,
    /// The content of the details.
    one: Option<Box<Binary>>,
    asked_for: Option<Box<str>>,
    /// To be looked at although the list may not have it.
    wanted: Option<Box<str>>,
    trouble: Option<Trouble>,
    remark: Option<String>,
    /// There is no dialog: the path is typed.
    path: Option<String>,
    /// What is being saved, and how large it is.
    saved: Option<(String, u64)>,
    progress: Option<(u64, u64)>,
    listed_at: i64,
    listing: Asked,
    showing: Asked,
    pinning: Asked,
    choosing: Asked,
    saving: Asked,
    verifying: Asked,
}

impl View for Binaries {
    fn id(&self) -> ViewId {
        ViewId::Binaries
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        self.read_choice(cx);
        self.ask_list(cx);
        self.asked_for = None;
    }

    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.listing.take(reply.ticket) {
            self.take_list(reply.result);
        } else if self.showing.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Binaries(Found::One(binary))) => self.one = Some(binary),
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.pinning.take(reply.ticket) || self.saving.take(reply.ticket) {
            self.done(reply.result, cx);
        } else if self.choosing.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Files(File::Chosen(Some(path)))) => self.save_to(path, cx),
                Ok(_) => {}
                Err(trouble) => {
                    self.trouble = Some(trouble);
                    self.path = Some(self.default_name());
                }
            }
        } else if self.verifying.is(reply.ticket) {
            if let Ok(Answer::Binaries(Found::Progress { checked, total })) = reply.result {
                self.progress = Some((checked, total));
                return None;
            }
            self.verifying.take(reply.ticket);
            self.progress = None;
            self.done(reply.result, cx);
        } else {
            return Some(reply);
        }
        None
    }

    fn live(&mut self, live: &Live, cx: &mut Context<'_>) {
        let is_due = cx.clock.now_ns.saturating_sub(self.listed_at) > PATIENCE_NS;
        let has_begun = live.rows.iter().any(|row| !row.is_end);
        // Nothing moves under the eyes of who reads further down.
        let is_at_top = cx.settings.is_following && self.table.top < 0.5;
        let is_open = cx.scope.span.is_open() && is_at_top;
        if is_open && is_due && has_begun && self.is_known && !self.listing.is_waiting() {
            self.ask_list(cx);
        }
    }

    fn tables(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn run(&mut self, command: Command, _cx: &mut Context<'_>) -> bool {
        self.wants_focus |= command == Command::Find;
        command == Command::Find
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        self.read_choice(cx);
        self.top_bar(ui, cx);
        self.action_bar(ui, cx);
        if self.keys.is_empty() {
            self.tell_empty(ui, cx);
        } else {
            self.table(ui, cx);
        }
        self.show_looked_at(cx);
    }

    fn details(&mut self, ui: &mut Ui, cx: &mut Context<'_>) -> bool {
        let looked_at = self.looked_at();
        match &self.one {
            Some(one) if looked_at.as_deref() == Some(one.hash.sha256.as_str()) => {
                facts::show(ui, cx, one);
            }
            _ if looked_at.is_some() && self.showing.is_waiting() => {
                parts::weak(ui, "…");
            }
            _ => {
                ui.add_space(ui.available_height() / 3.0);
                ui.vertical_centered(|ui| {
                    parts::weak(ui, "Select a content to see what it is and where it ran.");
                });
            }
        }
        true
    }

    fn look_at(&mut self, subject: &Subject, _cx: &mut Context<'_>) -> bool {
        let Subject::Binary(sha256) = subject else { return false };
        self.wanted = Some(sha256.as_str().into());
        self.find_wanted();
        true
    }

    fn subject(&self) -> Option<Subject> {
        self.looked_at().map(|sha256| Subject::Binary(sha256.into()))
    }

    fn count(&self) -> Option<u64> {
        self.is_known.then_some(self.keys.len() as u64)
    }
}

impl Binaries {
    fn ask_list(&mut self, cx: &mut Context<'_>) {
        let selection = BinarySelection {
            order: self.choice.order.asked().to_owned(),
            first_since_ns: if self.choice.is_new { cx.scope.from_ns } else { 0 },
            is_unpackaged: self.choice.is_unpackaged,
            is_only: false,
        };
        let ask = Ask::Rows { filter: cx.scope.text(), selection, limit: MOST };
        self.listing.ask(cx.link, Request::Binaries(ask));
        self.listed_at = cx.clock.now_ns;
    }

    fn take_list(&mut self, result: Result<Answer, Trouble>) {
        match result {
            Ok(Answer::Binaries(Found::Rows(rows))) => {
                self.rows = rows;
                self.is_known = true;
                self.arrange();
                self.find_wanted();
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn arrange(&mut self) {
        binary_row::sort(&mut self.rows, self.choice.order);
        let fits = |at: &usize| binary_row::fits(&self.rows[*at], &self.words);
        self.shown = (0..self.rows.len()).filter(fits).collect();
        let keys: Vec<_> = self.shown.iter().map(|at| self.rows[*at].sha256.clone()).collect();
        let before = std::mem::replace(&mut self.keys, keys);
        self.marks.follow(&before, &self.keys);
    }

    /// What was asked of the recorder is done, or not.
    fn done(&mut self, result: Result<Answer, Trouble>, cx: &mut Context<'_>) {
        match result {
            Ok(Answer::Binaries(answer)) => {
                self.trouble = None;
                self.remark = facts::remark(&answer);
                if let Found::Verified(verified) = &answer {
                    self.trouble = facts::damage(verified);
                }
                self.path = None;
                self.ask_list(cx);
                self.asked_for = None;
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn looked_at(&self) -> Option<Box<str>> {
        self.wanted.clone().or_else(|| self.marks.cursor().cloned())
    }

    fn find_wanted(&mut self) {
        let Some(sha256) = self.wanted.clone() else { return };
        if let Some(at) = self.position(&sha256) {
            self.wanted = None;
            self.marks.choose(&self.keys, &sha256, Reach::Only);
            self.table.reveal(at);
        }
    }

    fn position(&self, sha256: &str) -> Option<u64> {
        self.keys.iter().position(|key| **key == *sha256).map(|at| at as u64)
    }

    fn show_looked_at(&mut self, cx: &mut Context<'_>) {
        let Some(sha256) = self.looked_at() else { return };
        if self.asked_for.as_ref() != Some(&sha256) {
            let ask = Ask::One { hash: sha256.to_string() };
            self.showing.ask(cx.link, Request::Binaries(ask));
            self.asked_for = Some(sha256);
        }
    }

    fn table(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let selected = self.marks.cursor().and_then(|key| self.position(key));
        let reach = parts::reach(ui);
        let has_keys = table::takes_keys(ui, NAME);
        let mut rows = BinaryLines {
            rows: &self.rows,
            shown: &self.shown,
            marks: &self.marks,
            clock: cx.clock,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
        };
        let mut remembered = cx.settings.tables.remove(NAME).unwrap_or_default();
        let outcome = table::show(
            ui,
            NAME,
            lines::SPECS,
            &mut remembered,
            &mut self.table,
            selected,
            &mut rows,
        );
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(NAME.to_owned(), remembered);
        if let Some(at) = outcome.selected
            && let Some(key) = self.keys.get(at as usize).cloned()
        {
            self.wanted = None;
            if !(outcome.is_for_menu && self.marks.contains(&key)) {
                self.marks.choose(&self.keys, &key, reach);
            }
        }
        if let Some(at) = outcome.opened
            && let Some(key) = self.keys.get(at as usize)
        {
            facts::show_runs(cx, key);
        }
        if let Some(order) = outcome.title.and_then(lines::order_of) {
            self.set_choice(Choice { order, ..self.choice.clone() }, cx);
        }
        if has_keys && parts::wants_all(ui) {
            self.marks.choose_all(&self.keys);
        }
    }

    /// What pins and copies are asked of.
    fn meant(&self) -> Vec<String> {
        match &self.wanted {
            Some(sha256) => vec![sha256.to_string()],
            None => self.marks.chosen().map(ToString::to_string).collect(),
        }
    }

    fn pin(&mut self, is_pinned: bool, cx: &mut Context<'_>) {
        let hashes = self.meant();
        self.pinning.ask(cx.link, Request::Binaries(Ask::Pin { hashes, is_pinned }));
    }

    fn verify(&mut self, cx: &mut Context<'_>) {
        self.progress = Some((0, 0));
        self.verifying.ask(cx.link, Request::Binaries(Ask::Verify));
    }

    /// The one of which a copy can be had.
    fn savable(&self) -> Option<&Binary> {
        let sha256 = self.looked_at()?;
        self.one.as_deref().filter(|one| {
            one.hash.sha256 == *sha256 && one.storage == common::binary::Storage::Kept
        })
    }

    fn choose_place(&mut self, cx: &mut Context<'_>) {
        let Some(one) = self.savable() else { return };
        self.saved = Some((one.hash.sha256.clone(), one.size_bytes));
        let name = self.default_name();
        let title = "Save the copy".to_owned();
        self.choosing.ask(cx.link, Request::Files(AskFile::ChooseToSave { title, name }));
    }

    /// Not the name of the program: nobody should run it by chance.
    fn default_name(&self) -> String {
        let sha256 = self.saved.as_ref().map_or("", |(sha256, _)| sha256);
        format!("{}.bin", sha256.get(..16).unwrap_or(sha256))
    }

    fn save_to(&mut self, path: PathBuf, cx: &mut Context<'_>) {
        let Some((sha256, size_bytes)) = self.saved.clone() else { return };
        let ask = Ask::Save { sha256, size_bytes, path };
        self.saving.ask(cx.link, Request::Binaries(ask));
    }

    fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if !self.is_known {
            match self.trouble.clone().filter(|_| !self.listing.is_waiting()) {
                Some(trouble) => parts::failed(ui, &trouble, cx),
                None => parts::empty(ui, "…", |_| {}),
            }
            return;
        }
        if !self.rows.is_empty() {
            parts::empty(ui, "No path, hash or package has these words.", |ui| {
                if ui.button("Show all of them").clicked() {
                    self.words.clear();
                    self.arrange();
                }
            });
            return;
        }
        let title = match (self.choice.is_new, self.choice.is_unpackaged) {
            (false, false) => "Nothing that was read ran in this range.",
            (true, false) => "Nothing new ran: all of it was seen before this range.",
            (false, true) => "Everything that ran belongs to a package.",
            (true, true) => "Nothing new ran that belongs to no package.",
        };
        parts::empty(ui, title, |ui| {
            if (self.choice.is_new || self.choice.is_unpackaged)
                && ui.button("Show all contents of the range").clicked()
            {
                let order = self.choice.order;
                self.set_choice(Choice { order, ..Choice::default() }, cx);
            }
            parts::offer_more(ui, cx);
        });
    }

    fn read_choice(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.is_choice_read, true) {
            let stored = cx.settings.views.get(NAME).cloned();
            let choice = stored.and_then(|value| serde_json::from_value(value).ok());
            self.choice = choice.unwrap_or_default();
        }
    }

    fn set_choice(&mut self, choice: Choice, cx: &mut Context<'_>) {
        if choice == self.choice {
            return;
        }
        if let Ok(value) = serde_json::to_value(&choice) {
            cx.settings.views.insert(NAME.to_owned(), value);
        }
        self.choice = choice;
        self.table.top = 0.0;
        self.arrange();
        self.ask_list(cx);
    }
}
