//! A value in pieces: what a rule found in it, and what is around that.

use common::alert::FieldMatch;
use common::escape;
use common::why::settled;

/// Around what was found so much of a long value is kept.
const MOST_AROUND: usize = 600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Without controls.
    pub text: String,
    pub is_found: bool,
}

/// Escaped after it was cut into pieces, so that nothing in the value can pass for a mark.
pub fn pieces(field: &FieldMatch) -> Vec<Piece> {
    let Some(value) = &field.value else { return Vec::new() };
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut push = |text: &str, is_found| {
        if !text.is_empty() {
            pieces.push(Piece { text: shortened(text), is_found });
        }
    };
    for [start, end] in settled(value, &field.ranges) {
        push(&value[at..start], false);
        push(&value[start..end], true);
        at = end;
    }
    push(&value[at..], false);
    pieces
}

/// Both ends of a long text stay: what is before and what is after a mark.
fn shortened(text: &str) -> String {
    if text.len() <= 2 * MOST_AROUND {
        return escape::terminal(text).into_owned();
    }
    let head = &text[..text.floor_char_boundary(MOST_AROUND)];
    let tail = &text[text.ceil_char_boundary(text.len() - MOST_AROUND)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{} … ({left_out} bytes) … {}", escape::terminal(head), escape::terminal(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, ranges: &[[usize; 2]], expected: &[(&str, bool)]) {
        let field = FieldMatch {
            selection: None,
            field: "Image".to_owned(),
            value: Some(value.to_owned()),
            pattern: None,
            operator: None,
            ranges: ranges.to_vec(),
            is_negated: false,
        };
        let found = pieces(&field);
        let found: Vec<(&str, bool)> =
            found.iter().map(|piece| (piece.text.as_str(), piece.is_found)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_found_is_told_apart() {
        check("/usr/bin/nc", &[[8, 11]], &[("/usr/bin", false), ("/nc", true)]);
        check("\n\u{202e} nc", &[[4, 7]], &[("\\n\\u{202e}", false), (" nc", true)]);
        check("abc", &[], &[("abc", false)]);
        check("", &[[0, 9]], &[]);
    }

    #[test]
    fn of_long_values_both_ends_stay() {
        let value = format!("{}X", "a".repeat(5000));
        let field = FieldMatch {
            selection: None,
            field: "x".to_owned(),
            value: Some(value),
            pattern: None,
            operator: None,
            ranges: vec![[5000, 5001]],
            is_negated: false,
        };
        let pieces = pieces(&field);
        assert!(pieces[0].text.contains("(3800 bytes)") && pieces[0].text.len() < 1300);
        assert_eq!((pieces[1].text.as_str(), pieces[1].is_found), ("X", true));
    }
}
