//! Asks the rules about every exec, and makes alerts of what fires.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::ecs::Event;
use common::record::{Record, Strings, StringsState};
use quick_cache::unsync::Cache;
use sha2::{Digest as _, Sha256};

use super::live::{AlertNews, Live};
use crate::detect::{Match, Part, Ruleset};
use crate::store::{Batch, NewAlert, RecentAlert, Repeat, Snapshot};

/// Alerts whose repeats are counted on them; the least recently repeated is forgotten.
const MOST_RECENT: usize = 16_384;
/// Generations that an alert keeps.
pub(crate) const MOST_ANCESTORS: usize = 32;

pub(crate) struct Detector {
    ruleset: Ruleset,
    recent: Cache<i64, Recent>,
    next_alert: i64,
    /// In this time what happens again is counted, and no alert of its own.
    repeat_ns: i64,
    not_evaluated: u64,
    not_judged: u64,
}

#[derive(Debug, Clone, Copy)]
struct Recent {
    alert: i64,
    last_ns: i64,
}

impl Detector {
    pub(crate) fn new(next_alert: i64, recent: Vec<RecentAlert>, repeat_ns: i64) -> Self {
        let mut cache = Cache::new(MOST_RECENT);
        for RecentAlert { id, likeness, last_ns } in recent {
            cache.insert(likeness, Recent { alert: id, last_ns });
        }
        Self {
            ruleset: Ruleset::empty(),
            recent: cache,
            next_alert,
            repeat_ns,
            not_evaluated: 0,
            not_judged: 0,
        }
    }

    /// Without rules.
    pub(crate) fn none() -> Self {
        Self::new(1, Vec::new(), 0)
    }

    /// How many rules are in force.
    pub(crate) fn rules(&self) -> usize {
        self.ruleset.len()
    }

    /// Events on which the engine failed.
    pub(crate) fn not_evaluated(&self) -> u64 {
        self.not_evaluated
    }

    /// Puts another set of rules into force; returns the one before.
    pub(crate) fn replace(&mut self, mut ruleset: Ruleset) -> Ruleset {
        ruleset.inherit(&self.ruleset);
        std::mem::replace(&mut self.ruleset, ruleset)
    }

    /// Somebody called these done: if it happens again, that is news.
    pub(crate) fn forget(&mut self, alerts: &[i64]) {
        self.recent.retain(|_, recent| !alerts.contains(&recent.alert));
    }

    /// Whether any rule asks for what is known of the executable only once it was read.
    pub(crate) fn has_hash_rules(&self) -> bool {
        self.ruleset.has_hash_rules()
    }

    /// An image on which the rules that asked for its hash could not be evaluated in time.
    pub(crate) fn give_up(&mut self) {
        self.not_judged += 1;
    }

    /// How many of those there were.
    pub(crate) fn not_judged(&self) -> u64 {
        self.not_judged
    }

    /// An image that has just begun, or of which the content is known now. `ancestors`, parent
    /// first, are asked for if something fires.
    pub(crate) fn look(
        &mut self,
        record: &Arc<Record>,
        part: Part,
        ancestors: impl FnOnce() -> Vec<Arc<Record>>,
        batch: &mut Batch,
        live: &Live,
    ) {
        // A fault of the engine must not end the recording.
        let evaluated = catch_unwind(AssertUnwindSafe(|| self.ruleset.evaluate_part(record, part)));
        let fired = evaluated.unwrap_or_else(|_| {
            self.not_evaluated += 1;
            if self.not_evaluated.is_power_of_two() {
                let count = self.not_evaluated;
                tracing::error!("rules failed on {count} events: please report this");
            }
            Vec::new()
        });
        if fired.is_empty() {
            return;
        }
        let ancestors: Vec<Record> =
            ancestors().iter().map(|ancestor| in_short(ancestor)).collect();
        for found in fired {
            let likeness = likeness(&found, record);
            if let Some(mut recent) = self.recent.get_mut(&likeness)
                && record.time_ns.saturating_sub(recent.last_ns) < self.repeat_ns
            {
                let repeat = Repeat { alert: recent.alert, time_ns: record.time_ns };
                recent.last_ns = recent.last_ns.max(record.time_ns);
                batch.repeats.push(repeat);
                continue;
            }
            let alert = self.next_alert;
            self.next_alert += 1;
            self.recent.insert(likeness, Recent { alert, last_ns: record.time_ns });
            raise(alert, likeness, found, record, &ancestors, batch, live);
        }
    }
}

fn raise(
    id: i64,
    likeness: i64,
    found: Match,
    record: &Arc<Record>,
    ancestors: &[Record],
    batch: &mut Batch,
    live: &Live,
) {
    let Match { rule, selections, fields, correlation } = found;
    let snapshot = Snapshot {
        event: Event::began(record),
        selections,
        fields,
        correlation,
        ancestors: ancestors.iter().map(Event::began).collect(),
    };
    let alert = Arc::new(NewAlert {
        id,
        time_ns: record.time_ns,
        rule_id: rule.id.clone(),
        title: rule.title.clone(),
        level: rule.level,
        row: record.row,
        likeness,
        rule: rule.document.clone(),
        snapshot: serde_json::to_vec(&snapshot).unwrap_or_default(),
    });
    live.publish_alert(|| AlertNews::Raised { alert: alert.clone(), record: record.clone() });
    batch.alerts.push(alert);
}

/// An alert keeps many ancestors, and what they are is told by their beginning.
const MOST_ARGS_OF_ANCESTOR: usize = 4096;

/// Without environment, and without what is long of arguments.
fn in_short(ancestor: &Record) -> Record {
    let mut args = ancestor.args.clone();
    if args.bytes.len() > MOST_ARGS_OF_ANCESTOR {
        args.bytes = args.bytes[..MOST_ARGS_OF_ANCESTOR].into();
        args.state = StringsState::Cut { head_bytes: MOST_ARGS_OF_ANCESTOR as u32 };
    }
    Record { args, env: Strings::absent(), ..ancestor.clone() }
}

/// What a repeat has in common with the first time: the rule, what the parent runs, and the command
/// line; of a correlation the group.
fn likeness(found: &Match, record: &Record) -> i64 {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(found.rule.id.as_bytes());
    match &found.correlation {
        Some(correlation) => {
            for (field, value) in &correlation.group {
                add(field.as_bytes());
                add(value.as_bytes());
            }
        }
        None => {
            if let Some(parent) = &record.parent {
                add(&parent.executable);
                add(&parent.args);
            }
            add(&record.executable.path.bytes);
            add(&record.args.bytes);
        }
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}
