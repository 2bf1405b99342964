//! Text as people read it: widths, cuts, figures.

use std::borrow::Cow;

pub(crate) use common::number::number;
use common::record::WallNs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that the text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `max` columns, with `…` where it was cut.
pub(crate) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    // Combining characters take no column: without this bound, one cell could hold megabytes.
    let is_short = text.len() <= max.saturating_mul(16);
    if is_short && width(text) <= max {
        return Cow::Borrowed(text);
    }
    if max == 0 {
        return Cow::Borrowed("");
    }
    let mut columns = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        columns += c.width().unwrap_or(0);
        if columns > max - 1 || at >= max.saturating_mul(16) {
            break;
        }
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// `1 record`, `12,481 records`
pub(crate) fn counted(value: u64, noun: &str) -> String {
    let (stem, ending) = match noun {
        _ if value == 1 => (noun, ""),
        "process" => (noun, "es"),
        "copy" => ("cop", "ies"),
        "binary" => ("binar", "ies"),
        _ => (noun, "s"),
    };
    format!("{} {stem}{ending}", number(value))
}

/// `1.4 MiB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 1024 * 1024 {
        rest /= 1024;
        unit += 1;
    }
    let whole = rest / 1024;
    let name = UNITS[unit];
    if whole >= 10 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{} {name}", rest % 1024 * 10 / 1024)
    }
}

/// `2026-11-24 14:03:27.512` in the zone.
pub(crate) fn date_time(time_ns: WallNs, zone: &TimeZone) -> String {
    format!("{} {}", common::time::date(time_ns, zone), common::time::clock(time_ns, zone))
}

/// The same of RFC 3339; what cannot be read is given back as it is.
pub(crate) fn date_time_of(rfc3339: &str, zone: &TimeZone) -> String {
    match common::time::parse_rfc3339(rfc3339) {
        Some(time_ns) => date_time(time_ns, zone),
        None => rfc3339.to_owned(),
    }
}

/// `2026-11-24 UTC`, `2026-11-24 +01:00`
pub(crate) fn date_with_offset(time_ns: WallNs, zone: &TimeZone) -> String {
    let date = common::time::date(time_ns, zone);
    if *zone == TimeZone::UTC {
        return format!("{date} UTC");
    }
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{date} {}", time.to_zoned(zone.clone()).strftime("%:z")),
        Err(_) => date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_respect_columns() {
        let check = |text: &str, max, expected: &str| {
            assert_eq!(cut(text, max), expected, "{text:?} {max}");
            assert!(width(&cut(text, max)) <= max);
        };
        check("curl", 4, "curl");
        check("curl -o", 4, "cur…");
        check("curl", 1, "…");
        check("curl", 0, "");
        check("", 0, "");
        check("漢字漢字", 8, "漢字漢字");
        check("漢字漢字", 7, "漢字漢…");
        check("漢字漢字", 6, "漢字…");
        check("naïve", 5, "naïve");
    }

    #[test]
    fn combining_characters_do_not_fill_the_terminal() {
        let text = format!("a{}", "\u{301}".repeat(100_000));
        assert!(cut(&text, 20).len() < 500);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(2, "process"), "2 processes");
        assert_eq!(counted(0, "copy"), "0 copies");
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size(u64::MAX), "15 EiB");
    }

    #[test]
    fn dates_name_their_zone() {
        let ns = 1_795_510_206_123_456_789;
        assert_eq!(date_with_offset(ns, &TimeZone::UTC), "2026-11-24 UTC");
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(date_with_offset(ns, &zone), "2026-11-24 -05:00");
        assert_eq!(
            date_time_of("2026-11-24T08:50:06.123Z", &TimeZone::UTC),
            "2026-11-24 08:50:06.123"
        );
        assert_eq!(date_time_of("invalid", &TimeZone::UTC), "invalid");
    }
}
