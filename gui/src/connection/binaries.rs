//! Contents that ran: the list, one of them, and its copy.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use common::binary::{Binary, BinaryLine, VerifyLine};
use common::bus::{BinariesProxy, BinarySelection};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use zbus::Connection;

use super::pipe::Lines;
use super::worker::Teller;
use super::{Answer as AnyAnswer, Trouble};
use crate::state::binary_row::BinaryRow;

const PART_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `filter` is of the processes.
    Rows {
        filter: String,
        selection: BinarySelection,
        limit: u32,
    },
    One {
        hash: String,
    },
    /// Keeps them from being removed to make room, or lets them be again.
    Pin {
        hashes: Vec<String>,
        is_pinned: bool,
    },
    /// Writes the copy to a file that is not there yet, or is to be replaced.
    Save {
        sha256: String,
        size_bytes: u64,
        path: PathBuf,
    },
    /// Reads every copy. Answered with progress, at last with the end.
    Verify,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Rows(Vec<BinaryRow>),
    One(Box<Binary>),
    Pinned { is_pinned: bool, count: u32 },
    Saved { path: PathBuf },
    Progress { checked: u64, total: u64 },
    Verified(Verified),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verified {
    pub checked: u64,
    /// SHA-256 and what is wrong.
    pub damaged: Vec<(String, String)>,
}

pub(super) async fn answer(
    connection: &Connection,
    ask: &Ask,
    teller: Teller<'_>,
) -> Result<Answer, Trouble> {
    let proxy = BinariesProxy::new(connection).await.map_err(common::bus::Error::ZBus)?;
    Ok(match ask {
        Ask::Rows { filter, selection, limit } => {
            Answer::Rows(rows(proxy.query(filter, selection, *limit).await?).await?)
        }
        Ask::One { hash } => {
            let text = proxy.get(hash).await?;
            Answer::One(serde_json::from_str(&text).map_err(|e| Trouble::not_understood(&e))?)
        }
        Ask::Pin { hashes, is_pinned } => {
            let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
            let count = proxy.pin(&hashes, *is_pinned).await?;
            Answer::Pinned { is_pinned: *is_pinned, count }
        }
        Ask::Save { sha256, size_bytes, path } => {
            save(proxy.open(sha256).await?, sha256, *size_bytes, path).await?;
            Answer::Saved { path: path.clone() }
        }
        Ask::Verify => verify(Lines::new(proxy.verify().await?)?, teller).await?,
    })
}

async fn rows(pipe: zbus::OwnedFd) -> Result<Vec<BinaryRow>, Trouble> {
    let mut lines = Lines::new(pipe)?;
    let mut rows = Vec::new();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(&line).map_err(|e| Trouble::not_understood(&e))? {
            BinaryLine::Binary(binary) => rows.push(BinaryRow::of(&binary)),
            BinaryLine::Done(done) => match done.error {
                Some(text) => return Err(Trouble::failed(text)),
                None => return Ok(rows),
            },
        }
    }
}

async fn verify(mut lines: Lines, teller: Teller<'_>) -> Result<Answer, Trouble> {
    let mut damaged_copies = Vec::new();
    loop {
        let line = lines.next().await?;
        match serde_json::from_slice(&line).map_err(|e| Trouble::not_understood(&e))? {
            VerifyLine::Progress { checked, total, .. } => {
                teller.tell(AnyAnswer::Binaries(Answer::Progress { checked, total })).await;
            }
            VerifyLine::Damaged { sha256, reason } => damaged_copies.push((sha256, reason)),
            VerifyLine::Done { error: Some(text), .. } => return Err(Trouble::failed(text)),
            VerifyLine::Done { checked, .. } => {
                return Ok(Answer::Verified(Verified { checked, damaged: damaged_copies }));
            }
        }
    }
}

/// Nothing is seen at the path before all of it is there and has the right SHA-256. The file is not
/// executable, for it may be dangerous.
async fn save(pipe: zbus::OwnedFd, sha256: &str, size: u64, path: &Path) -> Result<(), Trouble> {
    let unreadable =
        |error| Trouble::failed(format!("cannot read the copy from the recorder: {error}"));
    let unwritable = |error: std::io::Error| {
        Trouble::failed(format!("cannot write {}: {error}", path.display()))
            .hint("choose another place")
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A few blocking writes on a thread that has others beside it.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(unwritable)?;
    let mut receiver = Receiver::from_owned_fd(OwnedFd::from(pipe)).map_err(unreadable)?;
    let mut part = vec![0; PART_BYTES];
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    loop {
        let length = receiver.read(&mut part).await.map_err(unreadable)?;
        if length == 0 {
            break;
        }
        bytes += length as u64;
        if bytes > size {
            return Err(broken(&format!("more came than its {size} bytes")));
        }
        hash.update(&part[..length]);
        file.write_all(&part[..length]).map_err(unwritable)?;
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != sha256 {
        return Err(broken(&format!("{bytes} of {size} bytes, with the SHA-256 {found}")));
    }
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn broken(what: &str) -> Trouble {
    Trouble::failed(format!("the content did not come as it is: {what}"))
        .hint("nothing was written; try again, and verify the copies")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Of `test`.
    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    async fn saved(content: &'static [u8], sha256: &str) -> Result<Vec<u8>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy");
        let (reader, mut writer) = std::io::pipe().unwrap();
        let writing = std::thread::spawn(move || writer.write_all(content));
        let outcome = save(OwnedFd::from(reader).into(), sha256, 4, &path).await;
        writing.join().unwrap().unwrap();
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, usize::from(outcome.is_ok()), "nothing is left behind");
        outcome.map(|()| std::fs::read(&path).unwrap()).map_err(|trouble| trouble.message)
    }

    #[tokio::test]
    async fn only_the_right_content_is_written() {
        assert_eq!(saved(b"test", SHA256).await, Ok(b"test".to_vec()));
        for content in [&b"tes"[..], b"", b"tests", b"Test"] {
            assert!(saved(content, SHA256).await.unwrap_err().contains("did not come as it is"));
        }
        assert!(saved(b"test", &SHA256[..12]).await.is_err(), "the beginning is not enough");
    }
}
