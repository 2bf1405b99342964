-- The database of format 3, as version 3 made it.

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

PRAGMA application_id = 0x42504652;
PRAGMA user_version = 3;
