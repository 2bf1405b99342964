//! Saved filters: the menu beside the filter box, and the little window that asks for a name.

use eframe::egui::{self, Role, Ui, WidgetInfo};

use super::Window;
use crate::commands::Command;
use crate::theme::Tokens;
use crate::views::{Action, parts};
use crate::widgets::saved::{self, Picked};
use crate::widgets::text;

/// A name that is being typed.
#[derive(Default)]
pub(super) struct Naming {
    name: String,
    trouble: Option<String>,
    /// The field has the keys already.
    is_focused: bool,
}

enum Done {
    Save,
    Leave,
}

impl Window {
    pub(super) fn saved_menu(&mut self, ui: &mut Ui) {
        let tokens = Tokens::of(ui.ctx());
        let menu = ui.menu_button("★ ⏷", |ui| {
            ui.set_min_width(220.0);
            if self.settings.saved_filters.is_empty() {
                ui.colored_label(tokens.weak, "No filter is saved.");
            }
            self.saved_list(ui);
            ui.separator();
            let save = Command::SaveFilter;
            let button =
                egui::Button::new(save.info().name).shortcut_text(save.shortcut_text(ui.ctx()));
            let is_possible = self.is_possible(save);
            if ui.add_enabled(is_possible, button).on_hover_text(save.info().doc).clicked() {
                self.actions.push(Action::Run(save));
                ui.close();
            }
        });
        let name = "Saved filters";
        menu.response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    }

    fn saved_list(&mut self, ui: &mut Ui) {
        let saved = &self.settings.saved_filters;
        let doc = |filter: &String| text::line(filter);
        match saved::list(ui, saved, "saved filter", &self.settings.filter, doc) {
            Some(Picked::Take(filter)) => {
                self.actions.push(Action::SetFilter(filter));
                ui.close();
            }
            Some(Picked::Remove(name)) => {
                self.settings.saved_filters.remove(&name);
                self.say(format!("removed the saved filter {}", text::line(&name)));
            }
            None => {}
        }
    }

    pub(super) fn name_filter(&mut self) {
        if self.settings.filter.is_empty() {
            self.say("type a filter first".to_owned());
        } else {
            self.naming = Some(Naming::default());
        }
    }

    pub(super) fn naming_window(&mut self, ctx: &egui::Context) {
        let Some(mut naming) = self.naming.take() else { return };
        let id = egui::Id::unique("name of a filter");
        let response = egui::Modal::new(id).show(ctx, |ui| self.naming(ui, &mut naming));
        match response.inner {
            Some(Done::Save) => {
                let filter = self.settings.filter.clone();
                match self.settings.saved_filters.save(&naming.name, filter) {
                    Ok(()) => self.say(format!("saved the filter as {}", naming.name.trim())),
                    Err(trouble) => {
                        naming.trouble = Some(trouble);
                        self.naming = Some(naming);
                    }
                }
            }
            Some(Done::Leave) => {}
            None if response.should_close() => {}
            None => self.naming = Some(naming),
        }
    }

    fn naming(&self, ui: &mut Ui, naming: &mut Naming) -> Option<Done> {
        let tokens = Tokens::of(ui.ctx());
        ui.set_width(420.0);
        ui.label("Save the filter");
        parts::weak(ui, text::line(&self.settings.filter));
        let hint = "its name";
        let field = parts::field(ui, &mut naming.name, "Name of the filter", hint, 400.0);
        if !std::mem::replace(&mut naming.is_focused, true) {
            field.request_focus();
        }
        if let Some(trouble) = &naming.trouble {
            ui.colored_label(tokens.failed, format!("⚠ {trouble}"));
        }
        let is_known = self.settings.saved_filters.has(&naming.name);
        if is_known {
            parts::weak(ui, "There is one of this name; it is replaced.");
        }
        let is_entered = parts::entered(ui, &field);
        let mut done = is_entered.then_some(Done::Save);
        ui.horizontal(|ui| {
            if ui.button(if is_known { "Replace" } else { "Save" }).clicked() {
                done = Some(Done::Save);
            }
            if ui.button("Cancel").clicked() {
                done = Some(Done::Leave);
            }
        });
        done
    }
}
