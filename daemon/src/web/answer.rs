//! What answers have in common.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::Markup;

use super::fault::Fault;

/// Nothing but what comes from here, and nothing written into the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The address of a page may hold a link's secret, and what was asked for.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
];

/// Puts on what every answer has.
pub(super) fn finish(mut response: Response, is_head: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What was recorded is not to stay in a browser's cache.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

pub(super) fn html(page: Markup) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

/// A document that the recorder made.
pub(super) fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

pub(super) fn see_other(place: &str) -> Response {
    (StatusCode::SEE_OTHER, [(axum::http::header::LOCATION, place.to_owned())]).into_response()
}

fn is_api(request: &Request) -> bool {
    request.uri().path().starts_with("/api/")
}

pub(super) async fn no_such_page(request: Request) -> Response {
    Fault::not_found("there is no such page").answer(is_api(&request))
}

pub(super) async fn no_such_method(request: Request) -> Response {
    let text = "this cannot be done here";
    let mut response = Fault::new(StatusCode::METHOD_NOT_ALLOWED, text).answer(is_api(&request));
    // The router adds which methods there are.
    response.headers_mut().remove(ALLOW);
    response
}
