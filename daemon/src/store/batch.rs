//! What goes to the database in one transaction, and what comes back from it at a start.

use std::sync::Arc;

use common::id::ProcessId;
use common::record::{End, Record};

use super::findings::Finding;
use super::triage::{Change, NewAlert, Repeat};

/// What one transaction brings.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// New rows, with consecutive numbers.
    pub(crate) records: Vec<Pending>,
    /// Rows that replace stored ones of the same number.
    pub(crate) replaced: Vec<Pending>,
    /// Ends of processes whose rows are already stored.
    pub(crate) ends: Vec<EndOfRows>,
    pub(crate) gaps: Vec<GapRow>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) alerts: Vec<Arc<NewAlert>>,
    pub(crate) repeats: Vec<Repeat>,
    /// What people asked for.
    pub(crate) changes: Vec<Change>,
    /// How far the ring has been read: stored with the rows, so that a restart neither repeats nor
    /// skips.
    pub(crate) ring: Option<RingPosition>,
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) record: Arc<Record>,
    /// Row of the first image of the same process, where this is a later one.
    pub(crate) first: Option<i64>,
    pub(crate) parent_row: Option<i64>,
    /// An image has begun, and is to be counted as a run of its executable.
    pub(crate) is_run: bool,
}

#[derive(Debug)]
pub(crate) struct EndOfRows {
    pub(crate) rows: Vec<i64>,
    pub(crate) process: ProcessId,
    pub(crate) end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GapRow {
    pub(crate) time_ns: i64,
    pub(crate) cpu: u32,
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    pub(crate) cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RingPosition {
    /// Names the ring: a new ring starts at zero again.
    pub(crate) cookie: u64,
    pub(crate) position: u64,
    /// What was counted up to there, in a form of the recorder's own.
    pub(crate) progress: Vec<u8>,
    /// Everything was read, and nothing more will come.
    pub(crate) is_last: bool,
}

/// A process that the database holds as running.
#[derive(Debug)]
pub(crate) struct StoredRunning {
    /// Of its newest image.
    pub(crate) record: Record,
    pub(crate) parent_row: Option<i64>,
    pub(crate) rows: Vec<i64>,
    /// The newest row is the parent of another.
    pub(crate) is_parent: bool,
}
