//! The way to the recorder: a thread of its own with its own runtime, so that drawing never waits.
//!
//! The window asks with a [`Request`] and gets a [`Ticket`]; what comes back carries it. An answer to
//! an older question can so never pass for the answer to a newer one, and a question that nobody
//! waits for any more is cancelled: its pipe is closed, which ends it in the recorder, too.
//!
//! Each part of the recorder's interface has a file: what can be asked of it, what comes back, and
//! how. A test answers the same requests from a file, see `tests/`.

pub mod alerts;
pub mod binaries;
mod connect;
pub mod export;
pub mod files;
pub mod manager;
mod pipe;
pub mod processes;
mod recorded;
pub mod rules;
mod trouble;
mod worker;

use std::sync::Arc;

use common::health::Health;
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub use common::bus::Target;
pub use trouble::{Trouble, TroubleKind};
pub use worker::{Worker, spawn};

/// Orders that may wait for the thread. More are answered with an error at once: the window asks
/// for some at a time, and so many only when nothing takes them.
const MOST_ORDERS: usize = 256;
/// Notices that may wait for the window. The thread waits for room.
const MOST_NOTICES: usize = 64;

/// Names a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What can be asked: one variant for each part of the interface.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Processes(processes::Ask),
    Alerts(alerts::Ask),
    Binaries(binaries::Ask),
    Export(export::Ask),
    Files(files::Ask),
    Manager(manager::Ask),
    Rules(rules::Ask),
}

impl Request {
    /// Answered until it is cancelled.
    fn is_endless(&self) -> bool {
        matches!(
            self,
            Request::Processes(processes::Ask::Follow { .. })
                | Request::Alerts(alerts::Ask::Follow { .. })
                | Request::Rules(rules::Ask::Watch)
        )
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Processes(processes::Answer),
    Alerts(alerts::Answer),
    Binaries(binaries::Answer),
    Export(export::Answer),
    Files(files::Answer),
    Manager(manager::Answer),
    Rules(rules::Answer),
}

/// What the window tells the thread.
#[derive(Debug)]
pub enum Order {
    Ask(Ticket, Request),
    Cancel(Ticket),
    /// Leaves the recorder there is and goes to another.
    Connect(Target),
    /// Serves a recorded database and goes there.
    Open(std::path::PathBuf),
}

/// What the thread tells the window.
#[derive(Debug, Clone)]
pub enum Notice {
    Status(Status),
    /// Looked at every few seconds, which also shows whether the recorder is still there.
    Health(Arc<Health>),
    /// One of possibly several answers to a question; an error is always the last.
    Answer(Ticket, Result<Answer, Trouble>),
}

/// Where the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Connecting,
    Connected,
    /// There was a connection; another is tried for.
    Lost(Trouble),
    /// There never was one; it is tried for all the same.
    Absent(Trouble),
}

/// The window's end.
pub struct Link {
    orders: Sender<Order>,
    notices: Receiver<Notice>,
    last_ticket: u64,
    /// Answers given here, to what could not be asked.
    refused: Vec<Notice>,
}

/// The other end, of the thread or of a test.
pub struct ServiceEnd {
    pub orders: Receiver<Order>,
    pub notices: Sender<Notice>,
}

/// Both ends.
pub fn link() -> (Link, ServiceEnd) {
    let (order_sender, orders) = channel(MOST_ORDERS);
    let (notice_sender, notices) = channel(MOST_NOTICES);
    let link = Link { orders: order_sender, notices, last_ticket: 0, refused: Vec::new() };
    (link, ServiceEnd { orders, notices: notice_sender })
}

impl Link {
    pub fn ask(&mut self, request: Request) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        if self.orders.try_send(Order::Ask(ticket, request)).is_err() {
            self.refused.push(Notice::Answer(ticket, Err(Trouble::overwhelmed())));
        }
        ticket
    }

    /// Nobody waits for the answer any more. It may still come.
    pub fn cancel(&mut self, ticket: Ticket) {
        // One that is not heard of costs the recorder some work, and nothing else.
        let _ = self.orders.try_send(Order::Cancel(ticket));
    }

    pub fn connect(&mut self, target: Target) {
        self.go(Order::Connect(target));
    }

    pub fn open(&mut self, file: std::path::PathBuf) {
        self.go(Order::Open(file));
    }

    fn go(&mut self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.refused.push(Notice::Status(Status::Absent(Trouble::overwhelmed())));
        }
    }

    /// The next notice, if there is one.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.refused.pop().or_else(|| self.notices.try_recv().ok())
    }
}

/// A question of which only the newest asking counts.
#[derive(Debug, Default)]
pub struct Asked {
    ticket: Option<Ticket>,
}

impl Asked {
    /// Asks, and forgets what was asked before.
    pub fn ask(&mut self, link: &mut Link, request: Request) {
        self.cancel(link);
        self.ticket = Some(link.ask(request));
    }

    pub fn cancel(&mut self, link: &mut Link) {
        if let Some(ticket) = self.ticket.take() {
            link.cancel(ticket);
        }
    }

    /// It ended by itself.
    pub fn forget(&mut self) {
        self.ticket = None;
    }

    pub fn is_waiting(&self) -> bool {
        self.ticket.is_some()
    }

    /// Whether this is an answer to the newest asking, of which more may follow.
    pub fn is(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    /// Whether this is the answer to the newest asking. It is the only one.
    pub fn take(&mut self, ticket: Ticket) -> bool {
        let is_it = self.is(ticket);
        if is_it {
            self.ticket = None;
        }
        is_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Request {
        Request::Manager(manager::Ask::Health)
    }

    #[test]
    fn only_the_newest_asking_counts() {
        let (mut link, mut service) = link();
        let mut asked = Asked::default();
        asked.ask(&mut link, health());
        let Ok(Order::Ask(first, _)) = service.orders.try_recv() else { panic!() };
        asked.ask(&mut link, health());
        assert!(matches!(service.orders.try_recv(), Ok(Order::Cancel(ticket)) if ticket == first));
        let Ok(Order::Ask(second, _)) = service.orders.try_recv() else { panic!() };
        assert!(!asked.take(first));
        assert!(asked.is_waiting());
        assert!(asked.take(second));
        assert!(!asked.take(second));
    }

    #[test]
    fn what_cannot_be_asked_is_answered() {
        let (mut link, service) = link();
        drop(service);
        let ticket = link.ask(health());
        assert!(matches!(link.next_notice(), Some(Notice::Answer(t, Err(_))) if t == ticket));
        link.connect(Target::SystemBus);
        assert!(matches!(link.next_notice(), Some(Notice::Status(Status::Absent(_)))));
    }
}
