//! Reads each executed file once: hashes, facts, owner, and a copy while there is room.
//!
//! Small files that run now do not wait for large ones: they may be gone in a moment.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::binary::Unread;
use common::record::{Content, Executable, FileContent, FileIdentity};
use nix::sys::stat::fstat;

use super::intake::{self, Taken};
use super::package::Packages;
use super::stock::{Place, Stock};
use super::{About, Answer, Found, Question, capabilities, elf};
use crate::recorder::pipeline::Handle;
use crate::recorder::{boottime_ns, is_fresh};
use crate::sensor::opening::Way;

/// Attempts at a file that is unlinked or renamed just while it is read.
const MOST_ATTEMPTS: usize = 3;
/// Larger files, and those of processes that ran already, are read by another thread.
const SMALL_BYTES: u64 = 8 << 20;
/// How often it is looked whether the copies are still there.
const LOOK: Duration = Duration::from_secs(5);

/// An open file to be read.
pub(super) struct Job {
    pub(super) question: Question,
    pub(super) file: OwnedFd,
    pub(super) way: Way,
    pub(super) script: Option<Arc<Executable>>,
}

impl Job {
    pub(super) fn is_urgent(&self) -> bool {
        let is_small = |identity: FileIdentity| identity.size_bytes <= SMALL_BYTES;
        self.question.is_exec && self.identity().is_none_or(is_small)
    }

    fn identity(&self) -> Option<FileIdentity> {
        match (self.question.about, &self.script) {
            (About::File(identity), _) => Some(identity),
            (About::Script, script) => script.as_ref().and_then(|script| script.identity()),
        }
    }
}

#[derive(Clone)]
pub(super) struct Keeper {
    stock: Arc<Stock>,
    packages: Arc<Mutex<Packages>>,
    pipeline: Handle,
}

impl Keeper {
    pub(super) fn new(stock: Arc<Stock>, pipeline: Handle) -> Self {
        Self { stock, packages: Arc::new(Mutex::new(Packages::new())), pipeline }
    }

    /// Until the opener has ended.
    pub(super) fn run(self, jobs: &Receiver<Box<Job>>) {
        yield_to_others();
        while let Ok(job) = jobs.recv() {
            self.answer(*job);
        }
    }

    /// As [`Self::run`], and sees to the copies that are kept already.
    pub(super) fn run_and_look_after(self, jobs: &Receiver<Box<Job>>) {
        yield_to_others();
        let mut next_look = Instant::now();
        loop {
            if Instant::now() >= next_look {
                self.stock.look_after();
                next_look = Instant::now() + LOOK;
            }
            match jobs.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
                Ok(job) => self.answer(*job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&self, job: Job) {
        let answer = self.keep(job);
        self.stock.publish(&answer.content);
        self.pipeline.found(Found::Answer(Box::new(answer)));
    }

    fn keep(&self, job: Job) -> Answer {
        let began_ns = now_ns();
        let identity = job.identity();
        let Job { question, file, mut way, script } = job;
        let file = File::from(file);
        let read = match identity {
            Some(identity) => self.read(&file, &identity, &mut way, &question),
            None => Err(Unread::Failed),
        };
        let (content, stored_bytes) = match read {
            Ok((content, stored_bytes)) => (Content::Read(Arc::new(content)), stored_bytes),
            Err(reason) => (Content::Unread(reason), 0),
        };
        // While its times are new, the file can change and keep them.
        let is_final = identity.is_some_and(|identity| !is_fresh(&identity, began_ns));
        let script = match &content {
            Content::Read(_) => script,
            // The file at its path now is not known to be the one that ran.
            _ => script.map(|script| super::unknown_file(&script.path.bytes)),
        };
        Answer {
            question,
            content,
            stored_bytes,
            way: Some(way),
            script,
            is_final,
            is_recorded: false,
        }
    }

    fn read(
        &self,
        file: &File,
        identity: &FileIdentity,
        way: &mut Way,
        question: &Question,
    ) -> Result<(FileContent, u64), Unread> {
        let elf = guarded(|| elf::facts(file, identity.size_bytes));
        let taken = self.take(file, identity, way)?;
        let stat = fstat(file).map_err(|_| Unread::Failed)?;
        let path = &question.wanted.path;
        let package = guarded(|| {
            let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
            packages.owner(path, stat.st_dev, stat.st_ino, &taken.hashes)
        });
        let capabilities = capabilities::of(file);
        let content = FileContent {
            hashes: taken.hashes,
            elf,
            package,
            capabilities,
            storage: taken.storage,
            is_uncertain: false,
        };
        Ok((content, taken.stored_bytes))
    }

    /// Reads it as what it was when it ran.
    fn take(&self, file: &File, identity: &FileIdentity, way: &mut Way) -> Result<Taken, Unread> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let place = self.stock.place(identity.size_bytes);
            let wanted = place.as_ref().map(Place::vault).map_err(|reason| *reason);
            let mut ctime_ns = 0;
            let limit = self.stock.file_limit_bytes();
            let taken = intake::take(file, limit, wanted, |after| {
                let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000) + ns;
                ctime_ns = ns(after.ctime(), after.ctime_nsec());
                after.len() == identity.size_bytes
                    && ns(after.mtime(), after.mtime_nsec()) == identity.mtime_ns
                    && (*way != Way::Path || ctime_ns == identity.ctime_ns)
            });
            let mut taken = match taken {
                // A name of it was removed or given while it was read.
                Err(Unread::Changed)
                    if matches!(way, Way::Process { .. }) && attempt < MOST_ATTEMPTS =>
                {
                    continue;
                }
                taken => taken?,
            };
            if let Way::Process { boottime_ns: opened_ns, ctime_ns: opened_ctime_ns } = way
                && ctime_ns != *opened_ctime_ns
            {
                // The process has to have run it until now.
                *opened_ns = boottime_ns();
                *opened_ctime_ns = ctime_ns;
            }
            self.stock.settle(&mut taken);
            return Ok(taken);
        }
    }
}

/// A fault in what takes a hostile file, or a damaged database of packages, apart costs the answer
/// and not the thread.
fn guarded<T>(look: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
        tracing::error!("an executed file was not described: please report this");
        None
    })
}

/// Where there is work for all, recording comes first.
fn yield_to_others() {
    const NICE: i32 = 10;
    // Of this thread only, on Linux.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("files are read at full priority: {error}");
    }
}

fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
