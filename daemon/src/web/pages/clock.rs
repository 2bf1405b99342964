//! Times as elements, in the zone of the server. `times.js` draws them in another when asked.

use common::time::{self, parse_rfc3339};
use jiff::Timestamp;
use maud::{Markup, html};

use super::hostile;

/// What is now, and in which zone times are shown.
#[derive(Debug, Clone)]
pub(crate) struct Clock(pub(crate) time::Clock);

impl Clock {
    /// As people and browsers know the zone; one without a name by what it is ahead of UTC now.
    pub(super) fn zone_name(&self) -> String {
        let now = Timestamp::from_nanosecond(self.0.now_ns.into()).unwrap_or_default();
        let offset = || self.0.zone.to_offset(now).to_string();
        self.0.zone.iana_name().map_or_else(offset, str::to_owned)
    }

    /// In a list: with the date only where it is another than in the row above, or, in the first
    /// row, than today's.
    pub(super) fn in_row(&self, text: &str, above: Option<&str>) -> Markup {
        let Some(ns) = parse_rfc3339(text) else { return html! { (hostile::plain(text)) } };
        let above = above.and_then(parse_rfc3339).unwrap_or(self.0.now_ns);
        let is_new = self.0.date(ns) != self.0.date(above);
        html! {
            time datetime=(text) data-form="row" { (self.dated(ns, is_new)) }
        }
    }

    /// With the date where it is not today's.
    pub(super) fn short(&self, text: &str) -> Markup {
        let Some(ns) = parse_rfc3339(text) else { return html! { (hostile::plain(text)) } };
        let is_other = self.0.date(ns) != self.0.date(self.0.now_ns);
        html! {
            time datetime=(text) data-form="short" { (self.dated(ns, is_other)) }
        }
    }

    /// The time, or the day without its year and the time to the second.
    fn dated(&self, ns: i64, has_date: bool) -> Markup {
        let (date, clock) = (self.0.date(ns), self.0.time(ns));
        html! {
            @if has_date {
                span.date { (date.get(5..).unwrap_or(&date)) } " "
                (clock.get(..8).unwrap_or(&clock))
            } @else { (clock) }
        }
    }

    pub(super) fn whole(&self, text: &str) -> Markup {
        let Some(ns) = parse_rfc3339(text) else { return html! { (hostile::plain(text)) } };
        html! {
            time datetime=(text) data-form="whole" {
                (self.0.date(ns)) " " (self.0.time(ns))
            }
        }
    }

    pub(super) fn at(&self, ns: i64) -> Markup {
        self.whole(&time::rfc3339(ns))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn the_date_stands_where_it_changes() {
        let clock = Clock(time::Clock { now_ns: 1_795_510_206_500_000_000, zone: TimeZone::UTC });
        let now = time::rfc3339(clock.0.now_ns);
        let before = time::rfc3339(clock.0.now_ns - 86_400_000_000_000);
        let shown = |text: &str, above: Option<&str>| clock.in_row(text, above).into_string();
        assert!(!shown(&now, None).contains("date\""));
        assert!(shown(&before, Some(&now)).contains("<span class=\"date\">"));
        assert!(!shown(&before, Some(&before)).contains("class=\"date\""));
        assert_eq!(shown("<b>", None), "&lt;b&gt;");
    }
}
