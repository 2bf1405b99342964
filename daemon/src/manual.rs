//! The manual names everything there is, in the order in which it is.

use std::path::Path;

use clap::Args as _;

/// What is named at the beginning of an item.
fn named(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let names = text.lines().filter_map(|line| line.strip_prefix(".B "));
    names.map(|name| name.replace("\\-", "-").replace("\\_", "_")).collect()
}

#[test]
fn rule_fields_are_in_the_manual() {
    let fields = crate::detect::RULE_FIELDS.iter();
    let fields: Vec<&str> = fields.map(|field| field.name).collect();
    assert_eq!(named("bpf-recorder-rules.7"), fields);
}

#[test]
fn filter_fields_are_in_the_manual() {
    let fields: Vec<&str> = common::filter::FIELDS.iter().map(|info| info.name).collect();
    assert_eq!(named("bpf-recorder-filter.7"), fields);
}

#[test]
fn settings_are_in_the_manual() {
    let command = crate::settings::Keys::augment_args(clap::Command::new("x"));
    let keys: Vec<&str> = command.get_arguments().filter_map(|key| key.get_long()).collect();
    assert_eq!(named("bpf-recorder.toml.5"), keys);
}
