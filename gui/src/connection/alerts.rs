//! Alerts: what rules fired on.

use common::alert::{Alert, AlertLine};
use common::bus::{AlertSelection, AlertsProxy};
use zbus::Connection;

use super::Trouble;
use super::pipe::Lines;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A page, newest first. `filter` is of the processes.
    Page { filter: String, selection: AlertSelection, limit: u32, cursor: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Page { alerts: Vec<Alert<'static>>, cursor: Option<String> },
}

pub(super) async fn answer(connection: &Connection, ask: &Ask) -> Result<Answer, Trouble> {
    let proxy = AlertsProxy::new(connection).await.map_err(common::bus::Error::ZBus)?;
    let Ask::Page { filter, selection, limit, cursor } = ask;
    let mut lines = Lines::new(proxy.query(filter, selection, *limit, cursor).await?)?;
    let mut alerts = Vec::new();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(&line).map_err(|error| Trouble::not_understood(&error))? {
            AlertLine::Alert(alert) => alerts.push(*alert),
            AlertLine::Missed(_) => {}
            AlertLine::Done(done) => match done.error {
                Some(text) => return Err(Trouble::failed(text)),
                None => return Ok(Answer::Page { alerts, cursor: done.cursor }),
            },
        }
    }
}
