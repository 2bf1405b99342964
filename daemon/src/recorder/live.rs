//! What happens now, for those who listen.
//!
//! The queue of each subscriber is bounded: one that reads too slowly is told how many it missed,
//! and nobody waits for it.

use std::sync::Arc;

use tokio::sync::broadcast;

use common::record::Record;

use crate::store::{GapRow, NewAlert};

#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Began(Arc<Record>),
    Ended(Arc<Record>),
    Gap(GapRow),
}

/// What is new of alerts.
#[derive(Debug, Clone)]
pub(crate) enum AlertNews {
    Raised {
        alert: Arc<NewAlert>,
        /// For filters.
        record: Arc<Record>,
    },
    /// Somebody said something of these.
    Updated(Arc<[i64]>),
}

/// Happenings a subscriber may lag behind.
const QUEUE: usize = 8192;
const ALERT_QUEUE: usize = 1024;

pub(crate) struct Live {
    sender: broadcast::Sender<Happening>,
    alerts: broadcast::Sender<AlertNews>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(QUEUE).0, alerts: broadcast::channel(ALERT_QUEUE).0 }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.sender.subscribe()
    }

    /// For those who listen to alerts; it can be kept by others.
    pub(crate) fn alerts(&self) -> broadcast::Sender<AlertNews> {
        self.alerts.clone()
    }

    pub(crate) fn publish_alert(&self, make: impl FnOnce() -> AlertNews) {
        if self.alerts.receiver_count() > 0 {
            // Fails only if the last subscriber has just left.
            let _ = self.alerts.send(make());
        }
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    pub(crate) fn publish(&self, make: impl FnOnce() -> Happening) {
        if self.has_subscribers() {
            // Fails only if the last subscriber has just left.
            let _ = self.sender.send(make());
        }
    }
}
