//! A recorder at the other end of the link: answers the same requests from what the real one wrote.

use std::collections::VecDeque;
use std::sync::Arc;

use common::alert::Alert;
use common::bus::Count;
use common::ecs::Event;
use common::filter::Filter;
use common::health::Health;
use gui::connection::processes::{self, Ask, Live, Page};
use gui::connection::{
    Answer, Notice, Order, Request, ServiceEnd, Status, Ticket, Trouble, TroubleKind, alerts,
    manager,
};
use gui::state::outline::part_width;
use gui::state::row::Row;

use crate::select::{began, matches};
use crate::triage::Triage;

pub(crate) struct Fake {
    end: ServiceEnd,
    pub(crate) events: Vec<Event<'static>>,
    alerts: Vec<Alert<'static>>,
    pub(crate) health: Health,
    /// Subscriptions, with their filters.
    following: Vec<(Ticket, Filter)>,
    /// Answers wait here until they are let go.
    held: Option<VecDeque<Notice>>,
    /// Those to such requests do.
    is_held: fn(&Request) -> bool,
    pub(crate) cancelled: Vec<Ticket>,
    /// Every request there was.
    pub(crate) asked: Vec<Request>,
    pub(crate) triage: Triage,
}

impl Fake {
    pub(crate) fn new(end: ServiceEnd) -> Self {
        let lines = |text: &'static str| text.lines().filter(|line| !line.is_empty());
        let event = |line| serde_json::from_str(line).unwrap();
        let alert = |line| serde_json::from_str(line).unwrap();
        let events: Vec<Event<'_>> =
            lines(include_str!("../data/processes.ndjson")).map(event).collect();
        let alerts: Vec<Alert<'_>> =
            lines(include_str!("../data/alerts.ndjson")).map(alert).collect();
        Self {
            end,
            triage: Triage::new(&alerts[0], &events[0]),
            events,
            alerts,
            health: serde_json::from_str(include_str!("../data/health.json")).unwrap(),
            following: Vec::new(),
            held: None,
            is_held: |_| true,
            cancelled: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self) {
        self.tell(Notice::Health(Arc::new(self.health.clone())));
        self.tell(Notice::Status(Status::Connected));
    }

    pub(crate) fn break_off(&mut self) {
        self.following.clear();
        let trouble = Trouble::new(TroubleKind::NotRunning, "the recorder went away");
        self.tell(Notice::Status(Status::Lost(trouble)));
    }

    pub(crate) fn tell(&mut self, notice: Notice) {
        self.end.notices.try_send(notice).unwrap();
    }

    /// Answers wait from now on.
    pub(crate) fn hold(&mut self) {
        self.hold_those_to(|_| true);
    }

    /// Answers to some requests wait from now on.
    pub(crate) fn hold_those_to(&mut self, is_held: fn(&Request) -> bool) {
        self.held = Some(VecDeque::new());
        self.is_held = is_held;
    }

    /// Gives the answers that waited, in the given order of their asking.
    pub(crate) fn let_go(&mut self, is_newest_first: bool) {
        let mut held = self.held.take().unwrap_or_default();
        if is_newest_first {
            held.make_contiguous().reverse();
        }
        for notice in held {
            self.tell(notice);
        }
    }

    /// Something happens: it is stored, and told to those that follow.
    pub(crate) fn happen(&mut self, event: Event<'static>) {
        self.tell_followers(&event);
        self.events.push(event);
    }

    pub(crate) fn tell_followers(&mut self, event: &Event<'static>) {
        for (ticket, filter) in self.following.clone() {
            if matches(&filter.expr, event) {
                let live = Live { rows: vec![Row::of(event)], ..Live::default() };
                self.tell(Notice::Answer(ticket, Ok(live_answer(live))));
            }
        }
    }

    /// Answers what was asked.
    pub(crate) fn work(&mut self) {
        while let Ok(order) = self.end.orders.try_recv() {
            match order {
                Order::Ask(ticket, request) => {
                    self.asked.push(request.clone());
                    self.answer(ticket, request);
                }
                Order::Cancel(ticket) => {
                    self.following.retain(|(following, _)| *following != ticket);
                    self.triage.cancel(ticket);
                    self.cancelled.push(ticket);
                }
                Order::Connect(_) | Order::Open(_) => self.connect(),
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, request: Request) {
        let is_held = (self.is_held)(&request);
        if let Some(notices) = self.triage.answer(ticket, &request) {
            for notice in notices {
                self.give(notice, is_held);
            }
            return;
        }
        let answer = match request {
            Request::Processes(Ask::Follow { filter }) => {
                self.following.push((ticket, Filter::parse(&filter, 0).unwrap()));
                live_answer(Live::default())
            }
            Request::Processes(ask) => Answer::Processes(self.processes(ask)),
            Request::Alerts(alerts::Ask::Page { filter, .. }) => {
                let filter = Filter::parse(&filter, 0).unwrap();
                let is_meant = |alert: &&Alert<'_>| matches(&filter.expr, &alert.event);
                let alerts = self.alerts.iter().filter(is_meant).cloned().collect();
                Answer::Alerts(alerts::Answer::Page { alerts, cursor: None })
            }
            Request::Alerts(_)
            | Request::Rules(_)
            | Request::Binaries(_)
            | Request::Export(_)
            | Request::Files(_) => {
                panic!("answered elsewhere")
            }
            Request::Manager(manager::Ask::Health) => {
                Answer::Manager(manager::Answer::Health(Box::new(self.health.clone())))
            }
            Request::Manager(manager::Ask::Gaps { .. }) => {
                Answer::Manager(manager::Answer::Gaps(Vec::new()))
            }
        };
        self.give(Notice::Answer(ticket, Ok(answer)), is_held);
    }

    fn give(&mut self, notice: Notice, is_held: bool) {
        match &mut self.held {
            Some(held) if is_held => held.push_back(notice),
            _ => self.tell(notice),
        }
    }

    fn processes(&self, ask: Ask) -> processes::Answer {
        let selected = |filter: &str| {
            let filter = Filter::parse(filter, 0).unwrap();
            let is_meant = |event: &&Event<'_>| matches(&filter.expr, event);
            self.events.iter().filter(is_meant).collect::<Vec<_>>()
        };
        match ask {
            Ask::Page { filter, .. } => {
                let rows = selected(&filter).into_iter().map(Row::of).collect();
                processes::Answer::Page(Page { rows, cursor: None })
            }
            Ask::Counts { filter, from_ns, to_ns, buckets } => {
                let width = part_width(from_ns, to_ns, buckets as usize);
                let mut counts = vec![0; buckets as usize];
                for event in selected(&filter) {
                    if (from_ns..to_ns).contains(&began(event)) {
                        counts[usize::try_from((began(event) - from_ns) / width).unwrap()] += 1;
                    }
                }
                processes::Answer::Counts(counts)
            }
            Ask::Process { id } => {
                let is_it = |event: &&Event<'_>| event.process.entity_id.to_string() == id;
                let images = self.events.iter().filter(is_it).cloned().collect();
                processes::Answer::Process(Arc::new(images))
            }
            Ask::Tree { id, down, .. } => {
                let mut found = self.ancestors(&id);
                self.add_descendants(&mut found, down);
                processes::Answer::Tree(found)
            }
            Ask::Top { field: "sid", filter, .. } => {
                processes::Answer::Top(sessions(&selected(&filter)))
            }
            Ask::Top { field: "audit_session" | "tty" | "unit", .. } => {
                processes::Answer::Top(Vec::new())
            }
            Ask::Top { field, .. } => {
                let count = |value: &str| Count {
                    value: value.to_owned(),
                    count: 1,
                    first_ns: 0,
                    last_ns: 0,
                };
                let values: &[&str] =
                    if field == "user" { &["root", "www-data"] } else { &["dash"] };
                processes::Answer::Top(values.iter().map(|value| count(value)).collect())
            }
            Ask::Follow { .. } => panic!("answered elsewhere"),
        }
    }

    /// Below the last, so many generations: parents before children, of each the newest image.
    fn add_descendants(&self, found: &mut Vec<Event<'static>>, down: u32) {
        let mut level: Vec<_> =
            found.last().map(|event| event.process.entity_id).into_iter().collect();
        for _ in 0..down {
            let mut next = Vec::new();
            for parent in level {
                for event in &self.events {
                    let own = event.process.parent.as_ref().map(|parent| parent.entity_id);
                    if own != Some(parent) {
                        continue;
                    }
                    let id = event.process.entity_id;
                    match found.iter_mut().find(|known| known.process.entity_id == id) {
                        Some(known) => *known = event.clone(),
                        None => {
                            found.push(event.clone());
                            next.push(id);
                        }
                    }
                }
            }
            level = next;
        }
    }

    /// From the oldest to the process itself.
    fn ancestors(&self, id: &str) -> Vec<Event<'static>> {
        let newest = |id: &str| {
            self.events.iter().rev().find(|event| event.process.entity_id.to_string() == id)
        };
        let mut found = Vec::new();
        let mut next = newest(id);
        while let Some(event) = next {
            found.insert(0, event.clone());
            let parent = event.process.parent.as_ref().map(|parent| parent.entity_id.to_string());
            next = parent.and_then(|parent| newest(&parent));
        }
        found
    }
}

/// As the recorder counts the values of a field.
fn sessions(events: &[&Event<'_>]) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    for event in events {
        let Some(leader) = &event.process.session_leader else { continue };
        let (value, time_ns) = (leader.pid.to_string(), began(event));
        match counts.iter_mut().find(|count| count.value == value) {
            Some(known) => {
                known.count += 1;
                known.last_ns = known.last_ns.max(time_ns);
            }
            None => counts.push(Count { value, count: 1, first_ns: time_ns, last_ns: time_ns }),
        }
    }
    counts
}

fn live_answer(live: Live) -> Answer {
    Answer::Processes(processes::Answer::Live(live))
}
