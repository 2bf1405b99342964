//! What stands above list and transcript, and in their place where there is nothing.

use eframe::egui::{self, RichText, Ui};

use super::{MOST_GROUPS, Sessions};
use crate::state::sessions::Grouping;
use crate::state::sessions::Transcript;
use crate::theme::Tokens;
use crate::views::{Context, parts};
use crate::widgets::text;

impl Sessions {
    pub(super) fn bar(&mut self, ui: &mut Ui, cx: &mut Context<'_>, tokens: &Tokens) {
        ui.horizontal(|ui| {
            for grouping in Grouping::ALL {
                let is_chosen = grouping == self.grouping;
                let label = ui.selectable_label(is_chosen, grouping.name());
                if label.on_hover_text(grouping.doc()).clicked() && !is_chosen {
                    self.group_by(grouping, cx);
                }
            }
            ui.separator();
            let forks = ui.checkbox(&mut self.has_forks, "Forks");
            if forks
                .on_hover_text("Also processes that executed nothing, such as subshells")
                .changed()
            {
                self.transcript = Transcript::default();
                self.read_anew(cx);
            }
            if self.groups.len() >= MOST_GROUPS as usize {
                let most = text::number(u64::from(MOST_GROUPS));
                ui.colored_label(tokens.weak, format!("the {most} with the most images"));
            }
            if let (Some(trouble), false) = (&self.trouble, self.groups.is_empty()) {
                let told = format!("⚠ {}", text::line(&trouble.message));
                ui.colored_label(tokens.failed, told).on_hover_text(trouble.hints.join("\n"));
            }
        });
    }

    /// What the transcript is of.
    pub(super) fn title(&self, ui: &mut Ui, cx: &Context<'_>, tokens: &Tokens) {
        let Some(value) = &self.chosen else { return };
        let group = self.groups.iter().find(|group| group.value == *value);
        ui.add_space(2.0);
        ui.horizontal(|ui| {
            ui.add_space(6.0);
            let name = self.grouping.field().name().replace('_', " ");
            ui.label(RichText::new(format!("{name} {}", text::line(value))).strong());
            if let Some(group) = group {
                let from = cx.clock.time_and_date(group.first_ns);
                let length = u64::try_from(group.last_ns - group.first_ns).unwrap_or(0);
                let length = common::time::duration(length);
                ui.colored_label(tokens.weak, format!("from {from}, for {length}"));
            }
            let lines = text::number(self.transcript.rows().len() as u64);
            let more = if self.transcript.is_complete() { "" } else { " and more" };
            ui.colored_label(tokens.weak, format!("· {lines} lines{more}"));
        });
    }

    /// An empty list says why, and what to do.
    pub(super) fn tell_empty(&mut self, ui: &mut Ui, cx: &mut Context<'_>, tokens: &Tokens) {
        if let Some(trouble) = &self.trouble {
            parts::failed(ui, trouble, cx);
            return;
        }
        ui.add_space(ui.available_height() / 4.0);
        ui.vertical_centered(|ui| {
            if self.asked_groups.is_waiting() {
                ui.colored_label(tokens.weak, "…");
                return;
            }
            ui.add(egui::Label::new(self.grouping.missing()).wrap());
            parts::offer_more(ui, cx);
        });
    }
}
