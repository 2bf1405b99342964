//! Tables, and how a database of an older version becomes one of this version.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Marks the file as ours (`PRAGMA application_id`): "BPFR".
const APPLICATION_ID: i64 = 0x4250_4652;

/// Step n takes a database from `user_version` n to n + 1. Never edited once released.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

/// The version that this program writes.
pub(super) const VERSION: i64 = 5;
const _: () = assert!(MIGRATIONS.len() == 5, "one step for each version");

const VERSION_1: &str = "
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

CREATE TABLE boot (
    id      INTEGER PRIMARY KEY,
    boot_id INTEGER NOT NULL UNIQUE
) STRICT;

-- Dictionaries: `hash` is the start of the SHA-256 of the value; equal hashes are compared in full.
-- `raw_bytes` is the length before compression, NULL where the value is stored as it is.
CREATE TABLE text (
    id        INTEGER PRIMARY KEY,
    hash      INTEGER NOT NULL,
    raw_bytes INTEGER,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX text_hash ON text (hash);

CREATE TABLE args (
    id        INTEGER PRIMARY KEY,
    hash      INTEGER NOT NULL,
    raw_bytes INTEGER,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX args_hash ON args (hash);

CREATE TABLE env_var (
    id        INTEGER PRIMARY KEY,
    hash      INTEGER NOT NULL,
    raw_bytes INTEGER,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX env_var_hash ON env_var (hash);

-- An environment: ids of env_var in order, LEB128.
CREATE TABLE env (
    id        INTEGER PRIMARY KEY,
    hash      INTEGER NOT NULL,
    raw_bytes INTEGER,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX env_hash ON env (hash);

CREATE TABLE executable (
    id           INTEGER PRIMARY KEY,
    hash         INTEGER NOT NULL,
    path         INTEGER NOT NULL REFERENCES text (id),
    path_state   INTEGER NOT NULL,
    device_major INTEGER NOT NULL,
    device_minor INTEGER NOT NULL,
    inode        INTEGER NOT NULL,
    size_bytes   INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    ctime_ns     INTEGER NOT NULL,
    mode         INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    gid          INTEGER NOT NULL,
    is_memfd     INTEGER NOT NULL,
    is_deleted   INTEGER NOT NULL,
    is_upper     INTEGER NOT NULL
) STRICT;
CREATE INDEX executable_hash ON executable (hash);

CREATE TABLE context (
    id              INTEGER PRIMARY KEY,
    hash            INTEGER NOT NULL,
    uid             INTEGER NOT NULL,
    gid             INTEGER NOT NULL,
    euid            INTEGER NOT NULL,
    egid            INTEGER NOT NULL,
    suid            INTEGER NOT NULL,
    sgid            INTEGER NOT NULL,
    user_name       TEXT,
    effective_name  TEXT,
    group_name      TEXT,
    login_uid       INTEGER,
    login_name      TEXT,
    audit_session   INTEGER,
    cap_effective   INTEGER NOT NULL,
    cap_permitted   INTEGER NOT NULL,
    mount_ns        INTEGER NOT NULL,
    pid_ns          INTEGER NOT NULL,
    network_ns      INTEGER NOT NULL,
    user_ns         INTEGER NOT NULL,
    uts_ns          INTEGER NOT NULL,
    ipc_ns          INTEGER NOT NULL,
    cgroup_ns       INTEGER NOT NULL,
    cgroup          TEXT NOT NULL,
    container       TEXT,
    runtime         TEXT,
    unit            TEXT,
    slice           TEXT,
    is_unknown      INTEGER NOT NULL
) STRICT;
CREATE INDEX context_hash ON context (hash);

-- One row for each image a process ran.
CREATE TABLE process (
    id                INTEGER PRIMARY KEY,
    -- Row of the first image of the same process; NULL on that row itself.
    first             INTEGER,
    -- Row of the parent's image at the time; NULL where it is not stored.
    parent            INTEGER,
    -- Identity of the parent, where `parent` is NULL and it is known.
    parent_pid        INTEGER,
    parent_start      INTEGER,
    -- 0: forked it; 1: was the parent when the image began.
    parent_source     INTEGER,
    boot              INTEGER NOT NULL REFERENCES boot (id),
    pid               INTEGER NOT NULL,
    start_boottime_ns INTEGER NOT NULL,
    ordinal           INTEGER NOT NULL,
    source            INTEGER NOT NULL,
    time_ns           INTEGER NOT NULL,
    -- From the start of the process to the start of this image.
    age_ns            INTEGER NOT NULL,
    namespace_pid     INTEGER,
    process_group     INTEGER NOT NULL,
    session           INTEGER NOT NULL,
    tty               INTEGER REFERENCES text (id),
    comm              INTEGER REFERENCES text (id),
    executable        INTEGER NOT NULL REFERENCES executable (id),
    script            INTEGER REFERENCES text (id),
    cwd               INTEGER REFERENCES text (id),
    cwd_state         INTEGER NOT NULL,
    args              INTEGER REFERENCES args (id),
    args_state        INTEGER NOT NULL,
    args_count        INTEGER NOT NULL,
    args_total        INTEGER,
    args_head         INTEGER,
    env               INTEGER REFERENCES env (id),
    env_state         INTEGER NOT NULL,
    env_total         INTEGER,
    env_head          INTEGER,
    context           INTEGER NOT NULL REFERENCES context (id),
    -- 0 running, 1 ended, 2 failed, 3 killed, 4 unobserved.
    state             INTEGER NOT NULL,
    -- From the start of the process to its end.
    run_ns            INTEGER,
    exit_code         INTEGER,
    signal            INTEGER,
    core_dump         INTEGER,
    user_cpu_ns       INTEGER,
    system_cpu_ns     INTEGER,
    cpu_ns            INTEGER,
    max_rss_bytes     INTEGER,
    read_bytes        INTEGER,
    write_bytes       INTEGER
) STRICT;
CREATE INDEX process_time ON process (time_ns);
CREATE INDEX process_pid ON process (pid, start_boottime_ns);
CREATE INDEX process_parent ON process (parent) WHERE parent IS NOT NULL;
CREATE INDEX process_running ON process (boot) WHERE state = 0;

-- Records that were lost before the recorder could see them.
CREATE TABLE gaps (
    id      INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    cpu     INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    count   INTEGER NOT NULL,
    cause   TEXT NOT NULL
) STRICT;
CREATE INDEX gaps_time ON gaps (time_ns);
";

const VERSION_2: &str = "
-- Documents in JSON: rules as they were when they fired, events as they were then.
CREATE TABLE document (
    id        INTEGER PRIMARY KEY,
    hash      INTEGER NOT NULL,
    raw_bytes INTEGER,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX document_hash ON document (hash);

CREATE TABLE alert (
    id       INTEGER PRIMARY KEY,
    -- The event that raised it, and the last of its repeats.
    time_ns  INTEGER NOT NULL,
    last_ns  INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    rule_id  TEXT NOT NULL,
    title    TEXT NOT NULL,
    -- 0 informational, 1 low, 2 medium, 3 high, 4 critical.
    level    INTEGER NOT NULL,
    -- 0 new, 1 in progress, 2 resolved, 3 false positive.
    status   INTEGER NOT NULL,
    -- Row of the image.
    process  INTEGER NOT NULL,
    -- Hash of what a repeat has in common with it.
    likeness INTEGER NOT NULL,
    rule     INTEGER NOT NULL REFERENCES document (id),
    snapshot INTEGER NOT NULL REFERENCES document (id)
) STRICT;
CREATE INDEX alert_process ON alert (process);
CREATE INDEX alert_rule ON alert (rule_id);

-- What people said of alerts.
CREATE TABLE alert_change (
    id      INTEGER PRIMARY KEY,
    alert   INTEGER NOT NULL REFERENCES alert (id),
    time_ns INTEGER NOT NULL,
    uid     INTEGER NOT NULL,
    user    TEXT,
    status  INTEGER NOT NULL,
    note    TEXT
) STRICT;
CREATE INDEX alert_change_alert ON alert_change (alert);

-- Rules that somebody switched on or off; of others the default holds.
CREATE TABLE rule_switch (
    rule_id    TEXT PRIMARY KEY,
    is_enabled INTEGER NOT NULL,
    time_ns    INTEGER NOT NULL,
    uid        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

const VERSION_3: &str = "
-- One content that ran, however many files had it.
CREATE TABLE binary (
    id              INTEGER PRIMARY KEY,
    sha256          BLOB NOT NULL UNIQUE,
    sha1            BLOB NOT NULL,
    md5             BLOB NOT NULL,
    size_bytes      INTEGER NOT NULL,
    -- 0 kept, 1 evicted, 2 no room, 3 no space, 4 failed, 5 damaged, 6 not kept.
    storage         INTEGER NOT NULL,
    stored_bytes    INTEGER NOT NULL,
    -- Somebody asked to keep it.
    is_pinned       INTEGER NOT NULL DEFAULT 0,
    is_elf          INTEGER NOT NULL,
    elf_class       INTEGER,
    elf_machine     TEXT,
    elf_type        TEXT,
    elf_static      INTEGER,
    elf_interpreter TEXT,
    elf_stripped    INTEGER,
    elf_build_id    TEXT,
    elf_entropy     INTEGER,
    elf_packed      INTEGER,
    elf_damage      TEXT
) STRICT;

-- What the file of this row held; else why that is not known (0 gone, 1 changed, 2 not permitted,
-- 3 not regular, 4 too large, 5 busy, 6 failed, 7 ambiguous).
ALTER TABLE executable ADD COLUMN binary INTEGER REFERENCES binary (id);
ALTER TABLE executable ADD COLUMN unread INTEGER;
-- Its times do not prove that it held that.
ALTER TABLE executable ADD COLUMN is_uncertain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executable ADD COLUMN package TEXT;
ALTER TABLE executable ADD COLUMN package_version TEXT;
ALTER TABLE executable ADD COLUMN package_manager TEXT;
-- 0 verified, 1 modified, 2 unverified.
ALTER TABLE executable ADD COLUMN package_state INTEGER;
ALTER TABLE executable ADD COLUMN capabilities TEXT;
ALTER TABLE executable ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executable ADD COLUMN first_ns INTEGER;
ALTER TABLE executable ADD COLUMN last_ns INTEGER;
CREATE INDEX executable_inode ON executable (inode, ctime_ns);
CREATE INDEX executable_binary ON executable (binary) WHERE binary IS NOT NULL;

-- The script, where the executable is its interpreter and the script was found.
ALTER TABLE process ADD COLUMN script_file INTEGER REFERENCES executable (id);

-- A fork is no run.
UPDATE executable SET runs = r.runs, first_ns = r.first_ns, last_ns = r.last_ns
FROM (SELECT executable, count(*) AS runs, min(time_ns) AS first_ns, max(time_ns) AS last_ns
      FROM process WHERE source != 1 GROUP BY executable) AS r
WHERE r.executable = executable.id;
";

const VERSION_4: &str = "
-- What was recorded in one stretch, up to 256 rows. Retention deletes the oldest first, and with its
-- rows the segment; the last one is written to, and stays.
CREATE TABLE segment (
    id        INTEGER PRIMARY KEY,
    first_row INTEGER NOT NULL,
    -- Of its first row.
    time_ns   INTEGER NOT NULL
) STRICT;

-- The segment in which a row used the value last: when that one is gone, so is the value, unless a
-- row that was kept refers to it.
ALTER TABLE text ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE args ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE env_var ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE env ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executable ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE context ADD COLUMN used INTEGER NOT NULL DEFAULT 0;

-- Values that may have lost a reference otherwise than with a row of their last segment: looked at
-- when that segment (0: any) is gone. Kinds: 0 text, 1 args, 2 env_var, 3 env, 4 executable,
-- 5 context, 6 binary.
CREATE TABLE loose (
    segment INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    PRIMARY KEY (segment, kind, id)
) STRICT, WITHOUT ROWID;

-- Rows whose segment is gone, but which must not be deleted yet.
CREATE TABLE kept (
    process    INTEGER PRIMARY KEY,
    -- An alert needs it, and nobody need look at it before that alert is deleted.
    is_guarded INTEGER NOT NULL
) STRICT;
CREATE INDEX kept_free ON kept (process) WHERE is_guarded = 0;

-- What kept rows refer to. The holder of a variable is an environment, of all else a process.
CREATE TABLE held (
    kind   INTEGER NOT NULL,
    id     INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    PRIMARY KEY (kind, id, holder)
) STRICT, WITHOUT ROWID;

-- Processes, by the row of their first image, that an alert needs: its own and the ancestors.
CREATE TABLE guard (
    process INTEGER NOT NULL,
    alert   INTEGER NOT NULL REFERENCES alert (id),
    PRIMARY KEY (process, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX guard_alert ON guard (alert);

CREATE INDEX executable_path ON executable (path);
CREATE INDEX alert_last ON alert (last_ns);
CREATE INDEX alert_document ON alert (rule);
CREATE INDEX alert_snapshot ON alert (snapshot);

-- Runs of files whose rows are gone.
ALTER TABLE binary ADD COLUMN past_runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binary ADD COLUMN past_first_ns INTEGER;
ALTER TABLE binary ADD COLUMN past_last_ns INTEGER;

-- A binary goes when no file had it, its copy is gone and nobody pinned it. To ignore a conflict does
-- not help here: what the statement does about conflicts that a trigger belongs to counts, an upsert's
-- too.
CREATE TRIGGER binary_added AFTER INSERT ON binary BEGIN
    INSERT INTO loose SELECT 0, 6, new.id
    WHERE NOT EXISTS (SELECT 1 FROM loose WHERE segment = 0 AND kind = 6 AND id = new.id);
END;
CREATE TRIGGER binary_freed AFTER UPDATE OF storage, is_pinned ON binary
WHEN new.storage != 0 AND NOT new.is_pinned BEGIN
    INSERT INTO loose SELECT 0, 6, new.id
    WHERE NOT EXISTS (SELECT 1 FROM loose WHERE segment = 0 AND kind = 6 AND id = new.id);
END;
CREATE TRIGGER binary_left AFTER UPDATE OF binary ON executable
WHEN old.binary IS NOT NULL AND old.binary IS NOT new.binary BEGIN
    INSERT INTO loose SELECT 0, 6, old.binary
    WHERE NOT EXISTS (SELECT 1 FROM loose WHERE segment = 0 AND kind = 6 AND id = old.binary);
END;

-- What is there already is cut into segments by its numbers; when its values were used is found out
-- before anything is deleted, in small steps.
INSERT INTO segment
WITH RECURSIVE first (id, row) AS (
    SELECT 1, (SELECT min(id) FROM process) WHERE EXISTS (SELECT 1 FROM process)
    UNION ALL
    SELECT id + 1, row + 256 FROM first WHERE row + 256 <= (SELECT max(id) FROM process)
)
SELECT id, row, ifnull((SELECT time_ns FROM process WHERE process.id = row), 0) FROM first;
INSERT INTO meta SELECT 'survey_alert', 0 WHERE EXISTS (SELECT 1 FROM segment);
INSERT INTO meta SELECT 'survey_segment', 1 WHERE EXISTS (SELECT 1 FROM segment);
INSERT INTO meta SELECT 'survey_end', max(id) FROM segment HAVING max(id) IS NOT NULL;
INSERT OR IGNORE INTO loose SELECT 0, 6, id FROM binary;
";

const VERSION_5: &str = "
-- Executable and args of each row of the segment, LEB128; see outline.rs. NULL where it was not
-- drawn yet, or is still written to.
ALTER TABLE segment ADD COLUMN outline BLOB;
CREATE INDEX segment_plain ON segment (id) WHERE outline IS NULL;

-- What stands in a block of 256 ids of args; see blocks.rs. A block without one has not been looked at
-- yet, or still gets values.
CREATE TABLE args_block (
    id        INTEGER PRIMARY KEY,
    signature BLOB NOT NULL
) STRICT;
";

/// Brings the database to [`VERSION`], or says why it cannot.
#[cfg(any(feature = "capture", test))]
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let of = |error| StoreError::of(path, error);
    let found = check(connection, path, true)?;
    let transaction = connection.transaction().map_err(of)?;
    for (step, sql) in (0_i64..).zip(MIGRATIONS) {
        if step >= found {
            transaction.execute_batch(sql).map_err(of)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(of)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(of)?;
    transaction.commit().map_err(of)
}

/// The version found, refused if it is not ours or newer than this program.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    is_to_be_written: bool,
) -> Result<i64, StoreError> {
    let pragma = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| StoreError::of(path, error))
    };
    let found = pragma("user_version")?;
    let application = pragma("application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(|error| StoreError::of(path, error))?;
    let is_empty = tables == 0 && application == 0;
    if !(application == APPLICATION_ID || (is_to_be_written && is_empty)) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    if found < VERSION && !is_to_be_written {
        return Err(StoreError::Older { path: path.to_owned(), found, known: VERSION });
    }
    Ok(found)
}

#[cfg(test)]
#[cfg(feature = "capture")]
mod tests {
    use super::*;

    #[test]
    fn an_older_database_is_brought_up_to_date_and_refused_to_readers_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recorder.db");
        let mut connection = Connection::open(&path).unwrap();
        for sql in &MIGRATIONS[..2] {
            connection.execute_batch(sql).unwrap();
        }
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        let boot = "INSERT INTO boot VALUES (1, 7); INSERT INTO text VALUES (1, 1, NULL, x'2f78')";
        connection.execute_batch(boot).unwrap();
        let file = "INSERT INTO executable VALUES (?1, 0, 1, 0, 8, 1, ?1, 10, 1, 1, 33261, 0, 0, \
                    0, 0, 0)";
        for id in 1..=2 {
            connection.execute(file, [id]).unwrap();
        }
        // Two execs of the first file, a fork of the second.
        for (id, source, time_ns, executable) in [(1, 0, 5, 1), (2, 0, 9, 1), (3, 1, 7, 2)] {
            connection
                .execute(
                    "INSERT INTO process (id, boot, pid, start_boottime_ns, ordinal, source, \
                     time_ns, age_ns, process_group, session, executable, cwd_state, args_state, \
                     args_count, env_state, context, state) \
                     VALUES (?1, 1, 1, 1, 1, ?2, ?3, 0, 0, 0, ?4, 0, 0, 0, 0, 1, 1)",
                    [id, source, time_ns, executable],
                )
                .unwrap();
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        let refused = check(&connection, &path, false).unwrap_err();
        assert!(refused.to_string().contains("older version"), "{refused}");
        migrate(&mut connection, &path).unwrap();
        assert_eq!(check(&connection, &path, false).unwrap(), VERSION);
        let runs: Vec<(i64, Option<i64>, Option<i64>)> = connection
            .prepare("SELECT runs, first_ns, last_ns FROM executable ORDER BY id")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(runs, [(2, Some(5), Some(9)), (0, None, None)]);
    }
}
