//! Answers without a known end: results as they come, and what happens as it happens.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_lite::stream;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::App;
use super::fault::Fault;
use super::lines::{self, Lines};
use super::recorder::Place;
use super::sessions::Session;

const CHUNK_BYTES: usize = 64 << 10;
/// Shows that the line is open, finds out when it is not, and when the session is over.
const BEAT: Duration = Duration::from_secs(10);

type Part = Result<Bytes, std::io::Error>;

/// What the recorder sends, as it is.
pub(super) fn passed_on(
    pipe: zbus::OwnedFd,
    kind: &'static str,
    place: Place,
) -> Result<Response, Fault> {
    let receiver = lines::receiver(pipe)?;
    let parts = stream::unfold((receiver, place), |(mut receiver, place)| async {
        let part = chunk(&mut receiver).await?;
        Some((part, (receiver, place)))
    });
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(parts)).into_response())
}

async fn chunk(receiver: &mut Receiver) -> Option<Part> {
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    match receiver.read_buf(&mut buffer).await {
        Ok(0) => None,
        Ok(_) => Some(Ok(buffer.into())),
        Err(error) => Some(Err(error)),
    }
}

/// What a live view is told of.
pub(super) struct Following {
    app: App,
    session: Arc<Session>,
    lines: Lines,
    /// Names the event of a line.
    name: fn(&[u8]) -> &'static str,
    _place: OwnedSemaphorePermit,
    /// However much there is to tell, or little.
    next_beat: Instant,
    has_ended: bool,
}

/// As Server-Sent Events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
pub(super) fn events(
    app: App,
    session: Arc<Session>,
    pipe: zbus::OwnedFd,
    name: fn(&[u8]) -> &'static str,
    place: OwnedSemaphorePermit,
) -> Result<Response, Fault> {
    let lines = Lines::new(pipe)?;
    let next_beat = Instant::now() + BEAT;
    let following =
        Following { app, session, lines, name, _place: place, next_beat, has_ended: false };
    let first = Bytes::from_static(b"retry: 2000\n\n: open\n\n");
    let parts = stream::unfold((Some(first), following), |(first, mut following)| async {
        let part = match first {
            Some(first) => first,
            None => following.next().await?,
        };
        Some((Part::Ok(part), (None, following)))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(parts)).into_response())
}

impl Following {
    /// The next piece of the stream, never half an event.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        if Instant::now() >= self.next_beat {
            return Some(self.beat().await);
        }
        let line = match tokio::time::timeout_at(self.next_beat, self.lines.next()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None) | Err(_)) => return Some(self.end("the recorder ended it")),
            Err(_) => return Some(self.beat().await),
        };
        let mut part = Vec::with_capacity(line.len() + 32);
        part.extend_from_slice(b"event: ");
        part.extend_from_slice((self.name)(&line).as_bytes());
        // JSON on one line has no line breaks, whatever is in it.
        part.extend_from_slice(b"\ndata: ");
        part.extend_from_slice(&line);
        part.extend_from_slice(b"\n\n");
        Some(part.into())
    }

    async fn beat(&mut self) -> Bytes {
        self.next_beat = Instant::now() + BEAT;
        let is_open = self.app.inner.sessions.has(&self.session);
        if !is_open || !self.app.lasts(&self.session).await {
            return self.end("the session is over");
        }
        self.session.touch();
        Bytes::from_static(b": beat\n\n")
    }

    fn end(&mut self, reason: &str) -> Bytes {
        self.has_ended = true;
        format!("event: end\ndata: {{\"reason\":\"{reason}\"}}\n\n").into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::web::tests::Stage;

    #[tokio::test]
    async fn a_busy_view_ends_with_its_session_too() {
        let stage = Stage::logged_in().await;
        let (app, session) = stage.followed();
        let (reading, mut writing) = std::io::pipe().unwrap();
        // More than is ever read here.
        let told = std::thread::spawn(move || while writing.write_all(b"{}\n").is_ok() {});
        let lines = Lines::new(std::os::fd::OwnedFd::from(reading).into()).unwrap();
        let place = app.inner.streams.clone().try_acquire_owned().unwrap();
        let next_beat = Instant::now();
        app.inner.sessions.end(&session);
        let name = |_: &[u8]| "record";
        let mut view =
            Following { app, session, lines, name, _place: place, next_beat, has_ended: false };
        let part = view.next().await.unwrap();
        assert!(part.starts_with(b"event: end\n"), "{part:?}");
        assert!(view.next().await.is_none());
        drop(view);
        told.join().unwrap();
    }
}
