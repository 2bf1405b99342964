//! A directory of its own for each test, below which the recorder's user finds its data.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bpf-capture-").tempdir_in("/tmp").unwrap();
        // Every user must be able to reach what lies below.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("recorder.db")
    }

    pub(crate) fn bus(&self) -> PathBuf {
        self.path().join("bus")
    }

    /// A new directory below.
    pub(crate) fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A copy of `program` that everybody may execute.
    pub(crate) fn copy(&self, program: &Path, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::copy(program, &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}
