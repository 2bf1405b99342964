//! The list of processes, and one process.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use common::alert::Alert;
use common::bus::AlertSelection;
use common::ecs::{Done, Event, Gap, Line};
use common::id::ProcessId;
use common::time::parse_rfc3339;
use maud::Markup;

use super::Looking;
use super::scope::Scope;
use crate::web::fault::Fault;
use crate::web::form::Pairs;
use crate::web::lines;
use crate::web::pages::{
    self, Fired, Histogram, Order, ProcessPage, ProcessQuery, ProcessesPage, Section, Trouble,
};

const ROWS: u32 = 100;
const MOST_ALERTS: u32 = 200;
const MOST_GAPS: u32 = 200;
const BUCKETS: u32 = 120;
/// What is counted for the histogram by then is shown; the list does not wait for it.
const HISTOGRAM_PATIENCE: Duration = Duration::from_millis(120);
const UP: u32 = 64;
const DOWN: u32 = 3;
const MOST_TREE: u32 = 400;

pub(super) async fn list(looking: Looking, uri: Uri) -> Response {
    let pairs = Pairs::of(&uri);
    let query = ProcessQuery {
        filter: pairs.text("filter"),
        since: pairs.text("since"),
        until: pairs.text("until"),
        cursor: pairs.text("cursor"),
        order: if pairs.last("order") == "oldest" { Order::Oldest } else { Order::Newest },
    };
    looking.answer(looking.processes(&query)).await
}

pub(super) async fn one(looking: Looking, Path(id): Path<String>, uri: Uri) -> Response {
    let pairs = Pairs::of(&uri);
    let ordinal = pairs.last("ordinal").parse().ok();
    looking.answer(looking.process(&id, ordinal)).await
}

/// What a page of the list is made of.
#[derive(Default)]
struct Found {
    events: Vec<Event<'static>>,
    done: Done,
    fired: HashMap<ProcessId, Fired>,
    /// From, to, and how many in each part.
    counts: Option<(i64, i64, Vec<u64>)>,
    gaps: Vec<Gap>,
}

impl Looking {
    async fn processes(&self, query: &ProcessQuery) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Processes).await?;
        let (found, trouble) = match self.find(query).await {
            Ok(found) => (found, None),
            Err(fault) => {
                let fault = self.in_place(fault).await?;
                (Found::default(), Some(fault.trouble(&query.filter)))
            }
        };
        let histogram = found.counts.as_ref().map(|(from_ns, to_ns, counts)| Histogram {
            from_ns: *from_ns,
            to_ns: *to_ns,
            counts,
            gaps: &found.gaps,
        });
        Ok(pages::processes(
            &chrome,
            &ProcessesPage {
                query,
                events: &found.events,
                fired: &found.fired,
                histogram,
                next: found.done.cursor.as_deref(),
                is_behind: found.done.behind,
                trouble: trouble.as_ref(),
            },
        ))
    }

    async fn find(&self, query: &ProcessQuery) -> Result<Found, Fault> {
        let oldest = self.health().await?.store.oldest.as_deref().and_then(parse_rfc3339);
        let scope = Scope::settle(&query.filter, &query.since, &query.until, oldest)?;
        let _place = self.place().await?;
        let text = scope.text();
        let (page, fired, counts, gaps) = tokio::join!(
            self.page(query, &text),
            self.fired(&text),
            self.counts(&scope),
            self.gaps(scope.from_ns, scope.to_ns),
        );
        let (events, done) = page?;
        Ok(Found { events, done, fired: fired?, counts: counts?, gaps: gaps? })
    }

    async fn page(
        &self,
        query: &ProcessQuery,
        text: &str,
    ) -> Result<(Vec<Event<'static>>, Done), Fault> {
        let is_newest_first = query.order == Order::Newest;
        let processes = self.session.processes().await?;
        let pipe = processes.query(text, ROWS, is_newest_first, &query.cursor).await?;
        let (lines, done) = lines::whole::<lines::Records>(pipe).await?;
        Ok((events(lines), done))
    }

    /// Which of the processes made rules fire.
    async fn fired(&self, text: &str) -> Result<HashMap<ProcessId, Fired>, Fault> {
        Ok(marks(&self.alerts_of(text).await?))
    }

    async fn alerts_of(&self, text: &str) -> Result<Vec<Alert<'static>>, Fault> {
        let alerts = self.session.alerts().await?;
        let pipe = alerts.query(text, &AlertSelection::default(), MOST_ALERTS, "").await?;
        Ok(lines::whole::<lines::Alerts>(pipe).await?.0)
    }

    async fn counts(&self, scope: &Scope) -> Result<Option<(i64, i64, Vec<u64>)>, Fault> {
        let processes = self.session.processes().await?;
        let text = scope.filter_text();
        // Given up, the counting ends: its pipe is closed.
        let counting = async {
            let pipe = processes.histogram(&text, scope.from_ns, scope.to_ns, BUCKETS).await?;
            lines::buckets(pipe).await
        };
        match tokio::time::timeout(HISTOGRAM_PATIENCE, counting).await {
            Ok(counts) => Ok(Some((scope.from_ns, scope.to_ns, counts?))),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn gaps(&self, from_ns: i64, to_ns: i64) -> Result<Vec<Gap>, Fault> {
        let pipe = self.session.manager().await?.gaps(from_ns, to_ns, MOST_GAPS).await?;
        let (lines, _) = lines::whole::<lines::Records>(pipe).await?;
        let gap = |line| if let Line::Gap(gap) = line { Some(gap) } else { None };
        Ok(lines.into_iter().filter_map(gap).collect())
    }

    async fn process(&self, id: &str, ordinal: Option<u32>) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Processes).await?;
        let _place = self.place().await?;
        let processes = self.session.processes().await?;
        let images: Vec<Event<'static>> = serde_json::from_str(&processes.get(id).await?)
            .map_err(|error| Fault::not_understood(&error))?;
        let Some(process) = images.last().map(|image| image.process.entity_id) else {
            return Err(Fault::not_found("nothing is recorded of it"));
        };
        let pipe = processes.tree(&process.to_string(), UP, DOWN, MOST_TREE).await?;
        let tree = lines::whole::<lines::Records>(pipe).await.map(|(lines, _)| events(lines));
        let alerts = self.alerts_of(&format!("id = {process}")).await;
        let trouble: Option<Trouble> = match (&tree, &alerts) {
            (Err(fault), _) | (_, Err(fault)) => Some(fault.trouble("")),
            _ => None,
        };
        let (tree, alerts) = (tree.unwrap_or_default(), alerts.unwrap_or_default());
        let fired = self.fired_in(&tree).await.unwrap_or_else(|_| marks(&alerts));
        Ok(pages::process(
            &chrome,
            &ProcessPage {
                images: &images,
                ordinal,
                tree: &tree,
                is_tree_cut: tree.len() >= MOST_TREE as usize,
                fired: &fired,
                alerts: &alerts,
                trouble: trouble.as_ref(),
            },
        ))
    }

    async fn fired_in(&self, tree: &[Event<'static>]) -> Result<HashMap<ProcessId, Fired>, Fault> {
        let ids: Vec<String> =
            tree.iter().take(100).map(|event| event.process.entity_id.to_string()).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.fired(&format!("id in ({})", ids.join(", "))).await
    }
}

fn events(lines: Vec<Line<'static>>) -> Vec<Event<'static>> {
    let event = |line| if let Line::Event(event) = line { Some(*event) } else { None };
    lines.into_iter().filter_map(event).collect()
}

fn marks(alerts: &[Alert<'static>]) -> HashMap<ProcessId, Fired> {
    let mut fired: HashMap<ProcessId, Fired> = HashMap::new();
    for alert in alerts {
        let mark = fired
            .entry(alert.event.process.entity_id)
            .or_insert(Fired { count: 0, worst: alert.rule.level });
        mark.count += 1;
        mark.worst = mark.worst.max(alert.rule.level);
    }
    fired
}
