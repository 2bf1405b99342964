//! What is asked for in the address of a request.

use axum::http::Uri;
use common::filter::Filter;
use serde::Deserialize;

use super::fault::Fault;

pub(super) const MOST_ROWS: u32 = 10_000;
const MOST_BACKLOG: u32 = 1_000;

/// Of processes and alerts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    pub(super) filter: String,
    pub(super) limit: Option<String>,
    pub(super) backlog: Option<String>,
    pub(super) cursor: String,
    pub(super) order: String,
    pub(super) format: String,
}

impl Page {
    /// At most `MOST_ROWS`.
    pub(super) fn limit(&self, default: u32) -> Result<u32, Fault> {
        number("limit", self.limit.as_deref(), default, 1..=MOST_ROWS)
    }

    pub(super) fn backlog(&self) -> Result<u32, Fault> {
        backlog(self.backlog.as_deref())
    }

    pub(super) fn is_newest_first(&self) -> Result<bool, Fault> {
        match &*self.order {
            "" | "newest" => Ok(true),
            "oldest" => Ok(false),
            _ => Err(Fault::bad("order: give newest or oldest")),
        }
    }
}

/// Names and values in their order, a name more than once if need be.
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// The last one, or nothing.
    pub(super) fn last(&self, name: &str) -> &str {
        let last = self.0.iter().rev().find(|(other, _)| other == name);
        last.map_or("", |(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.last(name).to_owned()
    }
}

pub(super) fn number(
    name: &str,
    text: Option<&str>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, Fault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(Fault::bad(format!(
            "{name}: give a number from {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

/// What a live view begins with, of what is recorded.
pub(super) fn backlog(text: Option<&str>) -> Result<u32, Fault> {
    number("backlog", text, 0, 0..=MOST_BACKLOG)
}

/// Whether the text is a filter: here it is known at which column it is not.
pub(super) fn filter(text: &str) -> Result<Filter, Fault> {
    Ok(Filter::parse(text, now_ns())?)
}

pub(super) fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}
