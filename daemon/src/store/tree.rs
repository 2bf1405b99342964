//! Ancestors and descendants of a process.

use std::collections::HashSet;

use common::id::ProcessId;
use common::record::Record;
use rusqlite::{Connection, OptionalExtension as _};

use super::read::{Control, Reader, Stopped, images, record};
use super::select::{COLUMNS, Resolver};

/// How far to look.
pub(crate) struct Reach {
    pub(crate) up: u32,
    pub(crate) down: u32,
    /// Records at most; the nearest ones are kept.
    pub(crate) limit: usize,
}

impl Reader {
    /// Ancestors from the oldest, the process, then its descendants, parents before children and
    /// siblings by start. Of each process its newest image. Empty if the process is not stored.
    pub(crate) fn tree(
        &self,
        control: &Control,
        id: ProcessId,
        reach: &Reach,
    ) -> Result<Vec<Record>, Stopped> {
        self.run(control, |connection| {
            let own = images(connection, id)?;
            let Some(newest) = own.last() else { return Ok(Vec::new()) };
            let mut resolver = Resolver::new(connection);
            let mut tree = ancestors(connection, &mut resolver, newest, reach)?;
            tree.reverse();
            tree.push(newest.clone());
            descendants(connection, &mut resolver, &own, reach, &mut tree)?;
            Ok(tree)
        })
    }
}

/// From the nearest.
fn ancestors(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    of: &Record,
    reach: &Reach,
) -> rusqlite::Result<Vec<Record>> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([of.process]);
    let mut current = of.clone();
    while found.len() < reach.up as usize && found.len() + 1 < reach.limit {
        let Some(parent) = &current.parent else { break };
        // A damaged database must not lead in circles.
        if !seen.insert(parent.process) {
            break;
        }
        // The image that forked, not one that the parent ran later.
        let row: Option<i64> = connection
            .prepare_cached("SELECT parent FROM process WHERE id = ?1")?
            .query_row([current.row], |row| row.get(0))
            .optional()?
            .flatten();
        let image = match row {
            Some(row) => record(connection, resolver, row)?,
            None => images(connection, parent.process)?.pop(),
        };
        let Some(image) = image else { break };
        found.push(image.clone());
        current = image;
    }
    Ok(found)
}

/// Breadth first, so that the limit cuts the far ones; then put in the order of a tree.
fn descendants(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    own: &[Record],
    reach: &Reach,
    tree: &mut Vec<Record>,
) -> rusqlite::Result<()> {
    let Some(root) = own.last().map(|record| record.process) else { return Ok(()) };
    let mut children: Vec<(ProcessId, Record)> = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut level = vec![(root, own.iter().map(|record| record.row).collect::<Vec<_>>())];
    for _ in 0..reach.down {
        let mut next = Vec::new();
        for (parent, rows) in level {
            for row in rows {
                for child in children_of(connection, resolver, row)? {
                    if tree.len() + children.len() >= reach.limit {
                        break;
                    }
                    if seen.insert(child.process) {
                        let images = images(connection, child.process)?;
                        let rows = images.iter().map(|image| image.row).collect();
                        next.push((child.process, rows));
                        children.push((parent, images.into_iter().next_back().unwrap_or(child)));
                    }
                }
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    children.sort_by_key(|(_, record)| record.process.start_boottime_ns);
    push_below(root, &children, tree);
    Ok(())
}

/// Without recursion: a chain of a million processes must not overflow the stack.
fn push_below(root: ProcessId, children: &[(ProcessId, Record)], tree: &mut Vec<Record>) {
    let mut by_parent = std::collections::HashMap::<ProcessId, Vec<&Record>>::new();
    for (parent, child) in children {
        by_parent.entry(*parent).or_default().push(child);
    }
    let mut stack: Vec<&Record> = by_parent.remove(&root).unwrap_or_default();
    stack.reverse();
    while let Some(record) = stack.pop() {
        tree.push(record.clone());
        let mut below = by_parent.remove(&record.process).unwrap_or_default();
        below.reverse();
        stack.extend(below);
    }
}

fn children_of(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    row: i64,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM process p WHERE p.parent = ?1 AND p.first IS NULL ORDER BY p.id"
    ))?;
    let mut rows = statement.query([row])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(resolver.record(row)?);
    }
    Ok(records)
}
