//! Whether the record can be trusted: what the recorder says of itself, and where it has gaps.
//!
//! Asked for every few seconds, and only while somebody looks.

use std::time::Duration;

use common::ecs::Gap;
use common::health::Health;
use common::time::parse_rfc3339;
use eframe::egui::{self, Frame, Margin, RichText, Ui};

use super::{Action, Context, Reply, View, ViewId};
use crate::commands::Command;
use crate::connection::manager::{Answer as Told, Ask};
use crate::connection::processes::Live;
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::state::scope::Span;
use crate::theme::{self, GRID, Tokens};
use crate::widgets::text;
use common::health::figures::{self, Figure, Group, Tone};

const EVERY_NS: i64 = 3_000_000_000;
const MOST_GAPS: u32 = 200;
/// Groups stand beside each other where there is so much room for each.
const GROUP_WIDTH: f32 = 380.0;
const NAMES: f32 = 132.0;
/// On either side of a gap that is gone to.
const AROUND_NS: i64 = 60_000_000_000;

#[derive(Default)]
pub(super) struct HealthView {
    health: Option<Box<Health>>,
    gaps: Vec<Gap>,
    asked_health: Asked,
    asked_gaps: Asked,
    asked_at_ns: i64,
    trouble: Option<Trouble>,
}

impl View for HealthView {
    fn id(&self) -> ViewId {
        ViewId::Health
    }

    fn refresh(&mut self, cx: &mut Context<'_>) {
        self.ask(cx);
    }

    fn answer(&mut self, reply: Reply, _cx: &mut Context<'_>) -> Option<Reply> {
        let is_health = self.asked_health.take(reply.ticket);
        if !is_health && !self.asked_gaps.take(reply.ticket) {
            return Some(reply);
        }
        match reply.result {
            Ok(Answer::Manager(Told::Health(health))) => {
                self.health = Some(health);
                self.trouble = None;
            }
            Ok(Answer::Manager(Told::Gaps(gaps))) => self.gaps = gaps,
            Ok(_) => {}
            // What was told before is shown below it, and is not taken for what is now.
            Err(trouble) => self.trouble = Some(trouble),
        }
        None
    }

    fn live(&mut self, _live: &Live, _cx: &mut Context<'_>) {}

    fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        self.keep_fresh(ui, cx);
        let tokens = Tokens::of(ui.ctx());
        Frame::new().inner_margin(Margin::symmetric(12, 8)).show(ui, |ui| {
            egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                self.tell_trouble(ui, cx, tokens);
                let Some(health) = self.health.take() else {
                    if self.trouble.is_none() {
                        ui.colored_label(tokens.weak, "Asking the recorder how it is…");
                    }
                    return;
                };
                heading(ui, &health, tokens);
                groups(ui, &figures::groups(&health, cx.clock), tokens);
                self.gap_list(ui, cx, health.store.gaps, tokens);
                self.health = Some(health);
            });
        });
    }
}

impl HealthView {
    fn ask(&mut self, cx: &mut Context<'_>) {
        self.asked_at_ns = cx.clock.now_ns;
        self.asked_health.ask(cx.link, Request::Manager(Ask::Health));
        let gaps = Ask::Gaps { since_ns: 0, until_ns: 0, limit: MOST_GAPS };
        self.asked_gaps.ask(cx.link, Request::Manager(gaps));
    }

    /// A window that nobody looks at asks nothing.
    fn keep_fresh(&mut self, ui: &Ui, cx: &mut Context<'_>) {
        if !ui.input(|input| input.focused) {
            return;
        }
        let is_old = cx.clock.now_ns.saturating_sub(self.asked_at_ns) >= EVERY_NS;
        let is_waiting = self.asked_health.is_waiting() || self.asked_gaps.is_waiting();
        if is_old && !is_waiting {
            self.ask(cx);
        }
        ui.ctx().request_repaint_after(Duration::from_nanos(EVERY_NS.unsigned_abs()));
    }

    fn tell_trouble(&self, ui: &mut Ui, cx: &mut Context<'_>, tokens: &Tokens) {
        let Some(trouble) = &self.trouble else { return };
        let told = format!("⚠ {}", text::line(&trouble.message));
        ui.colored_label(tokens.failed, told);
        for hint in &trouble.hints {
            ui.label(text::line(hint));
        }
        if self.health.is_some() {
            ui.colored_label(tokens.weak, "What stands below was so before.");
        }
        if ui.button("Try again").clicked() {
            cx.act(Action::Run(Command::Refresh));
        }
        ui.add_space(GRID);
    }

    fn gap_list(&self, ui: &mut Ui, cx: &mut Context<'_>, count: u64, tokens: &Tokens) {
        ui.add_space(2.0 * GRID);
        ui.label(RichText::new(format!("Gaps ({})", text::number(count))).strong());
        if self.gaps.is_empty() {
            ui.colored_label(tokens.weak, "No stretch of the record is known to be missing.");
            return;
        }
        egui::Grid::new("gaps").num_columns(5).spacing([6.0 * GRID, GRID]).show(ui, |ui| {
            for title in ["noticed", "CPU", "records missing", "because", ""] {
                ui.label(RichText::new(title).small().color(tokens.weak));
            }
            ui.end_row();
            for gap in &self.gaps {
                gap_row(ui, cx, gap, tokens);
                ui.end_row();
            }
        });
        let older = count.saturating_sub(self.gaps.len() as u64);
        if older > 0 {
            let older = format!("… and {} older: `bpfctl health`", text::number(older));
            ui.colored_label(tokens.weak, older);
        }
    }
}

fn gap_row(ui: &mut Ui, cx: &mut Context<'_>, gap: &Gap, tokens: &Tokens) {
    let time_ns = parse_rfc3339(&gap.timestamp);
    let shown = time_ns.map_or_else(|| text::line(&gap.timestamp), |ns| cx.clock.time_and_date(ns));
    ui.label(&shown);
    ui.label(gap.cpu.to_string());
    ui.colored_label(tokens.killed, format!("▲ {}", figures::missing(gap)));
    ui.label(figures::cause(gap));
    let Some(time_ns) = time_ns else { return };
    let show = ui.small_button("Show in time").on_hover_text("The minutes around it");
    show.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Show in time {shown}"))
    });
    if show.clicked() {
        cx.act(Action::SetSpan(Span::Between {
            from_ns: time_ns.saturating_sub(AROUND_NS),
            to_ns: time_ns.saturating_add(AROUND_NS),
        }));
        cx.act(Action::Run(Command::Show(ViewId::Timeline)));
    }
}

fn heading(ui: &mut Ui, health: &Health, tokens: &Tokens) {
    let (tone, sentence) = figures::verdict(health);
    let (mark, color) = match tone {
        Tone::Plain => ("✔", tokens.running),
        Tone::Warning => ("⚠", tokens.warning),
        Tone::Bad => ("▲", tokens.killed),
    };
    ui.label(RichText::new(format!("{mark} {sentence}")).heading().color(color));
    for warning in &health.warnings {
        let told = egui::RichText::new(format!("⚠ {}", text::line(warning)));
        ui.add(egui::Label::new(told.color(tokens.warning)).wrap());
    }
    ui.add_space(2.0 * GRID);
}

/// In as many columns as there is room for, each next group in the shortest.
fn groups(ui: &mut Ui, groups: &[Group], tokens: &Tokens) {
    let count = ((ui.available_width() / GROUP_WIDTH) as usize).clamp(1, 3);
    let mut heights = vec![0_usize; count];
    let mut places: Vec<Vec<&Group>> = vec![Vec::new(); count];
    for group in groups {
        let shortest = (0..count).min_by_key(|at| heights[*at]).unwrap_or(0);
        let advice = group.figures.iter().filter(|figure| figure.advice.is_some()).count();
        heights[shortest] += group.figures.len() + 2 + 2 * advice;
        places[shortest].push(group);
    }
    ui.columns(count, |columns| {
        for (ui, groups) in columns.iter_mut().zip(places) {
            for group in groups {
                show_group(ui, group, tokens);
            }
        }
    });
}

fn show_group(ui: &mut Ui, group: &Group, tokens: &Tokens) {
    let frame = Frame::new().inner_margin(Margin::symmetric(10, 6)).fill(tokens.panel);
    frame.corner_radius(4).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.label(RichText::new(group.title).strong());
        for figure in &group.figures {
            show_figure(ui, figure, tokens);
        }
    });
    ui.add_space(GRID);
}

fn show_figure(ui: &mut Ui, figure: &Figure, tokens: &Tokens) {
    let (mark, color) = match figure.tone {
        Tone::Plain => ("", tokens.text),
        Tone::Warning => ("⚠ ", tokens.warning),
        Tone::Bad => ("▲ ", tokens.killed),
    };
    ui.horizontal_top(|ui| {
        let size = egui::vec2(NAMES, theme::ROW_HEIGHT - 4.0);
        let left = egui::Layout::left_to_right(egui::Align::Min);
        ui.allocate_ui_with_layout(size, left, |ui| {
            ui.set_min_width(NAMES);
            ui.add(egui::Label::new(RichText::new(&figure.name).color(tokens.weak)).truncate());
        });
        let value = RichText::new(format!("{mark}{}", figure.value)).color(color);
        ui.add(egui::Label::new(value).wrap());
    });
    if let Some(advice) = &figure.advice {
        ui.horizontal_top(|ui| {
            ui.add_space(NAMES + ui.spacing().item_spacing.x);
            ui.add(egui::Label::new(RichText::new(format!("→ {advice}"))).wrap());
        });
    }
}
