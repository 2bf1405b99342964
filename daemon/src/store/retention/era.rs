//! Segments: stretches of rows that are deleted together.
//!
//! Values that rows share are marked with the segment that used them last. So what became unused is
//! found among the values of the rows that are deleted, without a count for each reference.

use rusqlite::{Connection, OptionalExtension as _};

/// Rows of a segment at most: what one step of retention deletes, and how rarely a value is marked.
///
/// In tests few, so that a short history has many segments.
const MOST_ROWS: i64 = if cfg!(test) { 8 } else { 128 };
/// A segment is closed after this part of the age that is kept: so late it may be deleted.
const PARTS: i64 = 100;
const LONGEST_NS: i64 = 3_600_000_000_000;

/// Where rows are written to, and which are the oldest that no retention has passed yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Era {
    /// The segment that is written to; 0 before the first row.
    pub(in crate::store) current: i64,
    pub(in crate::store) first_row: i64,
    pub(in crate::store) begun_ns: i64,
    /// Segments below are gone, and with them all values that were used last there.
    pub(in crate::store) floor: i64,
    /// Rows below are deleted or `kept`.
    pub(in crate::store) floor_row: i64,
    /// How long a segment is written to; 0 is until it is full.
    span_ns: i64,
}

impl Era {
    pub(in crate::store) fn load(
        connection: &Connection,
        age_ns: Option<i64>,
    ) -> rusqlite::Result<Self> {
        let end = |order: &str| {
            let sql =
                format!("SELECT id, first_row, time_ns FROM segment ORDER BY id {order} LIMIT 1");
            connection
                .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()
        };
        let (current, first_row, begun_ns) = end("DESC")?.unwrap_or_default();
        let (floor, floor_row, _): (_, _, i64) = end("ASC")?.unwrap_or_default();
        let span_ns = age_ns.map_or(LONGEST_NS, |age| (age / PARTS).clamp(1, LONGEST_NS));
        Ok(Self { current, first_row, begun_ns, floor, floor_row, span_ns })
    }

    /// Before a new row is written: begins another segment if this one is full, or old.
    pub(in crate::store) fn place(
        &mut self,
        connection: &Connection,
        row: i64,
        time_ns: i64,
    ) -> rusqlite::Result<()> {
        let is_full = row - self.first_row >= MOST_ROWS;
        if self.current != 0 && !is_full && !self.is_old(time_ns) {
            return Ok(());
        }
        self.begin(connection, row, time_ns)
    }

    fn is_old(&self, time_ns: i64) -> bool {
        self.span_ns > 0 && time_ns.saturating_sub(self.begun_ns) > self.span_ns
    }

    /// Where nothing is recorded any more, what was recorded last grows old all the same.
    pub(super) fn close_if_old(
        &mut self,
        connection: &Connection,
        now_ns: i64,
    ) -> rusqlite::Result<bool> {
        let is_due = self.current != 0 && self.is_old(now_ns);
        if !is_due {
            return Ok(false);
        }
        let newest: Option<i64> =
            connection.query_row("SELECT max(id) FROM process", [], |row| row.get(0))?;
        let Some(newest) = newest.filter(|newest| *newest >= self.first_row) else {
            return Ok(false);
        };
        self.begin(connection, newest + 1, now_ns)?;
        Ok(true)
    }

    fn begin(&mut self, connection: &Connection, row: i64, time_ns: i64) -> rusqlite::Result<()> {
        self.current += 1;
        self.first_row = row;
        self.begun_ns = time_ns;
        if self.floor == 0 {
            self.floor = self.current;
            self.floor_row = row;
        }
        connection
            .prepare_cached("INSERT INTO segment (id, first_row, time_ns) VALUES (?1, ?2, ?3)")?
            .execute([self.current, row, time_ns])?;
        Ok(())
    }
}

/// The number for the next row: never one that a deleted row had.
///
/// Only rows below the segment that is written to are deleted.
pub(in crate::store) fn next_row(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(ifnull((SELECT max(id) FROM process), 0) + 1, \
         ifnull((SELECT first_row FROM segment ORDER BY id DESC LIMIT 1), 1))",
        [],
        |row| row.get(0),
    )
}
