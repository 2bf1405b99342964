//! The processes that already ran when the recorder began.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;

use common::record::Source;
use ebpf::event::{Body, TaskId};

use super::tracker::Tracker;
use super::{Running, clock, procfs};
use crate::sensor::RawProcess;

pub(crate) struct Taken {
    pub(crate) processes: usize,
    /// `iterator` or `proc`.
    pub(crate) source: &'static str,
    /// Everything that ran was seen, so that what was not seen has ended.
    pub(crate) is_complete: bool,
}

pub(crate) fn take(tracker: &mut Tracker, running: Running) -> Taken {
    let mut parents = Vec::new();
    let taken = match running {
        Running::Iterator(fd) => from_iterator(tracker, fd.into(), &mut parents),
        Running::Proc(raw) => from_proc(tracker, &raw, &mut parents),
    };
    tracker.snapshot_boottime_ns = clock::boottime_ns();
    tracker.relink_snapshot(&parents);
    taken
}

fn from_proc(
    tracker: &mut Tracker,
    raw: &[RawProcess],
    parents: &mut Vec<(TaskId, TaskId)>,
) -> Taken {
    let processes: Vec<_> = raw.iter().filter_map(procfs::Process::parse).collect();
    // What the table knows (from the ring or the database) it knows to the nanosecond.
    let known = tracker.table.by_pid();
    let tick_ns = procfs::tick_ns();
    let by_pid: HashMap<u32, TaskId> = processes
        .iter()
        .map(|process| {
            let task = process.task();
            let exact = known.get(&task.pid).into_iter().flatten().find(|exact| {
                exact.start_boottime_ns.wrapping_sub(task.start_boottime_ns) < tick_ns
            });
            (task.pid, exact.copied().unwrap_or(task))
        })
        .collect();
    for process in &processes {
        let pid = process.parent_pid();
        let unknown = TaskId { pid, start_boottime_ns: 0 };
        let parent = by_pid.get(&pid).copied().unwrap_or(unknown);
        let Some(task) = by_pid.get(&process.task().pid) else { continue };
        let image = process.image(*task, parent);
        parents.push((*task, parent));
        tracker.running(&image, Source::Proc, clock::boottime_ns());
        if *task == process.task() {
            tracker.table.note_inexact(*task);
        }
    }
    Taken { processes: parents.len(), source: "proc", is_complete: true }
}

const CHUNK_BYTES: usize = 256 << 10;

fn from_iterator(
    tracker: &mut Tracker,
    mut iterator: File,
    parents: &mut Vec<(TaskId, TaskId)>,
) -> Taken {
    let mut buffer = Vec::new();
    let mut is_complete = true;
    loop {
        let filled = buffer.len();
        buffer.resize(filled + CHUNK_BYTES, 0);
        let read = match iterator.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
            Err(error) => {
                tracing::error!("the task iterator broke off: {error}");
                is_complete = false;
                0
            }
        };
        buffer.truncate(filled + read);
        if read == 0 {
            break;
        }
        let mut records = ebpf::wire::records(&buffer);
        for record in &mut records {
            match record.map(|event| event.body) {
                Ok(Body::Running(image)) => {
                    parents.push((image.process, image.parent));
                    tracker.running(&image, Source::Iterator, clock::boottime_ns());
                }
                Ok(_) => {}
                Err(error) => {
                    tracker.progress.undecodable += 1; // not from the ring: no number is missing
                    is_complete = false;
                    tracing::error!("a task was not understood: {error}");
                }
            }
        }
        let rest = records.remainder().len();
        let used = buffer.len() - rest;
        buffer.drain(..used);
    }
    Taken { processes: parents.len(), source: "iterator", is_complete }
}
