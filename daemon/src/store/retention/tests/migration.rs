//! A database of format 3, full of records, becomes one of today.

use std::ops::ControlFlow;

use common::filter::{Filter, sample};
use common::id::BootId;
use common::record::Record;
use rusqlite::{Connection, params};

use super::super::{Limits, Now, Retention};
use super::history::SECOND;
use super::{check_whole, ids};
use crate::store::{Control, Reader, Selection, StoreError, Writer};

const VERSION_3: &str = include_str!("version_3.sql");
const DAY: i64 = 86_400 * SECOND;

/// 1,000 processes, a day apart from the newest; of 400 runs of a daemon the first runs still, and
/// one in the middle raised an alert.
fn populated(path: &std::path::Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    connection.execute_batch(VERSION_3).unwrap();
    connection
        .execute_batch(
            "INSERT INTO boot VALUES (1, 7);
             INSERT INTO text VALUES (1, 1, NULL, x'2f62696e2f78'), (2, 2, NULL, x'78');
             INSERT INTO env_var VALUES (1, 1, NULL, x'413d62'), (2, 2, NULL, x'433d64');
             INSERT INTO env VALUES (1, 1, NULL, x'0102');
             INSERT INTO context (id, hash, uid, gid, euid, egid, suid, sgid, cap_effective, \
                 cap_permitted, mount_ns, pid_ns, network_ns, user_ns, uts_ns, ipc_ns, cgroup_ns, \
                 cgroup, is_unknown) VALUES (1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, '/', 0);
             INSERT INTO executable (id, hash, path, path_state, device_major, device_minor, inode, \
                 size_bytes, mtime_ns, ctime_ns, mode, uid, gid, is_memfd, is_deleted, is_upper) \
                 VALUES (1, 1, 1, 0, 8, 1, 5, 10, 1, 1, 33261, 0, 0, 0, 0, 0);
             INSERT INTO document VALUES (1, 1, NULL, x'7b7d'), (2, 2, NULL, x'7b7d20');
             INSERT INTO gaps VALUES (1, 5, 0, 'any', 3, 'ring-full');",
        )
        .unwrap();
    for row in 1..=1000_i64 {
        let args = connection.prepare_cached("INSERT INTO args VALUES (?1, ?1, NULL, x'7800')");
        args.unwrap().execute([row]).unwrap();
        let sql = "INSERT INTO process (id, parent, boot, pid, start_boottime_ns, ordinal, source, \
            time_ns, age_ns, process_group, session, comm, executable, cwd, cwd_state, args, \
            args_state, args_count, env, env_state, context, state, run_ns) VALUES (?1, ?2, 1, ?1, \
            ?1, 1, 0, ?3, 0, 0, 0, 2, 1, 1, 0, ?1, 0, 1, 1, 0, 1, ?4, 5)";
        let parent = (row > 1).then_some(if row == 500 { 300 } else { 1 });
        let time_ns = sample::NOW - (1000 - row) * DAY / 1000 - DAY;
        let state = i64::from(row != 1);
        connection
            .prepare_cached(sql)
            .unwrap()
            .execute(params![row, parent, time_ns, state])
            .unwrap();
    }
    let sql = "INSERT INTO alert VALUES (4, ?1, ?1, 1, 'rule', 'Rule', 3, 0, 500, 1, 1, 2)";
    connection.execute(sql, [sample::NOW - DAY]).unwrap();
}

fn records(reader: &Reader) -> Vec<Record> {
    let filter = Filter::all();
    let selection = Selection {
        filter: &filter,
        limit: 0,
        is_newest_first: false,
        cursor: None,
        last_row: None,
    };
    let mut records = Vec::new();
    reader
        .page(&Control::default(), &selection, &mut |record| {
            records.push(record.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    records
}

#[test]
fn a_database_of_format_3_is_read_written_and_kept_small() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.db");
    populated(&path);
    assert!(matches!(Reader::recorded(&path), Err(StoreError::Older { found: 3, .. })));
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(writer.next_row().unwrap(), 1001);
    assert_eq!(writer.next_alert().unwrap(), 5);
    let before = records(&Reader::new(&path).unwrap());
    assert_eq!(before.len(), 1000);
    assert_eq!(before[499].args.bytes[..], *b"x\0");
    assert_eq!(before[499].env.iter().count(), 2);

    let limits =
        Limits { age_ns: Some(DAY * 148 / 100), size_bytes: None, alert_age_ns: Some(9 * DAY) };
    let mut retention = Retention::new(limits);
    let mut settle = |writer: &mut Writer, now_ns| {
        let now = Now { wall_ns: now_ns, boottime_ns: now_ns, boot: BootId::from_bits(1) };
        while retention.step(writer, now).unwrap() {}
    };
    settle(&mut writer, sample::NOW);
    while writer.prepare_searches().unwrap() {}
    check_whole(&writer.connection);
    let signed = ids(&writer.connection, "SELECT count(*) FROM args_block")[0];
    assert!(signed > 100, "what was there before is prepared for searches: {signed}");
    let left = ids(&writer.connection, "SELECT id FROM process ORDER BY id");
    assert_eq!(left[..3], [1, 300, 500], "what runs, and what an alert needs");
    // By segments of 256 rows, and after 512 they are younger.
    assert_eq!((left[3], left.last()), (513, Some(&1000)));
    assert_eq!(ids(&writer.connection, "SELECT id FROM args"), left);
    assert_eq!(records(&Reader::new(&path).unwrap()).len(), left.len());

    // Weeks later nothing is left but what runs, and what it refers to.
    settle(&mut writer, sample::NOW + 30 * DAY);
    settle(&mut writer, sample::NOW + 31 * DAY);
    check_whole(&writer.connection);
    assert_eq!(ids(&writer.connection, "SELECT id FROM process"), [1]);
    assert_eq!(ids(&writer.connection, "SELECT id FROM env_var"), [1, 2]);
    assert_eq!(ids(&writer.connection, "SELECT count(*) FROM document"), [0]);
    assert_eq!((writer.next_row().unwrap(), writer.next_alert().unwrap()), (1001, 5));
}
