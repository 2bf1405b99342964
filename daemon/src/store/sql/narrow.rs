//! The rows that a filter can match at all, where something tells: those of some executables, or of
//! some command lines.
//!
//! What else the filter asks is to be asked of the rows found.

use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use common::filter::{Comparison, Expr, Field, Filter, Term, Test};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Rows, ToSql, params_from_iter};

use super::functions::register_terms;
use super::home::{Form, Home, home};
use super::{Compiler, Condition, Search, condition};
use crate::store::blocks;
use crate::store::outline::{Ids, Wanted};

/// In tests all of it is small, so that a short history goes every way.
const fn scaled(number: usize, in_tests: usize) -> usize {
    if cfg!(test) { in_tests } else { number }
}

/// Values at most, and rows: beyond, it is quicker to go through all rows.
const MOST_VALUES: usize = scaled(100_000, 30);
const MOST_ROWS: usize = scaled(1_000_000, 60);
/// So few that it is not worth while to ask whether another term leaves fewer.
const FEW_ROWS: usize = scaled(10_000, 2);
/// Of so many rows, each one's command line is tested rather than all that were ever recorded.
const TESTED_ROWS: usize = scaled(50_000, 10);
/// To look a row up is taken to last so many times as long as to pass by it.
const LOOK_UP: usize = scaled(6, 1);
/// Rows that are looked up at once: few at first, since that may be enough, and then many, since each
/// time all lists of values that pass are made anew.
const FIRST_ROWS: usize = scaled(500, 3);
const ROWS_AT_ONCE: usize = scaled(256_000, 20);

/// How to find all that match.
pub(in crate::store) enum Way {
    /// By going through all rows.
    Scan(Search),
    /// Among these, which are in order.
    Rows(Vec<i64>),
}

/// Whether there is more than one way.
pub(in crate::store) fn may_narrow(filter: &Filter) -> bool {
    required(&filter.expr)
        .iter()
        .any(|term| matches!(home(term.field), Home::Args(_) | Home::Executable(_) | Home::Name))
}

/// The quickest way to those among about so many rows.
pub(in crate::store) fn way(
    connection: &Connection,
    filter: &Filter,
    rows: usize,
) -> rusqlite::Result<Way> {
    if !may_narrow(filter) {
        return Ok(Way::Scan(Search::Everything));
    }
    if rows <= TESTED_ROWS {
        // Where there are not many more, all command lines are soon tested.
        let is_small_part = is_small_part(connection, rows)?;
        let search = if is_small_part { Search::EachRow } else { Search::Everything };
        return Ok(Way::Scan(search));
    }
    Ok(match narrow(connection, filter)? {
        Some(found) if found.len() < rows / LOOK_UP => Way::Rows(found),
        _ => Way::Scan(Search::Everything),
    })
}

/// About how many rows are of the time, and of that which the filter asks for.
pub(in crate::store) fn rows_of_time(
    connection: &Connection,
    filter: &Filter,
    time_ns: Range<i64>,
) -> rusqlite::Result<usize> {
    let time_ns = times(filter, time_ns);
    // Rows are nearly in the order of time.
    let end_of = |sql: &str, at: i64| -> rusqlite::Result<Option<i64>> {
        connection.prepare_cached(sql)?.query_row([at], |row| row.get(0)).optional()
    };
    let first = "SELECT id FROM process WHERE time_ns >= ?1 ORDER BY time_ns LIMIT 1";
    let last = "SELECT id FROM process WHERE time_ns < ?1 ORDER BY time_ns DESC LIMIT 1";
    let (first, last) = (end_of(first, time_ns.start)?, end_of(last, time_ns.end)?);
    let count = first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first) + 1);
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Whether the filter asks for a time.
pub(in crate::store) fn has_time(filter: &Filter) -> bool {
    times(filter, i64::MIN..i64::MAX) != (i64::MIN..i64::MAX)
}

/// All rows of the time that the filter asks for are in this range; `None` where it is not worth
/// while to look.
pub(in crate::store) fn range_of_time(
    connection: &Connection,
    filter: &Filter,
) -> rusqlite::Result<Option<Range<i64>>> {
    let all = i64::MIN..i64::MAX;
    if !has_time(filter)
        || !is_small_part(connection, rows_of_time(connection, filter, all.clone())?)?
    {
        return Ok(None);
    }
    let time_ns = times(filter, all);
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT min(id), max(id) FROM process INDEXED BY process_time \
             WHERE time_ns >= ?1 AND time_ns < ?2",
        )?
        .query_row([time_ns.start, time_ns.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(first.zip(last).map_or(0..0, |(first, last)| first..last.saturating_add(1))))
}

/// The part of it that the filter asks for.
fn times(filter: &Filter, Range { mut start, mut end }: Range<i64>) -> Range<i64> {
    for term in required(&filter.expr) {
        if let (Field::Time, Test::IntCompare(comparison, than)) = (term.field, &term.test) {
            match comparison {
                Comparison::Less | Comparison::LessOrEqual => end = end.min(than.saturating_add(1)),
                Comparison::Greater | Comparison::GreaterOrEqual => start = start.max(*than),
            }
        }
    }
    start..end
}

fn is_small_part(connection: &Connection, rows: usize) -> rusqlite::Result<bool> {
    Ok(rows < rows_in(connection, &(i64::MIN..i64::MAX))? / LOOK_UP)
}

/// How many rows there are in the range at most.
pub(in crate::store) fn rows_in(
    connection: &Connection,
    range: &Range<i64>,
) -> rusqlite::Result<usize> {
    let (first, last): (i64, i64) = connection
        .prepare_cached(
            "SELECT ifnull((SELECT min(id) FROM process), 0), ifnull(max(id), -1) FROM process",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let end = range.end.min(last.saturating_add(1));
    Ok(usize::try_from(end.saturating_sub(range.start.max(first))).unwrap_or(0))
}

/// Hands out `columns` of the rows that match, in the order of `rows`, some at a time.
pub(in crate::store) fn look_up(
    connection: &Connection,
    columns: &str,
    filter: &Filter,
    rows: &[i64],
    mut take: impl FnMut(&mut Rows<'_>) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<ControlFlow<()>> {
    let Condition { sql, params } = condition(connection, filter, Search::EachRow)?;
    let mut statement = connection.prepare(&format!(
        "SELECT {columns} FROM rarray(?) n CROSS JOIN process p ON p.id = n.value WHERE {sql}"
    ))?;
    let (mut rest, mut at_once) = (rows, FIRST_ROWS);
    while !rest.is_empty() {
        let (some, others) = rest.split_at(at_once.min(rest.len()));
        let some = Rc::new(some.iter().map(|row| Value::Integer(*row)).collect::<Vec<_>>());
        let params = params.iter().map(|param| param as &dyn ToSql);
        let params = std::iter::once(&some as &dyn ToSql).chain(params);
        if take(&mut statement.query(params_from_iter(params))?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        (rest, at_once) = (others, (at_once * 8).min(ROWS_AT_ONCE));
    }
    Ok(ControlFlow::Continue(()))
}

/// Rows among which all matches are, in order; `None` where they are many.
fn narrow(connection: &Connection, filter: &Filter) -> rusqlite::Result<Option<Vec<i64>>> {
    let terms = required(&filter.expr);
    let mut wanted = Wanted::default();
    for term in &terms {
        let Some(found) = executables(connection, term)? else { continue };
        match &mut wanted.executables {
            None => wanted.executables = Some(found),
            Some(known) => known.retain(|id| found.contains(id)),
        }
    }
    let mut rows = None;
    if wanted.executables.is_some() {
        // To find executables takes no time, and they may tell enough.
        rows = wanted.rows(connection, MOST_ROWS)?;
        if rows.as_ref().is_some_and(|rows| rows.len() <= FEW_ROWS) {
            return Ok(rows);
        }
    }
    for term in &terms {
        let Home::Args(form) = home(term.field) else { continue };
        let Some(found) = command_lines(connection, form, &term.test)? else { continue };
        match &mut wanted.args {
            None => wanted.args = Some(found),
            Some(known) => known.retain(|id| found.contains(id)),
        }
    }
    if wanted.args.is_some() {
        rows = wanted.rows(connection, MOST_ROWS)?;
    }
    Ok(rows)
}

/// Terms without which the whole is not true.
fn required(expr: &Expr) -> Vec<&Term> {
    match expr {
        Expr::And(all) => all.iter().flat_map(required).collect(),
        Expr::Term(term) => vec![term],
        Expr::True | Expr::Or(_) | Expr::Not(_) => Vec::new(),
    }
}

/// Executables of the rows that pass; `None` where they do not tell.
fn executables(connection: &Connection, term: &Term) -> rusqlite::Result<Option<Ids>> {
    let mut compiler = Compiler::default();
    let Some(sql) = compiler.possible_executables(term) else { return Ok(None) };
    let Condition { sql, params } = compiler.finish(connection, sql)?;
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map(params_from_iter(params), |row| row.get(0))?;
    let ids: Ids = found.take(MOST_VALUES + 1).collect::<Result<_, _>>()?;
    Ok((ids.len() <= MOST_VALUES).then_some(ids))
}

/// Command lines that pass; `None` where they are many.
fn command_lines(
    connection: &Connection,
    form: Form,
    test: &Test,
) -> rusqlite::Result<Option<Ids>> {
    let texts: Vec<&[u8]> = match test {
        Test::Contains(needle) => vec![needle.folded()],
        Test::TextIn(texts) | Test::Prefix(texts) => texts.iter().map(|text| &**text).collect(),
        // Nothing is known of what it holds.
        _ => vec![&[]],
    };
    let ranges = blocks::candidates(connection, &texts)?;
    register_terms(connection, &[(form, test.clone())])?;
    let mut statement = connection
        .prepare("SELECT id FROM args WHERE id >= ?1 AND id < ?2 AND term(0, value, raw_bytes)")?;
    let mut ids = Ids::default();
    for range in ranges {
        let mut rows = statement.query([range.start, range.end])?;
        while let Some(row) = rows.next()? {
            if ids.len() == MOST_VALUES {
                return Ok(None);
            }
            ids.insert(row.get(0)?);
        }
    }
    Ok(Some(ids))
}
