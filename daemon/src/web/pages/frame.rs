//! What stands around every page: head, top bar, navigation, help.

use common::number::number;
use maud::{DOCTYPE, Markup, html};

use super::mark::mark;
use super::{Clock, hostile, mark as marks};
use crate::web::assets;

/// What the frame needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Chrome {
    pub(crate) host: String,
    /// `recording`, `read-only`, `starting`, `stopping` or `unreachable`.
    pub(crate) state: String,
    pub(crate) user: String,
    pub(crate) may: Rights,
    pub(crate) page: Section,
    /// Alerts that nobody has looked at yet.
    pub(crate) open_alerts: Option<u64>,
    /// Records lost, over all time.
    pub(crate) lost: Option<u64>,
    pub(crate) version: String,
    pub(crate) clock: Clock,
}

/// What the session may do besides reading the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) manage_alerts: bool,
    pub(crate) manage_rules: bool,
    pub(crate) read_binaries: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Processes,
    Alerts,
    Rules,
    Binaries,
    Health,
}

impl Section {
    const ALL: [Section; 5] =
        [Section::Processes, Section::Alerts, Section::Rules, Section::Binaries, Section::Health];

    fn name(self) -> &'static str {
        match self {
            Section::Processes => "Processes",
            Section::Alerts => "Alerts",
            Section::Rules => "Rules",
            Section::Binaries => "Binaries",
            Section::Health => "Health",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Section::Processes => "/processes",
            Section::Alerts => "/alerts",
            Section::Rules => "/rules",
            Section::Binaries => "/binaries",
            Section::Health => "/health",
        }
    }
}

/// Keys, and what they do: `keys.js` has the other half.
const KEYS: [(&str, &str); 11] = [
    ("/  or  Ctrl L", "Go to the filter"),
    ("j  ↓", "Next row"),
    ("k  ↑", "Previous row"),
    ("Enter", "Open the row"),
    ("m", "Menu of the row: include, exclude, copy"),
    ("x", "Choose the row"),
    ("p", "Pause or resume what is shown live"),
    ("[  ]", "First, next page of the list"),
    ("g then p a r b h", "Processes, Alerts, Rules, Binaries, Health"),
    ("?", "This help"),
    ("Esc", "Close, or leave the field"),
];

/// A page of the application; `script` is the module that it runs.
pub(super) fn page(chrome: &Chrome, title: &str, script: &str, content: &Markup) -> Markup {
    let title = format!("{} · {}", hostile::short(title), hostile::short(&chrome.host));
    let zone = chrome.clock.zone_name();
    html! {
        (DOCTYPE)
        html lang="en" data-zone=(zone) data-now=(common::time::rfc3339(chrome.clock.0.now_ns)) {
            (head(&title, Some(script)))
            body {
                a.skip href="#content" { "Skip to the content" }
                (marks::sheet())
                (top(chrome))
                main #content tabindex="-1" { (content) }
                (help())
                div.said #said role="status" aria-live="polite" {}
            }
        }
    }
}

/// A page for who is not logged in, or not anywhere.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{} · BPF Recorder", hostile::short(title)), None))
            body.bare { (marks::sheet()) main #content { (content) } }
        }
    }
}

fn head(title: &str, script: Option<&str>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (title) }
            link rel="icon" type="image/svg+xml" href=(assets::url("icon.svg"));
            link rel="stylesheet" href=(assets::url("style.css"));
            @if let Some(script) = script { script type="module" src=(assets::url(script)) {} }
        }
    }
}

fn top(chrome: &Chrome) -> Markup {
    html! {
        header.top {
            (state(chrome))
            nav aria-label="Views" {
                @for section in Section::ALL { (entry(chrome, section)) }
            }
            div.who {
                label.needs-js {
                    span.unseen { "Times in" }
                    select #zone data-server=(chrome.clock.zone_name()) {
                        option value="server" { (chrome.clock.zone_name()) }
                    }
                }
                button.needs-js.quiet type="button" data-help title="Keys (?)" aria-label="Keys" {
                    "?"
                }
                span.user title={ "bpf-recorderd " (chrome.version) } {
                    (hostile::short(&chrome.user))
                }
                button.needs-js.quiet #log-out type="button" { "Log out" }
            }
        }
    }
}

fn state(chrome: &Chrome) -> Markup {
    let (shape, name, class) = match &*chrome.state {
        "recording" => ("dot", "Recording", "is-running"),
        "read-only" => ("square", "Recorded", "is-accent"),
        "unreachable" => ("ring", "Not connected", "is-warning"),
        "starting" => ("ring", "Starting", "is-warning"),
        "stopping" => ("square", "Stopping", "is-warning"),
        other => ("unknown", other, "is-warning"),
    };
    html! {
        div.recorder {
            strong.chip.(class) #recorder { (mark(shape)) span { (hostile::plain(name)) } }
            span.host { (hostile::short(&chrome.host)) }
        }
    }
}

fn entry(chrome: &Chrome, section: Section) -> Markup {
    let is_here = chrome.page == section;
    html! {
        a href=(section.path()) aria-current=[is_here.then_some("page")] {
            (section.name())
            @match section {
                Section::Alerts => @if let Some(count @ 1..) = chrome.open_alerts {
                    " " span.badge title="Alerts that nobody has looked at yet" {
                        (number(count)) span.unseen { " new" }
                    }
                },
                Section::Health => @if let Some(count @ 1..) = chrome.lost {
                    " " span.badge.is-warning title="Records that were lost, over all time" {
                        (mark("warn")) (number(count)) " lost"
                    }
                },
                _ => {}
            }
        }
    }
}

fn help() -> Markup {
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl.keys {
                @for (key, what) in KEYS { dt { kbd { (key) } } dd { (what) } }
            }
            p.weak {
                "A filter is " code { "field operator value" } ", joined by "
                code { "and" } ", " code { "or" } ", " code { "not" } " and parentheses. Operators: "
                code { "= != ~ (contains) =~ (regex) < <= > >= in exists" } "."
            }
            form method="dialog" { button autofocus { "Close" } }
        }
    }
}

/// A button that the session may not press says why.
pub(super) fn denied(is_allowed: bool, right: &str) -> Option<String> {
    (!is_allowed).then(|| format!("This session may not {right}"))
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    pub(in crate::web::pages) fn chrome() -> Chrome {
        Chrome {
            host: "web-1".to_owned(),
            state: "recording".to_owned(),
            user: "alice".to_owned(),
            may: Rights::default(),
            page: Section::Processes,
            open_alerts: Some(3),
            lost: Some(0),
            version: "0.1.0".to_owned(),
            clock: Clock(common::time::Clock {
                now_ns: 1_795_510_206_500_000_000,
                zone: TimeZone::UTC,
            }),
        }
    }

    #[test]
    fn nothing_is_inline() {
        let chrome = Chrome { host: "<b onload=x>".to_owned(), ..chrome() };
        let shown = page(&chrome, "<i>", "page.js", &html! {}).into_string();
        assert!(!shown.contains("style=") && !shown.contains("<style"), "{shown}");
        assert!(!shown.contains("<b onload") && !shown.contains("<i>"), "{shown}");
        assert_eq!(shown.matches("<script").count(), 1);
        assert!(shown.contains("<script type=\"module\" src="));
    }
}
