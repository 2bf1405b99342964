//! Rules: the list, switching, uploading, and what one would have fired on.

use common::bus::{Affected, RulesProxy};
use common::rule::{Found, HuntDone, HuntLine, Report, RuleInfo, RuleText};
use futures_lite::StreamExt as _;
use zbus::Connection;

use super::pipe::Lines;
use super::worker::Teller;
use super::{Answer as AnyAnswer, Trouble};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    List,
    Get {
        id: String,
    },
    Switch {
        ids: Vec<String>,
        is_enabled: bool,
    },
    /// Stores a text.
    Upload {
        name: String,
        text: String,
    },
    /// Says what storing it would do.
    Check {
        name: String,
        text: String,
    },
    Remove {
        ids: Vec<String>,
    },
    /// What it would have fired on. Answered with progress, at last with the end.
    Hunt {
        what: Quarry,
        filter: String,
    },
    /// Answered each time when the rules are others, first when nothing can be missed any more.
    Watch,
}

/// What a hunt is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quarry {
    /// Id of a stored rule.
    Stored(String),
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    List(Vec<RuleInfo>),
    One(Box<RuleText>),
    Switched(Affected),
    Report(Report),
    Removed(Affected),
    Progress { looked_at: u64, total: u64 },
    Hunted { found: Vec<Found>, done: HuntDone },
    Changed,
}

pub(super) async fn answer(
    connection: &Connection,
    ask: &Ask,
    teller: Teller<'_>,
) -> Result<Answer, Trouble> {
    let proxy = RulesProxy::new(connection).await.map_err(common::bus::Error::ZBus)?;
    Ok(match ask {
        Ask::List => Answer::List(parse(&proxy.list().await?)?),
        Ask::Get { id } => Answer::One(parse(&proxy.get(id).await?)?),
        Ask::Switch { ids, is_enabled } => {
            Answer::Switched(proxy.set_enabled(&borrowed(ids), *is_enabled).await?)
        }
        Ask::Upload { name, text } => {
            Answer::Report(parse(&proxy.upload(name, text.as_bytes()).await?)?)
        }
        Ask::Check { name, text } => {
            Answer::Report(parse(&proxy.validate(name, text.as_bytes()).await?)?)
        }
        Ask::Remove { ids } => Answer::Removed(proxy.remove(&borrowed(ids)).await?),
        Ask::Hunt { what, filter } => {
            let pipe = match what {
                Quarry::Stored(id) => proxy.hunt(id, filter).await?,
                Quarry::Text(text) => proxy.hunt_text(text.as_bytes(), filter).await?,
            };
            hunt(Lines::new(pipe)?, teller).await?
        }
        Ask::Watch => return Err(watch(&proxy, teller).await),
    })
}

fn borrowed(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::not_understood(&error))
}

async fn hunt(mut lines: Lines, teller: Teller<'_>) -> Result<Answer, Trouble> {
    let mut found = Vec::new();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(&line).map_err(|e| Trouble::not_understood(&e))? {
            HuntLine::Progress { looked_at, total } => {
                teller.tell(AnyAnswer::Rules(Answer::Progress { looked_at, total })).await;
            }
            HuntLine::Found(one) => found.push(*one),
            HuntLine::Done(HuntDone { error: Some(text), .. }) => {
                return Err(Trouble::failed(text));
            }
            HuntLine::Done(done) => return Ok(Answer::Hunted { found, done }),
        }
    }
}

/// Tells until something ends it, and gives back what that was.
async fn watch(proxy: &RulesProxy<'_>, teller: Teller<'_>) -> Trouble {
    let mut changes = match proxy.receive_changed().await {
        Ok(changes) => changes,
        Err(error) => return common::bus::Error::ZBus(error).into(),
    };
    while teller.tell(AnyAnswer::Rules(Answer::Changed)).await {
        if changes.next().await.is_none() {
            break;
        }
    }
    Trouble::cut_off()
}
