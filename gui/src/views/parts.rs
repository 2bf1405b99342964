//! What several views have: troubles in words, empty lists that teach, choices by keys.

use common::alert::Status;
use common::filter::Field;
use eframe::egui::{self, RichText, Role, Ui, WidgetInfo};

use super::Context;
use crate::commands::Command;
use crate::connection::Trouble;
use crate::state::alert_row::status_name;
use crate::state::marks::Reach;
use crate::state::narrow::Condition;
use crate::state::row::Row;
use crate::theme::{self, Tokens};
use crate::views::Action;
pub(crate) use crate::widgets::field::{entered, field};
use crate::widgets::text;

/// What went wrong, and what to do about it, until it is dismissed.
pub(crate) fn trouble_bar(ui: &mut Ui, trouble: &mut Option<Trouble>) {
    let Some(shown) = trouble.clone() else { return };
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.colored_label(tokens.failed, format!("⚠ {}", text::line(&shown.message)));
        let close = ui.small_button("✖");
        close.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Dismiss the message"));
        if close.clicked() {
            *trouble = None;
        }
    });
    hints(ui, &shown);
}

/// What to do, each command with a button that copies it.
pub(super) fn hints(ui: &mut Ui, trouble: &Trouble) {
    let tokens = Tokens::of(ui.ctx());
    for hint in &trouble.hints {
        ui.horizontal_wrapped(|ui| {
            ui.colored_label(tokens.weak, "→");
            for (number, part) in hint.split('`').enumerate().filter(|(_, part)| !part.is_empty()) {
                if number % 2 == 0 {
                    ui.label(text::line(part));
                    continue;
                }
                ui.label(RichText::new(text::line(part)).font(theme::mono()));
                let copy = ui.small_button("Copy");
                let name = format!("Copy {part}");
                copy.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                if copy.clicked() {
                    ui.ctx().copy_text(part.to_owned());
                }
            }
        });
    }
}

/// An empty list: what that means, and below it what can be done.
pub(super) fn empty(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    ui.add_space(ui.available_height() / 4.0);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(title).strong());
        add(ui);
    });
}

/// Offers to show more: no filter, a longer range.
pub(super) fn offer_more(ui: &mut Ui, cx: &mut Context<'_>) {
    let filter = cx.scope.filter.text().to_owned();
    if !filter.is_empty() {
        ui.label(RichText::new(text::line(&filter)).font(theme::mono()));
        if ui.button("Clear the filter").clicked() {
            cx.act(Action::Run(Command::ClearFilter));
        }
    }
    let wider = cx.scope.span.wider();
    if wider != cx.scope.span && ui.button(format!("Widen to {}", wider.name())).clicked() {
        cx.act(Action::SetSpan(wider));
    }
}

/// In the menu of a process.
pub(super) fn copy_items(ui: &mut Ui, row: &Row, actions: &mut Vec<Action>) {
    if ui.button("Copy command line").clicked() {
        actions.push(Action::Copy(row.command_line.text.to_string()));
    }
    if ui.button("Copy process id").clicked() {
        actions.push(Action::Copy(row.id.to_string()));
    }
}

/// In the menu of a process: what else is to be seen instead.
pub(super) fn pivot_items(ui: &mut Ui, row: &Row, actions: &mut Vec<Action>) {
    if ui.button("Only children of this process").clicked() {
        let condition = Condition::equal(Field::ParentId, &row.id.to_string());
        actions.push(Action::SetFilter(condition.include));
    }
    if ui.button("Only this executable").clicked() {
        let condition = Condition::text(Field::Exe, &row.executable);
        actions.push(Action::SetFilter(condition.include));
    }
}

/// A list could not be had at all.
pub(super) fn failed(ui: &mut Ui, trouble: &Trouble, cx: &mut Context<'_>) {
    let tokens = Tokens::of(ui.ctx());
    ui.add_space(ui.available_height() / 4.0);
    ui.vertical_centered(|ui| {
        ui.colored_label(tokens.failed, format!("⚠ {}", text::line(&trouble.message)));
        hints(ui, trouble);
        if ui.button("Try again").clicked() {
            cx.act(Action::Run(Command::Refresh));
        }
    });
}

/// By what was held when a row was chosen; it may be let go by now. Asked before a table takes its
/// keys away.
pub(super) fn reach(ui: &Ui) -> Reach {
    let of_event = |event: &egui::Event| match event {
        egui::Event::Key { pressed: true, modifiers, .. }
        | egui::Event::PointerButton { modifiers, .. } => Some(*modifiers),
        _ => None,
    };
    let held =
        ui.input(|input| input.events.iter().rev().find_map(of_event).unwrap_or(input.modifiers));
    match (held.shift, held.command) {
        (true, _) => Reach::Extend,
        (false, true) => Reach::Toggle,
        (false, false) => Reach::Only,
    }
}

/// A key without modifiers. Takes it away.
pub(super) fn pressed(ui: &Ui, wanted: egui::Key) -> bool {
    let is_it = |event: &egui::Event| {
        matches!(event, egui::Event::Key { key, pressed: true, modifiers, .. }
            if *key == wanted && modifiers.is_none())
    };
    ui.input_mut(|input| {
        let count = input.events.len();
        input.events.retain(|event| !is_it(event));
        input.events.len() < count
    })
}

pub(super) fn wants_all(ui: &Ui) -> bool {
    ui.input_mut(|input| input.consume_key(egui::Modifiers::COMMAND, egui::Key::A))
}

/// Text in the colour of what is not looked at first.
pub(crate) fn weak(ui: &mut Ui, text: impl Into<String>) -> egui::Response {
    let tokens = Tokens::of(ui.ctx());
    ui.add(egui::Label::new(RichText::new(text).color(tokens.weak)).wrap())
}

pub(super) fn status_mark(status: Status) -> &'static str {
    match status {
        Status::New => "●",
        Status::InProgress => "▶",
        Status::Resolved => "✔",
        Status::FalsePositive => "✖",
    }
}

/// `● new`
pub(super) fn status_text(status: Status) -> String {
    format!("{} {}", status_mark(status), status_name(status))
}

/// `3 alerts`
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", text::number(count))
}
