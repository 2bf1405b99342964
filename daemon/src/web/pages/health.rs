//! Whether the record can be trusted: what the recorder says of itself, and where it has gaps.

use common::ecs::Gap;
use common::health::Health;
use common::number::number;
use common::time::{parse_rfc3339, rfc3339};
use maud::{Markup, html};

use super::frame::{self, Chrome};
use super::trouble::{self, Trouble};
use super::{hostile, link, mark};
use common::health::figures::{self, Figure, Group, Tone};

/// On either side of a gap that is gone to.
const AROUND_NS: i64 = 60_000_000_000;

pub(crate) struct HealthPage<'a> {
    pub(crate) health: Option<&'a Health>,
    /// The newest.
    pub(crate) gaps: &'a [Gap],
    pub(crate) trouble: Option<&'a Trouble>,
}

pub(crate) fn health(chrome: &Chrome, page: &HealthPage<'_>) -> Markup {
    let content = html! {
        h1.unseen { "Health" }
        @if let Some(trouble) = page.trouble { (trouble::show(trouble)) }
        @if let Some(health) = page.health {
            (heading(health))
            div.groups {
                @for group in figures::groups(health, &chrome.clock.0) { (group_of(&group)) }
            }
            (gaps(chrome, page.gaps, health.store.gaps))
        }
    };
    frame::page(chrome, "Health", "health.js", &content)
}

fn heading(health: &Health) -> Markup {
    let (tone, sentence) = figures::verdict(health);
    html! {
        header.subject.verdict {
            p.title.(class(tone)) { (mark::mark(shape(tone))) span { (sentence) } }
            @for warning in &health.warnings { p { (mark::warning(warning)) } }
        }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "is-good",
        Tone::Warning => "is-warning",
        Tone::Bad => "is-bad",
    }
}

fn shape(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "done",
        Tone::Warning => "warn",
        Tone::Bad => "peak",
    }
}

fn group_of(group: &Group) -> Markup {
    html! {
        section.group {
            h2 { (group.title) }
            dl.facts { @for figure in &group.figures { (figure_of(figure)) } }
        }
    }
}

fn figure_of(figure: &Figure) -> Markup {
    html! {
        div.fact {
            dt { (figure.name) }
            dd {
                @if figure.tone == Tone::Plain { (figure.value) }
                @else {
                    span.told.(class(figure.tone)) {
                        (mark::mark(shape(figure.tone))) (figure.value)
                    }
                }
                @if let Some(advice) = &figure.advice {
                    p.advice { "→ " (trouble::hint_text(advice)) }
                }
            }
        }
    }
}

fn gaps(chrome: &Chrome, gaps: &[Gap], count: u64) -> Markup {
    let older = count.saturating_sub(gaps.len() as u64);
    html! {
        section.gaps {
            h2 { "Gaps (" (number(count)) ")" }
            @if gaps.is_empty() {
                p.weak { "No stretch of the record is known to be missing." }
            } @else {
                table.list {
                    thead {
                        tr {
                            @for title in ["noticed", "CPU", "records missing", "because", ""] {
                                th scope="col" { (title) }
                            }
                        }
                    }
                    tbody { @for gap in gaps { (gap_row(chrome, gap)) } }
                }
            }
            @if older > 0 { p.weak { "… and " (number(older)) " older: " code { "bpfctl health" } } }
        }
    }
}

fn gap_row(chrome: &Chrome, gap: &Gap) -> Markup {
    let around = parse_rfc3339(&gap.timestamp).map(|ns| {
        let (from, to) = (ns.saturating_sub(AROUND_NS), ns.saturating_add(AROUND_NS));
        link::with("/processes", &[("since", &rfc3339(from)), ("until", &rfc3339(to))])
    });
    html! {
        tr {
            td { (chrome.clock.whole(&gap.timestamp)) }
            td { (gap.cpu) }
            td { span.told.is-bad { (mark::mark("peak")) (hostile::plain(&figures::missing(gap))) } }
            td { (hostile::plain(&figures::cause(gap))) }
            td { @if let Some(around) = around { a href=(around) { "Show in time" } } }
        }
    }
}
