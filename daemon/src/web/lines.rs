//! Results of the recorder: NDJSON on a pipe, read line by line as it comes.

use std::os::fd::OwnedFd;

use axum::http::StatusCode;
use common::alert::{Alert, AlertLine};
use common::binary::{Binary, BinaryLine};
use common::bus::{Count, CountLine};
use common::ecs::{Done, Line};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::fault::Fault;

const BUFFER_BYTES: usize = 64 << 10;
/// A record has 64 KiB of captured text, a few times that in JSON. Far more is a fault.
const MOST_LINE_BYTES: usize = 8 << 20;

/// Closing it (by dropping) cancels the query.
pub(super) struct Lines {
    reader: BufReader<Receiver>,
    line: Vec<u8>,
}

pub(super) fn receiver(pipe: zbus::OwnedFd) -> Result<Receiver, Fault> {
    Receiver::from_owned_fd(OwnedFd::from(pipe))
        .map_err(|error| Fault::unreachable(format!("its answer is not a pipe: {error}")))
}

impl Lines {
    pub(super) fn new(pipe: zbus::OwnedFd) -> Result<Self, Fault> {
        let reader = BufReader::with_capacity(BUFFER_BYTES, receiver(pipe)?);
        Ok(Self { reader, line: Vec::new() })
    }

    /// The next line without its line feed; `None` at the end. May be dropped while it waits: what
    /// was read stays.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        loop {
            let part = self.reader.fill_buf().await.map_err(Fault::unreachable)?;
            if part.is_empty() {
                return Ok(None);
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() > MOST_LINE_BYTES {
                return Err(Fault::unreachable("it sent a line without end"));
            }
        }
    }
}

/// What the lines of a result are.
pub(super) trait Kind {
    type Line: DeserializeOwned;
    type Value;

    fn sort(line: Self::Line) -> Sorted<Self::Value>;
}

pub(super) enum Sorted<V> {
    Value(V),
    Done(Done),
    Other,
}

/// Records, and gaps between them.
pub(super) enum Records {}

impl Kind for Records {
    type Line = Line<'static>;
    type Value = Line<'static>;

    fn sort(line: Self::Line) -> Sorted<Self::Value> {
        match line {
            Line::Done(done) => Sorted::Done(done),
            Line::Missed(_) => Sorted::Other,
            line => Sorted::Value(line),
        }
    }
}

pub(super) enum Alerts {}

impl Kind for Alerts {
    type Line = AlertLine<'static>;
    type Value = Alert<'static>;

    fn sort(line: Self::Line) -> Sorted<Self::Value> {
        match line {
            AlertLine::Alert(alert) => Sorted::Value(*alert),
            AlertLine::Done(done) => Sorted::Done(done),
            AlertLine::Missed(_) => Sorted::Other,
        }
    }
}

pub(super) enum Binaries {}

impl Kind for Binaries {
    type Line = BinaryLine;
    type Value = Binary;

    fn sort(line: Self::Line) -> Sorted<Self::Value> {
        match line {
            BinaryLine::Binary(binary) => Sorted::Value(*binary),
            BinaryLine::Done(done) => Sorted::Done(done),
        }
    }
}

/// Values of a field and how often they occur.
pub(super) enum Counts {}

impl Kind for Counts {
    type Line = CountLine;
    type Value = Count;

    fn sort(line: Self::Line) -> Sorted<Self::Value> {
        match line {
            CountLine::Value(count) => Sorted::Value(count),
            CountLine::Done(done) => Sorted::Done(done),
            CountLine::Buckets(_) => Sorted::Other,
        }
    }
}

pub(super) enum Buckets {}

impl Kind for Buckets {
    type Line = CountLine;
    type Value = Vec<u64>;

    fn sort(line: Self::Line) -> Sorted<Self::Value> {
        match line {
            CountLine::Buckets(counts) => Sorted::Value(counts),
            CountLine::Done(done) => Sorted::Done(done),
            CountLine::Value(_) => Sorted::Other,
        }
    }
}

/// The only line of a histogram.
pub(super) async fn buckets(pipe: zbus::OwnedFd) -> Result<Vec<u64>, Fault> {
    let (lines, _) = whole::<Buckets>(pipe).await?;
    Ok(lines.into_iter().next().unwrap_or_default())
}

/// A whole result, which is to be of bounded length.
pub(super) async fn whole<K: Kind>(pipe: zbus::OwnedFd) -> Result<(Vec<K::Value>, Done), Fault> {
    let mut lines = Lines::new(pipe)?;
    let mut values = Vec::new();
    while let Some(text) = lines.next().await? {
        let line = serde_json::from_slice(&text).map_err(|error| Fault::not_understood(&error))?;
        match K::sort(line) {
            Sorted::Value(value) => values.push(value),
            Sorted::Other => {}
            Sorted::Done(Done { error: Some(error), .. }) => {
                let text = format!("the recorder gave up: {error}");
                return Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, text));
            }
            Sorted::Done(done) => return Ok((values, done)),
        }
    }
    Err(Fault::unreachable("it went away before its answer was complete"))
}
