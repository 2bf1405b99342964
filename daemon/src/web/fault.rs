//! What went wrong, for a program as JSON and for a person as a page: one line, and what to do.

use std::fmt;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Response};
use common::bus;
use common::filter::FilterError;
use serde::Serialize;

use super::pages;

#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// One line, without full stop.
    pub(super) text: String,
    pub(super) hint: Option<String>,
    /// Where in a filter it is.
    pub(super) filter: Option<Box<FilterError>>,
    /// Nobody is known to be asking.
    pub(super) is_stranger: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), hint: None, filter: None, is_stranger: false }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many questions wait for the recorder")
            .hint("try again in a moment")
    }

    pub(super) fn no_session() -> Self {
        let fault = Self::new(StatusCode::UNAUTHORIZED, "there is no session, or it is over");
        Self { is_stranger: true, ..fault.hint("get a link with: bpfctl web --open") }
    }

    pub(super) fn unreachable(reason: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, format!("the recorder does not answer: {reason}"))
            .hint("start it: sudo systemctl start bpf-recorder")
    }

    pub(super) fn not_understood(error: &serde_json::Error) -> Self {
        let text = format!("the recorder's answer is not understood: {error}");
        Self::new(StatusCode::BAD_GATEWAY, text)
            .hint("page and recorder may be of different versions: restart bpf-recorder-web")
    }

    /// For a program, or for a person.
    pub(super) fn answer(&self, is_api: bool) -> Response {
        let mut response = if is_api { self.json() } else { self.page() };
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 2.into());
        }
        response
    }

    fn json(&self) -> Response {
        let body = Body {
            error: &self.text,
            hint: self.hint.as_deref(),
            column: self.filter.as_ref().map(|error| error.column),
            length: self.filter.as_ref().map(|error| error.length),
        };
        (self.status, Json(body)).into_response()
    }

    fn page(&self) -> Response {
        let page = if self.is_stranger {
            pages::welcome(pages::Closed::None)
        } else {
            let title = self.status.canonical_reason().unwrap_or("Error");
            pages::message(self.status.as_u16(), title, &self.text, self.hint.as_deref())
        };
        (self.status, super::answer::html(page)).into_response()
    }

    /// As a page shows it in its place; `filter` is what was asked for.
    pub(super) fn trouble(&self, filter: &str) -> pages::Trouble {
        if let Some(error) = &self.filter {
            return pages::Trouble::of_filter(filter, error);
        }
        let trouble = pages::Trouble::new(&*self.text);
        match &self.hint {
            Some(hint) => trouble.hint(&**hint),
            None => trouble,
        }
    }
}

impl From<FilterError> for Fault {
    fn from(error: FilterError) -> Self {
        let fault = Self::bad(&*error.message);
        Self { hint: error.hint.clone(), filter: Some(Box::new(error)), ..fault }
    }
}

impl From<bus::Error> for Fault {
    fn from(error: bus::Error) -> Self {
        match error {
            bus::Error::ZBus(error) => Self::unreachable(error),
            bus::Error::AccessDenied(text) => Self::split(StatusCode::FORBIDDEN, &text),
            bus::Error::InvalidFilter(text) | bus::Error::InvalidArgument(text) => Self::bad(text),
            bus::Error::NotFound(text) => Self::split(StatusCode::NOT_FOUND, &text),
            bus::Error::Ambiguous(text) => Self::new(StatusCode::CONFLICT, ambiguous(&text))
                .hint("ask with the entity id of the one that is meant"),
            bus::Error::ReadOnly(text) => Self::split(StatusCode::CONFLICT, &text),
            bus::Error::Busy(_) => Self::busy(),
            bus::Error::NotKept(text) => Self::split(StatusCode::NOT_FOUND, &text),
            bus::Error::Damaged(text) | bus::Error::Failed(text) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        }
    }
}

impl Fault {
    /// What the recorder says is often followed by what to do.
    fn split(status: StatusCode, text: &str) -> Self {
        match text.split_once(": ") {
            Some((text, hint)) => Self::new(status, text).hint(hint),
            None => Self::new(status, text),
        }
    }
}

fn ambiguous(text: &str) -> String {
    match serde_json::from_str::<Vec<bus::Candidate>>(text) {
        Ok(candidates) => {
            let ids: Vec<String> =
                candidates.iter().map(|candidate| candidate.entity_id.to_string()).collect();
            format!("several processes had this pid: {}", ids.join(", "))
        }
        Err(_) => "several processes had this pid".to_owned(),
    }
}
