//! What everything in the window is about: one filter, one range of time.

use common::filter::{Comparison, Expr, Field, Filter, FilterError, Term, Test};
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;
/// The recorder's times come from the boot clock and a distance that is measured now and then: they
/// may be a little ahead of the clock here. What is stored is asked for up to then, so that nothing
/// falls between it and what comes live.
const AHEAD: i64 = SECOND;

/// A range of time as people choose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// From so many seconds ago on.
    Last(u32),
    All,
    Between {
        from_ns: i64,
        /// Not included.
        to_ns: i64,
    },
}

impl Span {
    /// What is offered.
    pub const CHOICES: [Span; 6] = [
        Span::Last(15 * 60),
        Span::Last(3600),
        Span::Last(6 * 3600),
        Span::Last(24 * 3600),
        Span::Last(7 * 24 * 3600),
        Span::All,
    ];

    pub fn name(self) -> String {
        match self {
            Span::All => "everything".to_owned(),
            Span::Between { .. } => "chosen range".to_owned(),
            Span::Last(3600) => "last hour".to_owned(),
            Span::Last(86_400) => "last day".to_owned(),
            Span::Last(secs) if secs % 86_400 == 0 => format!("last {} days", secs / 86_400),
            Span::Last(secs) if secs % 3600 == 0 => format!("last {} hours", secs / 3600),
            Span::Last(secs) => format!("last {} minutes", secs / 60),
        }
    }

    /// The next one that reaches further.
    pub fn wider(self) -> Span {
        let at = Span::CHOICES.iter().position(|choice| *choice == self);
        match (self, at) {
            (Span::Between { from_ns, to_ns }, _) => {
                let margin = (to_ns - from_ns).max(SECOND);
                Span::Between {
                    from_ns: from_ns.saturating_sub(margin),
                    to_ns: to_ns.saturating_add(margin),
                }
            }
            (_, Some(at)) => Span::CHOICES[(at + 1).min(Span::CHOICES.len() - 1)],
            (_, None) => Span::All,
        }
    }

    /// What happens now belongs to it.
    pub fn is_open(self) -> bool {
        !matches!(self, Span::Between { .. })
    }
}

/// A filter and a range, settled at one time: `2h ago` is a time, and the last hour has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    pub filter: Filter,
    pub span: Span,
    pub from_ns: i64,
    /// Not included. Of a range that is open shortly after the time at which it was settled.
    pub to_ns: i64,
}

impl Scope {
    /// `oldest_ns` is where the record begins.
    pub fn settle(
        text: &str,
        span: Span,
        now_ns: i64,
        oldest_ns: Option<i64>,
    ) -> Result<Scope, FilterError> {
        let filter = Filter::parse(text, now_ns)?;
        let (from_ns, to_ns) = match span {
            Span::Last(secs) => {
                (now_ns.saturating_sub(i64::from(secs) * SECOND), now_ns.saturating_add(AHEAD))
            }
            Span::All => {
                (oldest_ns.unwrap_or(now_ns - 3600 * SECOND), now_ns.saturating_add(AHEAD))
            }
            Span::Between { from_ns, to_ns } => (from_ns, to_ns),
        };
        let from_ns = from_ns.min(to_ns.saturating_sub(1));
        Ok(Scope { filter, span, from_ns, to_ns })
    }

    /// The filter alone, with its times absolute.
    pub fn filter_text(&self) -> String {
        self.filter.expr.to_string()
    }

    /// The filter within a part of the range.
    pub fn within(&self, from_ns: i64, to_ns: i64) -> String {
        let bound = |comparison, ns| {
            Expr::Term(Term { field: Field::Time, test: Test::IntCompare(comparison, ns) })
        };
        let range = [
            bound(Comparison::GreaterOrEqual, from_ns),
            bound(Comparison::Less, to_ns),
            self.filter.expr.clone(),
        ];
        Expr::and(range).to_string()
    }

    /// The filter from the beginning of the range on, or within it where it is closed.
    pub fn text(&self) -> String {
        let to_ns = if self.span.is_open() { i64::MAX } else { self.to_ns };
        self.within(self.from_ns, to_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_510_206_123_456_789;

    #[test]
    fn a_part_of_a_range_is_a_filter() {
        let scope = Scope::settle("name = a or name = b", Span::Last(3600), NOW, None).unwrap();
        let text = scope.within(NOW - 5, NOW);
        let parsed = Filter::parse(&text, 0).unwrap();
        assert_eq!(parsed.expr.to_string(), text);
        assert!(text.contains("123456784") && text.contains("123456789"), "{text}");
        assert!(text.ends_with("(name = a or name = b)"), "{text}");
    }

    #[test]
    fn relative_times_are_settled_once() {
        let scope = Scope::settle("since 2h ago", Span::All, NOW, Some(5)).unwrap();
        assert!(!scope.filter_text().contains("ago"));
        assert_eq!((scope.from_ns, scope.to_ns), (5, NOW + AHEAD));
    }

    #[test]
    fn ranges_grow_until_everything() {
        let mut span = Span::CHOICES[0];
        for expected in &Span::CHOICES[1..] {
            span = span.wider();
            assert_eq!(span, *expected);
        }
        assert_eq!(span.wider(), Span::All);
    }

    #[test]
    fn a_range_is_never_empty() {
        let scope = Scope::settle("", Span::Between { from_ns: 7, to_ns: 7 }, NOW, None).unwrap();
        assert!(scope.from_ns < scope.to_ns);
    }
}
