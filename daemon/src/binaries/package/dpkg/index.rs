//! Which packages may list a path, in 8 bytes a path.

use std::hash::BuildHasher;
use std::path::Path;

use super::names::{Names, lines};
use super::status::{self, Installed, MOST_PACKAGES};

/// Room for the number of a package. The other bits are of the hash of a path: a wrong package
/// among the candidates costs a look into its list.
const NUMBER: u64 = MOST_PACKAGES as u64 - 1;
/// Sixty times what a desktop has; 64 MiB.
const MOST_PATHS: usize = 8 << 20;
/// More packages than have one path in common.
const MOST_CANDIDATES: usize = 64;

pub(super) struct Index {
    pub(super) names: Names,
    pub(super) packages: Vec<Installed>,
    /// Hashes of keys with numbers of packages, sorted.
    paths: Vec<u64>,
    /// Packages and other parts of the database that could not be read in full.
    pub(super) skipped: usize,
    hasher: foldhash::quality::RandomState,
}

impl Index {
    pub(super) fn build(root: &Path, directory: &Path) -> Self {
        let (packages, skipped) = status::installed(directory);
        let names = Names::read(root, directory);
        let skipped = skipped + usize::from(names.is_incomplete);
        let hasher = foldhash::quality::RandomState::default();
        let mut index = Self { names, packages, paths: Vec::new(), skipped, hasher };
        let mut list = Vec::new();
        for number in 0..index.packages.len() {
            list.clear();
            let package = &mut index.packages[number];
            let is_complete = match package.read_list(directory, &mut list) {
                Ok(()) => index.add(number, &list),
                Err(_) => package.is_changing,
            };
            index.skipped += usize::from(!is_complete);
        }
        index.paths.sort_unstable();
        index.paths.dedup();
        index.paths.shrink_to_fit();
        index
    }

    /// Whether there was room for all of the list.
    fn add(&mut self, number: usize, list: &[u8]) -> bool {
        for path in files(list) {
            if self.paths.len() == MOST_PATHS {
                return false;
            }
            let entry = self.hash(self.names.key(path)) | number as u64;
            self.paths.push(entry);
        }
        true
    }

    /// The packages that list this key, and by a rare chance some that do not.
    pub(super) fn candidates(&self, key: &[u8]) -> impl Iterator<Item = &Installed> {
        let hash = self.hash(key);
        let start = self.paths.partition_point(|entry| *entry < hash);
        self.paths[start..]
            .iter()
            .take_while(move |entry| **entry & !NUMBER == hash)
            .take(MOST_CANDIDATES)
            .filter_map(|entry| self.packages.get(usize::try_from(entry & NUMBER).ok()?))
    }

    pub(super) fn path_count(&self) -> usize {
        self.paths.len()
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key) & !NUMBER
    }
}

/// What is listed, without the directories: those are followed by what lies in them. An empty
/// directory passes, which costs only its place.
fn files(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut lines = lines(list).peekable();
    std::iter::from_fn(move || {
        loop {
            let path = lines.next()?;
            let below = lines.peek().and_then(|next| next.strip_prefix(path));
            if !below.is_some_and(|below| below.starts_with(b"/")) && path.starts_with(b"/") {
                return Some(path);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_left_out() {
        let check = |list: &str, expected: &[&str]| {
            let files: Vec<_> =
                files(list.as_bytes()).map(|path| std::str::from_utf8(path).unwrap()).collect();
            assert_eq!(files, expected, "{list:?}");
        };
        check(
            "/.\n/usr\n/usr/bin\n/usr/bin/ls\n/usr/bin/lsx\n",
            &["/.", "/usr/bin/ls", "/usr/bin/lsx"],
        );
        check("/opt\n/opt/empty\n/optional", &["/opt/empty", "/optional"]);
        check("\n\nrelative\n/x", &["/x"]);
        check("", &[]);
    }
}
