//! A file that appears when it is complete, and that only its owner may read.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::CommandError;

/// Written under another name in the same directory, and removed again when anything fails.
///
/// The file is a new one, also where it takes the place of another: it has mode 0600 (less the
/// umask), whatever that one had.
pub(crate) struct NewFile<'p> {
    file: NamedTempFile,
    path: &'p Path,
    may_replace: bool,
}

impl<'p> NewFile<'p> {
    pub(crate) fn create(path: &'p Path, may_replace: bool) -> Result<Self, CommandError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(directory).map_err(|error| cannot(path, &error))?;
        Ok(Self { file, path, may_replace })
    }

    pub(crate) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives the file its name. A symbolic link of that name is replaced, not followed.
    pub(crate) fn persist(self) -> Result<(), CommandError> {
        let Self { file, path, may_replace } = self;
        file.as_file().sync_all().map_err(|error| cannot(path, &error))?;
        if may_replace {
            file.persist(path).map_err(|error| cannot(path, &error.error))?;
        } else {
            file.persist_noclobber(path).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => exists(path),
                _ => cannot(path, &error.error),
            })?;
        }
        Ok(())
    }
}

pub(crate) fn exists(path: &Path) -> CommandError {
    CommandError::failure(format!("{} exists", path.display()))
        .hint("choose another name, or overwrite it with --force")
}

pub(crate) fn cannot(path: &Path, error: &io::Error) -> CommandError {
    CommandError::failure(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = NewFile::create(&path, false).unwrap();
        assert_eq!((names(directory.path()), path.exists()), (1, false));
        drop(file);
        assert_eq!(names(directory.path()), 0);
    }

    #[test]
    fn what_came_meanwhile_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = NewFile::create(&path, false).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(file.persist().unwrap_err().message.ends_with("x exists"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(names(directory.path()), 1);
    }

    #[test]
    fn a_file_is_replaced_not_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let (old, path) = (directory.path().join("old"), directory.path().join("x"));
        std::fs::write(&old, "old").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o777)).unwrap();
        symlink(&old, &path).unwrap();
        NewFile::create(&path, true).unwrap().persist().unwrap();
        let found = path.symlink_metadata().unwrap();
        assert_eq!((found.is_file(), found.permissions().mode() & 0o7177), (true, 0));
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let error = NewFile::create(Path::new("/nowhere/x"), false).err().unwrap();
        assert!(error.message.starts_with("cannot write /nowhere/x: No such"), "{error:?}");
    }
}
