//! Alerts: lists, one, their triage, and those that are raised now.

use axum::body::Body;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use common::bus::AlertSelection;
use serde::{Deserialize, Serialize};

use super::{Asking, NDJSON, Route, json_body};
use crate::web::fault::Fault;
use crate::web::form::Pairs;
use crate::web::{answer, form, stream};

const DEFAULT_ROWS: u32 = 100;

pub(super) fn routes() -> Vec<Route> {
    vec![
        ("/api/v1/alerts", get(list)),
        ("/api/v1/alerts/events", get(follow)),
        ("/api/v1/alerts/status", post(set)),
        ("/api/v1/alerts/{id}", get(one)),
    ]
}

struct Wanted {
    filter: String,
    selection: AlertSelection,
    pairs: Pairs,
}

impl Wanted {
    /// Statuses come one by one, or with commas between.
    fn of(uri: &Uri) -> Result<Self, Fault> {
        let pairs = Pairs::of(uri);
        let filter = pairs.text("filter");
        form::filter(&filter)?;
        let statuses = pairs.all("status").flat_map(|text| text.split(',')).map(str::trim);
        let statuses = statuses.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let selection =
            AlertSelection { statuses, level: pairs.text("level"), rule: pairs.text("rule") };
        Ok(Self { filter, selection, pairs })
    }
}

async fn list(asking: Asking, uri: Uri) -> Response {
    asking
        .answer(async {
            let wanted = Wanted::of(&uri)?;
            let limit = wanted.pairs.last("limit");
            let limit = form::number("limit", Some(limit), DEFAULT_ROWS, 1..=form::MOST_ROWS)?;
            let cursor = wanted.pairs.last("cursor");
            let place = asking.place().await?;
            let alerts = asking.session.alerts().await?;
            let pipe = alerts.query(&wanted.filter, &wanted.selection, limit, cursor).await?;
            stream::passed_on(pipe, NDJSON, place)
        })
        .await
}

async fn one(asking: Asking, Path(id): Path<String>) -> Response {
    asking
        .answer(async {
            let id = id.parse().map_err(|_| Fault::bad("the id of an alert is a number"))?;
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.alerts().await?.get(id).await?))
        })
        .await
}

async fn follow(asking: Asking, uri: Uri) -> Response {
    asking
        .answer(async {
            let wanted = Wanted::of(&uri)?;
            let backlog = form::backlog(Some(wanted.pairs.last("backlog")))?;
            let place = asking.stream_place()?;
            let alerts = asking.session.alerts().await?;
            let pipe = alerts.subscribe(&wanted.filter, &wanted.selection, backlog).await?;
            let (app, session) = (asking.app.clone(), asking.session.clone());
            stream::events(app, session, pipe, name_of_line, place)
        })
        .await
}

fn name_of_line(line: &[u8]) -> &'static str {
    if line.starts_with(b"{\"missed\"") { "missed" } else { "alert" }
}

async fn set(asking: Asking, body: Body) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        ids: Vec<u64>,
        #[serde(default)]
        status: String,
        #[serde(default)]
        note: String,
    }
    #[derive(Serialize)]
    struct Changed {
        changed: u32,
    }
    asking
        .answer(async {
            let change: Change = json_body(body).await?;
            let alerts = asking.session.alerts().await?;
            let changed = alerts.set(&change.ids, &change.status, &change.note).await?;
            Ok(axum::Json(Changed { changed }).into_response())
        })
        .await
}
