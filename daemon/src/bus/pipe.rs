//! Results on pipes: one line of JSON a record, a last line that says that it is complete.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use common::ecs::{Done, Line};
use common::rule::HuntLine;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;
use serde::Serialize;

use crate::store::Control;

/// A client that reads nothing for so long has forgotten its query.
const PATIENCE: Duration = Duration::from_secs(600);
const BUFFER: usize = 64 << 10;

pub(crate) fn new() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

/// The writing end for a thread of its own, which may block, but not for ever.
pub(crate) struct Sink {
    file: File,
    buffer: Vec<u8>,
    count: u64,
    is_behind: bool,
}

impl Sink {
    pub(crate) fn new(end: OwnedFd) -> io::Result<Self> {
        let file = File::from(end);
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { file, buffer: Vec::with_capacity(BUFFER + 4096), count: 0, is_behind: false })
    }

    /// The result may lack what happened last.
    pub(crate) fn set_behind(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
    }

    /// Cancels a query when the client closes its end.
    pub(crate) fn control(&self) -> io::Result<Control> {
        Ok(Control::of_pipe(self.file.try_clone()?.into()))
    }

    /// A line that is part of the result.
    pub(crate) fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.json(line)?;
        self.count += 1;
        Ok(())
    }

    /// A line of a hunt, which is to be seen at once.
    pub(crate) fn hunt_line(&mut self, line: &HuntLine) -> io::Result<()> {
        self.json(line)?;
        match line {
            HuntLine::Progress { .. } => self.flush(),
            _ => Ok(()),
        }
    }

    /// The last line of a result of its own kind.
    pub(crate) fn last(mut self, line: &impl Serialize) -> io::Result<()> {
        self.json(line)?;
        self.flush()
    }

    pub(crate) fn json(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.buffer, line)?;
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// The last line.
    pub(crate) fn done(mut self, cursor: Option<String>, error: Option<String>) -> io::Result<()> {
        let (count, behind) = (self.count, self.is_behind);
        self.json(&Line::Done(Done { count, cursor, error, behind }))?;
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let mut rest = &self.buffer[..];
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.file)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.clear();
        Ok(())
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            Sink::flush(self)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Sink::flush(self)
    }
}

fn wait(file: &File) -> io::Result<()> {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, timeout) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
