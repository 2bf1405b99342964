//! Which package brought an executed file, and whether the file is as installed.
//!
//! The databases speak of the host's own tree, while a path may have been seen from the root of a
//! container. They are asked only about a file that lies at that path on the host too. Absent:
//! other package managers (their packages are containers or images), and signatures, since who can
//! change a file can change the digest beside it.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::binary::{Hashes, Package, PackageState};

use self::dpkg::Dpkg;
use self::rpm::Rpm;

mod dpkg;
mod rpm;
#[cfg(test)]
mod tree;

/// Longer names and versions are damage.
const MOST_TEXT: usize = 256;

/// The package databases of a host, with what is worth keeping of them in memory.
pub(crate) struct Packages {
    /// Without symlinks.
    root: PathBuf,
    dpkg: Dpkg,
    rpm: Rpm,
}

impl Packages {
    /// The host's.
    pub(crate) fn new() -> Self {
        Self::at(Path::new("/"))
    }

    /// Of the tree below `root`.
    pub(crate) fn at(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { dpkg: Dpkg::at(&root), rpm: Rpm::at(&root), root }
    }

    /// The package of the file that a process executed as `path`. `device` and `inode` are what
    /// `fstat` says of it, `hashes` are of its content.
    pub(crate) fn owner(
        &mut self,
        path: &[u8],
        device: u64,
        inode: u64,
        hashes: &Hashes,
    ) -> Option<Package> {
        for path in paths_on_host(&self.root, path, (device, inode)) {
            let owner = self
                .dpkg
                .owner(&path, hashes, Instant::now())
                .or_else(|| self.rpm.owner(&path, hashes));
            if owner.is_some() {
                return owner;
            }
        }
        None
    }
}

/// Under which absolute paths the host has this file: the one without symlinks, then the one given,
/// where an administrator put a symlink in place of a directory of the package. A symlink to the
/// file itself is not its path: whoever brought the symlink need not have brought the file.
fn paths_on_host(root: &Path, path: &[u8], file: (u64, u64)) -> Vec<Vec<u8>> {
    let Some(relative) = relative(path) else { return Vec::new() };
    let given = root.join(relative);
    let is_file = |metadata: Metadata| (metadata.dev(), metadata.ino()) == file;
    let mut paths = Vec::new();
    if let Ok(real) = given.canonicalize()
        && let Ok(below) = real.strip_prefix(root)
        && real.symlink_metadata().is_ok_and(is_file)
    {
        paths.push([b"/", below.as_os_str().as_bytes()].concat());
    }
    if paths.first().is_none_or(|real| real != path) && given.symlink_metadata().is_ok_and(is_file)
    {
        paths.push(path.to_owned());
    }
    paths
}

/// The path below the root, if it cannot lead out of it by itself.
fn relative(path: &[u8]) -> Option<&Path> {
    let relative = path.strip_prefix(b"/")?;
    let is_odd = path.contains(&0)
        || relative.starts_with(b"/")
        || relative.split(|byte| *byte == b'/').any(|component| component == b"..");
    (!is_odd).then(|| Path::new(OsStr::from_bytes(relative)))
}

/// What to say of a content whose package promises `digest`; both in hexadecimal digits.
fn compare(digest: &[u8], content: &str) -> PackageState {
    let is_digest = digest.len() == content.len() && digest.iter().all(u8::is_ascii_hexdigit);
    if content.is_empty() || !is_digest {
        PackageState::Unverified
    } else if digest.eq_ignore_ascii_case(content.as_bytes()) {
        PackageState::Verified
    } else {
        PackageState::Modified
    }
}

/// A name or a version, unless it is damaged.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_sound =
        !text.is_empty() && text.len() <= MOST_TEXT && text.bytes().all(|b| b.is_ascii_graphic());
    is_sound.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::tree::{Tree, hashes};
    use super::*;

    #[test]
    fn only_a_file_that_the_host_has_at_this_path_is_looked_up() {
        let tree = Tree::new();
        tree.file("usr/bin/ls", "ls");
        tree.dpkg("coreutils", "9.1-1", &[("usr/bin/ls", "ls")]);
        let mut packages = Packages::at(tree.root());
        let (device, inode) = tree.id("usr/bin/ls");
        let mut owner = |path: &[u8], device, inode| {
            packages.owner(path, device, inode, &hashes("ls")).map(|package| package.name)
        };
        assert_eq!(owner(b"/usr/bin/ls", device, inode).as_deref(), Some("coreutils"));
        // What a container has at this path.
        assert_eq!(owner(b"/usr/bin/ls", device, inode + 1), None);
        assert_eq!(owner(b"/usr/bin/ls", device + 1, inode), None);
        for path in [
            &b""[..],
            b"/",
            b"usr/bin/ls",
            b"ls",
            b"//usr/bin/ls",
            b"/usr/../usr/bin/ls",
            b"/usr/bin/ls/..",
            b"/usr/bin/ls\0",
            b"/usr/bin/ls/",
            b"/usr/bin/gone",
            b"memfd:ls",
        ] {
            assert_eq!(owner(path, device, inode), None, "{:?}", path.escape_ascii());
        }
    }

    #[test]
    fn a_symlink_is_followed_to_the_package_of_the_file() {
        let tree = Tree::new();
        tree.file("usr/bin/mawk", "mawk");
        tree.link("usr/bin/awk", "mawk");
        tree.file("opt/mine", "mine");
        tree.link("usr/bin/yours", "../../opt/mine");
        tree.file("srv/moved/tool", "tool");
        tree.link("usr/lib/moved", "../../srv/moved");
        tree.dpkg("mawk", "1", &[("usr/bin/mawk", "mawk")]);
        tree.dpkg("links", "1", &[("usr/bin/awk", "mawk"), ("usr/bin/yours", "mine")]);
        tree.dpkg("moved", "1", &[("usr/lib/moved/tool", "tool")]);
        let mut packages = Packages::at(tree.root());
        let mut owner = |path: &str, content: &str| {
            let (device, inode) = tree.id(path.trim_start_matches('/'));
            packages
                .owner(path.as_bytes(), device, inode, &hashes(content))
                .map(|package| package.name)
        };
        assert_eq!(owner("/usr/bin/awk", "mawk").as_deref(), Some("mawk"));
        assert_eq!(owner("/usr/bin/yours", "mine"), None);
        assert_eq!(owner("/usr/lib/moved/tool", "tool").as_deref(), Some("moved"));
        assert_eq!(owner("/srv/moved/tool", "tool"), None);
    }

    #[test]
    fn digests_are_compared_where_there_are_any() {
        let check = |digest: &str, content: &str, expected| {
            assert_eq!(compare(digest.as_bytes(), content), expected, "{digest} {content}");
        };
        check("0aF3", "0af3", PackageState::Verified);
        check("0af4", "0af3", PackageState::Modified);
        check("0af", "0af3", PackageState::Unverified);
        check("0afx", "0af3", PackageState::Unverified);
        check("", "0af3", PackageState::Unverified);
        check("", "", PackageState::Unverified);
    }
}
