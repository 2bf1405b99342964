//! Processes: lists, one, its tree, counts, and what happens now.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use common::csv_form;
use common::ecs::Line;
use serde::{Deserialize, Serialize};

use super::{Asking, NDJSON, Route, query};
use crate::web::fault::Fault;
use crate::web::{answer, form, lines, stream};

const DEFAULT_ROWS: u32 = 100;
const MOST_BUCKETS: u32 = 2_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        ("/api/v1/processes", get(list)),
        ("/api/v1/processes/{id}", get(one)),
        ("/api/v1/processes/{id}/tree", get(tree)),
        ("/api/v1/events", get(follow)),
        ("/api/v1/histogram", get(histogram)),
        ("/api/v1/top", get(top)),
        ("/api/v1/gaps", get(gaps)),
    ]
}

async fn list(asking: Asking, uri: Uri) -> Response {
    asking.answer(asking.list(&uri)).await
}

async fn one(asking: Asking, Path(id): Path<String>) -> Response {
    asking
        .answer(async {
            let _place = asking.place().await?;
            Ok(answer::json(asking.session.processes().await?.get(&id).await?))
        })
        .await
}

async fn tree(asking: Asking, Path(id): Path<String>, uri: Uri) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Reach {
        up: Option<String>,
        down: Option<String>,
        limit: Option<String>,
    }
    asking
        .answer(async {
            let reach: Reach = query(&uri)?;
            let up = form::number("up", reach.up.as_deref(), 64, 0..=1_000)?;
            let down = form::number("down", reach.down.as_deref(), 3, 0..=1_000)?;
            let limit = form::number("limit", reach.limit.as_deref(), 500, 1..=form::MOST_ROWS)?;
            let place = asking.place().await?;
            let pipe = asking.session.processes().await?.tree(&id, up, down, limit).await?;
            stream::passed_on(pipe, NDJSON, place)
        })
        .await
}

async fn follow(asking: Asking, uri: Uri) -> Response {
    asking
        .answer(async {
            let page: form::Page = query(&uri)?;
            form::filter(&page.filter)?;
            let backlog = page.backlog()?;
            let place = asking.stream_place()?;
            let pipe = asking.session.processes().await?.subscribe(&page.filter, backlog).await?;
            let (app, session) = (asking.app.clone(), asking.session.clone());
            stream::events(app, session, pipe, name_of_line, place)
        })
        .await
}

/// A record has a time first; the rest says what it is.
fn name_of_line(line: &[u8]) -> &'static str {
    match line {
        _ if line.starts_with(b"{\"gap\"") => "gap",
        _ if line.starts_with(b"{\"missed\"") => "missed",
        _ => "record",
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Range {
    filter: String,
    from_ns: String,
    to_ns: String,
    buckets: Option<String>,
    limit: Option<String>,
}

impl Range {
    fn bound(name: &str, text: &str) -> Result<i64, Fault> {
        text.parse().map_err(|_| Fault::bad(format!("{name}: give nanoseconds since 1970")))
    }
}

async fn histogram(asking: Asking, uri: Uri) -> Response {
    #[derive(Serialize)]
    struct Histogram {
        from_ns: i64,
        to_ns: i64,
        counts: Vec<u64>,
    }
    asking
        .answer(async {
            let range: Range = query(&uri)?;
            form::filter(&range.filter)?;
            let from_ns = Range::bound("from_ns", &range.from_ns)?;
            let to_ns = Range::bound("to_ns", &range.to_ns)?;
            let buckets = form::number("buckets", range.buckets.as_deref(), 100, 1..=MOST_BUCKETS)?;
            let _place = asking.place().await?;
            let processes = asking.session.processes().await?;
            let pipe = processes.histogram(&range.filter, from_ns, to_ns, buckets).await?;
            let counts = lines::buckets(pipe).await?;
            Ok(axum::Json(Histogram { from_ns, to_ns, counts }).into_response())
        })
        .await
}

async fn top(asking: Asking, uri: Uri) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Top {
        field: String,
        filter: String,
        limit: Option<String>,
        order: String,
    }
    asking
        .answer(async {
            let top: Top = query(&uri)?;
            form::filter(&top.filter)?;
            let limit = form::number("limit", top.limit.as_deref(), 10, 1..=1_000)?;
            let is_rarest = match &*top.order {
                "" | "most" => false,
                "rarest" => true,
                _ => return Err(Fault::bad("order: give most or rarest")),
            };
            let _place = asking.place().await?;
            let processes = asking.session.processes().await?;
            let pipe = processes.top(&top.field, &top.filter, limit, is_rarest).await?;
            let (counts, _) = lines::whole::<lines::Counts>(pipe).await?;
            Ok(axum::Json(counts).into_response())
        })
        .await
}

async fn gaps(asking: Asking, uri: Uri) -> Response {
    asking
        .answer(async {
            let range: Range = query(&uri)?;
            let bound = |name, text: &String| {
                if text.is_empty() { Ok(0) } else { Range::bound(name, text) }
            };
            let (from_ns, to_ns) =
                (bound("from_ns", &range.from_ns)?, bound("to_ns", &range.to_ns)?);
            let limit = form::number("limit", range.limit.as_deref(), 100, 1..=form::MOST_ROWS)?;
            let place = asking.place().await?;
            let pipe = asking.session.manager().await?.gaps(from_ns, to_ns, limit).await?;
            stream::passed_on(pipe, NDJSON, place)
        })
        .await
}

impl Asking {
    pub(super) fn stream_place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Fault> {
        self.app.inner.streams.clone().try_acquire_owned().map_err(|_| {
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "too many live views are open")
                .hint("close some")
        })
    }

    async fn list(&self, uri: &Uri) -> Result<Response, Fault> {
        let page: form::Page = query(uri)?;
        form::filter(&page.filter)?;
        let limit = page.limit(DEFAULT_ROWS)?;
        let is_newest_first = page.is_newest_first()?;
        let is_csv = match &*page.format {
            "" | "ndjson" => false,
            "csv" => true,
            _ => return Err(Fault::bad("format: give ndjson or csv")),
        };
        let place = self.place().await?;
        let processes = self.session.processes().await?;
        let pipe = processes.query(&page.filter, limit, is_newest_first, &page.cursor).await?;
        if is_csv { csv(pipe).await } else { stream::passed_on(pipe, NDJSON, place) }
    }
}

/// A table that no spreadsheet takes for formulas.
async fn csv(pipe: zbus::OwnedFd) -> Result<Response, Fault> {
    let (rows, _) = lines::whole::<lines::Records>(pipe).await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut written = writer.write_record(csv_form::COLUMNS);
    for row in &rows {
        if let Line::Event(event) = row {
            written = written.and_then(|()| writer.write_record(csv_form::row(event)));
        }
    }
    let fault = |error: String| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    written.map_err(|error| fault(error.to_string()))?;
    let text = writer.into_inner().map_err(|error| fault(error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"processes.csv\""),
    ];
    Ok((headers, text).into_response())
}
