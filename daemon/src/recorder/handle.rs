//! How everybody else speaks to the pipeline: orders, and what is known without asking.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::health::Capture;
use nix::sys::eventfd::EventFd;
use tokio::sync::{broadcast, oneshot, watch};

use super::live::{AlertNews, Happening};
use crate::binaries::Found;
use crate::detect::Ruleset;
use crate::store::{Change, Committed, RetentionFigures, Troubles, What};

pub(super) enum Order {
    /// Read all there is and hand it to the store; answers what has to be committed then.
    Flush(oneshot::Sender<Committed>),
    /// As flush, and everything after it goes to the receiver too.
    Subscribe(oneshot::Sender<(broadcast::Receiver<Happening>, Committed)>),
    Figures(oneshot::Sender<Capture>),
    /// Another set of rules is in force from the next event on; answers the one before, so that it
    /// is dropped elsewhere.
    Rules(Box<Ruleset>, oneshot::Sender<Box<Ruleset>>),
    Change(Change),
    End(End),
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Capture, and the recorder when it has read what there is.
    Capture,
    /// This recorder: another one goes on with the ring.
    Recorder,
}

/// How everybody else speaks to the pipeline.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) orders: SyncSender<Order>,
    pub(super) found: SyncSender<Found>,
    pub(super) wake: Arc<EventFd>,
    pub(super) committed: watch::Receiver<Committed>,
    pub(super) troubles: Arc<Mutex<Troubles>>,
    pub(super) retention: RetentionFigures,
    pub(super) alerts: broadcast::Sender<AlertNews>,
}

impl Handle {
    /// Waits until everything that happened before this call is in the database. Gives up after a
    /// while, and answers false: a query on an older state is better than none.
    pub(crate) async fn flush(&self) -> bool {
        let (sender, receiver) = oneshot::channel();
        if self.order(Order::Flush(sender)).is_none() {
            return false;
        }
        match tokio::time::timeout(Self::PATIENCE, receiver).await {
            Ok(Ok(target)) => self.wait_for(target).await,
            _ => false,
        }
    }

    /// What happens from now on, and what is stored of the time before.
    pub(crate) async fn subscribe(&self) -> Option<(broadcast::Receiver<Happening>, Committed)> {
        let (sender, receiver) = oneshot::channel();
        self.order(Order::Subscribe(sender))?;
        let (happenings, target) =
            tokio::time::timeout(Self::PATIENCE, receiver).await.ok()?.ok()?;
        self.wait_for(target).await;
        Some((happenings, target))
    }

    pub(crate) async fn figures(&self) -> Option<Capture> {
        let (sender, receiver) = oneshot::channel();
        self.order(Order::Figures(sender))?;
        tokio::time::timeout(Self::PATIENCE, receiver).await.ok()?.ok()
    }

    /// Puts a set of rules into force. Blocks; not to be called on a thread of the runtime.
    pub(crate) fn set_rules(&self, ruleset: Ruleset) {
        let (sender, before) = oneshot::channel();
        if self.orders.send(Order::Rules(Box::new(ruleset), sender)).is_ok() {
            let _ = self.wake.write(1);
            drop(before.blocking_recv());
        }
    }

    /// Writes what somebody asked for; answers how many alerts or rules that was about, or `None`
    /// if it could not be written in time (it will be as soon as it can).
    pub(crate) async fn change(
        &self,
        time_ns: i64,
        uid: u32,
        user: Option<String>,
        what: What,
    ) -> Option<u32> {
        let (answer, receiver) = oneshot::channel();
        self.order(Order::Change(Change { time_ns, uid, user, what, answer }))?;
        tokio::time::timeout(Self::CHANGE_PATIENCE, receiver).await.ok()?.ok()
    }

    /// Something was found out of executed files. Blocks; not to be called on a thread of the
    /// runtime. Whether it is heard does not matter any more once the pipeline has ended.
    pub(crate) fn found(&self, found: Found) {
        if self.found.send(found).is_ok() {
            let _ = self.wake.write(1);
        }
    }

    /// What is new of alerts, from now on.
    pub(crate) fn alerts(&self) -> broadcast::Receiver<AlertNews> {
        self.alerts.subscribe()
    }

    pub(crate) fn troubles(&self) -> Troubles {
        self.troubles.lock().map(|troubles| troubles.clone()).unwrap_or_default()
    }

    pub(crate) fn retention(&self) -> common::health::Retention {
        self.retention.lock().map(|figures| figures.clone()).unwrap_or_default()
    }

    pub(crate) fn end(&self, end: End) {
        // Blocks while other orders wait, which is short: the pipeline answers them all. Fails if
        // it has ended by itself.
        let _ = self.orders.send(Order::End(end));
        let _ = self.wake.write(1);
    }

    const PATIENCE: Duration = Duration::from_secs(3);
    /// Whoever asks for a change wants to know that it is made.
    const CHANGE_PATIENCE: Duration = Duration::from_secs(30);

    fn order(&self, order: Order) -> Option<()> {
        self.orders.try_send(order).ok()?;
        self.wake.write(1).ok()?;
        Some(())
    }

    async fn wait_for(&self, target: Committed) -> bool {
        let mut committed = self.committed.clone();
        let reached = committed.wait_for(|now| now.batches >= target.batches);
        matches!(tokio::time::timeout(Self::PATIENCE, reached).await, Ok(Ok(_)))
    }
}
