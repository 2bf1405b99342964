//! Records of processes: pages, live ones, one process, trees, counts.

use std::sync::Arc;
use std::time::Duration;

use common::bus::{Count, CountLine, ProcessesProxy};
use common::ecs::{Done, Event, Gap, Line};
use tokio::time::{Instant, timeout_at};
use zbus::Connection;

use super::Trouble;
use super::pipe::Lines;
use crate::state::row::Row;

/// Live records are handed on together: a window need not be drawn for each of thousands.
const GATHERING: Duration = Duration::from_millis(60);
const MOST_GATHERED: usize = 2000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page. `limit` 0 means all.
    Page { filter: String, limit: u32, newest_first: bool, cursor: String },
    /// How many records begin in each of equal parts of a range.
    Counts { filter: String, from_ns: i64, to_ns: i64, buckets: u32 },
    /// What happens from now on. Answered again and again, first with nothing, as soon as nothing
    /// can be missed any more.
    Follow { filter: String },
    /// Every image of one process. `id` is an entity id or a pid.
    Process { id: String },
    /// Ancestors and descendants.
    Tree { id: String, up: u32, down: u32, limit: u32 },
    /// The most frequent values of a field.
    Top { field: &'static str, filter: String, limit: u32 },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Page(Page),
    Counts(Vec<u64>),
    Live(Live),
    Process(Arc<Vec<Event<'static>>>),
    Tree(Vec<Event<'static>>),
    Top(Vec<Count>),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    pub rows: Vec<Row>,
    /// To go on from.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    pub rows: Vec<Row>,
    pub gaps: Vec<Gap>,
    /// So many were not sent, since this was read too slowly. They are in the store.
    pub missed: u64,
}

pub(super) async fn answer(connection: &Connection, ask: &Ask) -> Result<Answer, Trouble> {
    let proxy = proxy(connection).await?;
    Ok(match ask {
        Ask::Page { filter, limit, newest_first, cursor } => {
            let pipe = proxy.query(filter, *limit, *newest_first, cursor).await?;
            let mut rows = Vec::new();
            let done = read(pipe, |event| rows.push(Row::of(&event))).await?;
            Answer::Page(Page { rows, cursor: done.cursor })
        }
        Ask::Counts { filter, from_ns, to_ns, buckets } => {
            let pipe = proxy.histogram(filter, *from_ns, *to_ns, *buckets).await?;
            Answer::Counts(read_counts(pipe).await?.0)
        }
        Ask::Process { id } => {
            let text = proxy.get(id).await?;
            let images = serde_json::from_str(&text).map_err(|e| Trouble::not_understood(&e))?;
            Answer::Process(Arc::new(images))
        }
        Ask::Tree { id, up, down, limit } => {
            let mut events = Vec::new();
            read(proxy.tree(id, *up, *down, *limit).await?, |event| events.push(event)).await?;
            Answer::Tree(events)
        }
        Ask::Top { field, filter, limit } => {
            let pipe = proxy.top(field, filter, *limit, false).await?;
            Answer::Top(read_counts(pipe).await?.1)
        }
        Ask::Follow { .. } => return Err(Trouble::failed("this is answered more than once")),
    })
}

async fn proxy(connection: &Connection) -> Result<ProcessesProxy<'static>, Trouble> {
    ProcessesProxy::new(connection).await.map_err(|error| common::bus::Error::ZBus(error).into())
}

fn parse(line: &[u8]) -> Result<Line<'static>, Trouble> {
    serde_json::from_slice(line).map_err(|error| Trouble::not_understood(&error))
}

async fn read(pipe: zbus::OwnedFd, mut take: impl FnMut(Event<'static>)) -> Result<Done, Trouble> {
    let mut lines = Lines::new(pipe)?;
    loop {
        match parse(&lines.next().await?)? {
            Line::Event(event) => take(*event),
            Line::Gap(_) | Line::Missed(_) => {}
            Line::Done(Done { error: Some(text), .. }) => return Err(Trouble::failed(text)),
            Line::Done(done) => return Ok(done),
        }
    }
}

/// Buckets and values: of a result, one or the other.
async fn read_counts(pipe: zbus::OwnedFd) -> Result<(Vec<u64>, Vec<Count>), Trouble> {
    let mut lines = Lines::new(pipe)?;
    let (mut buckets, mut values) = (Vec::new(), Vec::new());
    loop {
        let line = serde_json::from_slice(&lines.next().await?);
        match line.map_err(|error| Trouble::not_understood(&error))? {
            CountLine::Buckets(counts) => buckets = counts,
            CountLine::Value(count) => values.push(count),
            CountLine::Done(Done { error: Some(text), .. }) => return Err(Trouble::failed(text)),
            CountLine::Done(_) => return Ok((buckets, values)),
        }
    }
}

/// A subscription.
pub(super) struct Following {
    lines: Lines,
}

impl Following {
    pub(super) async fn begin(connection: &Connection, filter: &str) -> Result<Self, Trouble> {
        let pipe = proxy(connection).await?.subscribe(filter, 0).await?;
        Ok(Self { lines: Lines::new(pipe)? })
    }

    /// What happened next. Waits for something to happen, then a little for more.
    pub(super) async fn next(&mut self) -> Result<Live, Trouble> {
        let mut live = Live::default();
        take(&mut live, &self.lines.next().await?)?;
        let until = Instant::now() + GATHERING;
        while live.rows.len() < MOST_GATHERED {
            match timeout_at(until, self.lines.next()).await {
                Ok(Ok(line)) => take(&mut live, &line)?,
                // What was gathered is told first; the error comes again.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        Ok(live)
    }
}

fn take(live: &mut Live, line: &[u8]) -> Result<(), Trouble> {
    match parse(line)? {
        Line::Event(event) => live.rows.push(Row::of(&event)),
        Line::Gap(gap) => live.gaps.push(gap),
        Line::Missed(count) => live.missed += count,
        Line::Done(Done { error: Some(text), .. }) => return Err(Trouble::failed(text)),
        Line::Done(_) => return Err(Trouble::cut_off()),
    }
    Ok(())
}
