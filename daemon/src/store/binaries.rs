//! Reading what is known of executed files.

use std::collections::HashMap;
#[cfg(feature = "capture")]
use std::collections::HashSet;
use std::ops::ControlFlow;

use common::binary::{Binary, BinaryFile, Storage};
use common::escape;
use common::filter::{Expr, Filter};
#[cfg(feature = "capture")]
use common::record::{Content, FileIdentity};
use common::time::rfc3339;
#[cfg(feature = "capture")]
use rusqlite::OptionalExtension as _;
use rusqlite::{Connection, Row, params, params_from_iter};

#[cfg(feature = "capture")]
use super::contents::{CONTENT_COLUMNS, content_of};
use super::contents::{elf_of, hashes_of, hex, package_of};
use super::read::{Control, Reader, Stopped};
use super::select::{decode, executable_of, value};
use super::sql;

/// In which order binaries come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOrder {
    /// Run last.
    Last,
    /// Seen first last.
    First,
    Rarest,
}

/// Which binaries.
pub(crate) struct BinaryPage<'f> {
    /// Of the processes that ran them.
    pub(crate) filter: &'f Filter,
    /// Every run has to match, not just one.
    pub(crate) is_only: bool,
    pub(crate) order: BinaryOrder,
    pub(crate) first_since_ns: i64,
    pub(crate) is_unpackaged: bool,
    /// 0: all.
    pub(crate) limit: u32,
}

/// What a beginning of a hash means.
#[derive(Debug)]
pub(crate) enum Named {
    None,
    One(Box<Binary>),
    /// SHA-256 of some of them.
    Several(Vec<String>),
}

/// Of hashes that are named when a beginning is not enough.
const MOST_NAMED: usize = 10;

const COLUMNS: &str = "b.*, r.runs AS all_runs, r.first_ns, r.last_ns, a.alerts";

/// How often and when each binary ran, over all its files, those that are deleted too.
const RUNS: &str = "(SELECT binary, sum(runs) AS runs, min(first_ns) AS first_ns, \
    max(last_ns) AS last_ns, count(package) AS packaged FROM \
    (SELECT binary, runs, first_ns, last_ns, package FROM executable WHERE binary IS NOT NULL \
    UNION ALL SELECT id, past_runs, past_first_ns, past_last_ns, NULL FROM binary \
    WHERE past_runs > 0) GROUP BY binary)";

/// How many alerts each binary raised, as executable or as script: all of them counted at once.
const ALERTS: &str = "(SELECT binary, count(*) AS alerts FROM \
    (SELECT a.id, e.binary FROM alert a JOIN process p ON p.id = a.process \
    JOIN executable e ON e.id = p.executable WHERE e.binary IS NOT NULL \
    UNION SELECT a.id, e.binary FROM alert a JOIN process p ON p.id = a.process \
    JOIN executable e ON e.id = p.script_file WHERE e.binary IS NOT NULL) GROUP BY binary)";

impl Reader {
    /// Hands each binary to `take`, until it says stop.
    pub(crate) fn binaries(
        &self,
        control: &Control,
        page: &BinaryPage<'_>,
        take: &mut dyn FnMut(&Binary) -> ControlFlow<()>,
    ) -> Result<(), Stopped> {
        self.run(control, |connection| binaries(connection, page, take))
    }

    /// The binary of a SHA-256, SHA-1 or MD5, or of the beginning of one (hexadecimal digits in
    /// lower case).
    pub(crate) fn binary(&self, control: &Control, digits: &str) -> Result<Named, Stopped> {
        self.run(control, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, sha256 FROM binary WHERE lower(hex(sha256)) GLOB ?1 \
                 OR lower(hex(sha1)) GLOB ?1 OR lower(hex(md5)) GLOB ?1 LIMIT ?2",
            )?;
            let most = i64::try_from(MOST_NAMED).unwrap_or(i64::MAX);
            let found: Vec<(i64, String)> = statement
                .query_map(params![format!("{digits}*"), most], |row| {
                    Ok((row.get(0)?, hex(row.get_ref(1)?.as_blob()?)))
                })?
                .collect::<Result<_, _>>()?;
            match &found[..] {
                [] => Ok(Named::None),
                [(id, _)] => by_id(connection, *id).map(|binary| Named::One(Box::new(binary))),
                _ => Ok(Named::Several(found.into_iter().map(|(_, sha256)| sha256).collect())),
            }
        })
    }

    /// SHA-256 of what is kept, with its size on disk.
    pub(crate) fn kept_copies(&self, control: &Control) -> Result<Vec<(String, u64)>, Stopped> {
        self.run(control, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT sha256, stored_bytes FROM binary WHERE storage = 0 ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((hex(row.get_ref(0)?.as_blob()?), row.get::<_, i64>(1)?.cast_unsigned()))
            })?;
            rows.collect()
        })
    }

    #[cfg(feature = "capture")]
    pub(crate) fn kept(&self, control: &Control) -> Result<HashSet<String>, Stopped> {
        Ok(self.kept_copies(control)?.into_iter().map(|(sha256, _)| sha256).collect())
    }

    /// What the file held when it was read before, and the size of the copy.
    #[cfg(feature = "capture")]
    pub(crate) fn content_of(
        &self,
        identity: &FileIdentity,
    ) -> Result<Option<(Content, u64)>, Stopped> {
        let i = *identity;
        self.run(&Control::default(), |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT e.*, {CONTENT_COLUMNS}, b.stored_bytes FROM executable e \
                     JOIN binary b ON b.id = e.binary WHERE e.inode = ?1 AND e.ctime_ns = ?2 \
                     AND e.device_major = ?3 AND e.device_minor = ?4 AND e.size_bytes = ?5 \
                     AND e.mtime_ns = ?6 LIMIT 1"
                ))?
                .query_row(
                    params![
                        i.inode.cast_signed(),
                        i.ctime_ns,
                        i.device_major,
                        i.device_minor,
                        i64::try_from(i.size_bytes).unwrap_or(i64::MAX),
                        i.mtime_ns
                    ],
                    |row| {
                        let stored: i64 = row.get("stored_bytes")?;
                        Ok((content_of(row)?, stored.cast_unsigned()))
                    },
                )
                .optional()
        })
    }

    /// Files that nobody has looked at, those that ran last first: with their path, and when that
    /// was.
    #[cfg(feature = "capture")]
    pub(crate) fn unexplained(
        &self,
        limit: u32,
    ) -> Result<Vec<(FileIdentity, Vec<u8>, i64)>, Stopped> {
        self.run(&Control::default(), |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM executable WHERE binary IS NULL AND unread IS NULL AND mode != 0 \
                 AND last_ns IS NOT NULL ORDER BY last_ns DESC LIMIT ?1",
            )?;
            let mut rows = statement.query([limit])?;
            let mut files = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(identity) = executable_of(row)?.identity() else { continue };
                let path = value(connection, "text", row.get("path")?)?;
                files.push((identity, path.to_vec(), row.get("last_ns")?));
            }
            Ok(files)
        })
    }

    /// SHA-256 of copies that may be removed, the least recently executed first: not pinned, and no
    /// alert refers to them.
    #[cfg(feature = "capture")]
    pub(crate) fn evictable(&self, control: &Control, limit: u32) -> Result<Vec<String>, Stopped> {
        self.run(control, |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT b.sha256 FROM binary b LEFT JOIN {RUNS} r ON r.binary = b.id \
                 WHERE b.storage = 0 AND NOT b.is_pinned AND b.id NOT IN \
                 (SELECT e.binary FROM alert a JOIN process p ON p.id = a.process \
                  JOIN executable e ON e.id IN (p.executable, p.script_file) \
                  WHERE e.binary IS NOT NULL) \
                 ORDER BY r.last_ns, b.id LIMIT ?1"
            ))?;
            let rows = statement.query_map([limit], |row| Ok(hex(row.get_ref(0)?.as_blob()?)))?;
            rows.collect()
        })
    }
}

fn binaries(
    connection: &Connection,
    page: &BinaryPage<'_>,
    take: &mut dyn FnMut(&Binary) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let matching = match page.filter.expr {
        Expr::True => None,
        _ => Some(matching(connection, page.filter)?),
    };
    let all = match matching {
        Some(_) if page.is_only => Some(self::matching(connection, &Filter::all())?),
        _ => None,
    };
    let order = match page.order {
        BinaryOrder::Last => "r.last_ns DESC, b.id DESC",
        BinaryOrder::First => "r.first_ns DESC, b.id DESC",
        BinaryOrder::Rarest => "r.runs, r.first_ns DESC",
    };
    let unpackaged = if page.is_unpackaged { "AND ifnull(r.packaged, 0) = 0" } else { "" };
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM binary b LEFT JOIN {RUNS} r ON r.binary = b.id \
         LEFT JOIN {ALERTS} a ON a.binary = b.id WHERE ifnull(r.first_ns, 0) >= ?1 {unpackaged} ORDER BY {order}"
    ))?;
    let mut rows = statement.query([page.first_since_ns])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        if let Some(matching) = &matching {
            let id: i64 = row.get("id")?;
            let matched = matching.get(&id).copied().unwrap_or(0);
            // Of runs that are deleted nobody can say whether they would match.
            let is_partly =
                all.as_ref().is_some_and(|all| all.get(&id).copied().unwrap_or(0) > matched);
            if matched == 0 || is_partly {
                continue;
            }
        }
        if page.limit != 0 && count >= page.limit {
            break;
        }
        count += 1;
        if take(&binary(connection, row)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// How many runs of each binary match.
fn matching(connection: &Connection, filter: &Filter) -> rusqlite::Result<HashMap<i64, i64>> {
    let condition = sql::condition(connection, filter, sql::Search::Everything)?;
    let mut counts = HashMap::new();
    for column in ["executable", "script_file"] {
        // A fork is no run.
        let mut statement = connection.prepare(&format!(
            "SELECT e.binary, count(*) FROM process p JOIN executable e ON e.id = p.{column} \
             WHERE {} AND p.source != 1 AND e.binary IS NOT NULL GROUP BY e.binary",
            condition.sql
        ))?;
        let mut rows = statement.query(params_from_iter(condition.params.iter()))?;
        while let Some(row) = rows.next()? {
            *counts.entry(row.get(0)?).or_default() += row.get::<_, i64>(1)?;
        }
    }
    Ok(counts)
}

fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Binary> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM binary b LEFT JOIN {RUNS} r ON r.binary = b.id \
             LEFT JOIN {ALERTS} a ON a.binary = b.id WHERE b.id = ?1"
        ))?
        .query_row([id], |row| binary(connection, row))
}

fn binary(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Binary> {
    let figure = |column| -> rusqlite::Result<u64> {
        Ok(row.get::<_, Option<i64>>(column)?.unwrap_or(0).cast_unsigned())
    };
    let storage = decode(&Storage::ALL, row.get("storage")?);
    Ok(Binary {
        hash: hashes_of(row)?,
        size_bytes: figure("size_bytes")?,
        storage,
        stored_bytes: figure("stored_bytes")?,
        pinned: row.get("is_pinned")?,
        alerts: figure("alerts")?,
        runs: figure("all_runs")?,
        first: row.get::<_, Option<i64>>("first_ns")?.map(rfc3339),
        last: row.get::<_, Option<i64>>("last_ns")?.map(rfc3339),
        elf: elf_of(row)?,
        files: files(connection, row.get("id")?)?,
    })
}

/// Of one content; a shell script that is written anew each time has many.
const MOST_FILES: u32 = 100;

fn files(connection: &Connection, binary: i64) -> rusqlite::Result<Vec<BinaryFile>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM executable WHERE binary = ?1 ORDER BY last_ns DESC, id DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![binary, MOST_FILES])?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let is = executable_of(row)?;
        let path = value(connection, "text", row.get("path")?)?;
        files.push(BinaryFile {
            path: escape::text(&path).0.into_owned(),
            device: format!("{}:{}", is.device_major, is.device_minor),
            inode: is.inode,
            mode: format!("{:04o}", is.mode & 0o7777),
            uid: is.uid,
            gid: is.gid,
            mtime: rfc3339(is.mtime_ns),
            ctime: rfc3339(is.ctime_ns),
            runs: row.get::<_, i64>("runs")?.cast_unsigned(),
            first: row.get::<_, Option<i64>>("first_ns")?.map(rfc3339),
            last: row.get::<_, Option<i64>>("last_ns")?.map(rfc3339),
            memfd: is.is_memfd,
            deleted: is.is_deleted,
            package: package_of(row)?,
            capabilities: row.get("capabilities")?,
        });
    }
    Ok(files)
}

#[cfg(test)]
#[cfg(feature = "capture")]
mod tests;
