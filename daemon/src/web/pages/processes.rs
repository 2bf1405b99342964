//! The list of processes: filter, range, histogram, table, and what happens now.

use std::collections::HashMap;

use common::ecs::Event;
use common::id::ProcessId;
use common::number::number;
use maud::{Markup, html};

use super::frame::{self, Chrome};
use super::histogram::{self, Histogram};
use super::measure::counted;
use super::rows::Table;
use super::trouble::Trouble;
use super::{Fired, hostile, link, mark, scope};

const PATH: &str = "/processes";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    #[default]
    Newest,
    Oldest,
}

impl Order {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Newest => "newest",
            Order::Oldest => "oldest",
        }
    }
}

/// What was asked, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessQuery {
    pub(crate) filter: String,
    /// One of [`scope::RANGES`], or any time of the filter language.
    pub(crate) since: String,
    /// Empty: now.
    pub(crate) until: String,
    pub(crate) cursor: String,
    pub(crate) order: Order,
}

impl ProcessQuery {
    fn order_text(&self) -> &'static str {
        if self.order == Order::default() { "" } else { self.order.name() }
    }

    fn with(&self, since: &str, until: &str, cursor: &str) -> String {
        let query = [
            ("filter", &*self.filter),
            ("since", since),
            ("until", until),
            ("order", self.order_text()),
            ("cursor", cursor),
        ];
        link::with(PATH, &query)
    }

    /// What happens now belongs at the top of this page.
    fn is_live(&self) -> bool {
        self.until.is_empty() && self.cursor.is_empty() && self.order == Order::Newest
    }
}

pub(crate) struct ProcessesPage<'a> {
    pub(crate) query: &'a ProcessQuery,
    pub(crate) events: &'a [Event<'static>],
    /// Of the processes in this page.
    pub(crate) fired: &'a HashMap<ProcessId, Fired>,
    pub(crate) histogram: Option<Histogram<'a>>,
    /// To go on from.
    pub(crate) next: Option<&'a str>,
    /// The recorder could not write in time what happened just now.
    pub(crate) is_behind: bool,
    pub(crate) trouble: Option<&'a Trouble>,
}

pub(crate) fn processes(chrome: &Chrome, page: &ProcessesPage<'_>) -> Markup {
    let query = page.query;
    let table = Table { clock: &chrome.clock, fired: page.fired };
    let is_live = query.is_live() && page.trouble.is_none() && chrome.state == "recording";
    let content = html! {
        h1.unseen { "Processes" }
        (scope_form(page))
        @if let Some(shown) = &page.histogram {
            (histogram::show(shown, &chrome.clock, &|from, to| query.with(from, to, "")))
        }
        @if page.trouble.is_none() { (summary(chrome, page, is_live)) }
        @if page.events.is_empty() && page.trouble.is_none() { (empty(query)) }
        @if page.trouble.is_none() {
            div.rows-frame hidden[page.events.is_empty() && !is_live]
                data-live=[is_live.then_some("/api/v1/events")] data-filter=(query.filter) {
                (table.show(page.events))
            }
        }
        (pager(page))
    };
    frame::page(chrome, "Processes", "processes.js", &content)
}

fn scope_form(page: &ProcessesPage<'_>) -> Markup {
    let query = page.query;
    let kept = [("filter", &*query.filter), ("order", query.order_text())];
    html! {
        form.scope action=(PATH) method="get" {
            (scope::filter_box(&query.filter, "exe ~ /tmp and user = www-data", page.trouble))
            @if query.order != Order::default() {
                input type="hidden" name="order" value=(query.order.name());
            }
            (scope::range(PATH, &kept, &query.since, &query.until))
            (scope::trouble_below(page.trouble))
        }
    }
}

/// `200 on this page · 3 alerts · 0 lost`
fn summary(chrome: &Chrome, page: &ProcessesPage<'_>, is_live: bool) -> Markup {
    let alerts: u64 = page.fired.values().map(|fired| fired.count).sum();
    let total: Option<u64> = page.histogram.map(|shown| shown.counts.iter().sum());
    html! {
        div.bar {
            p.figures {
                @if let Some(total) = total { strong { (counted(total, "process")) } }
                span { (number(page.events.len() as u64)) " on this page" }
                span { (counted(alerts, "alert")) }
                @if let Some(lost) = chrome.lost {
                    @if lost > 0 { a href="/health" { (mark::warning(&lost_text(lost))) } }
                    @else { span { "lost 0" } }
                }
                @if page.is_behind { (mark::warning("what happened just now is not here yet")) }
            }
            @if is_live { (live_buttons()) }
            (turned(page.query))
        }
    }
}

fn lost_text(lost: u64) -> String {
    format!("lost {}", number(lost))
}

fn live_buttons() -> Markup {
    html! {
        span.live.needs-js {
            span #stream role="status" { (mark::mark("dot")) "live" }
            button #pause type="button" { "Pause" }
            span #waiting.unseen aria-live="polite" {}
        }
    }
}

fn turned(query: &ProcessQuery) -> Markup {
    let (order, name) = match query.order {
        Order::Newest => (Order::Oldest, "Oldest first"),
        Order::Oldest => (Order::Newest, "Newest first"),
    };
    let turned = ProcessQuery { order, ..query.clone() };
    html! { a.quiet href=(turned.with(&query.since, &query.until, "")) { (name) } }
}

/// What an empty list means, and what can be done.
fn empty(query: &ProcessQuery) -> Markup {
    let without = ProcessQuery { filter: String::new(), ..query.clone() };
    let wider = scope::wider(&query.since, &query.until);
    html! {
        div.empty #empty {
            p { strong { "No process matches." } }
            p {
                @if !query.filter.is_empty() {
                    a.button href=(without.with(&query.since, &query.until, "")) {
                        "Remove " code { (hostile::short(&query.filter)) }
                    }
                    " "
                }
                @if let Some((since, name)) = wider {
                    a.button href=(query.with(since, "", "")) { "Widen to " (name) }
                }
            }
        }
    }
}

fn pager(page: &ProcessesPage<'_>) -> Markup {
    let query = page.query;
    let is_first = query.cursor.is_empty();
    let next = match query.order {
        Order::Newest => "Older",
        Order::Oldest => "Newer",
    };
    html! {
        nav.pager aria-label="Pages of the list" {
            @if !is_first {
                a.button rel="first" href=(query.with(&query.since, &query.until, "")) {
                    "First page"
                }
            }
            @if let Some(cursor) = page.next {
                a.button rel="next" href=(query.with(&query.since, &query.until, cursor)) { (next) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_was_asked() {
        let query = ProcessQuery {
            filter: "cmd ~ \"<a&b>\"".to_owned(),
            since: "1h ago".to_owned(),
            order: Order::Oldest,
            ..ProcessQuery::default()
        };
        assert_eq!(
            query.with(&query.since, "", "c=1"),
            "/processes?filter=cmd%20~%20%22%3Ca%26b%3E%22&since=1h%20ago&order=oldest&cursor=c%3D1"
        );
        assert!(!query.is_live());
    }
}
