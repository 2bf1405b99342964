//! What happens now, for those who listen.
//!
//! The queue of each subscriber is bounded: one that reads too slowly is told how many it missed,
//! and nobody waits for it.

use std::sync::Arc;

use tokio::sync::broadcast;

use common::record::Record;

use crate::store::GapRow;

#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Began(Arc<Record>),
    Ended(Arc<Record>),
    Gap(GapRow),
}

/// Happenings a subscriber may lag behind.
const QUEUE: usize = 8192;

pub(crate) struct Live {
    sender: broadcast::Sender<Happening>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(QUEUE).0 }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.sender.subscribe()
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
