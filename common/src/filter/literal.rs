//! Values as text: what a field takes, read and written.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::field::{Field, Kind};
use super::lex::Word;
use super::moment::{Moment, parse_moment};
use super::quantity::{format_duration, format_size, parse_duration, parse_size};
use super::test::Test;
use super::value::device_number;
use crate::ecs::capability_names;
use crate::id::ProcessId;
use crate::record::WallNs;
use crate::time::rfc3339;

/// A value as its field takes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Int(i64),
    /// A coarse time: from the first to before the second.
    Stretch(i64, i64),
    Bits(u64),
    Text(Box<[u8]>),
    Prefix(Box<[u8]>),
    Process(ProcessId),
    /// A number that belongs to another field.
    Number(Field, i64),
}

/// Reads a value for an equality; `None` where the field cannot have it.
///
/// In quotes, the digits of an account are a name.
pub(super) fn read(kind: Kind, word: &Word<'_>, now: WallNs) -> Option<Literal> {
    let bytes = word.bytes();
    match kind {
        Kind::Text | Kind::Strings | Kind::CommandLine => return Some(Literal::Text(bytes.into())),
        Kind::Container => return Some(read_container(bytes)),
        Kind::Account(field) => {
            let number = parse_number(word.raw).filter(|_| !word.is_quoted);
            let name = || Literal::Text(bytes.into());
            return Some(number.map_or_else(name, |number| Literal::Number(field, number)));
        }
        _ => {}
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    match kind {
        Kind::Choice(names) => {
            let name = names.iter().find(|name| name.eq_ignore_ascii_case(text))?;
            Some(Literal::Text(name.as_bytes().into()))
        }
        Kind::Process => text.parse().ok().map(Literal::Process),
        Kind::Capability => capability_bit(text).map(Literal::Bits),
        Kind::Time => read_time(text, now),
        _ => read_int(kind, text).map(Literal::Int),
    }
}

pub(super) fn read_time(text: &str, now: WallNs) -> Option<Literal> {
    Some(match parse_moment(text, now)? {
        Moment { start, end: Some(end) } => Literal::Stretch(start, end),
        Moment { start, end: None } => Literal::Int(start),
    })
}

fn read_int(kind: Kind, text: &str) -> Option<i64> {
    match kind {
        Kind::Number => parse_number(text),
        Kind::Inode => text.parse::<u64>().ok().map(u64::cast_signed),
        Kind::Device => {
            let (major, minor) = text.split_once(':')?;
            Some(device_number(major.parse().ok()?, minor.parse().ok()?))
        }
        Kind::Mode => i64::from_str_radix(text, 8).ok().filter(|mode| (0..=0o7777).contains(mode)),
        Kind::Signal => parse_signal(text),
        Kind::Duration => parse_duration(text),
        Kind::Size => parse_size(text),
        Kind::Flag => parse_flag(text),
        _ => None,
    }
}

fn parse_number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn parse_flag(text: &str) -> Option<i64> {
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    match () {
        () if is_one_of(&["true", "yes", "on", "1"]) => Some(1),
        () if is_one_of(&["false", "no", "off", "0"]) => Some(0),
        () => None,
    }
}

fn read_container(id: Vec<u8>) -> Literal {
    container_prefix(&id).map_or_else(|| Literal::Text(id.into()), Literal::Prefix)
}

/// Twelve hexadecimal digits are what container tools show of an id.
pub(super) fn container_prefix(id: &[u8]) -> Option<Box<[u8]>> {
    let is_prefix = id.len() >= 12 && id.iter().all(u8::is_ascii_hexdigit);
    is_prefix.then(|| id.to_ascii_lowercase().into())
}

/// Signals in the order of their numbers, from 1 (`include/uapi/asm-generic/signal.h`).
pub const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The name of a signal, without `SIG`; `None` for real-time signals.
pub fn signal_name(signal: u8) -> Option<&'static str> {
    SIGNALS.get(usize::from(signal).checked_sub(1)?).copied()
}

fn parse_signal(text: &str) -> Option<i64> {
    if let Some(number) = parse_number(text) {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let position = SIGNALS.iter().position(|known| *known == name)?;
    i64::try_from(position + 1).ok()
}

/// One name for each of 64 bits.
pub(super) static CAPABILITIES: LazyLock<Vec<Cow<'_, str>>> =
    LazyLock::new(|| capability_names(u64::MAX));

fn capability_bit(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase().replace('-', "_");
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let bit = CAPABILITIES.iter().position(|known| known.strip_prefix("CAP_") == Some(name))?;
    Some(1 << bit)
}

/// The capabilities whose names pass.
pub(super) fn capability_bits(test: &Test) -> u64 {
    let passes = |name: &Cow<'_, str>| test.matches_text(name.as_bytes());
    let bit = |(bit, name)| if passes(name) { 1_u64 << bit } else { 0 };
    CAPABILITIES.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
}

/// A number of a column as its field takes it.
pub(super) fn write_int(kind: Kind, value: i64) -> String {
    let unsigned = value.cast_unsigned();
    match kind {
        Kind::Inode => unsigned.to_string(),
        Kind::Device => format!("{}:{}", unsigned >> 32, unsigned & 0xffff_ffff),
        Kind::Mode => format!("{value:04o}"),
        Kind::Signal => match u8::try_from(value).ok().and_then(signal_name) {
            Some(name) => name.to_owned(),
            None => value.to_string(),
        },
        Kind::Time => rfc3339(value),
        Kind::Duration => format_duration(value),
        Kind::Size => format_size(value),
        Kind::Flag => if value == 0 { "no" } else { "yes" }.to_owned(),
        _ => value.to_string(),
    }
}

/// A text as a value of a field that holds texts.
pub(super) fn write_text(kind: Kind, text: &[u8]) -> String {
    match kind {
        Kind::Account(_) if text.iter().all(u8::is_ascii_digit) => quote_always(text),
        _ => quote_bytes(text),
    }
}

/// A text as a value of the filter language: bare where it can be, quoted otherwise.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// The same for bytes that need not be UTF-8.
pub fn quote_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_bare(text) => text.to_owned(),
        _ => quote_always(bytes),
    }
}

/// Whether the text means itself without quotes, wherever a value may stand.
fn is_bare(text: &str) -> bool {
    const KEYWORDS: [&str; 3] = ["and", "or", "not"];
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '+' | '%' | '@');
    text.chars().all(is_plain)
        && !text.is_empty()
        && !KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(text))
}

fn quote_always(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                // Other controls become bytes, and so do characters that would hide or reorder.
                c if is_hidden(c) => push_bytes(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        push_bytes(&mut out, chunk.invalid());
    }
    out.push('"');
    out
}

fn push_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// A regular expression as a value of the filter language.
pub(super) fn quote_pattern(pattern: &str) -> String {
    format!("\"{}\"", pattern.replace('"', "\\\""))
}

/// Whether a terminal would not show the character as itself.
fn is_hidden(c: char) -> bool {
    matches!(crate::escape::terminal(c.encode_utf8(&mut [0; 4])), std::borrow::Cow::Owned(_))
}
