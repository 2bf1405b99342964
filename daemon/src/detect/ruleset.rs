//! The rules in force, and what they say of an event.

use std::sync::Arc;

use common::alert::{AlertRule, Correlation, FieldMatch};
use common::filter::Filter;
use common::record::Record;
use common::rule::{Level, RuleInfo};
use rsigma_eval::{
    CompiledRule, CorrelationConfig, CorrelationEngine, EvaluationResult, Event, ResultBody,
};
use rsigma_ir::IrRule;
use rsigma_parser::CorrelationRule;

use super::correlate::TICKS_PER_SECOND;
use super::explain::{self, Patterns};
use super::fields::View;
use super::index::Indexed;
use super::interest::Interest;
use super::{prefilter, reach};

/// Groups that correlations keep apart, and events of one group that they remember; beyond it the
/// oldest are forgotten.
const MOST_GROUPS: usize = 10_000;
const MOST_GROUP_ENTRIES: usize = 2_000;

/// A rule in force.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) level: Level,
    /// What an alert keeps of it: JSON of [`AlertRule`].
    #[cfg_attr(not(feature = "capture"), expect(dead_code, reason = "asked for by what records"))]
    pub(crate) document: Vec<u8>,
    /// Only correlations hear of it.
    pub(super) is_silent: bool,
    pub(super) ir: Option<IrRule>,
    patterns: Patterns,
}

impl Loaded {
    pub(super) fn new(info: &RuleInfo, text: &str, ir: Option<IrRule>) -> Self {
        let document = AlertRule {
            id: info.id.clone(),
            name: info.title.clone(),
            level: info.level,
            author: info.author.clone(),
            license: info.license.clone(),
            description: info.description.clone(),
            reference: info.references.clone(),
            tags: info.tags.clone(),
            falsepositives: info.falsepositives.clone(),
            text: text.to_owned(),
        };
        Self {
            id: info.id.clone(),
            title: info.title.clone(),
            level: info.level,
            // Texts always have a JSON form.
            document: serde_json::to_vec(&document).unwrap_or_default(),
            is_silent: false,
            ir,
            patterns: Patterns::default(),
        }
    }
}

/// A rule that fired.
pub(crate) struct Match {
    pub(crate) rule: Arc<Loaded>,
    pub(crate) selections: Vec<String>,
    pub(crate) fields: Vec<FieldMatch>,
    pub(crate) correlation: Option<Correlation>,
}

/// Which rules to ask. Those that ask for a hash wait for it, the others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    WithoutHash,
    WithHash,
}

pub(crate) struct Ruleset {
    rules: Vec<Arc<Loaded>>,
    without_hash: Indexed,
    with_hash: Indexed,
    interest: Interest,
    /// Holds correlations only: it is asked when a rule fired.
    correlations: Option<CorrelationEngine>,
    /// Of the last event that a correlation was told of: time must not go backwards.
    last_tick: i64,
}

impl Ruleset {
    pub(super) fn new(
        loaded: Vec<Loaded>,
        compiled: Vec<CompiledRule>,
        correlations: &[CorrelationRule],
    ) -> Self {
        let with_ir = |rule: CompiledRule| {
            let key = rule.id.as_deref().and_then(|id| id.parse::<usize>().ok());
            let ir = key.and_then(|key| loaded.get(key)?.ir.as_ref());
            (rule, ir)
        };
        let (of_hash, others): (Vec<_>, Vec<_>) = compiled
            .into_iter()
            .map(with_ir)
            .partition(|(_, ir)| ir.is_some_and(reach::asks_for_hash));
        let (without_hash, with_hash) = (Indexed::new(others), Indexed::new(of_hash));
        let mut correlating = CorrelationEngine::new(CorrelationConfig {
            max_state_entries: MOST_GROUPS,
            max_group_entries: Some(MOST_GROUP_ENTRIES),
            ..CorrelationConfig::default()
        });
        let mut has_correlations = false;
        for rule in correlations {
            match correlating.add_correlation(rule) {
                Ok(()) => has_correlations = true,
                Err(error) => tracing::error!("a correlation was refused by the engine: {error}"),
            }
        }
        Self {
            interest: Interest::of_rules(loaded.iter().filter_map(|rule| rule.ir.as_ref())),
            rules: loaded.into_iter().map(Arc::new).collect(),
            without_hash,
            with_hash,
            correlations: has_correlations.then_some(correlating),
            last_tick: 0,
        }
    }

    #[cfg(feature = "capture")]
    /// Without rules: nothing fires, and nothing costs anything.
    pub(crate) fn empty() -> Self {
        Self::new(Vec::new(), Vec::new(), &[])
    }

    /// How many rules are in force.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    #[cfg(feature = "capture")]
    /// Takes over what the set before remembers of events, for correlations that are in both.
    pub(crate) fn inherit(&mut self, before: &Self) {
        let Some(from) = &before.correlations else { return };
        let Some(to) = &mut self.correlations else { return };
        // Numbers differ from set to set, so that state is handed on only where they agree.
        let agree = self.rules.len() == before.rules.len()
            && self.rules.iter().zip(&before.rules).all(|(a, b)| a.document == b.document);
        if agree && to.import_state(from.export_state()) {
            self.last_tick = before.last_tick;
        }
    }

    /// What a record must have for any rule to fire on it; everything where that cannot be told.
    pub(crate) fn prefilter(&self) -> Filter {
        prefilter::of_rules(self.intermediate())
    }

    pub(super) fn intermediate(&self) -> impl Iterator<Item = &IrRule> + Clone {
        self.rules.iter().filter_map(|rule| rule.ir.as_ref())
    }

    /// Whether any rule asks for a hash.
    #[cfg(feature = "capture")]
    pub(crate) fn has_hash_rules(&self) -> bool {
        !self.with_hash.is_empty()
    }

    /// What fires on the event, of all that is known of it.
    pub(crate) fn evaluate(&mut self, record: &Record) -> Vec<Match> {
        let mut fired = self.evaluate_part(record, Part::WithoutHash);
        fired.extend(self.evaluate_part(record, Part::WithHash));
        fired
    }

    pub(crate) fn evaluate_part(&mut self, record: &Record, part: Part) -> Vec<Match> {
        let rules = match part {
            Part::WithoutHash => &mut self.without_hash,
            Part::WithHash => &mut self.with_hash,
        };
        if rules.is_empty() {
            return Vec::new();
        }
        let found = rules.evaluate(&View::narrowed(record, &self.interest));
        self.told(found, &View::new(record), record.time_ns)
    }

    #[cfg(test)]
    pub(super) fn judge(&mut self, event: &impl Event, time_ns: i64) -> Vec<Match> {
        let mut found = self.without_hash.evaluate(event);
        found.extend(self.with_hash.evaluate(event));
        self.told(found, event, time_ns)
    }

    /// Tells correlations of what was found, and what all of it says to whoever reads an alert.
    fn told(
        &mut self,
        found: Vec<EvaluationResult>,
        event: &impl Event,
        time_ns: i64,
    ) -> Vec<Match> {
        if found.is_empty() {
            return Vec::new();
        }
        let found = match &mut self.correlations {
            Some(correlations) => {
                let tick = time_ns / (1_000_000_000 / TICKS_PER_SECOND.cast_signed());
                self.last_tick = self.last_tick.max(tick);
                correlations.process_with_detections(event, found, self.last_tick)
            }
            None => found,
        };
        found.into_iter().filter_map(|result| self.fired(result, event)).collect()
    }

    fn fired(&self, result: EvaluationResult, event: &impl Event) -> Option<Match> {
        let key: usize = result.header.rule_id?.parse().ok()?;
        let rule = self.rules.get(key)?;
        if rule.is_silent {
            return None;
        }
        let mut fired = Match {
            rule: rule.clone(),
            selections: Vec::new(),
            fields: Vec::new(),
            correlation: None,
        };
        match result.body {
            ResultBody::Detection(detection) => {
                fired.selections = detection.matched_selections;
                fired.selections.sort_unstable();
                fired.selections.dedup();
                if let Some(ir) = &rule.ir {
                    fired.fields = explain::fields(ir, &rule.patterns, &fired.selections, event);
                }
            }
            ResultBody::Correlation(correlation) => {
                fired.correlation = Some(Correlation {
                    kind: correlation.correlation_type.as_str().to_owned(),
                    group: correlation.group_key,
                    value: correlation.aggregated_value,
                    timespan_secs: correlation.timespan_secs / TICKS_PER_SECOND,
                });
            }
        }
        Some(fired)
    }

    #[cfg(test)]
    pub(super) fn unsilence(&mut self) {
        for rule in &mut self.rules {
            Arc::get_mut(rule).expect("nobody else has it yet").is_silent = false;
        }
    }
}
