//! Results of the recorder: NDJSON on a pipe, read line by line as it comes.

use std::os::fd::OwnedFd;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::Trouble;

const BUFFER_BYTES: usize = 256 * 1024;
/// A record has 64 KiB of captured text, a few times that in JSON. Far more is a fault.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Closing it (by dropping) cancels the query.
pub(super) struct Lines {
    reader: BufReader<Receiver>,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn new(pipe: zbus::OwnedFd) -> Result<Self, Trouble> {
        let receiver = Receiver::from_owned_fd(OwnedFd::from(pipe)).map_err(|error| {
            Trouble::failed(format!("the recorder's answer is not a pipe: {error}"))
        })?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, receiver);
        Ok(Self { reader, line: Vec::new() })
    }

    /// The next line without its line feed. There is always one: who asks has not seen the last,
    /// which says that it is.
    ///
    /// May be dropped while it waits: what was read stays.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            let part = self.reader.fill_buf().await.map_err(|error| {
                Trouble::failed(format!("cannot read from the recorder: {error}"))
            })?;
            if part.is_empty() {
                return Err(Trouble::cut_off());
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(std::mem::take(&mut self.line));
            }
            if self.line.len() > MAX_LINE_BYTES {
                return Err(Trouble::failed("the recorder sent a line without end"));
            }
        }
    }
}
