//! Once, for a database of a version without retention: when were its values used, and which
//! processes do its alerts need? In small steps, and before anything is deleted.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::contents::{Kind, references, variables};
use super::kept::guard;

const MOST_ALERTS: i64 = 64;

/// True if there was something to do.
pub(super) fn step(connection: &Connection) -> rusqlite::Result<bool> {
    if let Some(after) = meta(connection, "survey_alert")? {
        let alerts: Vec<(i64, i64)> = connection
            .prepare_cached("SELECT id, process FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2")?
            .query_map([after, MOST_ALERTS], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (alert, row) in &alerts {
            guard(connection, *alert, *row)?;
        }
        set(connection, "survey_alert", alerts.last().map(|(alert, _)| *alert))?;
        return Ok(true);
    }
    let Some(segment) = meta(connection, "survey_segment")? else { return Ok(false) };
    let end = meta(connection, "survey_end")?.unwrap_or(0);
    mark(connection, segment)?;
    set(connection, "survey_segment", (segment < end).then_some(segment + 1))?;
    Ok(true)
}

/// Segments that were not looked at yet.
pub(super) fn is_done(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(meta(connection, "survey_segment")?.is_none())
}

fn mark(connection: &Connection, segment: i64) -> rusqlite::Result<()> {
    let rows: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM process WHERE id >= (SELECT first_row FROM segment WHERE id = ?1) \
             AND id < ifnull((SELECT first_row FROM segment WHERE id = ?1 + 1), ?2)",
        )?
        .query_map([segment, i64::MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for row in rows {
        for (kind, id) in references(connection, row)? {
            let is_new = use_value(connection, kind, id, segment)?;
            if is_new && kind == Kind::Environment {
                for variable in variables(connection, id)? {
                    use_value(connection, Kind::Variable, variable, segment)?;
                }
            }
        }
    }
    Ok(())
}

fn use_value(connection: &Connection, kind: Kind, id: i64, segment: i64) -> rusqlite::Result<bool> {
    let sql = format!("UPDATE {} SET used = ?2 WHERE id = ?1 AND used < ?2", kind.table());
    Ok(connection.prepare_cached(&sql)?.execute([id, segment])? > 0)
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn set(connection: &Connection, key: &str, value: Option<i64>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection
            .prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?
            .execute(params![key, value]),
        None => connection.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key]),
    }?;
    Ok(())
}
