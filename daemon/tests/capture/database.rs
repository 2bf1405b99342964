//! Looking into the file that a recorder has left.

use std::path::Path;

use common::health::Kinds;
use rusqlite::{Connection, OpenFlags};

pub(crate) fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

pub(crate) fn assert_sound(path: &Path) {
    let verdict: String =
        open(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

pub(crate) fn number(connection: &Connection, sql: &str) -> u64 {
    let number: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    number.try_into().unwrap()
}

/// Records lost because the ring was full, by kind.
pub(crate) fn lost(connection: &Connection) -> Kinds {
    let of = |kind: &str| {
        number(
            connection,
            &format!(
                "SELECT ifnull(sum(count), 0) FROM gaps WHERE kind = '{kind}' AND cause = 'ring-full'"
            ),
        )
    };
    Kinds { fork: of("fork"), exec: of("exec"), exit: of("exit") }
}

/// The books of the recorder at its end: records decoded, and records that the kernel programs
/// meant to send. See `recorder::progress` for the form.
pub(crate) fn books(connection: &Connection) -> (Kinds, Kinds) {
    let bytes: Vec<u8> = connection
        .query_row("SELECT value FROM meta WHERE key = 'ring_progress'", [], |row| row.get(0))
        .unwrap();
    let numbers: Vec<u64> =
        bytes.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number)).collect();
    let (counts, sequences) = numbers.split_at(6);
    // The first says how many lanes each CPU has.
    let sequences = &sequences[1..];
    let decoded = Kinds { fork: counts[0], exec: counts[1], exit: counts[2] };
    let meant = sequences.as_chunks::<3>().0.iter().fold(Kinds::default(), |sum, cpu| Kinds {
        fork: sum.fork + cpu[0],
        exec: sum.exec + cpu[1],
        exit: sum.exit + cpu[2],
    });
    (decoded, meant)
}
