//! Tries a rule on events made to be hard on it, before it meets real ones.
//!
//! The pipeline evaluates every rule on every exec, and everything else waits for it. Size limits
//! alone do not bound what a regular expression costs; time does. An ordinary rule takes
//! microseconds on these events, a hostile one some hundred milliseconds, so that the limit may lie
//! anywhere between.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use common::id::{BootId, ProcessId};
use common::record::{
    Content, Context, Executable, Parent, ParentSource, PathState, PathText, Record, Source,
    Strings, StringsState,
};
use nix::time::{ClockId, clock_gettime};
use rsigma_eval::{CompiledRule, evaluate_rule};
use sha2::{Digest as _, Sha256};

use super::fields::View;

const MOST_TIME: Duration = Duration::from_millis(25);
/// On a slow machine: as often the time of an ordinary rule.
const MOST_REFERENCES: u32 = 50;
const TRIES: u32 = 3;
const FAR: u32 = 4;
const TEXT_BYTES: usize = 16 << 10;

/// What came of trials, by the text of the rule: a set of rules is compiled again and again, and
/// most of its rules are the same.
#[derive(Default)]
pub(crate) struct Tried {
    outcomes: HashMap<[u8; 32], Result<(), String>>,
}

/// It is emptied beyond.
const MOST_TRIED: usize = 20_000;

impl Tried {
    /// Err if the rule of this text takes too long.
    pub(super) fn run(&mut self, text: &str, rule: &CompiledRule) -> Result<(), String> {
        let digest = Sha256::digest(text).into();
        if let Some(outcome) = self.outcomes.get(&digest) {
            return outcome.clone();
        }
        let outcome = run(rule);
        if self.outcomes.len() >= MOST_TRIED {
            self.outcomes.clear();
        }
        self.outcomes.insert(digest, outcome.clone());
        outcome
    }
}

fn run(rule: &CompiledRule) -> Result<(), String> {
    let limit = MOST_TIME.max(*REFERENCE * MOST_REFERENCES);
    let time = slowest(rule, limit);
    if time <= limit {
        return Ok(());
    }
    Err(format!(
        "too slow: it takes {} ms on a command line of {} KiB, more than {} ms",
        time.as_millis(),
        TEXT_BYTES >> 10,
        limit.as_millis()
    ))
}

/// On the event that is hardest on the rule, or the first beyond the limit.
fn slowest(rule: &CompiledRule, limit: Duration) -> Duration {
    let mut slowest = Duration::ZERO;
    for event in &*EVENTS {
        // The first time fills caches, and an expression that finds them too small is quick while
        // it tries: only from then on it takes what it takes for ever.
        let mut time = measure(rule, event);
        // Far beyond it, another try would only take long.
        for _ in 0..TRIES {
            if time > limit.saturating_mul(FAR) {
                break;
            }
            time = measure(rule, event);
            if time <= limit {
                break;
            }
        }
        slowest = slowest.max(time);
        if slowest > limit {
            break;
        }
    }
    slowest
}

fn measure(rule: &CompiledRule, event: &Record) -> Duration {
    let start = cpu_time();
    let _ = evaluate_rule(rule, &View::new(event));
    cpu_time().saturating_sub(start)
}

/// Of this thread: what others do meanwhile does not count.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// What an ordinary rule takes on this machine, which may be an emulated one.
static REFERENCE: LazyLock<Duration> = LazyLock::new(|| {
    const RULE: &str = "title: Reference\nlogsource: {product: linux}\ndetection:\n  \
        a: {CommandLine|contains: [one, two, three]}\n  b: {CommandLine|re: 'x(one|two)+y'}\n  \
        condition: a or b\n";
    let rule = rsigma_parser::parse_sigma_yaml(RULE).ok();
    let rule = rule.and_then(|parsed| parsed.rules.into_iter().next());
    let lowered = rule.and_then(|rule| super::lower::lower(&rule, "").ok());
    let compiled = lowered.and_then(|rule| rsigma_eval::compile_to_compiled(&rule).ok());
    let least = |rule| (0..TRIES).map(|_| slowest(&rule, Duration::MAX)).min();
    compiled.and_then(least).unwrap_or_default()
});

static EVENTS: LazyLock<[Record; 4]> = LazyLock::new(|| {
    ["ab", "a-b /c ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "x0 =/.A\n"].map(|part| {
        let text: String = part.chars().cycle().take(TEXT_BYTES).collect();
        event(text.as_bytes())
    })
});

fn event(text: &[u8]) -> Record {
    let args = Strings {
        bytes: [text, b"\0"].concat().into(),
        state: StringsState::Complete,
        total_bytes: text.len() as u64 + 1,
    };
    let path = PathText { bytes: Arc::from(&text[..4096]), state: PathState::Complete };
    let process =
        |pid| ProcessId { boot: BootId::from_bits(1), pid, start_boottime_ns: u64::from(pid) };
    let context = Arc::new(Context::default());
    Record {
        row: 1,
        process: process(2),
        ordinal: 1,
        source: Source::Exec,
        time_ns: 0,
        boottime_ns: 2,
        start_ns: 0,
        parent: Some(Parent {
            process: process(1),
            executable: path.bytes.clone(),
            args: args.bytes.clone(),
            context: Some(context.clone()),
            source: ParentSource::Fork,
        }),
        namespace_pid: 2,
        process_group: 2,
        session: 1,
        tty: None,
        comm: Arc::from(&b"x"[..]),
        executable: Arc::new(Executable { path: path.clone(), ..Executable::absent() }),
        content: Content::Unknown,
        script: None,
        script_content: Content::Unknown,
        working_directory: path,
        env: args.clone(),
        args,
        args_count: 1,
        context,
        end: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_measured() {
        assert!(*REFERENCE > Duration::ZERO);
    }

    #[test]
    fn a_rule_that_takes_long_is_refused() {
        let slow: Vec<String> =
            (0..90).map(|n| format!("'(a|b)*a(a|b){{{}}}c'", 200 + n)).collect();
        let text = format!(
            "title: T\nlogsource: {{product: linux}}\ndetection:\n  a: {{CommandLine|re: [{}]}}\n  \
             condition: a\n",
            slow.join(", ")
        );
        let rule = rsigma_parser::parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let rule = super::super::lower::lower(&rule, "").unwrap();
        let rule = rsigma_eval::compile_to_compiled(&rule).unwrap();
        assert!(run(&rule).unwrap_err().contains("too slow"));
    }
}
