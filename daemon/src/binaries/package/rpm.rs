//! rpm: whose header names a file, and which digest the file should have.
//!
//! Known limit: only `rpmdb.sqlite`, of rpm 4.16 and later, is read (Fedora 33, RHEL 9, their
//! relatives). Berkeley DB (`Packages`, RHEL 8) and NDB (`Packages.db`, openSUSE) are not.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::binary::{Hashes, Package, PackageState};
use memchr::memrchr;
use rusqlite::{Connection, OpenFlags};

use self::header::{Header, ListedFile};
use super::{compare, relative};
use crate::store::sqlite_uri;

mod header;
#[cfg(test)]
mod sample;

/// The new place first: in some systems the old one is a symlink to it.
const DIRECTORIES: [&str; 2] = ["usr/lib/sysimage/rpm", "var/lib/rpm"];
/// The header of a kernel has 2 MiB.
const MOST_HEADER_BYTES: u32 = 32 << 20;
/// `__init__.py` has more, but nobody executes it.
const MOST_CANDIDATES: u32 = 256;
/// Steps of SQLite's machine. A look-up takes some hundreds; without its index, millions.
const MOST_STEPS: i32 = 1_000_000;
/// rpm holds locks for moments only.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// The database below a root.
pub(super) struct Rpm {
    root: PathBuf,
    opened: Option<(Stamp, Option<Connection>)>,
}

impl Rpm {
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), opened: None }
    }

    /// The package that brought the file at this path, which has no symlinks. Of a file that several
    /// packages share, the one whose content it has.
    pub(super) fn owner(&mut self, path: &[u8], hashes: &Hashes) -> Option<Package> {
        self.refresh();
        let (_, connection) = self.opened.as_ref()?;
        let place = Place::of(&self.root, path)?;
        let result = owner(connection.as_ref()?, &place, hashes);
        result.unwrap_or_else(|error| {
            tracing::debug!("cannot read the rpm database: {error}");
            None
        })
    }

    /// Opens the database if it is another than before.
    fn refresh(&mut self) {
        let found = DIRECTORIES.iter().find_map(|directory| {
            let path = self.root.join(directory).join("rpmdb.sqlite");
            Some((Stamp::of(&path)?, path))
        });
        let Some((stamp, path)) = found else {
            self.opened = None;
            return;
        };
        if self.opened.as_ref().is_some_and(|(opened, _)| *opened == stamp) {
            return;
        }
        let connection = open(&path, stamp.has_log)
            .inspect_err(|error| tracing::debug!("cannot open {}: {error}", path.display()))
            .ok();
        self.opened = Some((stamp, connection));
    }
}

/// Whether the open file still is the database, and can still be read as it is being read.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    changed: (i64, i64),
    /// Something was written that is not in the file yet.
    has_log: bool,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        let log = fs::metadata(path.with_extension("sqlite-wal"));
        Some(Self {
            file: id(&metadata),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
            has_log: log.is_ok_and(|log| log.len() > 0),
        })
    }
}

/// With an empty log, which is how rpm leaves it, nothing need be locked or written beside the
/// database: who may not write there can read it, and who may leaves no trace. With a log SQLite
/// needs the index of it that rpm keeps beside it, or it refuses.
fn open(path: &Path, has_log: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let mode = if has_log { "mode=ro" } else { "immutable=1" };
    let mut connection = Connection::open_with_flags(sqlite_uri(path, mode), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.progress_handler(MOST_STEPS, Some(|| true))?;
    Ok(connection)
}

fn owner(
    connection: &Connection,
    place: &Place<'_>,
    hashes: &Hashes,
) -> rusqlite::Result<Option<Package>> {
    let mut names = connection.prepare_cached(
        "SELECT hnum, idx FROM Basenames WHERE key = CAST(?1 AS TEXT) ORDER BY hnum LIMIT ?2",
    )?;
    let mut headers = connection
        .prepare_cached("SELECT blob FROM Packages WHERE hnum = ?1 AND length(blob) <= ?2")?;
    let mut found: Option<Package> = None;
    let mut rows = names.query((place.name, MOST_CANDIDATES))?;
    while let Some(row) = rows.next()? {
        let (number, index): (i64, i64) = (row.get(0)?, row.get(1)?);
        let mut header = headers.query((number, MOST_HEADER_BYTES))?;
        let Some(header) = header.next()? else { continue };
        let package =
            header.get_ref(0)?.as_blob().ok().and_then(Header::parse).and_then(|header| {
                let file = header.file(usize::try_from(index).ok()?)?;
                place.is_of(&file).then(|| describe(&header, state(&file, hashes)))?
            });
        match package {
            Some(package) if package.state == PackageState::Verified => return Ok(Some(package)),
            Some(package) => _ = found.get_or_insert(package),
            None => {}
        }
    }
    Ok(found)
}

/// Where a file is: in a directory, which packages may know by other names.
struct Place<'a> {
    root: &'a Path,
    directory: &'a [u8],
    name: &'a [u8],
}

impl<'a> Place<'a> {
    fn of(root: &'a Path, path: &'a [u8]) -> Option<Self> {
        let (directory, name) = path.split_at_checked(memrchr(b'/', path)? + 1)?;
        Some(Self { root, directory, name })
    }

    /// rpm too compares directories by what they are (`lib/fprint.c` of its source), so that it is
    /// not led astray by a merged `/usr`.
    fn is_of(&self, file: &ListedFile<'_>) -> bool {
        file.is_installed
            && file.name == self.name
            && (file.directory == self.directory || self.is_same_directory(file.directory))
    }

    fn is_same_directory(&self, other: &[u8]) -> bool {
        let id_of =
            |path| fs::metadata(self.root.join(relative(path)?)).ok().map(|metadata| id(&metadata));
        id_of(other).is_some_and(|other| Some(other) == id_of(self.directory))
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn describe(header: &Header<'_>, state: PackageState) -> Option<Package> {
    Some(Package {
        name: header.name()?.to_owned(),
        version: header.version(),
        manager: "rpm".to_owned(),
        state,
    })
}

fn state(file: &ListedFile<'_>, hashes: &Hashes) -> PackageState {
    if file.is_ghost {
        return PackageState::Unverified;
    }
    if !file.is_regular {
        // What was executed is a file, so something else was put in the place of a symlink.
        return PackageState::Modified;
    }
    // `PGPHASHALGO_*` of rpm, as in RFC 4880.
    match file.digest_algorithm {
        None | Some(1) => compare(file.digest, &hashes.md5),
        Some(2) => compare(file.digest, &hashes.sha1),
        Some(8) => compare(file.digest, &hashes.sha256),
        Some(_) => PackageState::Unverified,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Packages;
    use super::super::tree::{Tree, hashes};
    use super::sample::{Sample, SampleFile, install};
    use super::*;

    fn file(name: &'static str, content: &str) -> SampleFile {
        SampleFile::new(0, name, hashes(content).sha256)
    }

    /// A host on which `/usr/bin/tool` has this content.
    fn host(content: &str) -> Tree {
        let tree = Tree::new();
        tree.file("usr/bin/tool", content);
        tree.link("bin", "usr/bin");
        tree
    }

    #[test]
    fn the_state_tells_whether_the_content_is_the_one_of_the_package() {
        let check = |sample: Sample, expected: &str| {
            let tree = host("tool");
            install(tree.root(), &[sample]);
            assert_eq!(tree.told("/usr/bin/tool"), expected);
        };
        let tool = file("tool", "tool");
        let with = |digest: String, algorithm| {
            let files = vec![file("a", "a"), SampleFile { digest, ..tool.clone() }];
            Sample { algorithm, ..Sample::new("tools", files) }
        };
        let Hashes { sha256, sha1, md5 } = hashes("tool");
        check(with(sha256.clone(), Some(8)), "tools 1.2-3 verified");
        check(with(sha1, Some(2)), "tools 1.2-3 verified");
        check(with(md5.clone(), Some(1)), "tools 1.2-3 verified");
        check(with(md5, None), "tools 1.2-3 verified");
        check(with(hashes("other").sha256, Some(8)), "tools 1.2-3 modified");
        check(with(sha256.clone(), Some(10)), "tools 1.2-3 unverified");
        check(with(sha256, None), "tools 1.2-3 unverified");
        check(with(String::new(), Some(8)), "tools 1.2-3 unverified");

        let of = |file| Sample { epoch: Some(4), ..Sample::new("tools", vec![file]) };
        check(of(SampleFile { mode: 0o120_777, ..tool.clone() }), "tools 4:1.2-3 modified");
        check(of(SampleFile { flags: 1 << 6, ..tool.clone() }), "tools 4:1.2-3 unverified");
        check(of(SampleFile { state: 1, ..tool.clone() }), "none");
        check(of(SampleFile { directory: 1, ..tool.clone() }), "tools 4:1.2-3 verified");
        check(of(SampleFile { directory: 2, ..tool.clone() }), "none");
        check(of(SampleFile { name: "tool2", ..tool }), "none");
    }

    #[test]
    fn of_several_packages_the_one_with_this_content_owns_a_file() {
        let tree = host("b");
        let samples = [("a", "a"), ("b", "b"), ("c", "c")]
            .map(|(name, content)| Sample::new(name, vec![file("tool", content)]));
        install(tree.root(), &samples);
        assert_eq!(tree.told("/bin/tool"), "b 1.2-3 verified");
    }

    #[test]
    fn a_changed_database_is_seen_while_it_is_written_and_after() {
        let tree = host("tool");
        tree.file("usr/bin/new", "new");
        install(tree.root(), &[Sample::new("tools", vec![file("tool", "tool")])]);
        let mut packages = Packages::at(tree.root());
        let mut name = |path| tree.owner(&mut packages, path).map(|package| package.name);
        assert_eq!(name("/usr/bin/tool").as_deref(), Some("tools"));
        assert_eq!(name("/usr/bin/new"), None);

        let open = install(tree.root(), &[Sample::new("newer", vec![file("new", "new")])]);
        assert!(tree.root().join("var/lib/rpm/rpmdb.sqlite-wal").metadata().unwrap().len() > 0);
        assert_eq!(name("/usr/bin/new").as_deref(), Some("newer"));
        open.execute("DELETE FROM Basenames WHERE key = 'tool'", []).unwrap();
        assert_eq!(name("/usr/bin/tool"), None);
        drop(open);
        assert_eq!(name("/usr/bin/new").as_deref(), Some("newer"));
        fs::remove_dir_all(tree.root().join("var/lib/rpm")).unwrap();
        assert_eq!(name("/usr/bin/new"), None);
    }

    #[test]
    fn reading_leaves_no_trace() {
        let tree = host("tool");
        install(tree.root(), &[Sample::new("tools", vec![file("tool", "tool")])]);
        assert_eq!(tree.told("/usr/bin/tool"), "tools 1.2-3 verified");
        let files = fs::read_dir(tree.root().join("var/lib/rpm")).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, ["rpmdb.sqlite"]);
    }

    #[test]
    fn a_damaged_database_tells_nothing() {
        let check = |damage: &str| {
            let tree = host("tool");
            let open = install(tree.root(), &[Sample::new("tools", vec![file("tool", "tool")])]);
            open.execute_batch(damage).unwrap();
            drop(open);
            assert_eq!(tree.told("/usr/bin/tool"), "none", "{damage}");
        };
        check("DROP TABLE Basenames");
        check("DROP TABLE Packages");
        check("UPDATE Basenames SET idx = -1");
        check("UPDATE Basenames SET idx = 'x'");
        check("UPDATE Basenames SET hnum = 77");
        check("UPDATE Packages SET blob = 'text'");
        check("UPDATE Packages SET blob = zeroblob(100)");
        check("UPDATE Packages SET blob = zeroblob(33554433)");
        check("UPDATE Packages SET blob = substr(blob, 1, 300)");
        check(
            "DROP TABLE Basenames; CREATE VIEW Basenames AS WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'a' AS key, i AS hnum, i AS idx FROM n",
        );

        let tree = host("tool");
        install(tree.root(), &[Sample::new("tools", vec![file("tool", "tool")])]);
        let path = tree.root().join("var/lib/rpm/rpmdb.sqlite");
        let database = fs::read(&path).unwrap();
        for len in (0..database.len()).step_by(1000) {
            fs::write(&path, &database[..len]).unwrap();
            tree.told("/usr/bin/tool");
        }
        for position in (0..database.len()).step_by(101) {
            let mut database = database.clone();
            database[position] ^= 0xff;
            fs::write(&path, database).unwrap();
            tree.told("/usr/bin/tool");
        }
    }
}
