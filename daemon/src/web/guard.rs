//! What is refused before anybody looks at what is asked: requests that do not come from our own
//! page in a browser of this machine, or from a program that has a session.
//!
//! A page elsewhere can make a browser send requests here, and can give its own name our address.
//! So the name is checked (`Host`), where the request comes from (`Origin`, `Sec-Fetch-Site`), and for
//! changes a header that no form can send. See also SECURITY.md.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use axum::response::Response;

use super::App;
use super::fault::Fault;
use super::sessions::Session;

/// Sent by our own scripts with every change.
pub(super) const CHANGE_HEADER: HeaderName = HeaderName::from_static("x-bpf-recorder");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const MOST_TARGET_BYTES: usize = 8 << 10;

/// The request, with its session where it has one.
#[expect(clippy::result_large_err, reason = "an answer, which is given at once")]
pub(super) fn admit(app: &App, mut request: Request) -> Result<Request, Response> {
    let is_api = request.uri().path().starts_with("/api/");
    let session = app.inner.sessions.find(request.headers());
    let judged = check(&request, app.inner.address).and_then(|()| {
        if session.is_some() || is_public(request.uri().path()) {
            Ok(())
        } else {
            Err(Fault::no_session())
        }
    });
    match judged {
        Ok(()) => {
            if let Some(session) = session {
                request.extensions_mut().insert::<Arc<Session>>(session);
            }
            Ok(request)
        }
        Err(fault) => Err(fault.answer(is_api)),
    }
}

/// Needs no session: there is nothing in it that was recorded.
fn is_public(path: &str) -> bool {
    matches!(path, "/login" | "/metrics" | "/favicon.ico") || path.starts_with("/assets/")
}

fn check(request: &Request, address: SocketAddr) -> Result<(), Fault> {
    if request.version() != Version::HTTP_11 {
        let text = "only HTTP/1.1 is spoken here";
        return Err(Fault::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, text));
    }
    check_method(request.method())?;
    check_target(request.uri())?;
    check_host(request.headers(), address)?;
    check_origin(request)?;
    check_change(request.method(), request.headers())
}

fn check_method(method: &Method) -> Result<(), Fault> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    if known.contains(method) {
        return Ok(());
    }
    let text = "this method is not known here: use GET, HEAD, POST, PUT or DELETE";
    Err(Fault::new(StatusCode::NOT_IMPLEMENTED, text))
}

/// Paths are plain; nobody needs to write them in another way.
fn check_target(uri: &Uri) -> Result<(), Fault> {
    if uri.authority().is_some() || uri.scheme().is_some() {
        return Err(Fault::bad("this is no proxy: ask for a path"));
    }
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > MOST_TARGET_BYTES {
        return Err(Fault::new(StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let path = uri.path();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    let has_tricks = !path.starts_with('/')
        || path.contains("//")
        || path.split('/').any(|part| matches!(part, "." | ".."))
        || !path.bytes().all(is_plain)
        || escapes(path).any(|byte| byte.is_none_or(|byte| b"/\\.\0%".contains(&byte)));
    if has_tricks { Err(Fault::bad("this path is not a plain one")) } else { Ok(()) }
}

/// The bytes that stand behind percent signs; `None` for what is no byte.
fn escapes(path: &str) -> impl Iterator<Item = Option<u8>> {
    path.split('%').skip(1).map(|rest| {
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
    })
}

/// A name that leads here, but is not ours, is another site's.
fn check_host(headers: &HeaderMap, address: SocketAddr) -> Result<(), Fault> {
    match only(headers, &HOST)? {
        Some(host) if is_ours(host, address) => Ok(()),
        _ => Err(Fault::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("this is not the host that was asked for: open http://{address}"),
        )),
    }
}

fn is_ours(host: &HeaderValue, address: SocketAddr) -> bool {
    let port = address.port();
    host.to_str().is_ok_and(|host| {
        host == address.to_string() || host.eq_ignore_ascii_case(&format!("localhost:{port}"))
    })
}

/// Another site may not even lead here: it would choose what is asked. A link may come from
/// anywhere, a file or a message: whoever has it may use it.
fn check_origin(request: &Request) -> Result<(), Fault> {
    let (method, headers) = (request.method(), request.headers());
    let is_login = *method == Method::GET && request.uri().path() == "/login";
    let foreign = || Fault::new(StatusCode::FORBIDDEN, "another site may not ask here");
    if let Some(origin) = only(headers, &ORIGIN)? {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        if origin.is_none() || origin != host {
            return Err(foreign());
        }
    }
    match only(headers, &FETCH_SITE)?.map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => Ok(()),
        Some(b"cross-site" | b"same-site") if is_login && is_navigation(headers) => Ok(()),
        // Typed in, a bookmark, or a link in a terminal.
        Some(b"none") if matches!(*method, Method::GET | Method::HEAD) => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// Of the window itself: neither a script nor an image nor a frame.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, value: &[u8]| {
        headers.get(name).is_some_and(|header| header.as_bytes() == value)
    };
    is(&FETCH_MODE, b"navigate") && is(&FETCH_DEST, b"document")
}

fn check_change(method: &Method, headers: &HeaderMap) -> Result<(), Fault> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    if headers.get(TRANSFER_ENCODING).is_some() {
        let text = "say how long the body is: send Content-Length";
        return Err(Fault::new(StatusCode::LENGTH_REQUIRED, text));
    }
    match only(headers, &CHANGE_HEADER)?.map(HeaderValue::as_bytes) {
        Some(b"1") => Ok(()),
        _ => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "a change needs the header X-BPF-Recorder: 1, which no other site can send",
        )),
    }
}

/// The value of a header that may come once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Fault::bad(format!("the header {name} comes twice")));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn judge(method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let address = "127.0.0.1:8080".parse().unwrap();
        match check(&request.body(Body::empty()).unwrap(), address) {
            Ok(()) => 200,
            Err(fault) => fault.status.as_u16(),
        }
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8080");

    #[test]
    fn only_our_own_names_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8080", 200),
            ("localhost:8080", 200),
            ("LOCALHOST:8080", 200),
            ("localhost", 421),
            ("localhost:8081", 421),
            ("localhost.:8080", 421),
            ("127.0.0.1.nip.io:8080", 421),
            ("evil.example:8080", 421),
            ("[::1]:8080", 421),
            ("", 421),
        ] {
            assert_eq!(judge("GET", "/processes", &[("host", host)]), expected, "{host}");
        }
        assert_eq!(judge("GET", "/", &[]), 421);
        assert_eq!(judge("GET", "/", &[HERE, HERE]), 400);
    }

    #[test]
    fn other_sites_may_not_ask() {
        for (name, value, expected) in [
            ("origin", "http://127.0.0.1:8080", 200),
            ("origin", "https://127.0.0.1:8080", 403),
            ("origin", "http://localhost:8080", 403),
            ("origin", "http://evil.example", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "same-origin", 200),
            ("sec-fetch-site", "none", 200),
            ("sec-fetch-site", "same-site", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "", 403),
        ] {
            let headers = [HERE, (name, value)];
            assert_eq!(judge("GET", "/processes", &headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_link_may_be_followed_from_anywhere() {
        let followed = [
            HERE,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(judge("GET", "/login?link=x", &followed), 200);
        assert_eq!(judge("GET", "/processes", &followed), 403);
        assert_eq!(judge("GET", "/login?link=x", &followed[..3]), 403);
        let framed = [followed[0], followed[1], followed[2], ("sec-fetch-dest", "iframe")];
        assert_eq!(judge("GET", "/login?link=x", &framed), 403);
    }

    #[test]
    fn a_change_needs_its_header() {
        let marked = ("x-bpf-recorder", "1");
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(judge(method, "/api/v1/rules", &[HERE]), 403);
            assert_eq!(judge(method, "/api/v1/rules", &[HERE, marked]), 200);
            assert_eq!(judge(method, "/api/v1/rules", &[HERE, ("x-bpf-recorder", "0")]), 403);
            let typed = ("sec-fetch-site", "none");
            assert_eq!(judge(method, "/api/v1/rules", &[HERE, marked, typed]), 403);
            let chunked = ("transfer-encoding", "chunked");
            assert_eq!(judge(method, "/api/v1/rules", &[HERE, marked, chunked]), 411);
        }
        assert_eq!(judge("OPTIONS", "/", &[HERE]), 501);
        assert_eq!(judge("TRACE", "/", &[HERE]), 501);
        assert_eq!(judge("BREW", "/", &[HERE]), 501);
    }

    #[test]
    fn paths_are_plain() {
        for (target, expected) in [
            ("/", 200),
            ("/processes/0123456789ab-1-1f", 200),
            ("/processes?filter=%2e%2e%2f", 200),
            ("/api/v1/rules/a%20b", 200),
            ("/../etc/passwd", 400),
            ("/assets/./x", 400),
            ("//evil.example/", 400),
            ("/assets/%2e%2e/x", 400),
            ("/assets/..%2fx", 400),
            ("/assets/%5cx", 400),
            ("/assets/%00", 400),
            ("/assets/%zz", 400),
            ("/assets/%252e", 400),
            ("/a;b", 400),
            ("http://127.0.0.1:8080/", 400),
            ("*", 400),
        ] {
            assert_eq!(judge("GET", target, &[HERE]), expected, "{target}");
        }
        let long = format!("/processes?filter={}", "a".repeat(9000));
        assert_eq!(judge("GET", &long, &[HERE]), 414);
    }

    #[test]
    fn old_versions_are_refused() {
        let request = Request::builder().uri("/").version(Version::HTTP_10);
        let request = request.header("host", "127.0.0.1:8080").body(Body::empty()).unwrap();
        let address = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(check(&request, address).unwrap_err().status.as_u16(), 505);
    }
}
