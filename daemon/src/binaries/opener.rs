//! Has files opened by the broker: soon, and in small groups.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use common::binary::{Storage, Unread};
use common::record::{Content, Executable, FileIdentity, PathState, PathText};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, fstat};
use quick_cache::unsync::Cache;

use super::keeper::Job;
use super::{About, Answer, Figures, Jobs, Question, unknown_file};
use crate::recorder::is_fresh;
use crate::recorder::pipeline::Handle;
use crate::sensor::opening::{self, MOST_AT_ONCE, Opened, Wanted, Way, identity_of};
use crate::store::Reader;

/// For one file. A file system that does not answer must not stop everything.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions looked at together: the same script is opened once for all of them.
const GROUP: usize = 256;
/// Of files that nobody looked at before.
const MOST_AGAIN: u32 = 4096;
/// They are asked for while nothing else is.
const IDLE: Duration = Duration::from_millis(50);
/// Rows are numbered from 1.
const NO_ROW: i64 = 0;
const MOST_SCRIPTS: usize = 1024;
const SCRIPTS: Duration = Duration::from_secs(10);

pub(super) struct Opener {
    broker: OwnedFd,
    jobs: Jobs,
    reader: Reader,
    pipeline: Handle,
    figures: Figures,
    next: u32,
    /// Answers that are late; they are thrown away when they come.
    overdue: usize,
    overdue_since: Instant,
    is_broker_gone: bool,
    /// Of the recorder before.
    again: VecDeque<Question>,
    /// What the last scripts were, so that a busy one costs no query each time.
    scripts: Cache<FileIdentity, (Content, u64)>,
    scripts_since: Instant,
}

/// How many files the broker may be asked for.
enum Readiness {
    Ready,
    Worth(usize),
}

impl Opener {
    pub(super) fn new(
        broker: OwnedFd,
        jobs: Jobs,
        reader: Reader,
        pipeline: Handle,
        figures: Figures,
    ) -> Self {
        Self {
            broker,
            jobs,
            reader,
            pipeline,
            figures,
            next: 0,
            overdue: 0,
            overdue_since: Instant::now(),
            is_broker_gone: false,
            again: VecDeque::new(),
            scripts: Cache::new(MOST_SCRIPTS),
            scripts_since: Instant::now(),
        }
    }

    /// Until the pipeline has ended.
    pub(super) fn run(mut self, questions: &Receiver<Question>) {
        self.remember_unanswered();
        loop {
            let first = if self.again.is_empty() {
                questions.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                questions.recv_timeout(IDLE)
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.ask_again();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group = vec![first];
            group.extend(questions.try_iter().take(GROUP - 1));
            let unknown: Vec<Question> = group
                .into_iter()
                .filter_map(|question| self.answer_from_record(question))
                .collect();
            let mut same = gather(unknown);
            while !same.is_empty() {
                let rest = same.split_off(same.len().min(MOST_AT_ONCE));
                self.open(std::mem::replace(&mut same, rest));
            }
        }
    }

    /// What was not answered when the recorder before ended.
    fn remember_unanswered(&mut self) {
        let unexplained = self.reader.unexplained(MOST_AGAIN).unwrap_or_else(|error| {
            tracing::warn!("files of before are not looked at: {error}");
            Vec::new()
        });
        let questions = unexplained.into_iter().map(|(identity, path, time_ns)| Question {
            about: About::File(identity),
            wanted: Wanted {
                identity: Some(identity),
                pid: 0,
                other_pid: 0,
                mount_namespace: 0,
                path,
            },
            row: NO_ROW,
            time_ns,
            is_exec: false,
        });
        self.again = questions.collect();
    }

    fn ask_again(&mut self) {
        let most = self.again.len().min(MOST_AT_ONCE);
        let groups = self.again.drain(..most).map(|question| vec![question]).collect();
        self.open(groups);
        if self.is_broker_gone {
            self.again.clear();
        }
    }

    /// Gives the question back if the database does not know the file.
    fn answer_from_record(&mut self, question: Question) -> Option<Question> {
        let About::File(identity) = question.about else { return Some(question) };
        if is_fresh(&identity, question.time_ns) {
            return Some(question);
        }
        let Some((content, stored_bytes)) = self.recorded(&identity) else {
            return Some(question);
        };
        self.send(Answer {
            question,
            content,
            stored_bytes,
            way: None,
            script: None,
            is_final: true,
            is_recorded: true,
        });
        None
    }

    /// What is known, if a copy is kept too: one that was evicted is worth another look.
    fn recorded(&self, identity: &FileIdentity) -> Option<(Content, u64)> {
        let found = self.reader.content_of(identity).unwrap_or_else(|error| {
            tracing::warn!("a file was not looked up: {error}");
            None
        });
        let (content, stored_bytes) = found?;
        let is_kept = content
            .read()
            .is_some_and(|read| matches!(read.storage, Storage::Kept | Storage::NotKept));
        if is_kept && let Ok(mut figures) = self.figures.lock() {
            figures.known += 1;
        }
        is_kept.then_some((content, stored_bytes))
    }

    fn open(&mut self, groups: Vec<Vec<Question>>) {
        // One file tells whether the broker is with us again.
        let most = match self.readiness() {
            Readiness::Ready => usize::MAX,
            Readiness::Worth(probes) => probes,
        };
        let mut groups = groups;
        let reason = if self.is_broker_gone { Unread::Failed } else { Unread::Busy };
        for question in groups.split_off(groups.len().min(most)).into_iter().flatten() {
            self.refuse(question, reason);
        }
        let mut asked = HashMap::new();
        for group in groups {
            let Some(first) = group.first() else { continue };
            self.next = self.next.wrapping_add(1);
            match opening::ask(&self.broker, self.next, &first.wanted) {
                Ok(()) => {
                    asked.insert(self.next, group);
                }
                Err(error) => {
                    self.broker_is_gone(&error);
                    group.into_iter().for_each(|question| self.refuse(question, Unread::Failed));
                }
            }
        }
        while !asked.is_empty() {
            let Some((number, opened)) = self.next_answer(PATIENCE) else { break };
            // One that is late belongs to an earlier group.
            let Some(group) = asked.remove(&number) else {
                self.overdue = self.overdue.saturating_sub(1);
                continue;
            };
            // It answers in the order of the questions: what was asked before is lost.
            self.overdue = 0;
            self.opened(group, opened);
        }
        if !self.is_broker_gone && !asked.is_empty() {
            self.overdue += asked.len();
            self.overdue_since = Instant::now();
        }
        asked.into_values().flatten().for_each(|question| self.refuse(question, Unread::Failed));
    }

    /// A broker that hangs is left alone, but for one question now and then: it may have been
    /// replaced, and its successor does not know what was asked.
    fn readiness(&mut self) -> Readiness {
        if self.is_broker_gone {
            return Readiness::Worth(0);
        }
        while self.overdue > 0 && self.next_answer(Duration::ZERO).is_some() {
            self.overdue -= 1;
        }
        match self.overdue {
            0 => Readiness::Ready,
            _ if self.overdue_since.elapsed() < PATIENCE => Readiness::Worth(0),
            _ => Readiness::Worth(1),
        }
    }

    fn next_answer(&mut self, patience: Duration) -> Option<(u32, Opened)> {
        let mut fds = [PollFd::new(self.broker.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(0) => {
                if !patience.is_zero() {
                    tracing::warn!(
                        "an executed file could not be opened within {} s: does a file system \
                         hang?",
                        patience.as_secs()
                    );
                }
                return None;
            }
            // Reading would wait without an end.
            Err(nix::errno::Errno::EINTR) => return self.next_answer(patience),
            Ok(_) => {}
            Err(error) => {
                self.broker_is_gone(&error);
                return None;
            }
        }
        match opening::next_answer(&self.broker) {
            Ok(Some(answer)) => Some(answer),
            Ok(None) => {
                self.broker_is_gone(&"it closed its end");
                None
            }
            Err(error) => {
                self.broker_is_gone(&error);
                None
            }
        }
    }

    fn broker_is_gone(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.is_broker_gone, true) {
            tracing::warn!("executed files cannot be opened any more: {error}");
        }
    }

    fn opened(&mut self, group: Vec<Question>, opened: Opened) {
        let (file, way) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                return group.into_iter().for_each(|question| self.refuse(question, reason));
            }
        };
        for question in group {
            match file.try_clone() {
                Ok(file) => self.opened_one(question, file, way),
                Err(_) => self.refuse(question, Unread::Busy),
            }
        }
    }

    fn opened_one(&mut self, question: Question, file: OwnedFd, way: Way) {
        let script = match question.about {
            About::File(_) => None,
            About::Script => match self.script(&question, &file, way) {
                Ok(Some(script)) => Some(script),
                Ok(None) => return,
                Err(reason) => return self.refuse(question, reason),
            },
        };
        let job = Box::new(Job { question, file, way, script });
        if let Err(job) = self.jobs.send(job) {
            self.refuse(job.question, Unread::Busy);
        }
    }

    /// The file that the script is; `None` where the question has been answered.
    ///
    /// The kernel does not tell which file a script was, so it must not have been changed, or
    /// renamed, since the interpreter began.
    fn script(
        &mut self,
        question: &Question,
        file: &OwnedFd,
        way: Way,
    ) -> Result<Option<Arc<Executable>>, Unread> {
        let stat = fstat(file).map_err(|_| Unread::Failed)?;
        let script = Arc::new(executable(&question.wanted.path, &stat));
        if script.ctime_ns > question.time_ns {
            return Err(Unread::Changed);
        }
        let Some(identity) = script.identity() else { return Err(Unread::Failed) };
        if is_fresh(&identity, question.time_ns) {
            return Ok(Some(script));
        }
        if self.scripts_since.elapsed() > SCRIPTS {
            // A copy that was evicted meanwhile is to be kept again.
            self.scripts.clear();
            self.scripts_since = Instant::now();
        }
        let known = match self.scripts.get(&identity) {
            Some(known) => Some(known.clone()),
            None => self.recorded(&identity),
        };
        let Some((content, stored_bytes)) = known else { return Ok(Some(script)) };
        self.scripts.insert(identity, (content.clone(), stored_bytes));
        self.send(Answer {
            question: question.clone(),
            content,
            stored_bytes,
            way: Some(way),
            script: Some(script),
            is_final: true,
            is_recorded: true,
        });
        Ok(None)
    }

    fn refuse(&mut self, question: Question, reason: Unread) {
        if question.row == NO_ROW && reason == Unread::Busy {
            // There is no hurry.
            self.again.push_back(question);
            return;
        }
        if let Ok(mut figures) = self.figures.lock() {
            super::count(&mut figures.unread, reason);
        }
        let script = match question.about {
            About::File(_) => None,
            About::Script => Some(unknown_file(&question.wanted.path)),
        };
        self.send(Answer {
            question,
            content: Content::Unread(reason),
            stored_bytes: 0,
            way: None,
            script,
            is_final: false,
            is_recorded: false,
        });
    }

    fn send(&self, answer: Answer) {
        self.pipeline.found(super::Found::Answer(Box::new(answer)));
    }
}

/// Questions about one script by processes that see the same files belong together.
fn gather(questions: Vec<Question>) -> Vec<Vec<Question>> {
    let mut groups: Vec<Vec<Question>> = Vec::new();
    let mut by_script: HashMap<(u32, Vec<u8>), usize> = HashMap::new();
    for question in questions {
        if question.about == About::Script {
            let key = (question.wanted.mount_namespace, question.wanted.path.clone());
            if let Some(group) = by_script.get(&key).and_then(|index| groups.get_mut(*index)) {
                group.push(question);
                continue;
            }
            by_script.insert(key, groups.len());
        }
        groups.push(vec![question]);
    }
    groups
}

fn executable(path: &[u8], stat: &FileStat) -> Executable {
    let identity = identity_of(stat);
    Executable {
        path: PathText { bytes: path.into(), state: PathState::Complete },
        device_major: identity.device_major,
        device_minor: identity.device_minor,
        inode: identity.inode,
        size_bytes: identity.size_bytes,
        mtime_ns: identity.mtime_ns,
        ctime_ns: identity.ctime_ns,
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        ..Executable::absent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_script_is_opened_once_for_all_that_wait() {
        let question = |about, path: &str, mount_namespace| Question {
            about,
            wanted: Wanted {
                identity: None,
                pid: 1,
                other_pid: 0,
                mount_namespace,
                path: path.into(),
            },
            row: 1,
            time_ns: 0,
            is_exec: true,
        };
        let script = |path, namespace| question(About::Script, path, namespace);
        let identity = unknown_file(b"/x");
        let identity = Executable { mode: 1, ..(*identity).clone() }.identity().unwrap();
        let file = || question(About::File(identity), "/a", 1);
        let groups = gather(vec![
            script("/a", 1),
            script("/b", 1),
            script("/a", 1),
            script("/a", 2),
            file(),
            file(),
        ]);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1, 1]);
    }
}
