//! What a record must have for a rule to fire on it, as a filter that SQL can carry out.
//!
//! It may let through more than the rule wants, and the engine decides; never less. So only what
//! every way to fire asks for goes in, and of that only texts without wildcards in fields that the
//! database looks up by distinct value.

use common::filter::{Field, Filter, quote};
use rsigma_ir::{IrCondition, IrDetection, IrDetectionItem, IrMatcher, IrRule};
use rsigma_parser::Quantifier;

/// A filter of more terms is not worth it, nor accepted.
const MOST_TERMS: usize = 64;

/// `None`: every record has to be looked at.
type Texts = Option<Vec<String>>;

pub(super) fn of_rules<'r>(rules: impl Iterator<Item = &'r IrRule>) -> Filter {
    let mut any = Vec::new();
    for rule in rules {
        for condition in &rule.conditions {
            match of_condition(rule, condition) {
                Some(texts) => any.extend(texts),
                None => return Filter::all(),
            }
        }
    }
    any.sort();
    any.dedup();
    if any.is_empty() || any.len() > MOST_TERMS {
        return Filter::all();
    }
    // Nothing in it depends on the time.
    Filter::parse(&any.join(" or "), 0).unwrap_or_else(|_| Filter::all())
}

/// Terms of which a record has at least one if the condition holds.
fn of_condition(rule: &IrRule, condition: &IrCondition) -> Texts {
    match condition {
        IrCondition::Detection(name) => of_detection(rule.detections.get(name)?),
        IrCondition::And(parts) => fewest(parts.iter().map(|part| of_condition(rule, part))),
        IrCondition::Or(parts) => all_of(parts.iter().map(|part| of_condition(rule, part))),
        IrCondition::Not(_) => None,
        IrCondition::Selector { quantifier, pattern } => {
            let selected = rule
                .detections
                .iter()
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => fewest(selected),
                Quantifier::Any | Quantifier::Count(_) => all_of(selected),
            }
        }
    }
}

fn of_detection(detection: &IrDetection) -> Texts {
    match detection {
        IrDetection::AllOf(items) => fewest(items.iter().map(of_item)),
        IrDetection::And(parts) => fewest(parts.iter().map(of_detection)),
        IrDetection::AnyOf(parts) => all_of(parts.iter().map(of_detection)),
        IrDetection::Keywords(_)
        | IrDetection::ArrayMatch { .. }
        | IrDetection::Conditional { .. } => None,
    }
}

fn of_item(item: &IrDetectionItem) -> Texts {
    let field = match item.field.as_deref()? {
        "Image" | "process.executable" => Field::Exe,
        "CommandLine" | "process.command_line" => Field::Cmd,
        "ParentImage" | "process.parent.executable" => Field::Parent,
        "ParentCommandLine" | "process.parent.command_line" => Field::ParentCmd,
        _ => return None,
    };
    if item.exists.is_some() {
        return None;
    }
    of_matcher(field, &item.matcher)
}

fn of_matcher(field: Field, matcher: &IrMatcher) -> Texts {
    match matcher {
        IrMatcher::Str { pattern, .. } => {
            let text = pattern.as_plain()?;
            // A filter folds the case of ASCII letters only.
            let is_fit = text.is_ascii() && !text.is_empty();
            is_fit.then(|| vec![format!("{} ~ {}", field.name(), quote(&text))])
        }
        IrMatcher::AnyOf(parts) => all_of(parts.iter().map(|part| of_matcher(field, part))),
        IrMatcher::AllOf(parts) => fewest(parts.iter().map(|part| of_matcher(field, part))),
        _ => None,
    }
}

/// Any of these may be what holds: each must have terms.
fn all_of(parts: impl Iterator<Item = Texts>) -> Texts {
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
}

/// All of these hold: the one with the fewest terms narrows as well as any.
fn fewest(parts: impl Iterator<Item = Texts>) -> Texts {
    parts.flatten().filter(|texts| !texts.is_empty()).min_by_key(Vec::len)
}

#[cfg(test)]
mod tests {
    use super::super::tests::compiled;

    fn prefilter(detection: &str) -> String {
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: process_creation, product: linux}}\n\
             detection: {{{detection}}}\n"
        );
        compiled("t.yml", &text).ruleset.prefilter().text().to_owned()
    }

    #[test]
    fn what_every_way_to_fire_asks_for_is_in_it() {
        let cases = [
            ("a: {Image|endswith: [/nc, /ncat]}, condition: a", "exe ~ /nc or exe ~ /ncat"),
            (
                "a: {Image|endswith: [/nc, /ncat], CommandLine|contains: ' -e '}, condition: a",
                "cmd ~ \" -e \"",
            ),
            ("a: {Image: x}, b: {ParentImage: y}, condition: a or b", "exe ~ x or parent ~ y"),
            ("a: {Image: x}, b: {User: y}, condition: a or b", ""),
            ("a: {Image: x}, b: {User: y}, condition: a and not b", "exe ~ x"),
            ("a: {Image: x}, condition: not a", ""),
            ("a: {Image|re: x}, condition: a", ""),
            ("a1: {Image: x}, a2: {Image: y}, condition: 1 of a*", "exe ~ x or exe ~ y"),
            ("a: {Image: 'Ä'}, condition: a", ""),
            ("a: [{Image: x}, {CommandLine: y, User: z}], condition: a", "cmd ~ y or exe ~ x"),
            ("a: [x, y], condition: a", ""),
        ];
        for (detection, expected) in cases {
            assert_eq!(prefilter(detection), expected, "{detection}");
        }
    }
}
