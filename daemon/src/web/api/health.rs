//! State and figures of the recorder.

use axum::response::Response;
use axum::routing::get;

use super::{Asking, Route};
use crate::web::answer;

pub(super) fn routes() -> Vec<Route> {
    vec![("/api/v1/health", get(health))]
}

async fn health(asking: Asking) -> Response {
    asking
        .answer(async {
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.manager().await?.health().await?))
        })
        .await
}
