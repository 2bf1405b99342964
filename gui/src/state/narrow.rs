//! From what is seen to a filter: include, exclude.

use common::escape;
use common::filter::{Field, Filter, quote, quote_bytes};

use super::row::Text;

/// Of a text that was cut, so much is looked for.
const BEGINNING_CHARS: usize = 120;

/// A condition on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub include: String,
    pub exclude: String,
}

impl Condition {
    /// That a field has exactly this value, in the form of the language.
    pub fn equal(field: Field, value: &str) -> Self {
        let name = field.name();
        let value = quote(value);
        Self { include: format!("{name} = {value}"), exclude: format!("{name} != {value}") }
    }

    /// That a field has this text. Of a cut one that it contains its beginning.
    pub fn text(field: Field, text: &Text) -> Self {
        let name = field.name();
        if text.text.is_empty() {
            return Self {
                include: format!("not {name} exists"),
                exclude: format!("{name} exists"),
            };
        }
        let bytes = escape::bytes(&text.text);
        if !text.is_cut {
            let value = quote_bytes(&bytes);
            return Self {
                include: format!("{name} = {value}"),
                exclude: format!("{name} != {value}"),
            };
        }
        let beginning: String = text.text.chars().take(BEGINNING_CHARS).collect();
        let value = quote_bytes(&escape::bytes(&beginning));
        Self { include: format!("{name} ~ {value}"), exclude: format!("{name} !~ {value}") }
    }
}

/// The filter with a condition more. A filter that does not parse gives way to the condition.
pub fn with(filter: &str, condition: &str, now_ns: i64) -> String {
    match (Filter::parse(filter, now_ns), Filter::parse(condition, now_ns)) {
        (Ok(filter), Ok(condition)) => filter.and(condition).text().to_owned(),
        _ => condition.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_conditions_that_parse() {
        for text in ["/usr/bin/curl", "a \"b\"\n\u{202e}", "x\\xff\\xfe", "\\x41", ""] {
            let condition = Condition::text(Field::Exe, &Text::new(text));
            for filter in [&condition.include, &condition.exclude] {
                assert!(Filter::parse(filter, 0).is_ok(), "{filter}");
            }
        }
        let condition = Condition::text(Field::Exe, &Text::new("/tmp/\\xff"));
        assert_eq!(condition.include, "exe = \"/tmp/\\xff\"");
        let condition = Condition::text(Field::Exe, &Text::new("/tmp/\\x41"));
        assert_eq!(condition.include, "exe = \"/tmp/\\\\x41\"");
    }

    #[test]
    fn cut_texts_are_looked_for_by_their_beginning() {
        let condition = Condition::text(Field::Cmd, &Text::new(&"a".repeat(5000)));
        assert_eq!(condition.include, format!("cmd ~ {}", "a".repeat(BEGINNING_CHARS)));
    }

    #[test]
    fn conditions_are_added() {
        assert_eq!(with("", "pid = 1", 0), "pid = 1");
        assert_eq!(
            with("name = a or name = b", "pid = 1", 0),
            "(name = a or name = b) and pid = 1"
        );
    }
}
