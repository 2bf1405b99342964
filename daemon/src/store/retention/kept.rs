//! Which rows must stay, although their time is over.
//!
//! Processes that run, and what an alert needs; of both all ancestors too. A process is meant as a
//! whole, by the row of its first image.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::contents::{Kind, Reference, references, variables};
use super::era::Era;

/// Steps to an ancestor at most: a damaged database must not lead in circles.
const MOST_ANCESTORS: usize = 4096;

/// What is asked of a row to judge it.
pub(super) const COLUMNS: &str = "p.id, p.first, p.boot, p.pid, p.start_boottime_ns, p.state, \
    p.time_ns - p.age_ns + p.run_ns, p.time_ns";

pub(super) struct Candidate {
    pub(super) row: i64,
    pub(super) first: Option<i64>,
    pub(super) boot: i64,
    pub(super) pid: i64,
    pub(super) start: i64,
    is_running: bool,
    /// Of the process; of the image where the end was not seen.
    ended_ns: i64,
}

impl Candidate {
    /// Of a row of [`COLUMNS`].
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            first: row.get(1)?,
            boot: row.get(2)?,
            pid: row.get(3)?,
            start: row.get(4)?,
            is_running: row.get::<_, i64>(5)? == 0,
            ended_ns: row.get::<_, Option<i64>>(6)?.map_or_else(|| row.get(7), Ok)?,
        })
    }

    fn process(&self) -> i64 {
        self.first.unwrap_or(self.row)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Delete,
    Keep,
    /// An alert needs it.
    Guard,
}

/// What ended since then is too young to go, unless the clock was wrong, and ahead, at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Young {
    pub(super) since_ns: i64,
    pub(super) clock_ns: i64,
}

impl Young {
    fn has(self, ended_ns: i64) -> bool {
        (self.since_ns..=self.clock_ns).contains(&ended_ns)
    }
}

/// The processes that ran at a time, and their ancestors.
#[derive(Default)]
pub(super) struct Living {
    processes: HashSet<i64, foldhash::fast::RandomState>,
    /// Rows from this one on were not there then: nothing is known of them.
    pub(super) end_row: i64,
}

impl Living {
    pub(super) fn look(connection: &Connection, era: &Era) -> rusqlite::Result<Self> {
        let rows: Vec<i64> = connection
            .prepare_cached("SELECT id FROM process WHERE state = 0")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut processes = HashSet::default();
        for row in rows {
            // What is known has its ancestors in the set already.
            lineage(connection, row, |process| processes.insert(process))?;
        }
        Ok(Self { processes, end_row: era.first_row })
    }

    /// `young`: `None` where only room counts.
    pub(super) fn judge(
        &self,
        connection: &Connection,
        candidate: &Candidate,
        young: Option<Young>,
    ) -> rusqlite::Result<Verdict> {
        if candidate.is_running || self.processes.contains(&candidate.process()) {
            return Ok(Verdict::Keep);
        }
        if is_guarded(connection, candidate.process())? {
            return Ok(Verdict::Guard);
        }
        let is_young = young.is_some_and(|young| young.has(candidate.ended_ns));
        Ok(if is_young { Verdict::Keep } else { Verdict::Delete })
    }
}

fn is_guarded(connection: &Connection, process: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM guard WHERE process = ?1")?.exists([process])
}

/// Hands out the process of the row, its parent and so on, until `take` says that it knows one.
fn lineage(
    connection: &Connection,
    row: i64,
    mut take: impl FnMut(i64) -> bool,
) -> rusqlite::Result<()> {
    let mut by_row = connection.prepare_cached(
        "SELECT ifnull(first, id), parent, parent_pid, parent_start, boot FROM process WHERE id = ?1",
    )?;
    // Where the parent's row was not known when the child's was written.
    let mut by_identity = connection.prepare_cached(
        "SELECT max(id) FROM process WHERE pid = ?1 AND start_boottime_ns = ?2 AND boot = ?3",
    )?;
    let mut next = Some(row);
    for _ in 0..MOST_ANCESTORS {
        let Some(row) = next else { break };
        let found = by_row
            .query_row([row], |row| {
                let identity = (row.get(2)?, row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, identity))
            })
            .optional()?;
        let Some((process, parent, identity)) = found else { break };
        if !take(process) {
            break;
        }
        next = match (parent, identity) {
            (None, (Some(pid), Some(start), boot)) => {
                let (pid, start, boot): (i64, i64, i64) = (pid, start, boot);
                by_identity.query_row([pid, start, boot], |row| row.get(0))?
            }
            (parent, _) => parent,
        };
    }
    Ok(())
}

/// From now on the alert needs the process of the row, and its ancestors.
pub(in crate::store) fn guard(
    connection: &Connection,
    alert: i64,
    row: i64,
) -> rusqlite::Result<()> {
    let mut processes = HashSet::<i64>::new();
    lineage(connection, row, |process| processes.insert(process))?;
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO guard VALUES (?1, ?2)")?;
    for process in processes {
        insert.execute([process, alert])?;
    }
    Ok(())
}

/// The alert is about to be deleted: rows that no other needs are looked at again.
pub(super) fn unguard(connection: &Connection, alert: i64) -> rusqlite::Result<()> {
    let processes: Vec<i64> = connection
        .prepare_cached("DELETE FROM guard WHERE alert = ?1 RETURNING process")?
        .query_map([alert], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut free = connection.prepare_cached(
        "UPDATE kept SET is_guarded = 0 WHERE process IN (SELECT i.id FROM process p \
         JOIN process i ON i.pid = p.pid AND i.start_boottime_ns = p.start_boottime_ns \
         AND i.boot = p.boot WHERE p.id = ?1)",
    )?;
    for process in processes {
        if !is_guarded(connection, process)? {
            free.execute([process])?;
        }
    }
    Ok(())
}

/// The row stays when its segment goes, and with it what it refers to.
pub(super) fn keep(connection: &Connection, row: i64, is_guarded: bool) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO kept VALUES (?1, ?2)")?.execute((row, is_guarded))?;
    hold(connection, row, &references(connection, row)?)
}

fn hold(
    connection: &Connection,
    row: i64,
    references: &BTreeSet<Reference>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO held VALUES (?1, ?2, ?3)")?;
    for (kind, id) in references {
        let is_new = insert.execute([*kind as i64, *id, row])? > 0;
        if is_new && *kind == Kind::Environment {
            for variable in variables(connection, *id)? {
                insert.execute([Kind::Variable as i64, variable, *id])?;
            }
        }
    }
    Ok(())
}

/// The row lets go of what it refers to.
pub(super) fn release<'r>(
    connection: &Connection,
    row: i64,
    references: impl IntoIterator<Item = &'r Reference>,
) -> rusqlite::Result<()> {
    let mut delete = connection
        .prepare_cached("DELETE FROM held WHERE kind = ?1 AND id = ?2 AND holder = ?3")?;
    for (kind, id) in references {
        delete.execute([*kind as i64, *id, row])?;
    }
    Ok(())
}

/// After the row was written anew, in the place of one that referred to `before`.
pub(in crate::store) fn replaced(
    connection: &Connection,
    era: &Era,
    row: i64,
    before: &BTreeSet<Reference>,
) -> rusqlite::Result<()> {
    let after = references(connection, row)?;
    let gone = || before.difference(&after).copied();
    super::contents::loosen(connection, era.current, gone())?;
    if row < era.first_row {
        // Its segment goes before the one that its values are marked with now.
        super::contents::loosen(connection, era.current, after.iter().copied())?;
    }
    if row < era.floor_row && !after.is_empty() {
        connection.prepare_cached("INSERT OR IGNORE INTO kept VALUES (?1, 0)")?.execute([row])?;
        release(connection, row, &gone().collect::<Vec<_>>())?;
        hold(connection, row, &after)?;
    }
    Ok(())
}

/// Puts the file of its script into a row that was written before.
pub(in crate::store) fn set_script(
    connection: &Connection,
    era: &Era,
    row: i64,
    file: i64,
) -> rusqlite::Result<()> {
    let before = references(connection, row)?;
    connection
        .prepare_cached("UPDATE process SET script_file = ?2 WHERE id = ?1")?
        .execute([row, file])?;
    if before.is_empty() {
        // The row has been deleted meanwhile.
        super::contents::loosen(connection, era.current, [(Kind::Executable, file)])?;
    }
    replaced(connection, era, row, &before)
}
