//! From a request to a page: asks the recorder for what the page shows, and hands it over.

mod alerts;
mod binaries;
mod health;
mod processes;
mod rules;
mod scope;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use common::health::Health;
use common::web::WebRight;
use maud::Markup;

use super::App;
use super::answer;
use super::fault::Fault;
use super::form;
use super::pages::{Chrome, Clock, Rights, Section};
use super::recorder::Place;
use super::sessions::Session;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(|| async { answer::see_other("/processes") }))
        .route("/processes", get(processes::list))
        .route("/processes/{id}", get(processes::one))
        .route("/alerts", get(alerts::list))
        .route("/alerts/{id}", get(alerts::one))
        .route("/rules", get(rules::list))
        .route("/rules/{id}", get(rules::one))
        .route("/binaries", get(binaries::list))
        .route("/binaries/{hash}", get(binaries::one))
        .route("/health", get(health::show))
}

/// What the frame of each page says is as fresh as this.
const HEALTH_LIFE: Duration = Duration::from_secs(2);

/// The state of the recorder, asked for once for many pages. It is the same for every session.
#[derive(Default)]
pub(super) struct LastHealth(Mutex<Option<(Instant, Arc<Health>)>>);

impl LastHealth {
    async fn get(&self, session: &Session) -> Result<Arc<Health>, Fault> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((asked, health)) = last
            && asked.elapsed() < HEALTH_LIFE
        {
            return Ok(health);
        }
        let health: Health = serde_json::from_str(&session.manager().await?.health().await?)
            .map_err(|error| Fault::not_understood(&error))?;
        let health = Arc::new(health);
        let fresh = Some((Instant::now(), health.clone()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(health)
    }
}

/// Who looks.
pub(super) struct Looking {
    app: App,
    session: Arc<Session>,
}

impl FromRequestParts<App> for Looking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match parts.extensions.get::<Arc<Session>>() {
            Some(session) => Ok(Self { app: app.clone(), session: session.clone() }),
            None => Err(Fault::no_session().answer(false)),
        }
    }
}

impl Looking {
    async fn place(&self) -> Result<Place, Fault> {
        self.app.place(&self.session).await
    }

    /// The page, or one that says why there is none.
    async fn answer(&self, page: impl Future<Output = Result<Markup, Fault>>) -> Response {
        match page.await {
            Ok(page) => answer::html(page),
            Err(fault) => self.app.judge(&self.session, fault).await.answer(false),
        }
    }

    /// A fault that a page shows in its place; one that no page can be made for goes on.
    async fn in_place(&self, fault: Fault) -> Result<Fault, Fault> {
        let fault = self.app.judge(&self.session, fault).await;
        if fault.is_stranger { Err(fault) } else { Ok(fault) }
    }

    async fn health(&self) -> Result<Arc<Health>, Fault> {
        self.app.inner.health.get(&self.session).await
    }

    async fn chrome(&self, page: Section) -> Result<Chrome, Fault> {
        let health = self.health().await?;
        let may = |right| self.session.may(right);
        Ok(Chrome {
            host: health.host.clone(),
            state: health.state.clone(),
            user: self.session.info.user.clone(),
            may: Rights {
                manage_alerts: may(WebRight::ManageAlerts),
                manage_rules: may(WebRight::ManageRules),
                read_binaries: may(WebRight::ReadBinaries),
            },
            page,
            open_alerts: Some(health.store.alerts_new),
            lost: Some(health.store.lost),
            version: health.version.clone(),
            clock: Clock(common::time::Clock {
                now_ns: form::now_ns(),
                zone: jiff::tz::TimeZone::system(),
            }),
        })
    }
}
