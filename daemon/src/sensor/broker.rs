//! The process that opens executed files for the recorder.
//!
//! It can read any file and see any process, and nothing else: no other capability, no root's
//! user id. It hands out a file only if that is what the kernel reported at exec, and what it finds
//! by a path only if that may be executed at all. It reads no byte of any. Opening may hang, on a file
//! system that is far away: that is why it is a process of its own and not the sensor.

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::binary::Unread;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::user::RecorderUser;
use super::{describe, executable, fork_here, opening, privilege, reap};

/// One that lives shorter than this has a fault that a restart does not mend.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const MOST_SHORT_LIVES: u32 = 5;

/// The broker of one recorder, as the sensor sees it.
pub(super) struct Broker {
    /// `None` when it has died too often.
    pid: Option<Pid>,
    /// Its end of the socket, for the one after it: the recorder notices nothing but a pause.
    socket: OwnedFd,
    since: Instant,
    short_lives: u32,
}

impl Broker {
    pub(super) fn start(socket: OwnedFd, user: &RecorderUser) -> Self {
        let mut broker = Self { pid: None, socket, since: Instant::now(), short_lives: 0 };
        broker.spawn(user);
        broker
    }

    /// Without a broker files are not read; recording goes on.
    fn spawn(&mut self, user: &RecorderUser) {
        self.since = Instant::now();
        match spawn(&self.socket, user) {
            Ok(pid) => self.pid = Some(pid),
            Err(error) => tracing::error!("executed files are not read: {error:#}"),
        }
    }

    /// Starts another where it has died.
    pub(super) fn look_after(&mut self, user: &RecorderUser) -> anyhow::Result<()> {
        let Some(status) = self.pid.map(reap).transpose()?.flatten() else { return Ok(()) };
        // Its number may be somebody else's from now on.
        self.pid = None;
        if matches!(status, WaitStatus::Exited(_, 0)) {
            // The recorder has closed its end: it is gone, or will be in a moment.
            return Ok(());
        }
        let is_short = self.since.elapsed() < SHORT_LIFE;
        self.short_lives = if is_short { self.short_lives + 1 } else { 0 };
        let how = describe(status);
        if self.short_lives >= MOST_SHORT_LIVES {
            tracing::error!(
                "what opens executed files ended {MOST_SHORT_LIVES} times in a row right after its \
                 start (last: {how}): files are not read any more; recording goes on"
            );
            return Ok(());
        }
        tracing::warn!("what opens executed files ended ({how}): starting it again");
        self.spawn(user);
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Some(pid) = self.pid else { return };
        // It ends by itself, with the recorder; unless it hangs, and then it may be left a zombie.
        let _ = kill(pid, Signal::SIGKILL);
        for _ in 0..100 {
            if !matches!(reap(pid), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn spawn(socket: &OwnedFd, user: &RecorderUser) -> anyhow::Result<Pid> {
    if let Some(pid) = fork_here().context("fork the broker")? {
        return Ok(pid);
    }
    // The journal's socket is among those that are closed.
    let _log = crate::log::to_standard_error();
    let result = close_others(socket).and_then(|()| run(socket, user));
    if let Err(error) = &result {
        tracing::error!("opening executed files ends: {error:#}");
    }
    // Nothing of the sensor's is to be dropped here.
    std::process::exit(i32::from(result.is_err()))
}

/// Programs, ring and sockets are the sensor's and the recorder's.
fn close_others(socket: &OwnedFd) -> anyhow::Result<()> {
    const LAST_STANDARD: RawFd = 2;
    let path = "/proc/self/fd";
    let mut open = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("read {path}"))? {
        let name = entry.with_context(|| format!("read {path}"))?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for raw in open {
        if raw > LAST_STANDARD && raw != socket.as_raw_fd() {
            // That of the list itself is closed already.
            let _ = nix::unistd::close(raw);
        }
    }
    Ok(())
}

/// Opened files a second, and as many more at once: a fork bomb gets no further.
const RATE: f64 = 1000.0;
const BURST: f64 = 4000.0;

/// Serves until the recorder closes its end.
fn run(socket: &OwnedFd, user: &RecorderUser) -> anyhow::Result<()> {
    privilege::become_broker(user).context("drop the privileges that the broker does not need")?;
    let mut budget = Budget::new(Instant::now());
    while let Some((number, wanted)) = opening::next_question(socket).context("read a question")? {
        let is_allowed = budget.take(Instant::now());
        let opened = if is_allowed { executable::open_wanted(&wanted) } else { Err(Unread::Busy) };
        opening::answer(socket, number, &opened).context("answer")?;
    }
    Ok(())
}

/// A bucket of tokens.
struct Budget {
    tokens: f64,
    since: Instant,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { tokens: BURST, since: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.since).as_secs_f64() * RATE;
        self.tokens = (self.tokens + earned).min(BURST);
        self.since = now;
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_slowed_down() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let allowed = (0..10_000).filter(|_| budget.take(start)).count();
        assert_eq!(allowed, 4000);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..10_000).filter(|_| budget.take(later)).count(), 1000);
    }
}
