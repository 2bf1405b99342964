//! A rule: how it stands, what it says of itself, and its text.

use common::rule::RuleInfo;
use eframe::egui::{self, Label, RichText, Ui};

use super::lines::{state_color, state_text};
use crate::panel::widgets::{section, value};
use crate::state::rule_list::state_sentence;
use crate::theme::{Tokens, level_mark};
use crate::views::alerts::rule_text;
use crate::views::parts::weak;
use crate::views::{Action, Context};
use crate::widgets::text;

pub(super) fn show(ui: &mut Ui, cx: &mut Context<'_>, info: &RuleInfo, text_of: Option<&str>) {
    heading(ui, info);
    egui::ScrollArea::vertical().id_salt("rule").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        about(ui, cx, info);
        section(ui, cx, "rule text", "Text", |ui, cx| match text_of {
            Some(text) => {
                rule_text(ui, text, &[]);
                if ui.button("Copy rule").clicked() {
                    cx.act(Action::Copy(text.to_owned()));
                }
            }
            None if info.id.is_empty() => {
                weak(ui, "it has no id, so the recorder cannot be asked for it");
            }
            None => {
                weak(ui, "…");
            }
        });
    });
}

fn heading(ui: &mut Ui, info: &RuleInfo) {
    let tokens = Tokens::of(ui.ctx());
    let title = if info.title.is_empty() { "(no title)" } else { &info.title };
    ui.add(Label::new(RichText::new(text::line(title)).strong()).wrap());
    ui.horizontal_wrapped(|ui| {
        let level = format!("{} {}", level_mark(info.level), info.level.name());
        ui.colored_label(tokens.level(info.level), level);
        ui.colored_label(state_color(info.state, tokens), state_text(info.state));
    });
    ui.add(Label::new(text::line(&state_sentence(info))).wrap());
    for note in &info.notes {
        ui.add(
            Label::new(RichText::new(format!("⚠ {}", text::line(note))).color(tokens.warning))
                .wrap(),
        );
    }
    ui.separator();
}

fn about(ui: &mut Ui, cx: &mut Context<'_>, info: &RuleInfo) {
    section(ui, cx, "rule about", "About", |ui, cx| {
        if let Some(description) = &info.description {
            ui.add(Label::new(text::whole(description.trim(), 4000)).wrap());
            ui.add_space(4.0);
        }
        value(ui, cx, "alerts", Some(&text::number(info.alerts)), None);
        for tag in &info.tags {
            value(ui, cx, "tag", Some(tag), None);
        }
        for harmless in &info.falsepositives {
            value(ui, cx, "harmless if", Some(harmless), None);
        }
        for reference in &info.references {
            value(ui, cx, "reference", Some(reference), None);
        }
        value(ui, cx, "author", info.author.as_deref(), None);
        value(ui, cx, "license", info.license.as_deref(), None);
        value(ui, cx, "date", info.date.as_deref(), None);
        value(ui, cx, "maturity", info.status.as_deref(), None);
        let kind = if info.is_correlation { "correlation of several events" } else { "one event" };
        value(ui, cx, "looks at", Some(kind), None);
        let file = match info.document {
            1 => info.file.clone(),
            document => format!("{}, document {document}", info.file),
        };
        value(ui, cx, "file", Some(&format!("{} ({})", file, info.origin.name())), None);
        value(ui, cx, "id", Some(&info.id), None);
    });
}
