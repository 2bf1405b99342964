//! The recorder itself: its health, and where its record has gaps.

use common::bus::ManagerProxy;
use common::ecs::{Gap, Line};
use common::health::Health;
use zbus::Connection;

use super::Trouble;
use super::pipe::Lines;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Health,
    /// Newest first; at most `limit`.
    Gaps {
        since_ns: i64,
        until_ns: i64,
        limit: u32,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Health(Box<Health>),
    Gaps(Vec<Gap>),
}

pub(super) async fn answer(connection: &Connection, ask: &Ask) -> Result<Answer, Trouble> {
    match *ask {
        Ask::Health => health(connection).await.map(|health| Answer::Health(Box::new(health))),
        Ask::Gaps { since_ns, until_ns, limit } => {
            let proxy = proxy(connection).await?;
            let mut lines = Lines::new(proxy.gaps(since_ns, until_ns, limit).await?)?;
            let mut gaps = Vec::new();
            loop {
                let line = lines.next().await?;
                match serde_json::from_slice(&line).map_err(|e| Trouble::not_understood(&e))? {
                    Line::Gap(gap) => gaps.push(gap),
                    Line::Done(_) => return Ok(Answer::Gaps(gaps)),
                    Line::Missed(_) | Line::Event(_) => {}
                }
            }
        }
    }
}

pub(super) async fn health(connection: &Connection) -> Result<Health, Trouble> {
    let text = proxy(connection).await?.health().await?;
    serde_json::from_str(&text).map_err(|error| Trouble::not_understood(&error))
}

async fn proxy(connection: &Connection) -> Result<ManagerProxy<'static>, Trouble> {
    ManagerProxy::new(connection).await.map_err(|error| common::bus::Error::ZBus(error).into())
}
