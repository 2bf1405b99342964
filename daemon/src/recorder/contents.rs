//! What is known of the files that are executed; asks for what is not.
//!
//! A file that has not changed costs one look-up. Of what is asked, the answer comes later: rules
//! that want a hash wait for it, nothing else does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use common::binary::Unread;
use common::health::Files;
use common::record::{Content, FileContent, FileIdentity, PathState, Record, Source};
use quick_cache::unsync::Cache;

use crate::binaries::{About, Answer, Figures, Question};
use crate::sensor::opening::{Wanted, Way};
use crate::settings::Binaries;
use crate::store::Finding;

/// Time in which a file can be changed again without its times telling: they go by ticks of the
/// kernel, of at most 10 ms.
const TICK_NS: i64 = 20_000_000;
/// Records whose rules wait for a hash; more are not evaluated, and counted.
const MOST_WAITING: usize = 4096;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

pub(crate) struct Contents {
    known: Cache<FileIdentity, Content>,
    pending: Map<Key, Vec<Arc<Record>>>,
    waiting: usize,
    /// Images that were asked about, by their row; with the time of the next exec or the end of
    /// their process, once it is past.
    asked: Map<i64, Option<u64>>,
    /// `None` where nothing is read.
    questions: Option<SyncSender<Question>>,
    most_bytes: u64,
    not_asked: u64,
    /// Kept by those who read.
    figures: Figures,
}

/// One file is asked about once at a time, unless it was changed just before it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    File(FileIdentity),
    Row(i64),
}

/// What can be said of an executable at once.
pub(crate) enum Look {
    Settled(Content),
    /// It is known now, and the record has to say so.
    Found(Content, Finding),
    Asked,
}

impl Contents {
    pub(crate) fn new(
        questions: Option<SyncSender<Question>>,
        limits: &Binaries,
        figures: Figures,
    ) -> Self {
        Self {
            known: Cache::new(limits.cache_entries.max(1)),
            pending: Map::default(),
            waiting: 0,
            asked: Map::default(),
            questions,
            most_bytes: limits.file_limit_bytes,
            not_asked: 0,
            figures,
        }
    }

    /// Reads nothing.
    pub(crate) fn none() -> Self {
        let limits = Binaries {
            cache_entries: 1,
            file_limit_bytes: 0,
            total_limit_bytes: 0,
            min_free_bytes: 0,
        };
        Self::new(None, &limits, Figures::default())
    }

    /// Files that are being read, or wait for it.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// With what the threads have done.
    pub(crate) fn figures(&self) -> Files {
        let files = self.figures.lock().map(|files| files.clone()).unwrap_or_default();
        Files { waiting: self.pending.len() as u64, not_asked: self.not_asked, ..files }
    }

    /// Of the executable of an image that begins. The record has its row already.
    pub(crate) fn look(&mut self, record: &Record) -> Look {
        let (Some(identity), true) = (record.executable.identity(), self.questions.is_some())
        else {
            return Look::Settled(Content::Unknown);
        };
        let key = if record.source == Source::Exec && is_fresh(&identity, record.time_ns) {
            Key::Row(record.row)
        } else {
            Key::File(identity)
        };
        if let Key::File(identity) = key {
            if let Some(content) = self.known.get(&identity) {
                return Look::Settled(content.clone());
            }
            if self.pending.contains_key(&key) {
                return Look::Asked;
            }
        }
        if identity.size_bytes > self.most_bytes {
            self.known.insert(identity, Content::Unread(Unread::TooLarge));
            return found(identity, Unread::TooLarge);
        }
        let question = Question {
            about: About::File(identity),
            wanted: wanted(record, Some(identity), &record.executable.path.bytes),
            row: record.row,
            time_ns: record.time_ns,
            is_exec: record.source == Source::Exec,
        };
        if self.ask(question) {
            self.pending.insert(key, Vec::new());
            self.asked.insert(record.row, None);
            Look::Asked
        } else {
            found(identity, Unread::Busy)
        }
    }

    /// Asks for the script that the image interprets; a finding where that cannot be done.
    pub(crate) fn look_at_script(&mut self, record: &Record) -> Option<Finding> {
        let script = record.script.as_deref()?;
        self.questions.as_ref()?;
        let path = absolute(script, record);
        // A relative name is lost where the directory is not known.
        let Some(path) = path else { return Some(unread_script(record, script, Unread::Gone)) };
        let question = Question {
            about: About::Script,
            wanted: wanted(record, None, &path),
            row: record.row,
            time_ns: record.time_ns,
            is_exec: record.source == Source::Exec,
        };
        let is_asked = self.ask(question);
        (!is_asked).then(|| unread_script(record, &path, Unread::Busy))
    }

    fn ask(&mut self, question: Question) -> bool {
        let Some(questions) = &self.questions else { return false };
        match questions.try_send(question) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.not_asked += 1;
                false
            }
        }
    }

    /// Has `record` told to [`Self::take`] once the content of its executable is known. False if too
    /// many wait.
    pub(crate) fn wait(&mut self, record: &Arc<Record>) -> bool {
        if self.waiting >= MOST_WAITING {
            return false;
        }
        let Some(identity) = record.executable.identity() else { return false };
        let keys = [Key::Row(record.row), Key::File(identity)];
        let Some(waiting) = keys
            .iter()
            .find(|key| self.pending.contains_key(key))
            .and_then(|key| self.pending.get_mut(key))
        else {
            return false;
        };
        waiting.push(record.clone());
        self.waiting += 1;
        true
    }

    /// The process of the image in `row` executes something else, or ends.
    pub(crate) fn moved_on(&mut self, row: i64, boottime_ns: u64) {
        if !self.asked.is_empty()
            && let Some(until) = self.asked.get_mut(&row)
        {
            until.get_or_insert(boottime_ns);
        }
    }

    /// These copies are gone: when they run again, they are to be kept again.
    pub(crate) fn forget(&mut self, sha256: &[String]) {
        let gone: HashSet<&str> = sha256.iter().map(String::as_str).collect();
        self.known.retain(|_, content| {
            content.read().is_none_or(|read| !gone.contains(&*read.hashes.sha256))
        });
    }

    /// What to record of an answer, and the records that waited for it, with the content filled in.
    pub(crate) fn take(&mut self, answer: Answer) -> (Vec<Finding>, Vec<Record>) {
        let Answer { question, mut content, way, stored_bytes, script, is_final, is_recorded } =
            answer;
        let identity = match question.about {
            About::File(identity) => identity,
            About::Script => {
                let Some(file) = script else { return (Vec::new(), Vec::new()) };
                if file.identity().is_some_and(|file| is_fresh(&file, question.time_ns)) {
                    content = uncertain(&content);
                }
                let (row, time_ns) = (question.row, question.time_ns);
                let finding = Finding::Script { row, time_ns, file, content, stored_bytes };
                return (vec![finding], Vec::new());
            }
        };
        let until = self.asked.remove(&question.row).flatten();
        let is_fresh = is_fresh(&identity, question.time_ns);
        let mut findings = Vec::new();
        match way {
            Some(Way::Process { boottime_ns, ctime_ns }) if ctime_ns != identity.ctime_ns => {
                if until.is_none_or(|until| until > boottime_ns) {
                    // Most likely a name was removed. But a process can let go of its own file
                    // (`PR_SET_MM`; before Linux 5.15 by unmapping it), and write to it.
                    content = uncertain(&content);
                } else if let Content::Read(content) =
                    // Something else ran by then, and the file may have been written to.
                    std::mem::replace(&mut content, Content::Unread(Unread::Changed))
                {
                    // The copy has been made; it is nobody's.
                    let size_bytes = identity.size_bytes;
                    findings.push(Finding::Orphan { content, size_bytes, stored_bytes });
                }
            }
            Some(Way::Path) if is_fresh => content = uncertain(&content),
            _ => {}
        }
        let is_lasting = match &content {
            Content::Read(read) => is_final && (is_recorded || !read.is_uncertain),
            Content::Unread(reason) => is_final && *reason == Unread::Failed,
            Content::Unknown => false,
        };
        if is_lasting {
            self.known.insert(identity, content.clone());
        }
        let keys = [Key::Row(question.row), Key::File(identity)];
        let waited = keys.iter().find_map(|key| self.pending.remove(key)).unwrap_or_default();
        self.waiting -= waited.len();
        let records = waited
            .iter()
            .map(|record| Record { content: content.clone(), ..(**record).clone() })
            .collect();
        if !is_recorded {
            // What another exec of the same identity finds later may not be what this one ran.
            let is_doubtful = is_fresh && content.read().is_none();
            findings.push(Finding::File { identity, content, stored_bytes, is_doubtful });
        }
        (findings, records)
    }
}

/// What was read later, by its path, of a file that was changed just before it ran.
fn uncertain(content: &Content) -> Content {
    match content {
        Content::Read(read) => {
            Content::Read(Arc::new(FileContent { is_uncertain: true, ..(**read).clone() }))
        }
        other => other.clone(),
    }
}

fn found(identity: FileIdentity, reason: Unread) -> Look {
    let content = Content::Unread(reason);
    let finding =
        Finding::File { identity, content: content.clone(), stored_bytes: 0, is_doubtful: false };
    Look::Found(content, finding)
}

fn unread_script(record: &Record, script: &[u8], reason: Unread) -> Finding {
    Finding::Script {
        row: record.row,
        time_ns: record.time_ns,
        file: crate::binaries::unknown_file(script),
        content: Content::Unread(reason),
        stored_bytes: 0,
    }
}

/// Its times are so new that they would not tell another change.
pub(crate) fn is_fresh(identity: &FileIdentity, time_ns: i64) -> bool {
    time_ns.abs_diff(identity.ctime_ns) < TICK_NS.unsigned_abs()
}

fn wanted(record: &Record, identity: Option<FileIdentity>, path: &[u8]) -> Wanted {
    Wanted {
        identity,
        pid: record.process.pid,
        other_pid: record.parent.as_ref().map_or(0, |parent| parent.process.pid),
        mount_namespace: record.context.namespaces.mount,
        path: path.to_vec(),
    }
}

fn absolute(script: &[u8], record: &Record) -> Option<Vec<u8>> {
    if script.starts_with(b"/") {
        return Some(script.to_vec());
    }
    let directory = &record.working_directory;
    if directory.state != PathState::Complete || script.is_empty() {
        return None;
    }
    Some([&directory.bytes, &b"/"[..], script].concat())
}

#[cfg(test)]
mod tests;
