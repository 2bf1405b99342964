//! What can go wrong with the vault, named for what one can do about it.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Why a directory does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("directory {path} does not exist: nothing was kept beside this database")]
    Missing { path: PathBuf },
    #[error(
        "{path} is not a directory (and no link is followed): move it away, or choose another \
         --data-dir"
    )]
    NotDirectory { path: PathBuf },
    #[cfg(feature = "capture")]
    #[error(
        "directory {path} belongs to user {owner}, and this is user {user}: give it to that user \
         with chown -R, or choose another --data-dir or --user"
    )]
    OtherOwner { path: PathBuf, owner: u32, user: u32 },
    #[cfg(feature = "capture")]
    #[error(
        "others may write to directory {path} (mode {mode:04o}), so that what it holds proves \
         nothing: see who did, and take the right away with chmod go-w"
    )]
    OthersWrite { path: PathBuf, mode: u32 },
    #[error("the disk of {path} is full: free some space, or choose another --data-dir")]
    Full { path: PathBuf },
    #[error(
        "directory {path} cannot be used ({detail}): check the rights of it and of the \
         directories above, or choose another --data-dir"
    )]
    Access { path: PathBuf, detail: String },
}

impl VaultError {
    /// Gives an error of the system its meaning.
    pub(super) fn of(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::ENOTDIR | Errno::ELOOP => Self::NotDirectory { path },
            Errno::ENOSPC | Errno::EDQUOT => Self::Full { path },
            _ => Self::Access { path, detail: errno.desc().to_owned() },
        }
    }
}

/// What checking a copy can find.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    #[error("there is no copy")]
    Missing,
    #[error("checking was stopped")]
    Stopped,
    /// Tells nothing about the copy.
    #[error("the copy could not be read")]
    Io(#[source] io::Error),
}

impl From<io::Error> for CheckError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::InvalidInput => Self::Io(error),
            // The system had no complaint: the content has.
            _ if error.raw_os_error().is_none() => Self::Damaged(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
