//! Rows back into records.
//!
//! A row holds ids; what they stand for is resolved through small caches, since pages of records
//! share most of it. Rows of a dictionary never change, so a cached one is never stale.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Row};

use common::id::{BootId, ProcessId};
use common::record::{
    Container, Content, Context, End, Executable, Io, Namespaces, ObservedEnd, Parent,
    ParentSource, PathState, PathText, Record, Source, Strings, StringsState,
};

use super::contents::{CONTENT_COLUMNS, content_of};
use super::dictionary::{unpack, varints};

macro_rules! columns {
    ($first:ident $first_name:literal, $($column:ident $name:literal,)*) => {
        /// Columns that [`Resolver::record`] reads, from `process p`.
        pub(super) const COLUMNS: &str = concat!("p.", $first_name, $(", p.", $name),*);

        /// Where they stand: to find each by its name takes as long as all the rest.
        #[derive(Clone, Copy)]
        enum Column { $first, $($column),* }
    };
}

columns! {
    Id "id", Parent "parent", ParentPid "parent_pid", ParentStart "parent_start",
    ParentSource "parent_source", Boot "boot", Pid "pid", StartBoottimeNs "start_boottime_ns",
    Ordinal "ordinal", Source "source", TimeNs "time_ns", AgeNs "age_ns",
    NamespacePid "namespace_pid", ProcessGroup "process_group", Session "session", Tty "tty",
    Comm "comm", Executable "executable", Script "script", Cwd "cwd", CwdState "cwd_state",
    Args "args", ArgsState "args_state", ArgsCount "args_count", ArgsTotal "args_total",
    ArgsHead "args_head", Env "env", EnvState "env_state", EnvTotal "env_total", EnvHead "env_head",
    Context "context", State "state", RunNs "run_ns", ExitCode "exit_code", Signal "signal",
    CoreDump "core_dump", UserCpuNs "user_cpu_ns", SystemCpuNs "system_cpu_ns", CpuNs "cpu_ns",
    MaxRssBytes "max_rss_bytes", ReadBytes "read_bytes", WriteBytes "write_bytes",
    ScriptFile "script_file",
}

/// A row of [`COLUMNS`].
struct ProcessRow<'r>(&'r Row<'r>);

impl ProcessRow<'_> {
    fn get<T: FromSql>(&self, column: Column) -> rusqlite::Result<T> {
        self.0.get(column as usize)
    }

    /// What the store has as a signed number.
    fn unsigned(&self, column: Column) -> rusqlite::Result<u64> {
        self.get::<i64>(column).map(i64::cast_unsigned)
    }
}

/// Entries of each cache; it is emptied beyond.
const MOST_CACHED: usize = 8192;

type Cache<T> = HashMap<i64, T, foldhash::fast::RandomState>;

/// Turns rows into records.
pub(super) struct Resolver<'c> {
    connection: &'c Connection,
    texts: Cache<Arc<[u8]>>,
    args: Cache<Arc<[u8]>>,
    env_vars: Cache<Arc<[u8]>>,
    envs: Cache<Arc<[u8]>>,
    executables: Cache<(Arc<Executable>, Content)>,
    contexts: Cache<Arc<Context>>,
    parents: Cache<Option<Parent>>,
    boots: Cache<BootId>,
}

impl<'c> Resolver<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            texts: Cache::default(),
            args: Cache::default(),
            env_vars: Cache::default(),
            envs: Cache::default(),
            executables: Cache::default(),
            contexts: Cache::default(),
            parents: Cache::default(),
            boots: Cache::default(),
        }
    }

    /// The record of a row of [`COLUMNS`].
    pub(super) fn record(&mut self, row: &Row<'_>) -> rusqlite::Result<Record> {
        let row = &ProcessRow(row);
        let boot = self.boot(row.get(Column::Boot)?)?;
        let process = ProcessId {
            boot,
            pid: row.get(Column::Pid)?,
            start_boottime_ns: row.unsigned(Column::StartBoottimeNs)?,
        };
        let time_ns: i64 = row.get(Column::TimeNs)?;
        let age_ns: i64 = row.get(Column::AgeNs)?;
        let boottime_ns = process.start_boottime_ns.saturating_add(age_ns.cast_unsigned());
        let start_ns = time_ns.saturating_sub(age_ns);
        let args_id: Option<i64> = row.get(Column::Args)?;
        let args = match args_id {
            Some(id) => self.args(id)?,
            None => Arc::from([]),
        };
        let env_id: Option<i64> = row.get(Column::Env)?;
        let env = match env_id {
            Some(id) => self.env(id)?,
            None => Arc::from([]),
        };
        let (executable, content) = self.executable(row.get(Column::Executable)?)?;
        let script_content = match row.get::<Option<i64>>(Column::ScriptFile)? {
            Some(id) => self.executable(id)?.1,
            None => Content::Unknown,
        };
        Ok(Record {
            row: row.get(Column::Id)?,
            process,
            ordinal: row.get(Column::Ordinal)?,
            source: decode(&Source::ALL, row.get(Column::Source)?),
            time_ns,
            boottime_ns,
            start_ns,
            parent: self.parent(row, boot)?,
            namespace_pid: row.get::<Option<u32>>(Column::NamespacePid)?.unwrap_or(process.pid),
            process_group: row.get(Column::ProcessGroup)?,
            session: row.get(Column::Session)?,
            tty: self
                .optional_text(row.get(Column::Tty)?)?
                .map(|name| String::from_utf8_lossy(&name).into_owned()),
            comm: self.optional_text(row.get(Column::Comm)?)?.unwrap_or_else(|| Arc::from([])),
            executable,
            content,
            script: self.optional_text(row.get(Column::Script)?)?,
            script_content,
            working_directory: PathText {
                bytes: self.optional_text(row.get(Column::Cwd)?)?.unwrap_or_else(|| Arc::from([])),
                state: decode(&PathState::ALL, row.get(Column::CwdState)?),
            },
            args_count: row.get(Column::ArgsCount)?,
            args: strings(row, args, [Column::ArgsState, Column::ArgsTotal, Column::ArgsHead])?,
            env: strings(row, env, [Column::EnvState, Column::EnvTotal, Column::EnvHead])?,
            context: self.context(row.get(Column::Context)?)?,
            end: end(row, &process, start_ns)?,
        })
    }

    fn boot(&mut self, id: i64) -> rusqlite::Result<BootId> {
        cached(&mut self.boots, id, || {
            self.connection
                .prepare_cached("SELECT boot_id FROM boot WHERE id = ?1")?
                .query_row([id], |row| Ok(BootId::from_bits(unsigned(row, "boot_id")?)))
        })
    }

    fn optional_text(&mut self, id: Option<i64>) -> rusqlite::Result<Option<Arc<[u8]>>> {
        id.map(|id| self.text(id)).transpose()
    }

    fn text(&mut self, id: i64) -> rusqlite::Result<Arc<[u8]>> {
        cached(&mut self.texts, id, || value(self.connection, "text", id))
    }

    fn args(&mut self, id: i64) -> rusqlite::Result<Arc<[u8]>> {
        cached(&mut self.args, id, || value(self.connection, "args", id))
    }

    fn env(&mut self, id: i64) -> rusqlite::Result<Arc<[u8]>> {
        if let Some(env) = self.envs.get(&id) {
            return Ok(env.clone());
        }
        let list = value(self.connection, "env", id)?;
        let mut joined = Vec::new();
        for variable in varints(&list) {
            let connection = self.connection;
            let bytes =
                cached(&mut self.env_vars, variable, || value(connection, "env_var", variable))?;
            joined.extend_from_slice(&bytes);
            joined.push(0);
        }
        cached(&mut self.envs, id, || Ok(joined.into()))
    }

    fn executable(&mut self, id: i64) -> rusqlite::Result<(Arc<Executable>, Content)> {
        if let Some(known) = self.executables.get(&id) {
            return Ok(known.clone());
        }
        let (path, mut executable, content) = self
            .connection
            .prepare_cached(&format!(
                "SELECT e.*, {CONTENT_COLUMNS} FROM executable e \
                 LEFT JOIN binary b ON b.id = e.binary WHERE e.id = ?1"
            ))?
            .query_row([id], |row| Ok((row.get("path")?, executable_of(row)?, content_of(row)?)))?;
        executable.path.bytes = self.text(path)?;
        cached(&mut self.executables, id, || Ok((Arc::new(executable), content)))
    }

    fn context(&mut self, id: i64) -> rusqlite::Result<Arc<Context>> {
        cached(&mut self.contexts, id, || {
            self.connection
                .prepare_cached("SELECT * FROM context WHERE id = ?1")?
                .query_row([id], |row| context_of(row).map(Arc::new))
        })
    }

    fn parent(&mut self, row: &ProcessRow<'_>, boot: BootId) -> rusqlite::Result<Option<Parent>> {
        let Some(source) = row.get::<Option<i64>>(Column::ParentSource)? else {
            return Ok(None);
        };
        let source = if source == 0 { ParentSource::Fork } else { ParentSource::Current };
        let stored = match row.get::<Option<i64>>(Column::Parent)? {
            Some(id) => self.parent_row(id, boot)?,
            None => None,
        };
        if let Some(parent) = stored {
            return Ok(Some(Parent { source, ..parent }));
        }
        let Some(pid) = row.get::<Option<u32>>(Column::ParentPid)? else {
            return Ok(None);
        };
        let start_boottime_ns =
            row.get::<Option<i64>>(Column::ParentStart)?.unwrap_or(0).cast_unsigned();
        Ok(Some(Parent {
            process: ProcessId { boot, pid, start_boottime_ns },
            executable: Arc::from([]),
            args: Arc::from([]),
            context: None,
            source,
        }))
    }

    fn parent_row(&mut self, id: i64, boot: BootId) -> rusqlite::Result<Option<Parent>> {
        if let Some(parent) = self.parents.get(&id) {
            return Ok(parent.clone());
        }
        let found = self
            .connection
            .prepare_cached(
                "SELECT pid, start_boottime_ns, executable, args, context FROM process \
                 WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let process = ProcessId {
                    boot,
                    pid: row.get(0)?,
                    start_boottime_ns: unsigned(row, "start_boottime_ns")?,
                };
                Ok((process, row.get(2)?, row.get::<_, Option<i64>>(3)?, row.get(4)?))
            })
            .optional()?;
        let parent = match found {
            None => None,
            Some((process, executable, args, context)) => {
                let context = self.context(context)?;
                Some(Parent {
                    process,
                    executable: self.executable(executable)?.0.path.bytes.clone(),
                    args: match args {
                        Some(id) => self.args(id)?,
                        None => Arc::from([]),
                    },
                    context: (!context.is_unknown).then_some(context),
                    source: ParentSource::Fork,
                })
            }
        };
        cached(&mut self.parents, id, || Ok(parent))
    }
}

fn cached<T: Clone>(
    cache: &mut Cache<T>,
    id: i64,
    load: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    if let Some(value) = cache.get(&id) {
        return Ok(value.clone());
    }
    let value = load()?;
    if cache.len() >= MOST_CACHED {
        cache.clear();
    }
    cache.insert(id, value.clone());
    Ok(value)
}

pub(super) fn value(connection: &Connection, table: &str, id: i64) -> rusqlite::Result<Arc<[u8]>> {
    connection
        .prepare_cached(&format!("SELECT raw_bytes, value FROM {table} WHERE id = ?1"))?
        .query_row([id], |row| {
            let stored = row.get_ref(1)?.as_blob()?;
            let raw = unpack(stored, row.get(0)?).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(
                    1,
                    rusqlite::types::Type::Blob,
                    error.into(),
                )
            })?;
            Ok(Arc::from(&*raw))
        })
}

fn strings(
    row: &ProcessRow<'_>,
    bytes: Arc<[u8]>,
    [state, total, head]: [Column; 3],
) -> rusqlite::Result<Strings> {
    let state = match row.get::<i64>(state)? {
        0 => StringsState::Complete,
        1 => StringsState::Cut { head_bytes: row.get::<Option<u32>>(head)?.unwrap_or(0) },
        2 => StringsState::Fault,
        3 => StringsState::Off,
        _ => StringsState::Absent,
    };
    let total_bytes = match row.get::<Option<i64>>(total)? {
        Some(total) => total.cast_unsigned(),
        None => bytes.len() as u64,
    };
    Ok(Strings { bytes, state, total_bytes })
}

pub(super) fn executable_of(row: &Row<'_>) -> rusqlite::Result<Executable> {
    Ok(Executable {
        path: PathText {
            bytes: Arc::from([]),
            state: decode(&PathState::ALL, row.get("path_state")?),
        },
        device_major: row.get("device_major")?,
        device_minor: row.get("device_minor")?,
        inode: unsigned(row, "inode")?,
        size_bytes: unsigned(row, "size_bytes")?,
        mtime_ns: row.get("mtime_ns")?,
        ctime_ns: row.get("ctime_ns")?,
        mode: row.get("mode")?,
        uid: row.get("uid")?,
        gid: row.get("gid")?,
        is_memfd: row.get("is_memfd")?,
        is_deleted: row.get("is_deleted")?,
        is_upper_layer: row.get("is_upper")?,
    })
}

fn context_of(row: &Row<'_>) -> rusqlite::Result<Context> {
    let container = match (row.get("container")?, row.get("runtime")?) {
        (Some(id), Some(runtime)) => Some(Container { runtime, id }),
        _ => None,
    };
    Ok(Context {
        uid: row.get("uid")?,
        gid: row.get("gid")?,
        euid: row.get("euid")?,
        egid: row.get("egid")?,
        suid: row.get("suid")?,
        sgid: row.get("sgid")?,
        user_name: row.get("user_name")?,
        effective_user_name: row.get("effective_name")?,
        group_name: row.get("group_name")?,
        login_uid: row.get("login_uid")?,
        login_name: row.get("login_name")?,
        audit_session: row.get("audit_session")?,
        cap_effective: unsigned(row, "cap_effective")?,
        cap_permitted: unsigned(row, "cap_permitted")?,
        namespaces: Namespaces {
            mount: row.get("mount_ns")?,
            pid: row.get("pid_ns")?,
            network: row.get("network_ns")?,
            user: row.get("user_ns")?,
            uts: row.get("uts_ns")?,
            ipc: row.get("ipc_ns")?,
            cgroup: row.get("cgroup_ns")?,
        },
        cgroup: row.get("cgroup")?,
        container,
        unit: row.get("unit")?,
        slice: row.get("slice")?,
        is_unknown: row.get("is_unknown")?,
    })
}

fn end(row: &ProcessRow<'_>, process: &ProcessId, start_ns: i64) -> rusqlite::Result<Option<End>> {
    match row.get::<i64>(Column::State)? {
        0 => return Ok(None),
        4 => return Ok(Some(End { observed: None })),
        _ => {}
    }
    let run_ns: i64 = row.get::<Option<i64>>(Column::RunNs)?.unwrap_or(0);
    let figure = |column| -> rusqlite::Result<u64> {
        Ok(row.get::<Option<i64>>(column)?.unwrap_or(0).cast_unsigned())
    };
    let read_bytes: Option<i64> = row.get(Column::ReadBytes)?;
    let write_bytes: Option<i64> = row.get(Column::WriteBytes)?;
    Ok(Some(End {
        observed: Some(ObservedEnd {
            time_ns: start_ns.saturating_add(run_ns),
            boottime_ns: process.start_boottime_ns.saturating_add(run_ns.cast_unsigned()),
            exit_code: row.get(Column::ExitCode)?,
            signal: row.get(Column::Signal)?,
            has_core_dump: row.get::<Option<bool>>(Column::CoreDump)?.unwrap_or(false),
            user_cpu_ns: figure(Column::UserCpuNs)?,
            system_cpu_ns: figure(Column::SystemCpuNs)?,
            cpu_ns: figure(Column::CpuNs)?,
            max_rss_bytes: figure(Column::MaxRssBytes)?,
            io: read_bytes.zip(write_bytes).map(|(read, write)| Io {
                read_bytes: read.cast_unsigned(),
                write_bytes: write.cast_unsigned(),
            }),
        }),
    }))
}

fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// The value of a stored code; an unknown one (a damaged file) is the last of the list.
pub(super) fn decode<T: Copy>(all: &[T], code: i64) -> T {
    let index = usize::try_from(code).unwrap_or(usize::MAX).min(all.len() - 1);
    all[index]
}

/// The plus keeps SQLite from going through all rows, because these are in this order already.
#[cfg(feature = "capture")]
pub(super) const RUNNING: &str = "FROM process p WHERE p.state = 0 ORDER BY +p.id";

/// All rows of processes that are not known to have ended, each with the row of its parent.
#[cfg(feature = "capture")]
pub(super) fn running(connection: &Connection) -> rusqlite::Result<Vec<(Record, Option<i64>)>> {
    let mut resolver = Resolver::new(connection);
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} {RUNNING}"))?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push((resolver.record(row)?, row.get("parent")?));
    }
    Ok(records)
}
