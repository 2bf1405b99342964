//! Times as text and back. No clock is read here.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::record::WallNs;

/// What is now, and in which zone people read times.
#[derive(Debug, Clone)]
pub struct Clock {
    pub now_ns: i64,
    pub zone: TimeZone,
}

impl Clock {
    /// `14:03:27.512`.
    pub fn time(&self, ns: i64) -> String {
        clock(ns, &self.zone)
    }

    pub fn date(&self, ns: i64) -> String {
        date(ns, &self.zone)
    }

    /// With the date in front where it is not today's.
    pub fn time_and_date(&self, ns: i64) -> String {
        if self.date(ns) == self.date(self.now_ns) {
            self.time(ns)
        } else {
            format!("{} {}", self.date(ns), self.time(ns))
        }
    }

    /// For a column: the time of today, else the day and the time to the second.
    pub fn short(&self, ns: i64) -> String {
        let (date, time) = (self.date(ns), self.time(ns));
        if date == self.date(self.now_ns) {
            return time;
        }
        // Without the year.
        let (date, time) = (date.get(5..).unwrap_or(&date), time.get(..8).unwrap_or(&time));
        format!("{date} {time}")
    }

    /// `12 s ago`.
    pub fn ago(&self, ns: i64) -> String {
        let past = u64::try_from(self.now_ns.saturating_sub(ns)).unwrap_or(0);
        format!("{} ago", duration(past))
    }
}

/// RFC 3339 in UTC with nanoseconds.
pub fn rfc3339(time_ns: WallNs) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{time:.9}"),
        Err(_) => "invalid".to_owned(),
    }
}

/// Reads RFC 3339 back.
pub fn parse_rfc3339(text: &str) -> Option<WallNs> {
    let time: Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// `14:03:27.512` in the given zone.
pub fn clock(time_ns: WallNs, zone: &TimeZone) -> String {
    strftime(time_ns, zone, "%H:%M:%S%.3f")
}

/// `2026-11-24` in the given zone.
pub fn date(time_ns: WallNs, zone: &TimeZone) -> String {
    strftime(time_ns, zone, "%Y-%m-%d")
}

fn strftime(time_ns: WallNs, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => time.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => "invalid".to_owned(),
    }
}

/// `1.4 ms`, `312 µs`, `2 h 03 m`: three figures, the unit a person would choose.
pub fn duration(ns: u64) -> String {
    const US: u64 = 1_000;
    const MS: u64 = 1_000 * US;
    const S: u64 = 1_000 * MS;
    const MIN: u64 = 60 * S;
    const HOUR: u64 = 60 * MIN;
    const DAY: u64 = 24 * HOUR;
    match ns {
        0..US => format!("{ns} ns"),
        US..MS => tenths(ns, US, "µs"),
        MS..S => tenths(ns, MS, "ms"),
        S..MIN => tenths(ns, S, "s"),
        MIN..HOUR => format!("{} m {:02} s", ns / MIN, ns % MIN / S),
        HOUR..DAY => format!("{} h {:02} m", ns / HOUR, ns % HOUR / MIN),
        _ => format!("{} d {:02} h", ns / DAY, ns % DAY / HOUR),
    }
}

fn tenths(ns: u64, unit_ns: u64, unit: &str) -> String {
    let whole = ns / unit_ns;
    if whole >= 10 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{} {unit}", ns % unit_ns * 10 / unit_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let check = |ns, expected| assert_eq!(duration(ns), expected);
        check(0, "0 ns");
        check(1_450_000, "1.4 ms");
        check(312_900, "312 µs");
        check(59_999_999_999, "59 s");
        check(2 * 3_600_000_000_000 + 180_000_000_000, "2 h 03 m");
        check(86_400_000_000_000 * 3, "3 d 00 h");
    }

    #[test]
    fn times_round_trip() {
        let ns = 1_795_510_206_123_456_789;
        assert_eq!(rfc3339(ns), "2026-11-24T08:50:06.123456789Z");
        assert_eq!(parse_rfc3339(&rfc3339(ns)), Some(ns));
        assert_eq!(clock(ns, &TimeZone::UTC), "08:50:06.123");
    }
}
