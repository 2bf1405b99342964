//! Amounts with a unit: durations and sizes, from text and back.

const DURATIONS: [(&[&str], u64); 8] = [
    (&["ns"], 1),
    (&["us", "µs", "μs"], 1_000),
    (&["ms"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], SECOND_NS),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND_NS),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND_NS),
    (&["d", "day", "days"], 86_400 * SECOND_NS),
    (&["w", "week", "weeks"], 604_800 * SECOND_NS),
];

/// As in coreutils: `K` and `KiB` are 1,024 bytes, `KB` is 1,000.
const SIZES: [(&[&str], u64); 9] = [
    (&["", "b", "byte", "bytes"], 1),
    (&["KiB", "k", "ki"], 1 << 10),
    (&["MiB", "m", "mi"], 1 << 20),
    (&["GiB", "g", "gi"], 1 << 30),
    (&["TiB", "t", "ti"], 1 << 40),
    (&["kb"], 1_000),
    (&["mb"], 1_000_000),
    (&["gb"], 1_000_000_000),
    (&["tb"], 1_000_000_000_000),
];

pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// Nanoseconds of `10ms`, `1.5h`, `2h30m` or `3 days`.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text.trim_start();
    let mut sum = 0_i64;
    loop {
        let (amount, after) = Decimal::at_front(rest)?;
        let after = after.trim_start();
        let length = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        sum = sum.checked_add(amount.times(unit_of(&DURATIONS, unit)?)?)?;
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// Bytes of `4096`, `10M` or `1.5 GiB`.
pub fn parse_size(text: &str) -> Option<i64> {
    let (amount, unit) = Decimal::at_front(text)?;
    amount.times(unit_of(&SIZES, unit.trim_start())?)
}

pub(super) fn format_duration(ns: i64) -> String {
    if ns == 0 { "0s".to_owned() } else { format_exactly(ns, &DURATIONS[..7]) }
}

pub(super) fn format_size(bytes: i64) -> String {
    format_exactly(bytes, &SIZES[..5])
}

/// In the largest unit that leaves no fraction.
fn format_exactly(amount: i64, units: &[(&[&str], u64)]) -> String {
    let whole = units.iter().rev().find_map(|(names, factor)| {
        let factor = i64::try_from(*factor).ok()?;
        (amount != 0 && amount % factor == 0).then(|| format!("{}{}", amount / factor, names[0]))
    });
    whole.unwrap_or_else(|| amount.to_string())
}

fn unit_of(units: &[(&[&str], u64)], name: &str) -> Option<u64> {
    let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
    units.iter().find(|(names, _)| names.iter().any(is_it)).map(|(_, factor)| *factor)
}

/// A number with a fraction, kept exact.
struct Decimal {
    whole: u64,
    fraction: u64,
    /// Ten to the number of digits of the fraction.
    scale: u64,
}

impl Decimal {
    fn at_front(text: &str) -> Option<(Decimal, &str)> {
        let (whole, rest) = digits(text)?;
        let Some((fraction, rest)) = rest.strip_prefix('.').and_then(digits) else {
            return Some((Decimal { whole: whole.parse().ok()?, fraction: 0, scale: 1 }, rest));
        };
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let amount =
            Decimal { whole: whole.parse().ok()?, fraction: fraction.parse().ok()?, scale };
        Some((amount, rest))
    }

    fn times(&self, factor: u64) -> Option<i64> {
        let of = |amount: u64| u128::from(amount).checked_mul(u128::from(factor));
        let sum = of(self.whole)?.checked_add(of(self.fraction)? / u128::from(self.scale))?;
        i64::try_from(sum).ok()
    }
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let check = |text, expected| assert_eq!(parse_duration(text), expected, "{text}");
        check("10ms", Some(10_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check("2h30m", Some(9_000_000_000_000));
        check("3 days", Some(259_200_000_000_000));
        check("1 day 2 hours", Some(93_600_000_000_000));
        check("0.0000000001s", Some(0));
        check("5", None);
        check("", None);
        check("-5s", None);
        check("5 parsecs", None);
        check("99999999999999w", None);
        check("99999999999999999999999s", None);
    }

    #[test]
    fn sizes_are_read() {
        let check = |text, expected| assert_eq!(parse_size(text), expected, "{text}");
        check("4096", Some(4096));
        check("10M", Some(10 << 20));
        check("2GiB", Some(2 << 30));
        check("1.5 kB", Some(1500));
        check("1x", None);
        check("99999999999T", None);
    }

    #[test]
    fn amounts_are_written_exactly() {
        assert_eq!(format_duration(1_500_000_000), "1500ms");
        assert_eq!(format_duration(7_200_000_000_000), "2h");
        assert_eq!(format_duration(0), "0s");
        assert_eq!(format_size(0), "0");
        assert_eq!(format_size(1025), "1025");
        assert_eq!(format_size(3 << 20), "3MiB");
    }
}
