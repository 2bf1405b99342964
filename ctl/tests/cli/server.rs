//! A recorder of canned records on a socket of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "server/alerts.rs"]
pub(crate) mod alerts;
#[path = "server/binaries.rs"]
pub(crate) mod binaries;
#[path = "server/rules.rs"]
pub(crate) mod rules;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock};

use common::binary::{Hashes, Package, PackageState, Storage, Unread};
use common::bus::{Candidate, Count, Error, PATH};
use common::ecs::{Done, Event, Gap, Line};
use common::filter::Filter;
use common::health::{Capture, Health, Store};
use common::id::{BootId, ProcessId};
use common::record::{
    Content, Context, End, Executable, FileContent, ObservedEnd, Parent, ParentSource, PathState,
    PathText, Record, Source, Strings, StringsState,
};
use tempfile::TempDir;
use tokio::net::UnixListener;
use zbus::connection::Builder;
use zbus::{Guid, interface};

use self::binaries::Copies;

/// 2026-11-24T08:50:06Z
const TIME_NS: i64 = 1_795_510_206_000_000_000;

/// What a query without a filter gives: running, ended, killed.
pub(crate) static RECORDS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [100, 101, 102].map(|pid| line(&Line::Event(Box::new(Event::began(&record(pid))))))
});

fn line(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap() + "\n"
}

fn process(pid: u32, start_boottime_ns: u64) -> ProcessId {
    ProcessId { boot: BootId::from_bits(0x3f2a_9c81_d0b4), pid, start_boottime_ns }
}

fn record(pid: u32) -> Record {
    let time_ns = TIME_NS + i64::from(pid - 100) * 1_000_000_000;
    let context = Context { user_name: Some("root".to_owned()), ..Context::default() };
    let path = PathText { bytes: Arc::from(*b"/bin/sh"), state: PathState::Complete };
    let args: &[u8] = b"sh\0-c\0\x1b[2J\0";
    Record {
        row: i64::from(pid),
        process: process(pid, 100),
        ordinal: 1,
        source: Source::Exec,
        time_ns,
        boottime_ns: 100,
        start_ns: time_ns,
        parent: Some(Parent {
            process: process(1, 1),
            executable: Arc::from([]),
            args: Arc::from([]),
            context: None,
            source: ParentSource::Fork,
        }),
        namespace_pid: pid,
        process_group: pid,
        session: pid,
        tty: None,
        comm: Arc::from(*b"sh"),
        executable: Arc::new(Executable { path, ..Executable::absent() }),
        content: content(pid),
        script: None,
        script_content: Content::Unknown,
        working_directory: PathText::absent(),
        args: Strings {
            bytes: Arc::from(args),
            state: StringsState::Complete,
            total_bytes: args.len() as u64,
        },
        args_count: 3,
        env: Strings::absent(),
        context: Arc::new(context),
        end: (pid > 100).then(|| end(time_ns, (pid == 102).then_some(9))),
    }
}

/// Of the first it is known, of the second why it is not.
fn content(pid: u32) -> Content {
    match pid {
        100 => Content::Read(Arc::new(FileContent {
            hashes: Hashes {
                sha256: "9f86".repeat(16),
                sha1: "a94a".repeat(10),
                md5: "098f".repeat(8),
            },
            package: Some(Package {
                name: "dash".to_owned(),
                version: None,
                manager: "dpkg".to_owned(),
                state: PackageState::Modified,
            }),
            storage: Storage::Kept,
            ..FileContent::default()
        })),
        101 => Content::Unread(Unread::Gone),
        _ => Content::Unknown,
    }
}

fn end(time_ns: i64, signal: Option<u8>) -> End {
    End {
        observed: Some(ObservedEnd {
            time_ns,
            boottime_ns: 1_400_100,
            exit_code: signal.is_none().then_some(0),
            signal,
            has_core_dump: false,
            user_cpu_ns: 0,
            system_cpu_ns: 0,
            cpu_ns: 0,
            max_rss_bytes: 0,
            io: None,
        }),
    }
}

fn gap() -> String {
    line(&Line::Gap(Gap {
        timestamp: common::time::rfc3339(TIME_NS),
        cpu: 1,
        kind: "exec".to_owned(),
        count: 12,
        cause: "ring-full".to_owned(),
    }))
}

fn done(count: usize, has_more: bool) -> String {
    let cursor = has_more.then(|| "more".to_owned());
    line(&Line::Done(Done { count: count as u64, cursor, ..Done::default() }))
}

/// A pipe that another thread fills; `more` is written until nobody reads any more.
fn pipe(text: String, more: Option<String>) -> Result<zbus::OwnedFd, Error> {
    let (reader, mut writer) = std::io::pipe().map_err(|error| Error::Failed(error.to_string()))?;
    std::thread::spawn(move || {
        let mut result = writer.write_all(text.as_bytes());
        while let (Ok(()), Some(more)) = (&result, &more) {
            result = writer.write_all(more.as_bytes());
        }
    });
    Ok(OwnedFd::from(reader).into())
}

/// A pipe whose writing end stays open, as that of a recorder with nothing new.
fn open_pipe(text: &str) -> Result<zbus::OwnedFd, Error> {
    let (reader, mut writer) = std::io::pipe().map_err(|error| Error::Failed(error.to_string()))?;
    writer.write_all(text.as_bytes()).map_err(|error| Error::Failed(error.to_string()))?;
    std::mem::forget(writer);
    Ok(OwnedFd::from(reader).into())
}

fn check_filter(filter: &str) -> Result<(), Error> {
    match Filter::parse(filter, 0) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::InvalidFilter(error.render(filter))),
    }
}

fn resolve(id: &str) -> Result<(), Error> {
    let candidate = |start, command: &str| Candidate {
        entity_id: process(7, start),
        start: common::time::rfc3339(TIME_NS),
        executable: "/bin/sh".to_owned(),
        command_line: command.to_owned(),
        state: "ended".to_owned(),
    };
    match id {
        "7" => {
            let candidates = [candidate(100, "one"), candidate(200, "two")];
            Err(Error::Ambiguous(serde_json::to_string(&candidates).unwrap()))
        }
        "8" => Err(Error::NotFound("no process 8".to_owned())),
        _ => Ok(()),
    }
}

struct Processes;

#[interface(name = "org.bpfrecorder.Recorder1.Processes")]
impl Processes {
    async fn query(
        &self,
        filter: &str,
        limit: u32,
        newest_first: bool,
        cursor: &str,
    ) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        assert_eq!(cursor, "");
        let mut records = match filter {
            "" | "endless" => RECORDS.to_vec(),
            "cutoff" => return pipe(RECORDS[0].clone(), None),
            _ => Vec::new(),
        };
        if newest_first {
            records.reverse();
        }
        let all = records.len();
        if limit > 0 {
            records.truncate(limit as usize);
        }
        let text = records.concat();
        match filter {
            "endless" => pipe(text, Some(RECORDS.concat())),
            _ => pipe(text + &done(records.len(), records.len() < all), None),
        }
    }

    async fn subscribe(&self, filter: &str, backlog: u32) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        assert_eq!(backlog, 50);
        let text = [
            RECORDS[0].clone(),
            line(&Line::Event(Box::new(Event::ended(&record(102))))),
            line(&Line::Missed(2)),
            gap(),
        ]
        .concat();
        if filter == "cutoff" {
            return pipe(text, None);
        }
        open_pipe(&text)
    }

    async fn get(&self, id: &str) -> Result<String, Error> {
        resolve(id)?;
        let at = if id == "101" { 1 } else { 0 };
        Ok(format!("[{}]", RECORDS[at].trim_end()))
    }

    async fn tree(
        &self,
        id: &str,
        _up: u32,
        _down: u32,
        _limit: u32,
    ) -> Result<zbus::OwnedFd, Error> {
        resolve(id)?;
        pipe(RECORDS.concat() + &done(3, false), None)
    }

    async fn top(
        &self,
        _field: &str,
        filter: &str,
        _limit: u32,
        _rarest: bool,
    ) -> Result<zbus::OwnedFd, Error> {
        check_filter(filter)?;
        let value = "/bin/sh".to_owned();
        let count = Count { value, count: 3, first_ns: TIME_NS, last_ns: TIME_NS };
        let count = serde_json::to_string(&count).unwrap();
        pipe(format!("{count}\n{}", done(1, false)), None)
    }
}

struct Manager;

#[interface(name = "org.bpfrecorder.Recorder1.Manager")]
impl Manager {
    async fn health(&self) -> Result<String, Error> {
        let health = Health {
            state: "recording".to_owned(),
            host: "web1".to_owned(),
            since: common::time::rfc3339(TIME_NS),
            store: Store { gaps: 1, lost: 12, ..Store::default() },
            capture: Some(Capture::default()),
            ..Health::default()
        };
        Ok(serde_json::to_string(&health).unwrap())
    }

    async fn gaps(
        &self,
        _since_ns: i64,
        _until_ns: i64,
        limit: u32,
    ) -> Result<zbus::OwnedFd, Error> {
        assert_eq!(limit, 20);
        pipe(gap() + &done(1, false), None)
    }
}

/// Serves until it is dropped.
pub(crate) struct Server {
    directory: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with_copies(Copies::default())
    }

    pub(crate) fn with_copies(copies: Copies) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(directory.path().join("socket")).unwrap()
        };
        runtime.spawn(serve(listener, copies));
        Self { directory, _runtime: runtime }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.directory.path().join("socket").display())
    }
}

async fn serve(listener: UnixListener, copies: Copies) {
    let mut connections = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        let stream = stream.into_std().unwrap();
        let connection = Builder::unix_stream(stream)
            .server(Guid::generate())
            .p2p()
            .serve_at(PATH, Processes)
            .serve_at(PATH, Manager)
            .serve_at(PATH, rules::Rules)
            .serve_at(PATH, alerts::Alerts)
            .serve_at(PATH, binaries::Binaries { copies })
            .build()
            .await;
        connections.extend(connection);
    }
}
