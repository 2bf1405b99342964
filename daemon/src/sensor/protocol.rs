//! What sensor and recorder say to each other: one datagram a message, on a socket that only they
//! hold. Small, fixed forms; the sensor reads nothing else.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

/// From the recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// It answers queries now.
    Ready,
    /// Its pipeline has moved.
    Progress,
    /// One line about its state, without content.
    Status(String),
    /// It wants the figures of the programs.
    Statistics,
    /// It cannot go on, and starting it again would not help.
    Fatal(String),
    /// Another level of messages, by name.
    LogLevel(String),
    /// The service ends for good: the programs are not needed any more.
    Ending,
}

/// From the sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Statistics(Vec<ProgramFigures>),
    /// Nothing comes any more. Drain, commit, end.
    Stop,
    /// Commit and end. The ring goes on: another recorder reads it where this one stops.
    Leave,
    /// The service was told to end: leave, or, if it does not start again at once, ask for the end
    /// of capture.
    Terminating,
    /// Read the rules again.
    Reload,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramFigures {
    pub(crate) name: String,
    pub(crate) run_count: u64,
    pub(crate) run_time_ns: u64,
    pub(crate) recursion_misses: Option<u64>,
}

const MOST_BYTES: usize = 4096;

impl Request {
    fn to_bytes(&self) -> Vec<u8> {
        let with_text = |tag: u8, text: &str| {
            let mut bytes = vec![tag];
            bytes.extend_from_slice(&text.as_bytes()[..text.floor_char_boundary(1024)]);
            bytes
        };
        match self {
            Request::Ready => vec![b'R'],
            Request::Progress => vec![b'P'],
            Request::Status(text) => with_text(b'S', text),
            Request::Statistics => vec![b'T'],
            Request::Fatal(text) => with_text(b'F', text),
            Request::LogLevel(text) => with_text(b'V', text),
            Request::Ending => vec![b'E'],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        match tag {
            b'R' => Some(Request::Ready),
            b'P' => Some(Request::Progress),
            b'S' => Some(Request::Status(text())),
            b'T' => Some(Request::Statistics),
            b'F' => Some(Request::Fatal(text())),
            b'V' => Some(Request::LogLevel(text())),
            b'E' => Some(Request::Ending),
            _ => None,
        }
    }
}

impl Reply {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Reply::Stop => vec![b'Q'],
            Reply::Leave => vec![b'L'],
            Reply::Terminating => vec![b'E'],
            Reply::Reload => vec![b'R'],
            Reply::Statistics(programs) => {
                let mut text = String::from("T");
                for program in programs {
                    let misses = program.recursion_misses.map_or("-".to_owned(), |m| m.to_string());
                    text.push_str(&format!(
                        "{} {} {} {misses}\n",
                        program.name, program.run_count, program.run_time_ns
                    ));
                }
                text.into_bytes()
            }
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        match tag {
            b'Q' => Some(Reply::Stop),
            b'L' => Some(Reply::Leave),
            b'E' => Some(Reply::Terminating),
            b'R' => Some(Reply::Reload),
            b'T' => {
                let text = std::str::from_utf8(rest).ok()?;
                text.lines().map(figures_of).collect::<Option<Vec<_>>>().map(Reply::Statistics)
            }
            _ => None,
        }
    }
}

fn figures_of(line: &str) -> Option<ProgramFigures> {
    let mut words = line.split(' ');
    Some(ProgramFigures {
        name: words.next()?.to_owned(),
        run_count: words.next()?.parse().ok()?,
        run_time_ns: words.next()?.parse().ok()?,
        recursion_misses: words.next()?.parse().ok(),
    })
}

/// Sends; never blocks for long, since the other side reads promptly or is gone.
pub(crate) fn send_request(socket: &OwnedFd, request: &Request) -> nix::Result<()> {
    send_bytes(socket, &request.to_bytes())
}

pub(crate) fn send_reply(socket: &OwnedFd, reply: &Reply) -> nix::Result<()> {
    send_bytes(socket, &reply.to_bytes())
}

fn send_bytes(socket: &OwnedFd, bytes: &[u8]) -> nix::Result<()> {
    loop {
        match send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EINTR) => {}
            result => return result.map(|_| ()),
        }
    }
}

/// `Ok(None)` when the other side has closed its end.
pub(crate) fn receive_request(socket: &OwnedFd) -> nix::Result<Option<Request>> {
    receive(socket, Request::from_bytes)
}

pub(crate) fn receive_reply(socket: &OwnedFd) -> nix::Result<Option<Reply>> {
    receive(socket, Reply::from_bytes)
}

fn receive<T>(socket: &OwnedFd, parse: fn(&[u8]) -> Option<T>) -> nix::Result<Option<T>> {
    let mut bytes = [0; MOST_BYTES];
    loop {
        match recv(socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            // A peer that died with unread messages resets the connection.
            Ok(0) | Err(Errno::ECONNRESET) => return Ok(None),
            Ok(length) => return parse(&bytes[..length]).map(Some).ok_or(Errno::EBADMSG),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    #[test]
    fn messages_round_trip() {
        let (a, b) = pair();
        for request in [
            Request::Ready,
            Request::Progress,
            Request::Status("1 é".into()),
            Request::Statistics,
            Request::Fatal("why".into()),
            Request::LogLevel("debug".into()),
            Request::Ending,
        ] {
            send_request(&a, &request).unwrap();
            assert_eq!(receive_request(&b).unwrap(), Some(request));
        }
        let figures = vec![ProgramFigures {
            name: "exec".into(),
            run_count: 3,
            run_time_ns: 4,
            recursion_misses: None,
        }];
        for reply in [
            Reply::Statistics(figures),
            Reply::Stop,
            Reply::Leave,
            Reply::Terminating,
            Reply::Reload,
        ] {
            send_reply(&b, &reply).unwrap();
            assert_eq!(receive_reply(&a).unwrap(), Some(reply));
        }
        drop(b);
        assert_eq!(receive_reply(&a).unwrap(), None);
    }

    #[test]
    fn nonsense_is_an_error() {
        let (a, b) = pair();
        send_bytes(&a, b"?x").unwrap();
        assert_eq!(receive_request(&b), Err(Errno::EBADMSG));
    }
}
