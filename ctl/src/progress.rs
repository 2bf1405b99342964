//! One line on standard error for a person who waits.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Written over and over, and gone with its owner. Nothing where nobody watches.
pub(crate) struct Progress {
    is_watched: bool,
    /// A line stands there.
    has_line: bool,
    /// What is quick needs no progress: the first line waits, too.
    since: Instant,
}

const EVERY: Duration = Duration::from_millis(200);

impl Progress {
    /// On a terminal only.
    pub(crate) fn on_terminal() -> Self {
        Self { is_watched: io::stderr().is_terminal(), has_line: false, since: Instant::now() }
    }

    /// Where the result itself is seen as it comes.
    pub(crate) fn hidden() -> Self {
        Self { is_watched: false, has_line: false, since: Instant::now() }
    }

    /// Shows the line, not more often than it can be read.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        if self.is_watched && self.since.elapsed() >= EVERY {
            self.since = Instant::now();
            self.has_line = true;
            // Progress that cannot be told is not worth a failure.
            let line = format!("\r\x1b[K{}", common::escape::terminal(&line()));
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.has_line) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
