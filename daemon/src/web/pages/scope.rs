//! The filter box and the range of time: what a list is narrowed by.

use maud::{Markup, html};

use super::trouble::{self, Trouble};
use super::{hostile, link, mark};

/// Beginnings that are offered, as `since=` of the address and in words. `all` is everything that is
/// recorded; the others are times as the filter language has them.
pub(super) const RANGES: [(&str, &str); 5] = [
    ("15m ago", "15 min"),
    ("1h ago", "hour"),
    ("1d ago", "day"),
    ("7d ago", "week"),
    ("all", "everything"),
];

/// Where nothing was asked for.
const DEFAULT_SINCE: &str = RANGES[1].0;

/// One field for a filter, with its trouble below. `complete.js` offers how to go on.
pub(super) fn filter_box(text: &str, hint: &str, trouble: Option<&Trouble>) -> Markup {
    let is_wrong = trouble.is_some_and(|trouble| trouble.column.is_some());
    html! {
        div.filter role="search" {
            (mark::mark("funnel"))
            input #filter name="filter" type="text" value=(text) placeholder=(hint)
                aria-label="Filter" autocomplete="off" autocapitalize="none" spellcheck="false"
                aria-invalid=[is_wrong.then_some("true")]
                aria-describedby=[trouble.map(|_| "trouble")]
                data-complete;
            button { "Apply" }
        }
    }
}

pub(super) fn trouble_below(trouble: Option<&Trouble>) -> Markup {
    html! { @if let Some(trouble) = trouble { (trouble::show(trouble)) } }
}

/// The range, as links for the usual ones and two fields for any other.
pub(super) fn range(path: &str, kept: &[(&str, &str)], since: &str, until: &str) -> Markup {
    let since = if since.is_empty() { DEFAULT_SINCE } else { since };
    let is_usual = until.is_empty() && RANGES.iter().any(|(value, _)| *value == since);
    html! {
        div.range {
            span.segments role="group" aria-label="Range of time" {
                @for (value, name) in RANGES {
                    @let is_here = until.is_empty() && value == since;
                    a href=(in_range(path, kept, value)) aria-current=[is_here.then_some("true")] {
                        (name)
                    }
                }
            }
            details.custom open[!is_usual] {
                summary { "Since, until" }
                span.fields {
                    label { "since " (moment("since", since, "2h ago")) }
                    label { "until " (moment("until", until, "now")) }
                    button { "Apply" }
                }
            }
        }
    }
}

/// The next usual range that reaches further, and what it is called.
pub(super) fn wider(since: &str, until: &str) -> Option<(&'static str, String)> {
    let since = if since.is_empty() { DEFAULT_SINCE } else { since };
    let at = RANGES.iter().position(|(value, _)| *value == since && until.is_empty());
    // From a range of its own, to everything.
    let next = at.map_or(RANGES.len() - 1, |at| at + 1);
    let (value, name) = RANGES.get(next)?;
    let is_all = next == RANGES.len() - 1;
    Some((value, if is_all { (*name).to_owned() } else { format!("the last {name}") }))
}

fn in_range(path: &str, kept: &[(&str, &str)], since: &str) -> String {
    let mut query = kept.to_vec();
    query.push(("since", since));
    link::with(path, &query)
}

fn moment(name: &str, value: &str, hint: &str) -> Markup {
    let title = "A time as in filters: 2h ago, yesterday, 2026-11-24 14:00 (UTC)";
    html! {
        input name=(name) value=(hostile::plain(value)) placeholder=(hint) title=(title) size="20"
            autocomplete="off" spellcheck="false";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_widen_to_everything() {
        let check = |since, until, expected: Option<&str>| {
            assert_eq!(wider(since, until).map(|(value, _)| value), expected);
        };
        check("", "", Some("1d ago"));
        check("7d ago", "", Some("all"));
        check("all", "", None);
        check("1h ago", "now", Some("all"));
    }

    #[test]
    fn what_was_typed_stays_in_its_field() {
        let trouble = Trouble::new("<b>").hint("`<i>`");
        let shown = filter_box("\"><script>", "", Some(&trouble)).into_string();
        assert!(shown.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{shown}");
        let shown = range("/processes", &[("filter", "a&b")], "\"x", "").into_string();
        assert!(shown.contains("filter=a%26b&amp;since=15m%20ago"), "{shown}");
    }
}
