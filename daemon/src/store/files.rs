//! Whether the files that are written are still those that others find: one that was removed could
//! be written on and on, and be gone with the process.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What is not where it was any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Displaced {
    Database,
    /// Or its index; the database itself is there.
    Log,
}

/// Device and inode; `None` where there is no file.
type File = Option<(u64, u64)>;

/// The files of a database that is open.
pub(super) struct Files {
    database: File,
    log: File,
    index: File,
}

impl Files {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            database: file(path)?,
            log: file(&with_suffix(path, "-wal"))?,
            index: file(&with_suffix(path, "-shm"))?,
        })
    }

    pub(super) fn displaced(&mut self, path: &Path) -> Option<Displaced> {
        // What cannot be looked at is not known to be gone.
        let now = Self::of(path).ok()?;
        if now.database != self.database {
            return Some(Displaced::Database);
        }
        for (was, is) in [(&mut self.log, now.log), (&mut self.index, now.index)] {
            // They come with the first that is written.
            if was.is_some() && is != *was {
                return Some(Displaced::Log);
            }
            *was = is;
        }
        None
    }
}

fn file(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(Some((meta.dev(), meta.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
