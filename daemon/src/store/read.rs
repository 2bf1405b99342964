//! Read-only queries, each on a connection of its own for its time.

use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use common::id::ProcessId;
use common::record::Record;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rusqlite::{Connection, OpenFlags};

use super::page::{Page, Selection, page};
use super::select::{COLUMNS, Resolver};
use super::{StoreError, schema, sql};

/// Connections kept for the next query.
const MOST_IDLE: usize = 4;
/// Steps of SQLite's machine between two looks at whether anybody still wants the answer: about a
/// millisecond.
const STEPS: i32 = 20_000;
/// For one answer. As long as it takes, the log of the database cannot be begun anew, and grows.
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether a query is still wanted.
#[derive(Clone, Default)]
pub(crate) struct Control {
    /// Writing end of the pipe that the answer goes to.
    pipe: Option<Arc<OwnedFd>>,
}

impl Control {
    /// Wanted as long as somebody holds the reading end.
    pub(crate) fn of_pipe(writing_end: OwnedFd) -> Self {
        Self { pipe: Some(Arc::new(writing_end)) }
    }

    /// Nobody wants the answer any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
    }
}

/// Why a query ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("cancelled")]
    Cancelled,
    #[error(
        "the answer took longer than {} minutes, and was cut off: ask for less at once, or go on from \
         the last record",
        .0.as_secs() / 60
    )]
    TooLong(Duration),
    #[error(
        "there are more than {0} different values: give a filter, or a time, that leaves fewer"
    )]
    TooManyValues(usize),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Totals for the health document.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) last_row: u64,
    pub(crate) oldest_ns: Option<i64>,
    /// Of what was recorded since then nothing is deleted.
    pub(crate) complete_since_ns: Option<i64>,
    pub(crate) newest_ns: Option<i64>,
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
    /// Among the newest alerts those that nobody has looked at.
    pub(crate) alerts_new: u64,
}

/// So many alerts are looked at, that their number does not matter.
const MOST_ALERTS_COUNTED: i64 = 10_000;

#[derive(Clone)]
pub(crate) struct Reader {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Nobody writes the file: SQLite needs no log and no locks beside it.
    is_immutable: bool,
    idle: Mutex<Vec<Connection>>,
    /// For one answer.
    longest: Duration,
    /// Nobody is to come back for them.
    is_retired: AtomicBool,
    /// Of the thread that writes: it is told of damage by this.
    is_damaged: OnceLock<Arc<AtomicBool>>,
}

impl Reader {
    /// For the database that this recorder writes. Checks that it can be read.
    #[cfg(feature = "capture")]
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        Self::with(path, false)
    }

    /// For a database that no recorder writes; it may lie in a directory that is not writable.
    pub(crate) fn recorded(path: &Path) -> Result<Self, StoreError> {
        // Reading a log needs an index beside it, which SQLite would write. Without either nobody
        // has the database open, and nothing need be written.
        Self::with(path, !has_log(path))
    }

    fn with(path: &Path, is_immutable: bool) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        // What begins with "file:" is no path to SQLite.
        let path = std::path::absolute(path).map_err(|error| StoreError::Access {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
        let inner = Inner {
            path,
            is_immutable,
            idle: Mutex::default(),
            longest: LONGEST,
            is_retired: AtomicBool::new(false),
            is_damaged: OnceLock::new(),
        };
        let reader = Self { inner: Arc::new(inner) };
        let connection = reader.open()?;
        reader.give_back(connection);
        Ok(reader)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let path = &self.inner.path;
        let of = |error| StoreError::of(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if self.inner.is_immutable {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(sqlite_uri(path, "immutable=1"), flags).map_err(of)?
        } else {
            Connection::open_with_flags(path, flags).map_err(of)?
        };
        connection.busy_timeout(std::time::Duration::from_secs(2)).map_err(of)?;
        connection.pragma_update(None, "query_only", true).map_err(of)?;
        // Sorting must not write files anywhere.
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(of)?;
        connection.pragma_update(None, "cache_size", -4096).map_err(of)?;
        schema::check(&connection, path, false)?;
        sql::register_fixed(&connection).map_err(of)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        if let Ok(mut idle) = self.inner.idle.lock()
            && idle.len() < MOST_IDLE
            && !self.inner.is_retired.load(Ordering::Relaxed)
        {
            idle.push(connection);
        }
    }

    #[cfg(all(test, feature = "capture"))]
    pub(super) fn patient_for(mut self, longest: Duration) -> Self {
        let inner = Arc::get_mut(&mut self.inner).expect("nobody else has it yet");
        inner.longest = longest;
        self
    }

    /// Keeps no connection open from now on, so that the writer's is the last: whoever closes that
    /// one puts the log into the database.
    #[cfg(feature = "capture")]
    pub(crate) fn retire(&self) {
        self.inner.is_retired.store(true, Ordering::Relaxed);
        if let Ok(mut idle) = self.inner.idle.lock() {
            idle.clear();
        }
    }

    /// Whoever writes does not come to all parts of the database: damage may be met here alone.
    #[cfg(feature = "capture")]
    pub(crate) fn tell_of_damage(&self, is_damaged: Arc<AtomicBool>) {
        // Only one thread writes.
        let _ = self.inner.is_damaged.set(is_damaged);
    }

    /// Runs a query that can be cancelled, all of it on one state of the database.
    pub(super) fn run<T>(
        &self,
        control: &Control,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Stopped> {
        let done = self.run_unwatched(control, query);
        if let Err(Stopped::Store(StoreError::Corrupt { .. })) = &done
            && let Some(is_damaged) = self.inner.is_damaged.get()
        {
            is_damaged.store(true, Ordering::Relaxed);
        }
        done
    }

    fn run_unwatched<T>(
        &self,
        control: &Control,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Stopped> {
        let idle = self.inner.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let of = |error| StoreError::of(&self.inner.path, error);
        let (begun, longest) = (Instant::now(), self.inner.longest);
        let is_over = move || begun.elapsed() > longest;
        let watched = control.clone();
        let stop = move || watched.is_cancelled() || is_over();
        connection.progress_handler(STEPS, Some(stop)).map_err(of)?;
        let result = connection.execute_batch("BEGIN").and_then(|()| query(&connection));
        connection.progress_handler(0, None::<fn() -> bool>).map_err(of)?;
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").map_err(of)?;
        }
        self.give_back(connection);
        match result {
            Err(_) if control.is_cancelled() => Err(Stopped::Cancelled),
            Err(error) if is_interrupted(&error) && is_over() => Err(Stopped::TooLong(longest)),
            result => Ok(result.map_err(of)?),
        }
    }

    /// Hands each record of the selection to `take`, until it says stop.
    pub(crate) fn page(
        &self,
        control: &Control,
        selection: &Selection<'_>,
        take: &mut dyn FnMut(&Record) -> ControlFlow<()>,
    ) -> Result<Page, Stopped> {
        self.run(control, |connection| page(connection, selection, take))
    }

    /// Every record of a process, in the order of its images.
    pub(crate) fn process(&self, control: &Control, id: ProcessId) -> Result<Vec<Record>, Stopped> {
        self.run(control, |connection| images(connection, id))
    }

    /// The newest image of each process that had this pid, newest first, at most `limit`.
    pub(crate) fn by_pid(
        &self,
        control: &Control,
        pid: u32,
        limit: usize,
    ) -> Result<Vec<Record>, Stopped> {
        self.run(control, |connection| {
            let mut resolver = Resolver::new(connection);
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM process p WHERE p.pid = ?1 ORDER BY p.id DESC"
            ))?;
            let mut rows = statement.query([pid])?;
            let mut records: Vec<Record> = Vec::new();
            while let Some(row) = rows.next()? {
                let record = resolver.record(row)?;
                if records.iter().any(|known| known.process == record.process) {
                    continue;
                }
                records.push(record);
                if records.len() >= limit {
                    break;
                }
            }
            Ok(records)
        })
    }

    /// Gaps of a time range, newest first.
    pub(crate) fn gaps(
        &self,
        control: &Control,
        since_ns: i64,
        until_ns: i64,
        limit: u32,
    ) -> Result<Vec<common::ecs::Gap>, Stopped> {
        let limit = if limit == 0 { -1 } else { i64::from(limit) };
        self.run(control, |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT time_ns, cpu, kind, count, cause FROM gaps \
                 WHERE time_ns >= ?1 AND time_ns < ?2 ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = statement.query_map([since_ns, until_ns, limit], |row| {
                Ok(common::ecs::Gap {
                    timestamp: common::time::rfc3339(row.get(0)?),
                    cpu: row.get(1)?,
                    kind: row.get(2)?,
                    count: row.get::<_, i64>(3)?.cast_unsigned(),
                    cause: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }

    pub(crate) fn totals(&self, control: &Control) -> Result<Totals, Stopped> {
        self.run(control, |connection| {
            let (gaps, lost) = connection.query_row(
                "SELECT count(*), ifnull(sum(count), 0) FROM gaps",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )?;
            // Rows are numbered without holes, and below the first segment but few are kept: no need
            // to count them.
            let records = connection.query_row(
                "SELECT max(ifnull((SELECT max(id) FROM process), 0) + 1 \
                 - ifnull((SELECT first_row FROM segment ORDER BY id LIMIT 1), 1), 0) \
                 + (SELECT count(*) FROM kept)",
                [],
                |row| row.get::<_, i64>(0),
            )?;
            let (oldest_ns, newest_ns, complete_since_ns) = connection.query_row(
                "SELECT (SELECT min(time_ns) FROM process), (SELECT max(time_ns) FROM process), \
                 (SELECT time_ns FROM segment ORDER BY id LIMIT 1)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let alerts_new: i64 = connection.query_row(
                "SELECT count(*) FROM (SELECT status FROM alert ORDER BY id DESC LIMIT ?1) \
                 WHERE status = 0",
                [MOST_ALERTS_COUNTED],
                |row| row.get(0),
            )?;
            let last_row: i64 =
                connection
                    .query_row("SELECT ifnull(max(id), 0) FROM process", [], |row| row.get(0))?;
            Ok(Totals {
                records: records.cast_unsigned(),
                last_row: last_row.cast_unsigned(),
                oldest_ns,
                complete_since_ns,
                newest_ns,
                gaps: gaps.cast_unsigned(),
                lost: lost.cast_unsigned(),
                alerts_new: alerts_new.cast_unsigned(),
            })
        })
    }

    /// Of the database and its log.
    pub(crate) fn size_bytes(&self) -> u64 {
        ["", "-wal"]
            .iter()
            .filter_map(|suffix| {
                let mut name = self.inner.path.as_os_str().to_owned();
                name.push(suffix);
                std::fs::metadata(name).ok().map(|meta| meta.len())
            })
            .sum()
    }
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
}

fn has_log(path: &Path) -> bool {
    ["-wal", "-shm"].iter().any(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    })
}

/// The file as a URI with one parameter. `sqlite.org/uri.html`: every byte that could mean something
/// there is escaped.
pub(crate) fn sqlite_uri(path: &Path, parameter: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    uri.push('?');
    uri.push_str(parameter);
    uri
}

/// Every record of a process, in the order of its images.
pub(super) fn images(connection: &Connection, id: ProcessId) -> rusqlite::Result<Vec<Record>> {
    let mut resolver = Resolver::new(connection);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM process p WHERE p.pid = ?1 AND p.start_boottime_ns = ?2 \
         AND p.boot = (SELECT id FROM boot WHERE boot_id = ?3) ORDER BY p.id"
    ))?;
    let mut rows = statement.query([
        i64::from(id.pid),
        id.start_boottime_ns.cast_signed(),
        id.boot.bits().cast_signed(),
    ])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(resolver.record(row)?);
    }
    Ok(records)
}

pub(super) fn record(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    row: i64,
) -> rusqlite::Result<Option<Record>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM process p WHERE p.id = ?1"))?;
    let mut rows = statement.query([row])?;
    rows.next()?.map(|row| resolver.record(row)).transpose()
}
