//! What a term asks of the value of its field.

use std::cmp::Ordering;

use super::needle::Needle;
use super::operator::Operator;
use super::value::Value;
use crate::id::ProcessId;
use crate::record::{join_strings, split_strings};

/// A positive test; negation is `Expr::Not`. Never true for a value that is not known.
///
/// Each is decided by the value of its field alone, so that a store may decide it once for each
/// distinct value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value is known.
    Exists,
    /// The number is one of these. Sorted.
    IntIn(Vec<i64>),
    IntCompare(Comparison, i64),
    /// The set has one of these bits.
    AnyBit(u64),
    /// The text is one of these, exactly. Sorted.
    TextIn(Vec<Box<[u8]>>),
    /// The text begins with one of these.
    Prefix(Vec<Box<[u8]>>),
    Contains(Needle),
    Matches(Pattern),
    /// The process is one of these. Sorted.
    ProcessIn(Vec<ProcessId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub fn operator(self) -> Operator {
        match self {
            Comparison::Less => Operator::Less,
            Comparison::LessOrEqual => Operator::LessOrEqual,
            Comparison::Greater => Operator::Greater,
            Comparison::GreaterOrEqual => Operator::GreaterOrEqual,
        }
    }

    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A compiled regular expression of bounded size.
#[derive(Debug, Clone)]
pub struct Pattern(regex::bytes::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Pattern {}

/// Bytes that a compiled pattern may take, and that each of its caches may. With few patterns in a
/// filter, this keeps the worst one within what the recorder can spare.
const PATTERN_BYTES: usize = 1 << 20;
const CACHE_BYTES: usize = 1 << 18;

impl Pattern {
    /// Unanchored; `.` matches line breaks too, so that one cannot hide the rest of a line.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        regex::bytes::RegexBuilder::new(text)
            .dot_matches_new_line(true)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(CACHE_BYTES)
            .nest_limit(64)
            .build()
            .map(Self)
    }

    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

impl Test {
    pub fn matches(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Missing => false,
            Value::Int(value) => self.matches_int(*value),
            Value::Bits(value) => self.matches_bits(*value),
            Value::Text(value) => self.matches_text(value),
            Value::Strings(value) => self.matches_strings(value),
            Value::CommandLine(value) => self.matches_command_line(value),
            Value::Process(value) => self.matches_process(value),
        }
    }

    pub fn matches_int(&self, value: i64) -> bool {
        match self {
            Test::Exists => true,
            Test::IntIn(values) => values.binary_search(&value).is_ok(),
            Test::IntCompare(comparison, than) => comparison.holds(value.cmp(than)),
            _ => false,
        }
    }

    pub fn matches_bits(&self, value: u64) -> bool {
        match self {
            Test::Exists => true,
            Test::AnyBit(bits) => value & bits != 0,
            _ => false,
        }
    }

    pub fn matches_process(&self, value: &ProcessId) -> bool {
        match self {
            Test::Exists => true,
            Test::ProcessIn(values) => values.binary_search(value).is_ok(),
            _ => false,
        }
    }

    /// A single text. An empty one is not known, so nothing is true of it.
    pub fn matches_text(&self, text: &[u8]) -> bool {
        !text.is_empty() && self.matches_any_text(text)
    }

    fn matches_any_text(&self, text: &[u8]) -> bool {
        match self {
            Test::Exists => true,
            Test::TextIn(values) => is_in(values, |value| (**value).cmp(text)),
            Test::Prefix(values) => values.iter().any(|value| text.starts_with(value)),
            Test::Contains(needle) => needle.is_in(text),
            Test::Matches(pattern) => pattern.is_match(text),
            _ => false,
        }
    }

    /// Any one of NUL-terminated strings. No bytes at all are not known.
    ///
    /// Strings with their middle cut out are taken as they are: the string that ends the head and
    /// the one that begins the tail count as one.
    pub fn matches_strings(&self, nul_terminated: &[u8]) -> bool {
        match self {
            Test::Contains(needle) => needle.is_in_strings(nul_terminated),
            Test::Exists => !nul_terminated.is_empty(),
            _ => split_strings(nul_terminated).any(|text| self.matches_any_text(text)),
        }
    }

    /// NUL-terminated strings joined by spaces. No bytes at all are not known.
    ///
    /// Where the middle is cut out, tail follows head directly.
    pub fn matches_command_line(&self, nul_terminated: &[u8]) -> bool {
        if nul_terminated.is_empty() {
            return false;
        }
        let body = nul_terminated.strip_suffix(&[0]).unwrap_or(nul_terminated);
        match self {
            Test::Contains(needle) => needle.is_in_command_line(nul_terminated),
            Test::TextIn(values) => is_in(values, |value| value.iter().copied().cmp(joined(body))),
            Test::Matches(pattern) if body.contains(&0) => {
                pattern.is_match(&join_strings(nul_terminated))
            }
            _ => self.matches_any_text(body),
        }
    }
}

fn is_in(sorted: &[Box<[u8]>], order: impl Fn(&Box<[u8]>) -> Ordering) -> bool {
    sorted.binary_search_by(order).is_ok()
}

fn joined(body: &[u8]) -> impl Iterator<Item = u8> {
    body.iter().map(|byte| if *byte == 0 { b' ' } else { *byte })
}
