//! The rules as a table.

use common::rule::RuleState;
use eframe::egui::{Color32, Ui};

use crate::state::marks::Marks;
use crate::state::rule_list::{self, Key, Order, RuleList, state_sentence};
use crate::theme::{Tokens, level_mark};
use crate::views::Action;
use crate::widgets::table::{Cell, Rows, Spec};
use crate::widgets::text;

const fn spec(title: &'static str, width: f32) -> Spec {
    Spec { title, width, is_right: false, is_wide: false, is_shown: true }
}

const STATE: usize = 0;
const LEVEL: usize = 1;
const TITLE: usize = 2;
const HITS: usize = 3;
const WHY: usize = 4;
const ORIGIN: usize = 5;
const TAGS: usize = 6;
const FILE: usize = 7;

pub(super) const SPECS: &[Spec] = &[
    spec("state", 96.0),
    spec("level", 118.0),
    Spec { is_wide: true, ..spec("title", 280.0) },
    Spec { is_right: true, ..spec("alerts", 60.0) },
    spec("why it is not active", 170.0),
    spec("origin", 76.0),
    Spec { is_shown: false, ..spec("tags", 160.0) },
    Spec { is_shown: false, ..spec("file", 200.0) },
    Spec { is_shown: false, ..spec("id", 240.0) },
];

/// What a click on a title sorts by.
pub(super) fn order_of(column: usize) -> Option<Order> {
    match column {
        STATE => Some(Order::State),
        LEVEL => Some(Order::Level),
        TITLE => Some(Order::Title),
        HITS => Some(Order::Hits),
        ORIGIN | FILE => Some(Order::Origin),
        _ => None,
    }
}

pub(super) fn state_text(state: RuleState) -> String {
    let (mark, name) = match state {
        RuleState::Active => ("●", "enabled"),
        RuleState::Disabled => ("○", "disabled"),
        RuleState::Inert => ("–", "inert"),
        RuleState::Overridden => ("–", "overridden"),
        RuleState::Unusable => ("✖", "unusable"),
    };
    format!("{mark} {name}")
}

pub(super) fn state_color(state: RuleState, tokens: &Tokens) -> Color32 {
    match state {
        RuleState::Active => tokens.running,
        RuleState::Disabled | RuleState::Inert | RuleState::Overridden => tokens.weak,
        RuleState::Unusable => tokens.failed,
    }
}

pub(super) struct RuleLines<'a> {
    pub(super) list: &'a RuleList,
    pub(super) marks: &'a Marks<Key>,
    pub(super) tokens: &'a Tokens,
    pub(super) actions: Vec<Action>,
    /// Chosen from a menu.
    pub(super) switched: Option<bool>,
}

impl Rows for RuleLines<'_> {
    fn total(&self) -> u64 {
        self.list.keys().len() as u64
    }

    fn key(&self, index: u64) -> Option<u64> {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        rule_list::key(self.list.shown(index)?).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn cell(&self, index: u64, column: usize) -> Cell {
        let Some(rule) = self.list.shown(index) else { return Cell::default() };
        let plain = |text: String| Cell { text, ..Cell::default() };
        let weak = |text: String| Cell { text, color: Some(self.tokens.weak), ..Cell::default() };
        match column {
            STATE => Cell {
                text: state_text(rule.state),
                color: Some(state_color(rule.state, self.tokens)),
                is_mono: false,
            },
            LEVEL => Cell {
                text: format!("{} {}", level_mark(rule.level), rule.level.name()),
                color: Some(self.tokens.level(rule.level)),
                is_mono: false,
            },
            TITLE if rule.title.is_empty() => weak(format!("({})", text::line(&rule.file))),
            TITLE => plain(text::line(&rule.title)),
            HITS if rule.alerts == 0 => Cell::default(),
            HITS => plain(text::number(rule.alerts)),
            WHY => weak(text::line(rule.reason.as_deref().unwrap_or_default())),
            ORIGIN => weak(rule.origin.name().to_owned()),
            TAGS => weak(text::line(&rule.tags.join(", "))),
            FILE => weak(text::line(&rule.file)),
            _ => weak(text::line(&rule.id)),
        }
    }

    fn label(&self, index: u64) -> String {
        let Some(rule) = self.list.shown(index) else { return String::new() };
        format!(
            "{}, {}, {}, {} alerts",
            text::line(&rule.title),
            rule.level.name(),
            text::line(&state_sentence(rule)),
            rule.alerts
        )
    }

    fn is_chosen(&self, index: u64) -> Option<bool> {
        let key = self.list.keys().get(usize::try_from(index).ok()?);
        Some(key.is_some_and(|key| self.marks.contains(key)))
    }

    fn menu(&mut self, ui: &mut Ui, index: u64, _column: usize) {
        let Some(rule) = self.list.shown(index) else { return };
        if ui.button("Enable").clicked() {
            self.switched = Some(true);
        }
        if ui.button("Disable").clicked() {
            self.switched = Some(false);
        }
        ui.separator();
        if ui.button("Copy title").clicked() {
            self.actions.push(Action::Copy(rule.title.clone()));
        }
        if ui.button("Copy id").clicked() {
            self.actions.push(Action::Copy(rule.id.clone()));
        }
    }
}
