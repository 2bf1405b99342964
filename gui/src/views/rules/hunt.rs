//! A rule tried on what is recorded: progress, and what it would have fired on.

use common::rule::{Found as FoundLine, HuntDone};
use common::time::parse_rfc3339;
use eframe::egui::{
    self, Button, Frame, Label, Margin, Panel, ProgressBar, RichText, Role, Ui, WidgetInfo,
};

use crate::connection::rules::{Answer as Found, Ask, Quarry};
use crate::connection::{Answer, Asked, Request, Trouble};
use crate::theme::{self, Tokens, level_mark};
use crate::views::parts::{self, counted};
use crate::views::{Action, Context, Reply, ViewId};
use crate::widgets::text;

/// Lines drawn; the rest is counted.
const MOST_LINES: usize = 500;

#[derive(Default)]
pub(super) struct Hunt {
    /// What is tried, as it is called.
    title: Option<String>,
    what: Option<Quarry>,
    /// Where: `last hour`, a filter.
    place: String,
    asked: Asked,
    progress: (u64, u64),
    found: Vec<FoundLine>,
    done: Option<HuntDone>,
    trouble: Option<Trouble>,
}

impl Hunt {
    /// Among what filter and range select. What was tried before is cancelled.
    pub(super) fn begin(&mut self, title: String, what: Quarry, cx: &mut Context<'_>) {
        let mut place = cx.scope.span.name();
        if !cx.scope.filter.text().is_empty() {
            place.push_str(&format!(", {}", cx.scope.filter.text()));
        }
        let filter = cx.scope.text();
        self.ask(title, what, filter, place, cx);
    }

    fn ask(
        &mut self,
        title: String,
        what: Quarry,
        filter: String,
        place: String,
        cx: &mut Context<'_>,
    ) {
        let mut asked = std::mem::take(&mut self.asked);
        asked.ask(cx.link, Request::Rules(Ask::Hunt { what: what.clone(), filter }));
        *self = Self { title: Some(title), what: Some(what), place, asked, ..Self::default() };
    }

    pub(super) fn answer(&mut self, reply: Reply) -> Option<Reply> {
        if !self.asked.is(reply.ticket) {
            return Some(reply);
        }
        match reply.result {
            Ok(Answer::Rules(Found::Progress { looked_at, total })) => {
                self.progress = (looked_at, total);
                return None;
            }
            Ok(Answer::Rules(Found::Hunted { found, done })) => {
                (self.found, self.done) = (found, Some(done));
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
        self.asked.take(reply.ticket);
        None
    }

    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut Context<'_>) {
        let Some(title) = self.title.clone() else { return };
        let tokens = Tokens::of(ui.ctx());
        let frame = Frame::new().inner_margin(Margin::symmetric(8, 6)).fill(tokens.panel);
        let most = (ui.available_height() - 120.0).max(120.0);
        Panel::bottom("hunt")
            .frame(frame)
            .resizable(true)
            .default_size(220.0)
            .size_range(100.0..=most)
            .show(ui, |ui| {
                self.head(ui, &title, cx);
                self.list(ui, cx);
            });
    }

    fn head(&mut self, ui: &mut Ui, title: &str, cx: &mut Context<'_>) {
        ui.horizontal_wrapped(|ui| {
            let title = format!("Tried on history: {}", text::line(title));
            ui.label(RichText::new(title).strong());
            parts::weak(ui, format!("in {}", text::line(&self.place)));
        });
        ui.horizontal_wrapped(|ui| {
            if self.asked.is_waiting() {
                self.progress_bar(ui);
                if ui.button("Cancel").clicked() {
                    self.asked.cancel(cx.link);
                    let kind = crate::connection::TroubleKind::Failed;
                    self.trouble = Some(Trouble::new(kind, "cancelled before the end"));
                }
                return;
            }
            if let Some(done) = &self.done {
                ui.label(summary(done));
            }
            if self.place != EVERYTHING && ui.button("Try on everything").clicked() {
                self.everywhere(cx);
            }
            if ui.add(Button::new("Close")).clicked() {
                *self = Self::default();
            }
        });
        parts::trouble_bar(ui, &mut self.trouble);
    }

    fn everywhere(&mut self, cx: &mut Context<'_>) {
        if let (Some(title), Some(what)) = (self.title.clone(), self.what.clone()) {
            self.ask(title, what, String::new(), EVERYTHING.to_owned(), cx);
        }
    }

    fn progress_bar(&self, ui: &mut Ui) {
        let (looked_at, total) = self.progress;
        let share = if total == 0 { 0.0 } else { looked_at as f32 / total as f32 };
        let shown = format!("{} of {} records", text::number(looked_at), text::number(total));
        let bar = ui.add(ProgressBar::new(share).desired_width(260.0).text(shown.clone()));
        bar.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &shown));
    }

    fn list(&self, ui: &mut Ui, cx: &mut Context<'_>) {
        if self.done.is_some() && self.found.is_empty() {
            parts::weak(ui, "It would not have fired. Try it on everything, or widen the range.");
        }
        egui::ScrollArea::vertical().id_salt("hunt").auto_shrink(false).show(ui, |ui| {
            for found in self.found.iter().take(MOST_LINES) {
                line(ui, cx, found);
            }
            if let Some(left @ 1..) = self.found.len().checked_sub(MOST_LINES) {
                parts::weak(ui, format!("… {left} command lines more"));
            }
        });
    }
}

const EVERYTHING: &str = "everything recorded";

fn summary(done: &HuntDone) -> String {
    let looked = counted(done.looked_at, "record");
    let mut text = match done.matched {
        0 => format!("✔ Nothing in {looked}"),
        matched => format!("Would have fired {} in {looked}", counted(matched, "time")),
    };
    if done.unlisted > 0 {
        text.push_str(&format!(", {} not listed", text::number(done.unlisted)));
    }
    text
}

fn line(ui: &mut Ui, cx: &mut Context<'_>, found: &FoundLine) {
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal(|ui| {
        ui.add_sized([56.0, 18.0], Label::new(format!("{}×", text::number(found.count))));
        let level = found.level;
        ui.colored_label(tokens.level(level), level_mark(level)).on_hover_text(level.name());
        let last = parse_rfc3339(&found.last).map(|ns| cx.clock.time_and_date(ns));
        parts::weak(ui, last.unwrap_or_default());
        let shown = RichText::new(text::line(&found.command_line)).font(theme::mono());
        let link = ui.add(egui::Link::new(shown));
        let hover = format!(
            "{}\n{}\nmatched: {}\nClick to look at the newest process",
            text::line(&found.rule_title),
            text::line(&found.executable),
            text::line(&found.selections.join(", "))
        );
        if link.on_hover_text(hover).clicked()
            && let Ok(process) = found.example.parse()
        {
            cx.act(Action::Visit(ViewId::Timeline, process));
        }
    });
}
