//! Signals: that something is new, with ids only. Any local user may receive what is broadcast.

use common::bus::PATH;
use tokio::sync::broadcast::error::RecvError;
use zbus::Connection;
use zbus::object_server::SignalEmitter;

use super::Service;
use super::alerts::Alerts;
use super::rules::Rules;
use crate::recorder::live::AlertNews;

impl Service {
    /// Tells the connection what is new, until it is closed or the recorder stops.
    pub(super) async fn signal(&self, connection: &Connection) {
        let Some(live) = &self.inner.live else { return };
        let Ok(emitter) = SignalEmitter::new(connection, PATH) else { return };
        let mut alerts = live.pipeline.alerts();
        let mut rules = live.rules.changes();
        loop {
            let told = tokio::select! {
                news = alerts.recv() => match news {
                    Ok(news) => tell(&emitter, news).await,
                    // Whoever listens asks for the list.
                    Err(RecvError::Lagged(_)) => Ok(()),
                    Err(RecvError::Closed) => return,
                },
                changed = rules.changed() => match changed {
                    Ok(()) => Rules::changed(&emitter).await,
                    Err(_) => return,
                },
            };
            if told.is_err() {
                return;
            }
        }
    }
}

async fn tell(emitter: &SignalEmitter<'_>, news: AlertNews) -> zbus::Result<()> {
    match news {
        AlertNews::Raised { alert, .. } => {
            let (id, level) = (alert.id.cast_unsigned(), alert.level.name());
            Alerts::raised(emitter, id, &alert.rule_id, level).await
        }
        AlertNews::Updated(ids) => {
            for id in ids.iter() {
                Alerts::updated(emitter, id.cast_unsigned()).await?;
            }
            Ok(())
        }
    }
}
