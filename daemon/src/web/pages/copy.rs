//! What is copied of a process, in the forms that other programs take.

use common::ecs::Event;
use common::filter::{Field, quote_bytes};

use super::hostile::sought;

/// That a field has this text; of a long one that it contains its beginning.
pub(super) fn condition(field: Field, text: &str) -> String {
    let (beginning, is_cut) = sought(text);
    let operator = if is_cut { "~" } else { "=" };
    format!("{} {operator} {}", field.name(), quote_bytes(&unescape(beginning)))
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

fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    // Control characters would act on the terminal that this is pasted into.
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    quoted.push_str(&format!("\\x{byte:02x}"));
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Bytes that are not UTF-8 come as `\xNN`, from 80 on.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let digits = rest.get(at + 2..at + 4);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte >= 0x80 => {
                bytes.push(byte);
                rest = &rest[at + 4..];
            }
            _ => {
                bytes.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use common::filter::Filter;

    use super::*;

    #[test]
    fn shells_get_each_argument_as_it_was() {
        let check = |word, expected| assert_eq!(shell_word(word), expected);
        check("/bin/sh", "/bin/sh");
        check("", "''");
        check("it's $HOME", "'it'\\''s $HOME'");
        check("a\n\x1b'", "$'a\\x0a\\x1b\\''");
    }

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
