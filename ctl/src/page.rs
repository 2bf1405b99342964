//! Sections of named values, for one thing looked at closely.

use common::escape;

use crate::screen::{Screen, Tone};
use crate::text;

/// Builds the text of a page. Every string is made safe on its way in.
pub(crate) struct Page<'s> {
    screen: &'s Screen,
    text: String,
}

const NAME_WIDTH: usize = 18;

impl<'s> Page<'s> {
    pub(crate) fn new(screen: &'s Screen) -> Self {
        Self { screen, text: String::new() }
    }

    /// A line that stands out.
    pub(crate) fn heading(&mut self, tone: Tone, line: &str) {
        self.line(&[(tone, line)]);
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.line(&[(Tone::Strong, title)]);
    }

    pub(crate) fn field(&mut self, name: &str, value: &str) {
        self.toned_field(name, Tone::Plain, value);
    }

    pub(crate) fn toned_field(&mut self, name: &str, tone: Tone, value: &str) {
        let space = " ".repeat(NAME_WIDTH.saturating_sub(text::width(name)).max(1));
        self.line(&[(Tone::Plain, "  "), (Tone::Dim, name), (Tone::Plain, &space), (tone, value)]);
    }

    /// What makes one look twice.
    pub(crate) fn attention(&mut self, what: &str) {
        self.toned_field("attention", Tone::Killed, what);
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A text of several lines, each below the other.
    pub(crate) fn lines(&mut self, name: &str, value: Option<&str>) {
        let mut name = name;
        for line in value.unwrap_or_default().trim_end().lines() {
            self.field(name, line);
            name = "";
        }
    }

    /// A section of values that are all of one kind; none where there are none.
    pub(crate) fn list(&mut self, title: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        self.section(title);
        for value in values {
            self.item(Tone::Plain, value);
        }
    }

    pub(crate) fn item(&mut self, tone: Tone, value: &str) {
        self.line(&[(Tone::Plain, "  "), (tone, value)]);
    }

    /// A line that was made safe, and painted, elsewhere.
    pub(crate) fn safe_item(&mut self, line: &str) {
        self.text.extend(["  ", line, "\n"]);
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Parts of one line, each in its own tone.
    pub(crate) fn line(&mut self, parts: &[(Tone, &str)]) {
        for (tone, part) in parts {
            self.text.push_str(&self.screen.paint(*tone, &escape::terminal(part)));
        }
        self.text.push('\n');
    }
}
