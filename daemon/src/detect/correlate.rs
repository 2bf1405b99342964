//! Correlation rules: what they refer to, checked and put into the engine's terms.

use std::collections::{HashMap, HashSet};

use common::rule::RuleState;
use rsigma_eval::{CorrelationConfig, CorrelationEngine};
use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType,
};

use super::catalogue::{Body, Candidate};
use super::fields;
use super::ruleset::Loaded;

/// Times are handed to the engine in milliseconds, which it takes for seconds: whole seconds would
/// lose the order of events within one.
pub(super) const TICKS_PER_SECOND: u64 = 1000;
/// The engine holds what it has seen of this time in memory.
const MOST_TIMESPAN_SECS: u64 = 7 * 24 * 3600;
/// Rules of a `temporal_ordered` correlation, and events of a group that it remembers.
const MOST_ORDERED_RULES: usize = 4;
const MOST_ORDERED_ENTRIES: u64 = 24;
/// Correlations that refer to each other in a row; the engine follows ten.
const MOST_CHAINED: usize = 5;

/// Correlations whose references hold, with numbers for ids; the others are refused.
///
/// A correlation may refer to another, so this goes on until nothing changes.
pub(super) fn resolve(
    candidates: &mut [Candidate],
    keys: &mut [Option<usize>],
    loaded: &mut Vec<Loaded>,
) -> Vec<CorrelationRule> {
    let mut resolved = Vec::new();
    for _ in 0..=MOST_CHAINED {
        let mut has_changed = false;
        for index in 0..candidates.len() {
            if !candidates[index].is_active() || keys[index].is_some() {
                continue;
            }
            let Body::Correlation(rule) = &candidates[index].body else { continue };
            let Some(references) = references(&rule.rules, candidates, keys) else { continue };
            has_changed = true;
            let is_of_correlations = references.values().any(|key| loaded[*key].ir.is_none());
            let translated = check(rule, is_of_correlations)
                .and_then(|()| in_terms_of_the_engine(rule, &references, loaded.len()));
            match translated {
                Ok(rule) => {
                    for key in references.values().filter(|_| !rule.generate) {
                        loaded[*key].is_silent = true;
                    }
                    keys[index] = Some(loaded.len());
                    let candidate = &candidates[index];
                    loaded.push(Loaded::new(&candidate.info, &candidate.text, None));
                    resolved.push(rule);
                }
                Err(reason) => candidates[index].refuse(RuleState::Unusable, reason),
            }
        }
        if !has_changed {
            break;
        }
    }
    refuse_rest(candidates, keys);
    resolved
}

/// What each reference (an id or a name) means; `None` while one of them is not in force.
fn references(
    wanted: &[String],
    candidates: &[Candidate],
    keys: &[Option<usize>],
) -> Option<HashMap<String, usize>> {
    wanted
        .iter()
        .map(|reference| {
            let index = candidates
                .iter()
                .zip(keys)
                .find_map(|(candidate, key)| key.filter(|_| is_called(candidate, reference)))?;
            Some((reference.clone(), index))
        })
        .collect()
}

fn is_called(candidate: &Candidate, reference: &str) -> bool {
    candidate.info.id.eq_ignore_ascii_case(reference)
        || candidate.name.as_deref() == Some(reference)
}

fn refuse_rest(candidates: &mut [Candidate], keys: &[Option<usize>]) {
    for index in 0..candidates.len() {
        if !candidates[index].is_active() || keys[index].is_some() {
            continue;
        }
        let Body::Correlation(rule) = &candidates[index].body else { continue };
        let missing = rule
            .rules
            .iter()
            .find(|reference| references(&[(*reference).clone()], candidates, keys).is_none());
        let reason = match missing {
            Some(reference) => match candidates.iter().find(|c| is_called(c, reference)) {
                Some(found) if found.is_active() => {
                    format!(
                        "it refers to {reference}, which is not in force, refers to it in turn, or \
                         is the end of a chain of more than {MOST_CHAINED} correlations"
                    )
                }
                Some(found) => {
                    format!("it refers to {reference}, which is {}", found.info.state.name())
                }
                None => format!("it refers to {reference}, and there is no such rule"),
            },
            None => "it cannot be put into force".to_owned(),
        };
        candidates[index].refuse(RuleState::Unusable, reason);
    }
}

fn in_terms_of_the_engine(
    rule: &CorrelationRule,
    references: &HashMap<String, usize>,
    own: usize,
) -> Result<CorrelationRule, String> {
    let distinct: HashSet<usize> = references.values().copied().collect();
    if distinct.len() < rule.rules.len() {
        return Err("it refers to one rule twice".to_owned());
    }
    if let Some(alias) = rule.aliases.iter().find(|alias| alias.mapping.len() < rule.rules.len()) {
        return Err(format!("its alias {} says nothing of some of its rules", alias.alias));
    }
    let key = |reference: &String| {
        references.get(reference).map_or_else(|| reference.clone(), usize::to_string)
    };
    let mut rule = rule.clone();
    rule.id = Some(own.to_string());
    rule.name = None;
    rule.rules = rule.rules.iter().map(key).collect();
    for alias in &mut rule.aliases {
        alias.mapping =
            alias.mapping.iter().map(|(rule, field)| (key(rule), field.clone())).collect();
    }
    if let CorrelationCondition::Extended(condition) = &mut rule.condition {
        rename(condition, references)?;
    }
    demand_all(&mut rule);
    rule.timespan.seconds *= TICKS_PER_SECOND;
    if let Some(gap) = &mut rule.gap {
        gap.seconds = gap.seconds.min(MOST_TIMESPAN_SECS) * TICKS_PER_SECOND;
    }
    // Attributes of the engine's own would change how all others are evaluated. One is needed: the
    // engine tries every combination of what it remembers.
    rule.custom_attributes.clear();
    if rule.correlation_type == CorrelationType::TemporalOrdered {
        let limit = MOST_ORDERED_ENTRIES.into();
        rule.custom_attributes.insert("rsigma.max_group_entries".to_owned(), limit);
    }
    CorrelationEngine::new(CorrelationConfig::default())
        .add_correlation(&rule)
        .map_err(|error| error.to_string())?;
    Ok(rule)
}

/// Without a condition, all rules of a `temporal` one must have fired; the engine's default is one.
fn demand_all(rule: &mut CorrelationRule) {
    let all = rule.rules.len() as u64;
    if rule.correlation_type == CorrelationType::Temporal
        && let CorrelationCondition::Threshold { predicates, .. } = &mut rule.condition
        && *predicates == [(ConditionOperator::Gte, 1)]
    {
        *predicates = vec![(ConditionOperator::Gte, all)];
    }
}

fn check(rule: &CorrelationRule, is_of_correlations: bool) -> Result<(), String> {
    if rule.rules.is_empty() {
        return Err("it refers to no rule".to_owned());
    }
    if rule.timespan.seconds == 0 || rule.timespan.seconds > MOST_TIMESPAN_SECS {
        return Err(format!(
            "its timespan is {}: give one of 1s to {} days",
            rule.timespan.original,
            MOST_TIMESPAN_SECS / 86400
        ));
    }
    let kind = rule.correlation_type.as_str();
    if rule.correlation_type == CorrelationType::TemporalOrdered
        && rule.rules.len() > MOST_ORDERED_RULES
    {
        return Err(format!("{kind} of more than {MOST_ORDERED_RULES} rules"));
    }
    if rule.correlation_type == CorrelationType::ValuePercentile {
        return Err(format!("{kind} is not supported: the engine does not compare its value"));
    }
    let counted = match &rule.condition {
        CorrelationCondition::Threshold { field, .. } => field.as_deref().unwrap_or_default(),
        CorrelationCondition::Extended(_) => &[],
    };
    let needs_field = !matches!(
        rule.correlation_type,
        CorrelationType::EventCount | CorrelationType::Temporal | CorrelationType::TemporalOrdered
    );
    if needs_field && counted.is_empty() {
        return Err(format!("{kind} needs a field in its condition"));
    }
    if needs_field && is_of_correlations {
        return Err(format!("{kind} counts values of events, and a correlation has none"));
    }
    let aliases = |name: &String| rule.aliases.iter().any(|alias| alias.alias == *name);
    if let Some(list) = rule.group_by.iter().chain(counted).find(|name| fields::is_list(name)) {
        return Err(format!("it groups by or counts {list}, which has several values"));
    }
    let unknown = rule
        .group_by
        .iter()
        .filter(|name| !aliases(name))
        .chain(counted)
        .chain(rule.aliases.iter().flat_map(|alias| alias.mapping.values()))
        .find(|name| !fields::is_known(name));
    match unknown {
        Some(name) => {
            let hint = super::reach::hint(&[name.as_str()]);
            Err(format!("nothing is recorded as {name}{hint}"))
        }
        None => Ok(()),
    }
}

fn rename(
    condition: &mut ConditionExpr,
    references: &HashMap<String, usize>,
) -> Result<(), String> {
    match condition {
        ConditionExpr::And(all) | ConditionExpr::Or(all) => {
            all.iter_mut().try_for_each(|part| rename(part, references))
        }
        ConditionExpr::Not(part) => rename(part, references),
        ConditionExpr::Identifier(name) => {
            let Some(key) = references.get(name) else {
                return Err(format!("its condition names {name}, which is not among its rules"));
            };
            *name = key.to_string();
            Ok(())
        }
        ConditionExpr::Selector { .. } => {
            Err("a selector in the condition of a correlation is not supported".to_owned())
        }
    }
}
