//! A value with what a rule found in it.

use common::alert::FieldMatch;
use common::why::settled;
use maud::{Markup, html};

use super::hostile;

/// A longer one scrolls in a box of its own.
const MOST_OPEN_BYTES: usize = 2000;

/// The value with the found parts marked.
pub(super) fn value(field: &FieldMatch) -> Markup {
    let Some(value) = &field.value else { return html! { span.weak { "(there is none)" } } };
    let ranges = settled(value, &field.ranges);
    let mut at = 0;
    let mut parts = Vec::new();
    for [start, end] in ranges {
        parts.push((&value[at..start], false));
        parts.push((&value[start..end], true));
        at = end;
    }
    parts.push((&value[at..], false));
    let is_long = value.len() > MOST_OPEN_BYTES;
    html! {
        span.text.mono.long[is_long] tabindex=[is_long.then_some("0")] {
            @for (part, is_found) in parts {
                @if is_found { mark { (hostile::plain(part)) } }
                @else { (hostile::plain(part)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, ranges: &[[usize; 2]]) -> String {
        let field = FieldMatch {
            selection: None,
            field: "CommandLine".to_owned(),
            value: Some(text.to_owned()),
            pattern: None,
            operator: None,
            ranges: ranges.to_vec(),
            is_negated: false,
        };
        let shown = value(&field).into_string();
        let start = shown.find('>').unwrap() + 1;
        shown[start..shown.len() - "</span>".len()].to_owned()
    }

    #[test]
    fn parts_are_marked_on_whole_characters() {
        let check = |text, ranges: &[_], expected| assert_eq!(shown(text, ranges), expected);
        check("nc -e", &[[0, 2]], "<mark>nc</mark> -e");
        check("éa", &[[1, 2]], "<mark>é</mark>a");
        check("abc", &[[2, 99], [0, 1], [1, 1], [5, 3]], "<mark>a</mark>b<mark>c</mark>");
        check("<b>\u{202e}", &[[1, 5]], "&lt;<mark>b&gt;\\u{202e}</mark>");
        check("abc", &[], "abc");
    }
}
