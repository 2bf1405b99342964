//! The list of alerts, and what can be decided on those that are chosen.

use common::alert::{Alert, Status};
use common::rule::Level;
use maud::{Markup, html};

use super::frame::{self, Chrome};
use super::measure::counted;
use super::trouble::Trouble;
use super::{alert_rows, link, mark, scope, triage};

const PATH: &str = "/alerts";

/// What was asked, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertQuery {
    /// `status=`, several times; none narrows nothing.
    pub(crate) statuses: Vec<Status>,
    /// The lowest.
    pub(crate) level: Level,
    /// Id of a rule, or a glob of its title.
    pub(crate) rule: String,
    /// Of the process that made a rule fire.
    pub(crate) filter: String,
    pub(crate) cursor: String,
    /// `group=rule`.
    pub(crate) is_by_rule: bool,
}

impl AlertQuery {
    fn selection(&self) -> Vec<(&str, &str)> {
        let mut query: Vec<(&str, &str)> =
            self.statuses.iter().map(|status| ("status", status.name())).collect();
        let level = if self.level == Level::Informational { "" } else { self.level.name() };
        query.extend([("level", level), ("rule", &*self.rule), ("filter", &*self.filter)]);
        query
    }

    fn with(&self, is_by_rule: bool, cursor: &str) -> String {
        let mut query = self.selection();
        query.push(("group", if is_by_rule { "rule" } else { "" }));
        query.push(("cursor", cursor));
        link::with(PATH, &query)
    }
}

pub(crate) struct AlertsPage<'a> {
    pub(crate) query: &'a AlertQuery,
    pub(crate) alerts: &'a [Alert<'static>],
    pub(crate) next: Option<&'a str>,
    pub(crate) trouble: Option<&'a Trouble>,
}

pub(crate) fn alerts(chrome: &Chrome, page: &AlertsPage<'_>) -> Markup {
    let query = page.query;
    let is_live = query.cursor.is_empty() && chrome.state == "recording" && page.trouble.is_none();
    let mut followed = query.selection();
    // What is raised while the page is on its way comes with the stream.
    followed.push(("backlog", "20"));
    let stream = link::with("/api/v1/alerts/events", &followed);
    let content = html! {
        h1.unseen { "Alerts" }
        (choice(page))
        (bar(page, is_live))
        @if page.trouble.is_none() {
            @if page.alerts.is_empty() { (empty(query)) }
            div.rows-frame hidden[page.alerts.is_empty() && !is_live]
                data-live=[is_live.then_some(stream)] {
                (alert_rows::table(chrome, page.alerts, query.is_by_rule))
            }
            (triage::bar(chrome, None))
        }
        (pager(page))
    };
    frame::page(chrome, "Alerts", "alerts.js", &content)
}

fn choice(page: &AlertsPage<'_>) -> Markup {
    let query = page.query;
    html! {
        form.scope action=(PATH) method="get" {
            (scope::filter_box(&query.filter, "user = root and container exists", page.trouble))
            div.choices {
                fieldset {
                    legend.unseen { "Status" }
                    @for status in Status::ALL {
                        label.check {
                            input type="checkbox" name="status" value=(status.name())
                                checked[query.statuses.contains(&status)];
                            (mark::status(status))
                        }
                    }
                }
                label { "level " (levels(query.level)) }
                label {
                    "rule "
                    input name="rule" value=(query.rule) placeholder="id, or title with *" size="22";
                }
                @if query.is_by_rule { input type="hidden" name="group" value="rule"; }
            }
            (scope::trouble_below(page.trouble))
        }
    }
}

fn levels(lowest: Level) -> Markup {
    html! {
        select name="level" {
            @for level in Level::ALL {
                @let text = match level {
                    Level::Informational => "every level".to_owned(),
                    Level::Critical => "critical".to_owned(),
                    level => format!("{} or higher", level.name()),
                };
                option value=(level.name()) selected[level == lowest] { (text) }
            }
        }
    }
}

fn bar(page: &AlertsPage<'_>, is_live: bool) -> Markup {
    let query = page.query;
    let new = page.alerts.iter().filter(|alert| alert.alert.status == Status::New).count();
    html! {
        div.bar {
            p.figures {
                span { (counted(page.alerts.len() as u64, "alert")) " on this page" }
                @if new > 0 { strong { (new) " new" } }
            }
            @if is_live {
                span.live.needs-js { span #stream role="status" { (mark::mark("dot")) "live" } }
            }
            span.segments role="group" aria-label="Grouping" {
                @for (is_by_rule, name) in [(false, "By time"), (true, "By rule")] {
                    @let is_here = is_by_rule == query.is_by_rule;
                    a href=(query.with(is_by_rule, ""))
                        aria-current=[is_here.then_some("true")] { (name) }
                }
            }
        }
    }
}

fn empty(query: &AlertQuery) -> Markup {
    let is_narrowed = !query.selection().iter().all(|(_, value)| value.is_empty());
    html! {
        div.empty #empty {
            @if is_narrowed {
                p { strong { "No alert matches." } }
                p { a.button href=(PATH) { "Show all alerts" } }
            } @else {
                p { strong { "No rule has fired." } }
                p.weak {
                    "New alerts appear here by themselves. "
                    a href="/rules" { "Rules" } " lists what is looked for."
                }
            }
        }
    }
}

fn pager(page: &AlertsPage<'_>) -> Markup {
    let query = page.query;
    html! {
        nav.pager aria-label="Pages of the list" {
            @if !query.cursor.is_empty() {
                a.button rel="first" href=(query.with(query.is_by_rule, "")) { "First page" }
            }
            @if let Some(cursor) = page.next {
                a.button rel="next" href=(query.with(query.is_by_rule, cursor)) { "Older" }
            }
        }
    }
}
