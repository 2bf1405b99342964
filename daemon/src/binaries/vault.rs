//! Contents of executed files by SHA-256: `ab/ab12…` for a plain copy, `ab/ab12….zst` for a
//! compressed one. A name appears once its content is complete and on disk, so that whoever is
//! killed at any moment leaves nothing half done.
//!
//! Everything is reached from a descriptor of the directory and no link is followed, so that
//! nothing outside it can be read, changed or removed. Which contents are kept, and for how long,
//! is decided elsewhere.

mod copy;
mod error;
#[cfg(feature = "capture")]
mod incoming;
#[cfg(feature = "capture")]
mod keeping;
mod name;
#[cfg(test)]
#[cfg(feature = "capture")]
mod tests;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;

#[cfg(feature = "capture")]
pub(crate) use copy::MOST_BYTES;
pub(crate) use error::{CheckError, VaultError};
#[cfg(feature = "capture")]
pub(crate) use incoming::{Incoming, is_worth_compressing};
pub(crate) use name::hex;
use name::{Form, Name};

/// For any number of threads. It does not keep them apart: who removes a content while another
/// takes it in has to see to that.
#[derive(Debug)]
pub(crate) struct Vault {
    root: OwnedFd,
    /// None for reading only.
    #[cfg(feature = "capture")]
    keeping: Option<keeping::Keeping>,
}

impl Vault {
    /// For reading only, whosesoever the directory is: changes nothing.
    pub(crate) fn existing(path: &Path) -> Result<Self, VaultError> {
        let path = without_trailing_slash(path);
        match open_directory(AT_FDCWD, &path) {
            Ok(root) => Ok(Self {
                root,
                #[cfg(feature = "capture")]
                keeping: None,
            }),
            Err(Errno::ENOENT) => Err(VaultError::Missing { path }),
            Err(errno) => Err(VaultError::of(&path, errno)),
        }
    }
}

/// With a slash at the end, a link would be followed.
fn without_trailing_slash(path: &Path) -> PathBuf {
    path.components().collect()
}

fn open_directory<P: NixPath + ?Sized>(at: impl AsFd, name: &P) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}
