//! Retention: what is old, or too much, is deleted by the thread that writes, in small steps
//! between batches. Each step is one transaction, so that it may end anywhere.
//!
//! `era` cuts the rows into segments, `rows` deletes the oldest segment, `kept` says which rows must
//! stay, `contents` deletes values that no row refers to any more, `alerts` deletes alerts and
//! losses, `survey` prepares a database from before, `space` gives pages back, `calendar` says what
//! time it is.

mod alerts;
mod calendar;
mod contents;
mod era;
mod kept;
mod rows;
mod space;
mod survey;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use common::time::rfc3339;
use rusqlite::{Connection, OptionalExtension as _};

use self::calendar::{Calendar, Date};
use self::kept::{Living, Young};
use self::space::Space;

pub(super) use self::alerts::next_alert;
pub(crate) use self::calendar::Now;
pub(super) use self::contents::references;
pub(super) use self::era::{Era, next_row};
pub(super) use self::kept::{guard, replaced, set_script};
use super::{StoreError, Writer};

/// How long records are kept, and how many bytes of them; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) age_ns: Option<i64>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) alert_age_ns: Option<i64>,
}

/// What happened so lately stays: what belongs to it (a parent's child, an alert that waits for the
/// content of a file) may still be on its way.
const GRACE_NS: i64 = 10_000_000_000;
/// How often rows are looked at again that were kept because their process ran.
const ROUND_NS: i64 = 60_000_000_000;
/// Of a list, in one step.
const MOST: i64 = 64;

/// What has been told to health.
pub(crate) type Figures = Arc<Mutex<common::health::Retention>>;

pub(crate) struct Retention {
    limits: Limits,
    figures: Figures,
    /// Once it was read from the database.
    calendar: Option<Calendar>,
    is_surveyed: bool,
    living: Living,
    /// The last kept row that was looked at in the round that goes on.
    round: Option<i64>,
    last_round_ns: Option<i64>,
    /// Room is made until there is some to spare.
    is_pressed: bool,
    pass: Pass,
}

/// What was done since the last rest.
#[derive(Debug, Default)]
struct Pass {
    has_done_anything: bool,
    /// All kept rows were looked at, and none of those that are left may go.
    is_kept_exhausted: bool,
    early_alerts: u64,
}

/// What one step did.
#[derive(Debug, Default)]
struct Step {
    rows: u64,
    alerts: u64,
    early_alerts: u64,
    gaps: u64,
}

impl Retention {
    pub(crate) fn new(limits: Limits) -> Self {
        let figures = common::health::Retention {
            age_ns: limits.age_ns.map(i64::cast_unsigned),
            size_bytes: limits.size_bytes,
            alert_age_ns: limits.alert_age_ns.map(i64::cast_unsigned),
            ..common::health::Retention::default()
        };
        Self {
            limits,
            figures: Arc::new(Mutex::new(figures)),
            calendar: None,
            is_surveyed: false,
            living: Living::default(),
            round: None,
            last_round_ns: None,
            is_pressed: false,
            pass: Pass::default(),
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// Does a little of what is due; false if nothing is.
    pub(crate) fn step(&mut self, writer: &mut Writer, now: Now) -> Result<bool, StoreError> {
        if self.limits == Limits::default() {
            return Ok(false);
        }
        let date = self.look_at_clock(writer, now)?;
        let done = writer.transact(|connection, era| self.work(connection, era, date));
        // Before anything else can fail: their numbers may be given to others.
        if matches!(&done, Ok(Some(step)) if step.alerts > 0) {
            writer.forget_documents();
        }
        let space = Space::of(&writer.connection);
        let space = space.map_err(|error| StoreError::of(&writer.path, error))?;
        match done {
            Ok(Some(step)) => {
                self.note(&step, space);
                Ok(true)
            }
            Ok(None) => {
                self.rest(date.clock_ns, space);
                Ok(false)
            }
            Err(error) => {
                // What was looked at in the step that failed is to be looked at again.
                self.round = None;
                self.pass.is_kept_exhausted = false;
                Err(error)
            }
        }
    }

    fn look_at_clock(&mut self, writer: &mut Writer, now: Now) -> Result<Date, StoreError> {
        if self.calendar.is_none() {
            let loaded = Calendar::load(&writer.connection, now.boot);
            self.calendar = Some(loaded.map_err(|error| StoreError::of(&writer.path, error))?);
        }
        let calendar = self.calendar.get_or_insert_default();
        let date = calendar.look(now);
        let doubted_until = date.doubted_until_ns.map(rfc3339);
        let told = self.figures.lock().ok().and_then(|told| told.clock_doubted_until.clone());
        if doubted_until.is_some() != told.is_some() {
            writer.transact(|connection, _| calendar.save(connection, now.boot))?;
            match &doubted_until {
                Some(until) => tracing::warn!(
                    "the clock was set ahead, to {}: if it is still so at {until}, what is too old \
                     by it is deleted, and not before",
                    rfc3339(now.wall_ns)
                ),
                None => tracing::info!("what is too old by the clock is deleted again"),
            }
        }
        if let Ok(mut figures) = self.figures.lock() {
            figures.clock_doubted_until = doubted_until;
        }
        Ok(date)
    }

    fn work(
        &mut self,
        connection: &Connection,
        era: &mut Era,
        date: Date,
    ) -> rusqlite::Result<Option<Step>> {
        let now_ns = date.now_ns;
        if !self.is_surveyed {
            if survey::step(connection)? {
                return Ok(Some(Step::default()));
            }
            self.is_surveyed = survey::is_done(connection)?;
        }
        let loose = contents::take_loose(connection, era.floor.max(1), MOST)?;
        if !loose.is_empty() {
            contents::sweep(connection, era.floor, loose)?;
            return Ok(Some(Step::default()));
        }
        if let Some(step) = self.small_tables(connection, era, date)? {
            return Ok(Some(step));
        }
        let space = Space::of(connection)?;
        self.is_pressed = self.limits.size_bytes.is_some_and(|limit| {
            let bound = if self.is_pressed { limit / 16 * 14 } else { limit / 16 * 15 };
            space.used_bytes() > bound
        });
        // Only room counts then, and not the time.
        let young = if self.is_pressed { None } else { self.young(date) };
        if self.is_round_due(now_ns) {
            self.living = Living::look(connection, era)?;
            self.round = Some(0);
            self.last_round_ns = Some(now_ns);
        }
        if young.is_none() && !self.is_pressed {
            self.round = None;
        }
        if let Some(after) = self.round {
            let living = &self.living;
            let (rows, last) = rows::kept(connection, era, living, after, MOST, young)?;
            self.round = last;
            self.pass.is_kept_exhausted = last.is_none();
            if last.is_some() {
                return Ok(Some(Step { rows, ..Step::default() }));
            }
        }
        if let Some(rows) = self.oldest_segment(connection, era, date)? {
            return Ok(Some(Step { rows, ..Step::default() }));
        }
        if self.is_pressed
            && let Some(step) = self.make_room(connection, era)?
        {
            return Ok(Some(step));
        }
        if space.is_wasteful(self.limits.size_bytes) {
            space::shrink(connection)?;
            return Ok(Some(Step::default()));
        }
        Ok(None)
    }

    fn small_tables(
        &mut self,
        connection: &Connection,
        era: &Era,
        date: Date,
    ) -> rusqlite::Result<Option<Step>> {
        if let Some(age) = self.limits.alert_age_ns {
            let alerts = alerts::delete_before(connection, date.now_ns.saturating_sub(age))?;
            if alerts > 0 {
                self.last_round_ns = None;
                return Ok(Some(Step { alerts, ..Step::default() }));
            }
        }
        // What was lost in a time of which nothing is left is of no use, whatever its age.
        let passed: Option<i64> = connection
            .prepare_cached("SELECT time_ns FROM segment WHERE id = ?1 AND id > 1")?
            .query_row([era.floor], |row| row.get(0))
            .optional()?;
        // The clock may have been wrong then, and ahead.
        let passed = passed.filter(|passed| *passed <= date.clock_ns);
        let limit = passed.max(self.limit_ns(date.now_ns));
        let gaps = limit.map(|limit| alerts::delete_gaps(connection, limit)).transpose()?;
        Ok(gaps.filter(|gaps| *gaps > 0).map(|gaps| Step { gaps, ..Step::default() }))
    }

    /// What ended before may go; `None`: only room counts, or nothing.
    fn limit_ns(&self, now_ns: i64) -> Option<i64> {
        self.limits.age_ns.map(|age| now_ns.saturating_sub(age))
    }

    fn young(&self, date: Date) -> Option<Young> {
        let since_ns = self.limit_ns(date.now_ns)?;
        Some(Young { since_ns, clock_ns: date.clock_ns })
    }

    fn is_round_due(&self, now_ns: i64) -> bool {
        let is_asked_for = self.limits.age_ns.is_some() || self.is_pressed;
        // The clock may have been set back.
        let is_time =
            self.last_round_ns.is_none_or(|last| !(0..ROUND_NS).contains(&(now_ns - last)));
        self.round.is_none() && is_asked_for && is_time
    }

    /// How many rows of the oldest segment were deleted; `None` if it is not due.
    fn oldest_segment(
        &mut self,
        connection: &Connection,
        era: &mut Era,
        date: Date,
    ) -> rusqlite::Result<Option<u64>> {
        let Date { now_ns, clock_ns, .. } = date;
        let limit_ns = self.limit_ns(now_ns);
        if era.floor == era.current && limit_ns.is_some_and(|limit| era.begun_ns < limit) {
            era.close_if_old(connection, now_ns)?;
        }
        // The time of its last row: that of the next one may be much later.
        let next: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT s.first_row, ifnull(p.time_ns, s.time_ns) FROM segment s \
                 LEFT JOIN process p ON p.id = s.first_row - 1 WHERE s.id = ?1",
            )?
            .query_row([era.floor + 1], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((next_first_row, mut end_ns)) = next else { return Ok(None) };
        if end_ns > clock_ns {
            // The clock was wrong then. It is older than whatever was recorded later.
            end_ns = connection
                .prepare_cached("SELECT min(time_ns) FROM segment WHERE id > ?1")?
                .query_row([era.floor], |row| row.get(0))?;
        }
        let is_old = limit_ns.is_some_and(|limit| end_ns <= limit);
        let is_fresh = (0..GRACE_NS).contains(&clock_ns.saturating_sub(end_ns));
        if is_fresh || !(is_old || self.is_pressed) {
            return Ok(None);
        }
        if self.living.end_row < next_first_row {
            self.living = Living::look(connection, era)?;
        }
        let young = self.young(date).filter(|_| !self.is_pressed);
        rows::segment(connection, era, &self.living, next_first_row, young).map(Some)
    }

    /// All that may go has gone, and the database is still too large.
    fn make_room(&mut self, connection: &Connection, era: &Era) -> rusqlite::Result<Option<Step>> {
        if era.floor != era.current {
            // The rest is of the last seconds.
            return Ok(None);
        }
        if !self.pass.is_kept_exhausted {
            self.last_round_ns = None;
            return Ok(Some(Step::default()));
        }
        let alerts = alerts::delete_before(connection, i64::MAX)?;
        self.pass.is_kept_exhausted = false;
        self.last_round_ns = None;
        Ok((alerts > 0).then_some(Step { alerts, early_alerts: alerts, ..Step::default() }))
    }

    fn note(&mut self, step: &Step, space: Space) {
        self.pass.has_done_anything |= step.rows + step.alerts + step.gaps > 0;
        self.pass.early_alerts += step.early_alerts;
        if let Ok(mut figures) = self.figures.lock() {
            figures.deleted_records += step.rows;
            figures.deleted_alerts += step.alerts;
            figures.deleted_alerts_early += step.early_alerts;
            figures.deleted_gaps += step.gaps;
            figures.free_bytes = space.free_bytes();
            figures.is_preparing = !self.is_surveyed;
        }
    }

    fn rest(&mut self, now_ns: i64, space: Space) {
        let pass = std::mem::take(&mut self.pass);
        if pass.early_alerts > 0 {
            tracing::warn!(
                "{} alerts, with their processes, were deleted before their time: retention-size \
                 leaves no room for them",
                pass.early_alerts
            );
        }
        if let Ok(mut figures) = self.figures.lock() {
            figures.free_bytes = space.free_bytes();
            figures.is_preparing = false;
            let is_unmet = self.limits.size_bytes.is_some_and(|limit| space.used_bytes() > limit);
            figures.unmet = is_unmet.then(|| {
                "the database is larger than retention-size, and what is left must stay: processes \
                 that run, their ancestors, and the last seconds"
                    .to_owned()
            });
            if pass.has_done_anything {
                figures.last_pass = Some(rfc3339(now_ns));
            }
        }
    }
}
