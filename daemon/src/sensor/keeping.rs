//! Programs that go on while the service restarts: the service manager keeps their descriptors, and
//! hands them to the next sensor. What happens in between waits in the ring.

use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};

use anyhow::Context as _;
use ebpf::load::{Kept, Lanes, NotUsable, Options, Programs};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::pipe2;
use sd_notify::NotifyState;

use super::startup;
use crate::settings::Settings;

/// The service manager answers within milliseconds, or is busy with more important things.
const BARRIER_MS: u16 = 1000;

/// Programs that capture.
pub(super) struct Capturing {
    pub(super) programs: Programs,
    /// The service manager holds them too: they go on when this process ends.
    pub(super) are_kept: bool,
}

/// Those that were kept, or else new ones.
pub(super) fn programs(settings: &Settings) -> anyhow::Result<Capturing> {
    let kept = received().context("receive the descriptors that were kept")?;
    if !kept.is_empty() {
        let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
        match Programs::take_over(kept, settings.environment.is_recorded) {
            Ok(programs) => {
                tracing::info!("capture went on meanwhile: its programs were kept");
                compare(&programs, settings);
                return Ok(Capturing { programs, are_kept: true });
            }
            Err(NotUsable::Load(error)) => return Err(error.into()),
            // What such a ring still holds is told as a gap by whoever reads the next one.
            Err(reason) => {
                tracing::warn!("the programs that were kept are loaded anew: {reason}");
                forget(&names);
            }
        }
    }
    let mut programs = Programs::load(&Options {
        ring_size_bytes: settings.ring_size_bytes,
        capture_env: settings.environment.is_recorded,
        cookie: startup::random_cookie()?,
        lanes: Lanes::AsNeeded,
    })?;
    programs.attach()?;
    let are_kept = keep(&programs);
    Ok(Capturing { programs, are_kept })
}

fn compare(programs: &Programs, settings: &Settings) {
    let size_bytes = programs.ring_size_bytes();
    if size_bytes != settings.ring_size_bytes {
        tracing::warn!(
            "ring-size takes effect when the service is stopped and started: the ring in use has \
             {size_bytes} bytes"
        );
    }
}

/// Whether there is a service manager that was asked to keep them.
fn keep(programs: &Programs) -> bool {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return false;
    }
    for (name, descriptor) in programs.to_keep() {
        // Without being watched: a map counts as broken for whoever polls it.
        let states =
            [NotifyState::FdStore, NotifyState::FdName(&name), NotifyState::Custom("FDPOLL=0")];
        if let Err(error) = sd_notify::notify_with_fds(&states, &[descriptor]) {
            tracing::warn!("a restart will lose events, the service manager was not told: {error}");
            return false;
        }
    }
    true
}

/// Ends what the service manager keeps, and waits until it is ended.
pub(super) fn forget_all(programs: &Programs) {
    let names: Vec<String> = programs.to_keep().into_iter().map(|(name, _)| name).collect();
    forget(&names);
    if let Err(error) = barrier() {
        tracing::debug!("the service manager did not say that it has let go: {error}");
    }
}

/// The last first: without the mark of a later lane an event of an earlier one would be taken twice.
fn forget(names: &[String]) {
    for name in names.iter().rev() {
        let states = [NotifyState::FdStoreRemove, NotifyState::FdName(name)];
        if let Err(error) = sd_notify::notify(&states) {
            tracing::warn!("the service manager keeps {name}: {error}");
        }
    }
}

/// Waits until what was sent before has been read: then the other end of a pipe is closed.
fn barrier() -> anyhow::Result<()> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    sd_notify::notify_with_fds(&[NotifyState::Custom("BARRIER=1")], &[theirs.as_fd()])?;
    drop(theirs);
    let mut fds = [PollFd::new(ours.as_fd(), PollFlags::POLLHUP)];
    anyhow::ensure!(poll(&mut fds, BARRIER_MS)? == 1, "it is busy");
    Ok(())
}

/// All that was passed to this process.
#[expect(unsafe_code, reason = "descriptors come as numbers")]
fn received() -> std::io::Result<Vec<Kept>> {
    let received = sd_notify::listen_fds_with_names()?;
    Ok(received
        .map(|(number, name)| {
            // SAFETY: passed to this process, which does this once and before it opens any.
            (name, unsafe { OwnedFd::from_raw_fd(number) })
        })
        .collect())
}
