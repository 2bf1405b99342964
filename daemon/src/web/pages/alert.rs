//! Why a rule fired: its text with the selections that matched, the event with what was found in it,
//! who did it, and what people said.

use common::alert::{Alert, Change, Correlation};
use common::ecs::Event;
use common::filter::Field;
use common::number::number;
use common::time::duration;
use common::why::question;
use maud::{Markup, html};

use super::facts::{fact, section, weak};
use super::frame::{self, Chrome};
use super::rule::{about_lists, text_lines};
use super::{found, hostile, link, mark, triage};

pub(crate) struct AlertPage<'a> {
    pub(crate) alert: &'a Alert<'static>,
}

pub(crate) fn alert(chrome: &Chrome, page: &AlertPage<'_>) -> Markup {
    let alert = page.alert;
    let content = html! {
        (heading(chrome, alert))
        (triage::bar(chrome, Some(alert.alert.id)))
        div.columns {
            div {
                (findings(alert))
                (rule_text(alert))
                @if let Some(seen) = &alert.alert.correlation { (correlation(seen)) }
            }
            div {
                (process(alert))
                (history(chrome, &alert.alert.history))
                (about(alert))
            }
        }
    };
    frame::page(chrome, &alert.rule.name, "alert.js", &content)
}

fn heading(chrome: &Chrome, alert: &Alert<'_>) -> Markup {
    let hash = alert.event.process.hash.as_deref();
    html! {
        header.subject {
            h1 { (hostile::short(&alert.rule.name)) }
            p.figures {
                (mark::level(alert.rule.level))
                span #status { (mark::status(alert.alert.status)) }
                span.weak { "alert " (alert.alert.id) }
                span.weak { "raised " (chrome.clock.whole(&alert.event.timestamp)) }
                @if alert.alert.count > 1 {
                    span {
                        (number(alert.alert.count)) " times, last "
                        (chrome.clock.whole(&alert.alert.last))
                    }
                }
            }
            p.note-text #note hidden[alert.alert.note.is_none()] {
                (hostile::whole(alert.alert.note.as_deref().unwrap_or_default()))
            }
            p.actions {
                a.button href=(link::process(&alert.event.process.entity_id)) { "Process" }
                a.button href=(link::rule(&alert.rule.id)) { "Rule" }
                @if let Some(hash) = hash {
                    a.button href=(link::binary(&hash.sha256)) { "Binary" }
                }
                a.button href=(link::with("/alerts", &[("rule", &alert.rule.id)])) {
                    "All of this rule"
                }
            }
        }
    }
}

/// What was asked of each field, and its value with what was found.
fn findings(alert: &Alert<'_>) -> Markup {
    let fields = &alert.alert.fields;
    let content = html! {
        @if fields.is_empty() { (weak("the rule does not say which value it looked at")) }
        @else {
            table.found {
                thead { tr { th scope="col" { "asked" } th scope="col" { "found" } } }
                tbody {
                    @for field in fields {
                        tr {
                            th scope="row" {
                                @if let Some(selection) = &field.selection {
                                    span.selection { (hostile::short(selection)) }
                                }
                                span.mono { (hostile::short(&question(field))) }
                            }
                            td { (found::value(field)) }
                        }
                    }
                }
            }
        }
    };
    section("alert found", "Why it fired", true, &content)
}

/// The text of the rule as it was when it fired.
fn rule_text(alert: &Alert<'_>) -> Markup {
    let selections = &alert.alert.selections;
    let content = html! {
        @if !selections.is_empty() {
            p.weak { "matched: " (hostile::short(&selections.join(", "))) }
        }
        (text_lines(&alert.rule.text, selections))
    };
    section("alert rule", "Rule as it was", true, &content)
}

fn correlation(seen: &Correlation) -> Markup {
    let within = duration(seen.timespan_secs.saturating_mul(1_000_000_000));
    let content = html! {
        dl.facts {
            (fact("type", Some(&seen.kind), None))
            (fact("value", Some(&seen.value.to_string()), None))
            (fact("within", Some(&within), None))
            @for (name, value) in &seen.group { (fact(name, Some(value), None)) }
        }
    };
    section("alert correlation", "Correlation", true, &content)
}

/// From the oldest ancestor down to the process.
fn process(alert: &Alert<'_>) -> Markup {
    let (event, ancestors) = (&alert.event, &alert.alert.ancestors);
    let process = &event.process;
    let user = event.user.as_ref().map(|user| user.name.as_deref().unwrap_or(&user.id));
    let container = event.container.as_ref().map(|container| &*container.id);
    let hash = process.hash.as_deref().map(|hash| &*hash.sha256);
    let content = html! {
        ol.chain {
            @for ancestor in ancestors.iter().rev() { li { (member(ancestor, false)) } }
            li { (member(event, true)) }
        }
        dl.facts {
            (fact("command line", process.command_line.as_deref(), Some(Field::Cmd)))
            (fact("executable", process.executable.as_deref(), Some(Field::Exe)))
            (fact("user", user, Some(Field::User)))
            (fact("directory", process.working_directory.as_deref(), Some(Field::Cwd)))
            (fact("unit", event.recorder.unit.as_deref(), Some(Field::Unit)))
            (fact("container", container, Some(Field::Container)))
            (fact("SHA-256", hash, Some(Field::Sha256)))
        }
    };
    let title = format!("Process and ancestors ({})", ancestors.len());
    section("alert process", &title, true, &content)
}

fn member(event: &Event<'_>, is_it: bool) -> Markup {
    let command = event.process.command_line.as_deref().filter(|_| !is_it);
    html! {
        div.node.here[is_it] {
            a href=(link::process(&event.process.entity_id)) { (hostile::short(event.name())) }
            span.pid { (event.process.pid) }
            @if is_it { (mark::state(event)) }
            @if let Some(command) = command { span.command.line { (hostile::line(command)) } }
        }
    }
}

fn history(chrome: &Chrome, changes: &[Change]) -> Markup {
    let content = html! {
        @if changes.is_empty() { (weak("nobody has said anything yet")) }
        ol.history {
            @for change in changes.iter().rev() {
                li {
                    p.node {
                        (mark::status(change.status))
                        span { (who(change)) }
                        span.weak { (chrome.clock.whole(&change.time)) }
                    }
                    @if let Some(note) = &change.note { p.note-text { (hostile::whole(note)) } }
                }
            }
        }
    };
    section("alert history", &format!("History ({})", changes.len()), true, &content)
}

fn who(change: &Change) -> String {
    match &change.user {
        Some(user) => hostile::short(user),
        None => format!("uid {}", change.uid),
    }
}

fn about(alert: &Alert<'_>) -> Markup {
    let rule = &alert.rule;
    let content = html! {
        @if let Some(text) = &rule.description { p { (hostile::whole(text.trim())) } }
        dl.facts {
            (about_lists(&rule.falsepositives, &rule.tags, &rule.reference))
            (fact("author", rule.author.as_deref(), None))
            (fact("license", rule.license.as_deref(), None))
            (fact("id", Some(&rule.id), None))
        }
    };
    section("alert about", "About the rule", true, &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::process::tests::hostile_event;

    #[test]
    fn hostile_strings_are_text() {
        let bad = "\"><script>x</script>\u{202e}";
        let rule = serde_json::json!({
            "id": bad, "name": bad, "level": "high", "text": format!("title: {bad}\n"),
            "tags": [bad], "reference": ["javascript:alert(1)"],
        });
        let triage = serde_json::json!({
            "id": 7, "status": "new", "count": 1, "last": bad, "note": bad,
            "selections": [bad],
            "fields": [{ "field": bad, "value": bad, "ranges": [[1, 4]], "selection": bad }],
            "history": [{ "time": bad, "uid": 0, "user": bad, "status": "new", "note": bad }],
        });
        let (rule, triage) =
            (serde_json::from_value(rule).unwrap(), serde_json::from_value(triage).unwrap());
        let alert = Alert::new(hostile_event(), rule, triage);
        let shown = super::alert(&frame::tests::chrome(), &AlertPage { alert: &alert });
        let shown = shown.into_string();
        for bad in ["<script>", "\u{202e}", "href=\"javascript:"] {
            assert!(!shown.contains(bad), "{bad:?}");
        }
    }
}
