//! What the kernel skipped: events that no lane of a program took (`ebpf/src/bpf/lane.h`).

use std::time::{Duration, Instant};

use common::health::Program;
use ebpf::shared::CpuCounters;

/// In this time a later lane takes what an earlier one missed.
const SETTLED: Duration = Duration::from_secs(1);

/// Weighs what was missed against what was taken over later.
pub(crate) struct Misses {
    /// How many were missed or passed on when that was last looked at, and a look before.
    latest: u64,
    settled: u64,
    since: Instant,
}

impl Misses {
    pub(crate) fn new() -> Self {
        Self { latest: 0, settled: 0, since: Instant::now() }
    }

    /// How many events were lost so far, of those that had their time to be taken over.
    pub(crate) fn lost(&mut self, programs: &[Program], totals: &CpuCounters) -> u64 {
        if self.since.elapsed() >= SETTLED {
            self.settled = self.latest;
            self.since = Instant::now();
        }
        self.latest = missed(programs, totals);
        self.settled.saturating_sub(totals.taken_over)
    }

    /// The same when nothing can be taken over any more.
    pub(crate) fn lost_at_the_end(programs: &[Program], totals: &CpuCounters) -> u64 {
        missed(programs, totals).saturating_sub(totals.taken_over)
    }
}

/// By the first lane: what a later one misses matters only if that was its to take.
fn missed(programs: &[Program], totals: &CpuCounters) -> u64 {
    let first = programs.iter().filter(|program| program.name.ends_with("_0"));
    first.filter_map(|program| program.recursion_misses).sum::<u64>() + totals.passed_on
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, recursion_misses: u64) -> Program {
        Program {
            name: name.to_owned(),
            run_count: 0,
            run_time_ns: 0,
            recursion_misses: Some(recursion_misses),
        }
    }

    fn totals(taken_over: u64, passed_on: u64) -> CpuCounters {
        let mut totals = CpuCounters::default();
        (totals.taken_over, totals.passed_on) = (taken_over, passed_on);
        totals
    }

    #[test]
    fn what_a_later_lane_took_is_not_lost() {
        let programs = [program("recorder_exec_0", 5), program("recorder_exec_1", 3)];
        let totals = totals(5, 1);
        assert_eq!(Misses::lost_at_the_end(&programs, &totals), 1);
    }

    #[test]
    fn a_loss_counts_when_it_had_its_time() {
        let mut misses = Misses::new();
        let programs = [program("recorder_exec_0", 5)];
        let totals = totals(3, 0);
        assert_eq!(misses.lost(&programs, &totals), 0);
        assert_eq!(misses.lost(&programs, &totals), 0);
        misses.since = misses.since.checked_sub(SETTLED).unwrap();
        assert_eq!(misses.lost(&programs, &totals), 2);
    }
}
