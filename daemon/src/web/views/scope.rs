//! A filter and a range of time, settled at one moment.

use common::filter::{Comparison, Expr, Field, Filter, Term, Test};

use crate::web::fault::Fault;
use crate::web::form;

const HOUR_NS: i64 = 3_600_000_000_000;
/// The recorder's times may be a little ahead of the clock here.
const AHEAD_NS: i64 = 1_000_000_000;
/// What a page shows that was asked for nothing.
const DEFAULT_SINCE: &str = "1h ago";

pub(super) struct Scope {
    /// The filter alone, with its times absolute.
    filter: Expr,
    pub(super) from_ns: i64,
    /// Not included.
    pub(super) to_ns: i64,
    is_all: bool,
}

impl Scope {
    /// `since` may be `all`; `oldest_ns` is where the record begins.
    pub(super) fn settle(
        filter: &str,
        since: &str,
        until: &str,
        oldest_ns: Option<i64>,
    ) -> Result<Self, Fault> {
        let now = form::now_ns();
        let filter = form::filter(filter)?.expr;
        let is_all = since == "all";
        let from_ns = match since {
            "all" => oldest_ns.unwrap_or(now - HOUR_NS),
            "" => time("since", DEFAULT_SINCE, now)?,
            text => time("since", text, now)?,
        };
        let to_ns = match until {
            "" => now.saturating_add(AHEAD_NS),
            text => time("until", text, now)?,
        };
        if from_ns >= to_ns {
            return Err(Fault::bad("the range ends before it begins"));
        }
        Ok(Self { filter, from_ns, to_ns, is_all: is_all && until.is_empty() })
    }

    /// As the filter language writes it.
    pub(super) fn text(&self) -> String {
        if self.is_all {
            return self.filter.to_string();
        }
        let bound = |comparison, ns| {
            Expr::Term(Term { field: Field::Time, test: Test::IntCompare(comparison, ns) })
        };
        let range = [
            bound(Comparison::GreaterOrEqual, self.from_ns),
            bound(Comparison::Less, self.to_ns),
            self.filter.clone(),
        ];
        Expr::and(range).to_string()
    }

    pub(super) fn filter_text(&self) -> String {
        self.filter.to_string()
    }
}

/// Any time of the filter language, which is asked what it makes of it.
fn time(name: &str, text: &str, now_ns: i64) -> Result<i64, Fault> {
    let quoted = common::filter::quote(text);
    let bad = || {
        Fault::bad(format!("{name}: no time was understood"))
            .hint("give one such as 2h ago, 14:00, 2026-11-26 or RFC 3339")
    };
    let filter = Filter::parse(&format!("since {quoted}"), now_ns).map_err(|_| bad())?;
    match filter.expr {
        Expr::Term(Term { field: Field::Time, test: Test::IntCompare(_, ns) }) => Ok(ns),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_settled_at_once() {
        let scope = Scope::settle("user = root or pid = 1", "2h ago", "1h ago", None).unwrap();
        assert_eq!((scope.to_ns - scope.from_ns) / HOUR_NS, 1);
        let again = Filter::parse(&scope.text(), 0).unwrap();
        assert_eq!(again.expr.to_string(), scope.text());
        assert!(scope.text().contains(" and (user = "), "{}", scope.text());
        assert_eq!(Scope::settle("pid = 1", "all", "", Some(7)).unwrap().text(), "pid = 1");
        assert_eq!(Scope::settle("", "all", "", Some(7)).unwrap().from_ns, 7);
    }

    #[test]
    fn what_is_no_time_is_told() {
        for (since, until) in [("x", ""), ("1h ago) or (pid = 1", ""), ("", "\"")] {
            let fault = Scope::settle("", since, until, None).map(|_| ()).unwrap_err();
            assert!(fault.hint.is_some(), "{since} {until}");
        }
        assert!(Scope::settle("", "1h ago", "2h ago", None).is_err());
        assert!(
            Scope::settle("nosuch = 1", "", "", None).map(|_| ()).unwrap_err().filter.is_some()
        );
    }
}
