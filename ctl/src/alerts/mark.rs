//! Marks what a rule found in a value.

use common::escape;
use common::why::settled;

use crate::screen::{Palette, Tone};

/// The value, safe on a terminal, with the ranges (byte offsets into the value as it is) marked: by
/// colour and underline, or by `»` and `«` where there is no colour.
pub(super) fn marked(value: &str, ranges: &[[usize; 2]], palette: Palette) -> String {
    let mut out = String::new();
    let mut at = 0;
    for [start, end] in settled(value, ranges) {
        out.push_str(&plain(&value[at..start], palette));
        let found = plain(&value[start..end], palette);
        if palette.has_color() {
            out.push_str(&palette.paint(Tone::Found, &found));
        } else {
            out.extend(["»", &found, "«"]);
        }
        at = end;
    }
    out.push_str(&plain(&value[at..], palette));
    out
}

fn plain(text: &str, palette: Palette) -> String {
    let text = escape::terminal(text);
    if palette.has_color() {
        return text.into_owned();
    }
    // The value's own must not pass for marks.
    text.replace('»', "\\u{bb}").replace('«', "\\u{ab}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Screen;

    #[track_caller]
    fn check(value: &str, ranges: &[[usize; 2]], expected: &str) {
        assert_eq!(marked(value, ranges, Palette::plain()), expected);
    }

    #[test]
    fn ranges_are_marked_before_the_value_is_escaped() {
        check("/usr/bin/nc", &[[8, 11]], "/usr/bin»/nc«");
        check("\n\x1b[2J nc \u{202e}", &[[6, 8]], "\\n\\x1b[2J »nc« \\u{202e}");
        check("a\nb", &[[1, 2]], "a»\\n«b");
        check("nc", &[], "nc");
        check("", &[[0, 0]], "");
    }

    #[test]
    fn ranges_of_any_kind_do_no_harm() {
        check("abcdef", &[[4, 5], [0, 2], [1, 3]], "»abc«d»e«f");
        check("abc", &[[2, 99], [7, 8], [3, 1], [1, 1]], "ab»c«");
        check("aéb", &[[2, 3]], "a»é«b");
        check("aéb", &[[usize::MAX, usize::MAX]], "aéb");
    }

    #[test]
    fn a_value_cannot_fake_a_mark() {
        check("»x« nc", &[[6, 8]], "\\u{bb}x\\u{ab} »nc«");
    }

    #[test]
    fn colour_is_doubled_by_a_line_below() {
        let text = marked("»/nc\x1b", &[[2, 5]], Screen::colored().palette);
        assert_eq!(text, "»\x1b[1m\x1b[4m\x1b[33m/nc\x1b[0m\\x1b");
    }
}
