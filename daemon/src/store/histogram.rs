//! How many records began in each of equal parts of a time.

use std::ops::ControlFlow;

use common::filter::{Expr, Filter};
use rusqlite::{Connection, Rows, params_from_iter};

use super::read::{Control, Reader, Stopped};
use super::sql::{self, Way};

/// Equal parts of the time from `from_ns` to before `to_ns`.
struct Buckets {
    from_ns: i64,
    to_ns: i64,
    width_ns: i64,
    counts: Vec<u64>,
}

impl Buckets {
    fn new(from_ns: i64, to_ns: i64, number: u32) -> Self {
        let span = to_ns.saturating_sub(from_ns).max(1);
        let number_ns = i64::from(number);
        // Rounded up, so that the last instant falls into the last bucket.
        let width_ns = span / number_ns + i64::from(span % number_ns != 0);
        Self { from_ns, to_ns, width_ns, counts: vec![0; number as usize] }
    }

    /// Counts in the index of times, a bucket after the other: nothing is sorted, and no row read.
    fn all(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection
            .prepare_cached("SELECT count(*) FROM process WHERE time_ns >= ?1 AND time_ns < ?2")?;
        let mut begin = self.from_ns;
        for count in &mut self.counts {
            let end = begin.saturating_add(self.width_ns).min(self.to_ns);
            *count = statement.query_row([begin, end], |row| row.get(0)).map(i64::cast_unsigned)?;
            begin = end;
        }
        Ok(())
    }

    fn of(&mut self, connection: &Connection, filter: &Filter) -> rusqlite::Result<()> {
        let rows = sql::rows_of_time(connection, filter, self.from_ns..self.to_ns)?;
        let search = match sql::way(connection, filter, rows)? {
            Way::Scan(search) => search,
            Way::Rows(rows) => {
                return sql::look_up(connection, "p.time_ns", filter, &rows, |rows| {
                    self.add(rows).map(ControlFlow::Continue)
                })
                .map(drop);
            }
        };
        let condition = sql::condition(connection, filter, search)?;
        let mut statement = connection.prepare(&format!(
            "SELECT p.time_ns FROM process p WHERE p.time_ns >= {} AND p.time_ns < {} AND {}",
            self.from_ns, self.to_ns, condition.sql
        ))?;
        self.add(&mut statement.query(params_from_iter(condition.params))?)
    }

    fn add(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<()> {
        while let Some(row) = rows.next()? {
            let time_ns: i64 = row.get(0)?;
            if !(self.from_ns..self.to_ns).contains(&time_ns) {
                continue;
            }
            let place = (time_ns - self.from_ns) / self.width_ns;
            let count = usize::try_from(place).ok().and_then(|place| self.counts.get_mut(place));
            if let Some(count) = count {
                *count += 1;
            }
        }
        Ok(())
    }
}

impl Reader {
    /// How many matching records began in each of `buckets` equal parts of `from_ns..to_ns`.
    pub(crate) fn histogram(
        &self,
        control: &Control,
        filter: &Filter,
        from_ns: i64,
        to_ns: i64,
        buckets: u32,
    ) -> Result<Vec<u64>, Stopped> {
        self.run(control, |connection| {
            let mut buckets = Buckets::new(from_ns, to_ns, buckets);
            if filter.expr == Expr::True {
                buckets.all(connection)?;
            } else {
                buckets.of(connection, filter)?;
            }
            Ok(buckets.counts)
        })
    }
}
