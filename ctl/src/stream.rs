//! Results of the recorder: NDJSON on a pipe, read line by line as it comes.

use std::io;
use std::os::fd::OwnedFd;

use common::ecs::{Control, Done, Event, Gap};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use crate::error::{self, CommandError};

const BUFFER_BYTES: usize = 256 * 1024;
/// A line is a record: 64 KiB of captured text, a few times that in JSON. Far more is a fault.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Gap(Gap),
    Missed(u64),
}

/// Records, alerts or binaries, and what stands between them.
pub(crate) struct Stream {
    lines: Lines,
    done: Option<Done>,
}

impl Stream {
    pub(crate) fn new(pipe: zbus::OwnedFd) -> Result<Self, CommandError> {
        Ok(Self { lines: Lines::new(pipe)?, done: None })
    }

    /// The next line; `None` after the `done` line. A result that ends without one is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Kind>, CommandError> {
        let control = control_of(self.lines.next().await?)?;
        Ok(match control {
            Control { done: Some(done), .. } => {
                if let Some(text) = done.error {
                    return Err(gave_up(&text));
                }
                if done.behind {
                    anstream::eprintln!(
                        "note: the recorder is behind in writing; the newest events may be missing"
                    );
                }
                self.done = Some(done);
                None
            }
            Control { gap: Some(gap), .. } => Some(Kind::Gap(gap)),
            Control { missed: Some(count), .. } => Some(Kind::Missed(count)),
            Control { .. } => Some(Kind::Event),
        })
    }

    /// The line that [`Stream::next`] read, without its line feed.
    pub(crate) fn line(&self) -> &[u8] {
        &self.lines.line
    }

    pub(crate) fn done(&self) -> Option<&Done> {
        self.done.as_ref()
    }

    /// No whole line waits: a good time to flush what was made of the lines before.
    pub(crate) fn is_drained(&self) -> bool {
        !self.lines.reader.buffer().contains(&b'\n')
    }
}

/// Lines of any kind.
pub(crate) struct Lines {
    reader: BufReader<Receiver>,
    line: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(pipe: zbus::OwnedFd) -> Result<Self, CommandError> {
        let reader = BufReader::with_capacity(BUFFER_BYTES, receiver(pipe)?);
        Ok(Self { reader, line: Vec::new() })
    }

    /// The next line, without its line feed. There is always one: who asks has not seen the last,
    /// which says that it is.
    pub(crate) async fn next(&mut self) -> Result<&[u8], CommandError> {
        if !self.read_line().await? {
            return Err(cut_off());
        }
        Ok(&self.line)
    }

    /// False at the end. A last line without line feed is an end, too: it was cut off.
    async fn read_line(&mut self) -> Result<bool, CommandError> {
        self.line.clear();
        loop {
            let part = self.reader.fill_buf().await.map_err(|error| unreadable(&error))?;
            if part.is_empty() {
                return Ok(false);
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
            if self.line.len() > MAX_LINE_BYTES {
                return Err(CommandError::failure("the recorder sent a line without end")
                    .hint(error::VERSIONS_HINT));
            }
        }
    }
}

/// What the recorder sends, as bytes.
pub(crate) fn receiver(pipe: zbus::OwnedFd) -> Result<Receiver, CommandError> {
    Receiver::from_owned_fd(OwnedFd::from(pipe)).map_err(|error| {
        CommandError::failure(format!("the recorder's answer is not a pipe: {error}"))
    })
}

pub(crate) fn unreadable(error: &io::Error) -> CommandError {
    CommandError::failure(format!("cannot read from the recorder: {error}"))
}

fn cut_off() -> CommandError {
    CommandError::failure("the result was cut off: the recorder closed it before its end")
        .hint("`bpfctl status` tells whether the recorder runs; then try again")
}

/// The last line of a result says that it is not whole.
pub(crate) fn gave_up(text: &str) -> CommandError {
    CommandError::failure(format!("the recorder gave up: {text}"))
        .hint("what was printed so far is not the whole result")
}

fn control_of(line: &[u8]) -> Result<Control, CommandError> {
    serde_json::from_slice(line).map_err(|error| error::not_understood(&error))
}

pub(crate) fn kind_of(line: &[u8]) -> Result<Kind, CommandError> {
    Ok(match control_of(line)? {
        Control { gap: Some(gap), .. } => Kind::Gap(gap),
        Control { missed: Some(count), .. } => Kind::Missed(count),
        Control { .. } => Kind::Event,
    })
}

pub(crate) fn event_of(line: &[u8]) -> Result<Event<'static>, CommandError> {
    serde_json::from_slice(line).map_err(|error| error::not_understood(&error))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Reads what a recorder wrote before it closed the pipe.
    async fn read(text: &[u8]) -> (Vec<(Kind, usize)>, Result<Done, String>) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let text = text.to_vec();
        let writing = std::thread::spawn(move || writer.write_all(&text).unwrap());
        let mut stream = Stream::new(OwnedFd::from(reader).into()).unwrap();
        let mut lines = Vec::new();
        let end = loop {
            match stream.next().await {
                Ok(Some(kind)) => lines.push((kind, stream.line().len())),
                Ok(None) => break Ok(stream.done().cloned().unwrap_or_default()),
                Err(error) => break Err(error.message),
            }
        };
        drop(stream);
        writing.join().unwrap();
        (lines, end)
    }

    #[tokio::test]
    async fn a_result_ends_with_its_done_line() {
        let (lines, end) = read(
            b"{\"process\":{\"pid\":1}}\n{\"missed\":3}\n{\"done\":{\"count\":1,\"cursor\":\"c\"}}\n",
        )
        .await;
        assert_eq!(lines, [(Kind::Event, 21), (Kind::Missed(3), 12)]);
        assert_eq!(end, Ok(Done { count: 1, cursor: Some("c".to_owned()), ..Done::default() }));
    }

    #[tokio::test]
    async fn a_result_without_its_done_line_was_cut_off() {
        for text in [&b""[..], b"{\"process\":{}}\n", b"{\"process\":{}}\n{\"done\":{\"count\":1}"]
        {
            let (_, end) = read(text).await;
            assert!(end.unwrap_err().contains("cut off"), "{text:?}");
        }
    }

    #[tokio::test]
    async fn faults_of_the_recorder_are_told() {
        let (_, end) = read(b"{\"done\":{\"count\":0,\"error\":\"database\"}}\n").await;
        assert_eq!(end, Err("the recorder gave up: database".to_owned()));
        let (_, end) = read(b"no json\n").await;
        assert!(end.unwrap_err().contains("not understood"));
    }

    #[tokio::test]
    async fn long_lines_come_whole() {
        let mut text = b"{\"process\":\"".to_vec();
        text.resize(text.len() + 5_000_000, b'x');
        text.extend_from_slice(b"\"}\n{\"done\":{\"count\":1}}\n");
        let (lines, end) = read(&text).await;
        assert_eq!(lines, [(Kind::Event, 5_000_014)]);
        assert_eq!(end.unwrap().count, 1);
    }
}
