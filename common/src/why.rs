//! Why a rule fired, for people: which lines of its text matched, and what it found in which value.

use crate::alert::FieldMatch;

/// Of each field what was asked: `Image|endswith '/nc'`, `not Image|endswith '/nc'`.
pub fn question(field: &FieldMatch) -> String {
    let not = if field.is_negated { "not " } else { "" };
    let operator = field.operator.as_deref().map(|name| format!("|{name}")).unwrap_or_default();
    let pattern = field.pattern.as_deref().map(|text| format!(" '{text}'")).unwrap_or_default();
    format!("{not}{}{operator}{pattern}", field.field)
}

/// Ranges of bytes of a value in order, without overlap, not empty, on character boundaries. They
/// may be of any kind: they are cut to the value, widened to whole characters and joined.
pub fn settled(value: &str, ranges: &[[usize; 2]]) -> Vec<[usize; 2]> {
    let whole = |[start, end]: &[usize; 2]| {
        [value.floor_char_boundary(*start), value.ceil_char_boundary(*end)]
    };
    let mut ranges: Vec<_> = ranges.iter().map(whole).filter(|[start, end]| start < end).collect();
    ranges.sort_unstable();
    let mut settled: Vec<[usize; 2]> = Vec::new();
    for [start, end] in ranges {
        match settled.last_mut() {
            Some(last) if start <= last[1] => last[1] = last[1].max(end),
            _ => settled.push([start, end]),
        }
    }
    settled
}

/// Each line of a rule's text, and whether it belongs to one of the selections.
///
/// By indentation alone, of rules as people write them. In a text written otherwise nothing is
/// marked, or a line too few.
pub fn is_found<'t>(text: &'t str, selections: &[String]) -> Vec<(&'t str, bool)> {
    let mut place = Place::Outside;
    text.lines()
        .map(|line| {
            place = place.after(line, selections);
            (line, matches!(place, Place::Detection { is_found: true, .. }) && !is_blank(line))
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Outside,
    /// Below `detection:`.
    Detection {
        /// Of the names of selections, once there is one.
        indent: Option<usize>,
        is_found: bool,
    },
}

impl Place {
    fn after(self, line: &str, selections: &[String]) -> Self {
        let (indent, content) = split(line);
        if is_blank(line) {
            return self;
        }
        if indent == 0 {
            return match content.strip_prefix("detection:").map(str::trim) {
                Some("") => Self::Detection { indent: None, is_found: false },
                Some(rest) if rest.starts_with('#') => {
                    Self::Detection { indent: None, is_found: false }
                }
                _ => Self::Outside,
            };
        }
        let Self::Detection { indent: names, is_found } = self else { return Self::Outside };
        let names = names.unwrap_or(indent);
        // An item of a list may stand below the name of the list, not to its right.
        let is_name = indent == names && !content.starts_with('-');
        let is_found = match is_name {
            true => selections.iter().any(|selection| selection == name(content)),
            false => is_found,
        };
        Self::Detection { indent: Some(names), is_found }
    }
}

fn split(line: &str) -> (usize, &str) {
    let content = line.trim_start_matches(' ');
    (line.len() - content.len(), content)
}

fn is_blank(line: &str) -> bool {
    let content = line.trim_start();
    content.is_empty() || content.starts_with('#')
}

fn name(content: &str) -> &str {
    for quote in ['\'', '"'] {
        if let Some(rest) = content.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default();
        }
    }
    content.split(':').next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected text has `>` before lines that are found.
    #[track_caller]
    fn check(expected: &str, selections: &[&str]) {
        let text: String =
            expected.lines().map(|line| format!("{}\n", line.get(1..).unwrap_or(""))).collect();
        let selections: Vec<_> = selections.iter().map(|name| (*name).to_owned()).collect();
        let found: String = is_found(&text, &selections)
            .iter()
            .map(|(line, is_found)| format!("{}{line}\n", if *is_found { '>' } else { ' ' }))
            .collect();
        let expected: String = expected
            .lines()
            .map(|line| {
                format!("{}{}\n", line.get(..1).unwrap_or(" "), line.get(1..).unwrap_or(""))
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_selections_that_matched_are_found() {
        let text = "
 title: sel
 description: |
     detection:
         sel:
 logsource:
     sel: x
 detection:
     # comment
>    sel:
>        Image|endswith:
>            - '/sh'

>            - '/bash'
>        CommandLine|contains: 'other:'
     other:
         sel: x
>    'quoted: x':
>    - a
>    - b: c
     condition: sel and other
 falsepositives:
     sel: x
";
        check(text, &["sel", "quoted: x"]);
    }

    #[test]
    fn lists_at_the_indentation_of_their_name_belong_to_it() {
        check(" detection: # why\n>  words:\n>  - a\n>  - b\n   condition: words\n", &["words"]);
    }

    #[test]
    fn what_is_written_otherwise_is_left_as_it_is() {
        check(" detection: {sel: {Image: x}}\n title: x\n", &["sel"]);
        check(" \n no yaml\n\u{20}\tx\n", &["sel"]);
        check(" detection:\n   sel:\n     a: b\n", &[]);
    }

    #[test]
    fn each_document_has_its_own() {
        check(" detection:\n>  a:\n>    x: y\n ---\n   a: x\n detection:\n>  a: x\n", &["a"]);
    }
}
