//! Texts of traced processes on the screen: escaped, cut, on one line; and times.

use std::sync::Arc;

use common::escape;
pub use common::escape::line;
pub use common::number::{number, size};
pub use common::time::Clock;
use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Color32, FontId, Galley, Painter};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_say_what_is_missing() {
        assert!(whole(&"é".repeat(50), 10).ends_with("(80 bytes more)"));
    }
}
