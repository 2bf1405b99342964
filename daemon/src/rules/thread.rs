//! The thread that owns the rules.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::rule::{Affected, Origin, Report};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{oneshot, watch};

use super::directory::Directory;
use super::pattern::Pattern;
use super::{compile, tell, upload};
use crate::detect::{Compiled, Entry, Tried, without};
use crate::recorder::pipeline::Handle as Pipeline;
use crate::store::Reader;

/// Files are read when nothing happened to them for so long: editors and package managers write
/// several at a time.
const QUIET: Duration = Duration::from_millis(300);
/// A directory that appears later is found by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

pub(super) enum Order {
    Reload(oneshot::Sender<()>),
    /// As above, and a directory that is gone is not missed any more.
    Accept(oneshot::Sender<()>),
    Upload {
        name: String,
        content: Vec<u8>,
        answer: oneshot::Sender<Report>,
    },
    Remove {
        patterns: Vec<Pattern>,
        answer: oneshot::Sender<Result<Affected, String>>,
    },
    /// Something happened below a directory: see [`Watch::look`].
    Look,
    Stop,
}

pub(super) struct Worker {
    pub(super) directories: Vec<Directory>,
    pub(super) reader: Reader,
    pub(super) tried: Tried,
    pub(super) pipeline: Pipeline,
    pub(super) catalogue: Arc<Mutex<Arc<Vec<Entry>>>>,
    pub(super) troubles: Arc<Mutex<Vec<String>>>,
    pub(super) changed: watch::Sender<u64>,
}

impl Worker {
    /// Runs until [`Order::Stop`].
    pub(super) fn start(mut self) -> std::io::Result<(SyncSender<Order>, JoinHandle<()>)> {
        let (sender, orders) = sync_channel(16);
        let woken = sender.clone();
        let thread = std::thread::Builder::new().name("rules".to_owned()).spawn(move || {
            let mut watch = Watch::new(woken);
            watch.look(&self.directories);
            self.run(&orders, &mut watch);
        })?;
        Ok((sender, thread))
    }

    fn run(&mut self, orders: &Receiver<Order>, watch: &mut Watch) {
        let mut due: Option<Instant> = None;
        loop {
            let wait = match due {
                Some(due) => due.saturating_duration_since(Instant::now()),
                None => LOOK_AGAIN,
            };
            match orders.recv_timeout(wait) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => {
                    self.obey(order);
                    // It may have made a directory, which is to be missed from now on.
                    watch.next_look = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if watch.look(&self.directories) {
                due = Some(Instant::now() + QUIET);
            } else if due.is_some_and(|due| Instant::now() >= due) {
                due = None;
                tracing::info!("files of rules have changed");
                self.reload();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload(answer) => {
                self.reload();
                let _ = answer.send(());
            }
            Order::Accept(answer) => {
                self.directories.iter_mut().for_each(Directory::accept);
                self.reload();
                let _ = answer.send(());
            }
            Order::Upload { name, content, answer } => {
                let _ = answer.send(self.upload(&name, &content));
            }
            Order::Remove { patterns, answer } => {
                let _ = answer.send(self.remove(&patterns));
            }
            Order::Look | Order::Stop => {}
        }
    }

    /// Reads and compiles everything, and puts it into force.
    fn reload(&mut self) {
        let (Compiled { entries, ruleset }, troubles) =
            compile(&mut self.directories, &self.reader, &mut self.tried);
        tell(&entries, &ruleset, &troubles);
        if let Ok(mut current) = self.troubles.lock() {
            *current = troubles;
        }
        self.pipeline.set_rules(ruleset);
        if let Ok(mut catalogue) = self.catalogue.lock() {
            *catalogue = Arc::new(entries);
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// As they were listed last.
    fn entries(&self) -> Arc<Vec<Entry>> {
        self.catalogue.lock().map_or_else(|_| Arc::default(), |entries| entries.clone())
    }

    fn uploaded(&self) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.origin == Origin::Uploaded)
    }

    fn upload(&mut self, name: &str, content: &[u8]) -> Report {
        let entries = self.entries();
        let mut report = upload::report(name, content, &entries, &mut self.tried);
        if !upload::is_usable(&report) {
            return report;
        }
        let written = match self.uploaded() {
            Some(directory) => directory.write(&report.file, content),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = written {
            report.reason = Some(format!("it cannot be stored: {error}"));
            return report;
        }
        self.reload();
        report.is_stored = true;
        // As they stand among the others.
        let entries = self.entries();
        for rule in &mut report.rules {
            let stored = entries.iter().map(|entry| &entry.info).find(|info| {
                info.origin == Origin::Uploaded
                    && info.file == report.file
                    && info.document == rule.document
            });
            if let Some(stored) = stored {
                *rule = stored.clone();
            }
        }
        report
    }

    fn remove(&mut self, patterns: &[Pattern]) -> Result<Affected, String> {
        let entries = self.entries();
        let meant: Vec<&Entry> = entries
            .iter()
            .filter(|entry| patterns.iter().any(|pattern| pattern.fits(&entry.info)))
            .collect();
        let mut by_file: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for entry in &meant {
            if entry.info.origin == Origin::Uploaded {
                by_file.entry(&entry.info.file).or_default().push(entry.info.document);
            }
        }
        let mut changed = 0;
        let mut failure = None;
        for (file, documents) in by_file {
            match self.remove_from(file, &documents, &entries) {
                Ok(()) => changed += documents.len(),
                Err(error) => failure = Some(format!("{file} cannot be changed: {error}")),
            }
        }
        if changed > 0 {
            self.reload();
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(Affected { meant: count(meant.len()), changed: count(changed) }),
        }
    }

    /// Takes documents out of a file, which goes with its last one.
    fn remove_from(&self, file: &str, documents: &[u32], entries: &[Entry]) -> std::io::Result<()> {
        let directory = self.uploaded().ok_or(std::io::ErrorKind::NotFound)?;
        let all = entries
            .iter()
            .filter(|entry| entry.info.origin == Origin::Uploaded && entry.info.file == file)
            .count();
        if documents.len() >= all {
            return directory.remove(file);
        }
        let content = std::fs::read_to_string(directory.path.join(file))?;
        directory.write(file, without(&content, documents).as_bytes())
    }
}

/// Watches those directories that are there.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// With device and inode: one that was replaced is another.
    watched: Vec<(PathBuf, (u64, u64))>,
    next_look: Instant,
    has_changed: Arc<AtomicBool>,
}

impl Watch {
    fn new(orders: SyncSender<Order>) -> Self {
        let has_changed = Arc::new(AtomicBool::new(false));
        let flag = has_changed.clone();
        let told = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                flag.store(true, Ordering::Relaxed);
                // With the queue full the thread is awake, and will look.
                let _ = orders.try_send(Order::Look);
            }
        };
        let watcher = notify::recommended_watcher(told)
            .map_err(|error| tracing::warn!("changes of rules go unnoticed: {error}"))
            .ok();
        Self { watcher, watched: Vec::new(), next_look: Instant::now(), has_changed }
    }

    /// True if files have changed, or a directory has come or gone.
    fn look(&mut self, directories: &[Directory]) -> bool {
        let has_changed = self.has_changed.swap(false, Ordering::Relaxed);
        if !has_changed && Instant::now() < self.next_look {
            return false;
        }
        self.next_look = Instant::now() + LOOK_AGAIN;
        let mut is_other = has_changed;
        for directory in directories {
            // What was read may have gone before it was watched.
            is_other |= self.follow(directory) | directory.is_another();
        }
        is_other
    }

    /// Watches the directory that is there now; true if it was not watched before, or another was.
    fn follow(&mut self, directory: &Directory) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let path = &directory.path;
        let found = directory.identity();
        let known = self.watched.iter().position(|(watched, _)| watched == path);
        if known.map(|at| self.watched[at].1) == found {
            return false;
        }
        if let Some(at) = known {
            // Fails for a directory that is gone.
            let _ = watcher.unwatch(path);
            self.watched.swap_remove(at);
        }
        let mut is_other = known.is_some();
        if let Some(identity) = found
            && watcher.watch(path, RecursiveMode::Recursive).is_ok()
        {
            self.watched.push((path.clone(), identity));
            is_other = true;
        }
        is_other
    }
}
