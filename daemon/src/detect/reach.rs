//! Whether a rule can ever fire here: which fields it asks for, and what follows from those that
//! are never filled.

use std::collections::BTreeSet;

use rsigma_ir::{IrCondition, IrDetection, IrDetectionItem, IrMatcher, IrRule};
use rsigma_parser::{LogSource, Quantifier};

use super::fields;

/// What a condition can come out as, over all events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcomes {
    can_be_true: bool,
    can_be_false: bool,
}

const EITHER: Outcomes = Outcomes { can_be_true: true, can_be_false: true };
const ALWAYS: Outcomes = Outcomes { can_be_true: true, can_be_false: false };
const NEVER: Outcomes = Outcomes { can_be_true: false, can_be_false: true };

impl Outcomes {
    fn and(self, other: Self) -> Self {
        Self {
            can_be_true: self.can_be_true && other.can_be_true,
            can_be_false: self.can_be_false || other.can_be_false,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    fn not(self) -> Self {
        Self { can_be_true: self.can_be_false, can_be_false: self.can_be_true }
    }
}

/// Why a rule can never fire, if it cannot.
pub(super) fn inert(rule: &IrRule) -> Option<String> {
    if let Some(reason) = other_log_source(&rule.logsource) {
        return Some(reason);
    }
    let unknown = unknown_fields(rule);
    if unknown.is_empty() {
        return None;
    }
    let can_fire = rule.conditions.iter().any(|condition| outcomes(rule, condition).can_be_true);
    (!can_fire).then(|| {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        format!("never fires: nothing is recorded as {}{}", names.join(", "), hint(&names))
    })
}

/// Fields of the rule that are never filled.
pub(super) fn unknown_fields(rule: &IrRule) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for detection in rule.detections.values() {
        collect(detection, &mut names);
    }
    names.retain(|name| !fields::is_known(name));
    names
}

/// Whether the rule asks for a hash, which is not known at once.
pub(super) fn asks_for_hash(rule: &IrRule) -> bool {
    let mut names = BTreeSet::new();
    for detection in rule.detections.values() {
        collect(detection, &mut names);
    }
    names.iter().any(|name| fields::is_of_content(name))
}

pub(super) fn hint(names: &[&str]) -> String {
    let near = names.iter().find_map(|name| fields::nearest(name));
    near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

/// Only the creation of processes on Linux is recorded. What a rule leaves open fits.
fn other_log_source(source: &LogSource) -> Option<String> {
    let fits = |stated: &Option<String>, ours: &str| {
        stated.as_ref().is_none_or(|stated| stated.eq_ignore_ascii_case(ours))
    };
    if fits(&source.category, "process_creation")
        && fits(&source.product, "linux")
        && source.service.is_none()
        && (source.category.is_some() || source.product.is_some())
    {
        return None;
    }
    let stated = [
        ("product", &source.product),
        ("category", &source.category),
        ("service", &source.service),
    ];
    let stated: Vec<String> = stated
        .iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key} {value}")))
        .collect();
    Some(format!(
        "not a log source of this recorder ({}): it has process_creation of linux",
        if stated.is_empty() { "none stated".to_owned() } else { stated.join(", ") }
    ))
}

fn outcomes(rule: &IrRule, condition: &IrCondition) -> Outcomes {
    match condition {
        IrCondition::Detection(name) => rule.detections.get(name).map_or(NEVER, of_detection),
        IrCondition::And(all) => all.iter().fold(ALWAYS, |sum, part| sum.and(outcomes(rule, part))),
        IrCondition::Or(any) => any.iter().fold(NEVER, |sum, part| sum.or(outcomes(rule, part))),
        IrCondition::Not(part) => outcomes(rule, part).not(),
        IrCondition::Selector { quantifier, pattern } => {
            let selected = rule
                .detections
                .iter()
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => selected.fold(ALWAYS, Outcomes::and),
                Quantifier::Any => selected.fold(NEVER, Outcomes::or),
                Quantifier::Count(wanted) => {
                    let all: Vec<Outcomes> = selected.collect();
                    let count = |is_it: fn(&Outcomes) -> bool| {
                        all.iter().filter(|part| is_it(part)).count() as u64
                    };
                    Outcomes {
                        can_be_true: count(|part| part.can_be_true) >= *wanted,
                        can_be_false: count(|part| !part.can_be_false) < *wanted,
                    }
                }
            }
        }
    }
}

fn of_detection(detection: &IrDetection) -> Outcomes {
    match detection {
        IrDetection::AllOf(items) => items.iter().map(of_item).fold(ALWAYS, Outcomes::and),
        IrDetection::And(parts) => parts.iter().map(of_detection).fold(ALWAYS, Outcomes::and),
        IrDetection::AnyOf(parts) => parts.iter().map(of_detection).fold(NEVER, Outcomes::or),
        IrDetection::Keywords(_)
        | IrDetection::ArrayMatch { .. }
        | IrDetection::Conditional { .. } => EITHER,
    }
}

fn of_item(item: &IrDetectionItem) -> Outcomes {
    let is_known = item.field.as_deref().is_none_or(fields::is_known);
    if is_known {
        return EITHER;
    }
    // A field that is never filled is absent.
    let holds = match (&item.matcher, item.exists) {
        (_, Some(wanted)) => !wanted,
        (IrMatcher::Null, None) => true,
        (IrMatcher::Exists(wanted), None) => !wanted,
        _ => false,
    };
    if holds { ALWAYS } else { NEVER }
}

fn collect(detection: &IrDetection, names: &mut BTreeSet<String>) {
    match detection {
        IrDetection::AllOf(items) => {
            for item in items {
                names.extend(item.field.clone());
                collect_from_matcher(&item.matcher, names);
            }
        }
        IrDetection::AnyOf(parts) | IrDetection::And(parts) => {
            parts.iter().for_each(|part| collect(part, names));
        }
        IrDetection::Keywords(_)
        | IrDetection::ArrayMatch { .. }
        | IrDetection::Conditional { .. } => {}
    }
}

fn collect_from_matcher(matcher: &IrMatcher, names: &mut BTreeSet<String>) {
    match matcher {
        IrMatcher::FieldRef { field, .. } => {
            names.insert(field.clone());
        }
        IrMatcher::Not(inner) => collect_from_matcher(inner, names),
        IrMatcher::AnyOf(all) | IrMatcher::AllOf(all) => {
            all.iter().for_each(|matcher| collect_from_matcher(matcher, names));
        }
        _ => {}
    }
}
