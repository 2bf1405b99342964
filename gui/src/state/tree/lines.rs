//! A tree line by line, from the top down in the order of time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use common::id::ProcessId;
use common::record::State;

use super::{Known, Node, Tree, has_children};
use crate::state::row::Row;

/// More equal children than these are one line.
const MOST_EQUAL: usize = 5;

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Process,
    /// Children of one parent that run the same file.
    Group {
        parent: Option<ProcessId>,
        alike: Box<str>,
        count: u32,
        running: u32,
        failed: u32,
        killed: u32,
        from_ns: i64,
        to_ns: i64,
    },
    /// There are more ancestors.
    Ancestors,
    /// A parent that was not recorded.
    Unseen,
    /// An ancestor has more children than the one on the way.
    Others,
    /// More children than were asked for.
    Cut,
    /// Children are on their way.
    Loading,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub kind: Kind,
    /// The process; of other lines the one that they belong to.
    pub id: ProcessId,
    pub depth: u32,
    /// At which depths a line goes on to further siblings, by bit.
    pub guides: u64,
    /// There is no sibling below.
    pub is_last: bool,
    /// `None`: nothing to open.
    pub is_open: Option<bool>,
    key: u64,
}

impl Line {
    /// Names the line, wherever it stands.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// The key of the line of a process.
    pub fn key_of(id: ProcessId) -> u64 {
        hash(0, &id)
    }
}

fn hash(kind: u8, of: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    of.hash(&mut hasher);
    hasher.finish()
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) all: Vec<Line>,
    pub(super) by_key: HashMap<u64, usize>,
}

impl Lines {
    fn push(&mut self, line: Line) {
        self.by_key.insert(line.key, self.all.len());
        self.all.push(line);
    }
}

/// What makes children equal.
pub(super) fn alike(row: &Row) -> &str {
    if row.executable.text.is_empty() { &row.name.text } else { &row.executable.text }
}

/// What is still to be laid out.
struct Item<'t> {
    what: What<'t>,
    depth: u32,
    guides: u64,
    is_last: bool,
}

enum What<'t> {
    Process(&'t Node),
    Group(Option<ProcessId>, &'t str, Vec<&'t Node>),
    Other(Kind, ProcessId),
}

impl Tree {
    /// Without recursion: a chain may be a million processes long.
    pub(super) fn lay_out(&self) -> Lines {
        let mut lines = Lines::default();
        let mut stack = Vec::new();
        push_items(&mut stack, self.top_items(), 0, 0);
        while let Some(item) = stack.pop() {
            // Below this one, and below its last sibling, no line goes on.
            let guides = match (item.is_last, item.depth) {
                (false, 0..64) => item.guides | (1 << item.depth),
                _ => item.guides,
            };
            match &item.what {
                // A damaged record may lead in circles.
                What::Process(node) if lines.by_key.contains_key(&Line::key_of(node.row.id)) => {}
                What::Process(node) => {
                    let is_open = self.push_process(&mut lines, node, &item);
                    if is_open {
                        let below = self.items_below(node);
                        push_items(&mut stack, below, item.depth + 1, guides);
                    }
                }
                What::Group(parent, alike, members) => {
                    let is_open = self.push_group(&mut lines, *parent, alike, members, &item);
                    if is_open {
                        let below = members.iter().map(|node| What::Process(node)).collect();
                        push_items(&mut stack, below, item.depth + 1, guides);
                    }
                }
                What::Other(kind, id) => {
                    let number = match kind {
                        Kind::Ancestors => 2,
                        Kind::Unseen => 3,
                        Kind::Others => 4,
                        Kind::Cut => 5,
                        _ => 6,
                    };
                    let can_open = matches!(kind, Kind::Ancestors | Kind::Others | Kind::Cut);
                    let is_open = (can_open && !self.pending.contains(id)).then_some(false);
                    lines.push(line(kind.clone(), *id, &item, is_open, hash(number, id)));
                }
            }
        }
        lines
    }

    fn push_process(&self, lines: &mut Lines, node: &Node, item: &Item<'_>) -> bool {
        let id = node.row.id;
        let is_open = self.open.contains(&id);
        let is_asked = self.pending.contains(&id) || node.known == Known::No;
        let shown = match has_children(node) {
            Some(false) => None,
            None if !is_asked => None,
            _ => Some(is_open),
        };
        lines.push(line(Kind::Process, id, item, shown, Line::key_of(id)));
        is_open
    }

    fn push_group(
        &self,
        lines: &mut Lines,
        parent: Option<ProcessId>,
        alike: &str,
        members: &[&Node],
        item: &Item<'_>,
    ) -> bool {
        let of = (parent, Box::from(alike));
        let is_open = self.open_groups.contains(&of);
        let in_state = |state| members.iter().filter(|node| node.row.state == state).count() as u32;
        let kind = Kind::Group {
            parent,
            alike: alike.into(),
            count: u32::try_from(members.len()).unwrap_or(u32::MAX),
            running: in_state(State::Running),
            failed: in_state(State::Failed),
            killed: in_state(State::Killed),
            from_ns: members.first().map_or(0, |node| node.row.start_ns),
            to_ns: members.last().map_or(0, |node| node.row.start_ns),
        };
        let id = members.first().map(|node| node.row.id).or(parent);
        if let Some(id) = id {
            lines.push(line(kind, id, item, Some(is_open), hash(1, &of)));
        }
        is_open
    }

    /// The oldest ancestor that is here, or all that have no parent here.
    fn top_items(&self) -> Vec<What<'_>> {
        let Some(focus) = self.focus else {
            let is_top = |node: &&Node| {
                node.row.parent_id.is_none_or(|parent| !self.nodes.contains_key(&parent))
            };
            let mut tops: Vec<&Node> = self.nodes.values().filter(is_top).collect();
            tops.sort_by_key(|node| (node.row.start_ns, node.row.id));
            return self.folded(None, tops);
        };
        let Some(mut top) = self.nodes.get(&focus) else { return Vec::new() };
        for _ in 0..self.nodes.len() {
            let Some(parent) = top.row.parent_id.and_then(|parent| self.nodes.get(&parent)) else {
                break;
            };
            top = parent;
        }
        let mut items = Vec::new();
        if top.row.parent_id.is_some_and(|parent| parent.pid != 0) {
            let kind = if self.is_top_known { Kind::Unseen } else { Kind::Ancestors };
            items.push(What::Other(kind, top.row.id));
        }
        items.push(What::Process(top));
        items
    }

    fn items_below<'t>(&'t self, node: &'t Node) -> Vec<What<'t>> {
        let id = node.row.id;
        let children = node.children.iter().filter_map(|child| self.nodes.get(child)).collect();
        let mut items = self.folded(Some(id), children);
        match node.known {
            Known::One => items.push(What::Other(Kind::Others, id)),
            Known::Cut(_) => items.push(What::Other(Kind::Cut, id)),
            Known::No if !self.failed.contains(&id) => {
                items.push(What::Other(Kind::Loading, id));
            }
            Known::No | Known::All => {}
        }
        items
    }

    /// Equal ones together, where the first of them stands. The way to the focus stays in sight.
    fn folded<'t>(&'t self, parent: Option<ProcessId>, nodes: Vec<&'t Node>) -> Vec<What<'t>> {
        let is_foldable = |node: &Node| !self.path.contains(&node.row.id);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for node in nodes.iter().filter(|node| is_foldable(node)) {
            *counts.entry(alike(&node.row)).or_default() += 1;
        }
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut items: Vec<What<'t>> = Vec::new();
        for node in nodes {
            let name = alike(&node.row);
            let is_one_of_many = counts.get(name).is_some_and(|count| *count > MOST_EQUAL);
            if !is_one_of_many || !is_foldable(node) {
                items.push(What::Process(node));
                continue;
            }
            let at = *places.entry(name).or_insert(items.len());
            match items.get_mut(at) {
                Some(What::Group(_, _, members)) => members.push(node),
                _ => items.push(What::Group(parent, name, vec![node])),
            }
        }
        items
    }
}

/// The first is taken first.
fn push_items<'t>(stack: &mut Vec<Item<'t>>, items: Vec<What<'t>>, depth: u32, guides: u64) {
    let last = items.len().saturating_sub(1);
    let items = items.into_iter().enumerate();
    let items = items.map(|(at, what)| Item { what, depth, guides, is_last: at == last });
    stack.extend(items.rev());
}

fn line(kind: Kind, id: ProcessId, item: &Item<'_>, is_open: Option<bool>, key: u64) -> Line {
    let (depth, guides, is_last) = (item.depth, item.guides, item.is_last);
    Line { kind, id, depth, guides, is_last, is_open, key }
}
