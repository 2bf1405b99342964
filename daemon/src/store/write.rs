//! Writing batches: the only code that changes the database.

mod environments;
mod opening;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ToSql, params};

use common::id::BootId;
use common::record::{Content, Context, Executable, PathState, Strings, StringsState};

use super::batch::{Batch, EndOfRows, Pending};
use super::columns::{
    EndColumns, figure, head_column, int, parent_source_code, path_state_code, source_code,
    strings_state_code, total_column,
};
use super::dictionary::{
    Dictionary, Place, TupleSql, content_hash, push_varint, refresh, tuple_place,
};
use super::files::Files;
use super::findings::{self, Finding, Runs};
use super::retention::{self, Era};
use super::triage::{self};
use super::{StoreError, blocks, outline};
use environments::Environments;

pub(crate) struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    text: Dictionary,
    args: Dictionary,
    env_var: Dictionary,
    env: Dictionary,
    document: Dictionary,
    environments: Environments,
    executable_sql: TupleSql,
    context_sql: TupleSql,
    executables: HashMap<Arc<Executable>, Place, foldhash::fast::RandomState>,
    contexts: HashMap<Arc<Context>, Place, foldhash::fast::RandomState>,
    boots: HashMap<BootId, i64>,
    era: Era,
    files: Files,
}

/// Segments, and bytes of command lines, in one step: some milliseconds.
const MOST_OUTLINES: u32 = 32;
const SIGNED_BYTES: usize = 512 << 10;

/// Entries of the caches of tuples; they are emptied beyond it.
const MOST_TUPLES: usize = 4096;

const EXECUTABLE_COLUMNS: [&str; 14] = [
    "path",
    "path_state",
    "device_major",
    "device_minor",
    "inode",
    "size_bytes",
    "mtime_ns",
    "ctime_ns",
    "mode",
    "uid",
    "gid",
    "is_memfd",
    "is_deleted",
    "is_upper",
];

const CONTEXT_COLUMNS: [&str; 27] = [
    "uid",
    "gid",
    "euid",
    "egid",
    "suid",
    "sgid",
    "user_name",
    "effective_name",
    "group_name",
    "login_uid",
    "login_name",
    "audit_session",
    "cap_effective",
    "cap_permitted",
    "mount_ns",
    "pid_ns",
    "network_ns",
    "user_ns",
    "uts_ns",
    "ipc_ns",
    "cgroup_ns",
    "cgroup",
    "container",
    "runtime",
    "unit",
    "slice",
    "is_unknown",
];

impl Writer {
    /// So that segments are short against the age that is kept.
    pub(crate) fn set_age(&mut self, age_ns: Option<i64>) -> Result<(), StoreError> {
        let era = Era::load(&self.connection, age_ns);
        self.era = era.map_err(|error| StoreError::of(&self.path, error))?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the whole batch, or nothing of it. Returns how many rows each change was about.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<Vec<u32>, StoreError> {
        let era = self.era;
        let result = self.try_write(batch);
        if result.is_err() {
            // Ids from the transaction that was rolled back must not be used again.
            self.era = era;
            for dictionary in [
                &mut self.text,
                &mut self.args,
                &mut self.env_var,
                &mut self.env,
                &mut self.document,
            ] {
                dictionary.forget();
            }
            self.environments.clear();
            self.executables.clear();
            self.contexts.clear();
            self.boots.clear();
        }
        result.map_err(|error| StoreError::of(&self.path, error))
    }

    /// Changes the database outside of batches, in one transaction.
    pub(super) fn transact<T>(
        &mut self,
        change: impl FnOnce(&Connection, &mut Era) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let transact = || {
            let transaction = self
                .connection
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let mut era = self.era;
            let result = change(&transaction, &mut era)?;
            transaction.commit()?;
            self.era = era;
            Ok(result)
        };
        transact().map_err(|error| StoreError::of(&self.path, error))
    }

    /// Does a little for the searches to come; false if there is nothing to do.
    pub(crate) fn prepare_searches(&mut self) -> Result<bool, StoreError> {
        let is_due = outline::is_due(&self.connection)
            .and_then(|is_due| Ok(is_due || blocks::is_due(&self.connection)?));
        if !is_due.map_err(|error| StoreError::of(&self.path, error))? {
            return Ok(false);
        }
        self.transact(|connection, _| {
            let has_more = outline::draw(connection, MOST_OUTLINES)?;
            Ok(blocks::sign(connection, SIGNED_BYTES)? || has_more)
        })
    }

    /// Some have been deleted.
    pub(super) fn forget_documents(&mut self) {
        self.document.forget();
    }

    fn try_write(&mut self, batch: &Batch) -> rusqlite::Result<Vec<u32>> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = self
            .write_rows(batch)
            .and_then(|counts| self.connection.execute_batch("COMMIT").map(|()| counts));
        if result.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }

    fn write_rows(&mut self, batch: &Batch) -> rusqlite::Result<Vec<u32>> {
        let mut runs = Runs::default();
        for pending in &batch.records {
            let record = &pending.record;
            self.era.place(&self.connection, record.row, record.time_ns)?;
            self.write_record(pending, INSERT_PROCESS, &mut runs)?;
        }
        for pending in &batch.replaced {
            let row = pending.record.row;
            let before = retention::references(&self.connection, row)?;
            self.write_record(pending, REPLACE_PROCESS, &mut runs)?;
            retention::replaced(&self.connection, &self.era, row, &before)?;
            if (self.era.floor_row..self.era.first_row).contains(&row) {
                outline::void(&self.connection, row)?;
            }
        }
        runs.write(&self.connection)?;
        for finding in &batch.findings {
            let script = match finding {
                Finding::Script { file, .. } => Some(self.executable(file, &Content::Unknown)?),
                _ => None,
            };
            findings::write(&self.connection, &self.era, finding, script)?;
        }
        for end in &batch.ends {
            self.write_end(end)?;
        }
        for gap in &batch.gaps {
            self.connection
                .prepare_cached(
                    "INSERT INTO gaps (time_ns, cpu, kind, count, cause) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![gap.time_ns, gap.cpu, gap.kind, int(gap.count), gap.cause])?;
        }
        for alert in &batch.alerts {
            triage::raise(&self.connection, &self.era, &mut self.document, alert)?;
        }
        for repeat in &batch.repeats {
            triage::repeat(&self.connection, repeat)?;
        }
        let changes = batch.changes.iter();
        let counts = changes
            .map(|change| triage::change(&self.connection, change))
            .collect::<Result<_, _>>()?;
        if let Some(ring) = &batch.ring {
            self.set_meta("ring_cookie", &ring.cookie.cast_signed())?;
            self.set_meta("ring_position", &ring.position.cast_signed())?;
            self.set_meta("ring_progress", &ring.progress)?;
            self.set_meta("ring_is_finished", &ring.is_last)?;
        }
        Ok(counts)
    }

    fn write_record(
        &mut self,
        pending: &Pending,
        sql: &str,
        runs: &mut Runs,
    ) -> rusqlite::Result<()> {
        let record = &*pending.record;
        let boot = self.boot(record.process.boot)?;
        let tty = self.optional_text(record.tty.as_deref().map(str::as_bytes))?;
        let comm = self.optional_text((!record.comm.is_empty()).then_some(&record.comm))?;
        let script = self.optional_text(record.script.as_deref())?;
        let cwd = &record.working_directory;
        let cwd_text =
            self.optional_text((cwd.state != PathState::Absent).then_some(&cwd.bytes))?;
        let executable = self.executable(&record.executable, &record.content)?;
        let context = self.context(&record.context)?;
        let args = self.args(&record.args)?;
        let env = self.env(&record.env)?;
        let parent = record.parent.as_ref();
        // The identity is spelled out only where no row holds it.
        let named_parent = parent.filter(|_| pending.parent_row.is_none());
        let end = EndColumns::of(record);
        if pending.is_run {
            runs.add(executable, record.time_ns);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(params![
            record.row,
            pending.first,
            pending.parent_row,
            named_parent.map(|parent| parent.process.pid),
            named_parent.map(|parent| int(parent.process.start_boottime_ns)),
            parent.map(|parent| parent_source_code(parent.source)),
            boot,
            record.process.pid,
            int(record.process.start_boottime_ns),
            record.ordinal,
            source_code(record.source),
            record.time_ns,
            figure(record.boottime_ns.saturating_sub(record.process.start_boottime_ns)),
            (record.namespace_pid != record.process.pid).then_some(record.namespace_pid),
            record.process_group,
            record.session,
            tty,
            comm,
            executable,
            script,
            cwd_text,
            path_state_code(cwd.state),
            args,
            strings_state_code(record.args.state),
            record.args_count,
            total_column(&record.args),
            head_column(&record.args),
            env,
            strings_state_code(record.env.state),
            total_column(&record.env),
            head_column(&record.env),
            context,
            end.state,
            end.run_ns,
            end.exit_code,
            end.signal,
            end.core_dump,
            end.user_cpu_ns,
            end.system_cpu_ns,
            end.cpu_ns,
            end.max_rss_bytes,
            end.read_bytes,
            end.write_bytes,
        ])?;
        Ok(())
    }

    fn write_end(&mut self, end: &EndOfRows) -> rusqlite::Result<()> {
        let columns = EndColumns::new(Some(&end.end), end.process.start_boottime_ns);
        let mut statement = self.connection.prepare_cached(
            "UPDATE process SET state = ?2, run_ns = ?3, exit_code = ?4, signal = ?5, \
             core_dump = ?6, user_cpu_ns = ?7, system_cpu_ns = ?8, cpu_ns = ?9, \
             max_rss_bytes = ?10, read_bytes = ?11, write_bytes = ?12 WHERE id = ?1",
        )?;
        for row in &end.rows {
            statement.execute(params![
                row,
                columns.state,
                columns.run_ns,
                columns.exit_code,
                columns.signal,
                columns.core_dump,
                columns.user_cpu_ns,
                columns.system_cpu_ns,
                columns.cpu_ns,
                columns.max_rss_bytes,
                columns.read_bytes,
                columns.write_bytes,
            ])?;
        }
        Ok(())
    }

    fn optional_text(&mut self, value: Option<&[u8]>) -> rusqlite::Result<Option<i64>> {
        value.map(|value| self.text.id(&self.connection, &self.era, value)).transpose()
    }

    fn args(&mut self, args: &Strings) -> rusqlite::Result<Option<i64>> {
        if matches!(args.state, StringsState::Absent | StringsState::Off) {
            return Ok(None);
        }
        self.args.id(&self.connection, &self.era, &args.bytes).map(Some)
    }

    /// An environment is stored as the list of its variables: most differ in one or two.
    fn env(&mut self, env: &Strings) -> rusqlite::Result<Option<i64>> {
        if matches!(env.state, StringsState::Absent | StringsState::Off) {
            return Ok(None);
        }
        if let Some(id) = self.environments.id(self.era.current, &env.bytes) {
            return Ok(Some(id));
        }
        let mut ids = Vec::with_capacity(96);
        for variable in env.iter() {
            push_varint(&mut ids, self.env_var.id(&self.connection, &self.era, variable)?);
        }
        let id = self.env.id(&self.connection, &self.era, &ids)?;
        self.environments.keep(&env.bytes, id);
        Ok(Some(id))
    }

    /// `content`: what the recorder knows of it, and the database perhaps no more.
    fn executable(
        &mut self,
        executable: &Arc<Executable>,
        content: &Content,
    ) -> rusqlite::Result<i64> {
        if let Some(place) = self.executables.get_mut(executable)
            && let Some(now) =
                refresh(&self.connection, &self.executable_sql.mark, &self.era, *place)?
        {
            *place = now;
            return Ok(now.id);
        }
        let e = &**executable;
        let path = self.text.id(&self.connection, &self.era, &e.path.bytes)?;
        let columns: [&dyn ToSql; 14] = [
            &path,
            &path_state_code(e.path.state),
            &e.device_major,
            &e.device_minor,
            &int(e.inode),
            &figure(e.size_bytes),
            &e.mtime_ns,
            &e.ctime_ns,
            &e.mode,
            &e.uid,
            &e.gid,
            &e.is_memfd,
            &e.is_deleted,
            &e.is_upper_layer,
        ];
        let hash =
            content_hash(format!("{path} {} {} {}", e.inode, e.ctime_ns, e.size_bytes).as_bytes());
        let place = tuple_place(&self.connection, &self.era, &self.executable_sql, hash, &columns)?;
        if let Some(identity) = executable.identity() {
            findings::inherit(&self.connection, place.id, identity)?;
            findings::restore(&self.connection, place.id, identity, content)?;
        }
        keep(&mut self.executables, executable, place);
        Ok(place.id)
    }

    fn context(&mut self, context: &Arc<Context>) -> rusqlite::Result<i64> {
        if let Some(place) = self.contexts.get_mut(context)
            && let Some(now) = refresh(&self.connection, &self.context_sql.mark, &self.era, *place)?
        {
            *place = now;
            return Ok(now.id);
        }
        let c = &**context;
        let columns: [&dyn ToSql; 27] = [
            &c.uid,
            &c.gid,
            &c.euid,
            &c.egid,
            &c.suid,
            &c.sgid,
            &c.user_name,
            &c.effective_user_name,
            &c.group_name,
            &c.login_uid,
            &c.login_name,
            &c.audit_session,
            &c.cap_effective.cast_signed(),
            &c.cap_permitted.cast_signed(),
            &c.namespaces.mount,
            &c.namespaces.pid,
            &c.namespaces.network,
            &c.namespaces.user,
            &c.namespaces.uts,
            &c.namespaces.ipc,
            &c.namespaces.cgroup,
            &c.cgroup,
            &c.container.as_ref().map(|container| &*container.id),
            &c.container.as_ref().map(|container| &*container.runtime),
            &c.unit,
            &c.slice,
            &c.is_unknown,
        ];
        let key =
            format!("{} {} {} {} {}", c.uid, c.euid, c.cap_effective, c.namespaces.mount, c.cgroup);
        let hash = content_hash(key.as_bytes());
        let place = tuple_place(&self.connection, &self.era, &self.context_sql, hash, &columns)?;
        keep(&mut self.contexts, context, place);
        Ok(place.id)
    }

    pub(super) fn boot(&mut self, boot: BootId) -> rusqlite::Result<i64> {
        if let Some(id) = self.boots.get(&boot) {
            return Ok(*id);
        }
        let bits = boot.bits().cast_signed();
        self.connection.execute("INSERT OR IGNORE INTO boot (boot_id) VALUES (?1)", [bits])?;
        let id =
            self.connection
                .query_row("SELECT id FROM boot WHERE boot_id = ?1", [bits], |row| row.get(0))?;
        self.boots.insert(boot, id);
        Ok(id)
    }

    fn set_meta(&self, key: &str, value: &dyn ToSql) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute(params![key, value])?;
        Ok(())
    }
}

fn keep<T: std::hash::Hash + Eq>(
    cache: &mut HashMap<Arc<T>, Place, foldhash::fast::RandomState>,
    value: &Arc<T>,
    place: Place,
) {
    if cache.len() >= MOST_TUPLES {
        cache.clear();
    }
    cache.insert(value.clone(), place);
}

const INSERT_PROCESS: &str = "INSERT OR REPLACE INTO process VALUES (\
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, \
    ?40, ?41, ?42, ?43, NULL)";

/// What was found out of the script stays.
const REPLACE_PROCESS: &str = "INSERT OR REPLACE INTO process VALUES (\
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, \
    ?40, ?41, ?42, ?43, \
    (SELECT script_file FROM process WHERE id = ?1))";
