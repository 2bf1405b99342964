//! Deleting alerts, and losses, that are old.

use rusqlite::{Connection, OptionalExtension as _};

use super::kept::unguard;

/// In one step: an alert may guard many ancestors, and its documents are large.
const MOST_ALERTS: i64 = 16;
const MOST_GAPS: i64 = 256;

/// Deletes some alerts that happened last before `limit_ns`, the oldest first.
pub(super) fn delete_before(connection: &Connection, limit_ns: i64) -> rusqlite::Result<u64> {
    let ids: Vec<i64> = connection
        .prepare_cached("SELECT id FROM alert WHERE last_ns < ?1 ORDER BY last_ns LIMIT ?2")?
        .query_map([limit_ns, MOST_ALERTS], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &ids {
        delete(connection, *id)?;
    }
    Ok(ids.len() as u64)
}

fn delete(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    unguard(connection, id)?;
    connection.prepare_cached("DELETE FROM alert_change WHERE alert = ?1")?.execute([id])?;
    let documents: Option<[i64; 2]> = connection
        .prepare_cached("DELETE FROM alert WHERE id = ?1 RETURNING rule, snapshot")?
        .query_row([id], |row| Ok([row.get(0)?, row.get(1)?]))
        .optional()?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM document WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM alert WHERE rule = ?1) \
         AND NOT EXISTS (SELECT 1 FROM alert WHERE snapshot = ?1)",
    )?;
    for document in documents.into_iter().flatten() {
        delete.execute([document])?;
    }
    // No alert gets this number again.
    connection
        .prepare_cached(
            "INSERT INTO meta VALUES ('last_alert', ?1) \
             ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
        )?
        .execute([id])?;
    Ok(())
}

/// The number for the next alert: never one that a deleted alert had.
pub(in crate::store) fn next_alert(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT 1 + max(ifnull((SELECT max(id) FROM alert), 0), \
         ifnull((SELECT value FROM meta WHERE key = 'last_alert'), 0))",
        [],
        |row| row.get(0),
    )
}

/// Deletes some losses from before `limit_ns`.
pub(super) fn delete_gaps(connection: &Connection, limit_ns: i64) -> rusqlite::Result<u64> {
    let count = connection
        .prepare_cached(
            "DELETE FROM gaps WHERE id IN \
             (SELECT id FROM gaps WHERE time_ns < ?1 ORDER BY time_ns LIMIT ?2)",
        )?
        .execute([limit_ns, MOST_GAPS])?;
    Ok(count as u64)
}
