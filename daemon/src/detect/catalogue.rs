//! All rules that were found, with what becomes of each: the set in force, and the list of rules.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;

use common::rule::{Level, Origin, RuleInfo, RuleState};
use rsigma_eval::CompiledRule;
use rsigma_ir::IrRule;
use rsigma_parser::{CorrelationRule, SigmaRule, Status};
use sha2::{Digest as _, Sha256};

use super::correlate;
use super::document::{self, Content, Document};
use super::ruleset::{Loaded, Ruleset};
use super::trial::Tried;
use super::{lower, reach};

/// A file of rules as it was read, or why it could not be.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) file: String,
    pub(crate) content: Result<Vec<u8>, String>,
}

/// A rule, usable or not, as it is listed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) info: RuleInfo,
    #[cfg_attr(not(feature = "capture"), expect(dead_code, reason = "asked for by what records"))]
    pub(crate) text: String,
}

/// What rules there are, and those of them that are in force.
pub(crate) struct Compiled {
    pub(crate) entries: Vec<Entry>,
    pub(crate) ruleset: Ruleset,
}

/// Compiles everything. `switches` are the ids that somebody switched on or off; without them every
/// rule is on.
pub(crate) fn compile(
    sources: &[Source],
    switches: Option<&HashMap<String, bool>>,
    tried: &mut Tried,
) -> Compiled {
    let mut candidates = Vec::new();
    for source in sources {
        read(source, switches, tried, &mut candidates);
    }
    settle_ids(&mut candidates);
    let ruleset = enforce(&mut candidates);
    let mut entries: Vec<Entry> =
        candidates.into_iter().map(|c| Entry { info: c.info, text: c.text }).collect();
    entries.sort_by(|a, b| order(&a.info).cmp(&order(&b.info)));
    Compiled { entries, ruleset }
}

/// Most urgent first.
fn order(info: &RuleInfo) -> (std::cmp::Reverse<Level>, String, &str, &str, u32) {
    (std::cmp::Reverse(info.level), info.title.to_lowercase(), &info.id, &info.file, info.document)
}

pub(super) enum Body {
    None,
    Rule { ir: Box<IrRule>, compiled: Box<CompiledRule> },
    Correlation(Box<CorrelationRule>),
}

/// A rule on its way into force.
pub(super) struct Candidate {
    pub(super) info: RuleInfo,
    pub(super) text: String,
    /// What correlations may call it by.
    pub(super) name: Option<String>,
    pub(super) body: Body,
}

impl Candidate {
    pub(super) fn refuse(&mut self, state: RuleState, reason: impl Into<String>) {
        self.info.state = state;
        self.info.reason = Some(reason.into());
        self.body = Body::None;
    }

    pub(super) fn is_active(&self) -> bool {
        self.info.state == RuleState::Active
    }
}

fn read(
    source: &Source,
    switches: Option<&HashMap<String, bool>>,
    tried: &mut Tried,
    to: &mut Vec<Candidate>,
) {
    let documents = match &source.content {
        Ok(content) => document::documents(content),
        Err(reason) => Err(reason.clone()),
    };
    match documents {
        Ok(documents) => {
            for document in documents {
                let (number, text) = (document.number, document.text.clone());
                // A fault of the engine must not take more down than the rule that met it.
                let built = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    candidate(source, document, switches, tried)
                }));
                to.push(built.unwrap_or_else(|_| {
                    let mut info = blank(source, number, &source.file);
                    info.reason = Some("the engine failed on it: please report this".to_owned());
                    Candidate { info, text, name: None, body: Body::None }
                }));
            }
        }
        Err(reason) => {
            let mut info = blank(source, 1, &source.file);
            info.reason = Some(reason);
            to.push(Candidate { info, text: String::new(), name: None, body: Body::None });
        }
    }
}

fn blank(source: &Source, document: u32, title: &str) -> RuleInfo {
    RuleInfo {
        id: String::new(),
        title: title.to_owned(),
        level: Level::default(),
        is_correlation: false,
        state: RuleState::Unusable,
        reason: None,
        is_enabled: false,
        origin: source.origin,
        file: source.file.clone(),
        document,
        status: None,
        description: None,
        author: None,
        license: None,
        date: None,
        tags: Vec::new(),
        references: Vec::new(),
        falsepositives: Vec::new(),
        notes: Vec::new(),
        alerts: 0,
    }
}

fn candidate(
    source: &Source,
    document: Document,
    switches: Option<&HashMap<String, bool>>,
    tried: &mut Tried,
) -> Candidate {
    let Document { number, text, content, warnings, whole } = document;
    let mut info = blank(source, number, &source.file);
    let content = match content {
        Ok(content) => content,
        Err(reason) => {
            info.reason = Some(reason);
            return Candidate { info, text, name: None, body: Body::None };
        }
    };
    describe(&mut info, &content);
    info.notes.extend(warnings);
    settle_id(&mut info);
    let is_retired = matches!(info.status.as_deref(), Some("deprecated" | "unsupported"));
    info.is_enabled =
        switches.is_none_or(|switches| switches.get(&info.id).copied().unwrap_or(!is_retired));
    let name = match &content {
        Content::Rule(rule) => rule.name.clone(),
        Content::Correlation(rule) => rule.name.clone(),
    };
    let mut candidate = Candidate { info, text, name, body: Body::None };
    candidate.info.state = RuleState::Active;
    match content {
        Content::Rule(rule) => build(&mut candidate, &rule, &whole, tried),
        Content::Correlation(rule) => candidate.body = Body::Correlation(rule),
    }
    if candidate.is_active() && !candidate.info.is_enabled {
        candidate.info.state = RuleState::Disabled;
        candidate.info.reason = is_retired.then(|| {
            format!("its status is {}", candidate.info.status.as_deref().unwrap_or_default())
        });
    }
    candidate
}

/// Builds the rule itself, or refuses it.
fn build(candidate: &mut Candidate, rule: &SigmaRule, whole: &str, tried: &mut Tried) {
    let ir = match lower::lower(rule, "") {
        Ok(ir) => ir,
        Err(reason) => return candidate.refuse(RuleState::Unusable, reason),
    };
    if let Some(reason) = reach::inert(&ir) {
        return candidate.refuse(RuleState::Inert, reason);
    }
    let unknown = reach::unknown_fields(&ir);
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let hint = reach::hint(&names);
        let note = format!("nothing is recorded as {}{hint}", names.join(", "));
        candidate.info.notes.push(note);
    }
    let compiled = match rsigma_eval::compile_to_compiled(&ir) {
        Ok(compiled) => compiled,
        Err(error) => return candidate.refuse(RuleState::Unusable, error.to_string()),
    };
    match tried.run(whole, &compiled) {
        Ok(()) => {
            candidate.body = Body::Rule { ir: Box::new(ir), compiled: Box::new(compiled) };
        }
        Err(reason) => candidate.refuse(RuleState::Unusable, reason),
    }
}

fn describe(info: &mut RuleInfo, content: &Content) {
    macro_rules! take {
        ($rule:ident) => {{
            info.id = $rule.id.clone().unwrap_or_default();
            info.title = $rule.title.clone();
            info.status = $rule.status.map(|status| status_name(status).to_owned());
            info.description = $rule.description.as_deref().map(|text| text.trim().to_owned());
            info.author = $rule.author.clone();
            info.license = $rule.license.clone();
            info.date = $rule.date.clone();
            info.tags = $rule.tags.clone();
            info.references = $rule.references.clone();
            info.falsepositives = $rule.falsepositives.clone();
            $rule.level.map(level)
        }};
    }
    let level = match content {
        Content::Rule(rule) => take!(rule),
        Content::Correlation(rule) => {
            info.is_correlation = true;
            take!(rule)
        }
    };
    info.level = level.unwrap_or_else(|| {
        info.notes.push("it states no level: taken as medium".to_owned());
        Level::Medium
    });
}

fn level(level: rsigma_parser::Level) -> Level {
    match level {
        rsigma_parser::Level::Informational => Level::Informational,
        rsigma_parser::Level::Low => Level::Low,
        rsigma_parser::Level::Medium => Level::Medium,
        rsigma_parser::Level::High => Level::High,
        rsigma_parser::Level::Critical => Level::Critical,
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Stable => "stable",
        Status::Test => "test",
        Status::Experimental => "experimental",
        Status::Deprecated => "deprecated",
        Status::Unsupported => "unsupported",
    }
}

const MOST_ID_BYTES: usize = 128;

/// The rule's own id, or one derived from its file and title, so that it stays when the rule is
/// edited.
fn settle_id(info: &mut RuleInfo) {
    let own = info.id.trim().to_lowercase();
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !own.is_empty() && own.len() <= MOST_ID_BYTES && own.chars().all(is_fine) {
        info.id = own;
        return;
    }
    info.notes.push(if own.is_empty() {
        "it has no id: one was derived from its file and title".to_owned()
    } else {
        "its id is not usable: one was derived from its file and title".to_owned()
    });
    let digest = Sha256::digest(format!("{}\0{}", info.file, info.title));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // A version 8 UUID (RFC 9562): its bits have a meaning of our own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    info.id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
}

/// Of several rules with one id, the one of the last origin wins; within an origin the first.
fn settle_ids(candidates: &mut [Candidate]) {
    let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        // One that is faulty must not take a good one's place.
        if !candidate.info.id.is_empty() && candidate.info.state != RuleState::Unusable {
            by_id.entry(candidate.info.id.clone()).or_default().push(index);
        }
    }
    for (_, indices) in by_id.into_iter().filter(|(_, indices)| indices.len() > 1) {
        let winner = indices
            .iter()
            .copied()
            .reduce(|best, next| {
                let is_later = candidates[next].info.origin > candidates[best].info.origin;
                if is_later { next } else { best }
            })
            .unwrap_or_default();
        let (file, origin) = {
            let info = &candidates[winner].info;
            (format!("{} {}", info.origin.name(), info.file), info.origin)
        };
        for index in indices.into_iter().filter(|index| *index != winner) {
            let candidate = &mut candidates[index];
            if candidate.info.origin == origin {
                candidate.refuse(RuleState::Unusable, format!("{file} has the same id"));
            } else {
                candidate.refuse(RuleState::Overridden, format!("{file} has its id and wins"));
            }
        }
    }
}

/// Puts what is active into a set; each gets its number there.
fn enforce(candidates: &mut [Candidate]) -> Ruleset {
    let mut keys: Vec<Option<usize>> = vec![None; candidates.len()];
    let (mut loaded, mut compiled) = (Vec::new(), Vec::new());
    for (candidate, key) in candidates.iter_mut().zip(&mut keys) {
        if !candidate.is_active() || !matches!(candidate.body, Body::Rule { .. }) {
            continue;
        }
        let Body::Rule { ir, compiled: rule } = std::mem::replace(&mut candidate.body, Body::None)
        else {
            continue;
        };
        *key = Some(loaded.len());
        let mut rule = *rule;
        rule.id = Some(loaded.len().to_string());
        compiled.push(rule);
        loaded.push(Loaded::new(&candidate.info, &candidate.text, Some(*ir)));
    }
    let correlations = correlate::resolve(candidates, &mut keys, &mut loaded);
    Ruleset::new(loaded, compiled, &correlations)
}
