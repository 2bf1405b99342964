//! A table of any length of which only parts are here.
//!
//! The recorder gives pages from an end or a cursor on, but not from the nth record on. It does count
//! what begins in parts of a range of time, quickly and exactly. So a table is a list of segments of
//! time, each with its count: that tells how long the table is and which segment an index falls into.
//! Segments near what is looked at are fetched whole; one that holds too much for that is first
//! counted again in smaller parts. What is far from what is looked at is forgotten, but for its count.
//!
//! The last segment is open: what happens now is put there. Live records and stored ones overlap
//! around the time of the first count; each record has its position in the store, so that none comes
//! twice, and what arrives for a segment that is being fetched is kept until the answer is here.

use std::ops::Range;

use super::row::Row;

/// A segment is fetched whole up to this.
pub const MOST_FETCHED: u64 = 600;
/// Small neighbours are made one segment up to this.
const GOOD_FETCH: u64 = 250;
/// Rows kept, of all segments.
const MOST_KEPT: usize = 20_000;
/// The open segment is closed, and another begun, at this.
const MOST_OPEN: usize = 1500;
/// Below this a segment is not counted again, however many records it has.
const FINEST_NS: i64 = 1000;
const MOST_PARTS: u64 = 500;

#[derive(Debug)]
struct Segment {
    from_ns: i64,
    to_ns: i64,
    count: u64,
    content: Content,
    /// Positions in the store of the rows that are here: where none of these is, needs no look.
    sequences: Range<i64>,
}

#[derive(Debug)]
enum Content {
    Unknown,
    /// Asked for. What arrived of it meanwhile.
    Asked(Vec<Row>),
    /// Being counted in smaller parts.
    Counted,
    /// In the order of the table.
    Rows(Vec<Row>),
    /// The recorder could not tell.
    Failed,
}

/// What is to be asked for a segment. It is named by where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Rows { from_ns: i64, to_ns: i64 },
    Counts { from_ns: i64, to_ns: i64, parts: u32 },
}

impl Want {
    pub fn from_ns(self) -> i64 {
        match self {
            Want::Rows { from_ns, .. } | Want::Counts { from_ns, .. } => from_ns,
        }
    }
}

/// Rows that came or went: so many before the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    pub index: u64,
    pub by: i64,
}

#[derive(Debug, Default)]
pub struct Outline {
    segments: Vec<Segment>,
    /// Index of the first row of each segment.
    starts: Vec<u64>,
    total: u64,
}

impl Outline {
    /// Of a range that was counted in equal parts. With `is_open`, what happens later belongs to it.
    pub fn new(from_ns: i64, to_ns: i64, counts: &[u64], is_open: bool) -> Self {
        let mut segments = parts(from_ns, to_ns, counts);
        if is_open {
            segments.push(Segment::new(to_ns, i64::MAX, 0).with(Vec::new()));
        }
        let mut outline = Self { segments, ..Self::default() };
        outline.recount();
        outline
    }

    /// How many rows there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The row, if it is here.
    pub fn row(&self, index: u64) -> Option<&Row> {
        let at = self.segment_of(index)?;
        match &self.segments[at].content {
            Content::Rows(rows) => rows.get(usize::try_from(index - self.starts[at]).ok()?),
            _ => None,
        }
    }

    /// About when the row began, whether or not it is here.
    pub fn time_of(&self, index: u64) -> Option<i64> {
        if let Some(row) = self.row(index) {
            return Some(row.time_ns);
        }
        let segment = &self.segments[self.segment_of(index)?];
        let within = index - self.starts[self.segment_of(index)?];
        let span = i128::from(segment.to_ns.saturating_sub(segment.from_ns));
        let part = span * i128::from(within) / i128::from(segment.count.max(1));
        Some(segment.from_ns.saturating_add(i64::try_from(part).unwrap_or(0)))
    }

    /// Index of the first row that begins at the time or later, as far as it is known.
    pub fn index_at(&self, time_ns: i64) -> u64 {
        let at = self.segments.partition_point(|segment| segment.to_ns <= time_ns);
        let Some(segment) = self.segments.get(at) else { return self.total };
        let within = match &segment.content {
            Content::Rows(rows) => rows.partition_point(|row| row.time_ns < time_ns) as u64,
            _ => 0,
        };
        self.starts[at] + within
    }

    /// Index of a row that is here.
    pub fn index_of(&self, sequence: i64) -> Option<u64> {
        let (at, within) = self.find(sequence)?;
        Some(self.starts[at] + within as u64)
    }

    /// The rows that are here, in order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.segments.iter().flat_map(|segment| match &segment.content {
            Content::Rows(rows) => rows.as_slice(),
            _ => &[],
        })
    }

    /// What to ask, nearest first, so that the visible rows and as many on each side are here.
    /// Counts as asked.
    pub fn wants(&mut self, visible: &Range<u64>) -> Vec<Want> {
        let length = visible.end.saturating_sub(visible.start).max(50);
        let near = visible.start.saturating_sub(length)..visible.end.saturating_add(length);
        let (Some(first), Some(visible_at)) =
            (self.segment_of(near.start), self.segment_of(visible.start))
        else {
            return Vec::new();
        };
        let mut order: Vec<usize> = (first..self.segments.len())
            .take_while(|at| self.starts[*at] < near.end)
            .filter(|at| self.segments[*at].count > 0)
            .collect();
        order.sort_by_key(|at| at.abs_diff(visible_at));
        order.into_iter().filter_map(|at| self.segments[at].want()).collect()
    }

    /// What is on its way, and is no longer near: by where it begins. Counts as not asked; nobody
    /// should wait for it behind what a scroll bar was dragged past.
    pub fn give_up_far(&mut self, visible: &Range<u64>) -> Vec<i64> {
        let length = visible.end.saturating_sub(visible.start).max(50);
        let near = visible.start.saturating_sub(2 * length)..visible.end.saturating_add(2 * length);
        let mut given_up = Vec::new();
        for (segment, start) in self.segments.iter_mut().zip(&self.starts) {
            let is_on_its_way = matches!(segment.content, Content::Asked(_) | Content::Counted);
            if is_on_its_way && (*start >= near.end || start + segment.count <= near.start) {
                segment.content = Content::Unknown;
                given_up.push(segment.from_ns);
            }
        }
        given_up
    }

    /// The rows of a segment. Tells by how much its count was wrong.
    pub fn fill(&mut self, from_ns: i64, rows: Vec<Row>) -> Option<Shift> {
        let at = self.named(from_ns)?;
        let segment = &mut self.segments[at];
        let Content::Asked(late) = &mut segment.content else { return None };
        let late = std::mem::take(late);
        let mut known = rows;
        known.sort_by_key(Row::place);
        for row in late {
            merge(&mut known, row);
        }
        let by = known.len() as i64 - segment.count.cast_signed();
        *segment = Segment::new(from_ns, segment.to_ns, 0).with(known);
        let index = self.starts[at];
        self.recount();
        Some(Shift { index, by })
    }

    /// The counts of the parts of a segment.
    pub fn split(&mut self, from_ns: i64, counts: &[u64]) -> Option<Shift> {
        let at = self.named(from_ns)?;
        let segment = &self.segments[at];
        if !matches!(segment.content, Content::Counted) {
            return None;
        }
        let pieces = parts(segment.from_ns, segment.to_ns, counts);
        let sum: u64 = pieces.iter().map(|piece| piece.count).sum();
        let shift =
            Shift { index: self.starts[at], by: sum.cast_signed() - segment.count.cast_signed() };
        self.segments.splice(at..=at, pieces);
        self.recount();
        Some(shift)
    }

    /// What was asked for a segment did not come. It is not asked again by itself.
    pub fn fail(&mut self, from_ns: i64) {
        if let Some(at) = self.named(from_ns) {
            self.segments[at].content = Content::Failed;
        }
    }

    /// Takes in what just happened.
    /// Tells whether there is a row more.
    pub fn live(&mut self, row: Row) -> bool {
        if row.is_end && row.ordinal > 0 {
            self.end_earlier_images(&row);
        }
        if let Some((at, within)) = self.find(row.sequence) {
            if let Content::Rows(rows) = &mut self.segments[at].content {
                rows[within].update(row);
            }
            return false;
        }
        let at = self.segments.partition_point(|segment| segment.to_ns <= row.time_ns);
        let Some(segment) = self.segments.get_mut(at) else { return false };
        if row.time_ns < segment.from_ns {
            return false;
        }
        let sequence = row.sequence;
        let is_more = match &mut segment.content {
            Content::Rows(rows) => merge(rows, row),
            Content::Asked(late) => {
                late.push(row);
                false
            }
            // It will be there when the segment is fetched, and the count put right if it was in
            // it already. An end tells of what was counted when it began.
            Content::Unknown | Content::Counted | Content::Failed => !row.is_end,
        };
        if is_more {
            segment.count += 1;
            segment.cover(sequence);
            self.close_full();
            self.recount();
        }
        is_more
    }

    /// A process that ended has ended in all its images; the message is of the last one.
    fn end_earlier_images(&mut self, end: &Row) {
        for segment in &mut self.segments {
            let Content::Rows(rows) = &mut segment.content else { continue };
            for row in rows.iter_mut().filter(|row| row.id == end.id) {
                row.state = end.state;
                (row.exit_code, row.signal) = (end.exit_code, end.signal);
                row.run_time_ns = end.run_time_ns;
            }
        }
    }

    /// Forgets rows that are far from what is looked at, and those that failed.
    pub fn forget_far(&mut self, visible: &Range<u64>) {
        let kept: usize = self.segments.iter().map(Segment::kept).sum();
        if kept <= MOST_KEPT {
            return;
        }
        let Some(center) = self.segment_of(visible.start) else { return };
        let mut order: Vec<usize> = (0..self.segments.len()).collect();
        order.sort_by_key(|at| at.abs_diff(center));
        let mut room = MOST_KEPT;
        for at in order {
            let segment = &mut self.segments[at];
            let held = segment.kept();
            // The open one cannot be fetched: its end is now.
            if segment.to_ns == i64::MAX {
                continue;
            }
            match room.checked_sub(held) {
                Some(left) => room = left,
                None => segment.content = Content::Unknown,
            }
        }
    }

    /// A full open segment becomes an ordinary one, and another follows it.
    fn close_full(&mut self) {
        let Some(last) = self.segments.last_mut() else { return };
        let Content::Rows(rows) = &mut last.content else { return };
        if last.to_ns != i64::MAX || rows.len() < MOST_OPEN {
            return;
        }
        // Late ones still find their place in either.
        let border = rows[MOST_OPEN * 2 / 3].time_ns;
        let newer = rows.split_off(rows.partition_point(|row| row.time_ns < border));
        if rows.is_empty() {
            // All of one time: it stays open.
            *rows = newer;
            return;
        }
        let older = std::mem::take(rows);
        *last = Segment::new(last.from_ns, border, 0).with(older);
        self.segments.push(Segment::new(border, i64::MAX, 0).with(newer));
    }

    fn find(&self, sequence: i64) -> Option<(usize, usize)> {
        // From the end: what changes is mostly young.
        self.segments.iter().enumerate().rev().find_map(|(at, segment)| match &segment.content {
            Content::Rows(rows) if segment.sequences.contains(&sequence) => {
                let within = rows.iter().rposition(|row| row.sequence == sequence)?;
                Some((at, within))
            }
            _ => None,
        })
    }

    fn named(&self, from_ns: i64) -> Option<usize> {
        self.segments.binary_search_by_key(&from_ns, |segment| segment.from_ns).ok()
    }

    fn segment_of(&self, index: u64) -> Option<usize> {
        if index >= self.total {
            return None;
        }
        Some(self.starts.partition_point(|start| *start <= index) - 1)
    }

    fn recount(&mut self) {
        self.total = 0;
        self.starts.clear();
        for segment in &self.segments {
            self.starts.push(self.total);
            self.total += segment.count;
        }
    }
}

impl Segment {
    fn new(from_ns: i64, to_ns: i64, count: u64) -> Self {
        Self { from_ns, to_ns, count, content: Content::Unknown, sequences: 0..0 }
    }

    fn with(mut self, rows: Vec<Row>) -> Self {
        self.count = rows.len() as u64;
        for row in &rows {
            self.cover(row.sequence);
        }
        self.content = Content::Rows(rows);
        self
    }

    fn cover(&mut self, sequence: i64) {
        let known = &self.sequences;
        self.sequences = if known.is_empty() {
            sequence..sequence + 1
        } else {
            known.start.min(sequence)..known.end.max(sequence + 1)
        };
    }

    fn want(&mut self) -> Option<Want> {
        if !matches!(self.content, Content::Unknown) {
            return None;
        }
        let (from_ns, to_ns) = (self.from_ns, self.to_ns);
        if self.count > MOST_FETCHED && to_ns - from_ns > FINEST_NS {
            self.content = Content::Counted;
            let parts = (self.count / GOOD_FETCH).clamp(2, MOST_PARTS);
            return Some(Want::Counts { from_ns, to_ns, parts: u32::try_from(parts).unwrap_or(2) });
        }
        self.content = Content::Asked(Vec::new());
        Some(Want::Rows { from_ns, to_ns })
    }

    fn kept(&self) -> usize {
        match &self.content {
            Content::Rows(rows) => rows.len(),
            _ => 0,
        }
    }
}

/// True when the row is another.
fn merge(rows: &mut Vec<Row>, row: Row) -> bool {
    if let Some(known) = rows.iter_mut().rev().find(|known| known.sequence == row.sequence) {
        known.update(row);
        return false;
    }
    let at = rows.partition_point(|known| known.place() < row.place());
    rows.insert(at, row);
    true
}

/// Segments of a range that was counted in equal parts, small neighbours made one.
fn parts(from_ns: i64, to_ns: i64, counts: &[u64]) -> Vec<Segment> {
    let width = part_width(from_ns, to_ns, counts.len());
    let mut segments: Vec<Segment> = Vec::new();
    let mut start = from_ns;
    for count in counts {
        if start >= to_ns {
            break;
        }
        let end = start.saturating_add(width).min(to_ns);
        match segments.last_mut() {
            Some(last) if last.count + count <= GOOD_FETCH => {
                last.count += count;
                last.to_ns = end;
            }
            _ => segments.push(Segment::new(start, end, *count)),
        }
        start = end;
    }
    segments
}

/// The width that the recorder gives to the parts of a range: rounded up, so that the last instant
/// falls into the last part.
pub fn part_width(from_ns: i64, to_ns: i64, count: usize) -> i64 {
    let span = to_ns.saturating_sub(from_ns).max(1);
    let count = i64::try_from(count.max(1)).unwrap_or(1);
    span / count + i64::from(span % count != 0)
}

#[cfg(test)]
#[path = "outline_tests.rs"]
mod tests;
