//! The recorder's end of the socket to the sensor.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::sensor::protocol::{self, ProgramFigures, Reply, Request};

/// The sensor answers at once, or something is very wrong.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Inner>,
    stopped: watch::Receiver<bool>,
}

struct Inner {
    socket: OwnedFd,
    /// One question at a time, each with its answer.
    answers: Mutex<Receiver<Reply>>,
}

impl Link {
    pub(crate) fn start(socket: &OwnedFd) -> std::io::Result<Self> {
        let (sender, answers) = sync_channel(1);
        let (stop, stopped) = watch::channel(false);
        let listening = socket.try_clone()?;
        // Ends with the process: it waits for a sensor that may never speak again.
        std::thread::Builder::new()
            .name("link".to_owned())
            .spawn(move || listen(&listening, &sender, &stop))?;
        let inner = Inner { socket: socket.try_clone()?, answers: Mutex::new(answers) };
        Ok(Self { inner: Arc::new(inner), stopped })
    }

    pub(crate) fn send(&self, request: &Request) {
        // A sensor that is gone is noticed by the listening thread.
        let _ = protocol::send_request(&self.inner.socket, request);
    }

    pub(crate) fn statistics(&self) -> Option<Vec<ProgramFigures>> {
        match self.ask(&Request::Statistics)? {
            Reply::Statistics(programs) => Some(programs),
            Reply::Stop => None,
        }
    }

    /// The figures that came last without being asked for, as they do before the end.
    pub(crate) fn last_statistics(&self) -> Option<Vec<ProgramFigures>> {
        match self.inner.answers.lock().ok()?.try_recv().ok()? {
            Reply::Statistics(programs) => Some(programs),
            Reply::Stop => None,
        }
    }

    fn ask(&self, request: &Request) -> Option<Reply> {
        let answers = self.inner.answers.lock().ok()?;
        // A late answer to an earlier question is not the answer to this one.
        while answers.try_recv().is_ok() {}
        self.send(request);
        answers.recv_timeout(PATIENCE).ok()
    }

    /// Waits until the sensor says stop, or is gone.
    pub(crate) async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        // An error means that the listening thread has ended: the sensor is gone.
        let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
    }
}

fn listen(socket: &OwnedFd, answers: &SyncSender<Reply>, stop: &watch::Sender<bool>) {
    loop {
        match protocol::receive_reply(socket) {
            Ok(Some(Reply::Stop)) => break,
            Ok(Some(answer)) => {
                let _ = answers.try_send(answer);
            }
            Ok(None) => {
                tracing::warn!("the sensor is gone: writing what is left");
                break;
            }
            Err(error) => {
                tracing::error!("the sensor cannot be heard ({error}): writing what is left");
                break;
            }
        }
    }
    stop.send_replace(true);
}
