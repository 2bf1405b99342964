//! The web page: a process of its own, without any right, that speaks HTTP to browsers of this
//! machine and D-Bus to the recorder.
//!
//! `listen` has the socket, `serve` the connections and their bounds, `guard` what is refused before
//! anybody looks at it, `sessions` who may ask, `recorder` the other side. `api` answers programs and
//! the page's own scripts, `views` fills `pages`, which is what people see.

mod answer;
mod api;
mod assets;
mod fault;
mod form;
mod guard;
mod lines;
mod listen;
mod login;
mod pages;
mod recorder;
mod serve;
mod sessions;
mod stall;
mod stream;
#[cfg(test)]
mod tests;
mod units;
mod views;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

pub(crate) use self::listen::Listening;
pub(crate) use self::recorder::Way;
#[cfg(all(feature = "capture", any(test, feature = "fuzz")))]
pub(crate) use self::serve::answer_to;
pub(crate) use self::serve::serve;
use self::sessions::Sessions;
pub(crate) use self::units::generate as generate_units;

/// Questions to the recorder at one time, which has places for others too; further ones wait.
const MOST_QUERIES: usize = 8;
/// Live views at one time.
const MOST_STREAMS: usize = 64;
/// Links that are being tried.
const MOST_LOGINS: usize = 4;

/// What every request may need.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
}

struct Inner {
    way: Way,
    address: SocketAddr,
    has_metrics: bool,
    sessions: Sessions,
    health: views::LastHealth,
    queries: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    logins: Semaphore,
}

impl App {
    pub(crate) fn new(way: Way, address: SocketAddr, has_metrics: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                way,
                address,
                has_metrics,
                sessions: Sessions::default(),
                health: views::LastHealth::default(),
                queries: Arc::new(Semaphore::new(MOST_QUERIES)),
                streams: Arc::new(Semaphore::new(MOST_STREAMS)),
                logins: Semaphore::new(MOST_LOGINS),
            }),
        }
    }
}

/// The program `bpf-recorderd web`: serves until it is told to stop.
pub(crate) fn run(way: Way, address: Option<SocketAddr>, has_metrics: bool) -> anyhow::Result<()> {
    let listening = Listening::begin(address)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let is_service = listening.is_handed_down;
        let app = App::new(way, listening.address, has_metrics);
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let serving = tokio::spawn(serve(listening, app.clone()));
        tracing::info!("the web page is at http://{}", app.inner.address);
        if is_service {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        } else {
            tokio::spawn(announce(app));
        }
        let watching = tokio::spawn(feed_watchdog());
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            ended = serving => ended.context("serve the web page")?,
        }
        watching.abort();
        anyhow::Ok(())
    })?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(())
}

/// Tells who started the page by hand how to get in, as soon as there is a recorder.
pub(crate) async fn announce(app: App) {
    const PATIENCE: Duration = Duration::from_secs(120);
    let link = async {
        loop {
            match app.inner.way.link().await {
                Ok(link) => return link,
                Err(error) => tracing::debug!("no link yet: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, link).await {
        Ok(link) => eprintln!(
            "look in a browser, within {} minutes: {}\nanother link: bpfctl web",
            link.valid_secs / 60,
            link.link
        ),
        Err(_) => eprintln!("there is no recorder yet; when there is, get a link with: bpfctl web"),
    }
}

/// The runtime still turns: the watchdog is to find out if not.
async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        tokio::time::sleep(limit / 3).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}
