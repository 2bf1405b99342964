//! What recorder and broker say to each other: which file is wanted, and the descriptor or why
//! there is none. One datagram a message.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use common::binary::Unread;
use common::record::FileIdentity;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};
use nix::sys::stat::{FileStat, major, minor};

/// A file that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// As the kernel reported it at exec; `None` for a script, of which it reports nothing.
    pub(crate) identity: Option<FileIdentity>,
    /// Who executed it, and a process that most likely sees the same files.
    pub(crate) pid: u32,
    pub(crate) other_pid: u32,
    /// Of the process that executed it.
    pub(crate) mount_namespace: u32,
    /// Absolute, as the process saw it.
    pub(crate) path: Vec<u8>,
}

/// How a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The process ran it then, by the boot clock, and the time of its inode was this; nanoseconds.
    Process { boottime_ns: u64, ctime_ns: i64 },
    /// By its path.
    Path,
}

pub(crate) type Opened = Result<(OwnedFd, Way), Unread>;

/// As `stat` tells it.
pub(crate) fn identity_of(stat: &FileStat) -> FileIdentity {
    let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
    FileIdentity {
        device_major: u32::try_from(major(stat.st_dev)).unwrap_or(u32::MAX),
        device_minor: u32::try_from(minor(stat.st_dev)).unwrap_or(u32::MAX),
        inode: stat.st_ino,
        size_bytes: stat.st_size.cast_unsigned(),
        mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// Questions that may be sent before their answers are read: they fit the socket's buffers.
pub(crate) const MOST_AT_ONCE: usize = 16;

const MOST_PATH: usize = 4096;
const HEAD: usize = 17;
const IDENTITY: usize = 40;
const MOST_QUESTION: usize = HEAD + IDENTITY + MOST_PATH;

/// The number comes back with the answer.
pub(crate) fn ask(socket: &OwnedFd, number: u32, wanted: &Wanted) -> nix::Result<()> {
    let mut bytes = Vec::with_capacity(HEAD + IDENTITY + wanted.path.len());
    bytes.push(u8::from(wanted.identity.is_some()));
    bytes.extend(number.to_le_bytes());
    bytes.extend(wanted.pid.to_le_bytes());
    bytes.extend(wanted.other_pid.to_le_bytes());
    bytes.extend(wanted.mount_namespace.to_le_bytes());
    if let Some(identity) = &wanted.identity {
        bytes.extend(identity.device_major.to_le_bytes());
        bytes.extend(identity.device_minor.to_le_bytes());
        bytes.extend(identity.inode.to_le_bytes());
        bytes.extend(identity.size_bytes.to_le_bytes());
        bytes.extend(identity.mtime_ns.to_le_bytes());
        bytes.extend(identity.ctime_ns.to_le_bytes());
    }
    bytes.extend_from_slice(&wanted.path[..wanted.path.len().min(MOST_PATH)]);
    send(socket, &bytes, None)
}

/// `Ok(None)` when the recorder has closed its end.
pub(crate) fn next_question(socket: &OwnedFd) -> nix::Result<Option<(u32, Wanted)>> {
    let mut bytes = [0; MOST_QUESTION];
    let Some(message) = receive(socket, &mut bytes)? else { return Ok(None) };
    // The recorder sends none; of those that were left out, others may have come.
    if message.file.is_some() || message.has_left_out {
        return Err(Errno::EBADMSG);
    }
    parse(&bytes[..message.length]).map(Some).ok_or(Errno::EBADMSG)
}

fn parse(bytes: &[u8]) -> Option<(u32, Wanted)> {
    let (head, mut rest) = bytes.split_first_chunk::<HEAD>()?;
    let has_identity = match head[0] {
        0 => false,
        1 => true,
        _ => return None,
    };
    let identity = if has_identity {
        let identity;
        (identity, rest) = rest.split_first_chunk::<IDENTITY>()?;
        Some(FileIdentity {
            device_major: u32_at(identity, 0),
            device_minor: u32_at(identity, 4),
            inode: u64_at(identity, 8),
            size_bytes: u64_at(identity, 16),
            mtime_ns: u64_at(identity, 24).cast_signed(),
            ctime_ns: u64_at(identity, 32).cast_signed(),
        })
    } else {
        None
    };
    let wanted = Wanted {
        identity,
        pid: u32_at(head, 5),
        other_pid: u32_at(head, 9),
        mount_namespace: u32_at(head, 13),
        path: rest.to_vec(),
    };
    Some((u32_at(head, 1), wanted))
}

const ANSWER: usize = 21;

pub(crate) fn answer(socket: &OwnedFd, number: u32, opened: &Opened) -> nix::Result<()> {
    let mut bytes = [0; ANSWER];
    bytes[17..].copy_from_slice(&number.to_le_bytes());
    match opened {
        Ok((_, Way::Path)) => bytes[0] = b'p',
        Ok((_, Way::Process { boottime_ns, ctime_ns })) => {
            bytes[0] = b'e';
            bytes[1..9].copy_from_slice(&boottime_ns.to_le_bytes());
            bytes[9..17].copy_from_slice(&ctime_ns.to_le_bytes());
        }
        Err(reason) => {
            bytes[0] = b'-';
            let code = Unread::ALL.iter().position(|known| known == reason).unwrap_or(0);
            bytes[1] = code.to_le_bytes()[0];
        }
    }
    send(socket, &bytes, opened.as_ref().ok().map(|(file, _)| file))
}

/// `Ok(None)` when the broker has closed its end.
pub(crate) fn next_answer(socket: &OwnedFd) -> nix::Result<Option<(u32, Opened)>> {
    let mut bytes = [0; ANSWER];
    let Some(Message { length, file, .. }) = receive(socket, &mut bytes)? else { return Ok(None) };
    if length != ANSWER {
        return Err(Errno::EBADMSG);
    }
    let number = u32_at(&bytes, 17);
    let way = match bytes[0] {
        b'p' => Way::Path,
        b'e' => Way::Process {
            boottime_ns: u64_at(&bytes, 1),
            ctime_ns: u64_at(&bytes, 9).cast_signed(),
        },
        b'-' => {
            let reason = Unread::ALL.get(usize::from(bytes[1])).ok_or(Errno::EBADMSG)?;
            return Ok(Some((number, Err(*reason))));
        }
        _ => return Err(Errno::EBADMSG),
    };
    // The kernel leaves a descriptor out where this process may have no more.
    Ok(Some((number, file.map(|file| (file, way)).ok_or(Unread::Busy))))
}

fn send(socket: &OwnedFd, bytes: &[u8], file: Option<&OwnedFd>) -> nix::Result<()> {
    let files = file.map(|file| [file.as_raw_fd()]);
    let rights = files.as_ref().map(|files| ControlMessage::ScmRights(files));
    let control: &[ControlMessage<'_>] = rights.as_slice();
    loop {
        let parts = [IoSlice::new(bytes)];
        match sendmsg::<UnixAddr>(socket.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None)
        {
            Err(Errno::EINTR) => {}
            result => return result.map(|_| ()),
        }
    }
}

struct Message {
    length: usize,
    file: Option<OwnedFd>,
    /// The kernel had no room for all descriptors that were sent.
    has_left_out: bool,
}

/// `None` at the end.
#[expect(unsafe_code, reason = "a received descriptor gets its owner")]
fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> nix::Result<Option<Message>> {
    let mut control = nix::cmsg_space!([std::os::fd::RawFd; 1]);
    loop {
        let mut parts = [IoSliceMut::new(bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error),
            Ok(message) => {
                let mut file = None;
                // The broker sends one: where that was left out, none came.
                let has_left_out = message.flags.contains(MsgFlags::MSG_CTRUNC);
                let parts = if has_left_out { None } else { Some(message.cmsgs()?) };
                for part in parts.into_iter().flatten() {
                    if let ControlMessageOwned::ScmRights(files) = part {
                        for raw in files {
                            // SAFETY: the kernel has just made this descriptor for us.
                            file = Some(unsafe { OwnedFd::from_raw_fd(raw) });
                        }
                    }
                }
                let length = message.bytes;
                return Ok((length > 0).then_some(Message { length, file, has_left_out }));
            }
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    fn wanted() -> Wanted {
        Wanted {
            identity: Some(FileIdentity {
                device_major: 8,
                device_minor: 1,
                inode: u64::MAX,
                size_bytes: 3,
                mtime_ns: -4,
                ctime_ns: i64::MAX,
            }),
            pid: 5,
            other_pid: 6,
            mount_namespace: 7,
            path: b"/tmp/a\nb\xff".to_vec(),
        }
    }

    #[test]
    fn questions_and_answers_round_trip() {
        let (recorder, broker) = pair();
        let script = Wanted { identity: None, ..wanted() };
        for wanted in [wanted(), script] {
            ask(&recorder, 3, &wanted).unwrap();
            assert_eq!(next_question(&broker).unwrap(), Some((3, wanted)));
        }
        for reason in Unread::ALL {
            answer(&broker, u32::MAX, &Err(reason)).unwrap();
            let (number, opened) = next_answer(&recorder).unwrap().unwrap();
            assert_eq!((number, opened.unwrap_err()), (u32::MAX, reason));
        }
        for way in [
            Way::Path,
            Way::Process { boottime_ns: 7, ctime_ns: -1 },
            Way::Process { boottime_ns: u64::MAX, ctime_ns: i64::MAX },
        ] {
            let file = std::fs::File::open("/proc/self/comm").unwrap();
            answer(&broker, 4, &Ok((file.into(), way))).unwrap();
            let (number, opened) = next_answer(&recorder).unwrap().unwrap();
            let (file, found) = opened.unwrap();
            assert_eq!((number, found), (4, way));
            let mut text = String::new();
            std::fs::File::from(file).read_to_string(&mut text).unwrap();
            assert!(!text.is_empty());
        }
        drop(recorder);
        assert_eq!(next_question(&broker).unwrap(), None);
    }

    #[test]
    fn nonsense_is_an_error() {
        let (recorder, broker) = pair();
        for bytes in [&b"\x02aaaabbbbccccdddd"[..], b"\x01aaaabbbbccccddddshort", b"x"] {
            send(&recorder, bytes, None).unwrap();
            assert_eq!(next_question(&broker), Err(Errno::EBADMSG));
        }
        send(&broker, b"?12345678901234567890", None).unwrap();
        assert!(next_answer(&recorder).is_err());
    }
}
