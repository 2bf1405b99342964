//! Times of `--since` and `--until`, which are meant in the zone that times are shown in.
//!
//! The filter language reads the same forms, but always in UTC: the recorder does not know the
//! zone of the person who asks. So they are settled here and sent as RFC 3339.

use jiff::civil::{DateTime, Time};
use jiff::{Span, Timestamp, Zoned};

use crate::error::CommandError;

pub(crate) fn parse(option: &str, text: &str, now: &Zoned) -> Result<Timestamp, CommandError> {
    settle(text.trim(), now).ok_or_else(|| {
        CommandError::usage(format!("{option} is not a time: {text}"))
            .hint("such as '2h ago', yesterday, 14:00, '2026-11-24 14:00', 2026-11-24T14:00:00Z")
    })
}

fn settle(text: &str, now: &Zoned) -> Option<Timestamp> {
    let in_zone = |time: DateTime| Some(time.to_zoned(now.time_zone().clone()).ok()?.timestamp());
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return in_zone(now.date().to_datetime(Time::midnight())),
        "yesterday" => return in_zone(now.date().yesterday().ok()?.to_datetime(Time::midnight())),
        _ => {}
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // First, for a time is also read from what has a date, which would then be today's.
    if let Ok(time) = text.parse::<DateTime>() {
        return in_zone(time);
    }
    if let Ok(time) = text.parse::<Time>() {
        return in_zone(now.date().to_datetime(time));
    }
    // `2h ago` is read as a negative span, `2h` as a positive one; both mean the past.
    let span: Span = text.parse().ok()?;
    Some(now.checked_sub(span.abs()).ok()?.timestamp())
}

/// The filter that also bounds the time. An empty one selects all.
pub(crate) fn filter_text(
    words: &[String],
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> String {
    let filter = words.join(" ");
    let filter = filter.trim();
    let bounds =
        [since.map(|time| format!("since {time}")), until.map(|time| format!("until {time}"))];
    let bounds: Vec<_> = bounds.into_iter().flatten().collect();
    match (filter.is_empty(), bounds.is_empty()) {
        (_, true) => filter.to_owned(),
        (true, false) => bounds.join(" and "),
        (false, false) => format!("({filter}) and {}", bounds.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::*;

    fn now() -> Zoned {
        let time: Timestamp = "2026-11-24T12:30:00Z".parse().unwrap();
        time.to_zoned(TimeZone::fixed(offset(1)))
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse("--since", text, &now()).unwrap().to_string(), expected, "{text}");
        };
        check("2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z");
        check("2026-11-24T14:00:00+02:00", "2026-11-24T12:00:00Z");
        check("2026-11-20 14:00", "2026-11-20T13:00:00Z");
        check("2026-11-20T14:00:05", "2026-11-20T13:00:05Z");
        check("2026-11-20", "2026-11-19T23:00:00Z");
        check("14:00", "2026-11-24T13:00:00Z");
        check("now", "2026-11-24T12:30:00Z");
        check("today", "2026-11-23T23:00:00Z");
        check("yesterday", "2026-11-22T23:00:00Z");
        check("2h ago", "2026-11-24T10:30:00Z");
        check("2 hours ago", "2026-11-24T10:30:00Z");
        check("90m", "2026-11-24T11:00:00Z");
        check("1d", "2026-11-23T12:30:00Z");
    }

    #[test]
    fn other_texts_are_wrong_usage() {
        for text in ["", "soon", "25:00", "2026-13-01"] {
            let error = parse("--until", text, &now()).unwrap_err();
            assert_eq!(error.kind, crate::error::Kind::Usage, "{text}");
        }
    }

    #[test]
    fn bounds_are_added_to_the_whole_filter() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let time = "2026-11-24T12:30:00Z".parse().ok();
        assert_eq!(filter_text(&[], None, None), "");
        assert_eq!(filter_text(&words("a or b"), None, None), "a or b");
        assert_eq!(
            filter_text(&[], time, time),
            "since 2026-11-24T12:30:00Z and until 2026-11-24T12:30:00Z"
        );
        let bounded = filter_text(&words("a or b"), time, None);
        assert_eq!(bounded, "(a or b) and since 2026-11-24T12:30:00Z");
        assert!(common::filter::Filter::parse(&bounded, 0).is_ok());
    }
}
