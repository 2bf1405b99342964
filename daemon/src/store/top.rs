//! How often each value of a field occurs.
//!
//! Rows are counted by numbers that stand in the row itself, such as that of the executable. What
//! these stand for is looked up once for each of them, and not for each row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;

use common::bus::Count;
use common::filter::{Field, Filter, value_text};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Rows, params_from_iter};

use super::read::{Control, Reader, Stopped, record};
use super::select::Resolver;
use super::sql::{self, Way};

/// Different numbers at most: they are held in memory while they are counted.
const MOST_VALUES: usize = 500_000;

/// A field by whose values records can be counted.
pub(crate) struct Grouping {
    field: Field,
    key: sql::GroupKey,
}

impl Grouping {
    /// `None` for a field with several values.
    pub(crate) fn by(field: Field) -> Option<Self> {
        Some(Self { field, key: sql::group_key(field)? })
    }
}

/// A value, as the database has it.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Number(i64),
    Bytes(Box<[u8]>),
}

impl Key {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        Some(match value {
            ValueRef::Null | ValueRef::Real(_) => return None,
            ValueRef::Integer(number) => Self::Number(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Self::Bytes(bytes.into()),
        })
    }
}

/// Rows that share a value.
#[derive(Clone, Copy)]
struct Group {
    last_row: i64,
    count: u64,
    first_ns: i64,
    last_ns: i64,
}

impl Group {
    fn join(&mut self, other: &Self) {
        self.last_row = self.last_row.max(other.last_row);
        self.count += other.count;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

type Groups = HashMap<Key, Group, foldhash::fast::RandomState>;

fn add(groups: &mut Groups, key: Key, group: &Group) {
    match groups.entry(key) {
        Entry::Occupied(mut known) => known.get_mut().join(group),
        Entry::Vacant(new) => _ = new.insert(*group),
    }
}

impl Reader {
    /// The most frequent values of a field, or the rarest.
    pub(crate) fn top(
        &self,
        control: &Control,
        by: &Grouping,
        filter: &Filter,
        limit: u32,
        is_rarest: bool,
    ) -> Result<Vec<Count>, Stopped> {
        let found = self.run(control, |connection| {
            let Some(mut groups) = count(connection, &by.key.of_row, filter)? else {
                return Ok(None);
            };
            if let Some(key) = &by.key.of_number {
                groups = merged(connection, key, &groups)?;
            }
            let mut groups: Vec<Group> = groups.into_values().collect();
            groups.sort_unstable_by_key(|group| (group.count, group.last_ns));
            if !is_rarest {
                groups.reverse();
            }
            named(connection, by.field, &groups, limit as usize).map(Some)
        })?;
        found.ok_or(Stopped::TooManyValues(MOST_VALUES))
    }
}

/// `None` where there are too many values.
fn count(connection: &Connection, key: &str, filter: &Filter) -> rusqlite::Result<Option<Groups>> {
    let columns = format!("{key}, p.id, p.time_ns");
    let mut groups = Groups::default();
    let rows = sql::rows_of_time(connection, filter, i64::MIN..i64::MAX)?;
    let is_whole = match sql::way(connection, filter, rows)? {
        Way::Scan(search) => {
            let condition = sql::condition(connection, filter, search)?;
            let mut statement = connection
                .prepare(&format!("SELECT {columns} FROM process p WHERE {}", condition.sql))?;
            add_rows(&mut groups, &mut statement.query(params_from_iter(condition.params))?)?
        }
        Way::Rows(rows) => {
            sql::look_up(connection, &columns, filter, &rows, |rows| add_rows(&mut groups, rows))?
        }
    };
    Ok(is_whole.is_continue().then_some(groups))
}

/// Stops where there are too many values.
fn add_rows(groups: &mut Groups, rows: &mut Rows<'_>) -> rusqlite::Result<ControlFlow<()>> {
    while let Some(row) = rows.next()? {
        let Some(key) = Key::of(row.get_ref(0)?) else { continue };
        let time_ns = row.get(2)?;
        let group = Group { last_row: row.get(1)?, count: 1, first_ns: time_ns, last_ns: time_ns };
        add(groups, key, &group);
        if groups.len() > MOST_VALUES {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// By what the numbers stand for: two may stand for the same.
fn merged(connection: &Connection, key: &str, groups: &Groups) -> rusqlite::Result<Groups> {
    let mut statement =
        connection.prepare(&format!("SELECT {key} FROM process p WHERE p.id = ?1"))?;
    let mut merged = Groups::default();
    for group in groups.values() {
        let key = statement.query_row([group.last_row], |row| Ok(Key::of(row.get_ref(0)?)))?;
        if let Some(key) = key {
            add(&mut merged, key, group);
        }
    }
    Ok(merged)
}

/// With the values as people read them.
fn named(
    connection: &Connection,
    field: Field,
    groups: &[Group],
    limit: usize,
) -> rusqlite::Result<Vec<Count>> {
    let mut resolver = Resolver::new(connection);
    let mut counts = Vec::new();
    for group in groups {
        if counts.len() >= limit {
            break;
        }
        let sample = record(connection, &mut resolver, group.last_row)?;
        let Some(value) = sample.and_then(|record| value_text(field, &record)) else { continue };
        let Group { count, first_ns, last_ns, .. } = *group;
        counts.push(Count { value, count, first_ns, last_ns });
    }
    Ok(counts)
}
