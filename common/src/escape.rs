//! Strings of traced processes are hostile: these make them safe to carry and to show.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Bytes as text: valid UTF-8 unchanged, every other byte as `\xNN`.
///
/// The second value tells whether anything was not UTF-8, so that a reader can tell a byte that
/// was escaped here from a backslash that was there.
pub fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(valid) => (Cow::Borrowed(valid), false),
        Err(_) => (Cow::Owned(escape_invalid(bytes)), true),
    }
}

fn escape_invalid(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Text safe on a terminal and on one line: control characters, bidirectional overrides and other
/// invisible characters become visible escapes.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_unsafe(c) && u32::from(c) < 0x80 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if is_unsafe(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// No line of a table has room for more; to lay out 32 KiB in each frame would take seconds.
const MOST_LINE_CHARS: usize = 400;

/// What may be shown of a hostile text: on one line, without controls, not too long.
pub fn line(text: &str) -> String {
    let end = text.char_indices().nth(MOST_LINE_CHARS).map_or(text.len(), |(at, _)| at);
    let mut shown = terminal(&text[..end]).into_owned();
    if end < text.len() {
        shown.push('…');
    }
    shown
}

/// One word of a command, quoted for a shell where it takes that.
pub fn shell_word(word: &str) -> String {
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

/// The bytes that [`text`] escaped: those that are not UTF-8 come as `\xNN`, from 80 on. A file whose
/// name has these very characters is mistaken for one of bytes, and not found: far rarer.
pub fn bytes(text: &str) -> Vec<u8> {
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

/// Control characters, and the format characters that reorder or hide text (Unicode bidirectional
/// controls, zero-width characters, line and paragraph separators, tags).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
            // Blank letters and variation selectors.
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_stay_visible() {
        assert_eq!(text(b"a\xff\xfeb"), (Cow::Owned("a\\xff\\xfeb".into()), true));
        assert_eq!(text("é\\xff".as_bytes()), (Cow::Borrowed("é\\xff"), false));
    }

    #[test]
    fn terminals_get_no_controls() {
        assert_eq!(terminal("plain é 漢"), "plain é 漢");
        assert_eq!(terminal("a\x1b[31mb\n\tc"), "a\\x1b[31mb\\n\\tc");
        assert_eq!(terminal("x\u{202e}gpj"), "x\\u{202e}gpj");
        assert_eq!(terminal("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn hostile_texts_are_one_short_line() {
        assert_eq!(line("a\n\x1b[31m\u{202e}b"), "a\\n\\x1b[31m\\u{202e}b");
        let long = line(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), MOST_LINE_CHARS + 1);
    }

    #[test]
    fn shells_get_each_word_as_it_was() {
        let check = |word, expected| assert_eq!(shell_word(word), expected);
        check("/bin/sh", "/bin/sh");
        check("", "''");
        check("it's $HOME", "'it'\\''s $HOME'");
        check("a\n\x1b'", "$'a\\x0a\\x1b\\''");
    }

    #[test]
    fn escaped_bytes_come_back() {
        let check = |escaped: &str, expected: &[u8]| assert_eq!(bytes(escaped), expected);
        check("a\\xff\\xfeb", b"a\xff\xfeb");
        check("\\x41\\xg\\x", b"\\x41\\xg\\x");
        check("é\\x8", "é\\x8".as_bytes());
    }
}
