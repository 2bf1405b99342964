//! Opening the database to write, and what becomes of one that is damaged or taken away.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::environments::Environments;
use super::{CONTEXT_COLUMNS, EXECUTABLE_COLUMNS, Writer};
use crate::store::StoreError;
use crate::store::batch::{Batch, GapRow};
use crate::store::dictionary::{Dictionary, TupleSql};
use crate::store::files::{Displaced, Files, with_suffix};
use crate::store::retention::Era;
use crate::store::schema;

/// What is left of the log once it is in the database; it is put there at half of that.
const LOG_BYTES: u32 = 16 << 20;
/// Not of a moment, but of something that does not work.
const LONG_LOG_BYTES: u64 = 2 * LOG_BYTES as u64;
/// Within a second.
const MOST_SET_ASIDE: usize = 100;

impl Writer {
    /// Opens or creates the database, migrating an older one.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let of = |error| StoreError::of(path, error);
        let mut connection = Connection::open(path).map_err(of)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(of)?;
        // Deleted pages go back to the file system in small steps; must precede the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(of)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(of)?;
        // A power cut may cost the last commits, never the file (sqlite.org/wal.html).
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(of)?;
        connection.pragma_update(None, "cache_size", -8192).map_err(of)?;
        // A large batch may need a statement journal, and the recorder may write nowhere else.
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(of)?;
        connection.pragma_update(None, "wal_autocheckpoint", 2000).map_err(of)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(of)?;
        // Each deleted value would be looked for in every column that may refer to it, most of which
        // have no index: retention looks after that, with less.
        connection.pragma_update(None, "foreign_keys", false).map_err(of)?;
        connection.set_prepared_statement_cache_capacity(128);
        schema::migrate(&mut connection, path)?;
        let era = Era::load(&connection, None).map_err(of)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            text: Dictionary::new("text", false),
            args: Dictionary::new("args", true),
            env_var: Dictionary::new("env_var", true),
            env: Dictionary::new("env", false),
            document: Dictionary::without_use("document", true),
            environments: Environments::default(),
            executable_sql: TupleSql::new("executable", &EXECUTABLE_COLUMNS),
            context_sql: TupleSql::new("context", &CONTEXT_COLUMNS),
            executables: HashMap::default(),
            contexts: HashMap::default(),
            boots: HashMap::new(),
            era,
            files: Files::of(path).map_err(|error| StoreError::Access {
                path: path.to_owned(),
                detail: error.to_string(),
            })?,
        })
    }

    /// As [`Writer::open`], but a damaged database is set aside.
    pub(crate) fn open_or_replace(path: &Path, now_ns: i64) -> Result<Self, StoreError> {
        match Self::open(path) {
            Err(StoreError::Corrupt { detail, .. }) => {
                tracing::error!("database {} is damaged: {detail}", path.display());
                Self::replace(path, now_ns)
            }
            other => other,
        }
    }

    /// Sets a damaged database aside and begins a new one, with a gap that says so: which is there
    /// before the other is moved, so that where there is no room for it nothing is forgotten.
    pub(crate) fn replace(path: &Path, now_ns: i64) -> Result<Self, StoreError> {
        let fresh = with_suffix(path, ".new");
        let access = |path: &Path, error: std::io::Error| StoreError::Access {
            path: path.to_owned(),
            detail: error.to_string(),
        };
        // Of an attempt before.
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::remove_file(with_suffix(&fresh, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(access(&fresh, error));
                }
                _ => {}
            }
        }
        let mut writer = Self::open(&fresh)?;
        writer.note_loss("database-damaged", now_ns)?;
        writer.empty_log()?;
        drop(writer);
        set_aside(path)?;
        std::fs::rename(&fresh, path).map_err(|error| access(&fresh, error))?;
        Self::open(path)
    }

    /// A gap of which cannot be told how much is missing.
    fn note_loss(&mut self, cause: &'static str, time_ns: i64) -> Result<(), StoreError> {
        let gap = GapRow { time_ns, cpu: 0, kind: "any", count: 0, cause };
        self.write(&Batch { gaps: vec![gap], ..Batch::default() }).map(drop)
    }

    /// Whether somebody removed or replaced a file that this writes.
    pub(in crate::store) fn displaced(&mut self) -> Option<Displaced> {
        self.files.displaced(&self.path)
    }

    /// Tells why SQLite has not put the log into the database for long. A reader may be the reason,
    /// and is waited for; what fails is an error.
    pub(in crate::store) fn shorten_log(&self) -> Result<(), StoreError> {
        let log = std::fs::metadata(with_suffix(&self.path, "-wal"));
        let is_long = log.is_ok_and(|log| log.len() > LONG_LOG_BYTES);
        if is_long { self.checkpoint() } else { Ok(()) }
    }

    /// Puts into the database what the log holds and no reader needs. Where there is no room for it,
    /// it stays in the log, which is on the disk by then.
    pub(in crate::store) fn checkpoint(&self) -> Result<(), StoreError> {
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match done.map_err(|error| StoreError::of(&self.path, error)) {
            Err(StoreError::Full { .. }) => Ok(()),
            done => done,
        }
    }

    /// Whether all pages are what they should be. Reads the whole database.
    pub(in crate::store) fn is_sound(&self) -> Result<bool, StoreError> {
        self.connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
            .map(|verdict| verdict == "ok")
            .map_err(|error| StoreError::of(&self.path, error))
    }

    /// Puts all that the log holds into the database, also where the log has no name any more.
    pub(in crate::store) fn empty_log(&self) -> Result<(), StoreError> {
        let is_busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| StoreError::of(&self.path, error))?;
        if is_busy { Err(StoreError::Locked { path: self.path.clone() }) } else { Ok(()) }
    }

    /// After somebody took the database away: tells so in the one that is there now, or in a new one.
    pub(in crate::store) fn note_removal(path: &Path, now_ns: i64) -> Result<(), StoreError> {
        Self::open_or_replace(path, now_ns)?.note_loss("database-removed", now_ns)
    }
}

/// Renames a damaged database (and its log), so that it can be examined; nothing is deleted.
fn set_aside(path: &Path) -> Result<(), StoreError> {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let names = (1..).map(|n| match n {
        1 => format!(".damaged-{stamp}"),
        // One that was damaged at once again must not take the place of the one before.
        n => format!(".damaged-{stamp}-{n}"),
    });
    let is_free = |name: &String| !with_suffix(path, name).exists();
    let name = names.take(MOST_SET_ASIDE).find(is_free).ok_or_else(|| StoreError::Access {
        path: path.to_owned(),
        detail: format!("{MOST_SET_ASIDE} damaged databases lie beside it"),
    })?;
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(path, suffix);
        let to = with_suffix(path, &format!("{name}{suffix}"));
        match std::fs::rename(&from, &to) {
            Ok(()) => tracing::warn!("damaged database set aside as {}", to.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(StoreError::Access { path: from, detail: error.to_string() });
            }
        }
    }
    Ok(())
}
