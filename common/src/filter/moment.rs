//! Points in time as people write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::quantity::{SECOND_NS, parse_duration};
use crate::record::WallNs;

/// A point in time, or the stretch that a coarse text such as a date covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) start: WallNs,
    /// The first point after the stretch; `None` for an exact time.
    pub(super) end: Option<WallNs>,
}

/// Reads RFC 3339, a date, a date with time, a time of today, `2h ago`, `15m` (ago), `now`,
/// `today` or `yesterday`. What names no zone is in UTC.
pub(super) fn parse_moment(text: &str, now: WallNs) -> Option<Moment> {
    match text.to_ascii_lowercase().as_str() {
        "now" => return Some(exact(now)),
        "today" => return day(utc(now)?.date()),
        "yesterday" => return day(utc(now)?.date().yesterday().ok()?),
        _ => {}
    }
    if let Some(age) = parse_age(text) {
        return Some(exact(now.checked_sub(age)?));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return lasting(nanoseconds(time)?, precision_ns(text));
    }
    // First, for a time is also read from what has a date, which would then be today's.
    if let Ok(time) = text.parse::<DateTime>() {
        return match text.contains(['T', 't', ' ']) {
            true => lasting(in_utc(time)?, precision_ns(text)),
            false => day(time.date()),
        };
    }
    let time: Time = text.contains(':').then(|| text.parse().ok()).flatten()?;
    let start = DateTime::from_parts(utc(now)?.date(), time);
    lasting(in_utc(start)?, precision_ns(text))
}

fn parse_age(text: &str) -> Option<i64> {
    let split = text.len().checked_sub(3).filter(|split| text.is_char_boundary(*split));
    let age = match split.map(|split| text.split_at(split)) {
        Some((age, ago)) if ago.eq_ignore_ascii_case("ago") => age,
        _ => text,
    };
    parse_duration(age)
}

/// How long a stretch the time of day names, 0 when it is exact.
fn precision_ns(text: &str) -> u64 {
    let time = text.find(['T', 't', ' ']).map_or(text, |at| &text[at + 1..]);
    let time = time.find(['Z', 'z', '+', '-']).map_or(time, |at| &time[..at]);
    match time.matches(':').count() {
        _ if time.contains(['.', ',']) => 0,
        0 => 3_600 * SECOND_NS,
        1 => 60 * SECOND_NS,
        _ => SECOND_NS,
    }
}

fn exact(start: WallNs) -> Moment {
    Moment { start, end: None }
}

fn lasting(start: WallNs, length_ns: u64) -> Option<Moment> {
    let end = start.checked_add_unsigned(length_ns)?;
    Some(Moment { start, end: (end > start).then_some(end) })
}

fn day(date: Date) -> Option<Moment> {
    lasting(in_utc(date.to_datetime(Time::midnight()))?, 86_400 * SECOND_NS)
}

fn utc(now: WallNs) -> Option<DateTime> {
    let time = Timestamp::from_nanosecond(i128::from(now)).ok()?;
    Some(TimeZone::UTC.to_datetime(time))
}

fn in_utc(time: DateTime) -> Option<WallNs> {
    nanoseconds(TimeZone::UTC.to_timestamp(time).ok()?)
}

fn nanoseconds(time: Timestamp) -> Option<WallNs> {
    i64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{parse_rfc3339, rfc3339};

    const NOW: &str = "2026-11-24T08:50:06.5Z";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let now = parse_rfc3339(NOW).unwrap();
        let moment = parse_moment(text, now).unwrap_or_else(|| panic!("not read: {text}"));
        let end = moment.end.map(|end| format!(" to {}", rfc3339(end))).unwrap_or_default();
        let shown = format!("{}{end}", rfc3339(moment.start)).replace(".000000000", "");
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn moments_are_read() {
        check("now", "2026-11-24T08:50:06.500000000Z");
        check("today", "2026-11-24T00:00:00Z to 2026-11-25T00:00:00Z");
        check("Yesterday", "2026-11-23T00:00:00Z to 2026-11-24T00:00:00Z");
        check("2h ago", "2026-11-24T06:50:06.500000000Z");
        check("15m", "2026-11-24T08:35:06.500000000Z");
        check("3 days ago", "2026-11-21T08:50:06.500000000Z");
        check("2026-11-20", "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z");
        check("2026-11-20 14:00", "2026-11-20T14:00:00Z to 2026-11-20T14:01:00Z");
        check("2026-11-20T14:00:05", "2026-11-20T14:00:05Z to 2026-11-20T14:00:06Z");
        check("2026-11-24T14:00:05+01:00", "2026-11-24T13:00:05Z to 2026-11-24T13:00:06Z");
        check("2026-11-24T14:00:05.25Z", "2026-11-24T14:00:05.250000000Z");
        check("2026-11-20 14", "2026-11-20T14:00:00Z to 2026-11-20T15:00:00Z");
        check("14:30", "2026-11-24T14:30:00Z to 2026-11-24T14:31:00Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "ago", "soon", "2026-13-01", "5", "é", "9999-01-01", "400000w ago"] {
            assert_eq!(parse_moment(text, 0), None, "{text}");
        }
    }
}
