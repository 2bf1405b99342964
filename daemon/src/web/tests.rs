//! The page from a request to its answer, over a recorded database.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::serve::Router;
use super::sessions::{IDLE, Session};
use super::{App, Way};
use crate::bus::recorded_peers;
use crate::store::{self, Reader};

pub(super) struct Stage {
    app: App,
    router: Router,
    cookie: Option<String>,
    _directory: TempDir,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

pub(super) const HOST: &str = "127.0.0.1:8080";

impl Stage {
    /// Without a session.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("recorder.db");
        store::create(&database);
        let peers = recorded_peers(Reader::recorded(&database).unwrap(), &database, HOST);
        let (sender, mut receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(stream) = receiver.recv().await {
                peers.admit(stream);
            }
        });
        let app = App::new(Way::Here(sender), HOST.parse().unwrap(), false);
        let router = Router::new(app.clone());
        Self { app, router, cookie: None, _directory: directory }
    }

    pub(super) async fn logged_in() -> Self {
        let mut stage = Self::new();
        let link = stage.link().await;
        let answer = stage.get(&link).await;
        assert_eq!(answer.status, StatusCode::OK);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        stage.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        stage
    }

    /// What a live view of the session has.
    pub(super) fn followed(&self) -> (App, Arc<Session>) {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", self.cookie.as_deref().unwrap().parse().unwrap());
        (self.app.clone(), self.app.inner.sessions.find(&headers).unwrap())
    }

    /// Path and secret.
    async fn link(&self) -> String {
        let link = self.app.inner.way.link().await.unwrap().link;
        link.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], "").await
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.answer(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

const PAGES: [&str; 6] =
    ["/processes", "/processes?since=all", "/alerts", "/rules", "/binaries", "/health"];
const CHANGE: (&str, &str) = ("x-bpf-recorder", "1");

#[tokio::test]
async fn without_a_session_nothing_is_shown() {
    let stage = Stage::new();
    for page in PAGES.iter().chain(&["/", "/processes/1", "/nosuch"]) {
        let answer = stage.get(page).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{page}");
        assert!(answer.body.contains("bpfctl web --open"), "{page}");
    }
    let answer = stage.get("/api/v1/processes").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.starts_with("{\"error\":\""), "{}", answer.body);
    assert_eq!(stage.get("/metrics").await.status, StatusCode::NOT_FOUND);
    let style = stage.get(super::assets::url("style.css")).await;
    assert_eq!(style.status, StatusCode::OK);
    assert!(style.headers["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn a_session_shows_every_page_and_ends() {
    let stage = Stage::logged_in().await;
    for page in PAGES {
        let answer = stage.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        for part in ["<style", "style=\"", "<script>", "javascript:", " onclick="] {
            assert!(!answer.body.contains(part), "{page}: {part}");
        }
    }
    let head = stage.ask("HEAD", "/health", &[], "").await;
    assert_eq!((head.status, &*head.body), (StatusCode::OK, ""));
    let answer = stage.ask("POST", "/api/v1/logout", &[CHANGE], "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get("/health").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_link_works_once() {
    let stage = Stage::new();
    let link = stage.link().await;
    assert_eq!(stage.get(&link).await.status, StatusCode::OK);
    for used in [&*link, "/login", "/login?link=", "/login?link=zz", "/login?link=%00"] {
        let answer = stage.get(used).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{used}");
        assert!(!answer.headers.contains_key("set-cookie"));
        assert!(answer.body.contains("bpfctl web"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_session_that_the_recorder_ended_is_over() {
    let stage = Stage::logged_in().await;
    let (_, connection) =
        stage.app.inner.way.redeem(stage.link().await.rsplit_once('=').unwrap().1).await.unwrap();
    let web = common::bus::WebProxy::new(&connection).await.unwrap();
    // A session ends only itself, whatever it asks for.
    assert!(web.revoke(1).await.is_err());
    assert!(web.sessions().await.is_err());
    assert!(web.create_link(&[]).await.is_err());
    assert_eq!(web.revoke(0).await.unwrap(), 1);
    assert!(web.session().await.is_err());
    let manager = common::bus::ManagerProxy::new(&connection).await.unwrap();
    assert!(matches!(manager.health().await, Err(common::bus::Error::AccessDenied(_))));
    assert_eq!(stage.get("/health").await.status, StatusCode::OK);
    let own = stage.app.inner.way.connect().await.unwrap();
    let own = common::bus::WebProxy::new(&own).await.unwrap();
    assert_eq!(own.revoke(0).await.unwrap(), 1);
    for page in ["/api/v1/session", "/health", "/api/v1/health"] {
        assert_eq!(stage.get(page).await.status, StatusCode::UNAUTHORIZED, "{page}");
    }
}

#[tokio::test]
async fn faults_are_told_in_their_place() {
    let stage = Stage::logged_in().await;
    let page = stage.get("/processes?filter=nosuch+%3D+1").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("data-column=\"1\""), "{}", page.body);
    for (target, status, part) in [
        ("/api/v1/processes?filter=pid+%3D+%3D", 400, "\"column\":"),
        ("/api/v1/processes?limit=0", 400, "limit: give a number from 1 to 10000"),
        ("/api/v1/processes?order=up", 400, "order: give newest or oldest"),
        ("/api/v1/processes?format=xml", 400, "format: "),
        ("/api/v1/processes?cursor=x", 400, "cursor"),
        ("/api/v1/processes/999999", 404, "\"error\":"),
        ("/api/v1/processes/x", 400, "\"error\":"),
        ("/api/v1/histogram?from_ns=1", 400, "to_ns: give nanoseconds"),
        ("/api/v1/top?field=nosuch", 400, "\"error\":"),
        ("/api/v1/alerts/x", 400, "the id of an alert is a number"),
        ("/api/v1/alerts/7", 404, "there is no alert 7"),
        ("/api/v1/alerts?status=done", 400, "status: give one of"),
        ("/api/v1/binaries/abcdef", 404, "\"error\":"),
        ("/api/v1/binaries/abcdef/content", 404, "\"error\":"),
        ("/api/v1/events", 409, "recorded database"),
        ("/api/v1/nosuch", 404, "there is no such page"),
    ] {
        let answer = stage.get(target).await;
        assert_eq!(answer.status.as_u16(), status, "{target}: {}", answer.body);
        assert!(answer.body.contains(part), "{target}: {}", answer.body);
    }
}

#[tokio::test]
async fn changes_need_a_good_body() {
    let stage = Stage::logged_in().await;
    let large = "x".repeat((1 << 20) + 1);
    for (method, target, body, status) in [
        ("POST", "/api/v1/alerts/status", "", 400),
        ("POST", "/api/v1/alerts/status", "{\"ids\":[1],\"x\":1}", 400),
        ("POST", "/api/v1/alerts/status", "{\"ids\":[1],\"status\":\"resolved\"}", 409),
        ("POST", "/api/v1/rules/enabled", "{\"patterns\":[\"x\"],\"enabled\":true}", 409),
        ("POST", "/api/v1/rules/hunt", "{}", 400),
        ("PUT", "/api/v1/rules/uploads/a.yml", "title: x", 409),
        ("PUT", "/api/v1/rules/uploads/a.yml", &large, 413),
        ("DELETE", "/api/v1/rules/x", "", 409),
        ("DELETE", "/api/v1/rules", "", 405),
        ("POST", "/processes", "", 405),
    ] {
        let answer = stage.ask(method, target, &[CHANGE], body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {target}: {}", answer.body);
        assert!(answer.body.len() < 4000, "{target}");
    }
    let unmarked = stage.ask("POST", "/api/v1/logout", &[], "").await;
    assert_eq!(unmarked.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_that_nobody_uses_lapses() {
    let stage = Stage::logged_in().await;
    let (app, session) = stage.followed();
    session.leave_for(IDLE - Duration::from_secs(60));
    assert_eq!(stage.get("/health").await.status, StatusCode::OK, "used in time");
    session.leave_for(IDLE - Duration::from_secs(60));
    assert_eq!(stage.get("/api/v1/health").await.status, StatusCode::OK, "which began it anew");
    session.leave_for(IDLE);
    for page in ["/health", "/api/v1/health", "/api/v1/events"] {
        let answer = stage.get(page).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{page}");
        assert!(answer.body.contains("bpfctl web"), "{page}: {}", answer.body);
    }
    assert!(!app.inner.sessions.has(&session), "and a live view would end with it");
}

#[tokio::test]
async fn a_session_of_an_earlier_recorder_takes_no_other_along() {
    let stage = Stage::logged_in().await;
    let (app, old) = stage.followed();
    let secret = stage.link().await.rsplit_once('=').unwrap().1.to_owned();
    let (info, connection) = app.inner.way.redeem(&secret).await.unwrap();
    // A recorder counts from one again.
    let info = common::web::WebSession { id: old.info.id, ..info };
    let cookie = app.inner.sessions.begin(info, connection).unwrap();
    app.inner.sessions.end(&old);
    assert_eq!(stage.get("/health").await.status, StatusCode::UNAUTHORIZED);
    let headers = [("cookie", &*format!("bpf-recorder={cookie}"))];
    let other = Stage { cookie: None, ..stage };
    assert_eq!(other.ask("GET", "/health", &headers, "").await.status, StatusCode::OK);
}
