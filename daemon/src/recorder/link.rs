//! The recorder's end of the socket to the sensor.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::sensor::protocol::{self, ProgramFigures, Reply, Request};

/// The sensor answers at once, or something is very wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the sensor wants, in the order in which it can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    Record,
    /// As [`Reply::Terminating`].
    Terminating,
    /// As [`Reply::Leave`].
    Leave,
    /// As [`Reply::Stop`].
    Stop,
    /// It is not there any more.
    Gone,
}

#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Inner>,
    order: watch::Receiver<Order>,
    reload: Arc<Notify>,
}

struct Inner {
    socket: OwnedFd,
    /// One question at a time, each with its answer.
    answers: Mutex<Receiver<Reply>>,
}

impl Link {
    pub(crate) fn start(socket: &OwnedFd) -> std::io::Result<Self> {
        let (sender, answers) = sync_channel(1);
        let (orders, order) = watch::channel(Order::Record);
        let reload = Arc::new(Notify::new());
        let mut listener = Listener {
            socket: socket.try_clone()?,
            answers: sender,
            orders,
            reload: reload.clone(),
        };
        // Ends with the process: it waits for a sensor that may never speak again.
        std::thread::Builder::new().name("link".to_owned()).spawn(move || listener.run())?;
        let inner = Inner { socket: socket.try_clone()?, answers: Mutex::new(answers) };
        Ok(Self { inner: Arc::new(inner), order, reload })
    }

    pub(crate) fn send(&self, request: &Request) {
        // A sensor that is gone is noticed by the listening thread.
        let _ = protocol::send_request(&self.inner.socket, request);
    }

    pub(crate) fn statistics(&self) -> Option<Vec<ProgramFigures>> {
        match self.ask(&Request::Statistics)? {
            Reply::Statistics(programs) => Some(programs),
            Reply::Stop | Reply::Terminating | Reply::Leave | Reply::Reload => None,
        }
    }

    /// The figures that came last without being asked for, as they do before the end.
    pub(crate) fn last_statistics(&self) -> Option<Vec<ProgramFigures>> {
        match self.inner.answers.lock().ok()?.try_recv().ok()? {
            Reply::Statistics(programs) => Some(programs),
            Reply::Stop | Reply::Terminating | Reply::Leave | Reply::Reload => None,
        }
    }

    fn ask(&self, request: &Request) -> Option<Reply> {
        let answers = self.inner.answers.lock().ok()?;
        // A late answer to an earlier question is not the answer to this one.
        while answers.try_recv().is_ok() {}
        self.send(request);
        answers.recv_timeout(PATIENCE).ok()
    }

    /// Waits until the sensor wants more than `before`.
    pub(crate) async fn order_after(&self, before: Order) -> Order {
        let mut order = self.order.clone();
        // An error means that the listening thread has ended.
        order.wait_for(|order| *order > before).await.map_or(Order::Gone, |order| *order)
    }

    /// Waits until the rules are to be read again.
    pub(crate) async fn reload(&self) {
        self.reload.notified().await;
    }
}

struct Listener {
    socket: OwnedFd,
    answers: SyncSender<Reply>,
    orders: watch::Sender<Order>,
    reload: Arc<Notify>,
}

impl Listener {
    fn run(&mut self) {
        loop {
            match protocol::receive_reply(&self.socket) {
                Ok(Some(Reply::Stop)) => {
                    self.orders.send_replace(Order::Stop);
                }
                Ok(Some(Reply::Leave)) => {
                    self.orders.send_replace(Order::Leave);
                }
                Ok(Some(Reply::Terminating)) => {
                    self.orders.send_replace(Order::Terminating);
                }
                Ok(Some(Reply::Reload)) => self.reload.notify_one(),
                Ok(Some(answer @ Reply::Statistics(_))) => {
                    let _ = self.answers.try_send(answer);
                }
                Ok(None) => {
                    tracing::warn!("the sensor is gone: writing what is left");
                    break;
                }
                Err(error) => {
                    tracing::error!("the sensor cannot be heard ({error}): writing what is left");
                    break;
                }
            }
        }
        self.orders.send_replace(Order::Gone);
    }
}
