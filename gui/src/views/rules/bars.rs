//! Above the list words and figures, below it what can be done with what is chosen.

use common::rule::RuleState;
use eframe::egui::{self, Button, Frame, Margin, Panel, RichText, Ui};

use super::Rules;
use crate::state::rule_list::{is_nameable, state_name};
use crate::theme::Tokens;
use crate::views::Context;
use crate::views::parts::{self, counted};
use crate::widgets::text;

impl Rules {
    pub(super) fn top_bar(&mut self, ui: &mut Ui, _cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        let frame = Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(tokens.panel);
        Panel::top("rule words").frame(frame).resizable(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                let hint = "Title, tag, level, state, …";
                let field = parts::field(ui, &mut self.words, "Find in rules", hint, 240.0);
                if std::mem::take(&mut self.wants_focus) {
                    field.request_focus();
                }
                parts::entered(ui, &field);
                if field.changed() {
                    self.narrow();
                }
                if ui.button("Add a rule…").clicked() {
                    self.editor.open();
                }
                ui.separator();
                for (state, count) in self.list.states() {
                    let shown = format!("{count} {}", state_name(state));
                    let link = ui.add(Button::new(shown).frame(false));
                    if link.on_hover_text("Show only these").clicked() {
                        state_name(state).clone_into(&mut self.words);
                        self.narrow();
                    }
                }
                if let Some(remark) = &self.remark {
                    ui.separator();
                    ui.label(format!("✔ {remark}"));
                }
            });
            parts::trouble_bar(ui, &mut self.trouble);
        });
    }

    pub(super) fn action_bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        let frame = Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(tokens.panel);
        Panel::bottom("rule actions").frame(frame).resizable(false).show(ui, |ui| {
            if self.removing.is_some() {
                self.confirm(ui, cx);
            } else {
                ui.horizontal_wrapped(|ui| self.actions(ui, cx));
            }
        });
    }

    fn actions(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let count = self.marks.len() as u64;
        let title = match count {
            0 => "Nothing selected".to_owned(),
            count => format!("{} selected:", counted(count, "rule")),
        };
        ui.label(RichText::new(title).strong());
        let is_free = count > 0 && !self.changing.is_waiting();
        let enable = ui.add_enabled(is_free, Button::new("Enable").shortcut_text("E"));
        if enable.on_hover_text("Let them look at every event").clicked() {
            self.switch(true, cx);
        }
        let disable = ui.add_enabled(is_free, Button::new("Disable").shortcut_text("D"));
        if disable.on_hover_text("Switch them off, for good").clicked() {
            self.switch(false, cx);
        }
        ui.separator();
        let rule = self.marks.cursor().and_then(|key| self.list.find(key));
        let can_hunt =
            rule.is_some_and(|rule| is_nameable(&rule.id) && rule.state != RuleState::Unusable);
        let hunt = ui.add_enabled(can_hunt && count == 1, Button::new("Try on history"));
        let hunt = hunt.on_disabled_hover_text("One rule that can be used");
        if hunt.on_hover_text("What it would have fired on, in filter and range").clicked() {
            self.hunt_chosen(cx);
        }
        let uploaded = self.uploaded_ids();
        let remove = ui.add_enabled(is_free && !uploaded.is_empty(), Button::new("Remove…"));
        let remove = remove
            .on_disabled_hover_text("Only uploaded rules can be removed; others can be disabled");
        if remove.clicked() {
            self.removing = Some(uploaded);
        }
    }

    fn confirm(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let Some(ids) = self.removing.clone() else { return };
        ui.horizontal_wrapped(|ui| {
            let first = ids.first().and_then(|id| self.list.with_id(id));
            let what = match (ids.len(), first) {
                (1, Some(rule)) => format!("“{}”", text::line(&rule.title)),
                (count, _) => counted(count as u64, "uploaded rule"),
            };
            let tokens = Tokens::of(ui.ctx());
            ui.colored_label(
                tokens.warning,
                format!("Remove {what}? The text is gone then; alerts stay."),
            );
            if ui.button("Remove").clicked() {
                self.removing = None;
                self.remove_confirmed(ids.clone(), cx);
            }
            let is_escaped =
                ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Escape));
            if ui.button("Keep").clicked() || is_escaped {
                self.removing = None;
            }
        });
    }
}
