//! The names a file goes by in the lists of dpkg: where `/usr` is merged it can be listed without
//! it, and a diverted file is listed where it would lie.
//!
//! A key is a path without what can differ: without a leading `/` or `./`, and without `usr/` where
//! the directory below it is merged.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::read;

/// The directories that can be symlinks into `/usr`: `hier(7)` and `file-hierarchy(7)`.
const MERGEABLE: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Real systems have some dozens, and each look-up goes through all.
const MOST_DIVERSIONS: usize = 10_000;

pub(super) struct Names {
    merged: Vec<&'static str>,
    diversions: Vec<Diversion>,
    /// The file of diversions could not be read, or held too many.
    pub(super) is_incomplete: bool,
}

/// `dpkg-divert(1)`. Paths are keys.
struct Diversion {
    from: Box<[u8]>,
    to: Box<[u8]>,
    /// The package whose file stays. `:` if an administrator diverted it: then nobody's does.
    by: Box<[u8]>,
}

impl Names {
    pub(super) fn read(root: &Path, directory: &Path) -> Self {
        let merged = MERGEABLE.into_iter().filter(|name| is_merged(root, name)).collect();
        let mut names = Self { merged, diversions: Vec::new(), is_incomplete: false };
        let path = directory.join("diversions");
        let mut text = Vec::new();
        names.is_incomplete = path.exists() && read(&path, &mut text).is_err();
        let mut lines = lines(&text);
        while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
            if names.diversions.len() == MOST_DIVERSIONS {
                names.is_incomplete = true;
                break;
            }
            let [from, to] = [from, to].map(|path| names.key(path).into());
            names.diversions.push(Diversion { from, to, by: by.into() });
        }
        names
    }

    pub(super) fn key<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        let mut path = path;
        while let Some(rest) = path.strip_prefix(b"/").or_else(|| path.strip_prefix(b"./")) {
            path = rest;
        }
        match path.strip_prefix(b"usr/") {
            Some(below) if self.has_merged_top(below) => below,
            _ => path,
        }
    }

    fn has_merged_top(&self, path: &[u8]) -> bool {
        let is_top = |top: &[u8]| path.strip_prefix(top).is_some_and(|rest| rest.starts_with(b"/"));
        self.merged.iter().any(|top| is_top(top.as_bytes()))
    }

    /// The keys under which packages may list the file with this key.
    pub(super) fn listed<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let diverted = self.diversions.iter().filter(move |diversion| *diversion.to == *key);
        std::iter::once(key).chain(diverted.map(|diversion| &*diversion.from))
    }

    /// Whether what the package lists as `listed` lies at `key`.
    pub(super) fn lies_at(&self, listed: &[u8], package: &str, key: &[u8]) -> bool {
        let diversions = || self.diversions.iter().filter(|diversion| *diversion.from == *listed);
        let stays = diversions().next().is_none()
            || diversions().any(|diversion| *diversion.by == *package.as_bytes());
        if stays { listed == key } else { diversions().any(|diversion| *diversion.to == *key) }
    }
}

/// Only where both are one directory: elsewhere `/bin/x` and `/usr/bin/x` are two files.
fn is_merged(root: &Path, name: &str) -> bool {
    let id = |path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let top = id(root.join(name));
    top.is_some() && top == id(root.join("usr").join(name))
}

pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.filter(|text| !text.is_empty())?;
        let end = memchr::memchr(b'\n', text);
        rest = end.and_then(|end| text.get(end + 1..));
        Some(&text[..end.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(diversions: &str) -> Names {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("usr/bin")).unwrap();
        std::os::unix::fs::symlink("usr/bin", directory.path().join("bin")).unwrap();
        fs::create_dir_all(directory.path().join("usr/lib")).unwrap();
        fs::create_dir_all(directory.path().join("lib")).unwrap();
        fs::write(directory.path().join("diversions"), diversions).unwrap();
        Names::read(directory.path(), directory.path())
    }

    #[test]
    fn keys_leave_out_what_can_differ() {
        let names = names("");
        let check = |path: &str, key: &str| {
            assert_eq!(names.key(path.as_bytes()), key.as_bytes(), "{path}");
        };
        check("/usr/bin/ls", "bin/ls");
        check("/bin/ls", "bin/ls");
        check("usr/bin/ls", "bin/ls");
        check("./bin/ls", "bin/ls");
        check("/usr/lib/x", "usr/lib/x");
        check("/lib/x", "lib/x");
        check("/usr/binary/x", "usr/binary/x");
        check("/usr/bin", "usr/bin");
        check("/", "");
        check("", "");
    }

    #[test]
    fn diversions_tell_where_a_listed_file_lies() {
        let names = names(concat!(
            "/bin/sh\n/bin/sh.distrib\ndash\n",
            "/usr/bin/perf\n/usr/bin/perf.real\n:\n",
            "/opt/only-from\n",
        ));
        assert_eq!(names.listed(b"bin/sh").collect::<Vec<_>>(), [b"bin/sh"]);
        assert_eq!(
            names.listed(b"bin/sh.distrib").collect::<Vec<_>>(),
            [&b"bin/sh.distrib"[..], b"bin/sh"]
        );
        let check = |listed: &str, package: &str, key: &str, expected: bool| {
            let lies = names.lies_at(listed.as_bytes(), package, key.as_bytes());
            assert_eq!(lies, expected, "{listed} of {package} at {key}");
        };
        check("bin/sh", "dash", "bin/sh", true);
        check("bin/sh", "dash", "bin/sh.distrib", false);
        check("bin/sh", "bash", "bin/sh", false);
        check("bin/sh", "bash", "bin/sh.distrib", true);
        check("bin/perf", "perf", "bin/perf", false);
        check("bin/perf", "perf", "bin/perf.real", true);
        check("bin/ls", "coreutils", "bin/ls", true);
        check("bin/ls", "coreutils", "bin/cat", false);
        check("opt/only-from", "any", "opt/only-from", true);
    }
}
