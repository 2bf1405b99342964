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
        self.push(&[(tone, line)]);
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.push(&[(Tone::Strong, title)]);
    }

    pub(crate) fn field(&mut self, name: &str, value: &str) {
        self.toned_field(name, Tone::Plain, value);
    }

    pub(crate) fn toned_field(&mut self, name: &str, tone: Tone, value: &str) {
        let space = " ".repeat(NAME_WIDTH.saturating_sub(text::width(name)).max(1));
        self.push(&[(Tone::Plain, "  "), (Tone::Dim, name), (Tone::Plain, &space), (tone, value)]);
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    pub(crate) fn item(&mut self, tone: Tone, value: &str) {
        self.push(&[(Tone::Plain, "  "), (tone, value)]);
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, parts: &[(Tone, &str)]) {
        for (tone, part) in parts {
            self.text.push_str(&self.screen.paint(*tone, &escape::terminal(part)));
        }
        self.text.push('\n');
    }
}
