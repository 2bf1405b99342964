//! A made-up history of processes: what the recorder would write, and a model of it to compare with.

use std::collections::HashSet;
use std::sync::Arc;

use common::filter::sample;
use common::id::{BootId, ProcessId};
use common::record::{Content, End, ObservedEnd, Record, Source, Strings, StringsState};
use common::rule::Level;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::store::{
    Batch, EndOfRows, Finding, GapRow, Limits, NewAlert, Now, Pending, Retention, Writer,
};

pub(super) const SECOND: i64 = 1_000_000_000;

#[derive(Debug, Clone)]
pub(super) enum Act {
    Fork(usize),
    Exec(usize, usize),
    Exit(usize),
    Alert(usize),
    Script(usize, usize),
    File(usize),
    Loss,
    Wait(i64),
    Commit,
    Retain(usize),
    Reopen,
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let some = 0_usize..1000;
    let act = prop_oneof![
        8 => some.clone().prop_map(Act::Fork),
        8 => (some.clone(), some.clone()).prop_map(|(a, b)| Act::Exec(a, b)),
        7 => some.clone().prop_map(Act::Exit),
        1 => some.clone().prop_map(Act::Alert),
        1 => (some.clone(), some.clone()).prop_map(|(a, b)| Act::Script(a, b)),
        1 => some.prop_map(Act::File),
        1 => Just(Act::Loss),
        3 => (1_i64..40).prop_map(Act::Wait),
        3 => Just(Act::Commit),
        2 => (1_usize..6).prop_map(Act::Retain),
        1 => Just(Act::Reopen),
    ];
    proptest::collection::vec(act, 50..400)
}

#[derive(Debug)]
pub(super) struct Process {
    id: ProcessId,
    pub(super) rows: Vec<i64>,
    pub(super) parent: Option<usize>,
    parent_row: Option<i64>,
    pub(super) ended_ns: Option<i64>,
    template: usize,
    begun_ns: i64,
    /// Its row is that of a fork, and nobody's parent.
    is_replaceable: bool,
}

pub(super) struct History {
    dir: tempfile::TempDir,
    pub(super) writer: Writer,
    pub(super) retention: Retention,
    limits: Limits,
    pub(super) now_ns: i64,
    /// By how much the clock is off.
    set_ns: i64,
    pub(super) processes: Vec<Process>,
    /// Index of the process that each alert is about, by number of the alert less 1.
    pub(super) alerts: Vec<(usize, i64)>,
    templates: Vec<Record>,
    next_row: i64,
    batch: Batch,
}

impl History {
    pub(super) fn new(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&dir.path().join("recorder.db")).unwrap();
        writer.set_age(limits.age_ns).unwrap();
        let mut runner = TestRunner::deterministic();
        let strategy = sample::record();
        let templates =
            (0..40).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
        let mut history = Self {
            dir,
            writer,
            retention: Retention::new(limits),
            limits,
            now_ns: sample::NOW,
            set_ns: 0,
            processes: Vec::new(),
            alerts: Vec::new(),
            templates,
            next_row: 1,
            batch: Batch::default(),
        };
        history.begin(None, 0);
        history
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("recorder.db")
    }

    fn begin(&mut self, parent: Option<usize>, template: usize) {
        let pid = u32::try_from(self.processes.len() + 1).unwrap();
        let start_boottime_ns = (self.now_ns - sample::NOW).cast_unsigned() + u64::from(pid);
        let id = ProcessId { boot: BootId::from_bits(7), pid, start_boottime_ns };
        let parent_row = parent.and_then(|parent| {
            self.processes[parent].is_replaceable = false;
            self.processes[parent].rows.last().copied()
        });
        let process = Process {
            id,
            rows: vec![self.next_row],
            parent,
            parent_row,
            ended_ns: None,
            template,
            begun_ns: self.now_ns,
            is_replaceable: true,
        };
        let pending = self.pending(&process, self.next_row, Source::Fork);
        self.batch.records.push(pending);
        self.processes.push(process);
        self.next_row += 1;
    }

    fn pending(&self, process: &Process, row: i64, source: Source) -> Pending {
        let template = &self.templates[process.template];
        let bytes: Arc<[u8]> = format!("argument\0{}\0", row / 3).into_bytes().into();
        let record = Record {
            row,
            process: process.id,
            ordinal: u32::try_from(process.rows.len()).unwrap(),
            source,
            time_ns: self.now_ns,
            boottime_ns: (self.now_ns - sample::NOW).cast_unsigned() + u64::from(process.id.pid),
            parent: None,
            end: None,
            args: Strings { total_bytes: bytes.len() as u64, bytes, state: StringsState::Complete },
            ..template.clone()
        };
        Pending {
            record: Arc::new(record),
            first: process.rows.first().copied().filter(|first| *first != row),
            parent_row: process.parent_row,
            is_run: source != Source::Fork,
        }
    }

    fn running(&self, choice: usize) -> Option<usize> {
        let running: Vec<usize> = (0..self.processes.len())
            .filter(|index| self.processes[*index].ended_ns.is_none())
            .collect();
        (!running.is_empty()).then(|| running[choice % running.len()])
    }

    pub(super) fn act(&mut self, act: &Act) {
        match *act {
            Act::Fork(choice) => match self.running(choice) {
                Some(parent) => self.begin(Some(parent), self.processes[parent].template),
                None => self.begin(None, choice % self.templates.len()),
            },
            Act::Exec(choice, template) => self.exec(choice, template % self.templates.len()),
            Act::Exit(choice) => self.exit(choice),
            Act::Alert(choice) => self.alert(choice),
            Act::Script(choice, template) => {
                let Some(index) = self.running(choice) else { return };
                let record = &self.templates[template % self.templates.len()];
                self.batch.findings.push(Finding::Script {
                    row: *self.processes[index].rows.last().unwrap(),
                    time_ns: self.now_ns,
                    file: record.executable.clone(),
                    content: record.content.clone(),
                    stored_bytes: 5,
                });
            }
            Act::File(template) => {
                let record = &self.templates[template % self.templates.len()];
                let Some(identity) = record.executable.identity() else { return };
                let content = record.content.clone();
                if content != Content::Unknown {
                    let (stored_bytes, is_doubtful) = (5, false);
                    let finding = Finding::File { identity, content, stored_bytes, is_doubtful };
                    self.batch.findings.push(finding);
                }
            }
            Act::Loss => self.batch.gaps.push(GapRow {
                time_ns: self.now_ns,
                cpu: 0,
                kind: "any",
                count: 1,
                cause: "ring-full",
            }),
            Act::Wait(seconds) => self.now_ns += seconds * SECOND,
            Act::Commit => self.commit(),
            Act::Retain(steps) => {
                self.commit();
                for _ in 0..steps {
                    self.step();
                }
            }
            Act::Reopen => self.reopen(),
        }
    }

    fn exec(&mut self, choice: usize, template: usize) {
        let Some(index) = self.running(choice) else { return };
        self.processes[index].template = template;
        let process = &mut self.processes[index];
        let is_soon = process.begun_ns + SECOND >= self.now_ns;
        if std::mem::take(&mut process.is_replaceable) && is_soon {
            let row = *self.processes[index].rows.last().unwrap();
            let pending = self.pending(&self.processes[index], row, Source::Exec);
            match self.batch.records.iter_mut().find(|pending| pending.record.row == row) {
                Some(fork) => *fork = pending,
                None => self.batch.replaced.push(pending),
            }
            return;
        }
        let pending = self.pending(&self.processes[index], self.next_row, Source::Exec);
        self.batch.records.push(pending);
        self.processes[index].rows.push(self.next_row);
        self.next_row += 1;
    }

    fn exit(&mut self, choice: usize) {
        let Some(index) = self.running(choice) else { return };
        let process = &mut self.processes[index];
        process.ended_ns = Some(self.now_ns);
        let observed = ObservedEnd {
            time_ns: self.now_ns,
            boottime_ns: (self.now_ns - sample::NOW).cast_unsigned() + u64::from(process.id.pid),
            exit_code: Some(0),
            signal: None,
            has_core_dump: false,
            user_cpu_ns: 0,
            system_cpu_ns: 0,
            cpu_ns: 0,
            max_rss_bytes: 0,
            io: None,
        };
        self.batch.ends.push(EndOfRows {
            rows: process.rows.clone(),
            process: process.id,
            end: End { observed: Some(observed) },
        });
    }

    fn alert(&mut self, choice: usize) {
        let Some(index) = self.running(choice) else { return };
        self.alerts.push((index, self.now_ns));
        let id = i64::try_from(self.alerts.len()).unwrap();
        self.batch.alerts.push(Arc::new(NewAlert {
            id,
            time_ns: self.now_ns,
            rule_id: "rule".to_owned(),
            title: "Rule".to_owned(),
            level: Level::High,
            row: *self.processes[index].rows.last().unwrap(),
            likeness: id,
            rule: b"{}".to_vec(),
            snapshot: format!("{{\"n\":{id}}}").into_bytes(),
        }));
    }

    pub(super) fn commit(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.writer.write(&batch).unwrap();
    }

    pub(super) fn reopen(&mut self) {
        self.commit();
        self.writer = Writer::open(&self.path()).unwrap();
        self.writer.set_age(self.limits.age_ns).unwrap();
        self.retention = Retention::new(self.limits);
        assert_eq!(self.writer.next_row().unwrap(), self.next_row, "no number comes twice");
        let next_alert = i64::try_from(self.alerts.len()).unwrap() + 1;
        assert_eq!(self.writer.next_alert().unwrap(), next_alert, "no number comes twice");
    }

    /// Somebody sets the clock.
    pub(super) fn set_clock(&mut self, ns: i64) {
        self.now_ns += ns;
        self.set_ns += ns;
    }

    pub(super) fn step(&mut self) -> bool {
        while self.writer.prepare_searches().unwrap() {}
        let before = self.deleted();
        let boottime_ns = self.now_ns - self.set_ns;
        let now = Now { wall_ns: self.now_ns, boottime_ns, boot: BootId::from_bits(1) };
        let has_more = self.retention.step(&mut self.writer, now).unwrap();
        assert!(self.deleted() - before <= 256, "steps are small");
        has_more
    }

    pub(super) fn settle(&mut self) {
        self.commit();
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("retention comes to an end");
    }

    pub(super) fn deleted(&self) -> u64 {
        self.retention.figures().lock().unwrap().deleted_records
    }

    /// Processes that must be there, given the alerts that are.
    pub(super) fn needed(&self, alerts: &[i64]) -> HashSet<usize> {
        let running = (0..self.processes.len()).filter(|i| self.processes[*i].ended_ns.is_none());
        let of_alerts = alerts.iter().map(|id| self.alerts[usize::try_from(id - 1).unwrap()].0);
        let mut needed = HashSet::new();
        for start in running.chain(of_alerts) {
            let mut next = Some(start);
            while let Some(index) = next.filter(|index| needed.insert(*index)) {
                next = self.processes[index].parent;
            }
        }
        needed
    }

    /// Everything ends.
    pub(super) fn end_all(&mut self) {
        while self.running(0).is_some() {
            self.exit(0);
        }
        self.commit();
    }
}
