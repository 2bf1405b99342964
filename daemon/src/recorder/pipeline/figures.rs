//! What health tells of the recording.

use common::health::{Capture, Files, Kinds, Named};
use ebpf::shared::{CauseCounters, KindCounters};

use super::{Pipeline, clock};

impl Pipeline {
    fn figures_of_files(&self) -> Files {
        let not_judged = self.tracker.detector.not_judged();
        Files { not_judged, ..self.tracker.contents.figures() }
    }

    pub(super) fn figures(&self) -> Capture {
        let mut figures = Capture {
            ring_used_bytes: self.ring.produced().saturating_sub(self.ring.released()),
            decoded: self.tracker.progress.decoded,
            undecodable: self.tracker.progress.undecodable,
            rules: self.tracker.detector.rules() as u64,
            not_evaluated: self.tracker.detector.not_evaluated(),
            duplicate_exits: self.tracker.progress.duplicate_exits,
            not_run: self.tracker.progress.not_run,
            programs: self.programs.clone(),
            running: self.tracker.table.len() as u64,
            snapshot: self.snapshot.to_owned(),
            lag_ms: self.lag.ms(clock::boottime_ns()),
            files: self.figures_of_files(),
            resident_bytes: resident_bytes(),
            ..self.identity.clone()
        };
        let totals = self.shared.totals();
        let kinds = |figure: fn(&KindCounters) -> u64| Kinds {
            fork: figure(&totals.fork),
            exec: figure(&totals.exec),
            exit: figure(&totals.exit),
        };
        figures.meant = kinds(|kind| kind.sequence);
        figures.sent = kinds(|kind| kind.sent);
        figures.dropped_ring_full = kinds(|kind| kind.dropped_ring_full);
        figures.faults = named(&totals.faults);
        figures.cuts = named(&totals.cuts);
        figures
    }
}

fn named(counts: &CauseCounters) -> Vec<Named> {
    [
        ("args", counts.args),
        ("env", counts.env),
        ("executable", counts.executable),
        ("cwd", counts.cwd),
        ("cgroup", counts.cgroup),
        ("other", counts.other),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| Named { name: name.to_owned(), count })
    .collect()
}

/// Resident memory of this process, 0 where `/proc` does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    pages * page.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}
