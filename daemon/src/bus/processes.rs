//! `org.bpfrecorder.Recorder1.Processes`: queries and subscriptions.

use std::io;
use std::ops::ControlFlow;

use common::bus::{Candidate, CountLine, Error};
use common::ecs::{Event, Line};
use common::escape;
use common::filter::{Field, Filter};
use common::id::ProcessId;
#[cfg(feature = "capture")]
use common::record::Source;
use common::record::{Record, join_strings};
use common::time::rfc3339;
use zbus::message::Header;
use zbus::{Connection, OwnedFd, interface};

use super::access::Access;
use super::pipe::{self, Sink};
#[cfg(feature = "capture")]
use super::subscription::{self, Backlog, MOST_RECENT_ROWS};
use super::{Service, failed, now_ns};
use crate::store::{Control, Grouping, Reach, Reader, Selection, Stopped};

pub(super) struct Processes {
    service: Service,
    access: Access,
}

impl Processes {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

/// How many processes of one pid are offered to choose from.
const MOST_CANDIDATES: usize = 20;
const MOST_BUCKETS: u32 = 10_000;
const MOST_TOP: u32 = 10_000;
const MOST_TREE: u32 = 100_000;
pub(super) const MOST_BACKLOG: u32 = 1_000_000;

/// The record of processes.
#[interface(name = "org.bpfrecorder.Recorder1.Processes")]
impl Processes {
    /// Records that match the filter, as NDJSON on a pipe that ends with a `done` line.
    ///
    /// A `limit` of 0 means all. `cursor` is empty, or that of the `done` line of the page before.
    async fn query(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        limit: u32,
        newest_first: bool,
        cursor: &str,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = parse(filter)?;
        let cursor = parse_cursor(cursor)?;
        let is_current = self.service.flush().await;
        let reader = self.service.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        sink.set_behind(!is_current);
        self.service.spawn_query(move || {
            let selection = Selection {
                filter: &filter,
                limit,
                is_newest_first: newest_first,
                cursor,
                last_row: None,
            };
            let control = sink.control()?;
            let mut broken = None;
            let result = reader
                .page(&control, &selection, &mut |record| write(&mut sink, record, &mut broken));
            drop(control);
            finish(sink, broken, result.map(|page| page.cursor))
        })?;
        Ok(reading.into())
    }

    /// Records as they happen, until the pipe is closed: first the newest `backlog` stored ones
    /// that match, oldest first, then exec, fork and end events and gaps.
    ///
    /// A subscriber that reads too slowly gets a `missed` line with the number of events it was
    /// not sent; they are in the store.
    async fn subscribe(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        backlog: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = parse(filter)?;
        if backlog > MOST_BACKLOG {
            return Err(Error::InvalidArgument(format!("backlog: at most {MOST_BACKLOG}")));
        }
        self.service.subscribe(filter, backlog).await
    }

    /// Every record of one process, as a JSON array in the order of its images.
    ///
    /// `id` is an entity id or a pid. A pid that several processes had is answered with
    /// `Error.Ambiguous`, whose text is a JSON array of candidates.
    async fn get(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: &str,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        let process = self.service.resolve(id).await?;
        let records = self
            .service
            .blocking(move |reader| reader.process(&Control::default(), process))
            .await?;
        if records.is_empty() {
            return Err(not_found(id));
        }
        let events: Vec<Event<'_>> = records.iter().map(Event::began).collect();
        serde_json::to_string(&events).map_err(failed)
    }

    /// Ancestors (at most `up` generations) and descendants (at most `down`) of a process, at most
    /// `limit` records, as NDJSON: ancestors from the oldest, the process, then descendants,
    /// parents before children and siblings by start. Of each process its newest record.
    async fn tree(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: &str,
        up: u32,
        down: u32,
        limit: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        if limit == 0 || limit > MOST_TREE {
            return Err(Error::InvalidArgument(format!("limit: from 1 to {MOST_TREE}")));
        }
        let process = self.service.resolve(id).await?;
        let reader = self.service.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        self.service.spawn_query(move || {
            let control = sink.control()?;
            let reach = Reach { up, down, limit: limit as usize };
            let result = reader.tree(&control, process, &reach);
            drop(control);
            let mut broken = None;
            let result = result.map(|records| {
                for record in &records {
                    if write(&mut sink, record, &mut broken).is_break() {
                        break;
                    }
                }
                None
            });
            finish(sink, broken, result)
        })?;
        Ok(reading.into())
    }

    /// How many records that match began in each of `buckets` equal parts of a time range
    /// (nanoseconds since 1970): NDJSON, one line with the numbers and a `done` line.
    async fn histogram(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        from_ns: i64,
        to_ns: i64,
        buckets: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = parse(filter)?;
        if buckets == 0 || buckets > MOST_BUCKETS || to_ns <= from_ns {
            return Err(Error::InvalidArgument(format!(
                "give 1 to {MOST_BUCKETS} buckets, and from_ns before to_ns"
            )));
        }
        let is_current = self.service.flush().await;
        self.service.count(is_current, move |reader, control| {
            let counts = reader.histogram(control, &filter, from_ns, to_ns, buckets)?;
            Ok(vec![CountLine::Buckets(counts)])
        })
    }

    /// The values of a field that occur most often, or most rarely, each with its count and the
    /// times of the first and last record (nanoseconds since 1970): NDJSON with a `done` line.
    async fn top(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        field: &str,
        filter: &str,
        limit: u32,
        rarest: bool,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = parse(filter)?;
        let wanted = Field::parse(field).ok_or_else(|| unknown_field(field))?;
        let grouping = Grouping::by(wanted).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "{field} has several values in one record and cannot be counted: choose another \
                 field"
            ))
        })?;
        if limit == 0 || limit > MOST_TOP {
            return Err(Error::InvalidArgument(format!("limit: from 1 to {MOST_TOP}")));
        }
        let is_current = self.service.flush().await;
        self.service.count(is_current, move |reader, control| {
            let counts = reader.top(control, &grouping, &filter, limit, rarest)?;
            Ok(counts.into_iter().map(CountLine::Value).collect())
        })
    }
}

pub(super) fn parse(text: &str) -> Result<Filter, Error> {
    Filter::parse(text, now_ns()).map_err(|error| Error::InvalidFilter(error.render(text)))
}

pub(super) fn parse_cursor(cursor: &str) -> Result<Option<i64>, Error> {
    match cursor {
        "" => Ok(None),
        cursor => cursor.parse().map(Some).map_err(|_| {
            Error::InvalidArgument("cursor: give that of the last `done` line".to_owned())
        }),
    }
}

fn unknown_field(name: &str) -> Error {
    let hint = Field::nearest(name).map_or_else(
        || "see bpfctl fields".to_owned(),
        |near| format!("did you mean {}?", near.name()),
    );
    Error::InvalidArgument(format!("there is no field {}: {hint}", escape::terminal(name)))
}

fn not_found(id: &str) -> Error {
    Error::NotFound(format!("no process {} is recorded", escape::terminal(id)))
}

fn write(sink: &mut Sink, record: &Record, broken: &mut Option<io::Error>) -> ControlFlow<()> {
    match sink.line(&Line::Event(Box::new(Event::began(record)))) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            *broken = Some(error);
            ControlFlow::Break(())
        }
    }
}

fn finish(
    sink: Sink,
    broken: Option<io::Error>,
    result: Result<Option<i64>, Stopped>,
) -> io::Result<()> {
    if let Some(error) = broken {
        return Err(error);
    }
    match result {
        Ok(cursor) => sink.done(cursor.map(|row| row.to_string()), None),
        // Nobody reads any more.
        Err(Stopped::Cancelled) => Ok(()),
        Err(error) => {
            tracing::error!("a query failed: {error}");
            sink.done(None, Some(error.to_string()))
        }
    }
}

impl Service {
    /// What counting gives, on a pipe although it is short: closing that gives up the counting.
    fn count(
        &self,
        is_current: bool,
        count: impl FnOnce(&Reader, &Control) -> Result<Vec<CountLine>, Stopped> + Send + 'static,
    ) -> Result<OwnedFd, Error> {
        let reader = self.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        sink.set_behind(!is_current);
        self.spawn_query(move || {
            let control = sink.control()?;
            let result = count(&reader, &control);
            drop(control);
            if let Ok(lines) = &result {
                lines.iter().try_for_each(|line| sink.line(line))?;
            }
            finish(sink, None, result.map(|_| None))
        })?;
        Ok(reading.into())
    }

    /// The process that an entity id or a pid means.
    async fn resolve(&self, id: &str) -> Result<ProcessId, Error> {
        self.flush().await;
        if let Ok(process) = id.parse::<ProcessId>() {
            let found =
                self.blocking(move |reader| reader.process(&Control::default(), process)).await?;
            return if found.is_empty() { Err(not_found(id)) } else { Ok(process) };
        }
        let Ok(pid) = id.parse::<u32>() else {
            return Err(Error::InvalidArgument(format!(
                "{} is neither a pid nor a process id: {}",
                escape::terminal(id),
                common::id::ParseIdError::Process
            )));
        };
        let records = self
            .blocking(move |reader| reader.by_pid(&Control::default(), pid, MOST_CANDIDATES))
            .await?;
        match &records[..] {
            [] => Err(not_found(id)),
            [only] => Ok(only.process),
            several => {
                let candidates: Vec<Candidate> = several.iter().map(candidate).collect();
                Err(Error::Ambiguous(serde_json::to_string(&candidates).map_err(failed)?))
            }
        }
    }

    #[cfg(not(feature = "capture"))]
    async fn subscribe(&self, _filter: Filter, _backlog: u32) -> Result<OwnedFd, Error> {
        Err(super::read_only())
    }

    #[cfg(feature = "capture")]
    async fn subscribe(&self, filter: Filter, backlog: u32) -> Result<OwnedFd, Error> {
        let Some(live) = &self.inner.live else { return Err(super::read_only()) };
        let place = live.subscriptions.clone().try_acquire_owned().map_err(|_| {
            Error::Busy("too many subscriptions: close one and try again".to_owned())
        })?;
        let (happenings, committed) = live
            .pipeline
            .subscribe()
            .await
            .ok_or_else(|| Error::Failed("the recording does not answer".to_owned()))?;
        let (reading, writing) = pipe::new().map_err(failed)?;
        let service = self.clone();
        tokio::spawn(async move {
            let stored = match backlog {
                0 => Ok(Backlog::default()),
                count => service.backlog(&filter, count, committed.row).await,
            };
            if let Some(live) = &service.inner.live {
                let missed = &live.missed;
                subscription::run(writing, &filter, stored, happenings, missed).await;
            }
            drop(place);
        });
        Ok(reading.into())
    }

    /// Lines of the newest stored records, oldest first.
    #[cfg(feature = "capture")]
    async fn backlog(&self, filter: &Filter, count: u32, last_row: i64) -> Result<Backlog, Error> {
        let filter = filter.clone();
        self.blocking(move |reader| {
            let mut backlog = Backlog::default();
            let selection = Selection {
                filter: &filter,
                limit: count,
                is_newest_first: true,
                cursor: None,
                last_row: Some(last_row),
            };
            reader.page(&Control::default(), &selection, &mut |record| {
                let event = Line::Event(Box::new(Event::began(record)));
                backlog.lines.push(subscription::line(&event));
                if record.source == Source::Exec && record.row > last_row - MOST_RECENT_ROWS {
                    backlog.execs.insert(record.row);
                }
                ControlFlow::Continue(())
            })?;
            backlog.lines.reverse();
            Ok(backlog)
        })
        .await
    }
}

fn candidate(record: &Record) -> Candidate {
    let text = |bytes: &[u8]| escape::text(bytes).0.into_owned();
    Candidate {
        entity_id: record.process,
        start: rfc3339(record.start_ns),
        executable: text(&record.executable.path.bytes),
        command_line: text(&join_strings(&record.args.bytes)),
        state: record.state().name().to_owned(),
    }
}
