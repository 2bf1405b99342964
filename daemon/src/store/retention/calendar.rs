//! By which time records are judged old.
//!
//! A clock that is set forward by mistake makes everything old at once, and what is deleted does not
//! come back when it is set right. So a leap is believed only once it has lasted.

const HOUR_NS: i64 = 3_600_000_000_000;
/// Corrections of less are everyday.
const LEAP_NS: i64 = HOUR_NS;
/// Long enough for somebody to see a wrong clock and to set it right.
const DOUBT_NS: i64 = 24 * HOUR_NS;

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall_ns: i64,
    /// Goes on while the machine sleeps, and nobody can set it.
    pub(crate) boottime_ns: i64,
}

/// The time of day; for a while what it would be without the leap, where the clock leapt forward.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// From the time since boot to the time of day.
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
    pub(super) fn look(&mut self, now: Now) -> Date {
        let offset_ns = now.wall_ns.saturating_sub(now.boottime_ns);
        let before_ns = *self.offset_ns.get_or_insert(offset_ns);
        if offset_ns.saturating_sub(before_ns) > LEAP_NS {
            let leapt_ns = *self.leapt_ns.get_or_insert(now.boottime_ns);
            let left_ns = DOUBT_NS - now.boottime_ns.saturating_sub(leapt_ns);
            if left_ns > 0 {
                return Date {
                    clock_ns: now.wall_ns,
                    now_ns: before_ns.saturating_add(now.boottime_ns),
                    doubted_until_ns: Some(now.wall_ns.saturating_add(left_ns)),
                };
            }
        }
        *self = Self { offset_ns: Some(offset_ns), leapt_ns: None };
        Date { now_ns: now.wall_ns, clock_ns: now.wall_ns, doubted_until_ns: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, DOUBT_NS, Date, HOUR_NS, Now};

    const YEAR_NS: i64 = 365 * 24 * HOUR_NS;
    const START_NS: i64 = 50 * YEAR_NS;

    /// With the clock set to `set_ns` off.
    fn look(calendar: &mut Calendar, boottime_ns: i64, set_ns: i64) -> Date {
        calendar.look(Now { wall_ns: START_NS + boottime_ns + set_ns, boottime_ns })
    }

    fn believed(ns: i64) -> Date {
        Date { now_ns: START_NS + ns, clock_ns: START_NS + ns, doubted_until_ns: None }
    }

    #[test]
    fn time_that_passes_is_believed_however_long() {
        let mut calendar = Calendar::default();
        assert_eq!(look(&mut calendar, 0, 0), believed(0));
        assert_eq!(look(&mut calendar, YEAR_NS, 0), believed(YEAR_NS));
    }

    #[test]
    fn a_leap_forward_is_believed_once_it_lasts() {
        let mut calendar = Calendar::default();
        look(&mut calendar, 0, 0);
        let doubted = Date {
            now_ns: START_NS + 5,
            clock_ns: START_NS + YEAR_NS + 5,
            doubted_until_ns: Some(START_NS + YEAR_NS + 5 + DOUBT_NS),
        };
        assert_eq!(look(&mut calendar, 5, YEAR_NS), doubted);
        let late = DOUBT_NS + 4;
        assert_eq!(look(&mut calendar, late, YEAR_NS).now_ns, START_NS + late);
        assert_eq!(look(&mut calendar, late + 1, YEAR_NS), believed(late + 1 + YEAR_NS));
        assert_eq!(look(&mut calendar, late + 2, YEAR_NS), believed(late + 2 + YEAR_NS));
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_and_the_next_leap_is_not() {
        let mut calendar = Calendar::default();
        look(&mut calendar, 0, 0);
        look(&mut calendar, 1, YEAR_NS);
        assert_eq!(look(&mut calendar, 2, 0), believed(2));
        assert_eq!(look(&mut calendar, DOUBT_NS + 9, YEAR_NS).now_ns, START_NS + DOUBT_NS + 9);
    }

    #[test]
    fn small_corrections_and_those_backward_are_believed() {
        let mut calendar = Calendar::default();
        look(&mut calendar, 0, 0);
        assert_eq!(look(&mut calendar, 1, HOUR_NS), believed(1 + HOUR_NS));
        assert_eq!(look(&mut calendar, 2, -YEAR_NS), believed(2 - YEAR_NS));
    }
}
