//! The processes around one: ancestors above, descendants below, alike children folded.

use std::collections::{HashMap, HashSet};

use common::ecs::Event;
use common::id::ProcessId;
use common::record::State;
use common::time::{duration, parse_rfc3339};
use maud::{Markup, html};

use super::mark::{self, Fired};
use super::{hostile, link};

/// So many brothers of one kind are folded.
const FEW: usize = 4;
/// Deeper ones stand at the left of this: browsers give up on nesting, too.
const MOST_LEVELS: usize = 48;

/// The records of a tree, parents before children, and what belongs to them.
pub(super) struct Tree<'a> {
    pub(super) focus: ProcessId,
    pub(super) fired: &'a HashMap<ProcessId, Fired>,
    roots: Vec<&'a Event<'static>>,
    children: HashMap<ProcessId, Vec<&'a Event<'static>>>,
}

impl<'a> Tree<'a> {
    /// Of several records of a process the last one counts.
    pub(super) fn new(
        events: &'a [Event<'static>],
        focus: ProcessId,
        fired: &'a HashMap<ProcessId, Fired>,
    ) -> Self {
        let last: HashMap<ProcessId, usize> =
            events.iter().enumerate().map(|(at, event)| (event.process.entity_id, at)).collect();
        let mut tree = Self { focus, fired, roots: Vec::new(), children: HashMap::new() };
        let mut seen = HashSet::new();
        for event in events {
            let id = event.process.entity_id;
            if !seen.insert(id) {
                continue;
            }
            let event = &events[last[&id]];
            let parent = event.process.parent.as_ref().map(|parent| parent.entity_id);
            // A parent that comes later would be a ring.
            match parent.filter(|parent| *parent != id && seen.contains(parent)) {
                Some(parent) => tree.children.entry(parent).or_default().push(event),
                None => tree.roots.push(event),
            }
        }
        tree
    }

    pub(super) fn show(&self) -> Markup {
        html! { ul.tree { (self.level(&self.roots, None, 0)) } }
    }

    fn level(
        &self,
        brothers: &[&'a Event<'static>],
        parent: Option<&Event<'_>>,
        depth: usize,
    ) -> Markup {
        html! {
            @for line in self.fold(brothers) {
                @match line {
                    Line::One(event) => li { (self.branch(event, parent, depth)) },
                    Line::Alike(events) => li { (self.alike(&events, parent)) },
                }
            }
        }
    }

    fn branch(
        &self,
        event: &'a Event<'static>,
        parent: Option<&Event<'_>>,
        depth: usize,
    ) -> Markup {
        let children = self.children.get(&event.process.entity_id).map(Vec::as_slice);
        html! {
            (self.process(event, parent))
            @if let Some(children) = children {
                @if depth < MOST_LEVELS {
                    ul { (self.level(children, Some(event), depth + 1)) }
                } @else {
                    p.weak { (super::measure::counted(children.len() as u64, "child process")) }
                }
            }
        }
    }

    fn process(&self, event: &Event<'_>, parent: Option<&Event<'_>>) -> Markup {
        let id = event.process.entity_id;
        let is_focus = id == self.focus;
        let command = event.process.command_line.as_deref();
        html! {
            div.node.here[is_focus] {
                @if is_focus {
                    strong aria-current="true" { (hostile::short(event.name())) }
                } @else {
                    a href=(link::process(&id)) { (hostile::short(event.name())) }
                }
                span.pid { (event.process.pid) }
                @if let Some(fired) = self.fired.get(&id) { (mark::fired(*fired)) }
                (mark::state(event))
                @if let Some(delay) = delay(event, parent) {
                    span.delay title="After its parent began" { "+" (duration(delay)) }
                }
                @if let Some(resources) = &event.recorder.resources {
                    span.weak title="Ran for" { (duration(resources.run_time_ns)) }
                }
                @if let Some(command) = command.filter(|_| !is_focus) {
                    span.command.line { (hostile::line(command)) }
                }
            }
        }
    }

    fn alike(&self, events: &[&'a Event<'static>], parent: Option<&Event<'_>>) -> Markup {
        let path = path_of(events[0]);
        let states = [State::Killed, State::Failed, State::Running];
        let count = |state| events.iter().filter(|event| mark::state_of(event) == state).count();
        html! {
            details {
                summary {
                    span.node {
                        span.times { (events.len()) " × " }
                        span.name { (hostile::short(path)) }
                        @for state in states {
                            @if count(state) > 0 { (mark::state_count(state, count(state))) }
                        }
                    }
                }
                ul { @for event in events { li { (self.process(event, parent)) } } }
            }
        }
    }

    /// Those that ran the same file, began nothing and were nothing to a rule, at the first of them.
    fn fold(&self, brothers: &[&'a Event<'static>]) -> Vec<Line<'a>> {
        let mut groups: HashMap<&str, Vec<&'a Event<'static>>> = HashMap::new();
        for event in brothers.iter().filter(|event| self.is_foldable(event)) {
            groups.entry(path_of(event)).or_default().push(event);
        }
        let mut lines = Vec::new();
        for event in brothers {
            let group = groups.get(path_of(event)).filter(|group| group.len() >= FEW);
            match group.filter(|_| self.is_foldable(event)) {
                None => lines.push(Line::One(event)),
                Some(group) if std::ptr::eq(group[0], *event) => {
                    lines.push(Line::Alike(group.clone()));
                }
                // Stands with the first of its kind.
                Some(_) => {}
            }
        }
        lines
    }

    fn is_foldable(&self, event: &Event<'_>) -> bool {
        let id = event.process.entity_id;
        id != self.focus
            && !self.children.contains_key(&id)
            && !self.fired.contains_key(&id)
            && !path_of(event).is_empty()
    }
}

enum Line<'a> {
    One(&'a Event<'static>),
    Alike(Vec<&'a Event<'static>>),
}

fn path_of<'e>(event: &'e Event<'_>) -> &'e str {
    event.process.executable.as_deref().unwrap_or_default()
}

/// How long after its parent it began.
fn delay(event: &Event<'_>, parent: Option<&Event<'_>>) -> Option<u64> {
    let own = parse_rfc3339(&event.process.start)?;
    u64::try_from(own - parse_rfc3339(&parent?.process.start)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::process::tests::{child_of, event};

    #[test]
    fn many_alike_children_are_folded() {
        let parent = event(1);
        let mut events = vec![parent.clone()];
        events.extend((2..44).map(|pid| child_of(&parent, pid, "/usr/bin/sed")));
        events.push(child_of(&parent, 50, "/usr/bin/curl"));
        let fired = HashMap::new();
        let shown = Tree::new(&events, parent.process.entity_id, &fired).show().into_string();
        assert!(shown.contains("42 × </span>"), "{shown}");
        assert_eq!(shown.matches("<details>").count(), 1);
        assert!(shown.contains("curl"));
    }

    #[test]
    fn a_child_with_an_alert_stays_in_sight() {
        let parent = event(1);
        let mut events = vec![parent.clone()];
        events.extend((2..10).map(|pid| child_of(&parent, pid, "/usr/bin/sed")));
        let worst = common::rule::Level::High;
        let fired = HashMap::from([(events[3].process.entity_id, Fired { count: 1, worst })]);
        let shown = Tree::new(&events, parent.process.entity_id, &fired).show().into_string();
        assert!(shown.contains("7 × </span>"), "{shown}");
    }

    #[test]
    fn rings_and_deep_chains_end() {
        let mut events = vec![event(1)];
        for pid in 2..600 {
            let parent = events[events.len() - 1].clone();
            events.push(child_of(&parent, pid, "/bin/sh"));
        }
        let mut ring = event(1000);
        ring.process.parent = child_of(&ring, 1, "/x").process.parent;
        events.push(ring);
        let fired = HashMap::new();
        let shown = Tree::new(&events, events[0].process.entity_id, &fired).show().into_string();
        assert!(shown.matches("<ul").count() <= MOST_LEVELS + 1);
    }
}
