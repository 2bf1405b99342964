//! The strip under the bar: how much happened when.

use std::time::Duration;

use common::time::parse_rfc3339;
use eframe::egui::{Align, Layout, Ui};

use super::Window;
use crate::connection::processes::{Answer as Found, Ask};
use crate::connection::{Answer, Asked, Link, Request, manager};
use crate::state::scope::{Scope, Span};
use crate::state::strip::Strip;
use crate::theme::Tokens;
use crate::views::{Action, Reply};
use crate::widgets::histogram::{Brush, Chosen, Histogram};
use crate::widgets::text;

const PARTS: u32 = 240;
const MOST_GAPS: u32 = 500;
/// How long a remark is to be read.
const REMARK_NS: i64 = 4_000_000_000;

#[derive(Default)]
pub(super) struct StripState {
    strip: Strip,
    /// When, and how many records.
    gaps: Vec<(i64, u64)>,
    brush: Brush,
    asked: Option<Scope>,
    counting: Asked,
    asking_gaps: Asked,
}

impl StripState {
    pub(super) fn refresh(&mut self, link: &mut Link, scope: &Scope) {
        self.asked = Some(scope.clone());
        let (from_ns, to_ns) = (scope.from_ns, scope.to_ns);
        let filter = scope.filter_text();
        let counts = Ask::Counts { filter, from_ns, to_ns, buckets: PARTS };
        self.counting.ask(link, Request::Processes(counts));
        let gaps = manager::Ask::Gaps { since_ns: from_ns, until_ns: to_ns, limit: MOST_GAPS };
        self.asking_gaps.ask(link, Request::Manager(gaps));
    }

    pub(super) fn answer(&mut self, reply: Reply) -> Option<Reply> {
        if self.counting.take(reply.ticket) {
            if let (Ok(Answer::Processes(Found::Counts(counts))), Some(scope)) =
                (reply.result, &self.asked)
            {
                let is_sliding = matches!(scope.span, Span::Last(_));
                self.strip = Strip::new(scope.from_ns, scope.to_ns, counts, is_sliding);
            }
        } else if self.asking_gaps.take(reply.ticket) {
            if let Ok(Answer::Manager(manager::Answer::Gaps(gaps))) = reply.result {
                self.gaps = gaps
                    .iter()
                    .filter_map(|gap| Some((parse_rfc3339(&gap.timestamp)?, gap.count)))
                    .collect();
            }
        } else {
            return Some(reply);
        }
        None
    }

    pub(super) fn add(&mut self, time_ns: i64) {
        if !self.strip.is_empty() {
            self.strip.add(time_ns);
        }
    }

    pub(super) fn add_gap(&mut self, time_ns: i64, count: u64) {
        self.gaps.push((time_ns, count));
    }
}

impl Window {
    pub(super) fn strip_bar(&mut self, ui: &mut Ui) {
        let is_live = self.scope.span.is_open() && self.paused.is_none() && !self.is_recorded();
        let now_ns = self.clock.now_ns;
        let state = &mut self.strip;
        if is_live {
            state.strip.advance(now_ns);
        }
        let (from_ns, to_ns) = (state.strip.from_ns(), state.strip.to_ns());
        let histogram = Histogram {
            from_ns,
            to_ns: to_ns.max(from_ns + 1),
            counts: state.strip.counts(),
            gaps: &state.gaps,
            clock: &self.clock,
        };
        match histogram.show(ui, &mut state.brush) {
            Some(Chosen::Range { from_ns, to_ns }) => {
                self.actions.push(Action::SetSpan(Span::Between { from_ns, to_ns }));
            }
            Some(Chosen::Reset) => self.actions.push(Action::SetSpan(self.scope.span.wider())),
            Some(Chosen::Time(time_ns)) => self.with_view(|view, cx| view.go_to(time_ns, cx)),
            None => {}
        }
        self.figures(ui);
    }

    /// How much there is of what, in one line.
    fn figures(&mut self, ui: &mut Ui) {
        let tokens = Tokens::of(ui.ctx());
        let at = self.view_at(self.settings.view);
        let name = self.settings.view.name().to_lowercase();
        let count = self.views[at].count();
        ui.horizontal(|ui| {
            let range = match self.scope.span {
                Span::Between { from_ns, to_ns } => format!(
                    "{} – {}",
                    self.clock.time_and_date(from_ns),
                    self.clock.time_and_date(to_ns)
                ),
                span => span.name(),
            };
            ui.colored_label(tokens.weak, range);
            if let Some((remark, said)) = &self.remark
                && let Ok(left @ 1..) = u64::try_from(said + REMARK_NS - self.clock.now_ns)
            {
                ui.label(text::line(remark));
                ui.ctx().request_repaint_after(Duration::from_nanos(left));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(health) = &self.health {
                    let lost = health.store.lost;
                    let color = if lost > 0 { tokens.warning } else { tokens.weak };
                    let mark = if lost > 0 { "⚠ " } else { "" };
                    ui.colored_label(color, format!("{mark}lost {}", text::number(lost)))
                        .on_hover_text("Records that were lost, over all time");
                }
                if let Some(count) = count {
                    ui.colored_label(tokens.weak, "·");
                    ui.colored_label(tokens.weak, format!("{name} {}", text::number(count)));
                }
            });
        });
    }
}
