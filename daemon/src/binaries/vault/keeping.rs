//! What only whoever fills the vault does with it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Once;

use nix::NixPath;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};

use super::{Form, Name, Vault, VaultError, open_directory, without_trailing_slash};

/// Where files are written.
pub(super) const INCOMING: &str = "incoming";

#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) incoming: OwnedFd,
    /// For messages only.
    path: PathBuf,
    foreign_names: Once,
}

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) sha256: String,
    /// Length of the file in the vault, which is compressed or not.
    pub(crate) stored_bytes: u64,
}

impl Vault {
    /// Opens the directory, or makes it, and removes what was being written when an earlier process
    /// ended. Nobody else may be writing.
    pub(crate) fn create(path: &Path) -> Result<Self, VaultError> {
        let path = without_trailing_slash(path);
        let root = own_directory(AT_FDCWD, &path, &path)?;
        let incoming_path = path.join(INCOMING);
        let incoming = own_directory(&root, Path::new(INCOMING), &incoming_path)?;
        remove_leftovers(&incoming).map_err(|errno| VaultError::of(&incoming_path, errno))?;
        let keeping = Keeping { incoming, path, foreign_names: Once::new() };
        Ok(Self { root, keeping: Some(keeping) })
    }

    /// Whether its directories are those that others find: what is put into one that was removed or
    /// moved away, nobody finds. What cannot be looked at is not known to be gone.
    pub(crate) fn is_in_place(&self) -> bool {
        self.keeping.as_ref().is_none_or(|keeping| {
            is_found(&self.root, AT_FDCWD, &*keeping.path)
                && is_found(&keeping.incoming, &self.root, INCOMING)
        })
    }

    /// All copies, by hash. What else lies in the directory is left alone, and told of once.
    pub(crate) fn contents(&self) -> io::Result<Vec<Stored>> {
        let mut found = BTreeMap::new();
        let mut foreign_count = 0;
        for name in names(&self.root)? {
            if name.as_bytes() == INCOMING.as_bytes() {
                continue;
            }
            match open_directory(&self.root, &*name) {
                Ok(folder) => foreign_count += add_contents(&folder, &name, &mut found)?,
                Err(Errno::ENOTDIR | Errno::ELOOP) => foreign_count += 1,
                Err(errno) => return Err(errno.into()),
            }
        }
        if let Some(keeping) = &self.keeping
            && foreign_count > 0
        {
            keeping.foreign_names.call_once(|| {
                let path = keeping.path.display();
                tracing::warn!(
                    "{foreign_count} files that are not copies are left alone in {path}"
                );
            });
        }
        let stored = |(sha256, stored_bytes)| Stored { sha256, stored_bytes };
        Ok(found.into_iter().map(stored).collect())
    }

    /// Length of the copy on disk. Whether it is whole, [`Vault::check`] tells.
    pub(crate) fn has(&self, sha256: &str) -> Option<u64> {
        let name = Name::parse(sha256).ok()?;
        let folder = open_directory(&self.root, name.folder()).ok()?;
        Form::ALL
            .into_iter()
            .filter_map(|form| regular_bytes(&folder, &*name.file(form)).ok().flatten())
            .reduce(|raw, compressed| raw + compressed)
    }

    /// It is no error if there is no such copy.
    pub(crate) fn remove(&self, sha256: &str) -> io::Result<()> {
        let name = Name::parse(sha256)?;
        self.keeping()?;
        let folder = match open_directory(&self.root, name.folder()) {
            Err(Errno::ENOENT) => return Ok(()),
            folder => folder?,
        };
        let removed = Form::ALL.map(|form| {
            match unlinkat(&folder, &*name.file(form), UnlinkatFlags::NoRemoveDir) {
                Err(Errno::ENOENT) => Ok(()),
                result => result.map_err(io::Error::from),
            }
        });
        removed.into_iter().collect()
    }

    /// Of the file system, for this user.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = fstatvfs(&self.root)?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }

    /// Fails where the vault is for reading only.
    pub(super) fn keeping(&self) -> io::Result<&Keeping> {
        self.keeping.as_ref().ok_or_else(|| Errno::EROFS.into())
    }
}

/// Adds the copies in a folder to `found` and answers how many other files it has.
fn add_contents(
    folder: &OwnedFd,
    folder_name: &CString,
    found: &mut BTreeMap<String, u64>,
) -> io::Result<usize> {
    let mut foreign_count = 0;
    for file in names(folder)? {
        let bytes = match regular_bytes(folder, &*file) {
            // Removed meanwhile.
            Err(Errno::ENOENT) => continue,
            bytes => bytes?,
        };
        match (Name::of_file(folder_name, &file), bytes) {
            (Some(name), Some(bytes)) => *found.entry(name.to_string()).or_default() += bytes,
            _ => foreign_count += 1,
        }
    }
    Ok(foreign_count)
}

/// Makes a directory where there is none; refuses one that others could change.
fn own_directory(at: impl AsFd, name: &Path, path: &Path) -> Result<OwnedFd, VaultError> {
    let failure = |errno| VaultError::of(path, errno);
    make_directory(&at, name).map_err(failure)?;
    let directory = open_directory(&at, name).map_err(failure)?;
    let found = fstat(&directory).map_err(failure)?;
    let user = Uid::effective().as_raw();
    let path = path.to_owned();
    if found.st_uid != user {
        return Err(VaultError::OtherOwner { path, owner: found.st_uid, user });
    }
    let mode = found.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Err(VaultError::OthersWrite { path, mode });
    }
    Ok(directory)
}

fn is_found<P: NixPath + ?Sized>(directory: &OwnedFd, at: impl AsFd, name: &P) -> bool {
    let identity = |of: FileStat| (of.st_dev, of.st_ino);
    match fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => fstat(directory).is_ok_and(|own| identity(own) == identity(found)),
        Err(errno) => !matches!(errno, Errno::ENOENT | Errno::ENOTDIR),
    }
}

pub(super) fn make_directory<P: NixPath + ?Sized>(at: impl AsFd, name: &P) -> nix::Result<()> {
    match mkdirat(at, name, Mode::S_IRWXU) {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

/// All names in a directory, whoever else reads it through the same descriptor.
fn names(directory: &OwnedFd) -> nix::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(open_directory(directory, ".")?)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.as_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Length of a file; none of what is not a regular one.
fn regular_bytes<P: NixPath + ?Sized>(folder: &OwnedFd, file: &P) -> nix::Result<Option<u64>> {
    let found = fstatat(folder, file, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let is_regular = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    Ok(is_regular.then(|| u64::try_from(found.st_size).unwrap_or_default()))
}

fn remove_leftovers(incoming: &OwnedFd) -> nix::Result<()> {
    for name in names(incoming)? {
        match unlinkat(incoming, &*name, UnlinkatFlags::NoRemoveDir) {
            // A directory is not from here, and does no harm.
            Err(Errno::ENOENT | Errno::EISDIR) => {}
            result => result?,
        }
    }
    Ok(())
}
