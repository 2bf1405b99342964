//! HTTP over plain sockets: what no browser would send can be sent.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header, whose name is given in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(4096, stream) })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    pub(crate) fn head(&mut self) -> io::Result<(u16, String)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, head))
    }

    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let (status, head) = self.head()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            while self.chunk(&mut answer.body)? {}
        } else if status != 204 {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Appends one; false after the last.
    pub(crate) fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let begin = body.len();
        body.resize(begin + length + 2, 0);
        self.stream.read_exact(&mut body[begin..])?;
        body.truncate(begin + length);
        Ok(length > 0)
    }
}

/// The head of a request to `address`, with further lines.
pub(crate) fn request(address: SocketAddr, method: &str, target: &str, lines: &[&str]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\n");
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Somebody with a session.
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    /// As a header.
    pub(crate) cookie: String,
}

impl Visitor {
    pub(crate) fn log_in(address: SocketAddr, link: &str) -> Self {
        let target = link.strip_prefix(&format!("http://{address}")).unwrap();
        let answer =
            Connection::open(address).unwrap().ask(&request(address, "GET", target, &[])).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
        Self { address, cookie: format!("cookie: {cookie}") }
    }

    pub(crate) fn request(&self, target: &str) -> Vec<u8> {
        request(self.address, "GET", target, &[&self.cookie])
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        Connection::open(self.address).unwrap().ask(&self.request(target)).unwrap()
    }

    /// A change, as the scripts of the page make it.
    pub(crate) fn change(&self, method: &str, target: &str, body: &str) -> Answer {
        let length = format!("content-length: {}", body.len());
        let lines = [&*self.cookie, "x-bpf-recorder: 1", &length];
        let mut bytes = request(self.address, method, target, &lines);
        bytes.extend_from_slice(body.as_bytes());
        Connection::open(self.address).unwrap().ask(&bytes).unwrap()
    }
}
