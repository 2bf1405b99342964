//! The executable and the command line of each row of a segment, apart from the rows: to look
//! through those is quicker by far than through the rows themselves (docs/benchmarks.md). An index by
//! each would say the same, and cost as much as a third of all writing.
//!
//! A segment that is written to has none yet, and its rows are taken for possible ones; so are those
//! that retention kept of segments that are gone.

use std::collections::HashSet;

use rusqlite::Connection;

use super::dictionary::varints;

/// Of a segment; there are hundreds.
const MOST_ROWS: i64 = 100_000;

pub(super) type Ids = HashSet<i64, foldhash::fast::RandomState>;

/// What rows must have; `None` is anything.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) executables: Option<Ids>,
    pub(super) args: Option<Ids>,
}

impl Wanted {
    /// There is no such row.
    fn is_nothing(&self) -> bool {
        [&self.executables, &self.args].into_iter().flatten().any(Ids::is_empty)
    }

    fn has(&self, executable: i64, args: i64) -> bool {
        self.executables.as_ref().is_none_or(|ids| ids.contains(&executable))
            && self.args.as_ref().is_none_or(|ids| ids.contains(&args))
    }

    /// Rows that may have it, in order; `None` if they are more than `most`.
    pub(super) fn rows(
        &self,
        connection: &Connection,
        most: usize,
    ) -> rusqlite::Result<Option<Vec<i64>>> {
        if self.is_nothing() {
            return Ok(Some(Vec::new()));
        }
        let mut rows = connection
            .prepare_cached("SELECT process FROM kept ORDER BY process LIMIT ?1")?
            .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        let end: i64 = connection
            .prepare_cached("SELECT ifnull(max(id), 0) + 1 FROM process")?
            .query_row([], |row| row.get(0))?;
        let mut statement =
            connection.prepare_cached("SELECT first_row, outline FROM segment ORDER BY id")?;
        let mut segments = statement.query([])?;
        let mut before: Option<(i64, Vec<u8>)> = None;
        loop {
            let segment = segments.next()?;
            let next = match segment {
                Some(row) => row.get(0)?,
                None => end,
            };
            if let Some((first, outline)) = &before {
                // Of a foreign database, they may be any.
                let is_too_long = next.saturating_sub(*first) >= MOST_ROWS;
                if is_too_long || rows.len() >= most {
                    return Ok(None);
                }
                self.look_through(*first, next, outline, &mut rows);
            }
            let Some(row) = segment else {
                return Ok((rows.len() < most).then_some(rows));
            };
            let outline = row.get_ref(1)?.as_blob_or_null()?.unwrap_or_default();
            let (_, mut bytes) = before.take().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(outline);
            before = Some((next, bytes));
        }
    }

    fn look_through(&self, first: i64, next: i64, outline: &[u8], rows: &mut Vec<i64>) {
        let known = rows.len();
        let mut numbers = varints(outline);
        let (mut row, mut args) = (first, 0_i64);
        while let (Some(executable), Some(step)) = (numbers.next(), numbers.next())
            && row < next
        {
            args = args.wrapping_add(unfolded(step));
            if self.has(executable, args) {
                rows.push(row);
            }
            row += 1;
        }
        if row != next {
            // There is none, or it is damaged.
            rows.truncate(known);
            rows.extend(first..next);
        }
    }
}

/// Small numbers of either sign as small numbers without.
#[cfg(feature = "capture")]
fn folded(number: i64) -> i64 {
    number << 1 ^ number >> 63
}

fn unfolded(number: i64) -> i64 {
    (number.cast_unsigned() >> 1).cast_signed() ^ -(number & 1)
}

#[cfg(feature = "capture")]
pub(super) use writing::{draw, is_due, void};

#[cfg(feature = "capture")]
mod writing {
    use rusqlite::OptionalExtension as _;

    use super::*;
    use crate::store::dictionary::push_varint;

    /// A segment that gets no more rows and has no outline.
    fn next(connection: &Connection) -> rusqlite::Result<Option<i64>> {
        connection
            .prepare_cached(
                "SELECT id FROM segment WHERE outline IS NULL \
                 AND id < (SELECT max(id) FROM segment) ORDER BY id LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()
    }

    /// Whether there is one.
    pub(in crate::store) fn is_due(connection: &Connection) -> rusqlite::Result<bool> {
        next(connection).map(|segment| segment.is_some())
    }

    /// Draws some; false if there is none left to draw.
    pub(in crate::store) fn draw(connection: &Connection, most: u32) -> rusqlite::Result<bool> {
        for _ in 0..most {
            let Some(segment) = next(connection)? else { return Ok(false) };
            let outline = outline(connection, segment)?;
            connection
                .prepare_cached("UPDATE segment SET outline = ?2 WHERE id = ?1")?
                .execute((segment, outline))?;
        }
        Ok(true)
    }

    fn outline(connection: &Connection, segment: i64) -> rusqlite::Result<Vec<u8>> {
        let mut statement = connection.prepare_cached(
            "SELECT executable, ifnull(args, 0) FROM process \
             WHERE id >= (SELECT first_row FROM segment WHERE id = ?1) \
             AND id < (SELECT first_row FROM segment WHERE id > ?1 ORDER BY id LIMIT 1) ORDER BY id",
        )?;
        let mut rows = statement.query([segment])?;
        let mut outline = Vec::with_capacity(1024);
        let mut before = 0_i64;
        while let Some(row) = rows.next()? {
            let args: i64 = row.get(1)?;
            push_varint(&mut outline, row.get(0)?);
            push_varint(&mut outline, folded(args.wrapping_sub(before)));
            before = args;
        }
        Ok(outline)
    }

    /// A row of a segment before was written anew.
    pub(in crate::store) fn void(connection: &Connection, row: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE segment SET outline = NULL WHERE outline IS NOT NULL AND id = \
                 (SELECT id FROM segment WHERE first_row <= ?1 ORDER BY id DESC LIMIT 1)",
            )?
            .execute([row])
            .map(drop)
    }
}

#[cfg(test)]
#[cfg(feature = "capture")]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_either_sign_are_small() {
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            assert_eq!(unfolded(folded(number)), number);
        }
        assert_eq!([folded(0), folded(-1), folded(1), folded(-64)], [0, 1, 2, 127]);
    }
}
