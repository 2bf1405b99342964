//! Which row of the database an image gets: a new one, or that of something seen before.

use common::record::{Record, Source};
use ebpf::event::TaskId;

use super::table::Entry;
use crate::store::{Batch, Pending};

/// A fork whose row was written before its exec came keeps that row for the exec, if it comes
/// within this time: fork and exec are one act, cut in two by the end of a batch.
const ONE_ACT_NS: u64 = 1_000_000_000;

impl Entry {
    /// The row that `record` takes over instead of getting a new one.
    pub(super) fn row_to_replace(&self, record: &Record, snapshot_boottime_ns: u64) -> Option<i64> {
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

pub(super) fn is_same_image(known: &Record, seen: &Record) -> bool {
    is_same_file(known, seen) && known.args.bytes == seen.args.bytes
}

fn is_same_file(known: &Record, seen: &Record) -> bool {
    let (a, b) = (&known.executable, &seen.executable);
    (a.device_major, a.device_minor, a.inode, a.ctime_ns)
        == (b.device_major, b.device_minor, b.inode, b.ctime_ns)
}

/// A row that exists already, in this batch or in the database, gets new content.
pub(super) fn replace_row(batch: &mut Batch, pending: Pending) {
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
pub(super) fn pending_row(batch: &mut Batch, row: i64) -> Option<&mut Pending> {
    let first = batch.records.first().map_or(i64::MAX, |pending| pending.record.row);
    if row >= first {
        return batch.records.get_mut(usize::try_from(row - first).ok()?);
    }
    batch.replaced.iter_mut().find(|pending| pending.record.row == row)
}

pub(super) fn task_of(record: &Record) -> TaskId {
    TaskId { pid: record.process.pid, start_boottime_ns: record.process.start_boottime_ns }
}
