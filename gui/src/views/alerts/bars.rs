//! Above the list what is shown of it, below it what can be decided.

use common::alert::Status;
use common::rule::Level;
use eframe::egui::{self, Frame, Key as Button, Margin, Panel, RichText, Role, Ui, WidgetInfo};

use super::{Alerts, STATUSES};
use crate::state::alert_list::{Choice, Grouping};
use crate::theme::{Tokens, level_mark};
use crate::views::Context;
use crate::views::parts::{self, counted, status_text};

fn bar_frame(ui: &Ui) -> Frame {
    Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(Tokens::of(ui.ctx()).panel)
}

impl Alerts {
    pub(super) fn choice_bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let frame = bar_frame(ui);
        Panel::top("alert choice").frame(frame).resizable(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                self.grouping_choice(ui, cx);
                ui.separator();
                self.status_choice(ui, cx);
                ui.separator();
                self.level_choice(ui, cx);
                ui.separator();
                parts::weak(ui, self.summary());
                self.older(ui, cx);
            });
            parts::trouble_bar(ui, &mut self.trouble);
        });
    }

    fn summary(&self) -> String {
        let alerts = counted(self.list.shown(), "alert");
        let groups = self.list.groups().len() as u64;
        let groups = match self.list.choice().grouping {
            Grouping::Rule => counted(groups, "rule"),
            Grouping::Process if groups == 1 => "1 process".to_owned(),
            Grouping::Process => format!("{} processes", crate::widgets::text::number(groups)),
        };
        let hidden = self.list.total() as u64 - self.list.shown();
        match hidden {
            0 => format!("{alerts} of {groups}"),
            hidden => format!("{alerts} of {groups} · {hidden} not shown"),
        }
    }

    fn older(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        if let Some(cursor) = self.cursor.clone() {
            let button = egui::Button::new("Load older");
            if ui.add_enabled(!self.paging.is_waiting(), button).clicked() {
                self.ask_page(cursor, cx);
            }
        }
    }

    fn grouping_choice(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let grouping = self.list.choice().grouping;
        for (other, name) in [(Grouping::Rule, "By rule"), (Grouping::Process, "By process")] {
            if ui.selectable_label(grouping == other, name).clicked() && grouping != other {
                self.set_grouping(other, cx);
            }
        }
    }

    fn status_choice(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        for status in Status::ALL {
            let mut choice = self.list.choice().clone();
            let is_shown = choice.statuses.contains(&status);
            let label = ui.selectable_label(is_shown, status_text(status));
            let name = format!("Show {}", crate::state::alert_row::status_name(status));
            label.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_shown, &name));
            if label.clicked() {
                match is_shown {
                    true => choice.statuses.retain(|known| *known != status),
                    false => choice.statuses.push(status),
                }
                self.set_choice(choice, cx);
            }
        }
    }

    fn level_choice(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let lowest = self.list.choice().lowest;
        let shown = match lowest {
            Level::Informational => "every level ⏷".to_owned(),
            Level::Critical => format!("{} critical ⏷", level_mark(lowest)),
            lowest => format!("{} {} or higher ⏷", level_mark(lowest), lowest.name()),
        };
        let menu = ui.menu_button(shown, |ui| {
            for level in Level::ALL.into_iter().rev() {
                let text = format!("{} {}", level_mark(level), level.name());
                if ui.selectable_label(level == lowest, text).clicked() {
                    let choice = Choice { lowest: level, ..self.list.choice().clone() };
                    self.set_choice(choice, cx);
                    ui.close();
                }
            }
        });
        let name = format!("Lowest level: {}", lowest.name());
        menu.response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    }

    /// What is chosen, its status by one click or key, a note.
    pub(super) fn decision_bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let frame = bar_frame(ui);
        Panel::bottom("alert decision").frame(frame).resizable(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                let count = self.meant().len() as u64;
                let is_possible = count > 0 && !self.setting.is_waiting();
                let title = match count {
                    0 => "Nothing selected".to_owned(),
                    count => format!("{} selected:", counted(count, "alert")),
                };
                ui.label(RichText::new(title).strong());
                for (status, _, key) in STATUSES {
                    let button = egui::Button::new(status_text(status)).shortcut_text(key);
                    let button = ui.add_enabled(is_possible, button);
                    let name = format!("Set to {}", crate::state::alert_row::status_name(status));
                    button.widget_info(|| WidgetInfo::labeled(Role::Button, is_possible, &name));
                    if button.on_hover_text(meaning(status)).clicked() {
                        self.decide(Some(status), cx);
                    }
                }
                self.note_field(ui, is_possible, cx);
            });
        });
    }

    fn note_field(&mut self, ui: &mut Ui, is_possible: bool, cx: &mut Context<'_>) {
        let hint = "Note (M): goes with the next status, or alone with Enter";
        let width = (ui.available_width() - 8.0).max(160.0);
        let response = parts::field(ui, &mut self.note, "Note", hint, width);
        if std::mem::take(&mut self.wants_note) {
            response.request_focus();
        }
        if parts::entered(ui, &response) && is_possible {
            self.decide(None, cx);
        }
        if response.has_focus()
            && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, Button::Escape))
        {
            response.surrender_focus();
        }
    }
}

fn meaning(status: Status) -> &'static str {
    match status {
        Status::New => "Nobody has looked at it yet",
        Status::InProgress => "Somebody is at it",
        Status::Resolved => "It was what the rule looks for, and is dealt with",
        Status::FalsePositive => "It was harmless: the rule need not have fired",
    }
}
