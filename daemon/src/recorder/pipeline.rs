//! The loop from the ring to the database.
//!
//! Ring space is given back only for what is committed, so that neither a crash nor a full disk
//! loses what was read. That takes the kernel's own wake-up out of the game (it looks at the
//! released position); the programs wake us when we say that we sleep, see `ebpf::shared`.

mod ending;
mod figures;
mod lag;

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::alert::Status;
use common::health::{Capture, Program};
use ebpf::ring::Ring;
use ebpf::shared::Shared;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::watch;

use self::lag::Lag;
use super::audit::{self, Audit};
pub(crate) use super::handle::Handle;
use super::handle::{End, Order};
use super::link::Link;
use super::live::AlertNews;
use super::misses::Misses;
use super::sequence::{Kind, Slot};
use super::snapshot;
use super::tracker::Tracker;
use super::{Inheritance, Running, clock};
use crate::binaries::Found;
use crate::sensor::protocol::{ProgramFigures, Request};
use crate::store::{Batch, Change, Committed, RingPosition, What, WriterThread};

/// A batch goes to the store when it is this old or has this many rows.
const BATCH_AGE: Duration = Duration::from_millis(100);
const BATCH_ROWS: usize = 4096;
/// Rows that wait here when the store is slow; then reading stops and the ring holds the rest.
const MOST_PENDING_ROWS: usize = 3 * BATCH_ROWS;
/// Events read between two looks at anything else.
const DRAIN: usize = 1024;
/// Pause after events were read, so that a busy machine wakes us some hundred times a second and
/// not for each event.
const GATHER: Duration = Duration::from_millis(2);
/// At rest: a safety net, should a wake-up be lost, and the beat for the watchdog.
const REST: Duration = Duration::from_secs(1);
/// While the store has not confirmed everything.
const CONFIRM: Duration = Duration::from_millis(20);
/// Findings of executed files that may wait; whoever has more waits too.
const MOST_FOUND: usize = 256;
/// How often the sensor is asked whether the kernel skipped programs.
const STATISTICS: Duration = Duration::from_secs(30);

pub(crate) struct Pipeline {
    ring: Ring,
    shared: Shared,
    tracker: Tracker,
    store: WriterThread,
    committed: watch::Receiver<Committed>,
    link: Link,
    orders: Receiver<Order>,
    findings: Receiver<Found>,
    wake: Arc<EventFd>,
    epoll: Epoll,
    /// A batch that the store has not taken yet.
    waiting: Option<Box<Batch>>,
    /// Since when the current batch has something.
    batch_since: Option<Instant>,
    lag: Lag,
    /// Position up to which the store was given everything.
    handed_position: u64,
    /// Made so far.
    batches: u64,
    /// Position at the snapshot; past it, what is unconfirmed has ended.
    sweep_at: Option<u64>,
    programs: Vec<Program>,
    misses: Misses,
    /// Drops of a full ring when all losses were last settled.
    settled_drops: u64,
    next_statistics: Instant,
    next_beat: Instant,
    snapshot: &'static str,
    identity: Capture,
    is_damage_told: bool,
    /// The programs are detached: no more will come.
    is_finishing: bool,
    audit: Audit,
    /// Only there are the pids of the kernel those of the system calls.
    is_in_first_namespace: bool,
}

const RING: u64 = 0;
const WAKE: u64 = 1;

impl Pipeline {
    pub(crate) fn new(
        ring: Ring,
        shared: Shared,
        tracker: Tracker,
        store: WriterThread,
        link: Link,
        ring_fd: &OwnedFd,
        from: &Inheritance,
    ) -> anyhow::Result<(Self, Handle)> {
        let (sender, orders) = sync_channel(64);
        let (found, findings) = sync_channel(MOST_FOUND);
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .context("make an eventfd")?;
        let wake = Arc::new(wake);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("make an epoll")?;
        epoll
            .add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKE))
            .context("watch the eventfd")?;
        // Edge-triggered: by the kernel's measure the ring is never empty while we hold space.
        epoll
            .add(ring_fd.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, RING))
            .context("watch the ring")?;
        let handle = Handle {
            orders: sender,
            found,
            wake: wake.clone(),
            committed: store.committed(),
            troubles: store.troubles(),
            retention: store.retention(),
            alerts: tracker.live.alerts(),
        };
        let identity = Capture {
            recorder_user: from.user.name.clone(),
            recorder_pid: std::process::id(),
            sensor_pid: from.sensor_pid,
            recorder_restarts: from.restarts,
            ring_size_bytes: u64::from(from.settings.ring_size_bytes),
            ..Capture::default()
        };
        let pipeline = Self {
            handed_position: ring.position(),
            batches: 0,
            ring,
            shared,
            tracker,
            committed: store.committed(),
            store,
            link,
            orders,
            findings,
            wake,
            epoll,
            waiting: None,
            batch_since: None,
            lag: Lag::default(),
            sweep_at: None,
            programs: Vec::new(),
            misses: Misses::new(),
            settled_drops: 0,
            next_statistics: Instant::now() + STATISTICS,
            next_beat: Instant::now(),
            snapshot: "none",
            identity,
            is_damage_told: false,
            is_finishing: false,
            audit: Audit::default(),
            is_in_first_namespace: !crate::namespace::is_in_pid_namespace(),
        };
        Ok((pipeline, handle))
    }

    /// Runs until told to end, and says how.
    pub(crate) fn run(&mut self, running: Running) -> anyhow::Result<End> {
        // What lies in the ring is older than the snapshot: first things first.
        let end = self.ring.produced();
        while self.ring.position() < end && !self.ring.is_damaged() {
            if self.drain() == 0 {
                // The store is behind, or a record is being written.
                std::thread::sleep(Duration::from_millis(1));
            }
            self.hand_over(false);
            anyhow::ensure!(!self.store.has_died(), "the store's thread has ended");
        }
        self.take_snapshot(running);
        loop {
            let read = self.drain();
            self.sweep();
            self.hand_over(false);
            if let Some(end) = self.obey() {
                return Ok(end);
            }
            anyhow::ensure!(!self.store.has_died(), "the store's thread has ended");
            self.audit();
            self.beat();
            if read == DRAIN {
                continue;
            }
            if read > 0 {
                std::thread::sleep(GATHER);
                continue;
            }
            self.sleep()?;
        }
    }

    /// Reads some events; returns how many records of the ring that were.
    fn drain(&mut self) -> usize {
        if self.tracker.pending() >= MOST_PENDING_ROWS {
            return 0;
        }
        let mut count = 0;
        while count < DRAIN {
            let Some(bytes) = self.ring.next() else {
                if self.ring.is_damaged() && !self.is_damage_told {
                    self.is_damage_told = true;
                    tracing::error!("the ring is damaged: nothing more can be read; restart");
                }
                break;
            };
            count += 1;
            match ebpf::wire::decode(bytes) {
                Ok(event) => {
                    self.lag.read(event.boottime_ns);
                    self.tracker.event(&event);
                }
                Err(error) => {
                    self.tracker.not_understood();
                    let count = self.tracker.progress.undecodable;
                    // A fault that repeats must not fill the log.
                    if count.is_power_of_two() {
                        tracing::error!("{count} records were not understood, the last: {error}");
                    }
                }
            }
        }
        if count > 0 {
            self.batch_since.get_or_insert_with(Instant::now);
        }
        count
    }

    fn take_snapshot(&mut self, running: Running) {
        let taken = snapshot::take(&mut self.tracker, running);
        self.snapshot = taken.source;
        tracing::info!("{} processes were already running ({})", taken.processes, taken.source);
        if taken.is_complete {
            self.sweep_at = Some(self.ring.produced());
        }
        self.batch_since.get_or_insert_with(Instant::now);
    }

    fn sweep(&mut self) {
        if self.sweep_at.is_some_and(|position| self.ring.position() >= position) {
            self.sweep_at = None;
            let gone = self.tracker.sweep();
            if gone > 0 {
                tracing::info!("{gone} processes ended while nobody watched");
                self.batch_since.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Gives the batch to the store when it is due, or when `is_now`; gives ring space back.
    fn hand_over(&mut self, is_now: bool) {
        let committed = *self.committed.borrow();
        self.ring.release(committed.ring_position);
        self.lag.written(committed.batches);
        if let Some(batch) = self.waiting.take()
            && let Err(batch) = self.store.try_send(batch)
        {
            self.waiting = Some(batch);
            return;
        }
        let is_due = is_now
            || self.tracker.pending() >= BATCH_ROWS
            || self.batch_since.is_some_and(|since| since.elapsed() >= BATCH_AGE);
        if !is_due || !self.has_any() {
            return;
        }
        let mut batch = Box::new(self.tracker.take_batch());
        batch.ring = Some(RingPosition {
            cookie: self.shared.cookie(),
            position: self.ring.position(),
            progress: self.tracker.progress.to_bytes(),
            is_last: self.is_finishing && self.ring.position() == self.ring.produced(),
        });
        self.handed_position = self.ring.position();
        self.batches += 1;
        self.lag.made(self.batches);
        self.batch_since = None;
        self.waiting = self.store.try_send(batch).err();
    }

    /// Whether there is something for a next batch.
    fn has_any(&self) -> bool {
        self.batch_since.is_some()
            || self.tracker.pending() > 0
            || self.ring.position() != self.handed_position
    }

    /// Carries out what was ordered; tells what has to end.
    fn obey(&mut self) -> Option<End> {
        self.take_findings();
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Flush(answer) => {
                    let target = self.flush();
                    let _ = answer.send(target);
                }
                Order::Subscribe(answer) => {
                    let target = self.flush();
                    let _ = answer.send((self.tracker.live.subscribe(), target));
                }
                Order::Figures(answer) => {
                    self.flush();
                    self.look_at_statistics();
                    // Of that some may be old by now.
                    self.lag.written(self.committed.borrow().batches);
                    let _ = answer.send(self.figures());
                }
                Order::Rules(ruleset, answer) => {
                    let before = self.tracker.detector.replace(*ruleset);
                    let _ = answer.send(Box::new(before));
                }
                Order::Change(change) => self.change(change),
                Order::End(end) => return Some(end),
            }
        }
        None
    }

    /// What was found out of executed files goes with the next batch.
    fn take_findings(&mut self) {
        // A store that is behind must not make the batch grow without end.
        while self.tracker.pending() < MOST_PENDING_ROWS
            && let Ok(found) = self.findings.try_recv()
        {
            if self.tracker.depends_on_later_events(&found) {
                let end = self.ring.produced();
                while self.ring.position() < end && self.drain() > 0 {}
            }
            self.tracker.found(found);
            self.batch_since.get_or_insert_with(Instant::now);
        }
    }

    fn change(&mut self, change: Change) {
        if let What::Alerts { ids, status, .. } = &change.what {
            if *status == Some(Status::Resolved) {
                self.tracker.detector.forget(ids);
            }
            let ids: Arc<[i64]> = ids.as_slice().into();
            self.tracker.live.publish_alert(|| AlertNews::Updated(ids));
        }
        self.tracker.change(change);
        self.batch_since.get_or_insert_with(Instant::now);
        self.hand_over(true);
    }

    /// Reads what the ring holds now; returns what has to be committed for it.
    fn flush(&mut self) -> Committed {
        let end = self.ring.produced();
        while self.ring.position() < end && self.drain() > 0 {}
        self.sweep();
        self.hand_over(true);
        Committed {
            ring_position: self.ring.position(),
            row: self.tracker.next_row() - 1,
            // Where the store has no room for it yet, it goes with the next one.
            batches: self.batches + u64::from(self.has_any()),
        }
    }

    /// After losses: finds the processes whose ends were among them.
    fn audit(&mut self) {
        if std::mem::take(&mut self.tracker.has_new_losses) && self.is_in_first_namespace {
            self.audit.ask();
        }
        if !self.audit.is_due() {
            return;
        }
        let gone = audit::gone(&self.tracker.table);
        // The ends that are in the ring were sent before their processes went.
        let end = self.ring.produced();
        while self.ring.position() < end && self.drain() > 0 {}
        if self.ring.position() < end {
            self.audit.ask();
        } else if !gone.is_empty() {
            self.tracker.end_lost(&gone);
            self.batch_since.get_or_insert_with(Instant::now);
        }
    }

    fn beat(&mut self) {
        let now = Instant::now();
        if now >= self.next_beat {
            self.next_beat = now + REST;
            self.link.send(&Request::Progress);
            self.tracker.losses.tell(now);
            let dropped = self.shared.totals().dropped();
            if dropped != self.settled_drops && self.settle_losses() {
                self.settled_drops = dropped;
            }
        }
        if now >= self.next_statistics {
            self.look_at_statistics();
            self.settle_losses();
        }
    }

    fn sleep(&mut self) -> anyhow::Result<()> {
        let timeout = match self.batch_since {
            _ if self.waiting.is_some() => CONFIRM,
            Some(since) => BATCH_AGE.saturating_sub(since.elapsed()),
            None if self.ring.released() < self.handed_position => CONFIRM,
            None => REST,
        };
        let timeout = match self.audit.due() {
            Some(due) => timeout.min(due.saturating_duration_since(Instant::now())),
            None => timeout,
        };
        self.shared.set_waiting(true);
        // Between the last read and the flag something may have come.
        if self.ring.produced() != self.ring.position()
            && self.tracker.pending() < MOST_PENDING_ROWS
        {
            self.shared.set_waiting(false);
            // A record that is being written just now is worth a short wait, not a spin.
            std::thread::sleep(Duration::from_micros(50));
            return Ok(());
        }
        let mut events = [EpollEvent::empty(); 2];
        let millis = u16::try_from(timeout.as_millis()).unwrap_or(u16::MAX).max(1);
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(millis)) {
            Err(nix::errno::Errno::EINTR) => 0,
            result => result.context("wait for events")?,
        };
        self.shared.set_waiting(false);
        if events[..count].iter().any(|event| event.data() == WAKE) {
            let _ = self.wake.read();
        }
        Ok(())
    }

    /// With the ring read to its end, numbers that are still missing are losses.
    ///
    /// Only if the counters stand still: a program may have taken a number and not sent yet. False
    /// where something is left to settle.
    fn settle_losses(&mut self) -> bool {
        let before = self.shared.counters();
        std::thread::sleep(Duration::from_millis(1));
        if self.ring.position() != self.ring.produced() {
            return false;
        }
        let now = clock::boottime_ns();
        let mut is_settled = true;
        for (first, second) in before.iter().zip(&self.shared.counters()) {
            let slot = Slot { cpu: first.cpu, lane: first.lane };
            for kind in Kind::ALL {
                let (a, b) = (kind.counters(&first.counters), kind.counters(&second.counters));
                if a.sequence == b.sequence && b.sequence == b.sent + b.dropped_ring_full {
                    self.tracker.give_up(now, slot, kind, b.sequence);
                } else {
                    is_settled = false;
                }
            }
        }
        is_settled
    }

    fn look_at_statistics(&mut self) {
        self.next_statistics = Instant::now() + STATISTICS;
        if let Some(programs) = self.link.statistics() {
            self.note_statistics(programs);
        }
    }

    fn note_statistics(&mut self, programs: Vec<ProgramFigures>) {
        self.programs = programs.into_iter().map(program).collect();
        let not_run = self.misses.lost(&self.programs, &self.shared.totals());
        self.note_lost(not_run);
    }

    fn note_last_statistics(&mut self, programs: Vec<ProgramFigures>) {
        self.programs = programs.into_iter().map(program).collect();
        self.note_lost(Misses::lost_at_the_end(&self.programs, &self.shared.totals()));
    }

    fn note_lost(&mut self, not_run: u64) {
        if not_run > self.tracker.progress.not_run {
            let lost = not_run - self.tracker.progress.not_run;
            self.tracker.progress.not_run = not_run;
            self.tracker.gap(clock::boottime_ns(), 0, "any", lost, "not-run");
        }
    }
}

fn program(figures: ProgramFigures) -> Program {
    Program {
        name: figures.name,
        run_count: figures.run_count,
        run_time_ns: figures.run_time_ns,
        recursion_misses: figures.recursion_misses,
    }
}
