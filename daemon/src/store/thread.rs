//! The one thread that owns the writer.
//!
//! Batches arrive on a short queue: when the disk is slow the queue fills, the pipeline stops
//! reading, and the ring holds what happens meanwhile. A batch that cannot be written (disk full)
//! is tried again until it can: nothing that was read is dropped. A database that is damaged, whoever
//! met that, is set aside, and this thread ends.
//!
//! Between batches it deletes what is not to be kept, and prepares searches, a little at a time, so
//! that a batch waits for milliseconds at most. While batches wait all the same, deleting gets no
//! more time than writing, and searches are not prepared.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::id::BootId;
use nix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use super::files::Displaced;
use super::{Batch, Limits, Now, Retention, RetentionFigures, StoreError, Writer};

/// What is safely in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Of the ring; what lies before it may be overwritten.
    pub(crate) ring_position: u64,
    pub(crate) row: i64,
    /// Not all of them move the position: what people decide, and what is found out of files, comes
    /// from elsewhere.
    pub(crate) batches: u64,
}

/// What cannot be done at present, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// Batches wait, and events in the ring.
    pub(crate) writing: Option<String>,
    /// What was written last stays in the log, and is not safe from a crash of the machine.
    pub(crate) log: Option<String>,
}

impl Troubles {
    /// As people are told.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = String> {
        let writing = self.writing.iter().map(|why| format!("nothing can be written: {why}"));
        let log = self.log.iter().map(|why| {
            format!("what was recorded last may not survive a crash of the machine: {why}")
        });
        writing.chain(log)
    }
}

const QUEUED_BATCHES: usize = 2;
const RETRY: Duration = Duration::from_secs(1);
/// How often it is asked whether there is upkeep to do, and at rest.
const LOOK: Duration = Duration::from_secs(1);
const IDLE_LOOK: Duration = Duration::from_secs(5);
/// After it could not be done.
const LATER: Duration = Duration::from_secs(60);

pub(crate) struct WriterThread {
    batches: Option<SyncSender<Box<Batch>>>,
    committed: watch::Receiver<Committed>,
    troubles: Arc<Mutex<Troubles>>,
    is_abandoned: Arc<AtomicBool>,
    retention: RetentionFigures,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// `is_damaged` is to be set by whoever meets damage.
    pub(crate) fn start(
        writer: Writer,
        start: Committed,
        limits: Limits,
        boot: BootId,
        is_damaged: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let retention = Retention::new(limits);
        let figures = retention.figures();
        let (batches, receiver) = sync_channel(QUEUED_BATCHES);
        let (sender, committed) = watch::channel(start);
        let troubles = Arc::<Mutex<Troubles>>::default();
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            writer,
            committed: sender,
            troubles: troubles.clone(),
            is_abandoned: is_abandoned.clone(),
            is_damaged,
            boot,
            retention,
            next_look: Instant::now(),
            next_look_at_log: Instant::now(),
            next_preparation: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || worker.run(&receiver))?;
        Ok(Self {
            batches: Some(batches),
            committed,
            troubles,
            is_abandoned,
            retention: figures,
            thread: Some(thread),
        })
    }

    /// Hands a batch over, or gives it back while the queue is full.
    pub(crate) fn try_send(&self, batch: Box<Batch>) -> Result<(), Box<Batch>> {
        match &self.batches {
            None => Err(batch),
            Some(batches) => batches.try_send(batch).map_err(|error| match error {
                TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
            }),
        }
    }

    pub(crate) fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.clone()
    }

    pub(crate) fn troubles(&self) -> Arc<Mutex<Troubles>> {
        self.troubles.clone()
    }

    /// What is kept, and what was deleted.
    pub(crate) fn retention(&self) -> RetentionFigures {
        self.retention.clone()
    }

    /// It panicked, or found the database damaged or gone.
    pub(crate) fn has_died(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Writes what is queued and ends. Gives up on a batch that cannot be written within
    /// `patience`: the ring still holds it for the next start.
    pub(crate) fn finish(mut self, patience: Duration) {
        self.batches = None;
        let Some(thread) = self.thread.take() else { return };
        let deadline = std::time::Instant::now() + patience;
        while !thread.is_finished() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.is_abandoned.store(true, Ordering::Relaxed);
        if thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }
}

struct Worker {
    writer: Writer,
    committed: watch::Sender<Committed>,
    troubles: Arc<Mutex<Troubles>>,
    is_abandoned: Arc<AtomicBool>,
    is_damaged: Arc<AtomicBool>,
    boot: BootId,
    retention: Retention,
    next_look: Instant,
    next_look_at_log: Instant,
    next_preparation: Instant,
}

impl Worker {
    fn run(&mut self, batches: &Receiver<Box<Batch>>) {
        loop {
            let is_due = self.is_look_due() || self.is_preparation_due();
            let patience = if is_due { Duration::ZERO } else { IDLE_LOOK };
            let batch = match batches.recv_timeout(patience) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) if self.is_in_place() && self.is_whole() => {
                    if self.is_look_due() {
                        self.retain();
                    }
                    if self.is_preparation_due() {
                        self.prepare();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    if self.is_whole() {
                        self.tell_of_log(self.writer.checkpoint());
                    }
                    return;
                }
            };
            if !self.is_in_place() || !self.is_whole() {
                return;
            }
            let begun = Instant::now();
            let Some(counts) = self.write(&batch) else { return };
            self.committed.send_modify(|committed| {
                committed.batches += 1;
                if let Some(ring) = &batch.ring {
                    committed.ring_position = ring.position;
                }
                if let Some(last) = batch.records.iter().map(|pending| pending.record.row).max() {
                    committed.row = committed.row.max(last);
                }
            });
            for (change, count) in batch.changes.into_iter().zip(counts) {
                // Whoever asked may have gone.
                let _ = change.answer.send(count);
            }
            let (written, took) = (Instant::now(), begun.elapsed());
            // Where the queue is never empty, that is the only time for it.
            while self.is_look_due() && written.elapsed() < took {
                self.retain();
            }
        }
    }

    /// False where the files were taken away: whoever owns this thread begins again, from the ring,
    /// with those that are there then.
    fn is_in_place(&mut self) -> bool {
        let Some(displaced) = self.writer.displaced() else { return true };
        let path = self.writer.path().to_owned();
        let dealt_with = match displaced {
            Displaced::Log => {
                tracing::error!(
                    "the log of database {} was removed: what it held is put into the database, \
                     and recording begins anew",
                    path.display()
                );
                self.writer.empty_log()
            }
            Displaced::Database => {
                tracing::error!(
                    "database {} was removed or replaced: what it held is gone with it; recording \
                     begins anew, from what the ring holds",
                    path.display()
                );
                Writer::note_removal(&path, now_ns())
            }
        };
        if let Err(error) = dealt_with {
            tracing::error!("{error}");
        }
        false
    }

    /// False where damage was met by somebody who does not write batches: it is set aside then.
    fn is_whole(&self) -> bool {
        let is_damaged = self.is_damaged.load(Ordering::Relaxed);
        if is_damaged {
            let path = self.writer.path();
            let trouble = format!("database {} is damaged", path.display());
            tracing::error!("{trouble}; recording begins anew");
            self.change_troubles(|troubles| troubles.writing = Some(trouble));
            set_aside(path);
        }
        !is_damaged
    }

    fn is_look_due(&self) -> bool {
        Instant::now() >= self.next_look
    }

    fn is_preparation_due(&self) -> bool {
        Instant::now() >= self.next_preparation
    }

    /// One step of retention, and a look at what it adds to as well.
    fn retain(&mut self) {
        if Instant::now() >= self.next_look_at_log {
            self.look_at_log();
        }
        let done = self.retention.step(&mut self.writer, now(self.boot));
        self.note_damage(&done);
        self.next_look = Instant::now() + pause(done, "what is too old cannot be deleted");
    }

    /// One step for searches: only where no batch waits, for these can.
    fn prepare(&mut self) {
        let done = self.writer.prepare_searches();
        self.note_damage(&done);
        self.next_preparation = Instant::now() + pause(done, "searches cannot be prepared");
    }

    fn note_damage(&self, done: &Result<bool, StoreError>) {
        if let Err(StoreError::Corrupt { .. }) = done {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
    }

    /// Tries until it works; `None` when told to give up.
    fn write(&mut self, batch: &Batch) -> Option<Vec<u32>> {
        let mut is_told = false;
        loop {
            match self.writer.write(batch) {
                Ok(counts) => {
                    if is_told {
                        tracing::info!("the database can be written again");
                        self.change_troubles(|troubles| troubles.writing = None);
                    }
                    return Some(counts);
                }
                Err(error) => {
                    if !is_told {
                        tracing::error!("{error}; recording waits in the ring");
                        is_told = true;
                    }
                    self.change_troubles(|troubles| troubles.writing = Some(error.to_string()));
                    if let StoreError::Corrupt { path, .. } = &error {
                        set_aside(path);
                        return None;
                    }
                }
            }
            if self.is_abandoned.load(Ordering::Relaxed) {
                return None;
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Whether the log is put into the database, which SQLite does by itself and does not tell when
    /// it fails.
    fn look_at_log(&mut self) {
        self.next_look_at_log = Instant::now() + LOOK;
        self.tell_of_log(self.writer.shorten_log());
    }

    fn tell_of_log(&self, shortened: Result<(), StoreError>) {
        let trouble = shortened.err().map(|error| error.to_string());
        let mut works_again = false;
        self.change_troubles(|troubles| {
            match (&troubles.log, &trouble) {
                (None, Some(error)) => {
                    tracing::error!("the log cannot be put into the database: {error}");
                }
                (Some(_), None) => works_again = true,
                _ => {}
            }
            troubles.log = trouble;
        });
        if works_again {
            self.look_through();
        }
    }

    /// A disk tells once that it lost something. What it lost may have been a part of the log, which
    /// was put into the database all the same.
    fn look_through(&self) {
        tracing::info!("the log can be put into the database again, which is looked through");
        match self.writer.is_sound() {
            Ok(true) => {}
            Ok(false) | Err(StoreError::Corrupt { .. }) => {
                self.is_damaged.store(true, Ordering::Relaxed);
            }
            Err(error) => tracing::error!("the database cannot be looked through: {error}"),
        }
    }

    fn change_troubles(&self, change: impl FnOnce(&mut Troubles)) {
        change(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Row numbers of the old one mean nothing in the new one: whoever owns the thread begins again, from
/// the ring.
fn set_aside(path: &Path) {
    if let Err(error) = Writer::replace(path, now_ns()) {
        tracing::error!("{error}");
    }
}

/// Until the next step of something that had more to do, or had not.
fn pause(done: Result<bool, StoreError>, failure: &str) -> Duration {
    match done {
        Ok(true) => Duration::ZERO,
        Ok(false) => LOOK,
        Err(error) => {
            tracing::error!("{failure}: {error}");
            LATER
        }
    }
}

fn now(boot: BootId) -> Now {
    // Every kernel that this runs on has the clock.
    let boottime = clock_gettime(ClockId::CLOCK_BOOTTIME);
    let boottime_ns = boottime.map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec());
    Now { wall_ns: now_ns(), boottime_ns, boot }
}

fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
