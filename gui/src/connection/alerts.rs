//! Alerts: what rules fired on, and what people say of it.

use std::time::Duration;

use common::alert::{Alert, AlertLine, Status};
use common::bus::{AlertSelection, AlertsProxy};
use tokio::time::{Instant, timeout_at};
use zbus::Connection;

use super::pipe::Lines;
use super::worker::Teller;
use super::{Answer as AnyAnswer, Trouble};
use crate::state::alert_row::AlertRow;

/// Live alerts are handed on together, as processes are.
const GATHERING: Duration = Duration::from_millis(60);
const MOST_GATHERED: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page, newest first. `filter` is of the processes.
    Page {
        filter: String,
        selection: AlertSelection,
        limit: u32,
        cursor: String,
    },
    /// The same, as lines of a list.
    Rows {
        filter: String,
        selection: AlertSelection,
        limit: u32,
        cursor: String,
    },
    One {
        id: u64,
    },
    /// Sets status or note; an absent one stays.
    Set {
        ids: Vec<u64>,
        status: Option<Status>,
        note: String,
    },
    /// What is raised or changed from now on. Answered again and again, first with nothing, as soon
    /// as nothing can be missed any more.
    Follow {
        filter: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Page {
        alerts: Vec<Alert<'static>>,
        cursor: Option<String>,
    },
    Rows {
        rows: Vec<AlertRow>,
        cursor: Option<String>,
    },
    One(Box<Alert<'static>>),
    /// How many there were.
    Set(u32),
    Live(Live),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    pub rows: Vec<AlertRow>,
    /// So many were not sent, since this was read too slowly. They are in the store.
    pub missed: u64,
}

pub(super) async fn answer(
    connection: &Connection,
    ask: &Ask,
    teller: Teller<'_>,
) -> Result<Answer, Trouble> {
    let proxy = AlertsProxy::new(connection).await.map_err(common::bus::Error::ZBus)?;
    match ask {
        Ask::Page { filter, selection, limit, cursor } => {
            let pipe = proxy.query(filter, selection, *limit, cursor).await?;
            let mut alerts = Vec::new();
            let cursor = read(pipe, |alert| alerts.push(alert)).await?;
            Ok(Answer::Page { alerts, cursor })
        }
        Ask::Rows { filter, selection, limit, cursor } => {
            let pipe = proxy.query(filter, selection, *limit, cursor).await?;
            let mut rows = Vec::new();
            let cursor = read(pipe, |alert| rows.push(AlertRow::of(&alert))).await?;
            Ok(Answer::Rows { rows, cursor })
        }
        Ask::One { id } => {
            let text = proxy.get(*id).await?;
            let alert = serde_json::from_str(&text).map_err(|e| Trouble::not_understood(&e))?;
            Ok(Answer::One(alert))
        }
        Ask::Set { ids, status, note } => {
            let status = status.map(Status::name).unwrap_or_default();
            Ok(Answer::Set(proxy.set(ids, status, note).await?))
        }
        Ask::Follow { filter } => {
            let pipe = proxy.subscribe(filter, &AlertSelection::default(), 0).await?;
            Err(follow(Lines::new(pipe)?, teller).await)
        }
    }
}

/// Reads to the end; gives the cursor to go on from.
async fn read(
    pipe: zbus::OwnedFd,
    mut take: impl FnMut(Alert<'static>),
) -> Result<Option<String>, Trouble> {
    let mut lines = Lines::new(pipe)?;
    loop {
        match parse(&lines.next().await?)? {
            AlertLine::Alert(alert) => take(*alert),
            AlertLine::Missed(_) => {}
            AlertLine::Done(done) => match done.error {
                Some(text) => return Err(Trouble::failed(text)),
                None => return Ok(done.cursor),
            },
        }
    }
}

fn parse(line: &[u8]) -> Result<AlertLine<'static>, Trouble> {
    serde_json::from_slice(line).map_err(|error| Trouble::not_understood(&error))
}

/// Tells until something ends it, and gives back what that was.
async fn follow(mut lines: Lines, teller: Teller<'_>) -> Trouble {
    let mut live = Live::default();
    while teller.tell(AnyAnswer::Alerts(Answer::Live(live))).await {
        live = match gather(&mut lines).await {
            Ok(live) => live,
            Err(trouble) => return trouble,
        };
    }
    Trouble::cut_off()
}

async fn gather(lines: &mut Lines) -> Result<Live, Trouble> {
    let mut live = Live::default();
    take(&mut live, &lines.next().await?)?;
    let until = Instant::now() + GATHERING;
    while live.rows.len() < MOST_GATHERED {
        match timeout_at(until, lines.next()).await {
            Ok(Ok(line)) => take(&mut live, &line)?,
            // What was gathered is told first; the error comes again.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Ok(live)
}

fn take(live: &mut Live, line: &[u8]) -> Result<(), Trouble> {
    match parse(line)? {
        AlertLine::Alert(alert) => live.rows.push(AlertRow::of(&alert)),
        AlertLine::Missed(count) => live.missed += count,
        AlertLine::Done(done) => {
            return Err(done.error.map_or_else(Trouble::cut_off, Trouble::failed));
        }
    }
    Ok(())
}
