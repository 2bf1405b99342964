//! Above the list what is shown and in which order, below it what can be done.

use std::path::PathBuf;

use eframe::egui::{
    self, Button, Frame, Margin, Panel, ProgressBar, RichText, Role, Ui, WidgetInfo,
};

use super::{Binaries, Choice, MOST, facts};
use crate::state::binary_row::Order;
use crate::theme::Tokens;
use crate::views::Context;
use crate::views::parts::{self, counted};
use crate::widgets::text;

impl Binaries {
    pub(super) fn top_bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        let frame = Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(tokens.panel);
        Panel::top("binary choice").frame(frame).resizable(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                let hint = "Path, hash, package";
                let field = parts::field(ui, &mut self.words, "Find in binaries", hint, 170.0);
                if std::mem::take(&mut self.wants_focus) {
                    field.request_focus();
                }
                parts::entered(ui, &field);
                if field.changed() {
                    self.arrange();
                    self.table.top = 0.0;
                }
                self.order_choice(ui, cx);
                ui.separator();
                self.narrowing(ui, cx);
                ui.separator();
                parts::weak(ui, self.summary());
            });
            if let Some(remark) = &self.remark {
                ui.label(format!("✔ {}", text::line(remark)));
            }
            parts::trouble_bar(ui, &mut self.trouble);
        });
    }

    fn order_choice(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        for order in Order::ALL {
            let is_chosen = self.choice.order == order;
            if ui.selectable_label(is_chosen, order.name()).clicked() {
                self.set_choice(Choice { order, ..self.choice.clone() }, cx);
            }
        }
    }

    fn narrowing(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let mut choice = self.choice.clone();
        ui.checkbox(&mut choice.is_new, "New in the range")
            .on_hover_text("Contents that were never seen before the range began");
        ui.checkbox(&mut choice.is_unpackaged, "Unpackaged")
            .on_hover_text("Contents of files that no package owns");
        self.set_choice(choice, cx);
    }

    fn summary(&self) -> String {
        let count = counted(self.keys.len() as u64, "content");
        match self.rows.len() as u64 {
            all if all >= u64::from(MOST) => {
                format!("{count}; only the first {} were asked for", text::number(all))
            }
            _ => count,
        }
    }

    pub(super) fn action_bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let tokens = Tokens::of(ui.ctx());
        let frame = Frame::new().inner_margin(Margin::symmetric(8, 4)).fill(tokens.panel);
        Panel::bottom("binary actions").frame(frame).resizable(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| self.actions(ui, cx));
            self.path_field(ui, cx);
        });
    }

    fn actions(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let meant = self.meant();
        let title = match meant.len() as u64 {
            0 => "Nothing selected".to_owned(),
            count => format!("{} selected:", counted(count, "content")),
        };
        ui.label(RichText::new(title).strong());
        let is_one = meant.len() == 1;
        let runs = ui.add_enabled(is_one, Button::new(facts::SHOW_RUNS));
        if let (true, Some(sha256)) = (runs.clicked(), meant.first()) {
            facts::show_runs(cx, sha256);
        }
        let can_save = is_one && self.savable().is_some() && !self.saving.is_waiting();
        let save = ui.add_enabled(can_save, Button::new("Save copy…"));
        let save = save.on_disabled_hover_text("One content of which a copy is kept");
        if save
            .on_hover_text("It may be dangerous; it is saved as a file that does not run")
            .clicked()
        {
            self.choose_place(cx);
        }
        let is_free = !meant.is_empty() && !self.pinning.is_waiting();
        let pin = ui.add_enabled(is_free, Button::new("Pin"));
        if pin.on_hover_text("Never remove the copy to make room").clicked() {
            self.pin(true, cx);
        }
        let unpin = ui.add_enabled(is_free, Button::new("Unpin"));
        if unpin.on_hover_text("The copy may be removed to make room").clicked() {
            self.pin(false, cx);
        }
        ui.separator();
        self.verification(ui, cx);
    }

    fn verification(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let Some((checked, total)) = self.progress else {
            let verify = ui.button("Verify all copies");
            if verify.on_hover_text("Read every copy and compare its hash").clicked() {
                self.verify(cx);
            }
            return;
        };
        let share = if total == 0 { 0.0 } else { checked as f32 / total as f32 };
        let shown = format!("{} of {} copies", text::number(checked), text::number(total));
        let bar = ui.add(ProgressBar::new(share).desired_width(180.0).text(shown.clone()));
        bar.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &shown));
        if ui.button("Cancel").clicked() {
            self.verifying.cancel(cx.link);
            self.progress = None;
        }
    }

    /// Where there is no dialog.
    fn path_field(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let Some(mut path) = self.path.take() else { return };
        let (mut chosen, mut is_left) = (None, false);
        ui.horizontal(|ui| {
            ui.label("Save to");
            let field = parts::field(ui, &mut path, "Path to save to", "/path/to/file", 360.0);
            let is_entered = parts::entered(ui, &field);
            if (ui.button("Save").clicked() || is_entered) && !path.trim().is_empty() {
                chosen = Some(PathBuf::from(path.trim()));
            }
            is_left = ui.button("Leave it").clicked()
                || field.has_focus()
                    && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Escape));
        });
        if !is_left {
            self.path = Some(path);
        }
        if let Some(path) = chosen {
            self.save_to_new(path, cx);
        }
    }

    /// Without a dialog nobody asks whether a file is to be replaced.
    fn save_to_new(&mut self, path: PathBuf, cx: &mut Context<'_>) {
        if path.exists() {
            let kind = crate::connection::TroubleKind::Failed;
            let text = format!("{} is there already", path.display());
            self.trouble =
                Some(crate::connection::Trouble::new(kind, text).hint("choose another name"));
        } else {
            self.save_to(path, cx);
        }
    }
}
