//! Deleting rows: a segment at a time, and later what was kept of segments that are gone.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::contents::{Reference, references, sweep};
use super::era::Era;
use super::kept::{COLUMNS, Candidate, Living, Verdict, Young, keep, release};

/// Deletes what may go of the oldest segment, and the segment. Returns the number of rows.
pub(super) fn segment(
    connection: &Connection,
    era: &mut Era,
    living: &Living,
    next_first_row: i64,
    young: Option<Young>,
) -> rusqlite::Result<u64> {
    let candidates: Vec<Candidate> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM process p WHERE p.id >= ?1 AND p.id < ?2 ORDER BY p.id"
        ))?
        .query_map([era.floor_row, next_first_row], Candidate::of)?
        .collect::<Result<_, _>>()?;
    let mut freed = BTreeSet::new();
    let mut deleted = 0;
    for candidate in &candidates {
        match living.judge(connection, candidate, young)? {
            Verdict::Delete => {
                freed.extend(delete(connection, candidate)?);
                deleted += 1;
            }
            Verdict::Keep => keep(connection, candidate.row, false)?,
            Verdict::Guard => keep(connection, candidate.row, true)?,
        }
    }
    connection.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([era.floor])?;
    era.floor += 1;
    era.floor_row = next_first_row;
    sweep(connection, era.floor, freed)?;
    Ok(deleted)
}

/// Looks at some kept rows beyond `after` that no alert guards. Returns how many were deleted, and
/// the last one looked at; `None` where there was none.
pub(super) fn kept(
    connection: &Connection,
    era: &Era,
    living: &Living,
    after: i64,
    most: i64,
    young: Option<Young>,
) -> rusqlite::Result<(u64, Option<i64>)> {
    let candidates: Vec<Candidate> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM kept k JOIN process p ON p.id = k.process \
             WHERE k.is_guarded = 0 AND k.process > ?1 ORDER BY k.process LIMIT ?2"
        ))?
        .query_map([after, most], Candidate::of)?
        .collect::<Result<_, _>>()?;
    let mut freed = BTreeSet::new();
    let mut deleted = 0;
    for candidate in &candidates {
        match living.judge(connection, candidate, young)? {
            Verdict::Delete => {
                let references = delete(connection, candidate)?;
                release(connection, candidate.row, &references)?;
                connection
                    .prepare_cached("DELETE FROM kept WHERE process = ?1")?
                    .execute([candidate.row])?;
                freed.extend(references);
                deleted += 1;
            }
            Verdict::Keep => {}
            Verdict::Guard => {
                connection
                    .prepare_cached("UPDATE kept SET is_guarded = 1 WHERE process = ?1")?
                    .execute([candidate.row])?;
            }
        }
    }
    sweep(connection, era.floor, freed)?;
    Ok((deleted, candidates.last().map(|candidate| candidate.row)))
}

/// What the row referred to. Its children keep the identity of their parent, and a later image
/// becomes the first one.
fn delete(connection: &Connection, of: &Candidate) -> rusqlite::Result<BTreeSet<Reference>> {
    let references = references(connection, of.row)?;
    connection
        .prepare_cached(
            "UPDATE process SET parent = NULL, parent_pid = ?2, parent_start = ?3 \
             WHERE parent = ?1",
        )?
        .execute([of.row, of.pid, of.start])?;
    connection.prepare_cached("DELETE FROM process WHERE id = ?1")?.execute([of.row])?;
    if of.first.is_none() {
        let next: Option<i64> = connection
            .prepare_cached(
                "SELECT min(id) FROM process WHERE pid = ?1 AND start_boottime_ns = ?2 \
                 AND boot = ?3",
            )?
            .query_row([of.pid, of.start, of.boot], |row| row.get(0))?;
        if let Some(next) = next {
            connection
                .prepare_cached(
                    "UPDATE process SET first = nullif(?4, id) WHERE pid = ?1 \
                     AND start_boottime_ns = ?2 AND boot = ?3",
                )?
                .execute(params![of.pid, of.start, of.boot, next])?;
        }
    }
    Ok(references)
}
