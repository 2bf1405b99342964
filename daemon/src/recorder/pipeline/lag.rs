//! How old the oldest event is that is not in the database yet.

use std::collections::VecDeque;

/// Times are of the boot clock, in nanoseconds.
#[derive(Default)]
pub(super) struct Lag {
    /// When the first event of the current batch happened.
    first: Option<u64>,
    /// The same of each batch that was made and is not known to be written, by its number.
    made: VecDeque<(u64, u64)>,
}

impl Lag {
    pub(super) fn read(&mut self, boottime_ns: u64) {
        self.first.get_or_insert(boottime_ns);
    }

    pub(super) fn made(&mut self, batch: u64) {
        self.made.extend(self.first.take().map(|first| (batch, first)));
    }

    /// As many batches are in the database.
    pub(super) fn written(&mut self, batches: u64) {
        while self.made.front().is_some_and(|(batch, _)| *batch <= batches) {
            self.made.pop_front();
        }
    }

    pub(super) fn ms(&self, now_ns: u64) -> u64 {
        let oldest = self.made.front().map(|(_, first)| *first).or(self.first);
        oldest.map_or(0, |first| now_ns.saturating_sub(first) / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To make a batch, as who asks for figures does, brings nothing to the disk.
    #[test]
    fn what_the_store_was_given_is_not_written_yet() {
        let mut lag = Lag::default();
        assert_eq!(lag.ms(9_000_000), 0);
        lag.read(1_000_000);
        lag.read(2_000_000);
        lag.made(1);
        // Without an event, of what was found out of files.
        lag.made(2);
        lag.read(5_000_000);
        lag.made(3);
        assert_eq!(lag.ms(9_000_000), 8);
        lag.written(2);
        assert_eq!(lag.ms(9_000_000), 4);
        lag.written(3);
        assert_eq!(lag.ms(9_000_000), 0);
        lag.read(7_000_000);
        assert_eq!(lag.ms(9_000_000), 2);
    }
}
