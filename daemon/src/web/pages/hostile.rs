//! Strings of traced processes, and of whoever wrote a rule, as markup.
//!
//! `maud` keeps them from becoming elements and attributes; here what cannot be seen, or would turn
//! the text around it, becomes visible, and what is too long for a list is cut and says so.
//! `text.js` does the same for what the browser draws by itself.

use std::borrow::Cow;

use common::escape;
use common::number::number;
use maud::{Markup, PreEscaped, html};

/// Of one text, so much stands in a list.
const MOST_LINE_BYTES: usize = 400;
/// A longer one scrolls in a box of its own.
const MOST_OPEN_BYTES: usize = 2000;
/// Of a value that is looked for, so much is given to the menu of its cell.
pub(super) const MOST_SOUGHT_CHARS: usize = 120;

/// On one line, without control characters, whole.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    escape::terminal(text)
}

/// On one line of a list; what does not fit is counted.
pub(super) fn line(text: &str) -> Markup {
    let (shown, rest) = text.split_at(text.floor_char_boundary(MOST_LINE_BYTES));
    html! {
        span.clip { (plain(shown)) }
        @if !rest.is_empty() { span.cut { "… " (number(rest.len() as u64)) " more bytes" } }
    }
}

/// As [`line`], without the elements: for titles and names.
pub(super) fn short(text: &str) -> String {
    let (shown, rest) = text.split_at(text.floor_char_boundary(MOST_LINE_BYTES));
    let dots = if rest.is_empty() { "" } else { "…" };
    format!("{}{dots}", plain(shown))
}

/// Whole, to be read and selected: wraps anywhere, and scrolls where it is long.
pub(super) fn whole(text: &str) -> Markup {
    let shown = plain(text);
    if shown.len() > MOST_OPEN_BYTES {
        let bytes = format!("{} bytes, scrolls", number(text.len() as u64));
        return html! {
            span.text.long tabindex="0" role="group" aria-label=(bytes) { (shown) }
        };
    }
    html! { span.text { (shown) } }
}

/// The value for the menu of a cell: its beginning, and whether that is all.
pub(super) fn sought(text: &str) -> (&str, bool) {
    match text.char_indices().nth(MOST_SOUGHT_CHARS) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// A value as it is, for a script to read out of an attribute. A carriage return would become a line
/// feed there, and what reorders text would do that to who reads the source of the page: both are
/// written as references.
pub(super) fn exact(text: &str) -> PreEscaped<String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // References to these mean other characters, by an old error that all browsers keep.
        let is_mistaken = matches!(c, '\0' | '\u{80}'..='\u{9f}');
        let is_seen = matches!(escape::terminal(c.encode_utf8(&mut [0; 4])), Cow::Borrowed(_));
        let is_plain = is_seen && !matches!(c, '&' | '<' | '>' | '"' | '\'');
        if is_plain || is_mistaken {
            out.push(c);
        } else {
            out.push_str(&format!("&#x{:x};", u32::from(c)));
        }
    }
    PreEscaped(out)
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_overrides_are_text() {
        let shown = line("<script>alert(1)</script>\u{202e}\n").into_string();
        assert_eq!(
            shown,
            "<span class=\"clip\">&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\n</span>"
        );
        let shown = whole("\"><img src=x onerror=alert(1)>").into_string();
        assert!(!shown.contains("<img"), "{shown}");
    }

    #[test]
    fn scripts_read_what_was_there() {
        let shown = exact("a\"'<b>&\r\u{202e}\u{85}é").0;
        assert_eq!(shown, "a&#x22;&#x27;&#x3c;b&#x3e;&#x26;&#xd;&#x202e;\u{85}é");
    }

    #[test]
    fn long_texts_say_what_is_missing() {
        let shown = line(&"é".repeat(50_000)).into_string();
        assert!(shown.contains("… 99,600 more bytes"), "{}", &shown[shown.len() - 80..]);
        assert!(whole(&"x".repeat(100_000)).into_string().contains("tabindex"));
        assert_eq!(sought(&"é".repeat(200)), (&*"é".repeat(120), true));
    }
}
