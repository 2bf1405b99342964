//! The store where the disk fails: a batch is written wholly or not at all, can be written again,
//! and what is stored in the end is what it would be had nothing failed.

mod story;

use std::ffi::c_int;
use std::fmt::Debug;
use std::path::Path;
use std::sync::OnceLock;

use common::filter::{Filter, sample};
use common::id::BootId;
use common::record::Record;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, ffi};

use self::story::{SECOND, Step, Story, large_batch};
use super::faulty_vfs::{Fault, FaultyVfs, KINDS, Kind};
use super::{assert_same, select};
use crate::store::{Limits, Now, Reader, Retention, StoreError, Writer};

const AGE_NS: i64 = 150 * SECOND;
const LIMITS: Limits =
    Limits { age_ns: Some(AGE_NS), size_bytes: None, alert_age_ns: Some(300 * SECOND) };
/// Every row of every table.
type Contents = Vec<(String, Vec<Row>)>;
type Row = Vec<Value>;

fn contents(connection: &Connection) -> Contents {
    let of = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = connection.prepare_cached(of).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let rows = |name: String| {
        let mut statement = connection.prepare_cached(&format!("SELECT * FROM {name}")).unwrap();
        let columns = 0..statement.column_count();
        // A path is marked anew when its file is not remembered any more.
        let is_kept = |at: &usize| name != "text" || statement.column_name(*at) != Ok("used");
        let columns: Vec<usize> = columns.filter(is_kept).collect();
        let rows = statement.query_map([], |row| columns.iter().map(|at| row.get(*at)).collect());
        let rows = rows.unwrap().map(Result::unwrap).collect();
        (name, rows)
    };
    names.map(rows).collect()
}

/// Equal to one of those expected; else tells how it differs from the last.
#[track_caller]
fn assert_equal(found: &Contents, expected: &[&Contents], what: &dyn Debug) {
    if expected.contains(&found) {
        return;
    }
    for ((table, found), (_, expected)) in found.iter().zip(expected[expected.len() - 1]) {
        let but = |these: &[Row], those: &[Row]| -> Vec<Row> {
            these.iter().filter(|row| !those.contains(row)).cloned().collect()
        };
        let (surplus, missing) = (but(found, expected), but(expected, found));
        assert_eq!(surplus, missing, "{table}, {what:?}");
    }
    panic!("{what:?}");
}

fn check_integrity(connection: &Connection, what: &dyn Debug) {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{what:?}");
}

/// As another program sees it.
fn look(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    connection
}

fn open(vfs: &FaultyVfs, path: &Path) -> Writer {
    vfs.set(None);
    let mut writer = Writer::open(&vfs.path(path)).unwrap();
    writer.set_age(LIMITS.age_ns).unwrap();
    // So small that pages are read again, and written before the end of a batch; and that the log
    // is put into the database every few batches.
    writer.connection.pragma_update(None, "cache_size", 12).unwrap();
    writer.connection.pragma_update(None, "wal_autocheckpoint", 100).unwrap();
    writer
}

struct Run {
    vfs: &'static FaultyVfs,
    writer: Writer,
    retention: Retention,
    look: Connection,
    dir: tempfile::TempDir,
}

impl Run {
    fn new(vfs: &'static FaultyVfs) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recorder.db");
        std::fs::write(&path, empty_database()).unwrap();
        let writer = open(vfs, &path);
        Self { vfs, writer, retention: Retention::new(LIMITS), look: look(&path), dir }
    }

    fn open_again(&mut self) {
        self.writer = open(self.vfs, &self.dir.path().join("recorder.db"));
    }

    fn step(&mut self, step: &Step) -> Result<(), StoreError> {
        match step {
            Step::Write(batch) => {
                self.writer.write(batch)?;
            }
            Step::Search => while self.writer.prepare_searches()? {},
            Step::Retain(now_ns) => {
                // What was kept is looked at again a minute later, or where that failed.
                for now_ns in [*now_ns, *now_ns + 61 * SECOND] {
                    let boottime_ns = now_ns - sample::NOW;
                    let now = Now { wall_ns: now_ns, boottime_ns, boot: BootId::from_bits(7) };
                    while self.retention.step(&mut self.writer, now)? {}
                }
            }
            Step::Checkpoint => self.writer.checkpoint()?,
            Step::EmptyLog => self.writer.empty_log()?,
        }
        Ok(())
    }

    /// What is there after the process was killed just now.
    fn after_a_crash(&self, what: &dyn Debug) -> Contents {
        let dir = tempfile::tempdir().unwrap();
        for name in ["recorder.db", "recorder.db-wal"] {
            std::fs::copy(self.dir.path().join(name), dir.path().join(name)).unwrap();
        }
        let connection = look(&dir.path().join("recorder.db"));
        check_integrity(&connection, what);
        contents(&connection)
    }

    /// Closes it, and reads it as the recorder would.
    fn finish(self, what: &dyn Debug) -> (Contents, Vec<Record>) {
        let path = self.dir.path().join("recorder.db");
        drop((self.look, self.writer));
        let connection = look(&path);
        check_integrity(&connection, what);
        let records = select(&Reader::new(&path).unwrap(), &Filter::all());
        (contents(&connection), records)
    }
}

fn empty_database() -> &'static [u8] {
    static DATABASE: OnceLock<Vec<u8>> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recorder.db");
        drop(Writer::open(&path).unwrap());
        std::fs::read(path).unwrap()
    })
}

/// The run in which nothing fails.
struct Expected {
    story: Story,
    /// Before each step, and in the end.
    states: Vec<Contents>,
    records: Vec<Record>,
    /// Calls of each kind before each step, and in the end.
    counts: Vec<[usize; KINDS]>,
}

impl Expected {
    fn of(vfs: &'static FaultyVfs) -> Self {
        let story = Story::new();
        let mut run = Run::new(vfs);
        vfs.set(None);
        let mut states = vec![contents(&run.look)];
        let mut counts = vec![vfs.counts()];
        for step in &story.steps {
            run.step(step).unwrap();
            states.push(contents(&run.look));
            counts.push(vfs.counts());
        }
        let (last, records) = run.finish(&"without a fault");
        assert_equal(&last, &[states.last().unwrap()], &"without a fault");
        Self { story, states, records, counts }
    }

    fn check(&self, vfs: &'static FaultyVfs, fault: Fault) {
        let mut run = Run::new(vfs);
        vfs.set(Some(fault));
        for (index, step) in self.story.steps.iter().enumerate() {
            let Err(error) = run.step(step) else { continue };
            let what = (fault, index);
            assert!(vfs.has_struck(), "{what:?}: {error}");
            assert!(is_told(fault.code, &error), "{what:?}: {error:?}");
            let (before, after) = (&self.states[index], &self.states[index + 1]);
            let crashed = run.after_a_crash(&what);
            // What was not committed may be in the log as a whole all the same.
            if step.is_single() {
                assert_equal(&crashed, &[before, after], &what);
                vfs.set(None);
                assert_equal(&contents(&run.look), &[before], &what);
            }
            vfs.set(None);
            if matches!(error, StoreError::Corrupt { .. }) {
                // As the recorder does.
                run.open_again();
            }
            run.step(step).unwrap_or_else(|error| panic!("{what:?}: {error:?}"));
            assert_equal(&contents(&run.look), &[after], &what);
        }
        let (last, records) = run.finish(&fault);
        assert_equal(&last, &[self.states.last().unwrap()], &fault);
        assert_eq!(records, self.records, "{fault:?}");
    }
}

/// Whether the error has the meaning of what failed.
fn is_told(code: c_int, error: &StoreError) -> bool {
    match code & 0xff {
        ffi::SQLITE_FULL => matches!(error, StoreError::Full { .. }),
        ffi::SQLITE_CORRUPT => matches!(error, StoreError::Corrupt { .. }),
        ffi::SQLITE_CANTOPEN => matches!(error, StoreError::Access { .. }),
        _ => matches!(error, StoreError::Io { .. }),
    }
}

/// In one run of the story each: as many as take a second or two.
const MOST: usize = 20;

/// Numbers of calls to fail, spread over all of them. The step is odd: a frame of the log takes two
/// calls.
fn spread(count: usize, first: usize) -> impl Iterator<Item = usize> {
    (first..count).step_by((count / MOST) | 1)
}

/// Faults of this kind, once and lasting.
fn sweep(kind: Kind, codes: &[c_int]) {
    let vfs = FaultyVfs::register();
    let expected = Expected::of(vfs);
    let count = expected.counts.last().unwrap()[kind as usize];
    assert!(count > 0, "{kind:?} happens");
    let variants = codes.iter().flat_map(|code| [(*code, false), (*code, true)]);
    for (first, (code, is_lasting)) in variants.enumerate() {
        for number in spread(count, first) {
            expected.check(vfs, Fault { kind, number, code, is_lasting });
        }
    }
}

#[test]
fn without_a_fault_the_records_are_there_as_they_went_in() {
    let expected = Expected::of(FaultyVfs::register());
    let written = &expected.story.records;
    assert!((30..written.len()).contains(&expected.records.len()), "some were deleted");
    for record in &expected.records {
        assert_same(&written[usize::try_from(record.row).unwrap() - 1], record);
    }
    for (table, rows) in expected.states.last().unwrap() {
        assert!(!rows.is_empty(), "{table} is touched");
    }
}

#[test]
fn a_batch_that_the_log_does_not_take_can_be_written_again() {
    sweep(Kind::WriteLog, &[ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE]);
}

#[test]
fn what_cannot_be_put_into_the_database_stays_in_the_log() {
    sweep(Kind::WriteDatabase, &[ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE]);
    sweep(Kind::Sync, &[ffi::SQLITE_IOERR_FSYNC]);
    sweep(Kind::Truncate, &[ffi::SQLITE_IOERR_TRUNCATE]);
}

#[test]
fn what_cannot_be_read_while_writing_changes_nothing() {
    sweep(Kind::Read, &[ffi::SQLITE_IOERR_READ, ffi::SQLITE_CORRUPT]);
}

#[test]
fn an_index_of_the_log_that_cannot_be_locked_changes_nothing() {
    sweep(Kind::LockIndex, &[ffi::SQLITE_IOERR_SHMLOCK]);
}

/// Each time that it looks, also between its steps.
#[test]
fn what_retention_deleted_is_forgotten_although_it_fails_later() {
    let vfs = FaultyVfs::register();
    let expected = Expected::of(vfs);
    let is_retention = |step: &Step| matches!(step, Step::Retain(_));
    let first = expected.story.steps.iter().position(is_retention).unwrap();
    let kind = Kind::LockIndex;
    let before = |step: usize| expected.counts[step][kind as usize];
    for number in before(first)..before(first + 1) {
        let code = ffi::SQLITE_IOERR_SHMLOCK;
        expected.check(vfs, Fault { kind, number, code, is_lasting: false });
    }
}

/// Which to SQLite is no full disk, but a fault of it.
#[test]
fn a_batch_for_which_the_index_of_the_log_cannot_grow_can_be_written_again() {
    let vfs = FaultyVfs::register();
    let story = Story::new();
    // One part of the index is for some 4,000 pages.
    let batch = large_batch(&story.templates[0]);
    for code in [ffi::SQLITE_IOERR_SHMMAP, ffi::SQLITE_IOERR_SHMSIZE] {
        let mut run = Run::new(vfs);
        run.writer.connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        run.step(&story.steps[0]).unwrap();
        let before = contents(&run.look);
        let fault = Fault { kind: Kind::MapIndex, number: 0, code, is_lasting: true };
        vfs.set(Some(fault));
        let error = run.writer.write(&batch).unwrap_err();
        assert!(vfs.has_struck() && is_told(code, &error), "{fault:?}: {error:?}");
        assert_equal(&run.after_a_crash(&fault), &[&before], &fault);
        assert_equal(&contents(&run.look), &[&before], &fault);
        vfs.set(None);
        run.writer.write(&batch).unwrap();
        let after = contents(&run.look);
        assert_equal(&run.finish(&fault).0, &[&after], &fault);
    }
}

#[test]
fn a_database_that_cannot_be_made_can_be_made_later() {
    let vfs = FaultyVfs::register();
    let open = |path: &Path, fault| {
        vfs.set(fault);
        let opened = Writer::open(&vfs.path(path)).map(drop);
        (opened, vfs.has_struck(), vfs.counts())
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.db");
    let counts = open(&path, None).2;
    let expected = contents(&look(&path));
    for (kind, code) in [
        (Kind::Open, ffi::SQLITE_CANTOPEN),
        (Kind::Read, ffi::SQLITE_IOERR_READ),
        (Kind::WriteLog, ffi::SQLITE_FULL),
        (Kind::WriteDatabase, ffi::SQLITE_FULL),
        (Kind::Truncate, ffi::SQLITE_IOERR_TRUNCATE),
        (Kind::Sync, ffi::SQLITE_IOERR_FSYNC),
        (Kind::MapIndex, ffi::SQLITE_IOERR_SHMMAP),
        (Kind::LockIndex, ffi::SQLITE_IOERR_SHMLOCK),
    ] {
        for (number, is_lasting) in
            spread(counts[kind as usize], 0).flat_map(|number| [(number, false), (number, true)])
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("recorder.db");
            let fault = Fault { kind, number, code, is_lasting };
            let (opened, has_struck, _) = open(&path, Some(fault));
            assert!(has_struck, "{fault:?}");
            if let Err(error) = opened {
                assert!(is_told(code, &error), "{fault:?}: {error:?}");
            }
            open(&path, None).0.unwrap();
            let connection = look(&path);
            check_integrity(&connection, &fault);
            assert_equal(&contents(&connection), &[&expected], &fault);
        }
    }
}
