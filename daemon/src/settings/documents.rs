//! What the manual and the example say of keys is what the code does.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Keys, Settings};

/// Keys that are absent by default, which no value of theirs is.
const ABSENT: [&str; 2] = ["user", "environment-only"];

/// For each key a value that is not the default.
const OTHERS: [(&str, &str); 21] = [
    ("data-dir", "'/x'"),
    ("bus", "'session'"),
    ("user", "'x'"),
    ("ring-size", "4096"),
    ("environment", "false"),
    ("environment-only", "['X']"),
    ("redact", "[]"),
    ("shipped-rules", "'/x'"),
    ("admin-rules", "'/x'"),
    ("alert-repeat", "'0s'"),
    ("journal-alerts", "'none'"),
    ("binary-cache-size", "1"),
    ("binary-file-limit", "'0'"),
    ("binary-total-limit", "'0'"),
    ("binary-min-free", "'0'"),
    ("retention-age", "'0s'"),
    ("retention-size", "'0'"),
    ("alert-retention-age", "'0s'"),
    ("web-address", "'none'"),
    ("web-metrics", "true"),
    ("log", "'warn'"),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn settled(text: &str) -> Settings {
    let keys: Keys = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    keys.settle().unwrap()
}

fn defaults() -> Settings {
    Keys::default().settle().unwrap()
}

/// What the manual says below each key, without its markup.
fn manual() -> BTreeMap<String, String> {
    let page = read("man/bpf-recorder.toml.5");
    let keys = page.split("\n.TP\n.B ").skip(1).map(|item| {
        let item = item.split("\n.S").next().unwrap_or(item);
        let plain = ["\\fB", "\\fR", "\\fI", "\\%"];
        let item = plain.iter().fold(item.replace("\\-", "-"), |item, mark| item.replace(mark, ""));
        let (key, text) = item.split_once('\n').unwrap();
        (key.to_owned(), text.to_owned())
    });
    keys.collect()
}

/// As TOML.
fn documented_default(text: &str) -> String {
    let (_, default) = text.split_once("\nDefault: ").unwrap();
    let (default, _) = default.split_once(".\n").unwrap();
    default.replace('\n', " ")
}

#[test]
fn every_key_has_an_effect_on_the_command_line_and_in_files() {
    let names: Vec<&str> = OTHERS.iter().map(|(key, _)| *key).collect();
    assert_eq!(names, Keys::names());
    for (key, value) in OTHERS {
        let text = format!("{key} = {value}");
        assert_ne!(settled(&text), defaults(), "{text}");
        let keys: Keys = toml::from_str(&text).unwrap();
        assert_ne!(keys.clone().over(Keys::default()).settle().unwrap(), defaults(), "{text}");
        assert_ne!(Keys::default().over(keys).settle().unwrap(), defaults(), "{text}");
    }
}

#[test]
fn defaults_are_those_of_the_manual() {
    let mut absent = Vec::new();
    for (key, text) in manual() {
        let default = documented_default(&text);
        if default.starts_with(['"', '['])
            || toml::from_str::<Keys>(&format!("{key} = {default}")).is_ok()
        {
            assert_eq!(settled(&format!("{key} = {default}")), defaults(), "{key} = {default}");
        } else {
            absent.push(key);
        }
    }
    absent.sort_unstable_by_key(|key| ABSENT.iter().position(|absent| absent == key));
    assert_eq!(absent, ABSENT);
    assert_eq!((defaults().user, defaults().environment.only), (None, None));
}

#[test]
fn the_manual_says_which_keys_need_a_restart() {
    for (key, value) in OTHERS {
        let changed = defaults().needs_restart(&settled(&format!("{key} = {value}")));
        let text = &manual()[key];
        let expected =
            if text.contains("\nTakes effect at a restart.") { vec![key] } else { vec![] };
        assert_eq!(changed, expected, "{key}");
    }
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let example = read("packaging/config.toml");
    assert_eq!(settled(&example), defaults());
    // No comment on a key has a blank behind the sign, and every other one has.
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let keys: Vec<&str> =
        example.lines().filter(is_key).map(|line| line.trim_start_matches('#')).collect();
    assert_eq!(settled(&keys.join("\n")), defaults());
    for line in &keys {
        assert_eq!(settled(line), defaults(), "{line}");
    }
    let named = keys.iter().map(|line| line.split(' ').next().unwrap());
    let expected = OTHERS.iter().map(|(key, _)| *key).filter(|key| !ABSENT.contains(key));
    assert_eq!(named.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    for key in ABSENT {
        assert!(example.contains(&format!("Example: {key} = ")), "{key}");
    }
}

#[test]
fn the_manual_says_which_values_help_shows_as_defaults() {
    use clap::Args as _;

    let command = Keys::augment_args(clap::Command::new("x"));
    let manual = manual();
    for argument in command.get_arguments() {
        let key = argument.get_long().unwrap();
        let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
        let Some((_, shown)) = help.split_once("[default: ") else { panic!("{key}: {help}") };
        let shown = shown.split(']').next().unwrap();
        let default = documented_default(&manual[key]);
        let plain = default.replace(['"', '[', ']'], "").replace(", ", ",");
        assert!(ABSENT.contains(&key) || plain == shown, "{key}: {plain} is not {shown}");
    }
}
