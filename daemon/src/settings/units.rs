//! What values are made of. Errors say what is wrong and what to give, and leave out the key.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::rule::Level;

use super::Bus;

const SECOND_NS: i64 = 1_000_000_000;
pub(super) const HOUR_NS: i64 = 3600 * SECOND_NS;
pub(super) const DAY_NS: i64 = 24 * HOUR_NS;

/// A text of a file as messages show it: quoted, and not at any length.
pub(super) fn shown(text: &str) -> String {
    const MOST_CHARS: usize = 60;
    let mut start: String = text.chars().take(MOST_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

pub(super) fn bus(text: &str) -> Result<Bus, String> {
    match text {
        "system" => return Ok(Bus::System),
        "session" => return Ok(Bus::Session),
        _ => {}
    }
    match text.strip_prefix("unix:path=") {
        Some(path) if !path.is_empty() && !path.contains([',', '\0']) => {
            Ok(Bus::Socket(path.into()))
        }
        _ => Err(format!(
            "{} is no bus: give system, session or unix:path=PATH, the path without a comma",
            shown(text)
        )),
    }
}

/// Never anything but this machine: whoever is elsewhere has SSH.
pub(super) fn web_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "none" {
        return Ok(None);
    }
    let remedy = "give 127.0.0.1:PORT, [::1]:PORT or none";
    match text.parse::<SocketAddr>() {
        Ok(address) if !address.ip().is_loopback() => {
            Err(format!("{} can be reached from other machines: {remedy}", shown(text)))
        }
        Ok(address) if address.port() == 0 => Err(format!("0 is no port: {remedy}")),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(format!("{} is no address: {remedy}", shown(text))),
    }
}

pub(super) fn user(text: &str) -> Result<Option<String>, String> {
    // Whether the user exists, and who a name is, is asked when the recorder is about to become it.
    if text == "root" || text.parse() == Ok(0_u32) {
        return Err("the recorder must not run as root: give another user".to_owned());
    }
    if text.is_empty() || text.contains('\0') {
        return Err(format!("{} is no user: give a name or a number", shown(text)));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn directory(path: &Path) -> Result<PathBuf, String> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(format!(
            "{} is no path: give that of a directory",
            shown(&path.to_string_lossy())
        ));
    }
    Ok(path.to_owned())
}

pub(super) fn ring_size(bytes: i64) -> Result<u32, String> {
    let size = u32::try_from(bytes).ok();
    size.filter(|size| size.is_power_of_two() && (4096..=1 << 30).contains(size)).ok_or_else(|| {
        format!("{bytes} is no size of a ring: give a power of two from 4096 to 1073741824 (for example 16777216)")
    })
}

pub(super) fn cache_entries(number: i64) -> Result<usize, String> {
    const MOST: usize = 1 << 20;
    let entries = usize::try_from(number).ok();
    entries
        .filter(|entries| (1..=MOST).contains(entries))
        .ok_or_else(|| format!("{number} is out of range: give a number from 1 to {MOST}"))
}

pub(super) fn variable_names(names: &[String]) -> Result<Option<Vec<String>>, String> {
    match names.iter().find(|name| name.contains(['=', '\0'])) {
        Some(name) => Err(format!("{} is no name of a variable: give names only", shown(name))),
        None => Ok(Some(names.to_vec())),
    }
}

/// A number with `s`, `m`, `h` or `d`; in nanoseconds.
pub(super) fn duration(text: &str, most_days: i64) -> Result<i64, String> {
    let in_units = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit_ns = match unit {
            "s" => SECOND_NS,
            "m" => 60 * SECOND_NS,
            "h" => HOUR_NS,
            "d" => DAY_NS,
            _ => return None,
        };
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = number.parse().ok().filter(|_| is_plain)?;
        number.checked_mul(unit_ns).filter(|ns| *ns <= most_days.saturating_mul(DAY_NS))
    };
    in_units().ok_or_else(|| {
        format!(
            "{} is no duration: give a whole number with s, m, h or d, at most {most_days}d",
            shown(text)
        )
    })
}

/// Bytes; a number with or without a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let bytes = common::filter::parse_size(text).and_then(|bytes| u64::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        format!(
            "{} is no size: give a number of bytes, or one with a unit such as 64MiB",
            shown(text)
        )
    })
}

/// `None` for `none`. Names are written out: short forms are for people who type.
pub(super) fn alert_level(text: &str) -> Result<Option<Level>, String> {
    if text == "none" {
        return Ok(None);
    }
    let level = Level::ALL.into_iter().find(|level| level.name() == text);
    level.map(Some).ok_or_else(|| {
        let names = Level::ALL.map(Level::name).join(", ");
        format!("{} is no level: give {names} or none", shown(text))
    })
}

pub(super) fn log_level(text: &str) -> Result<String, String> {
    if !["error", "warn", "info", "debug", "trace"].contains(&text) {
        return Err(format!("{} is no level: give error, warn, info, debug or trace", shown(text)));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_and_bounded() {
        let check = |text, ns| assert_eq!(duration(text, 366).ok(), ns, "{text}");
        check("0s", Some(0));
        check("90m", Some(5400 * SECOND_NS));
        check("366d", Some(366 * DAY_NS));
        for text in
            ["367d", "1w", "5", "", "s", "-1s", "+1s", "1.5h", "1 h", "9999999999999d", "1é"]
        {
            check(text, None);
        }
    }

    #[test]
    fn long_texts_are_not_shown_whole() {
        assert_eq!(shown("a\"b\u{1b}"), "\"a\\\"b\\u{1b}\"");
        assert_eq!(shown(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
        assert_eq!(shown(&"é".repeat(99)), format!("\"{}…\"", "é".repeat(60)));
    }

    #[test]
    fn buses_are_read() {
        assert_eq!(bus("session"), Ok(Bus::Session));
        assert_eq!(bus("unix:path=/x"), Ok(Bus::Socket("/x".into())));
        for text in ["", "unix:path=", "unix:path=/x,guid=1", "tcp:host=x"] {
            assert!(bus(text).is_err(), "{text}");
        }
    }
}
