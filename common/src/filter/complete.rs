//! What may stand at the cursor.

use std::ops::Range;

use super::field::{FIELDS, Field, FieldInfo, Kind};
use super::lex::Scanner;
use super::literal::{CAPABILITIES, SIGNALS};
use super::operator::Operator;

/// One way to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the text that it replaces.
    pub replaces: Range<usize>,
    pub text: String,
    pub doc: String,
}

/// Fields, operators, values or connectives that fit at the cursor, a byte offset, best first.
/// Texts that are not filters yet, or never will be, get what can be told of them.
pub fn complete(text: &str, cursor: usize) -> Vec<Completion> {
    let cursor = text.floor_char_boundary(cursor);
    let (place, start) = place_at(&text[..cursor]);
    let typed = &text[start..cursor];
    let completion =
        |(text, doc): (String, String)| Completion { replaces: start..cursor, text, doc };
    candidates(place, typed).into_iter().map(completion).collect()
}

/// The field whose value stands at the cursor, and the bytes of what is written of it so far. Which
/// values occur only the recorder knows; [`complete`] offers those of closed sets.
pub fn value_at(text: &str, cursor: usize) -> Option<(Field, Range<usize>)> {
    let cursor = text.floor_char_boundary(cursor);
    match place_at(&text[..cursor]) {
        (Place::Value(field) | Place::ListValue(field), start) => Some((field, start..cursor)),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Condition,
    /// After a whole condition: a connective, or another condition.
    Connective,
    Operator(Field),
    Value(Field),
    ListValue(Field),
    /// Inside a text of which nothing is known.
    Nowhere,
}

/// The place at the end of the text, and where the word there begins.
fn place_at(text: &str) -> (Place, usize) {
    let mut scan = Scanner::new(text);
    let mut place = Place::Condition;
    loop {
        scan.skip_space();
        let start = scan.at;
        if scan.rest().is_empty() {
            return (place, start);
        }
        place = match step(&mut scan, place) {
            Some(next) => next,
            None => return (place, start),
        };
    }
}

/// Takes one word or sign; `None` when it reaches the cursor and so is still being written.
fn step(scan: &mut Scanner<'_>, place: Place) -> Option<Place> {
    match place {
        Place::Operator(field) => return operator_step(scan, field),
        Place::ListValue(field) if scan.take(',') => return Some(Place::ListValue(field)),
        _ => {}
    }
    if scan.take('(') || scan.take(',') {
        return Some(Place::Condition);
    }
    if scan.take(')') {
        return Some(Place::Connective);
    }
    let name = scan.peek_name();
    if let (Place::Condition | Place::Connective, Some(field)) = (place, Field::parse(name.raw)) {
        let mut ahead = Scanner { at: name.span.end, ..*scan };
        if ahead.take_operator().is_some() {
            *scan = ahead;
            return Some(Place::Value(field));
        }
    }
    let word = match scan.peek() {
        Some('"' | '\'') => match scan.word() {
            Ok(word) => word,
            Err(_) => {
                scan.at = scan.text.len();
                return Some(Place::Nowhere);
            }
        },
        _ => scan.peek_bare(),
    };
    scan.at = word.span.end;
    if scan.rest().is_empty() && !word.is_quoted {
        return None;
    }
    Some(match place {
        Place::ListValue(field) => Place::ListValue(field),
        Place::Value(_) | Place::Nowhere => Place::Connective,
        _ => after_word(word.raw, word.is_quoted),
    })
}

fn after_word(word: &str, is_quoted: bool) -> Place {
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword) && !is_quoted;
    if is("and") || is("or") || is("not") {
        return Place::Condition;
    }
    if is("since") || is("until") {
        return Place::Value(Field::Time);
    }
    match Field::parse(word) {
        Some(field) if !is_quoted => Place::Operator(field),
        _ => Place::Connective,
    }
}

fn operator_step(scan: &mut Scanner<'_>, field: Field) -> Option<Place> {
    if scan.take_operator().is_some() {
        return Some(Place::Value(field));
    }
    let word = scan.peek_bare();
    if word.span.end == scan.text.len() {
        return None;
    }
    if scan.take_keyword("exists") {
        return Some(Place::Connective);
    }
    if scan.take_keyword("not") {
        return Some(Place::Operator(field));
    }
    if scan.take_keyword("in") {
        return Some(if scan.take('(') { Place::ListValue(field) } else { Place::Nowhere });
    }
    // The name was a word to search for, or a flag.
    Some(Place::Connective)
}

fn candidates(place: Place, typed: &str) -> Vec<(String, String)> {
    match place {
        Place::Condition => [fields(typed), connectives(typed, &CONNECTIVES[2..])].concat(),
        Place::Connective => [connectives(typed, &CONNECTIVES), fields(typed)].concat(),
        Place::Operator(field) => {
            let flag = if field.kind() == Kind::Flag { &CONNECTIVES[..] } else { &[] };
            [operators(field, typed), connectives(typed, flag)].concat()
        }
        Place::Value(field) | Place::ListValue(field) => values(field, typed),
        Place::Nowhere => Vec::new(),
    }
}

const CONNECTIVES: [(&str, &str); 5] = [
    ("and", "both conditions"),
    ("or", "either condition"),
    ("not", "the opposite of a condition"),
    ("since", "at a time or later, such as since 2h ago"),
    ("until", "before a time, such as until yesterday"),
];

fn connectives(typed: &str, offered: &[(&str, &str)]) -> Vec<(String, String)> {
    let fits = |(word, _): &&(&str, &str)| begins(word, typed);
    offered.iter().filter(fits).map(|(word, doc)| ((*word).to_owned(), (*doc).to_owned())).collect()
}

/// Those that begin with what was typed, then those with another name that does.
fn fields(typed: &str) -> Vec<(String, String)> {
    let typed = typed.replace('-', "_");
    let (by_name, rest): (Vec<&FieldInfo>, Vec<&FieldInfo>) =
        FIELDS.iter().partition(|info| begins(info.name, &typed));
    let by_alias = rest.into_iter().filter(|info| info.names().any(|name| begins(name, &typed)));
    by_name
        .into_iter()
        .chain(by_alias)
        .map(|info| (info.name.to_owned(), info.doc.to_owned()))
        .collect()
}

fn operators(field: Field, typed: &str) -> Vec<(String, String)> {
    let fits = |operator: &&Operator| begins(operator.name(), typed);
    let entry = |operator: &Operator| (operator.name().to_owned(), operator.doc().to_owned());
    field.kind().operators().iter().filter(fits).map(entry).collect()
}

fn values(field: Field, typed: &str) -> Vec<(String, String)> {
    const TIMES: [&str; 6] = ["1h ago", "1d ago", "7d ago", "today", "yesterday", "now"];
    const RUNTIMES: [&str; 6] =
        ["docker", "containerd", "cri-o", "podman", "systemd-nspawn", "lxc"];
    let known: Vec<&str> = match field.kind() {
        Kind::Choice(names) => names.to_vec(),
        Kind::Flag => vec!["yes", "no"],
        Kind::Time => TIMES.to_vec(),
        Kind::Signal => SIGNALS.to_vec(),
        Kind::Capability => CAPABILITIES.iter().take(41).filter_map(|name| name.get(4..)).collect(),
        Kind::Text if field == Field::Runtime => RUNTIMES.to_vec(),
        _ => Vec::new(),
    };
    let typed = match field.kind() {
        Kind::Signal => without_prefix(typed, "SIG"),
        Kind::Capability => without_prefix(typed, "CAP_"),
        _ => typed,
    };
    let fits = |value: &&str| begins(value, typed);
    known.into_iter().filter(fits).map(|value| (value.to_owned(), String::new())).collect()
}

fn without_prefix<'t>(typed: &'t str, prefix: &str) -> &'t str {
    if begins(typed, prefix) { &typed[prefix.len()..] } else { typed }
}

fn begins(word: &str, typed: &str) -> bool {
    word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor is at the `|`.
    #[track_caller]
    fn check(text: &str, first: &[&str]) {
        let cursor = text.find('|').unwrap();
        let found = complete(&text.replace('|', ""), cursor);
        let texts: Vec<&str> = found.iter().map(|c| c.text.as_str()).take(first.len()).collect();
        assert_eq!(texts, first, "{text}");
        if first.is_empty() {
            assert_eq!(found, [], "{text}");
        }
    }

    #[test]
    fn what_fits_is_offered() {
        check("|", &["time", "pid"]);
        check("par|", &["parent_id", "parent", "parent_name", "parent_cmd", "ppid"]);
        check("process.exec|", &["exe"]);
        check("exit-|", &["exit_code"]);
        check("name |", &["=", "!=", "~"]);
        check("name !|", &["!=", "!~", "!=~"]);
        check("pid n|", &["not in"]);
        check("state = |", &["running", "ended"]);
        check("state=f|", &["failed"]);
        check("state in (failed, k|", &["killed"]);
        check("state in (failed, |", &["running"]);
        check("state = failed |", &["and", "or"]);
        check("state = failed an|", &["and"]);
        check("state = failed and si|", &["signal", "sid", "size", "since"]);
        check("signal = SIGK|", &["KILL"]);
        check("capability = cap_sys_a|", &["SYS_ADMIN"]);
        check("since |", &["1h ago"]);
        check("not (del|", &["deleted"]);
        check("deleted |", &["=", "!=", "exists", "and"]);
        check("name = \"ba|", &[]);
        check("tty exists |", &["and"]);
        check("name = x or st|ate", &["state", "start"]);
    }

    #[test]
    fn the_field_at_the_cursor_is_told() {
        assert_eq!(value_at("pid = 1 and user = ro", 21), Some((Field::User, 19..21)));
        assert_eq!(value_at("name in (sh, ", 13), Some((Field::Name, 13..13)));
        assert_eq!(value_at("user ", 5), None);
        assert_eq!(value_at("user = root ", 12), None);
    }

    #[test]
    fn the_written_part_is_replaced() {
        let found = complete("pid = 1 and sta", 15);
        assert_eq!(found[0].replaces, 12..15);
    }
}
