//! The processes that run now, as the record knows them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use common::id::ProcessId;
use common::record::{Parent, Record};
use ebpf::event::TaskId;

/// One running process.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) process: ProcessId,
    pub(crate) namespace_pid: u32,
    pub(crate) parent: Option<ParentLink>,
    /// The image it runs: its own, or at first that of its parent. `None`: not known.
    pub(crate) image: Option<Arc<Record>>,
    /// Rows of its images, oldest first; empty until there is one.
    pub(crate) rows: Vec<i64>,
    /// Number of its last exec.
    pub(crate) ordinal: u32,
    /// Has forked with the image of its newest row, which is a parent now and stays as it is.
    pub(crate) has_forked: bool,
    /// Was seen running by this recorder, not only by the one before.
    pub(crate) is_confirmed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ParentLink {
    pub(crate) parent: Parent,
    /// Row of the parent's image at that time.
    pub(crate) row: Option<i64>,
}

/// Ended processes remembered, to tell a second report of an end from an end without beginning.
const REMEMBERED_ENDS: usize = 8192;

#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashMap<TaskId, Entry, foldhash::fast::RandomState>,
    ended: VecDeque<TaskId>,
    /// Processes whose start is known to a tick of `/proc` only, by pid.
    inexact: HashMap<u32, TaskId>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, task: TaskId) -> Option<&Entry> {
        self.entries.get(&task)
    }

    pub(crate) fn get_mut(&mut self, task: TaskId) -> Option<&mut Entry> {
        self.entries.get_mut(&task)
    }

    pub(crate) fn insert(&mut self, task: TaskId, entry: Entry) {
        self.entries.insert(task, entry);
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.entries.keys().copied()
    }

    /// All processes by pid.
    pub(crate) fn by_pid(&self) -> HashMap<u32, Vec<TaskId>> {
        let mut by_pid = HashMap::<u32, Vec<TaskId>>::new();
        for task in self.entries.keys() {
            by_pid.entry(task.pid).or_default().push(*task);
        }
        by_pid
    }

    pub(crate) fn note_inexact(&mut self, task: TaskId) {
        self.inexact.insert(task.pid, task);
    }

    /// If `task` is known by its tick only: gives its entry the exact identity.
    pub(crate) fn make_exact(&mut self, task: TaskId, tick_ns: u64) -> Option<&mut Entry> {
        // Empty on kernels with a task iterator.
        let inexact = *self.inexact.get(&task.pid)?;
        if task.start_boottime_ns.wrapping_sub(inexact.start_boottime_ns) >= tick_ns {
            return None;
        }
        self.inexact.remove(&task.pid);
        let entry = self.entries.remove(&inexact)?;
        Some(self.entries.entry(task).or_insert(entry))
    }

    /// Takes out a process that ended.
    pub(crate) fn end(&mut self, task: TaskId) -> Option<Entry> {
        let entry = self.entries.remove(&task);
        if self.ended.len() >= REMEMBERED_ENDS {
            self.ended.pop_front();
        }
        self.ended.push_back(task);
        entry
    }

    pub(crate) fn has_ended(&self, task: TaskId) -> bool {
        // Two reports of one end come within microseconds: look from the newest.
        self.ended.iter().rev().any(|ended| *ended == task)
    }

    /// As [`Self::has_ended`], for a start that is known to the tick only.
    pub(crate) fn has_ended_in_tick(&self, task: TaskId, tick_ns: u64) -> bool {
        self.ended.iter().rev().any(|ended| {
            let later_ns = ended.start_boottime_ns.wrapping_sub(task.start_boottime_ns);
            ended.pid == task.pid && later_ns < tick_ns
        })
    }

    /// Takes out what the recorder before left as running and nobody has seen since.
    pub(crate) fn take_unconfirmed(&mut self) -> Vec<Entry> {
        let gone: Vec<TaskId> = self
            .entries
            .iter()
            .filter_map(|(task, entry)| (!entry.is_confirmed).then_some(*task))
            .collect();
        gone.into_iter().filter_map(|task| self.end(task)).collect()
    }
}
