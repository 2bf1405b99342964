//! The table of alerts, plain or by rule. `alertrows.js` builds the same rows: keep both in step.

use common::alert::{Alert, Status};
use common::filter::Field;
use common::number::number;
use common::rule::Level;
use maud::{Markup, html};

use super::facts::sought;
use super::frame::Chrome;
use super::measure::counted;
use super::{hostile, link, mark};

const COLUMNS: [(&str, &str); 9] = [
    ("c-time num", "time"),
    ("c-level", "level"),
    ("c-status", "status"),
    ("c-rule", "rule"),
    ("c-name", "process"),
    ("c-cmd", "command line"),
    ("c-user", "user"),
    ("c-count num", "times"),
    ("c-note", "note"),
];

pub(super) fn table(chrome: &Chrome, alerts: &[Alert<'_>], is_grouped: bool) -> Markup {
    let may = chrome.may.manage_alerts;
    html! {
        table.list.alerts.grouped[is_grouped] {
            thead {
                tr {
                    @if may {
                        th.c-choose scope="col" {
                            input.needs-js #choose-all type="checkbox" aria-label="Choose all";
                        }
                    }
                    @for (class, title) in COLUMNS { th scope="col" class=(class) { (title) } }
                }
            }
            @if is_grouped {
                @for group in groups(alerts) { (group_of(chrome, &group)) }
            } @else {
                tbody #rows { @for (at, alert) in alerts.iter().enumerate() {
                    (row(chrome, alert, at.checked_sub(1).map(|at| &alerts[at])))
                } }
            }
        }
    }
}

/// By rule, that with the newest alert first.
fn groups<'a, 'e>(alerts: &'a [Alert<'e>]) -> Vec<Vec<&'a Alert<'e>>> {
    let mut groups: Vec<Vec<&Alert<'_>>> = Vec::new();
    for alert in alerts {
        match groups.iter_mut().find(|group| group[0].rule.id == alert.rule.id) {
            Some(group) => group.push(alert),
            None => groups.push(vec![alert]),
        }
    }
    groups
}

fn group_of(chrome: &Chrome, group: &[&Alert<'_>]) -> Markup {
    let worst = group.iter().map(|alert| alert.rule.level).max().unwrap_or(Level::Informational);
    let new = group.iter().filter(|alert| alert.alert.status == Status::New).count();
    html! {
        tbody data-rule=(group[0].rule.id) {
            tr.group {
                // In one cell, and wider than that: how many columns are shown, the style decides.
                th scope="rowgroup" {
                    (mark::level(worst)) " "
                    span.title { (hostile::short(&group[0].rule.name)) }
                    span.weak {
                        " · " (counted(group.len() as u64, "alert"))
                        @if new > 0 { ", " (new) " new" }
                    }
                }
            }
            @for (at, alert) in group.iter().enumerate() {
                (row(chrome, alert, at.checked_sub(1).map(|at| group[at])))
            }
        }
    }
}

fn row(chrome: &Chrome, alert: &Alert<'_>, above: Option<&Alert<'_>>) -> Markup {
    let id = alert.alert.id;
    let event = &alert.event;
    let above = above.map(|above| &*above.event.timestamp);
    let command = event.process.command_line.as_deref().unwrap_or_default();
    html! {
        tr data-id=(id) data-open=(link::alert(id)) {
            @if chrome.may.manage_alerts {
                td.c-choose {
                    input.needs-js type="checkbox" value=(id) aria-label={ "Choose alert " (id) };
                }
            }
            td.c-time.num {
                a href=(link::alert(id)) { (chrome.clock.in_row(&event.timestamp, above)) }
            }
            td.c-level { (mark::level(alert.rule.level)) }
            td.c-status { (mark::status(alert.alert.status)) }
            td.c-rule { a.clip href=(link::alert(id)) { (hostile::short(&alert.rule.name)) } }
            td.c-name { (process(alert)) }
            td.c-cmd { (sought(command, Some(Field::Cmd), &html! {
                span.line { (hostile::line(command)) }
            })) }
            td.c-user { (super::rows::user(event)) }
            td.c-count.num { @if alert.alert.count > 1 { (number(alert.alert.count)) "×" } }
            td.c-note {
                span.clip { (hostile::short(alert.alert.note.as_deref().unwrap_or_default())) }
            }
        }
    }
}

fn process(alert: &Alert<'_>) -> Markup {
    let process = &alert.event.process;
    html! {
        span.line {
            a.clip href=(link::process(&process.entity_id)) { (hostile::short(alert.event.name())) }
            span.pid { (process.pid) }
        }
    }
}
