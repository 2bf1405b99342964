//! What is wrong in the text of a configuration file, and where.
//!
//! Each key is read and settled by itself, so that the code that judges it is that of the start.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer};

use super::keys::Keys;
use super::mistake::{Mistake, Position};
use super::units::shown;

/// What the parser calls a key that was there before.
const DUPLICATE: &str = "duplicate key";

/// Of one file: no configuration has so many, and the sensor must not be held up by another file.
const MOST_MISTAKES: usize = 1000;

/// A mistake whose place is still a number of bytes.
struct Found {
    offset: usize,
    key: Option<String>,
    problem: String,
}

/// The keys that can be used, and everything that is wrong.
pub(crate) fn check(path: &Path, text: &str) -> (Keys, Vec<Mistake>) {
    let lines = Lines::of(text);
    let mut found = syntax(text, &lines);
    let keys = judge(text, &lines, &mut found);
    found.sort_by_key(|found| found.offset);
    let more = (found.len() > MOST_MISTAKES).then(|| {
        let problem = format!("has more than {MOST_MISTAKES} mistakes: give a configuration");
        Mistake::of_file(path, problem)
    });
    let mistakes = found.into_iter().take(MOST_MISTAKES).map(|Found { offset, key, problem }| {
        Mistake::of_file(path, problem).with_key(key).at(lines.position(offset))
    });
    (keys, mistakes.chain(more).collect())
}

/// The keys outside of lines with errors of syntax, which are in `found`.
fn judge(text: &str, lines: &Lines<'_>, found: &mut Vec<Found>) -> Keys {
    let line = |offset| lines.position(offset).line;
    let mut broken: BTreeSet<usize> = found.iter().map(|found| line(found.offset)).collect();
    // The parser mends what it can, but loses keys after some errors: so it reads the rest alone.
    let rest = without(text, &broken);
    let (table, errors) = DeTable::parse_recoverable(&rest);
    let table = table.into_inner();
    for error in &errors {
        let offset = start(text, error);
        match duplicate(lines, &table, error, offset) {
            Some(mistake) => found.push(mistake),
            None => _ = broken.insert(line(offset)),
        }
    }
    let names = Keys::names();
    let mut keys = Keys::default();
    for (key, value) in &table {
        // What the parser made of a broken line is not what its author wrote.
        if broken.range(lines.spanned(&[key.span(), value.span()])).next().is_some() {
            continue;
        }
        match one_key(text, &names, key, value) {
            Ok(one) => keys = keys.over(one),
            Err(mistake) => found.push(mistake),
        }
        if found.len() > MOST_MISTAKES {
            break;
        }
    }
    keys
}

/// The first error of each line: what follows it there is mostly its consequence.
fn syntax(text: &str, lines: &Lines<'_>) -> Vec<Found> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let errors = errors.iter().filter(|error| error.message() != DUPLICATE);
    let found = errors.map(|error| Found {
        offset: start(text, error),
        key: None,
        problem: error.message().to_owned(),
    });
    let mut found: Vec<Found> = found.collect();
    found.sort_by_key(|found| found.offset);
    found.dedup_by_key(|found| lines.position(found.offset).line);
    found
}

fn start(text: &str, error: &toml::de::Error) -> usize {
    error.span().map_or(text.len(), |span| span.start)
}

/// The text with blanks for the lines that are `broken`, so that places stay what they are.
fn without<'t>(text: &'t str, broken: &BTreeSet<usize>) -> Cow<'t, str> {
    if broken.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut rest = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = if line.ends_with('\n') { "\n" } else { "" };
        if broken.contains(&(index + 1)) {
            rest.extend([" ".repeat(line.len() - end.len()).as_str(), end]);
        } else {
            rest.push_str(line);
        }
    }
    Cow::Owned(rest)
}

/// The parser takes a duplicate for an error of syntax, but knows both keys.
fn duplicate(
    lines: &Lines<'_>,
    table: &DeTable<'_>,
    error: &toml::de::Error,
    offset: usize,
) -> Option<Found> {
    let key = lines.text.get(error.span().filter(|_| error.message() == DUPLICATE)?)?;
    let name = key.trim_matches(['"', '\'']);
    let (first, _) = table.get_key_value(name)?;
    let line = lines.position(first.span().start).line;
    let problem = format!("is given a second time, after line {line}: remove one of them");
    Some(Found { offset, key: Some(key_shown(name)), problem })
}

fn one_key<'i>(
    text: &'i str,
    names: &[String],
    key: &Spanned<DeString<'i>>,
    value: &Spanned<DeValue<'i>>,
) -> Result<Keys, Found> {
    let name = key.get_ref().as_ref();
    if !names.iter().any(|known| known == name) {
        let problem = unknown(names, name, value.get_ref());
        return Err(Found { offset: key.span().start, key: Some(key_shown(name)), problem });
    }
    let bad = |offset, problem| Found { offset, key: Some(name.to_owned()), problem };
    let table = DeTable::from_iter([(key.clone(), value.clone())]);
    let one = Keys::deserialize(Deserializer::from(Spanned::new(key.span(), table)));
    let one = one.map_err(|_| {
        let (offset, problem) = wrong_type(text, name, value);
        bad(offset, problem)
    })?;
    match one.settle() {
        Ok(_) => Ok(one),
        // A key that fits alone can only be wrong in one way.
        Err(problems) => {
            let problems: Vec<String> = problems.into_iter().map(|problem| problem.text).collect();
            Err(bad(value.span().start, problems.join("; ")))
        }
    }
}

fn unknown(names: &[String], name: &str, value: &DeValue<'_>) -> String {
    let has_tables = |elements: &DeArray<'_>| elements.iter().any(|e| e.get_ref().is_table());
    if value.is_table() || value.as_array().is_some_and(has_tables) {
        return "there is no such table, nor any: write keys without a table".to_owned();
    }
    match common::nearest::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("there is no such key: did you mean {near}?"),
        None => "there is no such key: remove it, or see bpf-recorder.toml(5)".to_owned(),
    }
}

/// Where, and what; the type that is expected is the one of which the key takes a sample.
fn wrong_type(text: &str, name: &str, value: &Spanned<DeValue<'_>>) -> (usize, String) {
    const SAMPLES: [(&str, &str, &str); 4] = [
        ("string", "''", "a string"),
        ("integer", "1", "a whole number"),
        ("boolean", "true", "true or false"),
        ("array", "[]", "an array of strings"),
    ];
    let takes = |sample: &str| toml::from_str::<Keys>(&format!("{name} = {sample}")).is_ok();
    let expected = SAMPLES.iter().find(|(_, sample, _)| takes(sample));
    let (expected, _, give) = expected.copied().unwrap_or(("", "", "another value"));
    let offset = value.span().start;
    let actual = value.get_ref().type_str();
    if let DeValue::Array(elements) = value.get_ref()
        && expected == actual
    {
        let odd = elements.iter().find(|element| !element.get_ref().is_str()).unwrap_or(value);
        let problem = format!("an element is of type {}: give strings", odd.get_ref().type_str());
        let such_as =
            quoted(text, odd).map_or_else(String::new, |text| format!(", such as {text}"));
        return (odd.span().start, problem + &such_as);
    }
    if expected == actual {
        return (offset, "is out of range: give a smaller number".to_owned());
    }
    let suits = |text: &String| {
        let keys = toml::from_str::<Keys>(&format!("{name} = {text}"));
        keys.is_ok_and(|keys| keys.settle().is_ok())
    };
    let such_as = quoted(text, value).filter(suits);
    let such_as = such_as.map_or_else(String::new, |text| format!(", such as {text}"));
    (offset, format!("is of type {actual}: give {give}{such_as}"))
}

/// A number, which is what mostly lacks quotes, with them.
fn quoted(text: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
            text.get(value.span()).map(shown)
        }
        _ => None,
    }
}

/// As it is, if that cannot be misread.
fn key_shown(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_bare = !name.is_empty() && name.len() <= 60 && name.chars().all(is_plain);
    if is_bare { name.to_owned() } else { shown(name) }
}

/// Where lines begin, to find the place of each mistake without reading the text anew.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        // A byte order mark is no column.
        let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let further = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        Self { text, starts: [first].into_iter().chain(further).collect() }
    }

    /// The lines of all spans; what the parser put in for something missing can lie anywhere.
    fn spanned(&self, spans: &[Range<usize>]) -> RangeInclusive<usize> {
        let offsets = || spans.iter().flat_map(|span| [span.start, span.end]);
        let line = |offset: Option<usize>| self.position(offset.unwrap_or_default()).line;
        line(offsets().min())..=line(offsets().max())
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Position { line, column: before + 1 }
    }
}

#[cfg(test)]
mod tests;
