//! The end: of capture, or only of this recorder.

use std::time::{Duration, Instant};

use super::Pipeline;

/// For the answers that are outstanding at the end; the next recorder asks for what is left.
const FILES: Duration = Duration::from_secs(2);
/// The kernel detaches what nobody holds any more when it gets to it.
const QUIET: Duration = Duration::from_millis(100);
/// Where they are attached still, as after a start that failed, it is never quiet.
const LONGEST_UNREST: Duration = Duration::from_secs(2);

impl Pipeline {
    /// Soon nothing comes any more: reads the rest, settles the losses, commits. Fails if not all
    /// could be written within `patience`.
    pub(crate) fn finish(mut self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        self.shared.set_waiting(false);
        self.read_the_rest(deadline);
        self.wait_for_files(deadline);
        self.settle_losses();
        if let Some(programs) = self.link.last_statistics() {
            self.note_last_statistics(programs);
        }
        self.is_finishing = true;
        let end = self.ring.produced();
        self.commit(end, deadline)
    }

    /// Until nothing has come for a while: the programs of a sensor that was killed go on for some
    /// moments after it.
    fn read_the_rest(&mut self, deadline: Instant) {
        let begun = Instant::now();
        let mut quiet_since = begun;
        while Instant::now() < deadline && !self.store.has_died() && !self.ring.is_damaged() {
            self.hand_over(true);
            if self.drain() > 0 {
                quiet_since = Instant::now();
                continue;
            }
            if self.ring.position() != self.ring.produced() {
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() >= QUIET || begun.elapsed() >= LONGEST_UNREST {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Commits what was read. The ring goes on, and whoever reads it next begins there: nothing is
    /// settled, nothing is the last.
    pub(crate) fn leave(mut self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        self.shared.set_waiting(false);
        self.wait_for_files(deadline);
        let end = self.ring.position();
        self.commit(end, deadline)
    }

    /// What runs at the end is to be recorded with its content too, if that is soon.
    fn wait_for_files(&mut self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + FILES);
        while self.tracker.contents.pending() > 0
            && Instant::now() < deadline
            && !self.store.has_died()
        {
            self.take_findings();
            self.hand_over(false);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Writes the last batch and releases what is committed of the ring. Fails if that does not
    /// reach `end`: the rest stays in the ring.
    fn commit(mut self, end: u64, deadline: Instant) -> anyhow::Result<()> {
        self.batch_since.get_or_insert_with(Instant::now);
        loop {
            self.hand_over(true);
            if self.waiting.is_none() || Instant::now() > deadline || self.store.has_died() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let troubles = self.store.troubles();
        self.store.finish(deadline.saturating_duration_since(Instant::now()));
        let committed = self.committed.borrow().ring_position;
        self.ring.release(committed);
        let unwritten = end.saturating_sub(committed);
        let troubles = troubles.lock().map(|troubles| troubles.clone()).unwrap_or_default();
        anyhow::ensure!(
            unwritten == 0,
            "{unwritten} bytes of the last events could not be written: {}",
            troubles.writing.as_deref().unwrap_or("the disk was too slow")
        );
        match troubles.sentences().next() {
            Some(trouble) => anyhow::bail!(trouble),
            None => Ok(()),
        }
    }
}
