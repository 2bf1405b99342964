//! Wall time for the boot clock of the kernel's records.

use common::record::WallNs;
use nix::time::{ClockId, clock_gettime};

/// Wall time minus boot time. Sampled again with every batch, since the wall clock can be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    offset_ns: i64,
}

impl Clock {
    pub(crate) fn sample() -> Self {
        // The pair of readings that lie closest together is the truest.
        let offset = (0..3)
            .map(|_| {
                let before = now(ClockId::CLOCK_BOOTTIME);
                let wall = now(ClockId::CLOCK_REALTIME);
                let after = now(ClockId::CLOCK_BOOTTIME);
                (after - before, wall - (before + (after - before) / 2))
            })
            .min();
        Self { offset_ns: offset.map_or(0, |(_, offset)| offset) }
    }

    /// A step of less than this is the jitter of sampling, not of the clock.
    const JITTER_NS: i64 = 1_000_000;

    /// Samples again; small differences are not followed, so that times stay consistent.
    pub(crate) fn refresh(&mut self) {
        let fresh = Self::sample();
        if (fresh.offset_ns - self.offset_ns).abs() > Self::JITTER_NS {
            *self = fresh;
        }
    }

    pub(crate) fn wall(self, boottime_ns: u64) -> WallNs {
        boottime_ns.cast_signed().saturating_add(self.offset_ns)
    }
}

/// Boot clock, nanoseconds.
pub(crate) fn boottime_ns() -> u64 {
    now(ClockId::CLOCK_BOOTTIME).cast_unsigned()
}

fn now(clock: ClockId) -> i64 {
    // These clocks exist on every kernel this runs on.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_follows_the_boot_clock() {
        let clock = Clock::sample();
        let error = clock.wall(boottime_ns()) - now(ClockId::CLOCK_REALTIME);
        assert!(error.abs() < 1_000_000_000, "{error}");
    }
}
