//! What sections are made of: a heading that folds, a name with its value.

use common::filter::Field;
use eframe::egui::{self, Label, RichText, Ui};

use crate::state::narrow::Condition;
use crate::state::row::Text;
use crate::theme::{self, Tokens};
use crate::views::{Action, Context};
use crate::widgets::text;

/// Width of the names.
const NAMES: f32 = 112.0;
/// Of one value, so much is laid out.
const MOST_CHARS: usize = 4000;

/// A section that folds and stays as it was left. `name` is what is remembered.
pub(crate) fn section(
    ui: &mut Ui,
    cx: &mut Context<'_>,
    name: &str,
    title: &str,
    add: impl FnOnce(&mut Ui, &mut Context<'_>),
) {
    let is_open = !cx.settings.folded.contains(name);
    let header = egui::CollapsingHeader::new(RichText::new(title).strong())
        .id_salt(("section", name))
        .open(Some(is_open))
        .show_unindented(ui, |ui| add(ui, cx));
    if header.header_response.clicked() && !cx.settings.folded.remove(name) {
        cx.settings.folded.insert(name.to_owned());
    }
}

/// A name and its value; nothing where there is none. With a field, a right click narrows to it.
pub(crate) fn value(
    ui: &mut Ui,
    cx: &mut Context<'_>,
    name: &str,
    value: Option<&str>,
    field: Option<Field>,
) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    ui.horizontal_top(|ui| {
        let tokens = Tokens::of(ui.ctx());
        let size = egui::vec2(NAMES, theme::ROW_HEIGHT - 4.0);
        let left = egui::Layout::left_to_right(egui::Align::Min);
        ui.allocate_ui_with_layout(size, left, |ui| {
            ui.set_min_width(NAMES);
            ui.add(Label::new(RichText::new(name).color(tokens.weak)).truncate());
        });
        let shown = RichText::new(text::whole(value, MOST_CHARS)).font(theme::mono());
        let response = ui.add(Label::new(shown).wrap());
        response.context_menu(|ui| menu(ui, cx, value, field));
    });
}

fn menu(ui: &mut Ui, cx: &mut Context<'_>, value: &str, field: Option<Field>) {
    if let Some(field) = field {
        let condition = Condition::text(field, &Text::new(value));
        if ui.button("Include").clicked() {
            cx.act(Action::Narrow(condition.include));
        }
        if ui.button("Exclude").clicked() {
            cx.act(Action::Narrow(condition.exclude));
        }
        ui.separator();
    }
    if ui.button("Copy").clicked() {
        cx.act(Action::Copy(value.to_owned()));
    }
}

/// A value in a line of its own, in the face of commands.
pub(crate) fn mono_line(ui: &mut Ui, cx: &mut Context<'_>, value: &str, field: Option<Field>) {
    let shown = RichText::new(text::whole(value, MOST_CHARS)).font(theme::mono());
    let response = ui.add(Label::new(shown).wrap());
    response.context_menu(|ui| menu(ui, cx, value, field));
}
