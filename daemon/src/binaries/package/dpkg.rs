//! dpkg: who lists a file, and which MD5 the file should have.
//!
//! The format of the database is the one of `dpkg(1)` and of its source, `lib/dpkg`: one list of
//! paths and one list of MD5 sums a package, thousands of small files. An index of the lists is
//! kept in memory; the sums of one package are read when asked for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::binary::{Hashes, Package, PackageState};
use memchr::{memmem, memrchr};

use self::index::Index;
use self::status::Installed;
use super::compare;

mod index;
mod names;
mod status;

/// No file of the database is near this.
const MOST_BYTES: u64 = 64 << 20;
/// While packages are being installed the database changes all the time.
const REBUILD_PAUSE: Duration = Duration::from_secs(2);

/// The database below a root. Reads it at the first look-up.
pub(super) struct Dpkg {
    root: PathBuf,
    directory: PathBuf,
    index: Option<Index>,
    /// What the index was built from, and when.
    stamp: Option<Stamp>,
    built: Option<Instant>,
    /// The database has changed since.
    is_stale: bool,
}

impl Dpkg {
    pub(super) fn at(root: &Path) -> Self {
        let directory = root.join("var/lib/dpkg");
        let root = root.to_owned();
        Self { root, directory, index: None, stamp: None, built: None, is_stale: false }
    }

    /// The package that brought the file at this path, which has no symlinks. Of a file that several
    /// packages share, the one whose content it has.
    pub(super) fn owner(&mut self, path: &[u8], hashes: &Hashes, now: Instant) -> Option<Package> {
        self.refresh(now);
        let index = self.index.as_ref()?;
        let key = index.names.key(path);
        let mut found = None;
        for listed in index.names.listed(key) {
            for package in index.candidates(listed) {
                if index.names.lies_at(listed, &package.name, key)
                    && let Some(owner) = self.ask(index, package, listed, hashes)
                {
                    if owner.state == PackageState::Verified {
                        return Some(owner);
                    }
                    found.get_or_insert(owner);
                }
            }
        }
        found
    }

    /// What the package says of a file that it lists under this key, if it does list it.
    fn ask(
        &self,
        index: &Index,
        package: &Installed,
        listed: &[u8],
        hashes: &Hashes,
    ) -> Option<Package> {
        let is_listed = |path: &[u8]| index.names.key(path) == listed;
        let list = self.read_of(package, "list");
        line_ending(&list, listed, is_listed)?;
        let sums = self.read_of(package, "md5sums");
        let sum = line_ending(&sums, listed, |line| is_listed(sum_of(line).1));
        let state =
            sum.map_or(PackageState::Unverified, |line| compare(sum_of(line).0, &hashes.md5));

        // dpkg puts files in place before it says so: until then the old sum proves nothing.
        let is_changing = self.is_stale || package.is_changing;
        let is_unclear = is_changing && state != PackageState::Verified;
        let is_old_version = is_unclear || (self.is_stale && self.has_new_list(package));
        Some(Package {
            name: package.name.to_string(),
            version: (!is_old_version).then(|| package.version.to_string()),
            manager: "dpkg".to_owned(),
            state: if is_unclear { PackageState::Unverified } else { state },
        })
    }

    /// Whether the package was unpacked after the index was built.
    fn has_new_list(&self, package: &Installed) -> bool {
        let listed = fs::metadata(package.file(&self.directory, "list"));
        let indexed = self.stamp.as_ref().and_then(Stamp::info_changed);
        listed.is_ok_and(|list| Some((list.ctime(), list.ctime_nsec())) > indexed)
    }

    /// Empty if there is none: not every package has sums.
    fn read_of(&self, package: &Installed, kind: &str) -> Vec<u8> {
        let mut content = Vec::new();
        let path = package.file(&self.directory, kind);
        if let Err(error) = read(&path, &mut content)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("cannot read {}: {error}", path.display());
            content.clear();
        }
        content
    }

    fn refresh(&mut self, now: Instant) {
        let stamp = Stamp::of(&self.directory);
        let is_recent =
            self.built.is_some_and(|built| now.saturating_duration_since(built) < REBUILD_PAUSE);
        self.is_stale = self.stamp.as_ref() != Some(&stamp);
        if !self.is_stale || is_recent {
            return;
        }
        let started = Instant::now();
        let index = Index::build(&self.root, &self.directory);
        let took = started.elapsed();
        let skipped_before = self.index.as_ref().map_or(0, |index| index.skipped);
        if index.skipped > 0 && index.skipped != skipped_before {
            tracing::warn!(
                "{} parts of the dpkg database are damaged or too large, files will look unowned",
                index.skipped
            );
        }
        tracing::debug!(
            "dpkg index: {} paths of {} packages in {took:?}",
            index.path_count(),
            index.packages.len()
        );
        self.index = Some(index);
        self.stamp = Some(stamp);
        self.built = Some(now + took);
        self.is_stale = false;
    }
}

/// Changes whenever the database does: dpkg replaces its files, it does not write into them.
#[derive(PartialEq, Eq)]
struct Stamp([Option<(u64, i64, i64)>; 4]);

impl Stamp {
    fn of(directory: &Path) -> Self {
        Self(["info", "status", "updates", "diversions"].map(|name| {
            let metadata = fs::metadata(directory.join(name)).ok()?;
            Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
        }))
    }

    /// When the last list was put in place: seconds and nanoseconds.
    fn info_changed(&self) -> Option<(i64, i64)> {
        self.0[0].map(|(_, secs, nanos)| (secs, nanos))
    }
}

/// The MD5 sum and the path of a line of sums.
fn sum_of(line: &[u8]) -> (&[u8], &[u8]) {
    line.split_at_checked(32)
        .and_then(|(sum, path)| Some((sum, path.strip_prefix(b"  ")?)))
        .unwrap_or_default()
}

/// The first line with this end that passes the check.
fn line_ending<'a>(text: &'a [u8], end: &[u8], check: impl Fn(&[u8]) -> bool) -> Option<&'a [u8]> {
    memmem::find_iter(text, end).find_map(|hit| {
        let (before, rest) = text.split_at_checked(hit + end.len())?;
        if rest.first().is_some_and(|byte| *byte != b'\n') {
            return None;
        }
        let line = &before[memrchr(b'\n', before).map_or(0, |end| end + 1)..];
        check(line).then_some(line)
    })
}

/// Appends a file of the database to `content`, if it is a file of a size that can be.
fn read(path: &Path, content: &mut Vec<u8>) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if metadata.len() > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    File::open(path)?.take(MOST_BYTES).read_to_end(content)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Packages;
    use super::super::tree::{Tree, hashes};
    use super::*;

    #[test]
    fn the_state_tells_whether_the_content_is_the_one_of_the_package() {
        let tree = Tree::new();
        tree.file("usr/bin/same", "same");
        tree.file("usr/bin/other", "other than it was");
        tree.file("etc/conf.sh", "conf");
        tree.file("opt/no-sums", "none");
        tree.file("opt/mine", "mine");
        tree.dpkg("tools", "1:2.3-4", &[("usr/bin/same", "same"), ("usr/bin/other", "other")]);
        tree.append("info/tools.list", "/etc\n/etc/conf.sh");
        tree.dpkg("plain", "1", &[]);
        tree.append("info/plain.list", "/opt\n/opt/no-sums\n");
        assert_eq!(tree.told("/usr/bin/same"), "tools 1:2.3-4 verified");
        assert_eq!(tree.told("/usr/bin/other"), "tools 1:2.3-4 modified");
        assert_eq!(tree.told("/etc/conf.sh"), "tools 1:2.3-4 unverified");
        assert_eq!(tree.told("/opt/no-sums"), "plain 1 unverified");
        assert_eq!(tree.told("/opt/mine"), "none");
    }

    #[test]
    fn a_merged_usr_is_seen_through_and_another_is_not() {
        let tree = Tree::new();
        tree.file("usr/bin/ls", "ls");
        tree.file("usr/sbin/fsck", "fsck");
        tree.link("bin", "usr/bin");
        tree.dpkg("old", "1", &[("bin/ls", "ls"), ("sbin/fsck", "fsck")]);
        assert_eq!(tree.told("/bin/ls"), "old 1 verified");
        assert_eq!(tree.told("/usr/bin/ls"), "old 1 verified");
        assert_eq!(tree.told("/usr/sbin/fsck"), "none");

        let tree = Tree::new();
        tree.file("usr/bin/ls", "ls");
        tree.link("bin", "usr/bin");
        tree.dpkg("new", "1", &[("usr/bin/ls", "ls")]);
        assert_eq!(tree.told("/bin/ls"), "new 1 verified");
    }

    #[test]
    fn a_diverted_file_is_the_one_of_the_package_it_came_from() {
        let tree = Tree::new();
        tree.link("bin", "usr/bin");
        tree.file("usr/bin/sh", "dash");
        tree.file("usr/bin/sh.distrib", "bash");
        tree.file("usr/bin/perf", "mine");
        tree.file("usr/bin/perf.real", "perf");
        tree.dpkg("dash", "1", &[("bin/sh", "dash")]);
        tree.dpkg("bash", "2", &[("usr/bin/sh", "bash")]);
        tree.dpkg("perf", "3", &[("usr/bin/perf", "perf")]);
        tree.append("diversions", "/bin/sh\n/bin/sh.distrib\ndash\n");
        tree.append("diversions", "/usr/bin/perf\n/usr/bin/perf.real\n:\n");
        assert_eq!(tree.told("/bin/sh"), "dash 1 verified");
        assert_eq!(tree.told("/bin/sh.distrib"), "bash 2 verified");
        assert_eq!(tree.told("/usr/bin/perf"), "none");
        assert_eq!(tree.told("/usr/bin/perf.real"), "perf 3 verified");
    }

    #[test]
    fn lists_are_found_with_and_without_the_architecture() {
        let tree = Tree::new();
        for name in ["same", "once"] {
            tree.file(&format!("opt/{name}"), name);
            tree.append(&format!("info/{name}:i386.list"), &format!("/opt\n/opt/{name}\n"));
        }
        let status = "Status: install ok installed\nArchitecture: i386\nVersion: 1\n";
        tree.append("status", &format!("Package: same\n{status}Multi-Arch: same\n\n"));
        tree.append("status", &format!("Package: once\n{status}\n"));
        tree.append("info/same:i386.md5sums", &format!("{}  ./opt/same\n", hashes("same").md5));
        assert_eq!(tree.told("/opt/same"), "same 1 verified");
        assert_eq!(tree.told("/opt/once"), "once 1 unverified");
    }

    #[test]
    fn a_shared_file_is_of_the_package_whose_content_it_has() {
        let tree = Tree::new();
        tree.file("opt/shared", "b");
        tree.dpkg("a", "1", &[("opt/shared", "a")]);
        tree.dpkg("b", "1", &[("opt/shared", "b")]);
        tree.dpkg("c", "1", &[("opt/shared", "c")]);
        assert_eq!(tree.told("/opt/shared"), "b 1 verified");
    }

    #[test]
    fn a_removed_package_owns_nothing() {
        let tree = Tree::new();
        tree.file("etc/left.sh", "left");
        tree.append("info/left.list", "/etc\n/etc/left.sh\n");
        tree.append("status", "Package: left\nStatus: deinstall ok config-files\n");
        tree.append("status", "Architecture: all\nVersion: 1\n");
        assert_eq!(tree.told("/etc/left.sh"), "none");
    }

    #[test]
    fn a_changed_database_is_read_again_after_a_pause() {
        let tree = Tree::new();
        tree.dpkg("first", "1", &[("opt/a", "a"), ("opt/b", "b")]);
        let mut dpkg = Dpkg::at(tree.root());
        let start = Instant::now();
        let mut version = |path: &str, content: &str, now| {
            dpkg.owner(path.as_bytes(), &hashes(content), now).and_then(|package| package.version)
        };
        assert_eq!(version("/opt/a", "a", start).as_deref(), Some("1"));
        assert_eq!(version("/opt/c", "c", start), None);

        fs::rename(tree.root().join("var/lib/dpkg/status"), tree.root().join("old")).unwrap();
        tree.dpkg("first", "2", &[("opt/c", "c")]);
        let soon = start + REBUILD_PAUSE / 2;
        assert_eq!(version("/opt/c", "c", soon), None);
        let later = start + REBUILD_PAUSE * 2;
        assert_eq!(version("/opt/a", "a", later).as_deref(), Some("2"));
        assert_eq!(version("/opt/c", "c", later).as_deref(), Some("2"));
    }

    #[test]
    fn while_a_package_is_changed_nothing_false_is_said_of_it() {
        let tree = Tree::new();
        tree.dpkg("changed", "1", &[("opt/a", "a"), ("opt/b", "b")]);
        tree.dpkg("other", "1", &[("opt/other", "other")]);
        let mut dpkg = Dpkg::at(tree.root());
        let start = Instant::now();
        let mut told = |path: &str, content: &str| {
            let owner = dpkg.owner(path.as_bytes(), &hashes(content), start)?;
            Some((owner.version, owner.state))
        };
        let one = || Some("1".to_owned());
        assert_eq!(told("/opt/a", "new a"), Some((one(), PackageState::Modified)));

        // The file is in place, and dpkg has noted that it works on the package.
        tree.append("updates/0000", "");
        assert_eq!(told("/opt/a", "new a"), Some((None, PackageState::Unverified)));
        assert_eq!(told("/opt/a", "a"), Some((one(), PackageState::Verified)));

        // Lists and sums are in place too. Times of files are of the timer tick.
        std::thread::sleep(Duration::from_millis(20));
        tree.file("var/lib/dpkg/info/changed.list", "/opt\n/opt/a\n");
        let sum = format!("{}  opt/a\n", hashes("new a").md5);
        tree.file("var/lib/dpkg/info/changed.md5sums", sum);
        assert_eq!(told("/opt/a", "new a"), Some((None, PackageState::Verified)));
        assert_eq!(told("/opt/b", "b"), None);
        assert_eq!(told("/opt/other", "other"), Some((one(), PackageState::Verified)));
    }

    #[test]
    fn a_package_that_dpkg_works_on_is_told_without_a_verdict() {
        let tree = Tree::new();
        tree.file("opt/tool", "new");
        tree.file("opt/same", "same");
        tree.dpkg("tools", "1", &[("opt/tool", "old"), ("opt/same", "same")]);
        tree.append("updates/0000", "Package: tools\nStatus: install reinstreq half-installed\n");
        tree.append("updates/0000", "Architecture: all\nVersion: 1\n\n");
        // At its first installation there is no list yet.
        tree.append("updates/0001", "Package: first\nStatus: install reinstreq half-installed\n");
        tree.append("updates/0001", "Architecture: all\nVersion: 1\n");
        assert_eq!(tree.told("/opt/tool"), "tools - unverified");
        assert_eq!(tree.told("/opt/same"), "tools 1 verified");
        assert_eq!(Index::build(tree.root(), &tree.root().join("var/lib/dpkg")).skipped, 0);
    }

    #[test]
    fn a_damaged_database_costs_what_is_damaged() {
        let tree = Tree::new();
        tree.file("opt/good", "good");
        tree.file("opt/bad", "bad");
        tree.dpkg("good", "1", &[("opt/good", "good")]);
        tree.dpkg("bad", "1", &[("opt/bad", "bad")]);
        for name in ["absent", "directory", "huge"] {
            tree.dpkg(name, "1", &[]);
        }
        let info = tree.root().join("var/lib/dpkg/info");
        fs::remove_file(info.join("absent.list")).unwrap();
        fs::remove_file(info.join("directory.list")).unwrap();
        fs::create_dir(info.join("directory.list")).unwrap();
        File::create(info.join("huge.list")).unwrap().set_len(MOST_BYTES + 1).unwrap();
        fs::write(info.join("bad.md5sums"), b"\xff\n\n  opt/bad\n0123  opt/bad\nopt/bad").unwrap();
        tree.append("diversions", "/opt/good\n\n");
        tree.append("status", "\0\n:\nVersion: 1\nStatus: x x installed\n");
        assert_eq!(Index::build(tree.root(), &tree.root().join("var/lib/dpkg")).skipped, 4);
        assert_eq!(tree.told("/opt/good"), "good 1 verified");
        assert_eq!(tree.told("/opt/bad"), "bad 1 unverified");
    }

    #[test]
    fn this_machine_has_dpkg_from_dpkg() {
        let Ok(content) = fs::read("/usr/bin/dpkg") else { return };
        if !Path::new("/var/lib/dpkg/info/dpkg.list").exists() {
            return;
        }
        let metadata = fs::metadata("/usr/bin/dpkg").unwrap();
        let package = Packages::new()
            .owner(b"/usr/bin/dpkg", metadata.dev(), metadata.ino(), &hashes(content))
            .unwrap();
        assert_eq!((package.name.as_str(), package.state), ("dpkg", PackageState::Verified));
    }
}
