//! By which time records are judged old.
//!
//! A clock that is set far ahead by mistake makes everything old at once, and what is deleted does not
//! come back when it is set right. So a leap is believed only once it has lasted.

use common::id::BootId;
use rusqlite::{Connection, OptionalExtension as _, params};

const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;
/// Less costs little, and is what machines do that slept without knowing it.
const LEAP_NS: i64 = DAY_NS;
/// Clocks without a battery are set that soon after the boot.
const UNSET_NS: i64 = HOUR_NS;
/// Long enough for somebody to see a wrong clock and to set it right.
const DOUBT_NS: i64 = DAY_NS;
/// In `meta`, so that a restart does not make an end of the doubt: boot, offset, leap.
const KEY: &str = "clock_doubt";

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall_ns: i64,
    /// Goes on while the machine sleeps, and nobody can set it.
    pub(crate) boottime_ns: i64,
    pub(crate) boot: BootId,
}

/// The time of day; for a while what it would be without the leap, where the clock leapt ahead.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// From the time since boot to the latest time of day that was believed.
    offset_ns: Option<i64>,
    /// Since boot.
    leapt_ns: Option<i64>,
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) now_ns: i64,
    /// What the clock says.
    pub(super) clock_ns: i64,
    /// Until when it is doubted, by itself.
    pub(super) doubted_until_ns: Option<i64>,
}

impl Calendar {
    /// As it was in the recorder before, of the same boot.
    pub(super) fn load(connection: &Connection, boot: BootId) -> rusqlite::Result<Self> {
        let stored: Option<String> = connection
            .query_row("SELECT value FROM meta WHERE key = ?1", [KEY], |row| row.get(0))
            .optional()?;
        let numbers: Vec<i64> = stored
            .iter()
            .flat_map(|text| text.split(' '))
            .filter_map(|number| number.parse().ok())
            .collect();
        Ok(match numbers[..] {
            [of, offset_ns, leapt_ns] if of == boot.bits().cast_signed() => {
                Self { offset_ns: Some(offset_ns), leapt_ns: Some(leapt_ns) }
            }
            _ => Self::default(),
        })
    }

    pub(super) fn save(&self, connection: &Connection, boot: BootId) -> rusqlite::Result<()> {
        if let (Some(offset_ns), Some(leapt_ns)) = (self.offset_ns, self.leapt_ns) {
            let stored = format!("{} {offset_ns} {leapt_ns}", boot.bits());
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![KEY, stored])
        } else {
            connection.execute("DELETE FROM meta WHERE key = ?1", [KEY])
        }?;
        Ok(())
    }

    pub(super) fn look(&mut self, now: Now) -> Date {
        let offset_ns = now.wall_ns.saturating_sub(now.boottime_ns);
        let before_ns = *self.offset_ns.get_or_insert(offset_ns);
        let is_leap = offset_ns.saturating_sub(before_ns) > LEAP_NS;
        if is_leap && now.boottime_ns > UNSET_NS {
            let leapt_ns = *self.leapt_ns.get_or_insert(now.boottime_ns);
            let left_ns = DOUBT_NS - now.boottime_ns.saturating_sub(leapt_ns);
            if left_ns > 0 {
                return Date {
                    now_ns: before_ns.saturating_add(now.boottime_ns),
                    clock_ns: now.wall_ns,
                    doubted_until_ns: Some(now.wall_ns.saturating_add(left_ns)),
                };
            }
        }
        // One that is set back, and then to where it was, does not leap.
        *self = Self { offset_ns: Some(offset_ns.max(before_ns)), leapt_ns: None };
        Date { now_ns: now.wall_ns, clock_ns: now.wall_ns, doubted_until_ns: None }
    }
}

#[cfg(test)]
mod tests {
    use common::id::BootId;

    use super::{Calendar, DAY_NS, DOUBT_NS, Date, HOUR_NS, Now};

    const YEAR_NS: i64 = 365 * DAY_NS;
    /// The first look, long after the boot.
    const START_NS: i64 = 2 * HOUR_NS;
    const BOOTED_NS: i64 = 50 * YEAR_NS;

    /// So long after the start, with the clock set to `set_ns` off.
    fn look(calendar: &mut Calendar, after_ns: i64, set_ns: i64) -> Date {
        let boottime_ns = START_NS + after_ns;
        let boot = BootId::from_bits(1);
        calendar.look(Now { wall_ns: BOOTED_NS + boottime_ns + set_ns, boottime_ns, boot })
    }

    fn believed(ns: i64) -> Date {
        let now_ns = BOOTED_NS + START_NS + ns;
        Date { now_ns, clock_ns: now_ns, doubted_until_ns: None }
    }

    fn begun() -> Calendar {
        let mut calendar = Calendar::default();
        look(&mut calendar, 0, 0);
        calendar
    }

    #[test]
    fn time_that_passes_is_believed_however_long() {
        let mut calendar = begun();
        assert_eq!(look(&mut calendar, YEAR_NS, 0), believed(YEAR_NS));
    }

    #[test]
    fn a_leap_is_believed_once_it_lasts() {
        let mut calendar = begun();
        let doubted = Date {
            now_ns: believed(5).now_ns,
            clock_ns: believed(5 + YEAR_NS).now_ns,
            doubted_until_ns: Some(believed(5 + YEAR_NS + DOUBT_NS).now_ns),
        };
        assert_eq!(look(&mut calendar, 5, YEAR_NS), doubted);
        let late = DOUBT_NS + 4;
        assert_eq!(look(&mut calendar, late, YEAR_NS).now_ns, believed(late).now_ns);
        assert_eq!(look(&mut calendar, late + 1, YEAR_NS), believed(late + 1 + YEAR_NS));
        assert_eq!(look(&mut calendar, late + 2, YEAR_NS), believed(late + 2 + YEAR_NS));
    }

    #[test]
    fn the_next_leap_is_doubted_anew() {
        let mut calendar = begun();
        look(&mut calendar, 1, YEAR_NS);
        assert_eq!(look(&mut calendar, 2, 0), believed(2));
        let late = DOUBT_NS + 9;
        assert_eq!(look(&mut calendar, late, YEAR_NS).now_ns, believed(late).now_ns);
    }

    #[test]
    fn what_clocks_do_is_believed() {
        let mut calendar = begun();
        assert_eq!(look(&mut calendar, 1, DAY_NS), believed(1 + DAY_NS), "a little");
        assert_eq!(look(&mut calendar, 2, -YEAR_NS), believed(2 - YEAR_NS), "back");
        assert_eq!(look(&mut calendar, 3, 0), believed(3), "and to where it was");

        let mut calendar = Calendar::default();
        look(&mut calendar, -START_NS, -YEAR_NS);
        assert_eq!(look(&mut calendar, 60 - START_NS, 0), believed(60 - START_NS), "at the boot");
    }
}
