//! The bar at the top and the list of views.

use eframe::egui::{self, Align, Layout, RichText, Role, Ui, WidgetInfo};

use super::Window;
use crate::commands::{Command, Menu};
use crate::connection::processes::Ask;
use crate::connection::{Request, Status};
use crate::state::scope::Span;
use crate::theme::Tokens;
use crate::views::{Action, ViewId};
use crate::widgets::filter_box::Outcome;
use crate::widgets::text;

/// Values that the box offers of a field.
const MOST_VALUES: u32 = 200;

impl Window {
    pub(super) fn bar(&mut self, ui: &mut Ui) {
        egui::MenuBar::new().ui(ui, |ui| {
            for menu in Menu::ALL {
                ui.menu_button(menu.name(), |ui| self.menu(ui, menu));
            }
        });
        let tokens = Tokens::of(ui.ctx());
        self.trouble_line(ui, tokens);
        if self.needs_start() {
            return;
        }
        ui.horizontal(|ui| {
            self.state_chip(ui, tokens);
            ui.separator();
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.live_buttons(ui, tokens);
                self.range_menu(ui);
                ui.separator();
                self.filter(ui);
            });
        });
    }

    fn menu(&mut self, ui: &mut Ui, menu: Menu) {
        let ctx = ui.ctx().clone();
        for command in Command::all().filter(|command| command.info().menu == Some(menu)) {
            let info = command.info();
            let mut button =
                egui::Button::new(info.name).shortcut_text(command.shortcut_text(&ctx));
            if let Some(is_on) = self.is_on(command) {
                button = button.selected(is_on);
            }
            let is_possible = self.is_possible(command);
            if ui.add_enabled(is_possible, button).on_hover_text(info.doc).clicked() {
                self.actions.push(Action::Run(command));
                ui.close();
            }
        }
    }

    /// The connection is gone: said in words, above everything, as long as it is.
    fn trouble_line(&self, ui: &mut Ui, tokens: &Tokens) {
        if let (Status::Lost(trouble), false) = (&self.status, self.needs_start()) {
            ui.horizontal_wrapped(|ui| {
                let what =
                    format!("⚠ No connection: {}. Trying again…", text::line(&trouble.message));
                ui.colored_label(tokens.warning, what);
            });
        }
    }

    fn state_chip(&self, ui: &mut Ui, tokens: &Tokens) {
        let host = self.health.as_ref().map_or("", |health| health.host.as_str());
        let state = self.health.as_ref().map_or("", |health| health.state.as_str());
        let (mark, name, color) = match (&self.status, state) {
            (Status::Connected, "recording") => ("●", "Recording", tokens.running),
            (Status::Connected, "read-only") => ("■", "Recorded", tokens.accent),
            (Status::Connected, other) => ("●", other, tokens.warning),
            (Status::Connecting, _) => ("…", "Connecting", tokens.weak),
            (Status::Lost(_) | Status::Absent(_), _) => ("○", "Not connected", tokens.warning),
        };
        ui.colored_label(color, RichText::new(format!("{mark} {name}")).strong());
        let label = ui.label(text::line(host));
        if let Some(health) = &self.health {
            let store = &health.store;
            label.on_hover_text(format!(
                "bpf-recorderd {}\nkernel {}\n{} records in {}",
                health.version,
                health.kernel,
                text::number(store.records),
                text::size(store.size_bytes)
            ));
        }
    }

    fn live_buttons(&mut self, ui: &mut Ui, tokens: &Tokens) {
        if self.is_recorded() {
            return;
        }
        if !self.scope.span.is_open() {
            let back = ui.button("Back to live").on_hover_text("Take the last hour, up to now");
            if back.clicked() {
                self.actions.push(Action::SetSpan(Span::Last(3600)));
            }
            return;
        }
        let follow = ui
            .selectable_label(self.settings.is_following, "⬇ Follow")
            .on_hover_text(Command::ToggleFollow.info().doc);
        if follow.clicked() {
            self.actions.push(Action::Run(Command::ToggleFollow));
        }
        let title = match self.paused {
            None => RichText::new("⏸ Pause"),
            Some(waiting) => RichText::new(format!("▶ Resume · {} new", text::number(waiting)))
                .color(tokens.accent),
        };
        let pause = ui.button(title).on_hover_text(Command::TogglePause.info().doc);
        if pause.clicked() {
            self.actions.push(Action::Run(Command::TogglePause));
        }
    }

    fn range_menu(&mut self, ui: &mut Ui) {
        let shown = format!("{} ⏷", self.settings.span.name());
        let menu = ui.menu_button(shown, |ui| {
            for span in Span::CHOICES {
                let is_chosen = span == self.settings.span;
                if ui.selectable_label(is_chosen, span.name()).clicked() {
                    self.actions.push(Action::SetSpan(span));
                    ui.close();
                }
            }
        });
        let name = format!("Range: {}", self.settings.span.name());
        menu.response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    }

    fn filter(&mut self, ui: &mut Ui) {
        if !self.settings.filter.is_empty() {
            let clear = ui.button("✖").on_hover_text(Command::ClearFilter.info().doc);
            clear.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, Command::ClearFilter.info().name)
            });
            if clear.clicked() {
                self.actions.push(Action::Run(Command::ClearFilter));
            }
        }
        self.saved_menu(ui);
        let now_ns = self.clock.now_ns;
        let shown = self.filter_box.show(ui, &self.settings.recent_filters, now_ns);
        match shown {
            Some(Outcome::Apply(filter)) => self.actions.push(Action::SetFilter(filter)),
            Some(Outcome::Leave) => self.filter_box.set(&self.settings.filter),
            Some(Outcome::Values(field)) => {
                self.values.1 = Some(field);
                let ask =
                    Ask::Top { field: field.name(), filter: String::new(), limit: MOST_VALUES };
                self.values.0.ask(&mut self.link, Request::Processes(ask));
            }
            None => {}
        }
    }

    pub(super) fn view_list(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = 1.0;
        for id in ViewId::ALL {
            let is_seen = *id == self.settings.view;
            let count = self.views[self.view_at(*id)].count().filter(|_| !is_seen);
            let title = match count {
                Some(count) => format!("{}  {}", id.name(), text::number(count)),
                None => id.name().to_owned(),
            };
            let size = egui::vec2(ui.available_width(), 22.0);
            let button = egui::Button::selectable(is_seen, title).truncate().min_size(size);
            let label = ui.add(button).on_hover_text(id.doc());
            if label.clicked() {
                self.actions.push(Action::Run(Command::Show(*id)));
            }
        }
    }
}
