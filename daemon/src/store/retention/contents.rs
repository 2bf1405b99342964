//! What rows refer to, and deleting what nothing refers to any more.
//!
//! A value is unused when the segment that used it last is gone and no kept row holds it. Only
//! values of deleted rows are looked at, and those that were noted as `loose`.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use crate::store::blocks;
use crate::store::dictionary::varints;

/// What is stored once. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) enum Kind {
    Text = 0,
    Args = 1,
    Variable = 2,
    Environment = 3,
    Executable = 4,
    Context = 5,
    Binary = 6,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Text,
        Self::Args,
        Self::Variable,
        Self::Environment,
        Self::Executable,
        Self::Context,
        Self::Binary,
    ];

    pub(super) fn of(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == code)
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Args => "args",
            Self::Variable => "env_var",
            Self::Environment => "env",
            Self::Executable => "executable",
            Self::Context => "context",
            Self::Binary => "binary",
        }
    }
}

pub(in crate::store) type Reference = (Kind, i64);

/// Columns of `process` that refer to values.
const COLUMNS: [(&str, Kind); 9] = [
    ("tty", Kind::Text),
    ("comm", Kind::Text),
    ("script", Kind::Text),
    ("cwd", Kind::Text),
    ("args", Kind::Args),
    ("env", Kind::Environment),
    ("executable", Kind::Executable),
    ("script_file", Kind::Executable),
    ("context", Kind::Context),
];

/// What the row refers to itself; empty if there is no such row.
pub(in crate::store) fn references(
    connection: &Connection,
    row: i64,
) -> rusqlite::Result<BTreeSet<Reference>> {
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let found = connection
        .prepare_cached(&format!("SELECT {names} FROM process WHERE id = ?1"))?
        .query_row([row], |row| {
            let mut found = BTreeSet::new();
            for (index, (_, kind)) in COLUMNS.into_iter().enumerate() {
                found.extend(row.get::<_, Option<i64>>(index)?.map(|id| (kind, id)));
            }
            Ok(found)
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The variables of an environment.
pub(super) fn variables(connection: &Connection, env: i64) -> rusqlite::Result<Vec<i64>> {
    let found = connection
        .prepare_cached("SELECT value FROM env WHERE id = ?1")?
        .query_row([env], |row| Ok(varints(row.get_ref(0)?.as_blob()?).collect()))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Notes values to be looked at when their `segment` is gone.
pub(super) fn loosen(
    connection: &Connection,
    segment: i64,
    references: impl IntoIterator<Item = Reference>,
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR IGNORE INTO loose VALUES (?1, ?2, ?3)")?;
    for (kind, id) in references {
        statement.execute([segment, kind as i64, id])?;
    }
    Ok(())
}

/// Takes some values that were noted, and whose segment is below `floor`.
pub(super) fn take_loose(
    connection: &Connection,
    floor: i64,
    most: i64,
) -> rusqlite::Result<BTreeSet<Reference>> {
    let rows: Vec<[i64; 3]> = connection
        .prepare_cached("SELECT segment, kind, id FROM loose WHERE segment < ?1 LIMIT ?2")?
        .query_map([floor, most], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?
        .collect::<Result<_, _>>()?;
    let mut delete = connection
        .prepare_cached("DELETE FROM loose WHERE segment = ?1 AND kind = ?2 AND id = ?3")?;
    for row in &rows {
        delete.execute(*row)?;
    }
    Ok(rows.into_iter().filter_map(|[_, kind, id]| Some((Kind::of(kind)?, id))).collect())
}

/// Deletes those of the candidates that are unused, and what becomes unused by that.
pub(super) fn sweep(
    connection: &Connection,
    floor: i64,
    mut candidates: BTreeSet<Reference>,
) -> rusqlite::Result<()> {
    let mut command_lines = Vec::new();
    while let Some((kind, id)) = candidates.pop_first() {
        match kind {
            Kind::Text | Kind::Variable | Kind::Context => {
                delete_value(connection, floor, kind, id)?;
            }
            Kind::Args => {
                if delete_value(connection, floor, kind, id)? {
                    command_lines.push(id);
                }
            }
            Kind::Environment => {
                let variables = variables(connection, id)?;
                if delete_value(connection, floor, kind, id)? {
                    let mut release = connection.prepare_cached(
                        "DELETE FROM held WHERE kind = ?1 AND id = ?2 AND holder = ?3",
                    )?;
                    for variable in variables {
                        release.execute([Kind::Variable as i64, variable, id])?;
                        candidates.insert((Kind::Variable, variable));
                    }
                }
            }
            Kind::Executable => {
                candidates.extend(delete_executable(connection, floor, id)?);
            }
            Kind::Binary => {
                connection
                    .prepare_cached(
                        "DELETE FROM binary WHERE id = ?1 AND storage != 0 AND NOT is_pinned \
                         AND NOT EXISTS (SELECT 1 FROM executable WHERE binary = ?1)",
                    )?
                    .execute([id])?;
            }
        }
    }
    blocks::forget(connection, &command_lines)
}

/// True of a value that is gone.
fn delete_value(
    connection: &Connection,
    floor: i64,
    kind: Kind,
    id: i64,
) -> rusqlite::Result<bool> {
    let table = kind.table();
    let has_path = "AND NOT EXISTS (SELECT 1 FROM executable WHERE path = ?1)";
    let by_files = if kind == Kind::Text { has_path } else { "" };
    let count = connection
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE id = ?1 AND used < ?2 \
             AND NOT EXISTS (SELECT 1 FROM held WHERE kind = ?3 AND id = ?1) {by_files}"
        ))?
        .execute([id, floor, kind as i64])?;
    Ok(count > 0)
}

/// Its path and its binary, if it is gone; how often it ran is added to the binary.
fn delete_executable(
    connection: &Connection,
    floor: i64,
    id: i64,
) -> rusqlite::Result<Vec<Reference>> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM executable WHERE id = ?1 AND used < ?2 \
             AND NOT EXISTS (SELECT 1 FROM held WHERE kind = ?3 AND id = ?1) \
             RETURNING path, binary, runs, first_ns, last_ns",
        )?
        .query_row([id, floor, Kind::Executable as i64], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Option<i64>>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Option<i64>>(3)?,
                row.get::<_, Option<i64>>(4)?,
            ))
        })
        .optional()?;
    let Some((path, binary, runs, first_ns, last_ns)) = gone else { return Ok(Vec::new()) };
    let mut freed = vec![(Kind::Text, path)];
    if let Some(binary) = binary {
        connection
            .prepare_cached(
                "UPDATE binary SET past_runs = past_runs + ?2, \
                 past_first_ns = min(ifnull(past_first_ns, ?3), ifnull(?3, past_first_ns)), \
                 past_last_ns = max(ifnull(past_last_ns, ?4), ifnull(?4, past_last_ns)) \
                 WHERE id = ?1",
            )?
            .execute((binary, runs, first_ns, last_ns))?;
        freed.push((Kind::Binary, binary));
    }
    Ok(freed)
}
