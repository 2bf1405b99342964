//! Retention against made-up histories: what must stay stays, what may go goes, and nothing that is
//! left refers to what is gone.

mod history;
mod migration;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use common::filter::Filter;
use proptest::prelude::*;
use rusqlite::Connection;

use self::history::{Act, History, SECOND, acts};
use super::super::dictionary::varints;
use super::contents::Kind;
use super::{Limits, Retention};
use crate::store::outline::Wanted;
use crate::store::{Control, Reader, Selection, Stopped, blocks};

const AGE_NS: i64 = 300 * SECOND;
const ALERT_AGE_NS: i64 = 3000 * SECOND;
const BOUNDED: Limits =
    Limits { age_ns: Some(AGE_NS), size_bytes: None, alert_age_ns: Some(ALERT_AGE_NS) };

fn ids(connection: &Connection, sql: &str) -> Vec<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Values of each table that nothing refers to.
const UNUSED: [(&str, &str); 6] = [
    (
        "text",
        "SELECT tty FROM process UNION SELECT comm FROM process UNION SELECT script FROM process \
         UNION SELECT cwd FROM process UNION SELECT path FROM executable",
    ),
    ("args", "SELECT args FROM process"),
    ("env", "SELECT env FROM process"),
    ("context", "SELECT context FROM process"),
    ("executable", "SELECT executable FROM process UNION SELECT script_file FROM process"),
    ("document", "SELECT rule FROM alert UNION SELECT snapshot FROM alert"),
];

pub(super) fn check_whole(connection: &Connection) {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let broken = ids(connection, "SELECT count(*) FROM pragma_foreign_key_check");
    assert_eq!(broken, [0], "references lead somewhere");
    for column in ["parent", "first"] {
        let dangling = ids(
            connection,
            &format!(
                "SELECT id FROM process p WHERE {column} IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM process q WHERE q.id = p.{column})"
            ),
        );
        assert_eq!(dangling, [0; 0], "{column}");
    }
    for (table, used) in UNUSED {
        let is_over = match Kind::ALL.into_iter().find(|kind| kind.table() == table) {
            // What was let go after its segment is noted, and goes with the one of that time.
            Some(kind) => format!(
                "v.used < ifnull((SELECT min(id) FROM segment), 0) AND v.id NOT IN \
                 (SELECT id FROM loose WHERE kind = {})",
                kind as i64
            ),
            None => "1".to_owned(),
        };
        let unused = ids(
            connection,
            &format!(
                "SELECT id FROM {table} v WHERE {is_over} AND id NOT IN \
                 ({used} EXCEPT SELECT NULL)"
            ),
        );
        assert_eq!(unused, [0; 0], "unused values of {table}");
    }
    check_variables(connection);
    check_blocks(connection);
}

/// At most some hundred, from everywhere.
fn some<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len() / 100 + 1)
}

/// A search finds each command line and row that is there, and no block is left over.
fn check_blocks(connection: &Connection) {
    let mut statement = connection.prepare("SELECT id, value FROM args").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let values: Vec<(i64, Vec<u8>)> = rows.map(Result::unwrap).collect();
    for (id, value) in some(&values) {
        let ranges = blocks::candidates(connection, &[value]).unwrap();
        assert!(ranges.iter().any(|range| range.contains(id)), "command line {id}");
    }
    let mut statement = connection.prepare("SELECT id, executable, args FROM process").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let rows: Vec<(i64, i64, Option<i64>)> = rows.map(Result::unwrap).collect();
    for &(row, executable, args) in some(&rows) {
        let executables = Some(std::iter::once(executable).collect());
        let wanted = Wanted { executables, args: args.map(|args| std::iter::once(args).collect()) };
        let found = wanted.rows(connection, usize::MAX).unwrap().unwrap();
        assert!(found.contains(&row) && found.is_sorted(), "row {row}");
    }
    let nowhere = blocks::candidates(connection, &[b"nowhere at all"]).unwrap();
    for block in ids(connection, "SELECT id FROM args_block") {
        let is_in_it = |id: i64| id / blocks::VALUES == block;
        assert!(values.iter().any(|(id, _)| is_in_it(*id)), "block {block} has values");
        assert!(!nowhere.iter().any(|range| is_in_it(range.start)), "block {block} tells");
    }
}

fn check_variables(connection: &Connection) {
    let mut statement = connection.prepare("SELECT value FROM env").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let used: HashSet<i64> = rows.flat_map(|v| varints(&v.unwrap()).collect::<Vec<_>>()).collect();
    let stored: HashSet<i64> = ids(connection, "SELECT id FROM env_var").into_iter().collect();
    assert!(used.is_subset(&stored), "variables lead somewhere");
    let over = ids(
        connection,
        "SELECT id FROM env_var WHERE used < ifnull((SELECT min(id) FROM segment), 0)",
    );
    assert!(over.iter().all(|id| used.contains(id)), "unused variables");
}

fn rows(history: &History) -> HashSet<i64> {
    ids(&history.writer.connection, "SELECT id FROM process").into_iter().collect()
}

fn check(history: &mut History) {
    let now_ns = history.now_ns;
    history.settle();
    // Rows that were kept are looked at again.
    history.now_ns += 61 * SECOND;
    history.settle();
    check_whole(&history.writer.connection);
    let alerts = ids(&history.writer.connection, "SELECT id FROM alert");
    for (index, (_, time_ns)) in history.alerts.iter().enumerate() {
        let is_there = alerts.contains(&(i64::try_from(index).unwrap() + 1));
        assert_eq!(is_there, *time_ns >= history.now_ns - ALERT_AGE_NS, "alerts by their age");
    }
    let (rows, needed) = (rows(history), history.needed(&alerts));
    for (index, process) in history.processes.iter().enumerate() {
        let is_there = |row: &i64| rows.contains(row);
        if needed.contains(&index) {
            assert!(process.rows.iter().all(is_there), "process {index} must stay");
        } else if let Some(ended_ns) = process.ended_ns {
            // A segment is written to for a hundredth of the age.
            if ended_ns < now_ns - AGE_NS - AGE_NS / 50 {
                assert!(!process.rows.iter().any(is_there), "process {index} is too old");
            } else if ended_ns >= history.now_ns - AGE_NS {
                assert!(process.rows.iter().all(is_there), "process {index} is young");
            }
        }
    }
}

#[test]
fn what_must_stay_stays_and_what_is_old_goes() {
    let config = ProptestConfig {
        cases: 48,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Default::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&acts(), |acts| {
            let mut history = History::new(BOUNDED);
            for act in &acts {
                history.act(act);
            }
            check(&mut history);
            for act in &acts {
                history.act(act);
            }
            check(&mut history);
            // After all of it has ended and grown old, nothing is left, not even in the bookkeeping.
            history.end_all();
            history.now_ns += ALERT_AGE_NS + 100 * SECOND;
            check(&mut history);
            for table in [
                "process",
                "text",
                "args",
                "args_block",
                "env",
                "env_var",
                "context",
                "executable",
                "document",
                "alert",
                "guard",
                "kept",
                "held",
                "loose",
                "gaps",
            ] {
                let count =
                    ids(&history.writer.connection, &format!("SELECT count(*) FROM {table}"));
                prop_assert_eq!(count, [0], "{}", table);
            }
            let lost = ids(
                &history.writer.connection,
                "SELECT count(*) FROM binary WHERE storage != 0 AND NOT is_pinned",
            );
            prop_assert_eq!(lost, [0], "binaries without a copy");
            history.reopen();
            Ok(())
        })
        .unwrap();
}

/// Some processes, one after another.
fn work(history: &mut History, count: usize) {
    for n in 0..count {
        history.act(&Act::Fork(0));
        history.act(&Act::Exec(1, n));
        history.act(&Act::Exit(1));
        if n % 50 == 0 {
            history.act(&Act::Wait(1));
            history.act(&Act::Commit);
        }
    }
}

const DAY: i64 = 86_400;
const DAY_NS: i64 = DAY * SECOND;

fn of_a_month() -> History {
    let age_ns = Some(30 * DAY_NS);
    let mut history = History::new(Limits { age_ns, size_bytes: None, alert_age_ns: age_ns });
    // The machine has been up for long.
    history.act(&Act::Wait(DAY));
    history
}

/// Some processes and a loss; what they are now.
fn record(history: &mut History) -> usize {
    work(history, 200);
    history.act(&Act::Loss);
    history.settle();
    rows(history).len()
}

fn gaps(history: &History) -> i64 {
    ids(&history.writer.connection, "SELECT count(*) FROM gaps")[0]
}

fn is_doubted(history: &History) -> bool {
    history.retention.figures().lock().unwrap().clock_doubted_until.is_some()
}

#[test]
fn a_clock_that_is_set_ahead_by_mistake_costs_nothing() {
    let mut history = of_a_month();
    let before = record(&mut history);
    assert!(before > 100);

    history.set_clock(400 * DAY_NS);
    let meanwhile = record(&mut history);
    assert!(is_doubted(&history) && meanwhile > before + 100);
    // Nor does a recorder that is started again believe it.
    history.reopen();
    history.settle();
    assert!(is_doubted(&history));
    // Half a day later somebody sees it.
    history.act(&Act::Wait(DAY / 2));
    history.settle();
    history.set_clock(-400 * DAY_NS);
    let all = record(&mut history);
    assert!(!is_doubted(&history) && all > meanwhile + 100);
    assert_eq!(gaps(&history), 3);

    // All grows old in the order in which it was recorded, whatever the clock said.
    history.act(&Act::Wait(DAY * 298 / 10));
    record(&mut history);
    assert_eq!(gaps(&history), 4 - 1, "of the first nothing is left");
    history.act(&Act::Wait(DAY));
    history.settle();
    let left = rows(&history).len();
    assert!(left < before * 2, "{left} of {all} and {before}");
    check_whole(&history.writer.connection);
}

#[test]
fn a_clock_that_stays_ahead_is_believed() {
    let mut history = of_a_month();
    let before = record(&mut history);
    history.set_clock(400 * DAY_NS);
    history.settle();
    assert!(is_doubted(&history));
    history.act(&Act::Wait(DAY));
    history.settle();
    assert!(!is_doubted(&history));
    assert!(rows(&history).len() < before / 2, "only what runs is left");
    check_whole(&history.writer.connection);
}

#[test]
fn the_size_is_kept_while_more_is_written() {
    const LIMIT: u64 = 2 << 20;
    let limits = Limits { age_ns: None, size_bytes: Some(LIMIT), alert_age_ns: None };
    let mut history = History::new(limits);
    history.act(&Act::Alert(0));
    for _ in 0..20 {
        work(&mut history, 1000);
        history.act(&Act::Wait(20));
        history.settle();
        let pages = ids(&history.writer.connection, "PRAGMA page_count")[0];
        assert!(pages * 4096 <= 2 << 20, "{pages} pages");
    }
    check_whole(&history.writer.connection);
    let figures = history.retention.figures().lock().unwrap().clone();
    assert!(figures.deleted_records > 5_000, "{figures:?}");
    assert_eq!((figures.deleted_alerts, figures.unmet), (0, None), "there was enough else");
    let needed = history.needed(&[1]);
    let rows = rows(&history);
    assert!(
        needed.iter().all(|index| history.processes[*index].rows.iter().all(|r| rows.contains(r)))
    );
}

#[test]
fn alerts_go_last_and_are_counted_and_what_runs_stays() {
    let limits = Limits { age_ns: None, size_bytes: Some(400 << 10), alert_age_ns: None };
    let mut history = History::new(limits);
    for n in 0..3000 {
        history.act(&Act::Fork(0));
        history.act(&Act::Exec(1, n));
        history.act(&Act::Alert(1));
        history.act(&Act::Exit(1));
    }
    history.act(&Act::Wait(20));
    // What was written last is never deleted: so that this is not all there is.
    work(&mut history, 10);
    history.act(&Act::Wait(20));
    history.settle();
    check_whole(&history.writer.connection);
    let alerts = ids(&history.writer.connection, "SELECT id FROM alert");
    let figures = history.retention.figures().lock().unwrap().clone();
    assert_eq!(figures.deleted_alerts_early + alerts.len() as u64, 3000);
    assert!(!alerts.is_empty() && alerts.len() < 3000, "{}", alerts.len());
    assert_eq!(alerts.last(), Some(&3000), "the oldest go first");
    let (rows, needed) = (rows(&history), history.needed(&alerts));
    assert!(
        needed.iter().all(|index| history.processes[*index].rows.iter().all(|r| rows.contains(r)))
    );
}

#[test]
fn a_limit_that_cannot_be_met_is_told() {
    let limits = Limits { age_ns: None, size_bytes: Some(64 << 10), alert_age_ns: None };
    let mut history = History::new(limits);
    for _ in 0..100 {
        history.act(&Act::Fork(0));
    }
    history.act(&Act::Wait(20));
    history.settle();
    let figures = history.retention.figures().lock().unwrap().clone();
    assert_eq!(rows(&history).len(), 101, "all of them run");
    assert!(figures.unmet.is_some(), "{figures:?}");
}

#[test]
fn the_file_shrinks() {
    let mut history = History::new(BOUNDED);
    work(&mut history, 6000);
    let before = ids(&history.writer.connection, "PRAGMA page_count")[0];
    history.act(&Act::Wait(1000));
    history.settle();
    let after = ids(&history.writer.connection, "PRAGMA page_count")[0];
    assert!(after < before / 2, "{before} pages before, {after} after");
}

#[test]
fn a_query_is_answered_from_one_state() {
    let mut history = History::new(BOUNDED);
    work(&mut history, 300);
    history.commit();
    let reader = Reader::new(&history.path()).unwrap();
    let filter = Filter::all();
    let selection = Selection {
        filter: &filter,
        limit: 0,
        is_newest_first: false,
        cursor: None,
        last_row: None,
    };
    let mut count = 0;
    history.now_ns += 1000 * SECOND;
    reader
        .page(&Control::default(), &selection, &mut |_| {
            count += 1;
            if count == 1 {
                history.settle();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(count, 301, "what was there when it was asked");
    assert!(history.deleted() > 200, "and is deleted since");
    let totals = reader.totals(&Control::default()).unwrap();
    assert_eq!(totals.records, rows(&history).len() as u64);
}

#[test]
fn an_answer_that_takes_too_long_is_cut_off() {
    let mut history = History::new(BOUNDED);
    work(&mut history, 2000);
    history.commit();
    let reader = Reader::new(&history.path()).unwrap().patient_for(Duration::from_millis(1));
    let filter = Filter::all();
    let selection = Selection {
        filter: &filter,
        limit: 0,
        is_newest_first: false,
        cursor: None,
        last_row: None,
    };
    let stopped = reader
        .page(&Control::default(), &selection, &mut |_| {
            std::thread::sleep(Duration::from_millis(1));
            ControlFlow::Continue(())
        })
        .unwrap_err();
    assert!(matches!(stopped, Stopped::TooLong(_)), "{stopped}");
    // Nothing is left of it: the log can be begun anew.
    let busy = ids(&history.writer.connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_eq!(busy, [0]);
}

#[test]
fn nothing_is_deleted_without_limits() {
    let mut history = History::new(Limits::default());
    work(&mut history, 100);
    history.now_ns += 100_000 * SECOND;
    history.settle();
    history.retention = Retention::new(Limits { alert_age_ns: Some(1), ..Limits::default() });
    history.settle();
    assert_eq!(rows(&history).len(), 101);
}
