//! One pass over an executed file: its hashes and, if wanted, a copy in the vault.
//!
//! Which file it is and how it was opened is known elsewhere. That its content was one and the same
//! all the time is told by its size and times. Two things they do not show: before Linux 6.13, two
//! changes within one tick of the kernel's clock (1 to 10 ms); and writing through a shared mapping
//! to pages that were written before, of memfds above all.

#[cfg(test)]
mod tests;

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use common::binary::{Hashes, Storage, Unread};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::vault::{Incoming, MOST_BYTES, Vault, hex, is_worth_compressing};

const CHUNK_BYTES: usize = 128 << 10;
/// What tells whether a copy is to be compressed.
const HEAD_BYTES: usize = 256 << 10;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) hashes: Hashes,
    pub(crate) size_bytes: u64,
    pub(crate) storage: Storage,
    /// Length of the copy, 0 if there is none.
    pub(crate) stored_bytes: u64,
}

/// Reads the file from its start, wherever its descriptor stands. `wanted` is where to keep a copy,
/// or the reason why none is wanted. A copy that cannot be written costs no hash. `is_right` has the
/// last word, before the copy gets its name.
pub(crate) fn take(
    file: &File,
    most_bytes: u64,
    wanted: Result<&Vault, Storage>,
    is_right: impl FnOnce(&Metadata) -> bool,
) -> Result<Taken, Unread> {
    take_watched(file, most_bytes, wanted, is_right, |_| {})
}

/// `on_chunk` is told how much has been read: tests change the file then.
fn take_watched(
    file: &File,
    most_bytes: u64,
    wanted: Result<&Vault, Storage>,
    is_right: impl FnOnce(&Metadata) -> bool,
    mut on_chunk: impl FnMut(u64),
) -> Result<Taken, Unread> {
    let before = metadata(file)?;
    if !before.is_file() {
        return Err(Unread::NotRegular);
    }
    let size_bytes = before.len();
    if size_bytes > most_bytes {
        return Err(Unread::TooLarge);
    }
    let mut content = Content { file, size_bytes, offset: 0 };
    let mut digests = Digests::default();
    let mut buffer = vec![0; HEAD_BYTES];
    let mut filled = content.fill(&mut buffer)?;
    let mut copy = wanted.and_then(|vault| begin(vault, size_bytes, &buffer[..filled]));
    while filled > 0 {
        digests.update(&buffer[..filled]);
        copy = copy.and_then(|copy| write(copy, &buffer[..filled]));
        on_chunk(content.offset);
        filled = content.fill(&mut buffer[..CHUNK_BYTES])?;
    }
    let after = metadata(file)?;
    if content.offset != size_bytes || !is_same(&before, &after) || !is_right(&after) {
        return Err(Unread::Changed);
    }
    let hashes = digests.finish();
    let (storage, stored_bytes) = match copy.and_then(|copy| keep(copy, &hashes.sha256)) {
        Ok(stored_bytes) => (Storage::Kept, stored_bytes),
        Err(reason) => (reason, 0),
    };
    Ok(Taken { hashes, size_bytes, storage, stored_bytes })
}

/// Of two looks at one file.
fn is_same(before: &Metadata, after: &Metadata) -> bool {
    let state =
        |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
    state(before) == state(after)
}

fn metadata(file: &File) -> Result<Metadata, Unread> {
    file.metadata().map_err(|error| unread(&error))
}

fn unread(error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Unread::NotPermitted,
        _ => Unread::Failed,
    }
}

fn begin<'a>(vault: &'a Vault, size_bytes: u64, head: &[u8]) -> Result<Incoming<'a>, Storage> {
    let is_compressed = size_bytes <= MOST_BYTES && is_worth_compressing(head);
    vault.incoming(is_compressed).map_err(|error| not_kept(&error))
}

/// Gives the copy up, and its space back, where it cannot be written.
fn write<'a>(mut copy: Incoming<'a>, chunk: &[u8]) -> Result<Incoming<'a>, Storage> {
    copy.write_all(chunk).map_err(|error| not_kept(&error))?;
    Ok(copy)
}

fn keep(copy: Incoming<'_>, sha256: &str) -> Result<u64, Storage> {
    copy.keep(sha256).map_err(|error| not_kept(&error))
}

/// What becomes of a content whose copy could not be written.
fn not_kept(error: &io::Error) -> Storage {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Storage::NoSpace,
        _ => {
            tracing::warn!("an executed file is not kept: {error}");
            Storage::Failed
        }
    }
}

/// A file, read up to the size it had.
struct Content<'a> {
    file: &'a File,
    size_bytes: u64,
    offset: u64,
}

impl Content<'_> {
    /// Fills the buffer but at the end of the file, and answers how far.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Unread> {
        let mut filled = 0;
        while filled < buffer.len() {
            // One byte more than there should be tells that the file has grown.
            let left = (self.size_bytes - self.offset).saturating_add(1);
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len() - filled);
            match self.file.read_at(&mut buffer[filled..filled + most], self.offset) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    self.offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unread(&error)),
            }
            if self.offset > self.size_bytes {
                return Err(Unread::Changed);
            }
        }
        Ok(filled)
    }
}

#[derive(Default)]
struct Digests {
    sha256: Sha256,
    sha1: Sha1,
    md5: Md5,
}

impl Digests {
    fn update(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
        self.sha1.update(chunk);
        self.md5.update(chunk);
    }

    fn finish(self) -> Hashes {
        Hashes {
            sha256: hex(&self.sha256.finalize()),
            sha1: hex(&self.sha1.finalize()),
            md5: hex(&self.md5.finalize()),
        }
    }
}
