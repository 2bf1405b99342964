//! Where output goes: colours, width and time zone, settled once.

use anstream::stream::RawStream;
use anstyle::{AnsiColor, Effects, Style};
use common::rule::Level;
use jiff::tz::TimeZone;

use crate::args::{Color, Global};

/// What a colour means. State is never told by it alone: a symbol and a word go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Dim,
    Strong,
    Running,
    Failed,
    Killed,
    /// Something is missing from the record.
    Loss,
    /// How bad an alert is.
    Level(Level),
    /// What a rule found.
    Found,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Dim => Style::new().effects(Effects::DIMMED),
            Tone::Strong => Style::new().bold(),
            Tone::Running => AnsiColor::Green.on_default(),
            Tone::Failed => AnsiColor::Red.on_default().bold(),
            Tone::Killed => AnsiColor::Magenta.on_default().bold(),
            Tone::Loss => {
                AnsiColor::Red.on_default().bold().effects(Effects::INVERT | Effects::BOLD)
            }
            Tone::Level(level) => level_style(level),
            Tone::Found => AnsiColor::Yellow.on_default().bold().underline(),
        }
    }
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Critical => AnsiColor::Red.on_default().bold(),
        Level::High => AnsiColor::Red.on_default(),
        Level::Medium => AnsiColor::Yellow.on_default(),
        Level::Low => AnsiColor::Cyan.on_default(),
        Level::Informational => Style::new().effects(Effects::DIMMED),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    has_color: bool,
}

impl Palette {
    pub fn choose(color: Color, stream: &impl RawStream) -> Self {
        let has_color = match color {
            Color::Always => true,
            Color::Never => false,
            // Knows NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb.
            Color::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        };
        Self { has_color }
    }

    pub fn plain() -> Self {
        Self { has_color: false }
    }

    pub(crate) fn has_color(self) -> bool {
        self.has_color
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.has_color || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }
}

/// Standard output as people see it.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    pub palette: Palette,
    /// Columns of the terminal; `None` on a pipe, where nothing is cut.
    pub width: Option<usize>,
    pub zone: TimeZone,
}

impl Screen {
    pub(crate) fn stdout(global: &Global) -> Self {
        let stdout = std::io::stdout();
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        Self {
            palette: Palette::choose(global.color, &stdout),
            width,
            zone: if global.utc { TimeZone::UTC } else { TimeZone::system() },
        }
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        self.palette.paint(tone, text)
    }

    #[cfg(test)]
    pub(crate) fn plain(width: Option<usize>) -> Self {
        Self { palette: Palette::plain(), width, zone: TimeZone::UTC }
    }

    #[cfg(test)]
    pub(crate) fn colored() -> Self {
        Self { palette: Palette { has_color: true }, ..Self::plain(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_added_where_wanted() {
        assert_eq!(Palette::plain().paint(Tone::Failed, "x"), "x");
        let colored = Palette { has_color: true };
        assert_eq!(colored.paint(Tone::Plain, "x"), "x");
        assert_eq!(colored.paint(Tone::Strong, "x"), "\x1b[1mx\x1b[0m");
    }

    #[test]
    fn levels_look_different() {
        let colored = Palette { has_color: true };
        let styles: std::collections::HashSet<_> =
            Level::ALL.into_iter().map(|level| colored.paint(Tone::Level(level), "x")).collect();
        assert_eq!(styles.len(), Level::ALL.len());
    }
}
