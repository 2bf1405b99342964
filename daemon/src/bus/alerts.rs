//! `org.bpfrecorder.Recorder1.Alerts`: what rules fired on, and what people say of it.

use std::io;
use std::ops::ControlFlow;

#[cfg(feature = "capture")]
use common::alert::AlertLine;
use common::alert::Status;
use common::bus::{AlertSelection, Error};
use common::filter::Filter;
use common::rule::Level;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedFd, interface};

use super::access::{Access, Right};
use super::pipe::{self, Sink};
use super::{Service, failed, processes};
use crate::store::{AlertPage, Control, Stopped};

pub(super) struct Alerts {
    service: Service,
    access: Access,
}

impl Alerts {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

const MOST_SET: usize = 100_000;
const MOST_NOTE_BYTES: usize = 16 << 10;

/// Alerts: events on which a rule fired, and their triage.
#[interface(name = "org.bpfrecorder.Recorder1.Alerts")]
impl Alerts {
    /// Alerts, newest first, as NDJSON on a pipe that ends with a `done` line.
    ///
    /// `filter` is of the process on which the rule fired. `selection` narrows: names of statuses,
    /// the name of the lowest level, and a rule's id, the
    /// beginning of one, or a glob of its title; what is empty does not
    /// narrow. A `limit` of 0 means all. `cursor` is empty, or that of the `done` line of the page
    /// before.
    async fn query(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        selection: AlertSelection,
        limit: u32,
        cursor: &str,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = processes::parse(filter)?;
        let wanted = Wanted::parse(selection)?;
        let cursor = processes::parse_cursor(cursor)?;
        let is_current = self.service.flush().await;
        let reader = self.service.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        sink.set_behind(!is_current);
        self.service.spawn_query(move || {
            let control = sink.control()?;
            let page = wanted.page(&filter, limit, cursor);
            let mut broken: io::Result<()> = Ok(());
            let result = reader.alerts(&control, &page, &mut |alert| {
                broken = sink.line(alert);
                if broken.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            drop(control);
            broken?;
            match result {
                Ok(cursor) => sink.done(cursor.map(|id| id.to_string()), None),
                Err(Stopped::Cancelled) => Ok(()),
                Err(error) => {
                    tracing::error!("a query of alerts failed: {error}");
                    sink.done(None, Some(error.to_string()))
                }
            }
        })?;
        Ok(reading.into())
    }

    /// Alerts as they are raised, and again when their status or note changes, until the pipe is
    /// closed: first the newest `backlog` stored ones, oldest first.
    async fn subscribe(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        selection: AlertSelection,
        backlog: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = processes::parse(filter)?;
        let wanted = Wanted::parse(selection)?;
        if backlog > processes::MOST_BACKLOG {
            let most = processes::MOST_BACKLOG;
            return Err(Error::InvalidArgument(format!("backlog: at most {most}")));
        }
        self.service.subscribe_alerts(filter, wanted, backlog).await
    }

    /// One alert, as a JSON document.
    async fn get(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: u64,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        self.service.flush().await;
        let row = i64::try_from(id).unwrap_or(i64::MAX);
        let alert =
            self.service.blocking(move |reader| reader.alert(&Control::default(), row)).await?;
        let alert = alert.ok_or_else(|| {
            Error::NotFound(format!("there is no alert {id}: see bpfctl alerts --status all"))
        })?;
        serde_json::to_string(&alert).map_err(failed)
    }

    /// Sets the status of alerts (empty: it stays) with a note (empty: none); tells how many there
    /// were of these ids.
    async fn set(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        ids: Vec<u64>,
        status: &str,
        note: &str,
    ) -> Result<u32, Error> {
        let uid = self.access.check(Right::ManageAlerts, connection, &header).await?;
        let status = match status {
            "" => None,
            status => Some(parse_status(status)?),
        };
        if status.is_none() && note.is_empty() {
            return Err(Error::InvalidArgument("give a status, a note, or both".to_owned()));
        }
        if ids.len() > MOST_SET || note.len() > MOST_NOTE_BYTES {
            return Err(Error::InvalidArgument(format!(
                "at most {MOST_SET} alerts at once, and {MOST_NOTE_BYTES} bytes of note"
            )));
        }
        let ids = ids.into_iter().filter_map(|id| i64::try_from(id).ok()).collect();
        let note = (!note.is_empty()).then(|| note.to_owned());
        self.service.set_alerts(ids, status, note, uid).await
    }

    /// A rule fired for the first time on this. Repeats are counted and raise nothing.
    #[zbus(signal)]
    pub(super) async fn raised(
        emitter: &SignalEmitter<'_>,
        id: u64,
        rule_id: &str,
        level: &str,
    ) -> zbus::Result<()>;

    /// The status or the note of an alert is another.
    #[zbus(signal)]
    pub(super) async fn updated(emitter: &SignalEmitter<'_>, id: u64) -> zbus::Result<()>;
}

/// A selection that was understood.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    statuses: Vec<Status>,
    level: Level,
    rule: String,
}

impl Wanted {
    fn parse(selection: AlertSelection) -> Result<Self, Error> {
        let level = match &*selection.level {
            "" => Level::Informational,
            name => Level::parse(name).ok_or_else(|| {
                let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
                Error::InvalidArgument(format!("level: give one of {}", names.join(", ")))
            })?,
        };
        let statuses = selection.statuses.iter().map(|name| parse_status(name));
        Ok(Self { statuses: statuses.collect::<Result<_, _>>()?, level, rule: selection.rule })
    }

    pub(super) fn page<'f>(
        &self,
        filter: &'f Filter,
        limit: u32,
        cursor: Option<i64>,
    ) -> AlertPage<'f> {
        AlertPage {
            filter,
            statuses: self.statuses.clone(),
            level: self.level,
            rule: self.rule.clone(),
            limit,
            cursor,
            only: None,
        }
    }
}

fn parse_status(name: &str) -> Result<Status, Error> {
    Status::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
        Error::InvalidArgument(format!("status: give one of {}", names.join(", ")))
    })
}

#[cfg(not(feature = "capture"))]
impl Service {
    async fn subscribe_alerts(
        &self,
        _filter: Filter,
        _wanted: Wanted,
        _backlog: u32,
    ) -> Result<OwnedFd, Error> {
        Err(super::read_only())
    }

    async fn set_alerts(
        &self,
        _ids: Vec<i64>,
        _status: Option<Status>,
        _note: Option<String>,
        _uid: u32,
    ) -> Result<u32, Error> {
        Err(super::read_only())
    }
}

#[cfg(feature = "capture")]
impl Service {
    async fn set_alerts(
        &self,
        ids: Vec<i64>,
        status: Option<Status>,
        note: Option<String>,
        uid: u32,
    ) -> Result<u32, Error> {
        self.change(uid, crate::store::What::Alerts { ids, status, note }).await
    }

    /// Writes it, in the name of a user.
    pub(super) async fn change(&self, uid: u32, what: crate::store::What) -> Result<u32, Error> {
        let live = self.inner.live.as_ref().ok_or_else(super::read_only)?;
        let name = tokio::task::spawn_blocking(move || {
            nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten()
        });
        let name = name.await.ok().flatten().map(|user| user.name);
        let written = live.pipeline.change(super::now_ns(), uid, name, what).await;
        written.ok_or_else(|| {
            Error::Busy(
                "it could not be written yet (is the disk full?); it will be when that is possible"
                    .to_owned(),
            )
        })
    }

    /// What is stored of these, as lines.
    async fn alert_lines(
        &self,
        filter: &Filter,
        wanted: &Wanted,
        limit: u32,
        only: Option<Vec<i64>>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let (filter, wanted) = (filter.clone(), wanted.clone());
        self.blocking(move |reader| {
            let mut lines = Vec::new();
            let page = AlertPage { only, ..wanted.page(&filter, limit, None) };
            reader.alerts(&Control::default(), &page, &mut |alert| {
                lines.push(line(&AlertLine::Alert(Box::new(alert.clone()))));
                ControlFlow::Continue(())
            })?;
            lines.reverse();
            Ok(lines)
        })
        .await
    }

    async fn subscribe_alerts(
        &self,
        filter: Filter,
        wanted: Wanted,
        backlog: u32,
    ) -> Result<OwnedFd, Error> {
        let live = self.inner.live.as_ref().ok_or_else(super::read_only)?;
        let place = live.subscriptions.clone().try_acquire_owned().map_err(|_| {
            Error::Busy("too many subscriptions: close one and try again".to_owned())
        })?;
        // What is raised from now on comes on the queue; what was before is stored after a flush.
        // One that is in both is told once.
        let news = live.pipeline.alerts();
        self.flush().await;
        let (reading, writing) = pipe::new().map_err(failed)?;
        let service = self.clone();
        tokio::spawn(async move {
            let mut subscription = Subscription { service, filter, wanted, last_told: 0 };
            // Ends when the subscriber leaves or the recorder stops.
            let _ = subscription.run(writing, news, backlog).await;
            drop(place);
        });
        Ok(reading.into())
    }
}

#[cfg(feature = "capture")]
use live::{Subscription, line};

#[cfg(feature = "capture")]
mod live {
    //! One subscription to alerts.

    use std::os::fd::OwnedFd;

    use common::alert::AlertLine;
    use common::ecs::Done;
    use common::filter::Filter;
    use tokio::io::AsyncWriteExt as _;
    use tokio::sync::broadcast::Receiver;
    use tokio::sync::broadcast::error::RecvError;

    use super::super::{Service, subscription};
    use super::Wanted;
    use crate::recorder::live::AlertNews;

    pub(super) struct Subscription {
        pub(super) service: Service,
        pub(super) filter: Filter,
        pub(super) wanted: Wanted,
        /// The newest alert that came from the store.
        pub(super) last_told: i64,
    }

    impl Subscription {
        pub(super) async fn run(
            &mut self,
            writing: OwnedFd,
            mut news: Receiver<AlertNews>,
            backlog: u32,
        ) -> std::io::Result<()> {
            let mut pipe = subscription::prepared(writing)?;
            self.last_told = self.newest().await;
            if backlog > 0 {
                match self.service.alert_lines(&self.filter, &self.wanted, backlog, None).await {
                    Ok(lines) => {
                        for line in lines {
                            pipe.write_all(&line).await?;
                        }
                    }
                    Err(error) => {
                        // Going on without the past would look as if there were none.
                        let done = Done { error: Some(error.to_string()), ..Done::default() };
                        return pipe.write_all(&line(&AlertLine::Done(done))).await;
                    }
                }
            }
            loop {
                let next = tokio::select! {
                    next = news.recv() => next,
                    () = subscription::closed(&pipe) => return Ok(()),
                };
                match next {
                    Ok(news) => {
                        for line in self.lines(news).await {
                            pipe.write_all(&line).await?;
                        }
                    }
                    Err(RecvError::Lagged(missed)) => {
                        pipe.write_all(&line(&AlertLine::Missed(missed))).await?;
                    }
                    Err(RecvError::Closed) => {
                        return pipe.write_all(&line(&AlertLine::Done(Done::default()))).await;
                    }
                }
            }
        }

        /// Up to here, what is stored tells of alerts.
        async fn newest(&self) -> i64 {
            let newest = self.service.blocking(|reader| reader.newest_alert(&Default::default()));
            newest.await.unwrap_or(0)
        }

        async fn lines(&self, news: AlertNews) -> Vec<Vec<u8>> {
            match news {
                AlertNews::Raised { alert, record } => {
                    let is_wanted = alert.id > self.last_told
                        && self.wanted.fits(&alert)
                        && self.filter.matches(&record);
                    let document = is_wanted.then(|| alert.document()).flatten();
                    document
                        .map(|alert| line(&AlertLine::Alert(Box::new(alert))))
                        .into_iter()
                        .collect()
                }
                AlertNews::Updated(ids) => {
                    self.service.flush().await;
                    let only = Some(ids.to_vec());
                    let lines = self.service.alert_lines(&self.filter, &self.wanted, 0, only).await;
                    // What could not be read is told, as what was not sent.
                    lines.unwrap_or_else(|_| vec![line(&AlertLine::Missed(ids.len() as u64))])
                }
            }
        }
    }

    pub(super) fn line(line: &AlertLine<'_>) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(feature = "capture")]
impl Wanted {
    /// Of an alert that has just been raised.
    fn fits(&self, alert: &crate::store::NewAlert) -> bool {
        let is_status = self.statuses.is_empty() || self.statuses.contains(&Status::New);
        let is_rule = self.rule.is_empty()
            || alert.rule_id.starts_with(&self.rule.to_lowercase())
            || crate::rules::title_fits(&self.rule, &alert.title);
        is_status && is_rule && alert.level >= self.level
    }
}
