//! The JSON API: what programs and the page's own scripts ask. `openapi.json` describes it, and a
//! test holds the two together.
//!
//! Documents and lines are those of D-Bus and of `bpfctl --json`, passed on as the recorder sent
//! them.

mod alerts;
mod binaries;
mod fields;
mod health;
mod processes;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde::de::DeserializeOwned;

use super::App;
use super::answer;
use super::fault::Fault;
use super::recorder::Place;
use super::sessions::Session;

pub(super) const NDJSON: &str = "application/x-ndjson";
const DESCRIPTION: &str = include_str!("openapi.json");
/// As much as the recorder takes of a file of rules.
const MOST_BODY_BYTES: usize = 1 << 20;
const BODY_PATIENCE: Duration = Duration::from_secs(15);

type Route = (&'static str, MethodRouter<App>);

fn routes() -> Vec<Route> {
    let mut routes = vec![
        ("/api/v1/openapi.json", get(|| async { answer::json(DESCRIPTION.to_owned()) })),
        ("/api/v1/session", get(session)),
    ];
    routes.extend(processes::routes());
    routes.extend(alerts::routes());
    routes.extend(rules::routes());
    routes.extend(binaries::routes());
    routes.extend(health::routes());
    routes.extend(fields::routes());
    routes
}

pub(super) fn router() -> Router<App> {
    routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
}

/// Who asks, and what they may do.
async fn session(asking: Asking) -> Response {
    asking
        .answer(async {
            // The recorder knows whether it has been ended, and when it was last used.
            let session = asking.session.web().await?.session().await;
            session.map(answer::json).map_err(|_| asking.app.end(&asking.session))
        })
        .await
}

/// What a handler of the API starts from: a session, which the guard has seen to.
pub(super) struct Asking {
    pub(super) app: App,
    pub(super) session: Arc<Session>,
}

impl FromRequestParts<App> for Asking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match parts.extensions.get::<Arc<Session>>() {
            Some(session) => Ok(Self { app: app.clone(), session: session.clone() }),
            None => Err(Fault::no_session().answer(true)),
        }
    }
}

impl Asking {
    pub(super) async fn place(&self) -> Result<Place, Fault> {
        self.app.place(&self.session).await
    }

    /// The answer, or what went wrong as JSON.
    pub(super) async fn answer(
        &self,
        result: impl Future<Output = Result<Response, Fault>>,
    ) -> Response {
        match result.await {
            Ok(response) => response,
            Err(fault) => self.app.judge(&self.session, fault).await.answer(true),
        }
    }
}

/// What stands behind the question mark.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Fault> {
    axum::extract::Query::try_from_uri(uri)
        .map(|axum::extract::Query(query)| query)
        .map_err(|error| Fault::bad(error.body_text()))
}

/// A whole body, soon and not too large.
pub(super) async fn body(body: Body) -> Result<Bytes, Fault> {
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, MOST_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MOST_BODY_BYTES} bytes, or was cut off"),
        )),
        Err(_) => Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")),
    }
}

pub(super) async fn json_body<T: DeserializeOwned>(from: Body) -> Result<T, Fault> {
    let bytes = body(from).await?;
    serde_json::from_slice(&bytes).map_err(|error| Fault::bad(format!("the body: {error}")))
}

#[cfg(test)]
mod tests;
