//! Where a recorder goes on after the one before.

use std::collections::HashMap;

use common::id::{BootId, ProcessId};
use rusqlite::{OptionalExtension as _, Transaction};

use super::batch::{RingPosition, StoredRunning};
use super::{StoreError, Writer, retention};

impl Writer {
    /// Where reading the ring of this cookie has to go on.
    pub(crate) fn ring_position(&self, cookie: u64) -> Result<Option<RingPosition>, StoreError> {
        let read = || -> rusqlite::Result<Option<RingPosition>> {
            if self.meta("ring_cookie")? != Some(cookie.cast_signed()) {
                return Ok(None);
            }
            let position = self.meta("ring_position")?.map_or(0, i64::cast_unsigned);
            let progress = self.meta("ring_progress")?.unwrap_or_default();
            Ok(Some(RingPosition { cookie, position, progress, is_last: false }))
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    /// Whether another ring was recorded last, and not to its end: what it held then is lost.
    pub(crate) fn has_unfinished_ring(&self, cookie: u64) -> Result<bool, StoreError> {
        let read = || -> rusqlite::Result<bool> {
            let is_other =
                self.meta::<i64>("ring_cookie")?.is_some_and(|last| last != cookie.cast_signed());
            Ok(is_other && self.meta::<bool>("ring_is_finished")? == Some(false))
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    /// The number for the next row.
    pub(crate) fn next_row(&self) -> Result<i64, StoreError> {
        retention::next_row(&self.connection).map_err(|error| StoreError::of(&self.path, error))
    }

    /// Marks what ran in earlier boots as ended unobserved, and reads what runs in this one.
    pub(crate) fn take_over(&mut self, boot: BootId) -> Result<Vec<StoredRunning>, StoreError> {
        let path = self.path.clone();
        let of = |error| StoreError::of(&path, error);
        let boot_row = self.boot(boot).map_err(of)?;
        self.connection
            .execute("UPDATE process SET state = 4 WHERE state = 0 AND boot != ?1", [boot_row])
            .map_err(of)?;
        let transaction = self.connection.transaction().map_err(of)?;
        running(&transaction).map_err(of)
    }

    fn meta<T: rusqlite::types::FromSql>(&self, key: &str) -> rusqlite::Result<Option<T>> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
            .optional()
    }
}

fn running(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<StoredRunning>> {
    let mut by_process: HashMap<ProcessId, StoredRunning> = HashMap::new();
    for (record, parent_row) in super::select::running(transaction)? {
        let entry = by_process.entry(record.process).or_insert_with(|| StoredRunning {
            record: record.clone(),
            parent_row,
            rows: Vec::new(),
            is_parent: false,
        });
        entry.rows.push(record.row);
        if record.ordinal >= entry.record.ordinal {
            entry.record = record;
        }
    }
    let mut is_parent =
        transaction.prepare("SELECT EXISTS (SELECT 1 FROM process WHERE parent = ?1)")?;
    for running in by_process.values_mut() {
        running.is_parent = is_parent.query_row([running.record.row], |row| row.get(0))?;
    }
    Ok(by_process.into_values().collect())
}
