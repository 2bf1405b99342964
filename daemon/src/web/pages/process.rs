//! All that is known of one process: where it stands in the tree, and its sections.

use std::collections::HashMap;

use common::alert::Alert;
use common::ecs::Event;
use common::id::ProcessId;
use common::time::{duration, parse_rfc3339};
use maud::{Markup, html};

use super::facts::{copy_button, section, weak};
use super::frame::{self, Chrome};
use super::tree::Tree;
use super::trouble::{self, Trouble};
use super::{Fired, copy, hostile, link, mark, sections};

pub(crate) struct ProcessPage<'a> {
    /// Every image of the process in the order of its execs; at least one.
    pub(crate) images: &'a [Event<'static>],
    /// Which of them is looked at, by `ordinal` of the address; else the newest.
    pub(crate) ordinal: Option<u32>,
    /// Ancestors from the oldest, the process, descendants with parents before children.
    pub(crate) tree: &'a [Event<'static>],
    /// There are more descendants than these.
    pub(crate) is_tree_cut: bool,
    /// Of the processes in the tree.
    pub(crate) fired: &'a HashMap<ProcessId, Fired>,
    /// Of this process.
    pub(crate) alerts: &'a [Alert<'static>],
    /// Of the tree or the alerts.
    pub(crate) trouble: Option<&'a Trouble>,
}

/// What the sections are about.
pub(super) struct View<'a> {
    pub(super) chrome: &'a Chrome,
    pub(super) image: &'a Event<'static>,
    pub(super) images: &'a [Event<'static>],
    pub(super) alerts: &'a [Alert<'static>],
}

pub(crate) fn process(chrome: &Chrome, page: &ProcessPage<'_>) -> Markup {
    let wanted = page
        .ordinal
        .and_then(|ordinal| page.images.iter().find(|image| image.recorder.ordinal == ordinal));
    let Some(image) = wanted.or(page.images.last()) else {
        return super::message(404, "Process not found", "Nothing is recorded of it.", None);
    };
    let view = View { chrome, image, images: page.images, alerts: page.alerts };
    let title = format!("{} {}", image.name(), image.process.pid);
    let content = html! {
        (heading(&view))
        @if let Some(trouble) = page.trouble { (trouble::show(trouble)) }
        div.columns {
            div { (tree(page, image)) (sections::first(&view)) }
            div { (sections::second(&view)) }
        }
    };
    frame::page(chrome, &title, "page.js", &content)
}

fn heading(view: &View<'_>) -> Markup {
    let (chrome, image) = (view.chrome, view.image);
    let process = &image.process;
    let name = process.executable.as_deref().or(process.name.as_deref()).unwrap_or("(unknown)");
    html! {
        header.subject {
            h1 { span.mono { (hostile::short(name)) } " " span.weak { "pid " (process.pid) } }
            p.figures {
                (mark::state(image))
                @if let Some(code) = process.exit_code { span { "exit " (code) } }
                @if let Some(resources) = &image.recorder.resources {
                    span { "ran for " (duration(resources.run_time_ns)) }
                    @if resources.core_dump { span { "core dump" } }
                }
                span.weak {
                    "began " (chrome.clock.whole(&process.start))
                    @if let Some(start) = parse_rfc3339(&process.start) {
                        ", " (chrome.clock.0.ago(start))
                    }
                }
            }
            (actions(view))
        }
    }
}

fn actions(view: &View<'_>) -> Markup {
    let id = view.image.process.entity_id;
    let children = format!("parent_id = {id}");
    html! {
        p.actions {
            a.button href=(link::processes(&children)) { "Its children" }
            a.button href=(link::processes(&copy::filter(view.image))) { "Processes like this" }
            span.needs-js { "Copy" }
            button.needs-js type="button" data-copy-from={ "/api/v1/processes/" (id) } { "JSON" }
            (copy_button("filter", &copy::filter(view.image)))
            (copy_button("shell command", &copy::shell_command(view.image)))
        }
    }
}

fn tree(page: &ProcessPage<'_>, image: &Event<'_>) -> Markup {
    let content = html! {
        @if page.tree.is_empty() { (weak("is not known")) }
        @else {
            div.scroll { (Tree::new(page.tree, image.process.entity_id, page.fired).show()) }
        }
        @if page.is_tree_cut { (weak("… more descendants than are shown; Its children lists them")) }
    };
    section("tree", "Ancestry and children", true, &content)
}

#[cfg(test)]
pub(in crate::web::pages) mod tests {
    use common::ecs::Event;

    use super::*;

    /// A process as small as one can be.
    pub(in crate::web::pages) fn event(pid: u32) -> Event<'static> {
        let json = serde_json::json!({
            "@timestamp": "2026-11-24T14:03:27.512000000Z",
            "event": {
                "action": "exec", "kind": "event", "category": ["process"], "type": ["start"],
                "sequence": pid,
            },
            "process": {
                "pid": pid, "entity_id": format!("3f2a9c81d0b4-{pid}-{pid:x}"),
                "name": "sh", "executable": "/bin/sh", "command_line": "sh -c true",
                "args": ["sh", "-c", "true"], "args_count": 3,
                "start": "2026-11-24T14:03:27.512000000Z",
            },
            "recorder": { "ordinal": 0, "source": "exec", "state": "running" },
        });
        serde_json::from_value(json).unwrap()
    }

    pub(in crate::web::pages) fn child_of(
        parent: &Event<'_>,
        pid: u32,
        executable: &str,
    ) -> Event<'static> {
        let mut child = event(pid);
        let parent = serde_json::json!({
            "pid": parent.process.pid, "entity_id": parent.process.entity_id,
        });
        child.process.parent = Some(serde_json::from_value(parent).unwrap());
        child.process.executable = Some(executable.to_owned().into());
        child.process.name = Some(hostile::base_name(executable).to_owned().into());
        child
    }

    /// With all that a process can put into its strings.
    pub(in crate::web::pages) fn hostile_event() -> Event<'static> {
        let bad = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\x1b[31m\n";
        let mut event = event(7);
        let long = format!("{bad}{}", "A".repeat(100_000));
        event.process.name = Some(bad.into());
        event.process.executable = Some(format!("/tmp/{bad}").into());
        event.process.command_line = Some(long.clone().into());
        event.process.args = Some(vec![bad.into(), long.into(), "\" onclick=\"x".into()]);
        event.process.env_vars = Some(vec![bad.into()]);
        event.process.working_directory = Some(bad.into());
        event.recorder.unit = Some(bad.into());
        event.recorder.cgroup = Some(bad.into());
        event.recorder.notes = vec![bad.to_owned()];
        event
    }

    #[test]
    fn hostile_strings_are_text() {
        let images = [hostile_event()];
        let fired = HashMap::new();
        let page = ProcessPage {
            images: &images,
            ordinal: None,
            tree: &images,
            is_tree_cut: false,
            fired: &fired,
            alerts: &[],
            trouble: None,
        };
        let shown = process(&frame::tests::chrome(), &page).into_string();
        for bad in ["<script>", "<img", "\u{202e}", "\" onclick", "style="] {
            assert!(!shown.contains(bad), "{bad:?}");
        }
        assert!(shown.contains(&"A".repeat(100_000)), "details are whole");
    }
}
