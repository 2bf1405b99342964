//! One live subscription: what happens, filtered, on a pipe.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use common::bus::Error;
use common::ecs::{Done, Event, Gap, Line};
use common::filter::Filter;
use common::record::Source;
use common::time::rfc3339;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::recorder::live::Happening;

/// Lines gathered before a write, while more is ready.
const MOST_GATHERED_BYTES: usize = 64 << 10;

/// What was stored when the subscription began, oldest first.
#[derive(Default)]
pub(super) struct Backlog {
    pub(super) lines: Vec<Vec<u8>>,
    /// Rows among the newest that were execs when they were read. A fork that was stored before the
    /// subscription began may have become an exec since: that one is also on the queue.
    pub(super) execs: HashSet<i64>,
}

/// How far back such a row can be: a fork keeps its row for an exec within a second.
pub(super) const MOST_RECENT_ROWS: i64 = 65_536;

/// Until the subscriber closes its end or the recorder stops.
pub(super) async fn run(
    writing: OwnedFd,
    filter: &Filter,
    stored: Result<Backlog, Error>,
    mut happenings: Receiver<Happening>,
    missed_in_all: &AtomicU64,
) {
    let Ok(mut pipe) = prepared(writing) else { return };
    let Backlog { lines, mut execs } = match stored {
        Ok(stored) => stored,
        Err(error) => {
            // Going on without the past would look as if there were none.
            let done = Done { error: Some(error.to_string()), ..Done::default() };
            let _ = pipe.write_all(&line(&Line::Done(done))).await;
            return;
        }
    };
    for line in lines {
        if pipe.write_all(&line).await.is_err() {
            return;
        }
    }
    let mut out = Vec::new();
    loop {
        let next = tokio::select! {
            next = happenings.recv() => next,
            // Ready for writing with an error: the subscriber is gone.
            () = closed(&pipe) => return,
        };
        match next {
            Ok(happening) if is_told(&mut execs, &happening) => {}
            Ok(happening) => append(&mut out, filter, &happening),
            Err(RecvError::Lagged(missed)) => append_missed(&mut out, missed, missed_in_all),
            Err(RecvError::Closed) => {
                // The recorder stops: the end is complete.
                out.extend(line(&Line::Done(Done::default())));
                let _ = pipe.write_all(&out).await;
                return;
            }
        }
        while out.len() < MOST_GATHERED_BYTES {
            match happenings.try_recv() {
                Ok(happening) if is_told(&mut execs, &happening) => {}
                Ok(happening) => append(&mut out, filter, &happening),
                Err(TryRecvError::Lagged(missed)) => {
                    append_missed(&mut out, missed, missed_in_all);
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if pipe.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
    }
}

pub(super) fn prepared(writing: OwnedFd) -> std::io::Result<Sender> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    fcntl(&writing, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Sender::from_owned_fd(writing)
}

/// Resolves when the reading end is closed.
pub(super) async fn closed(pipe: &Sender) {
    loop {
        match pipe.ready(tokio::io::Interest::ERROR).await {
            Ok(ready) if ready.is_error() => return,
            Ok(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
            Err(_) => return,
        }
    }
}

/// Whether the backlog had it already.
fn is_told(execs: &mut HashSet<i64>, happening: &Happening) -> bool {
    match happening {
        Happening::Began(record) if record.source == Source::Exec => execs.remove(&record.row),
        _ => false,
    }
}

fn append(out: &mut Vec<u8>, filter: &Filter, happening: &Happening) {
    match happening {
        Happening::Began(record) if filter.matches(record) => {
            out.extend(line(&Line::Event(Box::new(Event::began(record)))));
        }
        Happening::Ended(record) if filter.matches(record) => {
            out.extend(line(&Line::Event(Box::new(Event::ended(record)))));
        }
        Happening::Began(_) | Happening::Ended(_) => {}
        // A gap concerns every filter: what was lost might have matched.
        Happening::Gap(gap) => out.extend(line(&Line::Gap(Gap {
            timestamp: rfc3339(gap.time_ns),
            cpu: gap.cpu,
            kind: gap.kind.to_owned(),
            count: gap.count,
            cause: gap.cause.to_owned(),
        }))),
    }
}

fn append_missed(out: &mut Vec<u8>, missed: u64, missed_in_all: &AtomicU64) {
    missed_in_all.fetch_add(missed, Ordering::Relaxed);
    out.extend(line(&Line::Missed(missed)));
}

pub(super) fn line(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_else(|error| {
        // Text and numbers always have a JSON form.
        tracing::error!("a line could not be written: {error}");
        Vec::new()
    });
    bytes.push(b'\n');
    bytes
}
