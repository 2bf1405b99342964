//! What is done to a store whose disk fails: a bit of everything that it is for.

use std::sync::Arc;

use common::filter::sample;
use common::id::{BootId, ProcessId};
use common::record::{Content, End, ObservedEnd, Record, Source, Strings, StringsState};
use common::rule::Level;

use super::super::{samples, settled};
use crate::store::{
    Batch, Change, EndOfRows, Finding, GapRow, NewAlert, Pending, Repeat, RingPosition, What,
};

pub(super) const SECOND: i64 = 1_000_000_000;
/// Of each batch: more than a segment holds.
const ROWS: i64 = 10;

pub(super) enum Step {
    Write(Box<Batch>),
    Search,
    /// At this time.
    Retain(i64),
    Checkpoint,
    EmptyLog,
}

impl Step {
    /// One transaction at most.
    pub(super) fn is_single(&self) -> bool {
        !matches!(self, Self::Search | Self::Retain(_))
    }
}

/// What is done, and what has to be in the database in the end.
pub(super) struct Story {
    pub(super) steps: Vec<Step>,
    /// As written last, by row less 1.
    pub(super) records: Vec<Record>,
    pub(super) templates: Vec<Record>,
}

impl Story {
    pub(super) fn new() -> Self {
        let mut story = Self { steps: Vec::new(), records: Vec::new(), templates: samples(24) };
        story.write(0);
        story.write(100);
        story.steps.push(Step::Search);
        story.write(200);
        // The first two batches go, with the first alert and its documents.
        story.steps.push(Step::Retain(sample::NOW + 400 * SECOND));
        story.write(400);
        story.steps.push(Step::Checkpoint);
        story.write(500);
        story.steps.push(Step::EmptyLog);
        story.write(600);
        story.steps.push(Step::Retain(sample::NOW + 650 * SECOND));
        story.steps.push(Step::Search);
        story.write(700);
        story
    }

    /// A batch of everything, in which the batch before ends.
    fn write(&mut self, seconds: i64) {
        let time_ns = sample::NOW + seconds * SECOND;
        let first = i64::try_from(self.records.len()).unwrap() + 1;
        let mut batch = Batch { ends: self.end(first, time_ns), ..Batch::default() };
        for row in first..first + ROWS {
            let record = self.record(row, row, time_ns);
            batch.findings.extend(finding(&record));
            let parent_row = (row > first).then(|| row - 1);
            batch.records.push(pending(&record, parent_row));
            self.records.push(record);
        }
        if first > ROWS {
            let row = first - 2;
            let record = self.record(row, row + 5, time_ns - 100 * SECOND);
            batch.findings.extend(finding(&record));
            batch.replaced.push(pending(&record, Some(row - 1)));
            self.records[usize::try_from(row).unwrap() - 1] = record;
            batch.ends.iter_mut().for_each(|end| end.rows.retain(|ended| *ended != row));
        }
        self.add_small_things(&mut batch, first, time_ns);
        self.steps.push(Step::Write(Box::new(batch)));
    }

    fn record(&self, row: i64, choice: i64, time_ns: i64) -> Record {
        let template = &self.templates[usize::try_from(choice).unwrap() % self.templates.len()];
        let start_boottime_ns = row.cast_unsigned() * 1000;
        // Some are alike, and some repay compression.
        let long = "long ".repeat(if choice % 5 == 0 { 600 } else { 0 });
        let bytes: Arc<[u8]> = format!("argument\0{}{long}\0", choice / 3).into_bytes().into();
        settled(Record {
            row,
            process: ProcessId {
                boot: BootId::from_bits(7),
                pid: u32::try_from(row).unwrap(),
                start_boottime_ns,
            },
            ordinal: 1,
            source: Source::Exec,
            time_ns,
            boottime_ns: start_boottime_ns + 10,
            parent: None,
            args_count: 2,
            args: Strings { total_bytes: bytes.len() as u64, bytes, state: StringsState::Complete },
            end: None,
            ..template.clone()
        })
    }

    /// Of all that runs but the very first.
    fn end(&mut self, before: i64, time_ns: i64) -> Vec<EndOfRows> {
        let running = self.records.iter_mut().skip(1).filter(|record| record.end.is_none());
        let ends = running.map(|record| {
            let boottime_ns =
                record.process.start_boottime_ns + (time_ns - record.start_ns).cast_unsigned();
            let observed = ObservedEnd {
                time_ns,
                boottime_ns,
                exit_code: Some(u8::try_from(before % 3).unwrap()),
                signal: None,
                has_core_dump: false,
                user_cpu_ns: 1,
                system_cpu_ns: 2,
                cpu_ns: 3,
                max_rss_bytes: 4,
                io: None,
            };
            let end = End { observed: Some(observed) };
            record.end = Some(end.clone());
            EndOfRows { rows: vec![record.row], process: record.process, end }
        });
        ends.collect()
    }

    fn add_small_things(&self, batch: &mut Batch, first: i64, time_ns: i64) {
        let cause = "ring-full";
        batch.gaps.push(GapRow { time_ns, cpu: 1, kind: "exec", count: 9, cause });
        let position = first.cast_unsigned() << 20;
        let progress = vec![1; 30];
        batch.ring = Some(RingPosition { cookie: 5, position, progress, is_last: false });
        let script = self.records.iter().find(|record| record.executable.identity().is_some());
        let script = script.unwrap();
        batch.findings.push(Finding::Script {
            row: first + 1,
            time_ns,
            file: script.executable.clone(),
            content: script.content.clone(),
            stored_bytes: 5,
        });
        let (answer, _) = tokio::sync::oneshot::channel();
        let what = What::Rules { ids: vec!["rule".to_owned()], is_enabled: first % 20 == 1 };
        batch.changes.push(Change { time_ns, uid: 0, user: None, what, answer });
        // So seldom that the first has gone when the second comes, and the rule with it.
        let number = self.steps.iter().filter(|step| matches!(step, Step::Write(_))).count();
        let id = i64::try_from(number / 3).unwrap() + 1;
        if number % 3 == 0 {
            batch.alerts.push(Arc::new(NewAlert {
                id,
                time_ns,
                rule_id: "rule".to_owned(),
                title: "Rule".to_owned(),
                level: Level::High,
                row: first + 4,
                likeness: 1,
                rule: br#"{"rule":"the same each time"}"#.to_vec(),
                snapshot: format!("{{\"n\":{id}}}").into_bytes(),
            }));
        } else {
            batch.repeats.push(Repeat { alert: id, time_ns: time_ns - 100 * SECOND });
            let note = Some("seen".to_owned());
            let what = What::Alerts { ids: vec![id], status: None, note };
            let (answer, _) = tokio::sync::oneshot::channel();
            batch.changes.push(Change { time_ns, uid: 0, user: None, what, answer });
        }
    }
}

fn finding(record: &Record) -> Option<Finding> {
    let (identity, content) = (record.executable.identity()?, record.content.clone());
    let is_known = content != Content::Unknown;
    let (stored_bytes, is_doubtful) = (7, false);
    is_known.then_some(Finding::File { identity, content, stored_bytes, is_doubtful })
}

fn pending(record: &Record, parent_row: Option<i64>) -> Pending {
    // The end comes later.
    let record = Arc::new(Record { end: None, ..record.clone() });
    Pending { record, first: None, parent_row, is_run: true }
}

/// Of text that does not repay compression.
pub(super) fn large_batch(template: &Record) -> Batch {
    let records = (1..).take(18).map(|number| {
        let mut random: u64 = number;
        let bytes: Arc<[u8]> = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()[0]
        })
        .take(1 << 20)
        .collect();
        let args = Strings { total_bytes: 1 << 20, bytes, state: StringsState::Complete };
        let row = ROWS + i64::try_from(number).unwrap();
        pending(&Record { row, args, ..template.clone() }, None)
    });
    Batch { records: records.collect(), ..Batch::default() }
}
