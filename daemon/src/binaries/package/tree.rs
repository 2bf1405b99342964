//! A made-up host for tests: files, and a dpkg database beside them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::binary::{Hashes, Package};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::Packages;

pub(super) struct Tree(tempfile::TempDir);

impl Tree {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Device and inode.
    pub(super) fn id(&self, path: &str) -> (u64, u64) {
        let metadata = fs::metadata(self.root().join(path)).unwrap();
        (metadata.dev(), metadata.ino())
    }

    /// Adds to a file of the dpkg database.
    pub(super) fn append(&self, name: &str, text: &str) {
        let path = self.root().join("var/lib/dpkg").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Installs a package of files at `(path, content)`, which need not be what lies there.
    pub(super) fn dpkg(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        self.append(
            "status",
            &format!(
                "Package: {name}\nStatus: install ok installed\nMaintainer: A\n\
                 Architecture: all\nVersion: {version}\nDescription: some\n text\n .\n Package: no\n\n"
            ),
        );
        self.append(&format!("info/{name}.list"), "/.\n");
        for (path, content) in files {
            let directory = Path::new(path).parent().unwrap().display().to_string();
            self.append(&format!("info/{name}.list"), &format!("/{directory}\n/{path}\n"));
            let sum = format!("{}  {path}\n", hashes(content).md5);
            self.append(&format!("info/{name}.md5sums"), &sum);
        }
    }

    /// The package of a file, executed under this absolute path.
    pub(super) fn owner(&self, packages: &mut Packages, path: &str) -> Option<Package> {
        let relative = path.trim_start_matches('/');
        let (device, inode) = self.id(relative);
        let content = fs::read(self.root().join(relative)).unwrap();
        packages.owner(path.as_bytes(), device, inode, &hashes(content))
    }

    /// The same, of a database not read before, in short: `name version state`.
    pub(super) fn told(&self, path: &str) -> String {
        match self.owner(&mut Packages::at(self.root()), path) {
            None => "none".to_owned(),
            Some(package) => format!(
                "{} {} {}",
                package.name,
                package.version.as_deref().unwrap_or("-"),
                package.state.name()
            ),
        }
    }
}

pub(super) fn hashes(content: impl AsRef<[u8]>) -> Hashes {
    let content = content.as_ref();
    Hashes {
        sha256: hex(&Sha256::digest(content)),
        sha1: hex(&sha1::Sha1::digest(content)),
        md5: hex(&Md5::digest(content)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
