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
use super::detector::{Detector, MOST_ANCESTORS};
use super::live::{Happening, Live};
use super::progress::Progress;
use super::sequence::{Kind, Slot};
use super::table::{Entry, ParentLink, Table};
use crate::binaries::Found;
use crate::detect::Part;
use crate::sensor::opening::Way;
use crate::store::{Batch, Change, EndOfRows, Finding, GapRow, Pending, StoredRunning};

/// A fork whose row was written before its exec came keeps that row for the exec, if it comes
/// within this time: fork and exec are one act, cut in two by the end of a batch.
const ONE_ACT_NS: u64 = 1_000_000_000;

pub(crate) struct Tracker {
    pub(crate) table: Table,
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) detector: Detector,
    pub(crate) contents: Contents,
    assembler: Assembler,
    pub(crate) progress: Progress,
    batch: Batch,
    next_row: i64,
    /// Forks since the last batch that have no row yet.
    fresh_forks: Vec<TaskId>,
    /// End of the last snapshot; what the ring says of times before it is no news.
    pub(crate) snapshot_boottime_ns: u64,
    tick_ns: u64,
    /// Since this was last looked at; the end of a process may be among them.
    pub(crate) has_new_losses: bool,
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

    /// Whether what it says can be judged only once all is read that has happened until now.
    pub(crate) fn depends_on_later_events(&self, found: &Found) -> bool {
        let Found::Answer(answer) = found else { return false };
        matches!(answer.way, Some(Way::Process { .. }))
    }

    /// Something was found out of executed files.
    pub(crate) fn found(&mut self, found: Found) {
        let answer = match found {
            Found::Answer(answer) => *answer,
            Found::Copies { sha256, storage } => {
                self.contents.forget(&sha256);
                self.batch.findings.push(Finding::Copies { sha256, storage });
                return;
            }
            Found::Orphan { content, size_bytes, stored_bytes } => {
                let finding = Finding::Orphan { content, size_bytes, stored_bytes };
                self.batch.findings.push(finding);
                return;
            }
        };
        let (findings, waited) = self.contents.take(answer);
        self.batch.findings.extend(findings);
        for record in waited {
            let record = Arc::new(record);
            let Self { detector, table, batch, live, .. } = self;
            detector.look(&record, Part::WithHash, || ancestors(table, &record), batch, live);
        }
    }

    /// What the process ran until now it does not run any more.
    fn note_end_of_image(&mut self, task: TaskId, boottime_ns: u64) {
        // A child that has not executed yet shares its parent's image, which goes on.
        let own = |entry: &'_ Entry| {
            let image = entry.image.as_ref().filter(|image| image.process == entry.process)?;
            Some(image.clone())
        };
        if let Some(image) = self.table.get(task).and_then(own) {
            self.contents.moved_on(image.row, boottime_ns);
        }
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
            self.batch.findings.extend(self.contents.look_at_script(&record));
            let Self { detector, contents, table, batch, live, .. } = self;
            detector.look(&record, Part::WithoutHash, || ancestors(table, &record), batch, live);
            if is_settled {
                detector.look(&record, Part::WithHash, || ancestors(table, &record), batch, live);
            } else if detector.has_hash_rules() && !contents.wait(&record) {
                detector.give_up();
            }
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

/// Those of them that still run, parent first.
fn ancestors(table: &Table, of: &Record) -> Vec<Arc<Record>> {
    let mut found = Vec::new();
    let mut parent = of.parent.as_ref().map(|parent| parent.process);
    while let Some(process) = parent
        && found.len() < MOST_ANCESTORS
    {
        let task = TaskId { pid: process.pid, start_boottime_ns: process.start_boottime_ns };
        let Some(entry) = table.get(task) else { break };
        let Some(image) = &entry.image else { break };
        found.push(image.clone());
        parent = entry.parent.as_ref().map(|link| link.parent.process);
    }
    found
}

impl Entry {
    /// The row that `record` takes over instead of getting a new one.
    fn row_to_replace(&self, record: &Record, snapshot_boottime_ns: u64) -> Option<i64> {
        let [row] = self.rows[..] else { return None };
        let image = self.image.as_ref()?;
        let is_blank = image.source == Source::Fork && image.context.is_unknown;
        let is_fresh_fork = image.source == Source::Fork
            && !self.has_forked
            && record.boottime_ns.saturating_sub(image.boottime_ns) < ONE_ACT_NS;
        // The snapshot saw the image just before its exec was read from the ring.
        let is_snapshot_ahead = matches!(image.source, Source::Iterator | Source::Proc)
            && record.source == Source::Exec
            && record.boottime_ns <= snapshot_boottime_ns
            && (is_same_image(image, record) || is_half_made(image, record));
        (is_blank || is_fresh_fork || is_snapshot_ahead).then_some(row)
    }
}

/// The snapshot met a process in the middle of its exec: the file is the new one already, the
/// arguments are not there yet.
fn is_half_made(seen: &Record, made: &Record) -> bool {
    seen.args.bytes.is_empty() && is_same_file(seen, made)
}

fn is_same_image(known: &Record, seen: &Record) -> bool {
    is_same_file(known, seen) && known.args.bytes == seen.args.bytes
}

fn is_same_file(known: &Record, seen: &Record) -> bool {
    let (a, b) = (&known.executable, &seen.executable);
    (a.device_major, a.device_minor, a.inode, a.ctime_ns)
        == (b.device_major, b.device_minor, b.inode, b.ctime_ns)
}

/// A row that exists already, in this batch or in the database, gets new content.
fn replace_row(batch: &mut Batch, pending: Pending) {
    match pending_row(batch, pending.record.row) {
        Some(earlier) => {
            let is_fork = pending.record.source == Source::Fork;
            let is_run = !is_fork && (earlier.is_run || pending.is_run);
            *earlier = Pending { is_run, ..pending };
        }
        None => batch.replaced.push(pending),
    }
}

/// New rows are consecutive, so that one is found by its distance from the first.
fn pending_row(batch: &mut Batch, row: i64) -> Option<&mut Pending> {
    let first = batch.records.first().map_or(i64::MAX, |pending| pending.record.row);
    if row >= first {
        return batch.records.get_mut(usize::try_from(row - first).ok()?);
    }
    batch.replaced.iter_mut().find(|pending| pending.record.row == row)
}

fn task_of(record: &Record) -> TaskId {
    TaskId { pid: record.process.pid, start_boottime_ns: record.process.start_boottime_ns }
}
