//! What is copied of a process, in the forms that other programs take.

use common::ecs::Event;
use common::escape::{self, shell_word};
use common::filter::{Field, quote_bytes};

use super::hostile::sought;

/// That a field has this text; of a long one that it contains its beginning.
pub(super) fn condition(field: Field, text: &str) -> String {
    let (beginning, is_cut) = sought(text);
    let operator = if is_cut { "~" } else { "=" };
    format!("{} {operator} {}", field.name(), quote_bytes(&escape::bytes(beginning)))
}

/// A filter that finds processes like this one: same file, same arguments, same user.
pub(super) fn filter(image: &Event<'_>) -> String {
    let conditions = [
        (Field::Exe, image.process.executable.as_deref()),
        (Field::Cmd, image.process.command_line.as_deref()),
        (Field::User, image.user.as_ref().and_then(|user| user.name.as_deref())),
    ];
    let conditions: Vec<String> = conditions
        .into_iter()
        .filter_map(|(field, value)| Some(condition(field, value.filter(|v| !v.is_empty())?)))
        .collect();
    conditions.join(" and ")
}

/// The arguments for a shell, quoted where it takes that.
pub(super) fn shell_command(image: &Event<'_>) -> String {
    let args = image.process.args.as_deref().unwrap_or_default();
    let words: Vec<String> = args.iter().map(|arg| shell_word(arg)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use common::filter::Filter;

    use super::*;

    #[test]
    fn values_become_conditions_that_parse() {
        let long = "a \"b\" ".repeat(100);
        for text in ["/usr/bin/curl", "a \"b\"\n\u{202e}", "x\\xff\\xfe", "\\x41", &long] {
            let condition = condition(Field::Exe, text);
            assert!(Filter::parse(&condition, 0).is_ok(), "{condition}");
        }
        assert_eq!(condition(Field::Exe, "/tmp/\\xff"), "exe = \"/tmp/\\xff\"");
    }
}
