//! Rules: what each looks for and whether it can, switching, adding, and trying on history.

mod bars;
mod editor;
mod hunt;
mod lines;
mod text_of;

use common::rule::{Origin, RuleText};
use eframe::egui::{Key as Button, Ui};

use super::{Context, Reply, Subject, View, ViewId, parts};
use crate::commands::Command;
use crate::connection::processes::Live;
use crate::connection::rules::{Answer as Found, Ask, Quarry};
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::state::marks::{Marks, Reach};
use crate::state::rule_list::{self, Key, Order, RuleList};
use crate::theme::Tokens;
use crate::widgets::table::{self, TableState};
use editor::Editor;
use hunt::Hunt;
use lines::RuleLines;

const NAME: &str = "Rules";
/// How often each fired is asked for not more often.
const PATIENCE_NS: i64 = 30_000_000_000;

#[derive(Default)]
pub(super) struct Rules {
    list: RuleList,
    marks: Marks<Key>,
    table: TableState,
    is_known: bool,
    words: String,
    wants_focus: bool,
    /// The rule of the details, with its text.
    shown: Option<(Key, Box<RuleText>)>,
    /// Whose text was asked for.
    asked_for: Option<Key>,
    /// Id of a rule that is to be looked at once the list is here.
    wanted: Option<String>,
    trouble: Option<Trouble>,
    /// What was done.
    remark: Option<String>,
    /// Ids that are removed if that is confirmed.
    removing: Option<Vec<String>>,
    editor: Editor,
    hunt: Hunt,
    listed_at: i64,
    watching: Asked,
    listing: Asked,
    showing: Asked,
    changing: Asked,
}

impl View for Rules {
    fn id(&self) -> ViewId {
        ViewId::Rules
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        self.watching.ask(cx.link, Request::Rules(Ask::Watch));
        self.ask_list(cx);
    }

    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) -> Option<Reply> {
        if self.watching.is(reply.ticket) {
            match reply.result {
                Ok(_) => self.ask_list(cx),
                Err(_) => self.watching.cancel(cx.link),
            }
        } else if self.listing.take(reply.ticket) {
            self.take_list(reply.result);
        } else if self.showing.take(reply.ticket) {
            match reply.result {
                Ok(Answer::Rules(Found::One(rule))) => {
                    self.shown = Some((rule_list::key(&rule.info), rule));
                }
                Ok(_) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else if self.changing.take(reply.ticket) {
            match reply.result {
                Ok(answer) => {
                    self.trouble = None;
                    self.remark = remark(&answer);
                    self.ask_list(cx);
                }
                Err(trouble) => self.trouble = Some(trouble),
            }
        } else {
            let reply = self.editor.answer(reply, cx)?;
            return self.hunt.answer(reply);
        }
        None
    }

    /// Rules change by a signal; how often each fired does not.
    fn live(&mut self, _live: &Live, cx: &mut Context<'_>) {
        let is_due = cx.clock.now_ns.saturating_sub(self.listed_at) > PATIENCE_NS;
        if is_due && !self.listing.is_waiting() {
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
        self.top_bar(ui, cx);
        self.action_bar(ui, cx);
        self.hunt.ui(ui, cx);
        if self.list.keys().is_empty() {
            self.tell_empty(ui, cx);
        } else {
            self.table(ui, cx);
        }
        self.editor.window(ui.ctx(), cx);
        if let Some(text) = self.editor.wants_hunt.take() {
            self.hunt.begin("the new text".to_owned(), Quarry::Text(text), cx);
        }
        self.show_looked_at(cx);
    }

    fn details(&mut self, ui: &mut Ui, cx: &mut Context<'_>) -> bool {
        let Some(info) = self.marks.cursor().and_then(|key| self.list.find(key)) else {
            ui.add_space(ui.available_height() / 3.0);
            ui.vertical_centered(|ui| {
                parts::weak(ui, "Select a rule to see its text and how it stands.");
            });
            return true;
        };
        let key = rule_list::key(info);
        let text = self.shown.as_ref().filter(|(of, _)| *of == key).map(|(_, rule)| &*rule.text);
        text_of::show(ui, cx, info, text);
        true
    }

    fn look_at(&mut self, subject: &Subject, _cx: &mut Context<'_>) -> bool {
        let Subject::Rule(id) = subject else { return false };
        self.wanted = Some(id.clone());
        self.find_wanted();
        true
    }

    fn subject(&self) -> Option<Subject> {
        let rule = self.list.find(self.marks.cursor()?)?;
        Some(Subject::Rule(rule.id.clone()))
    }

    fn count(&self) -> Option<u64> {
        self.is_known.then(|| self.list.len() as u64)
    }
}

fn remark(answer: &Answer) -> Option<String> {
    let Answer::Rules(answer) = answer else { return None };
    let counted = |count: u32| parts::counted(count.into(), "rule");
    match answer {
        Found::Switched(affected) => Some(match (affected.meant, affected.changed) {
            (meant, 0) => format!("{} so already", counted(meant)),
            (_, changed) => format!("{} switched", counted(changed)),
        }),
        Found::Removed(affected) => Some(format!("{} removed", counted(affected.changed))),
        _ => None,
    }
}

impl Rules {
    fn ask_list(&mut self, cx: &mut Context<'_>) {
        self.listing.ask(cx.link, Request::Rules(Ask::List));
        self.listed_at = cx.clock.now_ns;
    }

    fn take_list(&mut self, result: Result<Answer, Trouble>) {
        match result {
            Ok(Answer::Rules(Found::List(rules))) => {
                let before = self.list.keys().to_vec();
                self.list.replace(rules);
                self.marks.follow(&before, self.list.keys());
                self.is_known = true;
                // Its text may be another now.
                self.asked_for = None;
                self.find_wanted();
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn find_wanted(&mut self) {
        if !self.is_known {
            return;
        }
        let Some(id) = self.wanted.take() else { return };
        let Some(key) = self.list.with_id(&id).map(rule_list::key) else {
            let text = format!("the rule {id} is not there any more");
            let kind = crate::connection::TroubleKind::NotFound;
            let hint = "its alerts keep the text it had when it fired";
            self.trouble = Some(Trouble::new(kind, text).hint(hint));
            return;
        };
        if !self.list.keys().contains(&key) {
            self.words.clear();
            self.list.narrow("");
        }
        self.marks.choose(self.list.keys(), &key, Reach::Only);
        if let Some(at) = self.list.keys().iter().position(|known| *known == key) {
            self.table.reveal(at as u64);
        }
    }

    fn show_looked_at(&mut self, cx: &mut Context<'_>) {
        let Some(key) = self.marks.cursor().cloned() else { return };
        if self.asked_for.as_ref() == Some(&key) {
            return;
        }
        let Some(rule) = self.list.find(&key) else { return };
        // The recorder gives the text of a rule that has an id, and of several with one id that of
        // the winner.
        if rule.id.is_empty() {
            self.showing.cancel(cx.link);
        } else {
            let ask = Ask::Get { id: rule.id.clone() };
            self.showing.ask(cx.link, Request::Rules(ask));
        }
        self.asked_for = Some(key);
    }

    fn table(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let at = |key: &Key| self.list.keys().iter().position(|known| known == key);
        let selected = self.marks.cursor().and_then(at).map(|at| at as u64);
        let reach = parts::reach(ui);
        let has_keys = table::takes_keys(ui, NAME);
        let mut rows = RuleLines {
            list: &self.list,
            marks: &self.marks,
            tokens: Tokens::of(ui.ctx()),
            actions: Vec::new(),
            switched: None,
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
        let switched = rows.switched.take();
        cx.actions.append(&mut rows.actions);
        cx.settings.tables.insert(NAME.to_owned(), remembered);
        if let Some(at) = outcome.selected {
            self.choose(at, outcome.is_for_menu, reach);
        }
        if let Some(order) = outcome.title.and_then(lines::order_of) {
            let order = if order == self.list.order() { Order::Level } else { order };
            self.list.sort(order);
        }
        if let Some(is_enabled) = switched {
            self.switch(is_enabled, cx);
        }
        if has_keys {
            self.keys(ui, cx);
        }
    }

    fn choose(&mut self, at: u64, is_for_menu: bool, reach: Reach) {
        let Some(key) = self.list.keys().get(at as usize).cloned() else { return };
        if !(is_for_menu && self.marks.contains(&key)) {
            self.marks.choose(self.list.keys(), &key, reach);
        }
    }

    fn keys(&mut self, ui: &Ui, cx: &mut Context<'_>) {
        if parts::pressed(ui, Button::E) {
            self.switch(true, cx);
        }
        if parts::pressed(ui, Button::D) {
            self.switch(false, cx);
        }
        if parts::wants_all(ui) {
            self.marks.choose_all(self.list.keys());
        }
    }

    /// Ids of what is chosen that can be told to the recorder.
    fn chosen_ids(&self) -> Vec<String> {
        let rules = self.marks.chosen().filter_map(|key| self.list.find(key));
        let ids = rules.map(|rule| rule.id.clone());
        ids.filter(|id| rule_list::is_nameable(id)).collect()
    }

    fn switch(&mut self, is_enabled: bool, cx: &mut Context<'_>) {
        let ids = self.chosen_ids();
        if ids.is_empty() {
            self.tell_unnameable();
            return;
        }
        self.changing.ask(cx.link, Request::Rules(Ask::Switch { ids, is_enabled }));
    }

    fn tell_unnameable(&mut self) {
        if !self.marks.is_empty() {
            let kind = crate::connection::TroubleKind::Failed;
            let text = "what is selected has no id by which the recorder could be told of it";
            self.trouble = Some(Trouble::new(kind, text).hint("give the rule an id in its file"));
        }
    }

    /// Only what was uploaded can be removed.
    fn uploaded_ids(&self) -> Vec<String> {
        let chosen = self.marks.chosen().filter_map(|key| self.list.find(key));
        let uploaded = chosen.filter(|rule| rule.origin == Origin::Uploaded);
        let ids = uploaded.map(|rule| rule.id.clone());
        ids.filter(|id| rule_list::is_nameable(id)).collect()
    }

    fn remove_confirmed(&mut self, ids: Vec<String>, cx: &mut Context<'_>) {
        self.changing.ask(cx.link, Request::Rules(Ask::Remove { ids }));
    }

    fn hunt_chosen(&mut self, cx: &mut Context<'_>) {
        let Some(rule) = self.marks.cursor().and_then(|key| self.list.find(key)) else { return };
        let (title, id) = (rule.title.clone(), rule.id.clone());
        self.hunt.begin(title, Quarry::Stored(id), cx);
    }

    fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if !self.is_known {
            match self.trouble.clone().filter(|_| !self.listing.is_waiting()) {
                Some(trouble) => parts::failed(ui, &trouble, cx),
                None => parts::empty(ui, "…", |_| {}),
            }
        } else if self.list.is_empty() {
            parts::empty(ui, "The recorder has no rules.", |ui| {
                parts::weak(ui, "Those that come with it lie in /usr/share/bpf-recorder/rules.");
                if ui.button("Add a rule…").clicked() {
                    self.editor.open();
                }
            });
        } else {
            parts::empty(ui, "No rule has these words.", |ui| {
                parts::weak(
                    ui,
                    "Titles, ids, tags, levels, states, files and reasons are searched.",
                );
                if ui.button("Show all rules").clicked() {
                    self.words.clear();
                    self.narrow();
                }
            });
        }
    }

    fn narrow(&mut self) {
        let before = self.list.keys().to_vec();
        self.list.narrow(&self.words);
        self.marks.follow(&before, self.list.keys());
        self.table.top = 0.0;
    }
}
