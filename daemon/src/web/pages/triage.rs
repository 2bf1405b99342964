//! What can be decided on alerts: buttons that work where scripts run and the session may.

use common::alert::Status;
use maud::{Markup, html};

use super::frame::{self, Chrome};
use super::mark;

fn meaning(status: Status) -> &'static str {
    match status {
        Status::New => "Nobody has looked at it yet",
        Status::InProgress => "Somebody is at it",
        Status::Resolved => "It was what the rule looks for, and is dealt with",
        Status::FalsePositive => "It was harmless: the rule need not have fired",
    }
}

/// The bar. `id` is the one alert that is meant; without it those that are chosen in the list.
pub(super) fn bar(chrome: &Chrome, id: Option<u64>) -> Markup {
    if let Some(reason) = frame::denied(chrome.may.manage_alerts, "decide on alerts") {
        return html! { p.triage.weak { (reason) "." } };
    }
    html! {
        form.triage.needs-js data-triage data-id=[id] {
            @if id.is_none() { strong #chosen aria-live="polite" { "Nothing selected" } }
            span.segments {
                @for status in Status::ALL {
                    button type="button" value=(status.name()) title=(meaning(status))
                        disabled[id.is_none()] { (mark::status(status)) }
                }
            }
            input name="note" type="text" autocomplete="off" aria-label="Note"
                placeholder="Note: goes with the next status, or alone with Enter";
            p.result role="status" {}
        }
    }
}
