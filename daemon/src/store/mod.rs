//! The database: one SQLite file in WAL mode, one writer, many read-only readers.
//!
//! Text that repeats is stored once by content and referred to; a record of one image is a row of
//! small integers. Times: a row has its wall time once (`time_ns`); start and end are kept as
//! distances on the boot clock, so that a step of the wall clock cannot reorder them.

mod alerts;
#[cfg(feature = "capture")]
mod batch;
mod binaries;
mod blocks;
#[cfg(feature = "capture")]
mod columns;
mod contents;
mod dictionary;
mod error;
#[cfg(feature = "capture")]
mod files;
#[cfg(feature = "capture")]
mod findings;
mod histogram;
mod outline;
mod page;
mod read;
#[cfg(feature = "capture")]
mod resume;
#[cfg(feature = "capture")]
mod retention;
mod schema;
mod select;
mod sql;
#[cfg(test)]
#[cfg(feature = "capture")]
mod tests;
#[cfg(feature = "capture")]
mod thread;
mod top;
mod tree;
#[cfg(feature = "capture")]
mod triage;
#[cfg(feature = "capture")]
mod write;

pub(crate) use alerts::AlertPage;
#[cfg(feature = "capture")]
pub(crate) use alerts::Snapshot;
#[cfg(feature = "capture")]
pub(crate) use batch::{Batch, EndOfRows, GapRow, Pending, RingPosition, StoredRunning};
pub(crate) use binaries::{BinaryOrder, BinaryPage, Named};
pub(crate) use error::StoreError;
#[cfg(feature = "capture")]
pub(crate) use findings::Finding;
pub(crate) use page::Selection;
#[cfg(feature = "capture")]
pub(crate) use read::sqlite_uri;
pub(crate) use read::{Control, Reader, Stopped, Totals};
#[cfg(feature = "capture")]
pub(crate) use retention::{Figures as RetentionFigures, Limits, Now, Retention};
#[cfg(feature = "capture")]
pub(crate) use thread::{Committed, Troubles, WriterThread};
pub(crate) use top::Grouping;
pub(crate) use tree::Reach;
#[cfg(feature = "capture")]
pub(crate) use triage::{Change, NewAlert, RecentAlert, Repeat, What};
#[cfg(feature = "capture")]
pub(crate) use write::Writer;

/// An empty database, also where nothing can write one.
#[cfg(test)]
pub(crate) fn create(path: &std::path::Path) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    schema::migrate(&mut connection, path).unwrap();
}

/// Name of the database in the data directory.
pub(crate) const FILE_NAME: &str = "recorder.db";
