//! Why a rule fired: which values its selections found, and where in them.
//!
//! The engine tells which selections matched; where in a value a pattern was found is looked for
//! again here, which happens only when something fired.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

use common::alert::FieldMatch;
use regex::{Regex, RegexBuilder};
use rsigma_eval::{Event, EventValue};
use rsigma_ir::{
    IrDetection, IrDetectionItem, IrMatcher, IrNumber, IrPattern, IrPatternPart, IrRule, IrStrOp,
};

use super::lower::pattern_regex;

const MOST_FIELDS: usize = 64;
const MOST_RANGES: usize = 16;
const MOST_PATTERN_BYTES: usize = 512;

/// The patterns of a rule that were looked for before, compiled.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    compiled: Mutex<HashMap<Key, Option<Regex>>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    pattern: String,
    case_insensitive: bool,
    multiline: bool,
    dotall: bool,
}

impl Patterns {
    /// `None` for one that does not compile.
    fn get(&self, key: Key) -> Option<Regex> {
        let mut compiled = self.compiled.lock().ok()?;
        if let Some(known) = compiled.get(&key) {
            return known.clone();
        }
        let regex = RegexBuilder::new(&key.pattern)
            .case_insensitive(key.case_insensitive)
            .multi_line(key.multiline)
            .dot_matches_new_line(key.dotall)
            .build()
            .ok();
        compiled.insert(key, regex.clone());
        regex
    }
}

/// The values that the named selections found.
pub(super) fn fields(
    rule: &IrRule,
    patterns: &Patterns,
    selections: &[String],
    event: &impl Event,
) -> Vec<FieldMatch> {
    let mut found = Vec::new();
    for name in selections {
        if let Some(detection) = rule.detections.get(name) {
            let mut matches = of_detection(detection, patterns, event).unwrap_or_default();
            for found in &mut matches {
                found.selection = Some(name.clone());
            }
            found.append(&mut matches);
        }
    }
    found.truncate(MOST_FIELDS);
    found
}

/// `None` if it does not match.
fn of_detection(
    detection: &IrDetection,
    patterns: &Patterns,
    event: &impl Event,
) -> Option<Vec<FieldMatch>> {
    match detection {
        IrDetection::AllOf(items) => {
            let parts: Option<Vec<_>> =
                items.iter().map(|item| of_item(item, patterns, event)).collect();
            Some(parts?.concat())
        }
        IrDetection::And(parts) => {
            let parts: Option<Vec<_>> =
                parts.iter().map(|part| of_detection(part, patterns, event)).collect();
            Some(parts?.concat())
        }
        IrDetection::AnyOf(parts) => {
            let parts: Vec<_> =
                parts.iter().filter_map(|part| of_detection(part, patterns, event)).collect();
            (!parts.is_empty()).then(|| parts.concat())
        }
        IrDetection::Keywords(matcher) => {
            let texts = event.all_string_values();
            let found: Vec<_> = texts
                .iter()
                .filter_map(|text| of_value("keyword", text, matcher, patterns))
                .flatten()
                .collect();
            (!found.is_empty()).then_some(found)
        }
        IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => None,
    }
}

fn of_item(
    item: &IrDetectionItem,
    patterns: &Patterns,
    event: &impl Event,
) -> Option<Vec<FieldMatch>> {
    let field = item.field.as_deref()?;
    let value = event.get_field(field);
    if let (Some(wanted), _) | (None, &IrMatcher::Exists(wanted)) = (item.exists, &item.matcher) {
        let operator = if wanted { "exists" } else { "absent" };
        let text = value.as_ref().and_then(text_of);
        return (value.is_some() == wanted).then(|| vec![plain(field, text, operator)]);
    }
    match value {
        None => (item.matcher == IrMatcher::Null).then(|| vec![plain(field, None, "absent")]),
        Some(EventValue::Array(values)) => {
            let found: Vec<_> = values
                .iter()
                .filter_map(text_of)
                .filter_map(|text| of_value(field, &text, &item.matcher, patterns))
                .flatten()
                .collect();
            (!found.is_empty()).then_some(found)
        }
        Some(value) => of_value(field, &text_of(&value)?, &item.matcher, patterns),
    }
}

fn text_of(value: &EventValue<'_>) -> Option<String> {
    value.as_str().map(Cow::into_owned)
}

fn plain(field: &str, value: Option<String>, operator: &str) -> FieldMatch {
    FieldMatch {
        selection: None,
        field: field.to_owned(),
        value,
        pattern: None,
        operator: Some(operator.to_owned()),
        ranges: Vec::new(),
        is_negated: false,
    }
}

/// `None` if the value does not match, as far as that can be told here.
fn of_value(
    field: &str,
    value: &str,
    matcher: &IrMatcher,
    patterns: &Patterns,
) -> Option<Vec<FieldMatch>> {
    match matcher {
        IrMatcher::AnyOf(any) => {
            let found: Vec<_> = any
                .iter()
                .filter_map(|part| of_value(field, value, part, patterns))
                .flatten()
                .collect();
            (!found.is_empty()).then_some(found)
        }
        IrMatcher::AllOf(all) => {
            let found: Option<Vec<_>> =
                all.iter().map(|part| of_value(field, value, part, patterns)).collect();
            Some(found?.concat())
        }
        IrMatcher::Not(inner) => {
            let mut found = plain(field, Some(value.to_owned()), "not");
            found.pattern = Some(describe(inner).1);
            found.is_negated = true;
            of_value(field, value, inner, patterns).is_none().then(|| vec![found])
        }
        leaf => {
            let (operator, pattern) = describe(leaf);
            let ranges = match (plain_ranges(leaf, value), key_of(leaf)) {
                (Some(ranges), _) => ranges?,
                (None, Some(key)) => ranges(&patterns.get(key)?, value)?,
                (None, None) => is_equal(leaf, value)?,
            };
            let mut found = plain(field, Some(value.to_owned()), operator);
            found.pattern = Some(pattern);
            found.ranges = ranges;
            Some(vec![found])
        }
    }
}

/// Of a pattern of ASCII letters without wildcards, which needs no regular expression; `Some(None)`
/// if it is not in the value.
fn plain_ranges(matcher: &IrMatcher, value: &str) -> Option<Option<Vec<[usize; 2]>>> {
    let IrMatcher::Str { op, pattern, case_insensitive } = matcher else { return None };
    let wanted = pattern.as_plain().filter(|text| text.is_ascii() && !text.is_empty())?;
    // Lower case of ASCII letters keeps every offset.
    let (value, wanted) = match case_insensitive {
        true => (Cow::Owned(value.to_ascii_lowercase()), wanted.to_ascii_lowercase()),
        false => (Cow::Borrowed(value), wanted),
    };
    let (all, length) = (value.len(), wanted.len());
    let found = match op {
        IrStrOp::Exact => (*value == *wanted).then(|| vec![[0, all]]),
        IrStrOp::StartsWith => value.starts_with(&wanted).then(|| vec![[0, length]]),
        IrStrOp::EndsWith => value.ends_with(&wanted).then(|| vec![[all - length, all]]),
        IrStrOp::Contains => {
            let at = value.match_indices(&wanted).take(MOST_RANGES);
            let ranges: Vec<_> = at.map(|(start, _)| [start, start + length]).collect();
            (!ranges.is_empty()).then_some(ranges)
        }
    };
    Some(found)
}

fn ranges(regex: &Regex, value: &str) -> Option<Vec<[usize; 2]>> {
    let ranges: Vec<_> = regex
        .find_iter(value)
        .take(MOST_RANGES)
        .map(|found| [found.start(), found.end()])
        .collect();
    (!ranges.is_empty()).then_some(ranges)
}

/// Of matchers that compare a value as a whole: all of it, if it holds. Where that is not worked
/// out again here, the engine is believed.
fn is_equal(matcher: &IrMatcher, value: &str) -> Option<Vec<[usize; 2]>> {
    let number = || value.parse::<f64>().ok();
    let holds = match matcher {
        IrMatcher::NumericEq(IrNumber::Literal(wanted)) => number()? == *wanted,
        IrMatcher::NumericGt(IrNumber::Literal(wanted)) => number()? > *wanted,
        IrMatcher::NumericGte(IrNumber::Literal(wanted)) => number()? >= *wanted,
        IrMatcher::NumericLt(IrNumber::Literal(wanted)) => number()? < *wanted,
        IrMatcher::NumericLte(IrNumber::Literal(wanted)) => number()? <= *wanted,
        IrMatcher::BoolEq(wanted) => (value == "true") == *wanted,
        IrMatcher::Null => false,
        _ => return Some(Vec::new()),
    };
    holds.then(|| vec![[0, value.len()]])
}

/// `None` for a matcher that looks for no pattern.
fn key_of(matcher: &IrMatcher) -> Option<Key> {
    match matcher {
        IrMatcher::Str { op, pattern, case_insensitive } => Some(Key {
            pattern: pattern_regex(*op, pattern),
            case_insensitive: *case_insensitive,
            multiline: false,
            dotall: true,
        }),
        IrMatcher::Regex { pattern, case_insensitive, multiline, dotall, .. } => Some(Key {
            pattern: pattern.clone(),
            case_insensitive: *case_insensitive,
            multiline: *multiline,
            dotall: *dotall,
        }),
        _ => None,
    }
}

/// Operator and pattern, for people.
fn describe(matcher: &IrMatcher) -> (&'static str, String) {
    let number = |number: &IrNumber| match number {
        IrNumber::Literal(number) => number.to_string(),
        IrNumber::DynamicSourceRef { source_id, .. } => source_id.clone(),
    };
    let (operator, mut pattern) = match matcher {
        IrMatcher::Str { op, pattern, .. } => (string_operator(*op), pattern_text(pattern)),
        IrMatcher::Encoded { value, .. } => ("encoded", value.clone()),
        IrMatcher::Regex { pattern, .. } => ("re", pattern.clone()),
        IrMatcher::Cidr { network } => ("cidr", network.clone()),
        IrMatcher::NumericEq(value) => ("equals", number(value)),
        IrMatcher::NumericGt(value) => ("gt", number(value)),
        IrMatcher::NumericGte(value) => ("gte", number(value)),
        IrMatcher::NumericLt(value) => ("lt", number(value)),
        IrMatcher::NumericLte(value) => ("lte", number(value)),
        IrMatcher::Exists(wanted) => ("exists", wanted.to_string()),
        IrMatcher::FieldRef { field, .. } => ("fieldref", field.clone()),
        IrMatcher::Null => ("absent", String::new()),
        IrMatcher::BoolEq(wanted) => ("equals", wanted.to_string()),
        IrMatcher::Not(inner) => ("not", describe(inner).1),
        IrMatcher::AnyOf(parts) | IrMatcher::AllOf(parts) => {
            let parts: Vec<String> = parts.iter().take(8).map(|part| describe(part).1).collect();
            ("one of", parts.join(", "))
        }
        IrMatcher::Expand { .. } | IrMatcher::TimestampPart { .. } => ("other", String::new()),
    };
    pattern.truncate(pattern.floor_char_boundary(MOST_PATTERN_BYTES));
    (operator, pattern)
}

fn string_operator(op: IrStrOp) -> &'static str {
    match op {
        IrStrOp::Exact => "equals",
        IrStrOp::Contains => "contains",
        IrStrOp::StartsWith => "startswith",
        IrStrOp::EndsWith => "endswith",
    }
}

fn pattern_text(pattern: &IrPattern) -> String {
    let part = |part: &IrPatternPart| match part {
        IrPatternPart::Literal(text) => text.clone(),
        IrPatternPart::WildcardMulti => "*".to_owned(),
        IrPatternPart::WildcardSingle => "?".to_owned(),
    };
    pattern.parts.iter().map(part).collect()
}
