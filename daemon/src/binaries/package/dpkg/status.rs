//! Which packages are installed: `/var/lib/dpkg/status`, and what is not in it yet.
//!
//! While dpkg works it notes each change of a package as a numbered file in `updates`, and writes a
//! new `status` only in the end (`lib/dpkg/dbmodify.c` of its source).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::names::lines;
use super::read;
use crate::binaries::package::text;

/// A power of two. All of Debian has about 70 000.
pub(super) const MOST_PACKAGES: usize = 1 << 17;
/// dpkg writes a new status file after 250.
const MOST_UPDATES: usize = 1000;
/// The states of packages whose files are in place. The scripts of a package run while it is only
/// unpacked, and one whose script failed stays so. Absent are those of a removed package, which is
/// listed with what it left behind.
const IN_PLACE: [&[u8]; 6] = [
    b"installed",
    b"unpacked",
    b"half-configured",
    b"triggers-awaited",
    b"triggers-pending",
    CHANGING,
];
/// While its files are being replaced or removed.
const CHANGING: &[u8] = b"half-installed";

pub(super) struct Installed {
    pub(super) name: Box<str>,
    architecture: Box<str>,
    pub(super) version: Box<str>,
    /// Its files need not be those of this version.
    pub(super) is_changing: bool,
    /// Its files in `info` are named with the architecture, since others of it can be installed too.
    is_qualified: bool,
}

/// By name, and how many could not be told.
pub(super) fn installed(directory: &Path) -> (Vec<Installed>, usize) {
    let mut packages = Found::default();
    packages.read(&directory.join("status"));
    for update in updates(&directory.join("updates")) {
        packages.read(&update);
    }
    (packages.installed.into_values().collect(), packages.skipped)
}

impl Installed {
    /// Its file of this kind, such as `list`.
    pub(super) fn file(&self, directory: &Path, kind: &str) -> PathBuf {
        let Self { name, architecture, .. } = self;
        let name = if self.is_qualified {
            format!("{name}:{architecture}.{kind}")
        } else {
            format!("{name}.{kind}")
        };
        directory.join("info").join(name)
    }

    /// Appends its list, under whichever of the two names it has.
    pub(super) fn read_list(&mut self, directory: &Path, list: &mut Vec<u8>) -> io::Result<()> {
        let result = read(&self.file(directory, "list"), list);
        if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return result;
        }
        self.is_qualified = !self.is_qualified;
        read(&self.file(directory, "list"), list)
    }
}

/// In their order.
fn updates(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .take(MOST_UPDATES)
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .map(|entry| entry.path())
        .collect();
    paths.sort_unstable();
    paths
}

#[derive(Default)]
struct Found {
    /// By name, and by architecture where several can be installed.
    installed: BTreeMap<(Box<str>, Option<Box<str>>), Installed>,
    skipped: usize,
}

impl Found {
    /// A file that is absent says nothing; dpkg may just have removed it.
    fn read(&mut self, path: &Path) {
        let mut text = Vec::new();
        match read(path, &mut text) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => {
                self.skipped += 1;
                return;
            }
        }
        let mut paragraph = Paragraph::default();
        for line in lines(&text) {
            if line.is_empty() {
                self.add(&paragraph);
                paragraph = Paragraph::default();
            } else {
                paragraph.read(line);
            }
        }
        self.add(&paragraph);
    }

    fn add(&mut self, paragraph: &Paragraph<'_>) {
        if *paragraph == Paragraph::default() {
            return;
        }
        let is_in_place = IN_PLACE.contains(&paragraph.state());
        let Some(package) = paragraph.package() else {
            self.skipped += usize::from(is_in_place);
            return;
        };
        let architecture = package.is_qualified.then(|| package.architecture.clone());
        let key = (package.name.clone(), architecture);
        if !is_in_place {
            self.installed.remove(&key);
        } else if self.installed.len() < MOST_PACKAGES || self.installed.contains_key(&key) {
            self.installed.insert(key, package);
        } else {
            self.skipped += 1;
        }
    }
}

/// The fields in use of a paragraph, as they are written.
#[derive(Default, PartialEq, Eq)]
struct Paragraph<'a> {
    name: &'a [u8],
    status: &'a [u8],
    architecture: &'a [u8],
    multi_arch: &'a [u8],
    version: &'a [u8],
}

impl<'a> Paragraph<'a> {
    /// A line that continues another starts with a space.
    fn read(&mut self, line: &'a [u8]) {
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let fields = [
            (&b"Package"[..], &mut self.name),
            (b"Status", &mut self.status),
            (b"Architecture", &mut self.architecture),
            (b"Multi-Arch", &mut self.multi_arch),
            (b"Version", &mut self.version),
        ];
        for (field, place) in fields {
            if field.eq_ignore_ascii_case(name) {
                *place = value;
            }
        }
    }

    /// The third word: after what is wanted, and whether there was an error.
    fn state(&self) -> &'a [u8] {
        let mut words = self.status.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        words.nth(2).unwrap_or_default()
    }

    fn package(&self) -> Option<Installed> {
        let part_of_name =
            |bytes| text(bytes).filter(|text| !text.contains(['/', ':'])).map(Box::<str>::from);
        Some(Installed {
            name: part_of_name(self.name)?,
            architecture: part_of_name(self.architecture)?,
            version: text(self.version)?.into(),
            is_changing: self.state() == CHANGING,
            is_qualified: self.multi_arch == b"same",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGES: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9
Depends: libgcc-s1
Description: the library
 Version: 0
 .
 Package: no

Package: libc6
Status: install ok unpacked
Architecture: i386
Multi-Arch: same
Version: 2.36-8

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

package: tool
STATUS: hold  reinstreq half-configured
architecture: all
version: 1:2-3
";

    fn check(files: &[(&str, &str)], expected: &[&str], skipped_expected: usize) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("updates")).unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let (packages, skipped) = installed(directory.path());
        let told: Vec<_> = packages
            .iter()
            .map(|package| {
                let file = package.file(Path::new(""), "list");
                format!("{} {}", file.file_name().unwrap().display(), package.version)
            })
            .collect();
        assert_eq!(told, expected);
        assert_eq!(skipped, skipped_expected);
    }

    #[test]
    fn packages_whose_files_are_in_place() {
        let told = ["libc6:amd64.list 2.36-9", "libc6:i386.list 2.36-8", "tool.list 1:2-3"];
        check(&[("status", PACKAGES)], &told, 0);
        check(&[], &[], 0);
    }

    #[test]
    fn what_dpkg_has_noted_since() {
        let upgraded =
            "Package: tool\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 2\n";
        let again =
            "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3\n\n";
        let removed = "Package: libc6\nStatus: deinstall ok config-files\nArchitecture: i386\n\
                       Multi-Arch: same\nVersion: 2.36-8\n";
        check(
            &[
                ("status", PACKAGES),
                ("updates/0001", again),
                ("updates/0000", upgraded),
                ("updates/0002", removed),
                ("updates/tmp.i", "Package: tool\nStatus: a b installed\nVersion: 9\n"),
            ],
            &["libc6:amd64.list 2.36-9", "tool.list 3"],
            0,
        );
    }

    #[test]
    fn damage_is_counted() {
        let long = "x".repeat(300);
        for bad in [
            "Package: ../../etc/x\nArchitecture: all\nVersion: 1",
            "Package: a:b\nArchitecture: all\nVersion: 1",
            "Package: a\nArchitecture: all",
            "Package: a\nArchitecture: all\nVersion: 1\u{7}2",
            &format!("Package: {long}\nArchitecture: all\nVersion: 1"),
            "Version: 1",
            "",
        ] {
            check(&[("status", &format!("Status: install ok installed\n{bad}\n"))], &[], 1);
        }
        check(&[("status", "\n\n\nPackage\n:\n: :\nStatus: x\n\0\0")], &[], 0);
    }
}
