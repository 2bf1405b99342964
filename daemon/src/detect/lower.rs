//! Rules in the engine's intermediate form, mended where the engine would get them wrong, or
//! refused where it cannot be mended.
//!
//! What is mended (each has a case in `cases`): wildcards with `startswith` and `endswith`,
//! wildcards and line breaks, `base64offset`, letter case of `base64`, keyword lists, numbers as
//! keywords, null in a list. What is refused would never match, always match, or cost too much.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::RegexBuilder;
use rsigma_ir::{
    IrCondition, IrDetection, IrDetectionItem, IrEncoding, IrMatcher, IrNumber, IrPattern,
    IrPatternPart, IrRule, IrStrOp, LowerOptions,
};
use rsigma_parser::{Quantifier, SigmaRule};

use super::ascii::with_ascii_classes;
use super::{fields, values};

/// Bytes of a compiled regular expression.
const MOST_REGEX_BYTES: usize = 256 << 10;
const MOST_REGEX_DEPTH: u32 = 64;
const MOST_CONDITION_DEPTH: usize = 64;
/// Single values that a rule compares with; `windash` multiplies.
const MOST_PATTERNS: usize = 4000;
const MOST_DASHES: usize = 3;
/// Each may take [`MOST_REGEX_BYTES`].
const MOST_REGEXES: usize = 100;

/// The rule in the engine's form, with `key` in place of its id.
pub(super) fn lower(rule: &SigmaRule, key: &str) -> Result<IrRule, String> {
    let rule = values::settled(rule)?;
    let mut rule = rsigma_ir::lower_rule(&rule, &LowerOptions::default())
        .map_err(|error| error.to_string())?;
    if rule.conditions.is_empty() {
        return Err("it has no condition".to_owned());
    }
    let names: Vec<&str> = rule.detections.keys().map(String::as_str).collect();
    for condition in &rule.conditions {
        check_condition(condition, &names, 0)?;
    }
    rule.detections = rule
        .detections
        .into_iter()
        .map(|(name, detection)| match detection_mended(detection) {
            Ok(detection) => Ok((name, detection)),
            Err(reason) => Err(format!("{name}: {reason}")),
        })
        .collect::<Result<_, _>>()?;
    let patterns: usize = rule.detections.values().map(patterns).sum();
    let regexes: usize = rule.detections.values().map(regexes).sum();
    if regexes > MOST_REGEXES {
        return Err(format!(
            "it has {regexes} regular expressions or values with wildcards; {MOST_REGEXES} are \
             accepted"
        ));
    }
    if patterns > MOST_PATTERNS {
        return Err(format!("it compares with {patterns} values; {MOST_PATTERNS} are accepted"));
    }
    rule.metadata.id = Some(key.to_owned());
    // Attributes of the engine's own could change how all other rules are evaluated.
    rule.metadata.custom_attributes.clear();
    Ok(rule)
}

/// A selector of nothing is always or never true: a slip of its author.
fn check_condition(condition: &IrCondition, names: &[&str], depth: usize) -> Result<(), String> {
    if depth > MOST_CONDITION_DEPTH {
        return Err(format!("its condition is nested deeper than {MOST_CONDITION_DEPTH}"));
    }
    match condition {
        IrCondition::Detection(_) => Ok(()),
        IrCondition::And(all) | IrCondition::Or(all) => {
            all.iter().try_for_each(|part| check_condition(part, names, depth + 1))
        }
        IrCondition::Not(part) => check_condition(part, names, depth + 1),
        IrCondition::Selector { quantifier, pattern } => {
            let count =
                names.iter().filter(|name| pattern.matches_detection_name(name)).count() as u64;
            if count == 0 {
                return Err(format!("`{quantifier} of {pattern}` selects nothing"));
            }
            match quantifier {
                Quantifier::Count(wanted) if *wanted == 0 || *wanted > count => Err(format!(
                    "`{quantifier} of {pattern}` asks for {wanted} of {count} selections"
                )),
                _ => Ok(()),
            }
        }
    }
}

fn detection_mended(detection: IrDetection) -> Result<IrDetection, String> {
    let all = |parts: Vec<IrDetection>| -> Result<Vec<IrDetection>, String> {
        if parts.is_empty() {
            return Err("an empty list".to_owned());
        }
        parts.into_iter().map(detection_mended).collect()
    };
    match detection {
        IrDetection::Keywords(matcher) => Ok(IrDetection::Keywords(mended(keyword(matcher))?)),
        IrDetection::AnyOf(parts) => all(parts).map(IrDetection::AnyOf),
        IrDetection::And(parts) => all(parts).map(IrDetection::And),
        IrDetection::AllOf(items) => items_mended(items),
        IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => {
            Err("quantified blocks (field[any], field[all]) are not supported".to_owned())
        }
    }
}

fn items_mended(items: Vec<IrDetectionItem>) -> Result<IrDetection, String> {
    if items.is_empty() {
        return Err("an empty selection".to_owned());
    }
    let (mut plain, mut apart) = (Vec::new(), Vec::new());
    for item in items {
        let named = item.field.clone();
        match (named, item.matcher) {
            // Keywords linked by `all`: each somewhere, not each in the same field.
            (None, IrMatcher::AllOf(keywords)) => {
                for word in keywords {
                    apart.push(IrDetection::Keywords(mended(keyword(word))?));
                }
            }
            (None, matcher) if item.exists.is_none() => {
                apart.push(IrDetection::Keywords(mended(keyword(matcher))?));
            }
            (Some(field), IrMatcher::AnyOf(values)) if values.contains(&IrMatcher::Null) => {
                apart.push(null_or(&field, values)?);
            }
            (_, matcher) => plain.push(IrDetectionItem {
                field: item.field,
                matcher: mended(matcher)?,
                exists: item.exists,
            }),
        }
    }
    if apart.is_empty() {
        return Ok(IrDetection::AllOf(plain));
    }
    if !plain.is_empty() {
        apart.insert(0, IrDetection::AllOf(plain));
    }
    Ok(IrDetection::And(apart))
}

/// Null among other values: the field is absent, or is one of them.
fn null_or(field: &str, values: Vec<IrMatcher>) -> Result<IrDetection, String> {
    let item = |matcher| {
        IrDetection::AllOf(vec![IrDetectionItem {
            field: Some(field.to_owned()),
            matcher,
            exists: None,
        }])
    };
    let others: Vec<IrMatcher> =
        values.into_iter().filter(|value| *value != IrMatcher::Null).collect();
    let mut either = vec![item(IrMatcher::Null)];
    if !others.is_empty() {
        either.push(item(mended(IrMatcher::AnyOf(others))?));
    }
    Ok(IrDetection::AnyOf(either))
}

/// A keyword is looked for anywhere in a text.
fn keyword(matcher: IrMatcher) -> IrMatcher {
    match matcher {
        IrMatcher::NumericEq(IrNumber::Literal(number)) => IrMatcher::Str {
            op: IrStrOp::Contains,
            pattern: literal(number.to_string()),
            case_insensitive: true,
        },
        IrMatcher::Str { op: IrStrOp::Exact, pattern, case_insensitive } => {
            IrMatcher::Str { op: IrStrOp::Contains, pattern, case_insensitive }
        }
        IrMatcher::AnyOf(any) => IrMatcher::AnyOf(any.into_iter().map(keyword).collect()),
        other => other,
    }
}

fn mended(matcher: IrMatcher) -> Result<IrMatcher, String> {
    match matcher {
        IrMatcher::Str { op, pattern, case_insensitive } => string(op, pattern, case_insensitive),
        IrMatcher::Encoded { encodings, op, value, case_insensitive } => {
            encoded(encodings, op, value, case_insensitive)
        }
        IrMatcher::Regex { pattern, case_insensitive, multiline, dotall, cased } => {
            let written = pattern;
            let pattern = with_ascii_classes(&written);
            check_regex(&pattern, &written)?;
            Ok(IrMatcher::Regex { pattern, case_insensitive, multiline, dotall, cased })
        }
        IrMatcher::Expand { .. } => Err("a placeholder (|expand) that nothing resolves: write \
                                         the values out"
            .to_owned()),
        IrMatcher::FieldRef { ref field, .. } if fields::is_list(field) => {
            Err(format!("a reference to {field}, which has several values"))
        }
        IrMatcher::TimestampPart { .. } => {
            Err("parts of times (|hour, |day and so on) are not supported".to_owned())
        }
        IrMatcher::NumericEq(number) => number_known(number).map(IrMatcher::NumericEq),
        IrMatcher::NumericGt(number) => number_known(number).map(IrMatcher::NumericGt),
        IrMatcher::NumericGte(number) => number_known(number).map(IrMatcher::NumericGte),
        IrMatcher::NumericLt(number) => number_known(number).map(IrMatcher::NumericLt),
        IrMatcher::NumericLte(number) => number_known(number).map(IrMatcher::NumericLte),
        IrMatcher::Not(inner) => Ok(IrMatcher::Not(Box::new(mended(*inner)?))),
        IrMatcher::AnyOf(any) if any.is_empty() => Err("an empty list of values".to_owned()),
        IrMatcher::AnyOf(any) => all_mended(any).map(IrMatcher::AnyOf),
        IrMatcher::AllOf(all) => all_mended(all).map(IrMatcher::AllOf),
        other => Ok(other),
    }
}

fn all_mended(matchers: Vec<IrMatcher>) -> Result<Vec<IrMatcher>, String> {
    matchers.into_iter().map(mended).collect()
}

fn number_known(number: IrNumber) -> Result<IrNumber, String> {
    match number {
        IrNumber::Literal(_) => Ok(number),
        IrNumber::DynamicSourceRef { .. } => Err("a reference to a source of values".to_owned()),
    }
}

/// Wildcards become a regular expression, anchored as the operator says; `*` and `?` stand for line
/// breaks too, or a line break would be a way out.
fn string(op: IrStrOp, pattern: IrPattern, case_insensitive: bool) -> Result<IrMatcher, String> {
    if pattern.is_plain() {
        return Ok(IrMatcher::Str { op, pattern, case_insensitive });
    }
    Ok(IrMatcher::Regex {
        pattern: pattern_regex(op, &pattern),
        case_insensitive,
        multiline: false,
        dotall: true,
        cased: !case_insensitive,
    })
}

/// A regular expression that finds what a string matcher does; to be used with `.` for everything.
pub(super) fn pattern_regex(op: IrStrOp, pattern: &IrPattern) -> String {
    let mut text = String::new();
    if matches!(op, IrStrOp::Exact | IrStrOp::StartsWith) {
        text.push_str(r"\A");
    }
    for part in &pattern.parts {
        match part {
            IrPatternPart::Literal(literal) => text.push_str(&regex::escape(literal)),
            IrPatternPart::WildcardMulti => text.push_str(".*"),
            IrPatternPart::WildcardSingle => text.push('.'),
        }
    }
    if matches!(op, IrStrOp::Exact | IrStrOp::EndsWith) {
        text.push_str(r"\z");
    }
    text
}

fn encoded(
    encodings: Vec<IrEncoding>,
    op: IrStrOp,
    value: String,
    case_insensitive: bool,
) -> Result<IrMatcher, String> {
    if value.contains(['*', '?']) && !value.contains('\\') {
        return Err("wildcards cannot be combined with an encoding (base64, wide, windash)".into());
    }
    if encodings.contains(&IrEncoding::Windash) && value.matches('-').count() > MOST_DASHES {
        return Err(format!("windash with more than {MOST_DASHES} dashes in a value"));
    }
    if encodings.last() == Some(&IrEncoding::Base64Offset) {
        let bytes = wide_bytes(&encodings[..encodings.len() - 1], &value)?;
        let any = base64_offsets(&bytes).map(|text| IrMatcher::Str {
            op,
            pattern: literal(text),
            case_insensitive: false,
        });
        return Ok(IrMatcher::AnyOf(any.into()));
    }
    // What is encoded has a meaning in each letter's case.
    let is_folded = case_insensitive && !encodings.contains(&IrEncoding::Base64);
    Ok(IrMatcher::Encoded { encodings, op, value, case_insensitive: is_folded })
}

fn wide_bytes(encodings: &[IrEncoding], value: &str) -> Result<Vec<u8>, String> {
    let utf16 = |to: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(to).collect::<Vec<u8>>();
    match encodings {
        [] => Ok(value.as_bytes().to_vec()),
        [IrEncoding::Wide] => Ok(utf16(u16::to_le_bytes)),
        [IrEncoding::Utf16Be] => Ok(utf16(u16::to_be_bytes)),
        [IrEncoding::Utf16] => Ok([vec![0xff, 0xfe], utf16(u16::to_le_bytes)].concat()),
        _ => Err("an unusual chain of encodings".to_owned()),
    }
}

/// The base64 text at each of the three places that bytes can have in a group of three, without the
/// letters that its neighbours share.
fn base64_offsets(bytes: &[u8]) -> [String; 3] {
    const SHARED_BEFORE: [usize; 3] = [0, 2, 3];
    const SHARED_AFTER: [usize; 3] = [0, 3, 2];
    [0, 1, 2].map(|offset| {
        let mut padded = vec![b' '; offset];
        padded.extend_from_slice(bytes);
        let text = STANDARD.encode(&padded);
        let end = text.len().saturating_sub(SHARED_AFTER[padded.len() % 3]);
        text.get(SHARED_BEFORE[offset]..end).unwrap_or_default().to_owned()
    })
}

fn literal(text: String) -> IrPattern {
    IrPattern { parts: vec![IrPatternPart::Literal(text)] }
}

/// `written`: as the rule has it.
fn check_regex(pattern: &str, written: &str) -> Result<(), String> {
    RegexBuilder::new(pattern)
        .size_limit(MOST_REGEX_BYTES)
        .nest_limit(MOST_REGEX_DEPTH)
        .build()
        .map(|_| ())
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("a regular expression too large to compile: {}", shortened(written))
            }
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                format!("the regular expression {} is wrong: {last}", shortened(written))
            }
        })
}

/// For messages.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(60);
    if end < text.len() { format!("`{}…`", &text[..end]) } else { format!("`{text}`") }
}

fn regexes(detection: &IrDetection) -> usize {
    fn of(matcher: &IrMatcher) -> usize {
        match matcher {
            IrMatcher::AnyOf(all) | IrMatcher::AllOf(all) => all.iter().map(of).sum(),
            IrMatcher::Not(inner) => of(inner),
            IrMatcher::Regex { .. } => 1,
            _ => 0,
        }
    }
    sum(detection, of)
}

/// Single values that are compared with.
fn patterns(detection: &IrDetection) -> usize {
    fn of(matcher: &IrMatcher) -> usize {
        match matcher {
            IrMatcher::AnyOf(all) | IrMatcher::AllOf(all) => all.iter().map(of).sum(),
            IrMatcher::Not(inner) => of(inner),
            IrMatcher::Encoded { encodings, value, .. }
                if encodings.contains(&IrEncoding::Windash) =>
            {
                5_usize.pow(value.matches('-').count().min(MOST_DASHES) as u32)
            }
            _ => 1,
        }
    }
    sum(detection, of)
}

fn sum(detection: &IrDetection, of: fn(&IrMatcher) -> usize) -> usize {
    match detection {
        IrDetection::AllOf(items) => items.iter().map(|item| of(&item.matcher)).sum(),
        IrDetection::AnyOf(parts) | IrDetection::And(parts) => {
            parts.iter().map(|part| sum(part, of)).sum()
        }
        IrDetection::Keywords(matcher) => of(matcher),
        IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_at_every_offset() {
        for prefix in ["", "x", "xy", "xyz"] {
            for suffix in ["", "1", "12", "123"] {
                let whole = STANDARD.encode(format!("{prefix}/bin/sh{suffix}"));
                let found = base64_offsets(b"/bin/sh").iter().any(|text| whole.contains(text));
                assert!(found, "{whole}");
            }
        }
    }
}
