//! Rules: lists, one, switching, texts, and trying them on what is stored.

use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;

use super::{Asking, NDJSON, Route, body, json_body, query};
use crate::web::fault::Fault;
use crate::web::{answer, form, stream};

pub(super) fn routes() -> Vec<Route> {
    vec![
        ("/api/v1/rules", get(list)),
        ("/api/v1/rules/enabled", post(switch)),
        ("/api/v1/rules/validate", post(validate)),
        ("/api/v1/rules/hunt", post(hunt)),
        ("/api/v1/rules/reload", post(reload)),
        ("/api/v1/rules/uploads/{name}", put(upload)),
        ("/api/v1/rules/{id}", get(one).delete(remove)),
    ]
}

async fn list(asking: Asking) -> Response {
    asking
        .answer(async {
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.rules().await?.list().await?))
        })
        .await
}

async fn one(asking: Asking, Path(id): Path<String>) -> Response {
    asking
        .answer(async {
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.rules().await?.get(&id).await?))
        })
        .await
}

async fn remove(asking: Asking, Path(id): Path<String>) -> Response {
    asking
        .answer(async {
            let affected = asking.session.rules().await?.remove(&[&id]).await?;
            Ok(axum::Json(affected).into_response())
        })
        .await
}

async fn switch(asking: Asking, from: Body) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Switch {
        patterns: Vec<String>,
        enabled: bool,
    }
    asking
        .answer(async {
            let switch: Switch = json_body(from).await?;
            let patterns: Vec<&str> = switch.patterns.iter().map(String::as_str).collect();
            let rules = asking.session.rules().await?;
            let affected = rules.set_enabled(&patterns, switch.enabled).await?;
            Ok(axum::Json(affected).into_response())
        })
        .await
}

async fn upload(asking: Asking, Path(name): Path<String>, from: Body) -> Response {
    asking
        .answer(async {
            let content = body(from).await?;
            Ok(answer::json(asking.session.rules().await?.upload(&name, &content).await?))
        })
        .await
}

async fn validate(asking: Asking, uri: Uri, from: Body) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        name: String,
    }
    asking
        .answer(async {
            let named: Named = query(&uri)?;
            let name = if named.name.is_empty() { "pasted.yml" } else { &named.name };
            let content = body(from).await?;
            Ok(answer::json(asking.session.rules().await?.validate(name, &content).await?))
        })
        .await
}

async fn reload(asking: Asking) -> Response {
    asking
        .answer(async {
            asking.session.rules().await?.reload().await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        })
        .await
}

async fn hunt(asking: Asking, from: Body) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Hunt {
        id: Option<String>,
        text: Option<String>,
        #[serde(default)]
        filter: String,
    }
    asking
        .answer(async {
            let hunt: Hunt = json_body(from).await?;
            form::filter(&hunt.filter)?;
            let place = asking.place().await?;
            let rules = asking.session.rules().await?;
            let pipe = match (hunt.id, hunt.text) {
                (Some(id), None) => rules.hunt(&id, &hunt.filter).await?,
                (None, Some(text)) => rules.hunt_text(text.as_bytes(), &hunt.filter).await?,
                _ => return Err(Fault::bad("give either the id of a rule or a text")),
            };
            stream::passed_on(pipe, NDJSON, place)
        })
        .await
}
