//! Processes by their parents: what is known, what is open, and what is to be asked for.
//!
//! Keyed by the identity of a process, never by its pid, and nothing that ended is taken out. What
//! is drawn of it line by line is in `lines`.

mod lines;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use common::id::ProcessId;

pub use lines::{Kind, Line};

use super::row::Row;

/// Levels above and below the process that is looked at.
pub const LEVELS: u32 = 3;

/// What is known of the children of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing.
    No,
    /// The one on the way to the process that is looked at.
    One,
    /// So many records were asked for, and there are more.
    Cut(u32),
    All,
}

#[derive(Debug)]
struct Node {
    /// The newest image.
    row: Row,
    /// By their start.
    children: Vec<ProcessId>,
    known: Known,
}

/// What was asked of the recorder, and now is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub id: ProcessId,
    pub up: u32,
    pub down: u32,
    pub limit: u32,
}

impl Asked {
    const LIMIT: u32 = 5000;
    /// What the recorder gives at most.
    const MOST: u32 = 100_000;

    /// What is looked at: one level more than is shown, so that it is known which of the last have
    /// children.
    pub fn around(id: ProcessId, up: u32) -> Self {
        Self { id, up, down: LEVELS + 1, limit: Self::LIMIT }
    }

    fn below(id: ProcessId) -> Self {
        Self { id, up: 0, down: 2, limit: Self::LIMIT }
    }
}

#[derive(Debug, Default)]
pub struct Tree {
    nodes: HashMap<ProcessId, Node>,
    /// Whose parent is not here, by that parent.
    orphans: HashMap<ProcessId, Vec<ProcessId>>,
    focus: Option<ProcessId>,
    /// The ancestors on the way to the focus, and itself.
    path: HashSet<ProcessId>,
    /// Generations above the focus that were asked for.
    up: u32,
    /// The recorder has no more of them.
    is_top_known: bool,
    open: HashSet<ProcessId>,
    /// Of equal children, by their parent and what they run.
    open_groups: HashSet<(Option<ProcessId>, Box<str>)>,
    /// Asked for, and not here yet.
    pending: HashSet<ProcessId>,
    /// Asked for in vain; asked for again when opened again.
    failed: HashSet<ProcessId>,
    lines: lines::Lines,
    is_changed: bool,
}

impl Tree {
    /// With a focus its relatives, else all that have no parent.
    pub fn new(focus: Option<ProcessId>) -> Self {
        Self { focus, up: LEVELS, is_changed: true, ..Self::default() }
    }

    pub fn focus(&self) -> Option<ProcessId> {
        self.focus
    }

    pub fn up(&self) -> u32 {
        self.up
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn row(&self, id: ProcessId) -> Option<&Row> {
        self.nodes.get(&id).map(|node| &node.row)
    }

    pub fn parent(&self, id: ProcessId) -> Option<&Row> {
        self.row(self.row(id)?.parent_id?)
    }

    /// What stays the same when everything is asked for anew: what is open.
    pub fn keep_open(&mut self, before: Tree) {
        self.open.extend(before.open);
        self.open_groups.extend(before.open_groups);
        self.up = before.up;
        self.is_changed = true;
    }

    /// Takes what was asked: ancestors from the oldest, the process, descendants.
    pub fn take(&mut self, asked: Asked, rows: Vec<Row>) {
        self.pending.remove(&asked.id);
        self.is_changed = true;
        let is_cut = rows.len() >= asked.limit as usize;
        let own = rows.iter().position(|row| row.id == asked.id).unwrap_or(0);
        let mut depths: HashMap<ProcessId, u32> = HashMap::new();
        for (at, row) in rows.into_iter().enumerate() {
            let depth = match row.parent_id.and_then(|parent| depths.get(&parent)) {
                _ if at < own => None,
                _ if at == own => Some(0),
                Some(depth) => Some(depth + 1),
                None => None,
            };
            let id = row.id;
            self.put(row);
            if let Some(depth) = depth {
                depths.insert(id, depth);
            }
        }
        self.judge(asked, is_cut, &depths);
        if Some(asked.id) == self.focus {
            self.take_path(asked, own);
            let inner = depths.iter().filter(|(_, depth)| **depth < LEVELS);
            self.open.extend(inner.map(|(id, _)| *id));
        }
    }

    /// Whose children are all here. The recorder goes level by level, so that what is cut is cut at
    /// the deepest.
    fn judge(&mut self, asked: Asked, is_cut: bool, depths: &HashMap<ProcessId, u32>) {
        let deepest = depths.values().copied().max().unwrap_or(0);
        let complete = if is_cut { deepest.saturating_sub(1) } else { asked.down };
        let mut cut: Vec<ProcessId> = Vec::new();
        for (id, depth) in depths {
            let Some(node) = self.nodes.get_mut(id) else { continue };
            if *depth < complete {
                node.known = Known::All;
            } else if is_cut && *depth < deepest.max(1) && node.known != Known::All {
                cut.push(*id);
            }
        }
        // Those of one level are answered in order: all before the last that has children are whole.
        cut.sort_by_key(|id| (self.nodes[id].row.start_ns, *id));
        let last = cut.iter().rposition(|id| !self.nodes[id].children.is_empty());
        for (at, id) in cut.iter().enumerate() {
            let known = match last {
                Some(last) if at < last => Known::All,
                Some(last) if at == last => Known::Cut(asked.limit),
                None if *id == asked.id => Known::Cut(asked.limit),
                _ => Known::No,
            };
            if let Some(node) = self.nodes.get_mut(id) {
                node.known = known;
            }
        }
    }

    fn take_path(&mut self, asked: Asked, found: usize) {
        self.path = HashSet::from([asked.id]);
        let mut id = asked.id;
        // As many steps as there are: a damaged record must not lead in circles.
        for _ in 0..self.nodes.len() {
            let Some(parent) = self.row(id).and_then(|row| row.parent_id) else { break };
            let Some(node) = self.nodes.get_mut(&parent) else { break };
            if node.known == Known::No {
                node.known = Known::One;
            }
            self.path.insert(parent);
            self.open.insert(parent);
            id = parent;
        }
        self.is_top_known = found < asked.up as usize;
    }

    /// Takes those that have no parent. They need not be all of one image.
    pub fn take_roots(&mut self, rows: Vec<Row>) {
        self.is_changed = true;
        for row in rows {
            if row.id.pid == 1 {
                self.open.insert(row.id);
            }
            self.put(row);
        }
    }

    /// What happened just now. True where it is of a process that is here, or becomes so.
    pub fn live(&mut self, row: Row) -> bool {
        let is_known = self.nodes.contains_key(&row.id);
        let is_child = row.parent_id.and_then(|parent| self.nodes.get(&parent));
        if !is_known && is_child.is_none_or(|parent| parent.known == Known::No) {
            return false;
        }
        self.is_changed = true;
        let id = row.id;
        // Seen from its first moment on, and so will be what it starts.
        let is_born = !is_known && !row.is_end;
        self.put(row);
        if is_born && let Some(node) = self.nodes.get_mut(&id) {
            node.known = Known::All;
        }
        true
    }

    /// Puts a record where it belongs. Of several images of a process the newest counts.
    fn put(&mut self, row: Row) {
        let (id, parent, place) = (row.id, row.parent_id, (row.start_ns, row.id));
        if let Some(node) = self.nodes.get_mut(&id) {
            if row.sequence == node.row.sequence {
                node.row.update(row);
            } else if row.ordinal > node.row.ordinal {
                node.row = row;
            }
            return;
        }
        let mut children = self.orphans.remove(&id).unwrap_or_default();
        children.sort_by_key(|child| (self.nodes.get(child).map(|n| n.row.start_ns), *child));
        self.nodes.insert(id, Node { row, children, known: Known::No });
        let Some(parent) = parent.filter(|parent| *parent != id) else { return };
        let Some(node) = self.nodes.get_mut(&parent) else {
            self.orphans.entry(parent).or_default().push(id);
            return;
        };
        let mut siblings = std::mem::take(&mut node.children);
        let at = siblings.partition_point(|sibling| {
            self.nodes.get(sibling).is_some_and(|node| (node.row.start_ns, *sibling) < place)
        });
        siblings.insert(at, id);
        if let Some(node) = self.nodes.get_mut(&parent) {
            node.children = siblings;
        }
    }

    /// What is open in sight and not here.
    pub fn wants(&mut self, visible: &Range<u64>) -> Vec<Asked> {
        let range = visible.start as usize..(visible.end as usize).min(self.lines().len());
        // A process stands above its children, which may be all that is seen.
        let is_of_one = |line: &&Line| matches!(line.kind, Kind::Process | Kind::Loading);
        let seen = self.lines.all.get(range).unwrap_or_default().iter().filter(is_of_one);
        let seen: BTreeSet<ProcessId> = seen.map(|line| line.id).collect();
        let wanted: Vec<Asked> = seen
            .into_iter()
            .filter(|id| self.open.contains(id) && self.is_wanting(*id))
            .map(Asked::below)
            .collect();
        self.pending.extend(wanted.iter().map(|asked| asked.id));
        wanted
    }

    /// Its children are not here, or not whether they have some.
    fn is_wanting(&self, id: ProcessId) -> bool {
        if self.pending.contains(&id) || self.failed.contains(&id) {
            return false;
        }
        let Some(node) = self.nodes.get(&id) else { return false };
        let is_unknown =
            |child: &ProcessId| self.nodes.get(child).is_some_and(|child| child.known == Known::No);
        match node.known {
            Known::No => true,
            Known::All => node.children.iter().any(is_unknown),
            Known::One | Known::Cut(_) => false,
        }
    }

    pub fn fail(&mut self, id: ProcessId) {
        self.pending.remove(&id);
        self.failed.insert(id);
        self.is_changed = true;
    }

    pub fn ask_pending(&mut self, id: ProcessId) {
        self.pending.insert(id);
        self.is_changed = true;
    }

    /// Opens the way to a process that is here; false where it is not.
    pub fn reveal(&mut self, id: ProcessId) -> bool {
        if !self.nodes.contains_key(&id) {
            return false;
        }
        if self.line_of(Line::key_of(id)).is_some() {
            return true;
        }
        let mut at = id;
        for _ in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(&at) else { break };
            let parent = node.row.parent_id.filter(|parent| self.nodes.contains_key(parent));
            self.open_groups.insert((parent, lines::alike(&node.row).into()));
            let Some(parent) = parent else { break };
            self.open.insert(parent);
            at = parent;
        }
        self.is_changed = true;
        self.line_of(Line::key_of(id)).is_some()
    }

    /// What Enter, Right or a click on the mark of a line does. Some of it is to be asked for.
    pub fn open(&mut self, line: &Line) -> Option<Asked> {
        self.is_changed = true;
        match &line.kind {
            Kind::Process => {
                self.failed.remove(&line.id);
                self.open.insert(line.id);
                None
            }
            Kind::Group { alike, parent, .. } => {
                self.open_groups.insert((*parent, alike.clone()));
                None
            }
            Kind::Ancestors => {
                let focus = self.focus?;
                self.up = self.up.saturating_mul(4).min(1000);
                Some(Asked::around(focus, self.up))
            }
            Kind::Others => Some(Asked::below(line.id)),
            Kind::Cut => {
                let Known::Cut(limit) = self.nodes.get(&line.id)?.known else { return None };
                let limit = limit.saturating_mul(5).min(Asked::MOST);
                Some(Asked { limit, ..Asked::below(line.id) })
            }
            Kind::Unseen | Kind::Loading => None,
        }
    }

    pub fn fold(&mut self, line: &Line) {
        self.is_changed = true;
        match &line.kind {
            Kind::Process => {
                self.open.remove(&line.id);
            }
            Kind::Group { alike, parent, .. } => {
                self.open_groups.remove(&(*parent, alike.clone()));
            }
            _ => {}
        }
    }

    /// The lines as they stand.
    pub fn lines(&mut self) -> &[Line] {
        if std::mem::take(&mut self.is_changed) {
            self.lines = self.lay_out();
        }
        &self.lines.all
    }

    /// As they were when they were last laid out.
    pub fn laid_out(&self) -> &[Line] {
        &self.lines.all
    }

    pub fn line_of(&mut self, key: u64) -> Option<usize> {
        self.lines();
        self.lines.by_key.get(&key).copied()
    }
}

/// `None`: not known.
fn has_children(node: &Node) -> Option<bool> {
    match node.known {
        _ if !node.children.is_empty() => Some(true),
        Known::No => None,
        _ => Some(false),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
