//! Why a rule fired: its text with the selections that matched, the event with what was found in it,
//! who did it, and what people said.

use common::alert::{Alert, FieldMatch};
use common::ecs::Event;
use common::filter::Field;
use common::time::{self, parse_rfc3339};
use common::why::{is_found, question};
use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{self, Color32, Label, RichText, Stroke, Ui};

use crate::panel::widgets::{mono_line, section, value};
use crate::state::alert_row::status_name;
use crate::state::found::pieces;
use crate::theme::{self, Tokens, level_mark};
use crate::views::parts::{status_text, weak};
use crate::views::{Action, Context, Subject, ViewId};
use crate::widgets::text;

/// Of a rule so many lines are drawn; a text may have a hundred thousand.
const MOST_LINES: usize = 400;

pub(super) fn show(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    heading(ui, cx, alert);
    egui::ScrollArea::vertical().id_salt("alert").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        findings(ui, cx, alert);
        correlation(ui, cx, alert);
        process(ui, cx, alert);
        history(ui, cx, alert);
        rule(ui, cx, alert);
        about(ui, cx, alert);
    });
}

fn heading(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    let tokens = Tokens::of(ui.ctx());
    let level = alert.rule.level;
    ui.add(Label::new(RichText::new(text::line(&alert.rule.name)).strong()).wrap());
    ui.horizontal_wrapped(|ui| {
        let level_text = format!("{} {}", level_mark(level), level.name());
        ui.colored_label(tokens.level(level), level_text);
        ui.label(status_text(alert.alert.status));
        weak(ui, format!("alert {}", alert.alert.id));
    });
    if let Some(time_ns) = parse_rfc3339(&alert.event.timestamp) {
        let mut when = format!("raised {}", cx.clock.time_and_date(time_ns));
        if let (2.., Some(last)) = (alert.alert.count, parse_rfc3339(&alert.alert.last)) {
            when.push_str(&format!(
                " · {} times, last {}",
                text::number(alert.alert.count),
                cx.clock.time_and_date(last)
            ));
        }
        weak(ui, when);
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button("Process").on_hover_text("Look at it among the others").clicked() {
            cx.act(Action::Visit(ViewId::Timeline, alert.event.process.entity_id));
        }
        if ui.button("Rule").on_hover_text("Look at the rule as it is now").clicked() {
            cx.act(Action::LookAt(Subject::Rule(alert.rule.id.clone())));
        }
        let hash = alert.event.process.hash.as_ref().map(|hash| hash.sha256.clone());
        let button = ui.add_enabled(hash.is_some(), egui::Button::new("Binary"));
        let button = button.on_disabled_hover_text("Its content was not read");
        if let (true, Some(hash)) =
            (button.on_hover_text("Look at the content that ran").clicked(), hash)
        {
            cx.act(Action::LookAt(Subject::Binary(hash)));
        }
    });
    ui.separator();
}

/// What was asked of each field, and its value with what was found.
fn findings(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    section(ui, cx, "alert found", "Why it fired", |ui, cx| {
        if alert.alert.fields.is_empty() {
            weak(ui, "the rule does not say which value it looked at");
        }
        let mut selection = None;
        for field in &alert.alert.fields {
            if field.selection.is_some() && field.selection != selection {
                selection.clone_from(&field.selection);
                let name = selection.as_deref().unwrap_or_default();
                ui.label(RichText::new(text::line(name)).strong());
            }
            weak(ui, text::line(&question(field)));
            found(ui, cx, field);
        }
    });
}

fn found(ui: &mut Ui, cx: &mut Context<'_>, field: &FieldMatch) {
    ui.horizontal_top(|ui| {
        ui.add_space(theme::GRID * 3.0);
        let Some(value) = &field.value else {
            weak(ui, "(there is none)");
            return;
        };
        let tokens = Tokens::of(ui.ctx());
        let mut job = LayoutJob::default();
        for piece in pieces(field) {
            let mut format = TextFormat::simple(theme::mono(), tokens.text);
            if piece.is_found {
                format.background = tokens.selection;
                // Not by colour alone.
                format.underline = Stroke::new(1.5, tokens.accent);
            }
            job.append(&piece.text, 0.0, format);
        }
        let response = ui.add(Label::new(job).wrap());
        response.context_menu(|ui| {
            if ui.button("Copy").clicked() {
                cx.act(Action::Copy(value.clone()));
            }
        });
    });
}

/// The text of the rule as it was when it fired.
fn rule(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    section(ui, cx, "alert rule", "Rule as it was", |ui, cx| {
        if !alert.alert.selections.is_empty() {
            let names = alert.alert.selections.join(", ");
            weak(ui, format!("▌ matched: {}", text::line(&names)));
        }
        rule_text(ui, &alert.rule.text, &alert.alert.selections);
        if ui.button("Copy rule").clicked() {
            cx.act(Action::Copy(alert.rule.text.clone()));
        }
    });
}

/// A rule's text; what belongs to the selections has a bar before it and stands out.
pub(in crate::views) fn rule_text(ui: &mut Ui, text: &str, selections: &[String]) {
    let tokens = Tokens::of(ui.ctx());
    let mut job = LayoutJob::default();
    // One that follows another in its file begins with the end of the line between them.
    let lines = is_found(text.trim_start_matches('\n'), selections);
    for (line, is_found) in lines.iter().take(MOST_LINES) {
        let color = if *is_found || selections.is_empty() { tokens.text } else { tokens.weak };
        let mut format = TextFormat::simple(theme::mono(), color);
        let bar = if *is_found { "▌" } else { " " };
        let mark = TextFormat::simple(theme::mono(), tokens.accent);
        job.append(bar, 0.0, mark);
        format.background = if *is_found { tokens.selection } else { Color32::TRANSPARENT };
        job.append(&text::line(line), 0.0, format);
        job.append("\n", 0.0, TextFormat::simple(theme::mono(), color));
    }
    ui.add(Label::new(job).wrap());
    if let Some(left @ 1..) = lines.len().checked_sub(MOST_LINES) {
        weak(ui, format!("… {left} lines more; Copy has all of them"));
    }
}

fn correlation(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    let Some(seen) = &alert.alert.correlation else { return };
    section(ui, cx, "alert correlation", "Correlation", |ui, cx| {
        value(ui, cx, "type", Some(&seen.kind), None);
        value(ui, cx, "value", Some(&seen.value.to_string()), None);
        let within_ns = seen.timespan_secs.saturating_mul(1_000_000_000);
        value(ui, cx, "within", Some(&time::duration(within_ns)), None);
        for (name, of) in &seen.group {
            value(ui, cx, name, Some(of), None);
        }
    });
}

/// From the oldest ancestor down to the process.
fn process(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    let count = alert.alert.ancestors.len();
    section(ui, cx, "alert process", &format!("Process and ancestors ({count})"), |ui, cx| {
        let line = alert.alert.ancestors.iter().rev().chain([&alert.event]);
        for (depth, event) in line.enumerate() {
            ancestor(ui, cx, depth, event, std::ptr::eq(event, &alert.event));
        }
        let event = &alert.event;
        let process = &event.process;
        if let Some(command_line) = process.command_line.as_deref() {
            mono_line(ui, cx, command_line, Some(Field::Cmd));
        }
        value(ui, cx, "executable", process.executable.as_deref(), Some(Field::Exe));
        let user = event.user.as_ref().map(|user| user.name.as_deref().unwrap_or(&user.id));
        value(ui, cx, "user", user, Some(Field::User));
        value(ui, cx, "directory", process.working_directory.as_deref(), Some(Field::Cwd));
        value(ui, cx, "unit", event.recorder.unit.as_deref(), Some(Field::Unit));
        let container = event.container.as_ref().map(|container| &*container.id);
        value(ui, cx, "container", container, Some(Field::Container));
        if let Some(hash) = &process.hash {
            value(ui, cx, "SHA-256", Some(&hash.sha256), Some(Field::Sha256));
        }
    });
}

fn ancestor(ui: &mut Ui, cx: &mut Context<'_>, depth: usize, event: &Event<'_>, is_it: bool) {
    ui.horizontal(|ui| {
        ui.add_space(depth.min(12) as f32 * 8.0);
        let name = event.process.name.as_deref().unwrap_or("(unknown)");
        let title = format!("{} {}", text::line(name), event.process.pid);
        let title = if is_it { RichText::new(title).strong() } else { RichText::new(title) };
        if ui.link(title).clicked() {
            cx.act(Action::Visit(ViewId::Timeline, event.process.entity_id));
        }
        if let Some(command_line) = event.process.command_line.as_deref().filter(|_| !is_it) {
            let shown = RichText::new(text::line(command_line)).font(theme::mono());
            ui.add(Label::new(shown.color(Tokens::of(ui.ctx()).weak)).truncate());
        }
    });
}

fn history(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    let changes = &alert.alert.history;
    section(ui, cx, "alert history", &format!("History ({})", changes.len()), |ui, cx| {
        if changes.is_empty() {
            weak(ui, "nobody has said anything yet");
        }
        for change in changes.iter().rev() {
            let when = parse_rfc3339(&change.time).map(|ns| cx.clock.time_and_date(ns));
            let who = match &change.user {
                Some(user) => text::line(user),
                None => format!("uid {}", change.uid),
            };
            ui.horizontal_wrapped(|ui| {
                weak(ui, when.unwrap_or_default());
                ui.label(format!("{who}: {}", status_name(change.status)));
            });
            if let Some(note) = &change.note {
                ui.horizontal_top(|ui| {
                    ui.add_space(theme::GRID * 3.0);
                    ui.add(Label::new(text::whole(note, 4000)).wrap());
                });
            }
        }
    });
}

fn about(ui: &mut Ui, cx: &mut Context<'_>, alert: &Alert<'_>) {
    let rule = &alert.rule;
    section(ui, cx, "alert about", "About the rule", |ui, cx| {
        if let Some(description) = &rule.description {
            ui.add(Label::new(text::whole(description.trim(), 4000)).wrap());
        }
        for harmless in &rule.falsepositives {
            value(ui, cx, "harmless if", Some(harmless), None);
        }
        for tag in &rule.tags {
            value(ui, cx, "tag", Some(tag), None);
        }
        for reference in &rule.reference {
            value(ui, cx, "reference", Some(reference), None);
        }
        value(ui, cx, "author", rule.author.as_deref(), None);
        value(ui, cx, "license", rule.license.as_deref(), None);
        value(ui, cx, "id", Some(&rule.id), None);
    });
}
