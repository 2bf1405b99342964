//! How much happened when: bars over a range of time, the gaps of the recording, and a brush.

use eframe::egui::{
    self, Color32, CursorIcon, Key, Modifiers, Pos2, Rect, Response, Role, Sense, Stroke, Ui,
    WidgetInfo,
};

use super::text::{Clock, number};
use crate::theme::{self, Tokens};

pub const HEIGHT: f32 = 56.0;
const AXIS_HEIGHT: f32 = 15.0;
/// Less is a click, not a brush.
const LEAST_BRUSH: f32 = 4.0;

/// What there is to draw.
pub struct Histogram<'h> {
    pub from_ns: i64,
    pub to_ns: i64,
    pub counts: &'h [u64],
    /// Times at which records were lost, and how many (0: that cannot be told).
    pub gaps: &'h [(i64, u64)],
    pub clock: &'h Clock,
}

/// Where a brush began.
#[derive(Debug, Default)]
pub struct Brush {
    from: Option<Pos2>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    Range {
        from_ns: i64,
        to_ns: i64,
    },
    /// Double-click: what was before.
    Reset,
    /// A click: go to this time.
    Time(i64),
}

impl Histogram<'_> {
    pub fn show(&self, ui: &mut Ui, brush: &mut Brush) -> Option<Chosen> {
        let tokens = Tokens::of(ui.ctx());
        let size = egui::vec2(ui.available_width(), HEIGHT);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Image, true, format!("Time histogram, {}", self.summary()))
        });
        let plot = Rect::from_min_max(rect.min, rect.max - egui::vec2(0.0, AXIS_HEIGHT));
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1);
        self.paint_bars(ui, plot, most, tokens);
        self.paint_gaps(ui, plot, tokens);
        self.paint_axis(ui, rect, tokens);
        self.paint_hover(ui, plot, &response, tokens);
        let response = response.on_hover_cursor(CursorIcon::Crosshair);
        self.brushed(ui, plot, &response, brush).or_else(|| self.moved(ui, &response))
    }

    fn summary(&self) -> String {
        let sum: u64 = self.counts.iter().sum();
        let gaps = match self.gaps.len() {
            0 => "no gaps".to_owned(),
            1 => "1 gap".to_owned(),
            several => format!("{several} gaps"),
        };
        format!(
            "{} processes from {} to {}, {gaps}",
            number(sum),
            self.clock.time_and_date(self.from_ns),
            self.clock.time_and_date(self.to_ns)
        )
    }

    fn x_of(&self, plot: Rect, ns: i64) -> f32 {
        let span = (self.to_ns - self.from_ns).max(1) as f64;
        plot.left() + plot.width() * ((ns - self.from_ns) as f64 / span) as f32
    }

    fn time_at(&self, plot: Rect, x: f32) -> i64 {
        let part = f64::from((x - plot.left()) / plot.width().max(1.0)).clamp(0.0, 1.0);
        self.from_ns + ((self.to_ns - self.from_ns) as f64 * part) as i64
    }

    fn paint_bars(&self, ui: &Ui, plot: Rect, most: u64, tokens: &Tokens) {
        let painter = ui.painter_at(plot);
        let width = plot.width() / self.counts.len().max(1) as f32;
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // The root keeps what is rare visible beside what is frequent.
            let height = ((*count as f32 / most as f32).sqrt() * (plot.height() - 2.0)).max(1.0);
            let left = plot.left() + at as f32 * width;
            let bar = Rect::from_min_max(
                egui::pos2(left, plot.bottom() - height),
                egui::pos2(left + (width - 1.0).max(1.0), plot.bottom()),
            );
            painter.rect_filled(bar, 0.0, tokens.bar);
        }
        painter.hline(plot.x_range(), plot.bottom() - 0.5, Stroke::new(1.0, tokens.line));
    }

    /// Hatched, so that they are told from bars without their colour.
    fn paint_gaps(&self, ui: &Ui, plot: Rect, tokens: &Tokens) {
        let painter = ui.painter_at(plot);
        for (time_ns, _) in self.gaps {
            let x = self.x_of(plot, *time_ns);
            let rect = Rect::from_x_y_ranges(x - 3.0..=x + 3.0, plot.y_range());
            if !rect.intersects(plot) {
                continue;
            }
            let stroke = Stroke::new(1.0, tokens.warning);
            let mut y = plot.top() - 6.0;
            while y < plot.bottom() {
                painter
                    .line_segment([egui::pos2(x - 3.0, y + 6.0), egui::pos2(x + 3.0, y)], stroke);
                y += 4.0;
            }
            painter.vline(x - 3.5, plot.y_range(), stroke);
            painter.vline(x + 3.5, plot.y_range(), stroke);
        }
    }

    fn paint_axis(&self, ui: &Ui, rect: Rect, tokens: &Tokens) {
        let painter = ui.painter_at(rect);
        let step = step_ns(self.to_ns - self.from_ns, rect.width());
        let mut at = self.from_ns - self.from_ns.rem_euclid(step) + step;
        while at < self.to_ns {
            let x = self.x_of(rect, at);
            painter.vline(
                x,
                rect.bottom() - AXIS_HEIGHT..=rect.bottom() - AXIS_HEIGHT + 3.0,
                Stroke::new(1.0, tokens.weak),
            );
            let text = axis_text(self.clock, at, step);
            let galley = painter.layout_no_wrap(text, theme::small(), tokens.weak);
            let place = egui::Align2::CENTER_BOTTOM
                .anchor_size(egui::pos2(x, rect.bottom()), galley.size());
            // Half a time at the edge is none.
            if rect.x_range().contains(place.left()) && rect.x_range().contains(place.right()) {
                painter.galley(place.min, galley, tokens.weak);
            }
            at += step;
        }
    }

    fn paint_hover(&self, ui: &Ui, plot: Rect, response: &Response, tokens: &Tokens) {
        let Some(at) = response.hover_pos() else { return };
        ui.painter_at(plot).vline(at.x, plot.y_range(), Stroke::new(1.0, tokens.accent));
        let time_ns = self.time_at(plot, at.x);
        let width = plot.width() / self.counts.len().max(1) as f32;
        let bar = ((at.x - plot.left()) / width).max(0.0) as usize;
        let count = self.counts.get(bar).copied().unwrap_or(0);
        let near = |gap: &&(i64, u64)| (self.x_of(plot, gap.0) - at.x).abs() <= 4.0;
        let gap = self.gaps.iter().find(near);
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.label(format!(
                "{}  ·  {} processes",
                self.clock.time_and_date(time_ns),
                number(count)
            ));
            match gap {
                Some((_, 0)) => _ = ui.label("gap: the recording was interrupted here"),
                Some((_, lost)) => _ = ui.label(format!("gap: {} records lost", number(*lost))),
                None => {}
            }
        });
    }

    fn brushed(
        &self,
        ui: &Ui,
        plot: Rect,
        response: &Response,
        brush: &mut Brush,
    ) -> Option<Chosen> {
        if response.double_clicked() {
            return Some(Chosen::Reset);
        }
        if response.drag_started() {
            brush.from = ui.input(|input| input.pointer.press_origin());
        }
        let at = response.interact_pointer_pos();
        if let (true, Some(at)) = (response.clicked(), at) {
            return Some(Chosen::Time(self.time_at(plot, at.x)));
        }
        let (from, to) = (brush.from?, at?);
        let (left, right) = (from.x.min(to.x), from.x.max(to.x));
        if response.drag_stopped() {
            brush.from = None;
            let (from_ns, to_ns) = (self.time_at(plot, left), self.time_at(plot, right));
            return (right - left >= LEAST_BRUSH && to_ns > from_ns)
                .then_some(Chosen::Range { from_ns, to_ns });
        }
        let tokens = Tokens::of(ui.ctx());
        let rect = Rect::from_x_y_ranges(left..=right, plot.y_range());
        ui.painter_at(plot).rect(
            rect,
            0.0,
            translucent(tokens.accent),
            Stroke::new(1.0, tokens.accent),
            egui::StrokeKind::Inside,
        );
        None
    }

    /// With the focus: arrows move the range, `+` and `-` shorten and widen it.
    fn moved(&self, ui: &Ui, response: &Response) -> Option<Chosen> {
        if !response.has_focus() {
            return None;
        }
        let span = self.to_ns - self.from_ns;
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (from, to) = if pressed(Key::ArrowLeft) {
            (-span / 4, -span / 4)
        } else if pressed(Key::ArrowRight) {
            (span / 4, span / 4)
        } else if pressed(Key::Plus) {
            (span / 4, -span / 4)
        } else if pressed(Key::Minus) {
            (-span / 2, span / 2)
        } else {
            return None;
        };
        Some(Chosen::Range { from_ns: self.from_ns + from, to_ns: self.to_ns + to })
    }
}

fn translucent(color: Color32) -> Color32 {
    color.gamma_multiply(0.25)
}

/// A round time between two marks, so that their texts have room.
fn step_ns(span_ns: i64, width: f32) -> i64 {
    const MS: i64 = 1_000_000;
    const S: i64 = 1000 * MS;
    const STEPS: [i64; 22] = [
        MS,
        5 * MS,
        10 * MS,
        50 * MS,
        100 * MS,
        500 * MS,
        S,
        5 * S,
        10 * S,
        30 * S,
        60 * S,
        5 * 60 * S,
        10 * 60 * S,
        30 * 60 * S,
        3600 * S,
        3 * 3600 * S,
        6 * 3600 * S,
        12 * 3600 * S,
        24 * 3600 * S,
        7 * 24 * 3600 * S,
        30 * 24 * 3600 * S,
        365 * 24 * 3600 * S,
    ];
    let marks = i64::from((width / 110.0).max(1.0) as u16);
    let least = span_ns / marks;
    STEPS.into_iter().find(|step| *step >= least).unwrap_or(STEPS[STEPS.len() - 1])
}

fn axis_text(clock: &Clock, ns: i64, step_ns: i64) -> String {
    const S: i64 = 1_000_000_000;
    let time = clock.time(ns);
    match step_ns {
        _ if step_ns >= 24 * 3600 * S => clock.date(ns),
        _ if step_ns >= 60 * S => time.chars().take(5).collect(),
        _ if step_ns >= S => time.chars().take(8).collect(),
        _ => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_have_room() {
        const S: i64 = 1_000_000_000;
        assert_eq!(step_ns(3600 * S, 1100.0), 10 * 60 * S);
        assert_eq!(step_ns(86_400 * S, 1100.0), 3 * 3600 * S);
        assert_eq!(step_ns(2 * S, 300.0), S);
    }
}
