//! What is said of a text that somebody brings.

use std::collections::HashMap;

use common::rule::{Origin, Report, RuleInfo, RuleState};

use super::directory::upload_name;
use crate::detect::{self, Entry, Source, Tried};

/// Compiles the text by itself. `entries` are the rules there are, to tell which it replaces.
pub(crate) fn report(name: &str, content: &[u8], entries: &[Entry], tried: &mut Tried) -> Report {
    let refused = |reason: String| Report {
        file: name.to_owned(),
        is_stored: false,
        reason: Some(reason),
        rules: Vec::new(),
        replaced: Vec::new(),
    };
    let file = match upload_name(name) {
        Ok(file) => file,
        Err(reason) => return refused(reason),
    };
    let source =
        Source { origin: Origin::Uploaded, file: file.clone(), content: Ok(content.to_vec()) };
    let compiled = detect::compile(&[source], Some(&HashMap::new()), tried);
    let mut rules: Vec<RuleInfo> = compiled.entries.into_iter().map(|entry| entry.info).collect();
    rules.sort_by_key(|rule| rule.document);
    if let [only] = &rules[..]
        && only.id.is_empty()
        && only.title == file
    {
        return refused(only.reason.clone().unwrap_or_default());
    }
    let mut replaced: Vec<String> = rules
        .iter()
        .filter(|rule| rule.state != RuleState::Unusable)
        .filter(|rule| entries.iter().any(|entry| entry.info.id == rule.id))
        .map(|rule| rule.id.clone())
        .collect();
    replaced.sort();
    replaced.dedup();
    Report { file, is_stored: false, reason: None, rules, replaced }
}

/// Whether it is worth storing: something in it is a rule, even one that cannot fire here.
pub(super) fn is_usable(report: &Report) -> bool {
    report.reason.is_none() && report.rules.iter().any(|rule| rule.state != RuleState::Unusable)
}
