//! The store against records of every kind: what goes in comes out, and SQL selects exactly what
//! the filter selects.

mod faulty;
mod faulty_vfs;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use common::filter::{Field, Filter, sample, value_text};
use common::id::{BootId, ProcessId};
use common::record::{Content, End, ObservedEnd, Record, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{
    Batch, Control, EndOfRows, Finding, GapRow, Grouping, Pending, Reach, Reader, RingPosition,
    Selection, Stopped, StoreError, Writer,
};

struct Store {
    dir: tempfile::TempDir,
    writer: Writer,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open(&dir.path().join("recorder.db")).unwrap();
        Self { dir, writer }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("recorder.db")
    }

    fn reader(&self) -> Reader {
        Reader::new(&self.path()).unwrap()
    }

    /// Stores the records in rows 1, 2, …, each with the parent row given.
    fn write(&mut self, records: &[(Record, Option<i64>)]) {
        let next = self.writer.next_row().unwrap();
        let records_with_content = records.iter().filter_map(|(record, _)| {
            let (identity, content) = (record.executable.identity()?, record.content.clone());
            let is_known = content != Content::Unknown;
            is_known.then_some(Finding::File {
                identity,
                content,
                stored_bytes: 7,
                is_doubtful: false,
            })
        });
        let records = (next..)
            .zip(records)
            .map(|(row, (record, parent_row))| Pending {
                record: Arc::new(Record { row, ..record.clone() }),
                first: None,
                parent_row: *parent_row,
                is_run: true,
            })
            .collect();
        self.writer.write(&Batch { records, ..Batch::default() }).unwrap();
        let findings = records_with_content.collect();
        self.writer.write(&Batch { findings, ..Batch::default() }).unwrap();
        while self.writer.prepare_searches().unwrap() {}
    }
}

fn select(reader: &Reader, filter: &Filter) -> Vec<Record> {
    let mut records = Vec::new();
    let selection =
        Selection { filter, limit: 0, is_newest_first: false, cursor: None, last_row: None };
    reader
        .page(&Control::default(), &selection, &mut |record| {
            records.push(record.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    records
}

fn samples(count: usize) -> Vec<Record> {
    let mut runner = TestRunner::deterministic();
    let strategy = sample::record();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// As the store can hold it: start and end are distances from the image on the boot clock, and no
/// file is larger than 2^63 bytes.
fn settled(mut record: Record) -> Record {
    let start = record.process.start_boottime_ns;
    let age = record.boottime_ns.saturating_sub(start).min(1 << 50);
    record.boottime_ns = start.saturating_add(age);
    let age = record.boottime_ns - start;
    record.start_ns = record.time_ns.saturating_sub(age.cast_signed());
    let executable = Arc::make_mut(&mut record.executable);
    executable.size_bytes = executable.size_bytes.min(i64::MAX as u64);
    if let Some(End { observed: Some(end) }) = &mut record.end {
        let run = end.boottime_ns.saturating_sub(start).min(1 << 50);
        end.boottime_ns = start.saturating_add(run);
        end.time_ns = record.start_ns.saturating_add((end.boottime_ns - start).cast_signed());
    }
    record
}

#[test]
fn records_come_back_as_they_went_in() {
    let mut store = Store::new();
    let records: Vec<Record> = samples(200).into_iter().map(settled).collect();
    store.write(&records.iter().map(|record| (record.clone(), None)).collect::<Vec<_>>());
    let back = select(&store.reader(), &Filter::all());
    assert_eq!(back.len(), records.len());
    for (before, after) in records.iter().zip(&back) {
        assert_same(before, after);
    }
}

/// What the store keeps of a record is the same.
#[track_caller]
fn assert_same(before: &Record, after: &Record) {
    assert_eq!(before.process, after.process);
    assert_eq!(before.executable, after.executable);
    assert_eq!(before.content, after.content);
    assert_eq!(before.args, after.args);
    assert_eq!(before.args_count, after.args_count);
    assert_eq!(before.working_directory.state, after.working_directory.state);
    assert_eq!(before.script, after.script);
    assert_eq!(before.tty, after.tty);
    assert_eq!(before.time_ns, after.time_ns);
    assert_eq!(before.start_ns, after.start_ns);
    assert_eq!(before.state(), after.state());
    assert_eq!(
        before.env.iter().collect::<Vec<_>>(),
        after.env.iter().collect::<Vec<_>>(),
        "the variables"
    );
    assert_eq!(before.env.state, after.env.state);
}

#[test]
fn sql_and_direct_evaluation_agree() {
    let mut store = Store::new();
    let records = samples(120);
    // Half of them have the one before as stored parent.
    let rows: Vec<_> = (0_i64..)
        .zip(records)
        .map(|(index, record)| {
            let parent = (index % 2 == 1 && record.parent.is_some()).then_some(index);
            (settled(record), parent)
        })
        .collect();
    store.write(&rows);
    let reader = store.reader();
    let all = select(&reader, &Filter::all());
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 600, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let matching = std::cell::Cell::new(0);
    let check = |text: &str| {
        let filter = Filter::parse(text, sample::NOW).unwrap();
        let selected: Vec<i64> = select(&reader, &filter).iter().map(|record| record.row).collect();
        let direct: Vec<i64> =
            all.iter().filter(|record| filter.matches(record)).map(|record| record.row).collect();
        matching.set(matching.get() + direct.len());
        assert_eq!(selected, direct, "{text}");
    };
    runner
        .run(&sample::filter_text(), |text| {
            check(&text);
            Ok(())
        })
        .unwrap();
    // Each field on its own, and its negation, with values that occur.
    for field in Field::ALL {
        check(&format!("{} exists", field.name()));
        check(&format!("not {} exists", field.name()));
        for record in all.iter().step_by(7) {
            if let Some(term) = common::filter::Term::of(*field, record) {
                check(&term.to_string());
                check(&format!("not ({term})"));
            }
        }
    }
    assert!(matching.get() > 1_000, "the filters select something: {}", matching.get());
}

#[test]
fn top_counts_what_the_records_hold() {
    let mut store = Store::new();
    let records: Vec<_> = samples(80).into_iter().map(|record| (settled(record), None)).collect();
    store.write(&records);
    let reader = store.reader();
    let all = select(&reader, &Filter::all());
    for field in Field::ALL {
        let grouping = Grouping::by(*field);
        assert_eq!(grouping.is_none(), field.is_list(), "{}", field.name());
        let Some(grouping) = grouping else { continue };
        for filter in ["", "cmd ~ a", "name exists"] {
            let filter = Filter::parse(filter, sample::NOW).unwrap();
            let top = reader.top(&Control::default(), &grouping, &filter, 1000, false);
            let mut expected = std::collections::BTreeMap::<String, u64>::new();
            let matching = all.iter().filter(|record| filter.matches(record));
            for value in matching.filter_map(|record| value_text(*field, record)) {
                *expected.entry(value).or_default() += 1;
            }
            let mut found = std::collections::BTreeMap::<String, u64>::new();
            for count in top.unwrap() {
                *found.entry(count.value).or_default() += count.count;
            }
            assert_eq!(found, expected, "{} where {filter:?}", field.name());
        }
    }
}

#[test]
fn pages_follow_each_other_without_repeating() {
    let mut store = Store::new();
    let records: Vec<_> = samples(60).into_iter().map(|record| (settled(record), None)).collect();
    store.write(&records);
    let reader = store.reader();
    let all = select(&reader, &Filter::all());
    let texts = ["", "cmd ~ a", "not cmd ~ a", "arg = x or cmd ~ e", "name exists", "exe ~ /"];
    for (text, is_newest_first) in texts.into_iter().flat_map(|text| [(text, true), (text, false)])
    {
        let filter = Filter::parse(text, sample::NOW).unwrap();
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let selection =
                Selection { filter: &filter, limit: 4, is_newest_first, cursor, last_row: None };
            let page = reader
                .page(&Control::default(), &selection, &mut |record| {
                    rows.push(record.row);
                    ControlFlow::Continue(())
                })
                .unwrap();
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let matching = all.iter().filter(|record| filter.matches(record));
        let mut expected: Vec<i64> = matching.map(|record| record.row).collect();
        assert!(expected.len() > 4, "{text}: more than a page");
        if is_newest_first {
            expected.reverse();
        }
        assert_eq!(rows, expected, "{text}");
    }
}

#[test]
fn histogram_adds_up() {
    let mut store = Store::new();
    let mut records = samples(50);
    for (index, record) in (0_i64..).zip(&mut records) {
        record.time_ns = 1_000 + index * 10;
    }
    let records: Vec<_> = records.into_iter().map(|record| (record, None)).collect();
    store.write(&records);
    let counts =
        store.reader().histogram(&Control::default(), &Filter::all(), 1_000, 1_500, 7).unwrap();
    assert_eq!(counts.len(), 7);
    assert_eq!(counts.iter().sum::<u64>(), 50);
    let reader = store.reader();
    for text in ["", "state = running", "pid > 100 or cmd ~ a", "cmd ~ a", "exe ~ a", "name ~ b"] {
        let filter = Filter::parse(text, 0).unwrap();
        for (from_ns, to_ns, buckets) in [(1_000, 1_500, 7), (1_093, 1_401, 3), (0, i64::MAX, 5)] {
            let counts =
                reader.histogram(&Control::default(), &filter, from_ns, to_ns, buckets).unwrap();
            let width =
                (i128::from(to_ns - from_ns) + i128::from(buckets) - 1) / i128::from(buckets);
            let mut expected = vec![0; buckets as usize];
            for record in select(&reader, &filter) {
                if (from_ns..to_ns).contains(&record.time_ns) {
                    let place = i128::from(record.time_ns - from_ns) / width;
                    expected[usize::try_from(place).unwrap()] += 1;
                }
            }
            assert_eq!(counts, expected, "{text}: {from_ns} to {to_ns}");
        }
    }
}

/// A start would take as long as the database is large.
#[test]
fn what_runs_is_found_without_looking_at_what_has_ended() {
    let store = Store::new();
    let plan: String = store
        .writer
        .connection
        .query_row(
            &format!("EXPLAIN QUERY PLAN SELECT p.id {}", super::select::RUNNING),
            [],
            |row| row.get("detail"),
        )
        .unwrap();
    assert!(plan.contains("INDEX process_running"), "{plan}");
}

#[test]
fn counting_ends_when_nobody_waits_for_it() {
    let mut store = Store::new();
    let records: Vec<_> = samples(500).into_iter().map(|record| (record, None)).collect();
    // As many as it takes before a query looks whether it is still wanted.
    for _ in 0..12 {
        store.write(&records);
    }
    let reader = store.reader();
    let filter = Filter::parse("command_line ~ x", 0).unwrap();
    let (waiting, writing) = nix::unistd::pipe().unwrap();
    let control = Control::of_pipe(writing);
    let by_user = Grouping::by(Field::User).unwrap();
    let histogram = || reader.histogram(&control, &filter, 0, i64::MAX, 7);
    let top = || reader.top(&control, &by_user, &filter, 9, false);
    assert_eq!(histogram().unwrap().len(), 7);
    assert!(top().is_ok());
    drop(waiting);
    assert!(matches!(histogram(), Err(Stopped::Cancelled)));
    assert!(matches!(top(), Err(Stopped::Cancelled)));
}

fn plain(pid: u32, start_boottime_ns: u64) -> Record {
    let mut record = samples(1).remove(0);
    record.process = ProcessId { boot: BootId::from_bits(1), pid, start_boottime_ns };
    record.parent = None;
    record.ordinal = 1;
    record.end = None;
    settled(record)
}

#[test]
fn a_tree_has_ancestors_first_and_siblings_by_start() {
    let mut store = Store::new();
    let parent = |record: Record, of: &Record| {
        let parent = common::record::Parent {
            process: of.process,
            executable: Arc::from([]),
            args: Arc::from([]),
            context: None,
            source: common::record::ParentSource::Fork,
        };
        Record { parent: Some(parent), ..record }
    };
    let root = plain(1, 1);
    let shell = parent(plain(2, 2), &root);
    let late = parent(plain(4, 40), &shell);
    let early = parent(plain(3, 30), &shell);
    let grandchild = parent(plain(5, 50), &early);
    store.write(&[
        (root, None),
        (shell.clone(), Some(1)),
        (late, Some(2)),
        (early, Some(2)),
        (grandchild, Some(4)),
    ]);
    let pids = |up, down, limit| -> Vec<u32> {
        store
            .reader()
            .tree(&Control::default(), shell.process, &Reach { up, down, limit })
            .unwrap()
            .iter()
            .map(|record| record.process.pid)
            .collect()
    };
    assert_eq!(pids(9, 9, 100), [1, 2, 3, 5, 4]);
    assert_eq!(pids(0, 1, 100), [2, 3, 4]);
    assert_eq!(pids(9, 9, 3), [1, 2, 4]);
}

#[test]
fn an_end_fills_every_row_of_the_process() {
    let mut store = Store::new();
    let record = plain(7, 700);
    store.write(&[(record.clone(), None), (Record { ordinal: 2, ..record.clone() }, None)]);
    let end = End {
        observed: Some(ObservedEnd {
            time_ns: 0,
            boottime_ns: 1_700,
            exit_code: None,
            signal: Some(11),
            has_core_dump: true,
            user_cpu_ns: 1,
            system_cpu_ns: 2,
            cpu_ns: 3,
            max_rss_bytes: 4,
            io: None,
        }),
    };
    let ends = vec![EndOfRows { rows: vec![1, 2], process: record.process, end }];
    store.writer.write(&Batch { ends, ..Batch::default() }).unwrap();
    let back = select(&store.reader(), &Filter::all());
    assert!(back.iter().all(|record| record.state() == State::Killed));
    assert_eq!(back[0].run_time_ns(), Some(1_000));
}

#[test]
fn what_ran_in_another_boot_is_unobserved_and_the_rest_is_taken_over() {
    let mut store = Store::new();
    let mut other = plain(7, 700);
    other.process.boot = BootId::from_bits(2);
    store.write(&[(plain(8, 800), None), (other, None)]);
    let running = store.writer.take_over(BootId::from_bits(1)).unwrap();
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].record.process.pid, &running[0].rows[..]), (8, &[1][..]));
    let states: Vec<State> =
        select(&store.reader(), &Filter::all()).iter().map(Record::state).collect();
    assert_eq!(states, [State::Running, State::Unobserved]);
}

#[test]
fn the_ring_position_goes_with_its_ring() {
    let mut store = Store::new();
    let ring =
        RingPosition { cookie: u64::MAX, position: 1 << 40, progress: vec![1, 2], is_last: false };
    let gap = GapRow { time_ns: 5, cpu: 1, kind: "exec", count: 9, cause: "ring-full" };
    let batch = Batch { ring: Some(ring.clone()), gaps: vec![gap], ..Batch::default() };
    store.writer.write(&batch).unwrap();
    assert_eq!(store.writer.ring_position(u64::MAX).unwrap(), Some(ring.clone()));
    assert_eq!(store.writer.ring_position(3).unwrap(), None);
    assert!(store.writer.has_unfinished_ring(3).unwrap());
    assert!(!store.writer.has_unfinished_ring(u64::MAX).unwrap());
    let totals = store.reader().totals(&Control::default()).unwrap();
    assert_eq!((totals.gaps, totals.lost, totals.records), (1, 9, 0));
    let last = RingPosition { is_last: true, ..ring };
    store.writer.write(&Batch { ring: Some(last), ..Batch::default() }).unwrap();
    assert!(!store.writer.has_unfinished_ring(3).unwrap());
}

#[test]
fn foreign_newer_and_damaged_databases_are_told_apart() {
    let store = Store::new();
    let path = store.path();
    drop(store.writer);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Writer::open(&path), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(Reader::new(&path), Err(StoreError::Newer { found: 99, .. })));
    drop(connection);

    let foreign = store.dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(Writer::open(&foreign), Err(StoreError::Foreign { .. })));
    assert!(matches!(Reader::new(&foreign), Err(StoreError::Foreign { .. })));

    let damaged = store.dir.path().join("damaged.db");
    let content = b"this is no database, but it is somebody's".repeat(100);
    std::fs::write(&damaged, &content).unwrap();
    Writer::open_or_replace(&damaged, 1).unwrap();
    let totals = Reader::new(&damaged).unwrap().totals(&Control::default()).unwrap();
    assert_eq!(totals.gaps, 1, "the new one says what happened");
    // And again at once.
    std::fs::write(&damaged, "no database either").unwrap();
    Writer::open_or_replace(&damaged, 2).unwrap();
    let kept: Vec<_> = std::fs::read_dir(store.dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("damaged.db.damaged-"))
        .map(|entry| std::fs::read(entry.path()).unwrap())
        .collect();
    for content in [content, b"no database either".to_vec()] {
        assert!(kept.contains(&content), "nothing is deleted");
    }
    assert!(matches!(
        Reader::new(&store.dir.path().join("none.db")),
        Err(StoreError::Missing { .. })
    ));
}
