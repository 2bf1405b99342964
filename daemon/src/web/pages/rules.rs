//! The list of rules, and what can be done with them.

use common::rule::{Origin, RuleInfo, RuleState};
use maud::{Markup, html};

use super::frame::{self, Chrome};
use super::measure::counted;
use super::trouble::{self, Trouble};
use super::{hostile, hunt, link, mark, upload};

const COLUMNS: [(&str, &str); 7] = [
    ("c-state", "state"),
    ("c-level", "level"),
    ("c-title", "title"),
    ("c-count num", "alerts"),
    ("c-why", "why it is not active"),
    ("c-origin", "origin"),
    ("c-tags", "tags"),
];

pub(crate) struct RulesPage<'a> {
    pub(crate) rules: &'a [RuleInfo],
    pub(crate) trouble: Option<&'a Trouble>,
}

pub(crate) fn rules(chrome: &Chrome, page: &RulesPage<'_>) -> Markup {
    let may = chrome.may.manage_rules;
    let mut rules: Vec<&RuleInfo> = page.rules.iter().collect();
    rules.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.title.cmp(&b.title)));
    let content = html! {
        h1.unseen { "Rules" }
        @if let Some(trouble) = page.trouble { (trouble::show(trouble)) }
        (bar(page))
        @if page.rules.is_empty() && page.trouble.is_none() { (empty()) }
        @if !page.rules.is_empty() {
            div.rows-frame { (table(&rules, may)) }
            p.empty #none hidden { strong { "No rule has these words." } }
        }
        @if let Some(reason) = frame::denied(may, "change rules") {
            p.triage.weak { (reason) ". They can still be tried on history." }
        } @else {
            (actions())
        }
        (upload::form(may))
        (hunt::panel("Try on history", None))
    };
    frame::page(chrome, "Rules", "rules.js", &content)
}

fn bar(page: &RulesPage<'_>) -> Markup {
    html! {
        div.bar {
            input.needs-js #words type="search" aria-label="Find in rules"
                placeholder="Title, tag, level, state, …" autocomplete="off" spellcheck="false";
            p.figures {
                strong { (counted(page.rules.len() as u64, "rule")) }
                @for state in RuleState::ALL {
                    @let count = page.rules.iter().filter(|rule| rule.state == state).count();
                    @if count > 0 { span { (count) " " (mark::rule_state_name(state)) } }
                }
            }
            a.button.needs-js href="#add" { "Add a rule…" }
        }
    }
}

fn table(rules: &[&RuleInfo], may: bool) -> Markup {
    html! {
        table.list.rules {
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
            tbody #rows { @for rule in rules { (row(rule, may)) } }
        }
    }
}

fn row(rule: &RuleInfo, may: bool) -> Markup {
    let reason = rule.reason.as_deref().unwrap_or_default();
    let title = if rule.title.is_empty() { format!("({})", rule.file) } else { rule.title.clone() };
    let is_known = !rule.id.is_empty();
    html! {
        tr data-id=(rule.id) data-words=(words(rule)) data-uploaded[rule.origin == Origin::Uploaded]
            data-open=[is_known.then(|| link::rule(&rule.id))] {
            @if may {
                td.c-choose {
                    input.needs-js type="checkbox" value=(rule.id) disabled[!is_known]
                        aria-label={ "Choose " (hostile::short(&title)) };
                }
            }
            td.c-state { (mark::rule_state(rule.state)) }
            td.c-level { (mark::level(rule.level)) }
            td.c-title {
                @if is_known { a.clip href=(link::rule(&rule.id)) { (hostile::short(&title)) } }
                @else { span.clip.weak { (hostile::short(&title)) } }
            }
            td.c-count.num { (fired(rule)) }
            td.c-why { span.clip title=(hostile::short(reason)) { (hostile::short(reason)) } }
            td.c-origin { (rule.origin.name()) }
            td.c-tags { span.clip { (hostile::short(&rule.tags.join(", "))) } }
        }
    }
}

fn fired(rule: &RuleInfo) -> Markup {
    html! {
        @if rule.alerts > 0 {
            a href=(link::with("/alerts", &[("rule", &rule.id)])) {
                (common::number::number(rule.alerts))
            }
        }
    }
}

/// What the field above the list looks in.
fn words(rule: &RuleInfo) -> String {
    let parts = [
        &*rule.title,
        &*rule.id,
        rule.level.name(),
        mark::rule_state_name(rule.state),
        rule.origin.name(),
        &*rule.file,
        rule.reason.as_deref().unwrap_or_default(),
        &*rule.tags.join(" "),
    ]
    .join(" ");
    parts.to_lowercase()
}

fn actions() -> Markup {
    html! {
        form.triage.needs-js #rule-actions {
            strong #chosen aria-live="polite" { "Nothing selected" }
            button type="button" value="enable" disabled { "Enable" }
            button type="button" value="disable" disabled { "Disable" }
            button type="button" value="hunt" disabled { "Try on history" }
            button type="button" value="remove" disabled
                title="Only uploaded rules can be removed; others can be disabled" { "Remove…" }
            p.result role="status" {}
        }
    }
}

fn empty() -> Markup {
    html! {
        div.empty {
            p { strong { "The recorder has no rules." } }
            p.weak {
                "Those that come with it lie in "
                code { "/usr/share/bpf-recorder/rules" } "."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_rules_are_text() {
        let bad = "\"><script>x</script>\u{202e}";
        let rule = serde_json::json!({
            "id": bad, "title": bad, "level": "low", "is_correlation": false, "state": "unusable",
            "reason": bad, "is_enabled": true, "origin": "uploaded", "file": bad, "document": 1,
            "tags": [bad], "alerts": 2,
        });
        let rules = [serde_json::from_value(rule).unwrap()];
        let page = RulesPage { rules: &rules, trouble: None };
        let mut chrome = frame::tests::chrome();
        chrome.may.manage_rules = true;
        let shown = super::rules(&chrome, &page).into_string();
        assert!(!shown.contains("<script>"), "{shown}");
        assert!(shown.contains("/rules/%22%3E%3Cscript%3E"), "{shown}");
    }
}
