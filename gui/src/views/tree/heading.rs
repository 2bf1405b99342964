//! What stands above the tree, and in its place where there is none.

use eframe::egui::{self, RichText, Ui};

use super::TreeView;
use crate::commands::Command;
use crate::connection::TroubleKind;
use crate::theme::Tokens;
use crate::views::{Action, Context};
use crate::widgets::text;

impl TreeView {
    pub(super) fn heading(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        let bar = egui::Frame::new().inner_margin(egui::Margin::symmetric(8, 3));
        bar.fill(tokens.panel).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.horizontal(|ui| {
                self.buttons(ui, cx);
                ui.separator();
                let focus = self.focus();
                let row = focus.and_then(|id| self.tree.row(id));
                let title = match (focus, row) {
                    (None, _) => "all that have no parent".to_owned(),
                    (Some(id), Some(row)) => format!("{} {}", text::line(row.title()), id.pid),
                    (Some(id), None) => format!("process {}", id.pid),
                };
                ui.label(RichText::new(format!("Tree of {title}")).strong());
                let count = text::number(self.tree.len() as u64);
                let shown =
                    if self.next.is_some() { "…".to_owned() } else { format!("{count} known") };
                ui.colored_label(tokens.weak, shown);
                if !cx.scope.filter.text().is_empty() {
                    ui.colored_label(tokens.weak, "· the filter does not narrow a tree");
                }
                if let (Some(trouble), false) = (&self.trouble, self.tree.is_empty()) {
                    let told = format!("⚠ {}", text::line(&trouble.message));
                    ui.colored_label(tokens.failed, told).on_hover_text(trouble.hints.join("\n"));
                }
            });
        });
    }

    fn buttons(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let focus = self.focus();
        let all = ui.add_enabled(focus.is_some(), egui::Button::new("All roots"));
        if all.on_hover_text("Everything, from those that have no parent").clicked() {
            self.look_at(None, cx);
        }
        let other = cx.selected.filter(|id| Some(*id) != focus);
        let here = ui.add_enabled(other.is_some(), egui::Button::new("Tree of selected"));
        if here.on_hover_text("Three levels up and down from the selected process").clicked() {
            self.look_at(other, cx);
        }
    }

    pub(super) fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        ui.add_space(ui.available_height() / 4.0);
        ui.vertical_centered(|ui| {
            let Some(trouble) = &self.trouble else {
                let is_waiting = self.next.is_some();
                ui.label(if is_waiting { "…" } else { "Nothing was recorded yet." });
                return;
            };
            ui.colored_label(tokens.failed, format!("⚠ {}", text::line(&trouble.message)));
            for hint in &trouble.hints {
                ui.label(text::line(hint));
            }
            let is_gone = trouble.kind == TroubleKind::NotFound;
            if is_gone && ui.button("Show all roots").clicked() {
                self.look_at(None, cx);
            } else if !is_gone && ui.button("Try again").clicked() {
                cx.act(Action::Run(Command::Refresh));
            }
        });
    }
}
