//! A page of records, the newest or the oldest first.
//!
//! Often the first rows fill it. Where they do not, what is sought is rare or old, and it is asked
//! which rows can match at all.

use std::ops::{ControlFlow, Range};

use common::filter::Filter;
use common::record::Record;
use rusqlite::types::Value;
use rusqlite::{Connection, Rows, params_from_iter};

use super::select::{COLUMNS, Resolver};
use super::sql::{self, Search, Way};

/// Rows that are tried first; in tests few.
const TRIED_ROWS: i64 = if cfg!(test) { 10 } else { 10_000 };

/// What a page of records leaves to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) count: u64,
    /// Row to go on from; `None` when there is no more.
    pub(crate) cursor: Option<i64>,
}

/// Which records, and from where.
pub(crate) struct Selection<'f> {
    pub(crate) filter: &'f Filter,
    /// 0: all.
    pub(crate) limit: u32,
    pub(crate) is_newest_first: bool,
    /// The last row of the page before.
    pub(crate) cursor: Option<i64>,
    /// Rows up to this one only.
    pub(crate) last_row: Option<i64>,
}

impl Selection<'_> {
    /// Rows from where to where.
    fn range(&self) -> Range<i64> {
        let (mut start, mut end) = (i64::MIN, i64::MAX);
        match self.cursor {
            Some(cursor) if self.is_newest_first => end = cursor,
            Some(cursor) => start = cursor.saturating_add(1),
            None => {}
        }
        end = end.min(self.last_row.map_or(i64::MAX, |last| last.saturating_add(1)));
        start..end.max(start)
    }

    /// Cuts off what is to be tried first.
    fn split(
        &self,
        connection: &Connection,
        range: Range<i64>,
    ) -> rusqlite::Result<(Range<i64>, Range<i64>)> {
        let of_ends = if self.is_newest_first { "max(id)" } else { "min(id)" };
        let first: Option<i64> = connection
            .prepare_cached(&format!("SELECT {of_ends} FROM process WHERE id >= ?1 AND id < ?2"))?
            .query_row([range.start, range.end], |row| row.get(0))?;
        let first = first.unwrap_or(range.start);
        Ok(if self.is_newest_first {
            let at = first.saturating_sub(TRIED_ROWS).clamp(range.start, range.end);
            (at..range.end, range.start..at)
        } else {
            let at = first.saturating_add(TRIED_ROWS).clamp(range.start, range.end);
            (range.start..at, at..range.end)
        })
    }
}

/// Hands the records of the selection to `take`, until it says stop.
pub(super) fn page(
    connection: &Connection,
    selection: &Selection<'_>,
    take: &mut dyn FnMut(&Record) -> ControlFlow<()>,
) -> rusqlite::Result<Page> {
    let resolver = Resolver::new(connection);
    let mut reading =
        Reading { connection, selection, take, resolver, page: Page::default(), last: None };
    let filter = selection.filter;
    let mut range = selection.range();
    if sql::may_narrow(filter) || sql::has_time(filter) {
        let (tried, rest) = selection.split(connection, range)?;
        if reading.scan(&tried, Search::EachRow)?.is_break() {
            return Ok(reading.page);
        }
        range = rest;
    }
    if let Some(of_time) = sql::range_of_time(connection, filter)? {
        let start = range.start.max(of_time.start);
        range = start..range.end.min(of_time.end).max(start);
    }
    match sql::way(connection, filter, sql::rows_in(connection, &range)?)? {
        Way::Rows(rows) => reading.look_up(&rows, &range)?,
        Way::Scan(search) => _ = reading.scan(&range, search)?,
    }
    Ok(reading.page)
}

struct Reading<'c, 's> {
    connection: &'c Connection,
    selection: &'s Selection<'s>,
    take: &'s mut dyn FnMut(&Record) -> ControlFlow<()>,
    resolver: Resolver<'c>,
    page: Page,
    last: Option<i64>,
}

impl Reading<'_, '_> {
    /// All rows of a range.
    fn scan(&mut self, range: &Range<i64>, search: Search) -> rusqlite::Result<ControlFlow<()>> {
        let condition = sql::condition(self.connection, self.selection.filter, search)?;
        let order = if self.selection.is_newest_first { "DESC" } else { "ASC" };
        let mut statement = self.connection.prepare(&format!(
            "SELECT {COLUMNS} FROM process p WHERE {} AND p.id >= ? AND p.id < ? ORDER BY p.id {order}",
            condition.sql
        ))?;
        let ends = [Value::Integer(range.start), Value::Integer(range.end)];
        let mut rows =
            statement.query(params_from_iter(condition.params.into_iter().chain(ends)))?;
        self.hand_out(&mut rows)
    }

    /// Those of some rows that are in the range.
    fn look_up(&mut self, rows: &[i64], range: &Range<i64>) -> rusqlite::Result<()> {
        let at = |end| rows.partition_point(|row| *row < end);
        let mut rows = rows[at(range.start)..at(range.end)].to_vec();
        if self.selection.is_newest_first {
            rows.reverse();
        }
        let filter = self.selection.filter;
        let _ = sql::look_up(self.connection, COLUMNS, filter, &rows, |rows| self.hand_out(rows))?;
        Ok(())
    }

    fn hand_out(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<ControlFlow<()>> {
        while let Some(row) = rows.next()? {
            let limit = u64::from(self.selection.limit);
            if limit != 0 && self.page.count >= limit {
                // There is at least one more.
                self.page.cursor = self.last;
                return Ok(ControlFlow::Break(()));
            }
            let record = self.resolver.record(row)?;
            self.last = Some(record.row);
            if (self.take)(&record).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.page.count += 1;
        }
        Ok(ControlFlow::Continue(()))
    }
}
