//! Sessions: each is a cookie of a browser on this side, and on the other a connection to the
//! recorder, which has the rights of the session and no others. There are no rights here to steal
//! but those of the sessions that last.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use common::web::{WebRight, WebSession};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zbus::Connection;

pub(super) const COOKIE_NAME: &str = "bpf-recorder";
/// Without a request and without an open live view.
pub(super) const IDLE: Duration = Duration::from_secs(3600);
/// Questions at one time: fewer than there are places, so that who asks much holds up nobody else.
const MOST_QUERIES: usize = super::MOST_QUERIES - 2;
const TIDY: Duration = Duration::from_secs(30);

pub(super) struct Session {
    pub(super) info: WebSession,
    pub(super) connection: Connection,
    pub(super) queries: Arc<Semaphore>,
    used: Mutex<Instant>,
}

impl Session {
    pub(super) fn may(&self, right: WebRight) -> bool {
        self.info.rights.contains(&right)
    }

    /// An open live view is use, too.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    #[cfg(test)]
    pub(super) fn leave_for(&self, time: Duration) {
        *self.used.lock().unwrap() = Instant::now().checked_sub(time).unwrap();
    }

    fn is_idle(&self, now: Instant) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(used) >= IDLE
    }
}

/// By the digest of their cookies: looking one up takes as long whatever is asked for, and the
/// memory of this process holds no cookie.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Arc<Session>>>,
}

impl Sessions {
    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; returns its cookie.
    pub(super) fn begin(
        &self,
        info: WebSession,
        connection: Connection,
    ) -> Result<String, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        let mut secret = String::with_capacity(64);
        for byte in bytes {
            let _ = write!(secret, "{byte:02x}");
        }
        let queries = Arc::new(Semaphore::new(MOST_QUERIES));
        let session = Session { info, connection, queries, used: Mutex::new(Instant::now()) };
        self.open().insert(digest(&secret), Arc::new(session));
        Ok(secret)
    }

    pub(super) fn find(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let digest = digest(cookie(headers)?);
        let mut open = self.open();
        let session = open.get(&digest)?.clone();
        if session.is_idle(Instant::now()) {
            open.remove(&digest);
            return None;
        }
        session.touch();
        Some(session)
    }

    /// Ends it: its cookie is worth nothing from now on. Another may have its id, from another run
    /// of the recorder.
    pub(super) fn end(&self, session: &Session) {
        self.open().retain(|_, open| !std::ptr::eq(&**open, session));
    }

    /// Whether it has not been ended meanwhile.
    pub(super) fn has(&self, session: &Session) -> bool {
        self.open().values().any(|open| std::ptr::eq(&**open, session))
    }

    /// Ends those that nobody uses.
    pub(super) async fn keep_tidy(&self) {
        loop {
            tokio::time::sleep(TIDY).await;
            let now = Instant::now();
            self.open().retain(|_, session| !session.is_idle(now));
        }
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Ours, among those of other programs on this machine: cookies do not tell ports apart.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cookie_is_found_among_others() {
        let headers = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, text.parse().unwrap());
            headers
        };
        for (text, expected) in [
            ("bpf-recorder=abc", Some("abc")),
            ("a=b; bpf-recorder=abc; c=d", Some("abc")),
            ("xbpf-recorder=abc", None),
            ("bpf-recorder", None),
            ("", None),
        ] {
            assert_eq!(cookie(&headers(text)), expected, "{text}");
        }
    }
}
