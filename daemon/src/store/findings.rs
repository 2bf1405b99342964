//! Writing what was found out of executed files.

use std::collections::HashMap;
use std::sync::Arc;

use common::binary::{Elf, PackageState, Storage, Unread};
use common::record::{Content, Executable, FileContent, FileIdentity};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{code, figure, int};
use super::contents::unhex;
use super::retention::{self, Era};

/// What was found out of an executed file.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// Of every executable with this identity.
    File {
        identity: FileIdentity,
        content: Content,
        stored_bytes: u64,
        /// What is found out of the same identity later need not be what ran now.
        is_doubtful: bool,
    },
    /// Of the script that the image in `row` interprets.
    Script { row: i64, time_ns: i64, file: Arc<Executable>, content: Content, stored_bytes: u64 },
    /// A content for which no file is known: it was kept just before a crash.
    Orphan { content: Arc<FileContent>, size_bytes: u64, stored_bytes: u64 },
    /// Something happened to copies.
    Copies { sha256: Vec<String>, storage: Storage },
}

/// How often files ran, within one batch.
#[derive(Debug, Default)]
pub(super) struct Runs {
    of: HashMap<i64, Times, foldhash::fast::RandomState>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    count: i64,
    first_ns: i64,
    last_ns: i64,
}

impl Runs {
    pub(super) fn add(&mut self, executable: i64, time_ns: i64) {
        let times = self.of.entry(executable).or_insert(Times {
            count: 0,
            first_ns: time_ns,
            last_ns: time_ns,
        });
        times.count += 1;
        times.first_ns = times.first_ns.min(time_ns);
        times.last_ns = times.last_ns.max(time_ns);
    }

    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE executable SET runs = runs + ?2, first_ns = min(ifnull(first_ns, ?3), ?3), \
             last_ns = max(ifnull(last_ns, ?4), ?4) WHERE id = ?1",
        )?;
        for (executable, times) in self.of {
            statement.execute([executable, times.count, times.first_ns, times.last_ns])?;
        }
        Ok(())
    }
}

/// A new row of `executable` gets what is known of other paths to the same file.
pub(super) fn inherit(
    connection: &Connection,
    executable: i64,
    identity: FileIdentity,
) -> rusqlite::Result<()> {
    let i = identity;
    let known: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT id FROM executable WHERE {OF_IDENTITY} AND id != ?7 \
             AND (binary IS NOT NULL OR unread IS NOT NULL) LIMIT 1"
        ))?
        .query_row(
            params![
                int(i.inode),
                i.ctime_ns,
                i.device_major,
                i.device_minor,
                figure(i.size_bytes),
                i.mtime_ns,
                executable
            ],
            |row| row.get(0),
        )
        .optional()?;
    let Some(known) = known else { return Ok(()) };
    connection
        .prepare_cached(
            "UPDATE executable SET (binary, unread, is_uncertain, package, package_version, \
             package_manager, package_state, capabilities) = (SELECT binary, unread, \
             is_uncertain, package, package_version, package_manager, package_state, \
             capabilities FROM executable WHERE id = ?2) \
             WHERE id = ?1 AND binary IS NULL AND unread IS NULL",
        )?
        .execute([executable, known])?;
    Ok(())
}

/// Rows of `executable` for one file, whatever the path. Parameters 1 to 6.
const OF_IDENTITY: &str = "inode = ?1 AND ctime_ns = ?2 AND device_major = ?3 \
    AND device_minor = ?4 AND size_bytes = ?5 AND mtime_ns = ?6";

/// A row of `executable` of which retention has deleted what was known gets it from the recorder,
/// which remembers it and looks at no file twice.
pub(super) fn restore(
    connection: &Connection,
    executable: i64,
    identity: FileIdentity,
    content: &Content,
) -> rusqlite::Result<()> {
    if *content == Content::Unknown {
        return Ok(());
    }
    let is_blank = connection
        .prepare_cached(
            "SELECT 1 FROM executable WHERE id = ?1 AND binary IS NULL AND unread IS NULL",
        )?
        .exists([executable])?;
    if !is_blank {
        return Ok(());
    }
    let known: Option<i64> = match content {
        Content::Read(read) => connection
            .prepare_cached("SELECT id FROM binary WHERE sha256 = ?1")?
            .query_row([unhex(&read.hashes.sha256)], |row| row.get(0))
            .optional()?,
        _ => None,
    };
    // A copy that is kept keeps its row: one that has to be made anew has none.
    let binary = match known {
        Some(binary) => Some(binary),
        None => binary_of(connection, content, identity.size_bytes, 0)?,
    };
    attach(connection, executable, binary, content, false)
}

/// Writes a finding. `script` is the row of a script's file.
pub(super) fn write(
    connection: &Connection,
    era: &Era,
    finding: &Finding,
    script: Option<i64>,
) -> rusqlite::Result<()> {
    match finding {
        Finding::File { identity, content, stored_bytes, is_doubtful } => {
            let binary = binary_of(connection, content, identity.size_bytes, *stored_bytes)?;
            let i = identity;
            let ids: Vec<i64> = connection
                .prepare_cached(&format!("SELECT id FROM executable WHERE {OF_IDENTITY}"))?
                .query_map(
                    params![
                        int(i.inode),
                        i.ctime_ns,
                        i.device_major,
                        i.device_minor,
                        figure(i.size_bytes),
                        i.mtime_ns
                    ],
                    |row| row.get(0),
                )?
                .collect::<Result<_, _>>()?;
            for id in ids {
                attach(connection, id, binary, content, *is_doubtful)?;
            }
        }
        Finding::Script { row, time_ns, file, content, stored_bytes } => {
            let Some(id) = script else { return Ok(()) };
            let binary = binary_of(connection, content, file.size_bytes, *stored_bytes)?;
            attach(connection, id, binary, content, false)?;
            retention::set_script(connection, era, *row, id)?;
            let mut runs = Runs::default();
            runs.add(id, *time_ns);
            runs.write(connection)?;
        }
        Finding::Orphan { content, size_bytes, stored_bytes } => {
            upsert(connection, content, *size_bytes, *stored_bytes)?;
        }
        Finding::Copies { sha256, storage } => {
            let mut statement = connection.prepare_cached(
                "UPDATE binary SET storage = ?2, stored_bytes = 0 WHERE sha256 = ?1",
            )?;
            for digits in sha256 {
                statement.execute(params![unhex(digits), code(&Storage::ALL, *storage)])?;
            }
        }
    }
    Ok(())
}

fn binary_of(
    connection: &Connection,
    content: &Content,
    size_bytes: u64,
    stored_bytes: u64,
) -> rusqlite::Result<Option<i64>> {
    content.read().map(|read| upsert(connection, read, size_bytes, stored_bytes)).transpose()
}

/// The id of the content; one that was not kept before may be now.
fn upsert(
    connection: &Connection,
    content: &FileContent,
    size_bytes: u64,
    stored_bytes: u64,
) -> rusqlite::Result<i64> {
    let none = Elf::default();
    let elf = content.elf.as_ref().unwrap_or(&none);
    connection
        .prepare_cached(
            "INSERT INTO binary (sha256, sha1, md5, size_bytes, storage, stored_bytes, is_elf, \
             elf_class, elf_machine, elf_type, elf_static, elf_interpreter, elf_stripped, \
             elf_build_id, elf_entropy, elf_packed, elf_damage) VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
             ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
             ON CONFLICT (sha256) DO UPDATE SET \
             storage = iif(storage = 0, 0, excluded.storage), \
             stored_bytes = iif(storage = 0 AND excluded.storage != 0, stored_bytes, \
             excluded.stored_bytes) RETURNING id",
        )?
        .query_row(
            params![
                unhex(&content.hashes.sha256),
                unhex(&content.hashes.sha1),
                unhex(&content.hashes.md5),
                figure(size_bytes),
                code(&Storage::ALL, content.storage),
                figure(stored_bytes),
                content.elf.is_some(),
                elf.class,
                elf.machine,
                elf.kind,
                elf.is_static,
                elf.interpreter,
                elf.is_stripped,
                elf.build_id,
                elf.entropy,
                elf.is_packed,
                elf.damage,
            ],
            |row| row.get(0),
        )
}

/// A file that is said to have had two contents had neither for certain.
fn attach(
    connection: &Connection,
    executable: i64,
    binary: Option<i64>,
    content: &Content,
    is_doubtful: bool,
) -> rusqlite::Result<()> {
    let (before, unread): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT binary, unread FROM executable WHERE id = ?1")?
        .query_row([executable], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ambiguous = Some(code(&Unread::ALL, Unread::Ambiguous));
    let is_contradicted = before.is_some() && binary.is_some() && before != binary;
    let (binary, reason) = match content {
        _ if is_contradicted || unread == ambiguous => (None, ambiguous),
        // A later failure does not undo what is known.
        _ if binary.is_none() && before.is_some() => {
            return doubt(connection, executable, is_doubtful);
        }
        Content::Unread(reason) => (None, Some(code(&Unread::ALL, *reason))),
        Content::Unknown | Content::Read(_) => (binary, None),
    };
    let read = content.read().filter(|_| binary.is_some());
    let package = read.and_then(|read| read.package.as_ref());
    connection
        .prepare_cached(
            "UPDATE executable SET binary = ?2, unread = ?3, package = ?4, package_version = ?5, \
             package_manager = ?6, package_state = ?7, capabilities = ?8, \
             is_uncertain = max(is_uncertain, ?9) WHERE id = ?1",
        )?
        .execute(params![
            executable,
            binary,
            reason,
            package.map(|package| &package.name),
            package.and_then(|package| package.version.as_ref()),
            package.map(|package| &package.manager),
            package.map(|package| code(&PackageState::ALL, package.state)),
            read.and_then(|read| read.capabilities.as_ref()),
            is_doubtful || read.is_some_and(|read| read.is_uncertain),
        ])?;
    Ok(())
}

fn doubt(connection: &Connection, executable: i64, is_doubtful: bool) -> rusqlite::Result<()> {
    if is_doubtful {
        connection
            .prepare_cached("UPDATE executable SET is_uncertain = 1 WHERE id = ?1")?
            .execute([executable])?;
    }
    Ok(())
}
