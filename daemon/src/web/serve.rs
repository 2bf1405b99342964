//! Connections and their bounds. Every user of this machine can reach the port, so nobody may hold
//! it up: heads are small and come soon, answers are taken, and places are counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use super::stall::Patient;
use super::{App, Listening, answer, api, assets, guard, login, views};

/// For all that connect. One that finds none waits in the kernel's queue.
const MOST_CONNECTIONS: usize = 2048;
/// Until the head of a request is there, from when it could have begun.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Who takes nothing of an answer for so long is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
const HEAD_BYTES: usize = 16 << 10;
const HEAD_FIELDS: usize = 64;

/// Serves until the process ends.
pub(crate) async fn serve(listening: Listening, app: App) {
    raise_descriptors();
    let listener = match prepare(listening.listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("the web page cannot listen: {error}");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let router = Router::new(app.clone());
    tokio::spawn(async move { app.inner.sessions.keep_tidy().await });
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: others must leave first.
                tracing::warn!("a browser could not connect: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn prepare(listener: std::net::TcpListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Every connection takes one, and every question another.
fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(8192).max(soft), hard);
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.answer(request.map(Body::new)).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_PATIENCE)), service)
        .await;
    if let Err(error) = served {
        // Any user can cause this, so that it is nothing to fill the journal with.
        tracing::debug!("a connection ended: {error}");
    }
}

/// What a browser gets that sends these bytes and no more, and has no session.
#[cfg(all(feature = "capture", any(test, feature = "fuzz")))]
pub(crate) async fn answer_to(bytes: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    // Nobody is at the other end, and nobody is to be asked.
    let (nowhere, _) = tokio::sync::mpsc::channel(1);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
    let app = App::new(super::Way::Here(nowhere), address, false);
    let (mut browser, stream) = tokio::io::duplex(1 << 20);
    let browsing = async {
        let _ = browser.write_all(bytes).await;
        let _ = browser.shutdown().await;
        let mut answer = Vec::new();
        let _ = browser.read_to_end(&mut answer).await;
        answer
    };
    tokio::join!(connection(stream, Router::new(app)), browsing).1
}

/// From a request to its answer.
#[derive(Clone)]
pub(super) struct Router {
    app: App,
    router: axum::Router,
}

impl Router {
    pub(super) fn new(app: App) -> Self {
        let router = axum::Router::new()
            .merge(api::router())
            .merge(views::router())
            .merge(login::router())
            .merge(assets::router())
            .fallback(answer::no_such_page)
            .method_not_allowed_fallback(answer::no_such_method)
            .with_state(app.clone());
        Self { app, router }
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        let is_head = request.method() == axum::http::Method::HEAD;
        let response = match guard::admit(&self.app, request) {
            Ok(request) => match self.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(refusal) => refusal,
        };
        answer::finish(response, is_head)
    }
}
