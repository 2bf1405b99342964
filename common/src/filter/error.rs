//! What is wrong with a filter text, and where.

use std::fmt::Write as _;

use crate::escape;

/// A filter text that cannot be used. Its display is one line; [`FilterError::render`] points.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (column {column}){}", hint_suffix(hint.as_deref()))]
pub struct FilterError {
    pub message: String,
    /// Where the fault begins: 1 is the first character.
    pub column: usize,
    /// Characters that the fault covers, at least 1.
    pub length: usize,
    pub hint: Option<String>,
}

fn hint_suffix(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!(": {hint}"))
}

/// Bytes of the text, for an error to point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end }
    }
}

/// Characters of the text shown on each side of the fault.
const MARGIN: usize = 60;

impl FilterError {
    pub(super) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
        Self {
            message: message.into(),
            column: count(text.get(..span.start)) + 1,
            length: count(text.get(span.start..span.end)).max(1),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The text, a line of carets below the fault, and the hint. Long texts are shown in part.
    pub fn render(&self, text: &str) -> String {
        let fault = self.column.saturating_sub(1);
        let first = fault.saturating_sub(MARGIN);
        let last = fault.saturating_add(self.length).saturating_add(MARGIN);
        let shown: String =
            text.chars().take(last).skip(first).map(|c| visible(c).unwrap_or('\u{fffd}')).collect();
        let before = if first > 0 { "…" } else { "" };
        let after = if text.chars().nth(last).is_some() { "…" } else { "" };
        let indent = fault - first + before.chars().count();
        let carets = self.length.min(MARGIN);
        let mut out = format!("{}\n  {before}{shown}{after}\n", self.message);
        let _ = write!(out, "  {}{}", " ".repeat(indent), "^".repeat(carets));
        if let Some(hint) = &self.hint {
            let _ = write!(out, "\nhint: {hint}");
        }
        out
    }
}

/// One character that takes one place, so that the carets stay below what they point at.
fn visible(c: char) -> Option<char> {
    if c.is_whitespace() {
        return Some(' ');
    }
    let mut utf8 = [0; 4];
    let is_safe =
        matches!(escape::terminal(c.encode_utf8(&mut utf8)), std::borrow::Cow::Borrowed(_));
    is_safe.then_some(c)
}

/// A piece of the user's text inside a message: short and safe on a terminal.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let short: String = text.chars().take(LONGEST).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", escape::terminal(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_the_fault() {
        let text = "é\tnmae = x";
        let error = FilterError::new(text, Span { start: 3, end: 7 }, "unknown field `nmae`")
            .hint("did you mean `name`?");
        assert_eq!(
            error.render(text),
            "unknown field `nmae`\n  é nmae = x\n    ^^^^\nhint: did you mean `name`?"
        );
        assert_eq!(error.to_string(), "unknown field `nmae` (column 3): did you mean `name`?");
    }

    #[test]
    fn long_texts_are_shown_in_part() {
        let text = "x ".repeat(500);
        let rendered = FilterError::new(&text, Span { start: 400, end: 401 }, "bad").render(&text);
        let lines: Vec<&str> = rendered.lines().collect();
        assert!(lines[1].starts_with("  …") && lines[1].ends_with('…'), "{rendered}");
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('x'));
    }

    #[test]
    fn hostile_text_is_shown_harmless() {
        assert_eq!(shown("\x1b[31m"), "`\\x1b[31m`");
        let text = "a\u{202e}b";
        let rendered = FilterError::new(text, Span { start: 4, end: 5 }, "bad").render(text);
        assert!(!rendered.contains('\u{202e}'));
    }
}
