//! Writing alerts, and what people say of them and of rules.

use common::alert::{Alert, Status};
use common::rule::Level;
use common::time::rfc3339;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::contents::unhex;
use super::dictionary::Dictionary;
use super::retention::{self, Era};
use super::{Snapshot, StoreError, Writer};

/// An alert as the detector makes it.
#[derive(Debug)]
pub(crate) struct NewAlert {
    pub(crate) id: i64,
    pub(crate) time_ns: i64,
    pub(crate) rule_id: String,
    pub(crate) title: String,
    pub(crate) level: Level,
    /// Of the image.
    pub(crate) row: i64,
    pub(crate) likeness: i64,
    /// The rule as it is now: JSON of [`common::alert::AlertRule`].
    pub(crate) rule: Vec<u8>,
    /// JSON of [`super::Snapshot`].
    pub(crate) snapshot: Vec<u8>,
}

impl NewAlert {
    /// As a query of it would answer. `None` only if a document of ours is not JSON.
    pub(crate) fn document(&self) -> Option<Alert<'static>> {
        let snapshot: Snapshot<'static> = serde_json::from_slice(&self.snapshot).ok()?;
        let rule = serde_json::from_slice(&self.rule).ok()?;
        Some(snapshot.into_alert(rule, |alert| {
            alert.id = self.id.cast_unsigned();
            alert.count = 1;
            alert.last = rfc3339(self.time_ns);
        }))
    }
}

/// What raised an alert happened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) alert: i64,
    pub(crate) time_ns: i64,
}

/// An alert whose repeats are counted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecentAlert {
    pub(crate) id: i64,
    pub(crate) likeness: i64,
    pub(crate) last_ns: i64,
}

/// Something a person asked for; answered with how many alerts or rules it was about, once it is
/// in the database.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) time_ns: i64,
    pub(crate) uid: u32,
    pub(crate) user: Option<String>,
    pub(crate) what: What,
    pub(crate) answer: oneshot::Sender<u32>,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Status (`None`: as it is) and note of alerts.
    Alerts {
        ids: Vec<i64>,
        status: Option<Status>,
        note: Option<String>,
    },
    /// Copies of executed files that are not to be removed to make room.
    Binaries {
        sha256: Vec<String>,
        is_pinned: bool,
    },
    Rules {
        ids: Vec<String>,
        is_enabled: bool,
    },
}

pub(super) fn raise(
    connection: &Connection,
    era: &Era,
    document: &mut Dictionary,
    alert: &NewAlert,
) -> rusqlite::Result<()> {
    let rule = document.id(connection, era, &alert.rule)?;
    let snapshot = document.id(connection, era, &alert.snapshot)?;
    connection
        .prepare_cached(
            "INSERT INTO alert (id, time_ns, last_ns, count, rule_id, title, level, status, \
             process, likeness, rule, snapshot) VALUES (?1, ?2, ?2, 1, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            alert.id,
            alert.time_ns,
            alert.rule_id,
            alert.title,
            alert.level as u8,
            alert.row,
            alert.likeness,
            rule,
            snapshot
        ])?;
    retention::guard(connection, alert.id, alert.row)
}

pub(super) fn repeat(connection: &Connection, repeat: &Repeat) -> rusqlite::Result<()> {
    let count = connection
        .prepare_cached(
            "UPDATE alert SET count = count + 1, last_ns = max(last_ns, ?2) WHERE id = ?1",
        )?
        .execute([repeat.alert, repeat.time_ns])?;
    if count == 0 {
        tracing::warn!(
            "alert {} was repeated, and has been deleted for want of room",
            repeat.alert
        );
    }
    Ok(())
}

pub(super) fn change(connection: &Connection, change: &Change) -> rusqlite::Result<u32> {
    match &change.what {
        What::Binaries { sha256, is_pinned } => {
            let mut statement =
                connection.prepare_cached("UPDATE binary SET is_pinned = ?2 WHERE sha256 = ?1")?;
            let mut count = 0;
            for digits in sha256 {
                count += statement.execute(params![unhex(digits), is_pinned])?;
            }
            Ok(u32::try_from(count).unwrap_or(u32::MAX))
        }
        What::Rules { ids, is_enabled } => {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO rule_switch (rule_id, is_enabled, time_ns, uid) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            for id in ids {
                statement.execute(params![id, is_enabled, change.time_ns, change.uid])?;
            }
            Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
        }
        What::Alerts { ids, status, note } => {
            let mut count = 0;
            for id in ids {
                count += u32::from(triage(connection, change, *id, *status, note.as_deref())?);
            }
            Ok(count)
        }
    }
}

/// False if there is no such alert.
fn triage(
    connection: &Connection,
    change: &Change,
    id: i64,
    status: Option<Status>,
    note: Option<&str>,
) -> rusqlite::Result<bool> {
    let current: Option<u8> = connection
        .prepare_cached("SELECT status FROM alert WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(current) = current else { return Ok(false) };
    let status = status.map_or(current, |status| status as u8);
    connection
        .prepare_cached("UPDATE alert SET status = ?2 WHERE id = ?1")?
        .execute(params![id, status])?;
    connection
        .prepare_cached(
            "INSERT INTO alert_change (alert, time_ns, uid, user, status, note) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![id, change.time_ns, change.uid, change.user, status, note])?;
    Ok(true)
}

impl Writer {
    /// The number for the next alert.
    pub(crate) fn next_alert(&self) -> Result<i64, StoreError> {
        retention::next_alert(&self.connection).map_err(|error| StoreError::of(&self.path, error))
    }

    /// Alerts that happened, or were repeated, since then, oldest first. One that was resolved is
    /// not among them: if it happens again, that is news.
    pub(crate) fn recent_alerts(&self, since_ns: i64) -> Result<Vec<RecentAlert>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT id, likeness, last_ns FROM alert WHERE last_ns >= ?1 AND status != ?2 \
                 ORDER BY id",
            )?;
            let rows = statement.query_map(params![since_ns, Status::Resolved as u8], |row| {
                Ok(RecentAlert { id: row.get(0)?, likeness: row.get(1)?, last_ns: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }
}
