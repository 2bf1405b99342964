//! Texts of traced processes on the screen: escaped, cut, on one line; and times.

use std::sync::Arc;

use common::escape;
pub use common::number::number;
use common::time;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Color32, FontId, Galley, Painter};
use jiff::tz::TimeZone;

/// No line of a table has room for more; to lay out 32 KiB in each frame would take seconds.
const MOST_LINE_CHARS: usize = 400;

/// What may be drawn of a hostile text: on one line, without controls, not too long.
pub fn line(text: &str) -> String {
    let end = text.char_indices().nth(MOST_LINE_CHARS).map_or(text.len(), |(at, _)| at);
    let mut shown = escape::terminal(&text[..end]).into_owned();
    if end < text.len() {
        shown.push('…');
    }
    shown
}

/// A whole text, without controls, but for its line feeds: what is shown to be read and selected.
/// Cut, with a word on how much is missing, beyond `most` characters.
pub fn whole(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let mut shown = escape::terminal(&text[..end]).into_owned();
    if end < text.len() {
        shown.push_str(&format!("… ({} bytes more)", text.len() - end));
    }
    shown
}

/// Text in one row, ending with `…` where the width does not do.
pub fn elided(
    painter: &Painter,
    text: String,
    font: FontId,
    color: Color32,
    width: f32,
) -> Arc<Galley> {
    let mut job = LayoutJob::single_section(text, TextFormat::simple(font, color));
    job.wrap = TextWrapping {
        max_width: width.max(0.0),
        max_rows: 1,
        break_anywhere: true,
        ..TextWrapping::default()
    };
    job.break_on_newline = false;
    painter.layout_job(job)
}

/// What is now, and in which zone people read times.
#[derive(Debug, Clone)]
pub struct Clock {
    pub now_ns: i64,
    pub zone: TimeZone,
}

impl Clock {
    /// `14:03:27.512`.
    pub fn time(&self, ns: i64) -> String {
        time::clock(ns, &self.zone)
    }

    pub fn date(&self, ns: i64) -> String {
        time::date(ns, &self.zone)
    }

    /// With the date in front where it is not today's.
    pub fn time_and_date(&self, ns: i64) -> String {
        if self.date(ns) == self.date(self.now_ns) {
            self.time(ns)
        } else {
            format!("{} {}", self.date(ns), self.time(ns))
        }
    }

    /// For a column: the time of today, else the day and the time to the second.
    pub fn short(&self, ns: i64) -> String {
        let (date, time) = (self.date(ns), self.time(ns));
        if date == self.date(self.now_ns) {
            return time;
        }
        // Without the year.
        let (date, time) = (date.get(5..).unwrap_or(&date), time.get(..8).unwrap_or(&time));
        format!("{date} {time}")
    }

    /// `12 s ago`.
    pub fn ago(&self, ns: i64) -> String {
        let past = u64::try_from(self.now_ns.saturating_sub(ns)).unwrap_or(0);
        format!("{} ago", time::duration(past))
    }
}

/// `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_one_short_line() {
        assert_eq!(line("a\n\x1b[31m\u{202e}b"), "a\\n\\x1b[31m\\u{202e}b");
        let long = line(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), MOST_LINE_CHARS + 1);
        assert!(whole(&"é".repeat(50), 10).ends_with("(80 bytes more)"));
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }
}
