//! Where bytes come in that somebody else chose, as functions of these bytes: nothing may panic, and
//! what each asserts holds whatever they are.
//!
//! Run with inputs that a fuzzer seeks (`make fuzz`), and by the tests with some that are made of
//! the seeds in `fuzz/corpus`.

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use common::ecs::{Event, Line};
use common::filter::{Filter, complete, sample};
use common::id::BootId;
use common::record::Record;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::binaries;
use crate::detect::{self, Tried};
use crate::enrich::environment::Policy;
use crate::recorder::{Assembler, Contents, Detector, Progress, Tracker};
use crate::rules;
use crate::settings::{self, Environment};
use crate::web;

/// A name, which its corpus and its program in `fuzz/targets` have too, and what is run.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("wire", wire),
    ("filter", filter),
    ("rule", rule),
    ("ecs", ecs),
    ("http", http),
    ("elf", elf),
    ("config", config),
];

/// # Panics
///
/// Where what is to hold of any bytes does not hold of these.
pub fn run(target: &str, bytes: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    run(bytes);
}

/// Captured records, one after another: decoded, tracked, and told.
fn wire(bytes: &[u8]) {
    let environment =
        Environment { is_recorded: true, only: None, redacted_words: vec!["token".to_owned()] };
    let assembler =
        Assembler::new(BootId::from_bits(1), Policy::new(&environment).expect("a word"));
    let mut tracker =
        Tracker::new(assembler, Detector::none(), Contents::none(), Progress::default(), 1);
    let mut records = ebpf::wire::records(bytes);
    for event in records.by_ref().flatten() {
        tracker.event(&event);
    }
    assert!(bytes.ends_with(records.remainder()));
    for pending in tracker.take_batch().records {
        assert_told(&pending.record);
    }
}

/// What is told of a record is understood, and says the same.
fn assert_told(record: &Record) {
    for event in [Event::began(record), Event::ended(record)] {
        let told = serde_json::to_string(&Line::Event(Box::new(event))).expect("it is JSON");
        assert!(!told.contains('\n'), "{told}");
        assert_same(&told);
    }
}

fn assert_same(told: &str) {
    let line: Line<'_> = serde_json::from_str(told).expect("it is understood");
    assert_eq!(serde_json::to_string(&line).expect("it is JSON"), told);
}

/// A filter, its display, its faults, and what completes it.
fn filter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Filter::parse(&text, sample::NOW) {
        Ok(filter) => {
            let shown = filter.expr.to_string();
            let again = Filter::parse(&shown, sample::NOW).expect("its display is a filter");
            assert_eq!(again.expr, filter.expr, "{shown}");
            for record in SAMPLES.iter() {
                assert_eq!(filter.matches(record), again.matches(record), "{shown}");
            }
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column), "{error:?}");
            assert!(!error.render(&text).is_empty());
        }
    }
    for completion in complete(&text, text.len() / 2) {
        assert!(text.get(completion.replaces.clone()).is_some(), "{completion:?}");
    }
}

static SAMPLES: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let (strategy, mut runner) = (sample::record(), TestRunner::deterministic());
    (0..20).map(|_| strategy.new_tree(&mut runner).expect("a record").current()).collect()
});

/// An upload: the report on it, and what it then says of records.
fn rule(bytes: &[u8]) {
    let report = rules::report("fuzz.yml", bytes, &[], &mut Tried::default());
    for rule in &report.rules {
        assert_eq!(
            rule.reason.is_some(),
            rule.state != common::rule::RuleState::Active,
            "{rule:?}"
        );
    }
    let source = detect::Source {
        origin: common::rule::Origin::Uploaded,
        file: "fuzz.yml".to_owned(),
        content: Ok(bytes.to_vec()),
    };
    let mut ruleset = detect::compile(&[source], None, &mut Tried::default()).ruleset;
    for record in SAMPLES.iter() {
        ruleset.evaluate(record);
    }
}

/// A line of a result, as a client reads it.
fn ecs(bytes: &[u8]) {
    let Ok(line) = serde_json::from_slice::<Line<'_>>(bytes) else { return };
    assert_same(&serde_json::to_string(&line).expect("it is JSON"));
}

/// All that a browser without a session sends in one connection.
fn http(bytes: &[u8]) {
    thread_local! {
        static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    }
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = RUNTIME.with(|runtime| {
        runtime.get_or_init(|| new().expect("a runtime")).block_on(web::answer_to(bytes))
    });
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]);
    assert!(answer.is_empty() || shown.starts_with("HTTP/1."), "{shown}");
    // Who has no session gets the page's looks, and nothing else.
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let is_refused = shown.get(8..10).is_none_or(|class| matches!(class, " 4" | " 5"));
    assert!(is_refused || has("/assets/") || has("/favicon.ico"), "{shown}");
}

/// An executable.
fn elf(bytes: &[u8]) {
    let name = c"elf";
    let file = nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::MFD_CLOEXEC);
    let mut file = File::from(file.expect("a file in memory"));
    file.write_all(bytes).expect("write it");
    if let Some(facts) = binaries::facts(&file, bytes.len() as u64) {
        binaries::check_bounds(&facts);
    }
}

/// A configuration file.
fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for mistake in settings::check_text(Path::new("fuzz.toml"), &text).1 {
        let told = mistake.to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
}
