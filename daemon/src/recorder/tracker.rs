//! Events in, rows out: what each event means for the table of processes and for the database.
//!
//! Knows nothing of rings, threads or SQLite, so it is tested with events alone.

use std::sync::Arc;

use common::id::ProcessId;
use common::record::{End, Parent, ParentSource, Record, Source};
use ebpf::event::{Body, Event, Exit, Fork, Image, TaskId};

use super::assemble::{self, Assembler};
use super::clock::Clock;
use super::contents::{Contents, Look};
use super::detector::Detector;
use super::journal::Losses;
use super::live::{Happening, Live};
use super::progress::Progress;
use super::rows::{is_same_image, pending_row, replace_row, task_of};
use super::sequence::{Kind, Slot};
use super::table::{Entry, ParentLink, Table};
use crate::store::{Batch, Change, EndOfRows, GapRow, Pending, StoredRunning};

pub(crate) struct Tracker {
    pub(crate) table: Table,
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) detector: Detector,
    pub(crate) contents: Contents,
    assembler: Assembler,
    pub(crate) progress: Progress,
    pub(super) batch: Batch,
    next_row: i64,
    /// Forks since the last batch that have no row yet.
    fresh_forks: Vec<TaskId>,
    /// End of the last snapshot; what the ring says of times before it is no news.
    pub(crate) snapshot_boottime_ns: u64,
    tick_ns: u64,
    /// Since this was last looked at; the end of a process may be among them.
    pub(crate) has_new_losses: bool,
    pub(super) losses: Losses,
    /// Records that were not understood and whose numbers are not yet missed.
    unexplained: u64,
}

impl Tracker {
    pub(crate) fn new(
        assembler: Assembler,
        detector: Detector,
        contents: Contents,
        progress: Progress,
        next_row: i64,
    ) -> Self {
        Self {
            table: Table::default(),
            live: Live::new(),
            clock: Clock::sample(),
            detector,
            contents,
            assembler,
            progress,
            batch: Batch::default(),
            next_row,
            fresh_forks: Vec::new(),
            snapshot_boottime_ns: 0,
            tick_ns: super::procfs::tick_ns(),
            has_new_losses: false,
            losses: Losses::default(),
            unexplained: 0,
        }
    }

    /// Number of the next new row.
    pub(crate) fn next_row(&self) -> i64 {
        self.next_row
    }

    /// Rows that wait for the database.
    pub(crate) fn pending(&self) -> usize {
        self.batch.records.len()
            + self.batch.replaced.len()
            + self.batch.ends.len()
            + self.batch.gaps.len()
            + self.batch.findings.len()
            + self.batch.alerts.len()
            + self.batch.repeats.len()
            + self.batch.changes.len()
    }

    /// Everything so far, as a batch; a fork without exec gets its row now.
    pub(crate) fn take_batch(&mut self) -> Batch {
        for task in std::mem::take(&mut self.fresh_forks) {
            self.materialise(task);
        }
        self.clock.refresh();
        std::mem::take(&mut self.batch)
    }

    /// Goes with the next batch.
    pub(crate) fn change(&mut self, change: Change) {
        self.batch.changes.push(change);
    }

    /// What the database holds as running: known, but to be confirmed.
    pub(crate) fn adopt(&mut self, stored: StoredRunning) {
        let record = stored.record;
        let task = task_of(&record);
        self.table.insert(
            task,
            Entry {
                process: record.process,
                namespace_pid: record.namespace_pid,
                parent: record
                    .parent
                    .clone()
                    .map(|parent| ParentLink { parent, row: stored.parent_row }),
                rows: stored.rows,
                ordinal: record.ordinal,
                image: Some(Arc::new(record)),
                has_forked: stored.is_parent,
                is_confirmed: false,
            },
        );
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        let kind = match &event.body {
            Body::Fork(_) => Kind::Fork,
            Body::Exec(_) => Kind::Exec,
            Body::Exit(_) => Kind::Exit,
            // Not from the ring: the snapshot hands these over itself.
            Body::Running(_) => return,
        };
        let slot = Slot { cpu: event.cpu, lane: event.lane };
        let lost = self.progress.sequences.note(slot, kind, event.sequence);
        if lost > 0 {
            let cause = self.cause(lost);
            self.gap(event.boottime_ns, event.cpu, kind.name(), lost, cause);
        }
        self.canonicalise(&event.body);
        match &event.body {
            Body::Fork(fork) => {
                self.progress.decoded.fork += 1;
                self.fork(fork);
            }
            Body::Exec(image) => {
                self.progress.decoded.exec += 1;
                self.exec(image, event.boottime_ns);
            }
            Body::Exit(exit) => {
                self.progress.decoded.exit += 1;
                self.exit(exit, event.boottime_ns);
            }
            Body::Running(_) => {}
        }
    }

    /// Processes found in `/proc` get their exact identity from the first event that tells it.
    fn canonicalise(&mut self, body: &Body<'_>) {
        let tasks = match body {
            Body::Fork(fork) => [fork.parent, fork.child],
            Body::Exec(image) | Body::Running(image) => [image.process, image.parent],
            Body::Exit(exit) => [exit.process; 2],
        };
        for task in tasks {
            let process = self.assembler.process_id(task);
            let Some(entry) = self.table.make_exact(task, self.tick_ns) else { continue };
            entry.process = process;
            let Some(image) = &mut entry.image else { continue };
            let mut record = (**image).clone();
            record.process = process;
            *image = Arc::new(record);
            let parent_row = entry.parent.as_ref().and_then(|link| link.row);
            let pending = Pending { record: image.clone(), first: None, parent_row, is_run: false };
            replace_row(&mut self.batch, pending);
        }
    }

    pub(crate) fn gap(
        &mut self,
        boottime_ns: u64,
        cpu: u32,
        kind: &'static str,
        count: u64,
        cause: &'static str,
    ) {
        self.has_new_losses = true;
        self.losses.note(count, cause);
        let gap = GapRow { time_ns: self.clock.wall(boottime_ns), cpu, kind, count, cause };
        self.live.publish(|| Happening::Gap(gap.clone()));
        self.batch.gaps.push(gap);
    }

    /// A record came that was not understood; its number will be missing.
    pub(crate) fn not_understood(&mut self) {
        self.progress.undecodable += 1;
        self.unexplained += 1;
    }

    /// Why numbers are missing: the kernel drops only when the ring is full.
    fn cause(&mut self, lost: u64) -> &'static str {
        if self.unexplained == 0 {
            return "ring-full";
        }
        self.unexplained = self.unexplained.saturating_sub(lost);
        "undecodable"
    }

    /// With the ring empty: gives up on what was meant to come from this slot and did not.
    pub(crate) fn give_up(&mut self, boottime_ns: u64, slot: Slot, kind: Kind, meant: u64) {
        let lost = self.progress.sequences.give_up(slot, kind, meant);
        if lost > 0 {
            let cause = self.cause(lost);
            self.gap(boottime_ns, slot.cpu, kind.name(), lost, cause);
        }
    }

    fn fork(&mut self, fork: &Fork) {
        if self.table.get(fork.child).is_some() {
            self.fork_after_snapshot(fork);
            return;
        }
        // Whoever forks with an inherited image gets a row of its own to be the parent.
        self.materialise(fork.parent);
        if let Some(entry) = self.table.get_mut(fork.parent) {
            entry.has_forked = true;
        }
        let parent = self.link(fork.parent, ParentSource::Fork);
        let image = self.table.get(fork.parent).and_then(|entry| entry.image.clone());
        self.table.insert(
            fork.child,
            Entry {
                process: self.assembler.process_id(fork.child),
                namespace_pid: fork.namespace_pid,
                parent: Some(parent),
                image,
                rows: Vec::new(),
                ordinal: 0,
                has_forked: false,
                is_confirmed: true,
            },
        );
        self.fresh_forks.push(fork.child);
    }

    /// The snapshot saw the child before its fork was read: what it saw was the parent's image, or
    /// that of an exec which is read next and takes over the row.
    fn fork_after_snapshot(&mut self, fork: &Fork) {
        let parent = self.link(fork.parent, ParentSource::Fork);
        let Some(entry) = self.table.get_mut(fork.child) else { return };
        let Some(image) = &mut entry.image else { return };
        let is_of_snapshot = matches!(image.source, Source::Iterator | Source::Proc);
        if !is_of_snapshot || entry.rows.len() != 1 || entry.has_forked {
            return;
        }
        let record = Record {
            source: Source::Fork,
            parent: Some(parent.parent.clone()),
            ..(**image).clone()
        };
        *image = Arc::new(record);
        let parent_row = parent.row;
        let pending = Pending { record: image.clone(), first: None, parent_row, is_run: false };
        entry.parent = Some(parent);
        replace_row(&mut self.batch, pending);
    }

    fn exec(&mut self, image: &Image<'_>, boottime_ns: u64) {
        self.note_end_of_image(image.process, boottime_ns);
        let record = self.assembler.image(image, Source::Exec, boottime_ns, self.clock);
        let fallback = self.link(image.parent, ParentSource::Current);
        self.begin(image, record, fallback);
    }

    /// A process found running by the task iterator or in `/proc`.
    ///
    /// Returns true if it is news: neither the ring nor the database knew this image.
    pub(crate) fn running(&mut self, image: &Image<'_>, source: Source, boottime_ns: u64) -> bool {
        let task = image.process;
        let has_ended = match source {
            Source::Proc => self.table.has_ended_in_tick(task, self.tick_ns),
            _ => self.table.has_ended(task),
        };
        if has_ended {
            return false;
        }
        // The image began at an unknown time since the start of the process.
        let mut record = self.assembler.image(image, source, task.start_boottime_ns, self.clock);
        record.boottime_ns = record.process.start_boottime_ns;
        if let Some(entry) = self.table.get_mut(task) {
            let was_confirmed = std::mem::replace(&mut entry.is_confirmed, true);
            let known = entry.image.as_ref().filter(|known| !known.context.is_unknown);
            let is_known = known.is_some_and(|known| is_same_image(known, &record));
            if is_known || (was_confirmed && known.is_some()) {
                return false;
            }
            if known.is_some() {
                // It executed while nobody watched.
                record.time_ns = self.clock.wall(boottime_ns);
                record.boottime_ns = boottime_ns;
            }
        }
        let fallback = self.link(image.parent, ParentSource::Current);
        self.begin(image, record, fallback);
        true
    }

    /// After the snapshot: parents that were met later than their children are filled in.
    pub(crate) fn relink_snapshot(&mut self, pairs: &[(TaskId, TaskId)]) {
        for (child, parent) in pairs {
            let link = self.link(*parent, ParentSource::Current);
            let Some(entry) = self.table.get_mut(*child) else { continue };
            let Some(image) = &mut entry.image else { continue };
            let is_unnamed = image.parent.as_ref().is_some_and(|parent| {
                parent.executable.is_empty() && parent.source == ParentSource::Current
            });
            if !is_unnamed || link.row.is_none() {
                continue;
            }
            let first = entry.rows.first().copied().filter(|first| *first != image.row);
            let mut record = (**image).clone();
            record.parent = Some(link.parent.clone());
            *image = Arc::new(record);
            entry.parent = Some(link.clone());
            replace_row(
                &mut self.batch,
                Pending { record: image.clone(), first, parent_row: link.row, is_run: false },
            );
        }
    }

    /// What the recorder before left as running and the snapshot did not find.
    pub(crate) fn sweep(&mut self) -> usize {
        let gone = self.table.take_unconfirmed();
        let count = gone.len();
        for entry in gone {
            self.end_unobserved(entry);
        }
        count
    }

    /// These are known to have ended, and their ends are known to be lost.
    pub(crate) fn end_lost(&mut self, tasks: &[TaskId]) {
        for task in tasks {
            self.materialise(*task);
            if let Some(entry) = self.table.end(*task) {
                self.end_unobserved(entry);
            }
        }
    }

    fn end_unobserved(&mut self, entry: Entry) {
        let end = End { observed: None };
        if let Some(image) = entry.image {
            self.live.publish(|| {
                Happening::Ended(Arc::new(Record { end: Some(end.clone()), ..(*image).clone() }))
            });
        }
        self.end_rows(entry.process, entry.rows, &end);
    }

    /// Rows of this batch get the end at once, others by an update.
    fn end_rows(&mut self, process: ProcessId, rows: Vec<i64>, end: &End) {
        let mut stored = Vec::new();
        for row in rows {
            match pending_row(&mut self.batch, row) {
                Some(pending) => Arc::make_mut(&mut pending.record).end = Some(end.clone()),
                None => stored.push(row),
            }
        }
        if !stored.is_empty() {
            self.batch.ends.push(EndOfRows { rows: stored, process, end: end.clone() });
        }
    }

    fn begin(&mut self, image: &Image<'_>, mut record: Record, fallback: ParentLink) {
        let task = image.process;
        let next_row = self.next_row;
        if self.table.get(task).is_none() {
            self.table.insert(
                task,
                Entry {
                    process: record.process,
                    namespace_pid: image.namespace_pid,
                    parent: (image.parent.pid != 0).then_some(fallback),
                    image: None,
                    rows: Vec::new(),
                    ordinal: 0,
                    has_forked: false,
                    is_confirmed: true,
                },
            );
        }
        let Some(entry) = self.table.get_mut(task) else { return };
        entry.is_confirmed = true;
        if record.source == Source::Exec {
            entry.ordinal += 1;
        }
        record.ordinal = entry.ordinal;
        record.parent = entry.parent.as_ref().map(|link| link.parent.clone());
        let replaced = entry.row_to_replace(&record, self.snapshot_boottime_ns);
        // What the snapshot saw was counted then.
        let is_counted = replaced.is_some()
            && entry.image.as_ref().is_some_and(|image| image.source != Source::Fork);
        record.row = replaced.unwrap_or(next_row);
        if replaced.is_none() {
            self.next_row += 1;
            entry.rows.push(next_row);
        }
        let row = record.row;
        entry.has_forked = false;
        let is_settled = match self.contents.look(&record) {
            Look::Settled(content) => {
                record.content = content;
                true
            }
            Look::Found(content, finding) => {
                record.content = content;
                self.batch.findings.push(finding);
                true
            }
            Look::Asked => false,
        };
        let record = Arc::new(record);
        entry.image = Some(record.clone());
        let first = entry.rows.first().copied().filter(|first| *first != row);
        let parent_row = entry.parent.as_ref().and_then(|link| link.row);
        let pending = Pending { record: record.clone(), first, parent_row, is_run: !is_counted };
        match replaced {
            Some(_) => replace_row(&mut self.batch, pending),
            None => self.batch.records.push(pending),
        }
        if record.source == Source::Exec {
            self.judge(&record, is_settled);
        }
        self.live.publish(|| Happening::Began(record));
    }

    fn exit(&mut self, exit: &Exit, boottime_ns: u64) {
        let task = exit.process;
        if self.table.get(task).is_none() {
            if self.table.has_ended(task) {
                self.progress.duplicate_exits += 1;
                return;
            }
            // Its beginning was lost, or came before the recorder and escaped the snapshot.
            let record = self.assembler.unknown(task, boottime_ns, self.clock);
            self.table.insert(
                task,
                Entry {
                    process: record.process,
                    namespace_pid: task.pid,
                    parent: None,
                    image: Some(Arc::new(record)),
                    rows: Vec::new(),
                    ordinal: 0,
                    has_forked: false,
                    is_confirmed: true,
                },
            );
        }
        self.materialise(task);
        self.note_end_of_image(task, boottime_ns);
        let Some(entry) = self.table.end(task) else { return };
        let Some(image) = entry.image else { return };
        let end = assemble::end(exit, boottime_ns, image.start_ns);
        self.live.publish(|| {
            Happening::Ended(Arc::new(Record { end: Some(end.clone()), ..(*image).clone() }))
        });
        self.end_rows(entry.process, entry.rows, &end);
    }

    /// Gives a process that has not executed a row with the image it inherited.
    fn materialise(&mut self, task: TaskId) {
        let Some(entry) = self.table.get_mut(task) else { return };
        if !entry.rows.is_empty() {
            return;
        }
        let process = entry.process;
        let record = match &entry.image {
            // Only its end was seen.
            Some(image) if image.process == process => {
                Record { row: self.next_row, ..(**image).clone() }
            }
            image => {
                let inherited = match image {
                    Some(image) => (**image).clone(),
                    None => self.assembler.unknown(task, process.start_boottime_ns, self.clock),
                };
                let time_ns = self.clock.wall(process.start_boottime_ns);
                Record {
                    row: self.next_row,
                    process,
                    ordinal: 0,
                    source: Source::Fork,
                    time_ns,
                    boottime_ns: process.start_boottime_ns,
                    start_ns: time_ns,
                    parent: entry.parent.as_ref().map(|link| link.parent.clone()),
                    namespace_pid: entry.namespace_pid,
                    end: None,
                    ..inherited
                }
            }
        };
        self.next_row += 1;
        entry.rows.push(record.row);
        entry.has_forked = false;
        let record = Arc::new(record);
        entry.image = Some(record.clone());
        let parent_row = entry.parent.as_ref().and_then(|link| link.row);
        self.batch.records.push(Pending {
            record: record.clone(),
            first: None,
            parent_row,
            is_run: false,
        });
        self.live.publish(|| Happening::Began(record));
    }

    /// `task` as the parent of a process that begins now.
    fn link(&self, task: TaskId, source: ParentSource) -> ParentLink {
        let entry = self.table.get(task);
        let image = entry.and_then(|entry| entry.image.as_ref());
        ParentLink {
            row: entry.and_then(|entry| entry.rows.last().copied()),
            parent: Parent {
                process: self.assembler.process_id(task),
                executable: image
                    .map_or_else(|| Arc::from([]), |image| image.executable.path.bytes.clone()),
                args: image.map_or_else(|| Arc::from([]), |image| image.args.bytes.clone()),
                context: image
                    .map(|image| image.context.clone())
                    .filter(|context| !context.is_unknown),
                source,
            },
        }
    }
}
