//! A rule: how it stands, what it says of itself, and its text.

use common::rule::{Origin, RuleInfo, RuleState, RuleText};
use common::why::is_found;
use maud::{Markup, html};

use super::facts::{copy_button, fact, section};
use super::frame::{self, Chrome};
use super::measure::counted;
use super::{hostile, hunt, link, mark};

pub(crate) struct RulePage<'a> {
    pub(crate) rule: &'a RuleText,
}

pub(crate) fn rule(chrome: &Chrome, page: &RulePage<'_>) -> Markup {
    let info = &page.rule.info;
    let can_hunt = info.state != RuleState::Unusable;
    let content = html! {
        (heading(chrome, page.rule))
        div.columns {
            div { (section("rule text", "Text", true, &text_lines(&page.rule.text, &[]))) }
            div { (about(info)) }
        }
        @if can_hunt { (hunt::panel("Try on history", Some(&info.id))) }
    };
    frame::page(chrome, title_of(info), "rule.js", &content)
}

fn title_of(info: &RuleInfo) -> &str {
    if info.title.is_empty() { "(no title)" } else { &info.title }
}

fn heading(chrome: &Chrome, rule: &RuleText) -> Markup {
    let info = &rule.info;
    html! {
        header.subject {
            h1 { (hostile::short(title_of(info))) }
            p.figures {
                (mark::level(info.level))
                (mark::rule_state(info.state))
                span { (hostile::plain(&sentence(info))) }
            }
            @for note in &info.notes { p { (mark::warning(note)) } }
            p.actions {
                a.button href=(link::with("/alerts", &[("rule", &info.id)])) {
                    (counted(info.alerts, "alert"))
                }
                (copy_button("Copy rule", &rule.text))
                (buttons(chrome, info))
            }
        }
    }
}

fn buttons(chrome: &Chrome, info: &RuleInfo) -> Markup {
    let denied = frame::denied(chrome.may.manage_rules, "change rules");
    let is_denied = denied.is_some();
    let denied = denied.as_deref();
    let (value, name) = if info.is_enabled { ("disable", "Disable") } else { ("enable", "Enable") };
    html! {
        span.needs-js #rule-actions data-id=(info.id) {
            button type="button" value=(value) disabled[is_denied] title=[denied] { (name) }
            @if info.origin == Origin::Uploaded {
                " " button type="button" value="remove" disabled[is_denied] title=[denied] {
                    "Remove…"
                }
            }
            span.result role="status" {}
        }
    }
}

/// The state as a sentence.
fn sentence(rule: &RuleInfo) -> String {
    let (what, reason) = match (rule.state, rule.reason.as_deref()) {
        (RuleState::Active, _) => ("looks at every event", None),
        (RuleState::Disabled, _) => ("switched off", None),
        (RuleState::Inert, reason) => ("can never fire here", reason),
        (RuleState::Overridden, None) => ("another rule has its id and wins", None),
        (RuleState::Overridden, reason) => ("another rule wins", reason),
        (RuleState::Unusable, reason) => ("cannot be used", reason),
    };
    match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    }
}

fn about(info: &RuleInfo) -> Markup {
    let kind = if info.is_correlation { "correlation of several events" } else { "one event" };
    let file = match info.document {
        1 => format!("{} ({})", info.file, info.origin.name()),
        document => format!("{}, document {document} ({})", info.file, info.origin.name()),
    };
    let content = html! {
        @if let Some(text) = &info.description { p { (hostile::whole(text.trim())) } }
        dl.facts {
            (about_lists(&info.falsepositives, &info.tags, &info.references))
            (fact("author", info.author.as_deref(), None))
            (fact("license", info.license.as_deref(), None))
            (fact("date", info.date.as_deref(), None))
            (fact("maturity", info.status.as_deref(), None))
            (fact("looks at", Some(kind), None))
            (fact("file", Some(&file), None))
            (fact("id", Some(&info.id), None))
        }
    };
    section("rule about", "About", true, &content)
}

pub(super) fn about_lists(harmless: &[String], tags: &[String], references: &[String]) -> Markup {
    html! {
        @for text in harmless { (fact("harmless if", Some(text), None)) }
        (fact("tags", Some(&tags.join(", ")), None))
        @for address in references { (reference(address)) }
    }
}

/// Whoever wrote a rule may have written any address into it: only those of the web lead there.
fn reference(address: &str) -> Markup {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let shown = html! {
        @if is_web {
            a href=(address) rel="noreferrer noopener" target="_blank" { (hostile::short(address)) }
        } @else { (hostile::whole(address)) }
    };
    super::facts::shown("reference", &shown)
}

/// The text with numbered lines; those of the selections stand out.
pub(super) fn text_lines(text: &str, selections: &[String]) -> Markup {
    html! {
        ol.code {
            @for (line, is_found) in is_found(text, selections) {
                li.found[is_found] {
                    @if is_found { mark { (hostile::plain(line)) } } @else { (hostile::plain(line)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_lead_somewhere() {
        assert!(reference("https://a.example/x?y").into_string().contains("<a href"));
        for bad in ["javascript:alert(1)", "data:text/html,x", " https://x", "HTTPS:x"] {
            assert!(!reference(bad).into_string().contains("<a "), "{bad}");
        }
    }

    #[test]
    fn lines_of_the_selections_are_marked() {
        let text = "title: <b>\ndetection:\n  tool:\n    Image: x\n  other:\n    Image: y\n";
        let shown = text_lines(text, &["tool".to_owned()]).into_string();
        assert!(shown.contains("title: &lt;b&gt;"));
        assert_eq!(shown.matches("<mark>").count(), 2);
    }
}
