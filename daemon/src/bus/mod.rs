//! The D-Bus side: who may ask, what is answered, and the pipes that carry it.

mod access;
mod alerts;
mod binaries;
mod hunt;
#[cfg(test)]
mod introspection;
#[cfg(feature = "capture")]
mod log_control;
mod manager;
mod metrics;
pub(crate) mod open;
mod pipe;
#[cfg(feature = "capture")]
mod polkit;
mod processes;
mod rules;
#[cfg(feature = "capture")]
pub(crate) mod service_manager;
mod sessions;
#[cfg(feature = "capture")]
mod signals;
#[cfg(feature = "capture")]
mod subscription;
mod web;

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use common::bus::{Error, NAME, PATH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zbus::Connection;
use zbus::connection::Builder;

use self::access::Access;
use self::alerts::Alerts;
use self::binaries::Binaries;
#[cfg(feature = "capture")]
use self::log_control::LogControl;
use self::manager::Manager;
use self::processes::Processes;
use self::rules::Rules;
use self::sessions::Holder;
use self::web::Web;
use crate::binaries::{DIRECTORY, Present, Vault};
#[cfg(feature = "capture")]
use crate::recorder::link::Link;
#[cfg(feature = "capture")]
use crate::recorder::pipeline::Handle;
use crate::settings::{self, Bus};
use crate::store::{Reader, Stopped};

/// Queries at one time; further ones are refused with `Busy`.
pub(crate) const MOST_QUERIES: usize = 16;
/// Subscriptions at one time.
#[cfg(feature = "capture")]
const MOST_SUBSCRIPTIONS: usize = 128;
/// Clients at one time on a socket of our own.
const MOST_CONNECTIONS: usize = 128;

/// How often a bus that is gone is tried.
const JOIN_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// What the interfaces share.
#[derive(Clone)]
pub(crate) struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Reader,
    database: PathBuf,
    /// Copies of executed files, where there are any.
    vault: Present,
    since_ns: i64,
    queries: Arc<Semaphore>,
    /// Where the web page is, which is not here.
    web: settings::Web,
    #[cfg(feature = "capture")]
    live: Option<Live>,
}

/// What only a recorder has that records.
#[cfg(feature = "capture")]
struct Live {
    pipeline: Handle,
    rules: crate::rules::Handle,
    sensor: Link,
    /// Places for subscriptions.
    subscriptions: Arc<Semaphore>,
    /// Events that slow subscribers were not sent.
    missed: AtomicU64,
}

impl Service {
    #[cfg(feature = "capture")]
    pub(crate) fn recording(
        reader: Reader,
        live: Handle,
        rules: crate::rules::Handle,
        sensor: Link,
        database: &Path,
        vault: Present,
        web: settings::Web,
    ) -> Self {
        let live = Live {
            pipeline: live,
            rules,
            sensor,
            subscriptions: Arc::new(Semaphore::new(MOST_SUBSCRIPTIONS)),
            missed: AtomicU64::new(0),
        };
        Self::new(reader, database, vault, web, Some(live))
    }

    pub(crate) fn recorded(reader: Reader, database: &Path, web: settings::Web) -> Self {
        // Copies lie beside the database they belong to.
        let directory = database.parent().unwrap_or(Path::new(".")).join(DIRECTORY);
        let vault = Present::new(Vault::existing(&directory).ok());
        Self::new(
            reader,
            database,
            vault,
            web,
            #[cfg(feature = "capture")]
            None,
        )
    }

    fn new(
        reader: Reader,
        database: &Path,
        vault: Present,
        web: settings::Web,
        #[cfg(feature = "capture")] live: Option<Live>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                reader,
                database: database.to_owned(),
                vault,
                since_ns: now_ns(),
                queries: Arc::new(Semaphore::new(MOST_QUERIES)),
                web,
                #[cfg(feature = "capture")]
                live,
            }),
        }
    }

    #[cfg(not(feature = "capture"))]
    #[expect(clippy::unused_async, reason = "a recorder that records has something to tell")]
    async fn signal(&self, _connection: &Connection) {}

    /// So that an answer holds everything that happened before the question; false if it may not.
    async fn flush(&self) -> bool {
        #[cfg(feature = "capture")]
        if let Some(live) = &self.inner.live {
            return live.pipeline.flush().await;
        }
        true
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.inner.queries.clone().try_acquire_owned().map_err(|_| busy())
    }

    /// Runs a query on a thread of its own; a failed one was told to the client or the log.
    fn spawn_query(
        &self,
        query: impl FnOnce() -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let place = self.place()?;
        tokio::task::spawn_blocking(move || {
            if let Err(error) = query()
                && error.kind() != std::io::ErrorKind::BrokenPipe
            {
                tracing::warn!("an answer was not delivered: {error}");
            }
            drop(place);
        });
        Ok(())
    }

    /// As [`Self::spawn_query`], for an answer that fits a message.
    async fn blocking<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.place()?;
        let reader = self.inner.reader.clone();
        tokio::task::spawn_blocking(move || {
            let result = query(&reader);
            drop(place);
            result
        })
        .await
        .map_err(failed)?
        .map_err(failed)
    }

    fn interfaces<'b>(&self, builder: Builder<'b>, access: &Access) -> Builder<'b> {
        builder
            .serve_at(PATH, Manager::new(self.clone(), access.clone()))
            .serve_at(PATH, Processes::new(self.clone(), access.clone()))
            .serve_at(PATH, Alerts::new(self.clone(), access.clone()))
            .serve_at(PATH, Rules::new(self.clone(), access.clone()))
            .serve_at(PATH, Binaries::new(self.clone(), access.clone()))
            .serve_at(PATH, Web::new(self.clone(), access.clone()))
    }

    /// What a service has that a bus knows, too.
    #[cfg(feature = "capture")]
    fn log_control<'b>(&self, builder: Builder<'b>, access: &Access) -> Builder<'b> {
        match &self.inner.live {
            Some(live) => builder
                .serve_at(log_control::PATH, LogControl::new(access.clone(), live.sensor.clone())),
            None => builder,
        }
    }

    #[cfg(not(feature = "capture"))]
    fn log_control<'b>(&self, builder: Builder<'b>, _access: &Access) -> Builder<'b> {
        builder
    }
}

/// Keeps what was begun; dropping it ends it.
pub(crate) enum Serving {
    Bus(tokio::task::JoinHandle<()>),
    Socket(tokio::task::JoinHandle<()>),
}

impl Drop for Serving {
    fn drop(&mut self) {
        let (Serving::Bus(task) | Serving::Socket(task)) = self;
        task.abort();
    }
}

/// Serves on the bus, or on `listener` where the bus is a socket of our own.
pub(crate) async fn serve(
    service: Service,
    bus: &Bus,
    listener: Option<UnixListener>,
    own_uid: u32,
) -> anyhow::Result<Serving> {
    let bus = match bus {
        Bus::System => SharedBus::System,
        Bus::Session => SharedBus::Session,
        Bus::Socket(_) => {
            let listener = listener.context("a socket to listen on")?;
            return serve_peers(service, listener, Access::new(own_uid));
        }
    };
    let connection = join(&service, bus, own_uid).await.with_context(|| {
        format!(
            "serve {NAME} on the {}: is the bus running, may this user own the name, and does \
                 no other recorder run? (without a bus: --bus unix:path=PATH)",
            bus.name()
        )
    })?;
    Ok(Serving::Bus(tokio::spawn(stay(service, bus, own_uid, connection))))
}

/// One that others have, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SharedBus {
    System,
    Session,
}

impl SharedBus {
    fn name(self) -> &'static str {
        match self {
            SharedBus::System => "system bus",
            SharedBus::Session => "session bus",
        }
    }
}

/// With rights of its own: on another bus the names of clients mean others.
async fn join(service: &Service, bus: SharedBus, own_uid: u32) -> zbus::Result<Connection> {
    let access = Access::new(own_uid);
    let builder = match bus {
        SharedBus::System => Builder::system(),
        SharedBus::Session => Builder::session(),
    };
    #[cfg(feature = "capture")]
    let access = if bus == SharedBus::System { access.with_polkit() } else { access };
    service.log_control(service.interfaces(builder, &access), &access).name(NAME).build().await
}

/// Never ends: a bus that was restarted is joined again.
async fn stay(service: Service, bus: SharedBus, own_uid: u32, mut connection: Connection) {
    loop {
        tokio::select! {
            () = connection.closed() => {}
            // Ends only with the recorder, or if nobody can be told any more.
            () = service.signal(&connection) => connection.closed().await,
        }
        let name = bus.name();
        tracing::warn!("the {name} is gone: nobody is answered until it is back");
        let mut told = String::new();
        connection = loop {
            tokio::time::sleep(JOIN_AGAIN).await;
            match join(&service, bus, own_uid).await {
                Ok(connection) => break connection,
                // It may be back, and refuse this.
                Err(error) if error.to_string() != told => {
                    tracing::warn!("the {name} cannot be joined yet: {error}");
                    told = error.to_string();
                }
                Err(_) => {}
            }
        };
        tracing::info!("the {name} is back");
    }
}

fn serve_peers(
    service: Service,
    listener: UnixListener,
    access: Access,
) -> anyhow::Result<Serving> {
    listener.set_nonblocking(true).context("prepare the socket")?;
    let listener = tokio::net::UnixListener::from_std(listener).context("prepare the socket")?;
    let peers = Peers::new(service, access);
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => peers.admit(stream),
                Err(error) => {
                    // Out of descriptors, most likely: others must leave first.
                    tracing::warn!("a client could not connect: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
    });
    Ok(Serving::Socket(task))
}

/// Clients that have a connection each of their own.
#[derive(Clone)]
pub(crate) struct Peers {
    service: Service,
    access: Access,
    places: Arc<Semaphore>,
    count: Arc<AtomicU64>,
}

impl Peers {
    pub(crate) fn new(service: Service, access: Access) -> Self {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { service, access, places, count: Arc::default() }
    }

    /// Serves one, in a task of its own, until it leaves.
    pub(crate) fn admit(&self, stream: tokio::net::UnixStream) {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            tracing::warn!("a client was turned away: {MOST_CONNECTIONS} are connected");
            return;
        };
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (service, access) = (self.service.clone(), self.access.clone());
        tokio::spawn(async move {
            serve_peer(&service, stream, &access, number).await;
            access.sessions().gone(&Holder::Peer(number));
            drop(place);
        });
    }
}

/// A recorded database for tests of what asks, as if by its own user.
#[cfg(test)]
pub(crate) fn recorded_peers(reader: Reader, database: &Path, address: &str) -> Peers {
    let web = settings::Web { address: address.parse().ok(), has_metrics: false };
    let own_uid = nix::unistd::Uid::effective().as_raw();
    Peers::new(Service::recorded(reader, database, web), Access::new(own_uid))
}

/// One client on a socket of our own, until it leaves.
async fn serve_peer(
    service: &Service,
    stream: tokio::net::UnixStream,
    access: &Access,
    number: u64,
) {
    let uid = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => {
            tracing::warn!("a client without credentials was turned away: {error}");
            return;
        }
    };
    if !access.admits(uid) {
        tracing::warn!("user {uid} was turned away: only root and the recorder's user may connect");
        return;
    }
    let connect = async {
        let builder = Builder::unix_stream(stream.into_std()?).server(zbus::Guid::generate()).p2p();
        service.interfaces(builder, &access.of_peer(uid, number)).build().await
    };
    let patience = std::time::Duration::from_secs(10);
    match tokio::time::timeout(patience, connect).await {
        Ok(Ok(connection)) => {
            tokio::select! {
                () = connection.closed() => {}
                // Ends only with the recorder, or if nobody can be told any more.
                () = service.signal(&connection) => connection.closed().await,
            }
        }
        // Out of descriptors, perhaps. Only those come here who may.
        Ok(Err(error)) => tracing::warn!("a client did not get through the handshake: {error}"),
        Err(_) => tracing::debug!("a client did not finish the handshake"),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Failed(error.to_string())
}

fn busy() -> Error {
    Error::Busy("too many queries at once: try again when one has ended".to_owned())
}

fn read_only() -> Error {
    Error::ReadOnly("this is a recorded database: nothing happens in it any more".to_owned())
}

/// The wall clock.
fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
