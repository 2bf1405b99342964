//! The way in and out: a link becomes a session, a session ends. And figures, which need none.

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use common::bus::WebProxy;
use serde::Deserialize;

use super::fault::Fault;
use super::sessions::{COOKIE_NAME, Session};
use super::{App, answer, pages};

const SECRET_DIGITS: usize = 64;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/login", get(login))
        .route("/api/v1/logout", post(logout))
        .route("/metrics", get(metrics))
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    link: String,
}

async fn login(State(app): State<App>, Query(link): Query<Link>) -> Response {
    match begin(&app, &link.link).await {
        Ok(cookie) => {
            // A redirection would still count as coming from where the link was followed, and the
            // cookie would be held back: the browser begins anew from a page of ours.
            let page = pages::message(200, "Welcome", "The session is open.", None);
            let on = (HeaderName::from_static("refresh"), HeaderValue::from_static("0;url=/"));
            ([(SET_COOKIE, cookie), on], answer::html(page)).into_response()
        }
        Err(fault) if fault.status == StatusCode::NOT_FOUND => {
            (StatusCode::UNAUTHORIZED, answer::html(pages::welcome(pages::Closed::Used)))
                .into_response()
        }
        Err(fault) => fault.answer(false),
    }
}

async fn begin(app: &App, secret: &str) -> Result<HeaderValue, Fault> {
    // What cannot be a secret needs no question.
    if secret.len() != SECRET_DIGITS || !secret.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::not_found("this is no link"));
    }
    let _place = app.inner.logins.acquire().await.map_err(|_| Fault::busy())?;
    let (info, connection) = app.inner.way.redeem(secret).await?;
    tracing::info!("{} opened session {} of the web page", info.user, info.id);
    let cookie = app.inner.sessions.begin(info, connection).map_err(|error| {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no random numbers: {error}"))
    })?;
    let cookie = format!("{COOKIE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Strict");
    HeaderValue::from_str(&cookie).map_err(|_| Fault::bad("this is no link"))
}

async fn logout(State(app): State<App>, Extension(session): Extension<Arc<Session>>) -> Response {
    // The recorder is told, so that the session is over there at once.
    if let Ok(web) = WebProxy::new(&session.connection).await {
        let _ = web.revoke(session.info.id).await;
    }
    app.inner.sessions.end(&session);
    StatusCode::NO_CONTENT.into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    if !app.inner.has_metrics {
        return Fault::not_found("there are no figures here")
            .hint("set web-metrics = true in the configuration, and restart both services")
            .answer(false);
    }
    match app.inner.way.metrics().await {
        Ok(text) => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(fault) => fault.answer(false),
    }
}
