//! `bpfctl tree`: the ancestors and descendants of a process, drawn.

use std::collections::HashMap;
use std::io::Write;

use common::ecs::Event;
use common::id::ProcessId;
use common::time::{duration, parse_rfc3339};

use crate::args::{ProcessRef, Tree};
use crate::command::Context;
use crate::error::CommandError;
use crate::row;
use crate::screen::{Screen, Tone};
use crate::status;
use crate::stream::{Kind, Stream, event_of};
use crate::table::{Cell, Column, render};
use crate::text;

pub(crate) async fn run(context: &mut Context, args: &Tree) -> Result<(), CommandError> {
    let processes = context.processes().await?;
    let id = args.process.to_string();
    let answer = processes.tree(&id, args.up, args.down, args.limit).await;
    let answer = answer.map_err(|error| context.process_error(args.process, error))?;
    let mut stream = Stream::new(answer)?;
    let mut events = Vec::new();
    while let Some(kind) = stream.next().await? {
        if context.json {
            context.out.write_all(stream.line())?;
            context.out.write_all(b"\n")?;
        } else if kind == Kind::Event {
            events.push(event_of(stream.line())?);
        }
    }
    if !context.json {
        context.out.write_all(draw(&events, args.process, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    let count = events.len() as u64;
    if count >= u64::from(args.limit) {
        let images = text::counted(count, "image");
        let _ = writeln!(std::io::stderr(), "cut at {images}; see more with a larger --limit");
    }
    Ok(())
}

/// A process: its images, and those it started.
struct Node<'e> {
    images: Vec<&'e Event<'e>>,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl<'e> Node<'e> {
    fn first(&self) -> &'e Event<'e> {
        self.images[0]
    }

    fn last(&self) -> &'e Event<'e> {
        self.images[self.images.len() - 1]
    }
}

/// Parents come before children, so that a parent is always known before it is named.
fn nodes<'e>(events: &'e [Event<'e>]) -> Vec<Node<'e>> {
    let mut nodes: Vec<Node<'e>> = Vec::new();
    let mut known: HashMap<ProcessId, usize> = HashMap::new();
    for event in events {
        if let Some(at) = known.get(&event.process.entity_id) {
            nodes[*at].images.push(event);
            continue;
        }
        let at = nodes.len();
        let parent = event.process.parent.as_ref();
        let parent = parent.and_then(|parent| known.get(&parent.entity_id).copied());
        if let Some(parent) = parent {
            nodes[parent].children.push(at);
        }
        known.insert(event.process.entity_id, at);
        nodes.push(Node { images: vec![event], parent, children: Vec::new() });
    }
    nodes
}

fn draw(events: &[Event<'_>], focus: ProcessRef, screen: &Screen) -> String {
    const COLUMNS: [Column; 5] = [
        Column::right("PID", 7, 12),
        Column::right("AFTER", 8, 12),
        Column::right("RAN FOR", 8, 12),
        Column::left("STATUS", 9, 14),
        Column::left("COMMAND", 0, 0),
    ];
    let nodes = nodes(events);
    let mut rows = Vec::new();
    let roots = (0..nodes.len()).filter(|at| nodes[*at].parent.is_none());
    // The next to draw is last; each with the lines that lead to it.
    let mut waiting: Vec<Branch> = roots.map(Branch::root).collect();
    waiting.reverse();
    while let Some(branch) = waiting.pop() {
        let node = &nodes[branch.node];
        if node.parent.is_none() {
            rows.extend(unseen_parent(node));
        }
        rows.push(process_row(&nodes, &branch, is_focus(node, focus)));
        for pair in node.images.windows(2) {
            rows.push(exec_row(node, pair[1], &branch));
        }
        let last = node.children.last().copied();
        let children = node.children.iter().rev();
        waiting.extend(children.map(|child| branch.child(*child, Some(*child) == last)));
    }
    if rows.is_empty() { String::new() } else { render(&COLUMNS, &rows, screen) }
}

struct Branch {
    node: usize,
    /// Before the command of this process.
    before: String,
    /// Before whatever stands below it.
    below: String,
}

impl Branch {
    fn root(node: usize) -> Self {
        Self { node, before: String::new(), below: String::new() }
    }

    fn child(&self, node: usize, is_last: bool) -> Self {
        let (corner, line) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self {
            node,
            before: format!("{}{corner}", self.below),
            below: format!("{}{line}", self.below),
        }
    }
}

fn is_focus(node: &Node<'_>, focus: ProcessRef) -> bool {
    match focus {
        ProcessRef::Id(id) => node.first().process.entity_id == id,
        ProcessRef::Pid(pid) => node.first().process.pid == pid,
    }
}

fn unseen_parent(root: &Node<'_>) -> Option<Vec<Cell>> {
    let parent = root.first().process.parent.as_ref()?;
    if parent.pid == 0 {
        return None;
    }
    let command = parent.command_line.as_deref().or(parent.executable.as_deref());
    let cell = |text: &str| Cell::toned(text, Tone::Dim);
    let pid = parent.pid.to_string();
    let command = format!("… {}", command.unwrap_or("(not shown)"));
    Some(vec![cell(&pid), cell(""), cell(""), cell(""), cell(&command)])
}

fn process_row(nodes: &[Node<'_>], branch: &Branch, is_focus: bool) -> Vec<Cell> {
    let node = &nodes[branch.node];
    let (first, last) = (node.first(), node.last());
    let (status, status_tone) = status::short(last);
    let parent = node.parent.map(|at| nodes[at].first());
    let after = parent.and_then(|parent| between(&parent.process.start, &first.process.start));
    let run_time = last.recorder.resources.as_ref().map(|r| duration(r.run_time_ns));
    let (mark, tone) = if is_focus { ("▸ ", Tone::Strong) } else { ("", Tone::Plain) };
    vec![
        Cell::toned(format!("{mark}{}", first.process.pid), tone),
        Cell::toned(after.unwrap_or_default(), Tone::Dim),
        Cell::new(run_time.unwrap_or_default()),
        Cell::toned(status, status_tone),
        Cell::toned(format!("{}{}", branch.before, row::command(first)), tone),
    ]
}

/// A later image of the same process, below its first.
fn exec_row(node: &Node<'_>, image: &Event<'_>, branch: &Branch) -> Vec<Cell> {
    let after = between(&node.first().process.start, &image.timestamp);
    let line = if node.children.is_empty() { "  " } else { "│ " };
    vec![
        Cell::new(""),
        Cell::toned(after.unwrap_or_default(), Tone::Dim),
        Cell::new(""),
        Cell::toned("  exec", Tone::Dim),
        Cell::new(format!("{}{line}{}", branch.below, row::command(image))),
    ]
}

/// `+1.4 ms`
fn between(earlier: &str, later: &str) -> Option<String> {
    let ns = parse_rfc3339(later)?.checked_sub(parse_rfc3339(earlier)?)?;
    Some(format!("+{}", duration(u64::try_from(ns).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::{ended, event};

    fn child(pid: u32, parent: u32, start_ms: u32, command: &str) -> Event<'static> {
        let mut event = ended(event(pid, command), 0, 1_400_000);
        event.process.start = format!("2026-11-24T14:03:27.{start_ms:03}Z");
        event.process.parent = serde_json::from_value(serde_json::json!({
            "pid": parent, "entity_id": format!("3f2a9c81d0b4-{parent}-1a2b"),
        }))
        .unwrap();
        event
    }

    fn check(events: &[Event<'_>], expected: &[&str]) {
        let drawn = draw(events, ProcessRef::Pid(30), &Screen::plain(None));
        assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn trees_are_drawn_with_delays_and_later_images() {
        let mut later = child(30, 20, 110, "x --daemon");
        later.timestamp = "2026-11-24T14:03:27.150Z".to_owned();
        let mut running = child(60, 20, 300, "sleep 9\n");
        running.recorder.state = "running".into();
        running.recorder.resources = None;
        let events = [
            child(20, 10, 100, "bash"),
            child(30, 20, 110, "sh -c x"),
            later,
            child(40, 30, 120, "a"),
            child(50, 30, 130, "b"),
            running,
        ];
        check(
            &events,
            &[
                "    PID     AFTER   RAN FOR  STATUS     COMMAND",
                "     10                                 … (not shown)",
                "     20              1.4 ms  · ended    bash",
                "   ▸ 30    +10 ms    1.4 ms  · ended    ├─ sh -c x",
                "           +40 ms              exec     │  │ x --daemon",
                "     40    +10 ms    1.4 ms  · ended    │  ├─ a",
                "     50    +20 ms    1.4 ms  · ended    │  └─ b",
                "     60   +200 ms            ▶ running  └─ sleep 9\\n",
            ],
        );
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_strangers_stand_alone() {
        check(&[], &[]);
        let strangers = [child(20, 0, 100, "a"), child(21, 0, 100, "b")];
        check(
            &strangers,
            &[
                "    PID     AFTER   RAN FOR  STATUS     COMMAND",
                "     20              1.4 ms  · ended    a",
                "     21              1.4 ms  · ended    b",
            ],
        );
    }

    #[test]
    fn deep_trees_do_not_exhaust_the_stack() {
        let events: Vec<_> = (1..3000).map(|pid| child(pid + 1, pid, 100, "a")).collect();
        assert_eq!(
            draw(&events, ProcessRef::Pid(1), &Screen::plain(Some(80))).lines().count(),
            3001
        );
    }
}
