//! The rules that come with the program, each against its samples; and those of SigmaHQ, where
//! they are at hand.

use std::path::Path;

use common::rule::RuleState;

use super::*;

/// An event of a sequence happens so many seconds after its beginning.
const SECONDS: &str = "@seconds";

fn shipped() -> Vec<(String, String)> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules"), ".yml")
}

fn samples_of(file: &str) -> Value {
    let path = file.replace(".yml", ".samples.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn events(samples: &Value, key: &str) -> Vec<Sample> {
    let events = samples[key].as_array().unwrap_or_else(|| panic!("no {key}"));
    events.iter().map(Sample::of).collect()
}

#[test]
fn shipped_rules_are_usable_and_described() {
    let files = shipped();
    assert!(files.len() >= 40, "{}", files.len());
    let sources: Vec<Source> = files
        .iter()
        .map(|(file, text)| Source {
            origin: Origin::Shipped,
            file: file.clone(),
            content: Ok(text.clone().into_bytes()),
        })
        .collect();
    for entry in compile(&sources, Some(&HashMap::new()), &mut Tried::default()).entries {
        let info = &entry.info;
        assert_eq!(info.state, RuleState::Active, "{}: {:?}", info.file, info.reason);
        assert!(info.notes.is_empty(), "{}: {:?}", info.file, info.notes);
        assert!(info.description.is_some() && info.author.is_some(), "{}", info.file);
        assert!(info.tags.iter().any(|tag| tag.starts_with("attack.t")), "{}", info.file);
        assert!(!info.falsepositives.is_empty(), "{}", info.file);
    }
}

#[test]
fn shipped_rules_fire_on_their_samples_and_not_on_near_misses() {
    for (file, text) in shipped() {
        let samples = samples_of(&file);
        let is_sequence = samples.get("sequences").is_some();
        let (fires, quiet) = (events(&samples, "fires"), events(&samples, "quiet"));
        assert!(is_sequence || (fires.len() >= 2 && quiet.len() >= 2), "{file}: too few samples");
        for sample in fires.iter().chain(&quiet) {
            let unknown: Vec<_> = sample.0.keys().filter(|name| !is_known(name)).collect();
            assert!(unknown.is_empty(), "{file}: {unknown:?}");
        }
        let mut ruleset = compiled(&file, &text).ruleset;
        // The rules that only correlations hear of are looked at as well.
        ruleset.unsilence();
        let mut fired = |sample: &Sample| {
            ruleset.judge(sample, 0).iter().any(|found| found.correlation.is_none())
        };
        for sample in &fires {
            assert!(fired(sample), "{file} does not fire on {sample:?}");
        }
        for sample in &quiet {
            assert!(!fired(sample), "{file} fires on {sample:?}");
        }
    }
}

#[test]
fn shipped_correlations_fire_on_their_sequences() {
    let mut count = 0;
    for (file, text) in shipped() {
        let samples = samples_of(&file);
        let Some(sequences) = samples.get("sequences") else { continue };
        for sequence in sequences.as_array().unwrap() {
            let mut ruleset = compiled(&file, &text).ruleset;
            let mut has_fired = false;
            for event in sequence["events"].as_array().unwrap() {
                let seconds = event[SECONDS].as_f64().unwrap();
                let time_ns = (seconds * 1e9) as i64 + 1_700_000_000_000_000_000;
                let mut sample = Sample::of(event);
                sample.0.remove(SECONDS);
                let found = ruleset.judge(&sample, time_ns);
                has_fired |= found.iter().any(|found| found.correlation.is_some());
            }
            assert_eq!(Some(has_fired), sequence["fires"].as_bool(), "{file}: {sequence}");
            count += 1;
        }
    }
    assert!(count >= 3, "{count}");
}

#[test]
fn every_rule_of_sigmahq_for_linux_processes_is_usable() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/sigma");
    if !directory.is_dir() {
        println!("skipped: {} is not there", directory.display());
        return;
    }
    let files = files(&directory.join("process_creation"), ".yml");
    assert_eq!(files.len(), 144);
    for (file, text) in files {
        for entry in compiled(&file, &text).entries {
            assert_eq!(entry.info.state, RuleState::Active, "{file}: {:?}", entry.info.reason);
        }
    }
}
