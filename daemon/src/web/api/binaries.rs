//! Executed files: lists, one, and the copy that was kept.

use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::Uri;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::Response;
use axum::routing::get;
use common::binary::Binary;
use common::bus::BinarySelection;
use serde::Deserialize;

use super::{Asking, NDJSON, Route, query};
use crate::web::fault::Fault;
use crate::web::{answer, form, stream};

const DEFAULT_ROWS: u32 = 100;

pub(super) fn routes() -> Vec<Route> {
    vec![
        ("/api/v1/binaries", get(list)),
        ("/api/v1/binaries/{hash}", get(one)),
        ("/api/v1/binaries/{hash}/content", get(content)),
    ]
}

async fn list(asking: Asking, uri: Uri) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Wanted {
        filter: String,
        order: String,
        unpackaged: String,
        limit: Option<String>,
    }
    asking
        .answer(async {
            let wanted: Wanted = query(&uri)?;
            form::filter(&wanted.filter)?;
            let limit =
                form::number("limit", wanted.limit.as_deref(), DEFAULT_ROWS, 1..=form::MOST_ROWS)?;
            let selection = BinarySelection {
                order: wanted.order,
                is_unpackaged: wanted.unpackaged == "1",
                ..BinarySelection::default()
            };
            let place = asking.place().await?;
            let binaries = asking.session.binaries().await?;
            let pipe = binaries.query(&wanted.filter, &selection, limit).await?;
            stream::passed_on(pipe, NDJSON, place)
        })
        .await
}

async fn one(asking: Asking, Path(hash): Path<String>) -> Response {
    asking
        .answer(async {
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.binaries().await?.get(&hash).await?))
        })
        .await
}

/// As a file to save, under a name that nothing would start.
async fn content(asking: Asking, Path(hash): Path<String>) -> Response {
    asking
        .answer(async {
            let place = asking.place().await?;
            let binaries = asking.session.binaries().await?;
            let binary: Binary = serde_json::from_str(&binaries.get(&hash).await?)
                .map_err(|error| Fault::not_understood(&error))?;
            let sha256 = binary.hash.sha256;
            let pipe = binaries.open(&sha256).await?;
            let mut response = stream::passed_on(pipe, "application/octet-stream", place)?;
            let name = format!("attachment; filename=\"{sha256}.bin\"");
            let name = HeaderValue::from_str(&name).map_err(|_| Fault::bad("this is no hash"))?;
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            Ok(response)
        })
        .await
}
