//! The directories that rules lie in.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use common::rule::Origin;

use crate::detect::{MOST_FILE_BYTES, Source};

const MOST_DEPTH: usize = 8;
const MOST_FILES: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// One kind of rules.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    pub(super) origin: Origin,
    pub(super) path: PathBuf,
    /// Files of rules that were in it when it was there last.
    known_files: usize,
    /// Device and inode of what was read last; `None` if there was nothing.
    read: Identity,
}

type Identity = Option<(u64, u64)>;

/// What a directory has.
#[derive(Default)]
pub(super) struct Found {
    /// Every file of rules, in the order of their names.
    pub(super) sources: Vec<Source>,
    /// Why rules may be missing.
    pub(super) troubles: Vec<String>,
}

impl Directory {
    pub(super) fn new(origin: Origin, path: &Path) -> Self {
        Self { origin, path: path.to_owned(), known_files: 0, read: None }
    }

    /// Takes it as it is: one that is gone is not missed any more.
    pub(super) fn accept(&mut self) {
        self.known_files = 0;
    }

    /// The directory that is there now.
    pub(super) fn identity(&self) -> Identity {
        let found = fs::metadata(&self.path).ok().filter(fs::Metadata::is_dir);
        found.map(|meta| (meta.dev(), meta.ino()))
    }

    /// Another than the one that was read last: it came, went, or was replaced.
    pub(super) fn is_another(&self) -> bool {
        self.identity() != self.read
    }

    /// One that was never there has none, and that is no trouble.
    pub(super) fn read(&mut self) -> Found {
        self.read = self.identity();
        let mut names = Vec::new();
        let mut troubles = Vec::new();
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.known_files > 0 {
                    troubles.push(format!(
                        "{} is gone, with its files of rules ({}): put it back, or have the rules \
                         reloaded (systemctl reload bpf-recorder) to take it as it is",
                        self.path.display(),
                        self.known_files
                    ));
                }
                return Found { sources: Vec::new(), troubles };
            }
            _ => self.list(&self.path, 0, &mut names, &mut troubles),
        }
        names.sort();
        // What cannot be read is still missed when it is gone.
        let missed = if troubles.is_empty() { 0 } else { self.known_files };
        self.known_files = names.len().max(missed);
        Found { sources: self.read_files(names), troubles }
    }

    fn read_files(&self, names: Vec<PathBuf>) -> Vec<Source> {
        if names.len() >= MOST_FILES {
            tracing::warn!("{}: only {MOST_FILES} files are looked at", self.path.display());
        }
        let mut bytes = 0;
        names
            .into_iter()
            .map(|path| {
                let content = read_file(&path).and_then(|content| {
                    bytes += content.len();
                    if bytes > MOST_BYTES {
                        return Err(format!("more than {MOST_BYTES} bytes of rules in all"));
                    }
                    Ok(content)
                });
                let file = path.strip_prefix(&self.path).unwrap_or(&path);
                let file = file.to_string_lossy().into_owned();
                Source { origin: self.origin, file, content }
            })
            .collect()
    }

    fn list(
        &self,
        directory: &Path,
        depth: usize,
        names: &mut Vec<PathBuf>,
        troubles: &mut Vec<String>,
    ) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => return,
            Err(error) => {
                troubles.push(format!("{} cannot be read: {error}", directory.display()));
                return;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // Links to files are followed, links to directories are not: they may lead in circles.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth >= MOST_DEPTH {
                tracing::warn!("{}: nested too deep for rules", path.display());
            } else if is_directory {
                self.list(&path, depth + 1, names, troubles);
            } else if is_rule_file(&path) && names.len() < MOST_FILES {
                names.push(path);
            }
        }
    }

    /// Writes a file, all of it or nothing.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.path)?;
        let aside = self.path.join(format!(".{name}.new"));
        let result = (|| {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o640)
                .custom_flags(nix::libc::O_NOFOLLOW)
                .open(&aside)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&aside, self.path.join(name))
        })();
        if result.is_err() {
            let _ = fs::remove_file(&aside);
        }
        result
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

fn is_rule_file(path: &Path) -> bool {
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    ending.is_some_and(|ending| ending == "yml" || ending == "yaml")
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("cannot be read: {error}");
    // Opening a FIFO must not wait for somebody to write to it.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err("not a file".to_owned());
    }
    let mut content = Vec::new();
    // One byte more than is accepted tells that there is more.
    file.take(MOST_FILE_BYTES as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// The name under which an upload is stored; `Err` says what is wrong with it.
pub(super) fn upload_name(name: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 120 || name.starts_with('.') || !name.chars().all(is_fine) {
        return Err("the name of the file: use up to 120 letters, digits, dots, dashes and \
                    underscores, not beginning with a dot"
            .to_owned());
    }
    let has_ending = is_rule_file(Path::new(name));
    Ok(if has_ending { name.to_owned() } else { format!("{name}.yml") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &Path) -> Directory {
        Directory::new(Origin::Admin, path)
    }

    #[test]
    fn files_are_found_in_order_and_others_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        for name in ["z.yml", "a.yaml", "b/deep/c.YML", "note.txt", ".hidden.yml", "b/x.yml.bak"] {
            fs::write(root.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("circle")).unwrap();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("broken.yml")).unwrap();
        nix::unistd::mkfifo(&root.join("fifo.yml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let found = directory(root).read().sources;
        let names: Vec<&str> = found.iter().map(|source| &*source.file).collect();
        assert_eq!(names, ["a.yaml", "b/deep/c.YML", "broken.yml", "fifo.yml", "z.yml"]);
        assert_eq!(found[0].content.as_deref(), Ok(&b"a.yaml"[..]));
        assert!(found[2].content.as_ref().unwrap_err().contains("cannot be read"));
        assert!(found[3].content.as_ref().unwrap_err().contains("not a file"));
        let absent = directory(&root.join("absent")).read();
        assert!(absent.sources.is_empty() && absent.troubles.is_empty());
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let mut directory = directory(&scratch.path().join("rules"));
        directory.write("a.yml", b"one").unwrap();
        directory.write("a.yml", b"two").unwrap();
        assert_eq!(directory.read().sources[0].content.as_deref(), Ok(&b"two"[..]));
        directory.remove("a.yml").unwrap();
        assert!(directory.read().sources.is_empty());
    }

    #[test]
    fn one_that_goes_away_is_missed_until_that_is_accepted() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("rules");
        let mut directory = directory(&path);
        let mut troubles = || directory.read().troubles;
        fs::create_dir(&path).unwrap();
        assert!(troubles().is_empty());
        fs::remove_dir(&path).unwrap();
        assert!(troubles().is_empty(), "it had no rules");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a.yml"), "").unwrap();
        assert!(troubles().is_empty());
        fs::rename(&path, scratch.path().join("aside")).unwrap();
        for _ in 0..2 {
            assert!(troubles()[0].contains("is gone, with its files of rules (1)"));
        }
        fs::write(&path, "").unwrap();
        assert!(troubles()[0].contains("cannot be read"));
        fs::remove_file(&path).unwrap();
        assert!(troubles()[0].contains("is gone"));
        fs::rename(scratch.path().join("aside"), &path).unwrap();
        assert!(troubles().is_empty());
        fs::remove_dir_all(&path).unwrap();
        assert!(!troubles().is_empty());
        directory.accept();
        assert!(directory.read().troubles.is_empty());
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["", ".x.yml", "../x.yml", "a/b.yml", "a b.yml", "a\n.yml", &"x".repeat(200)] {
            assert!(upload_name(name).is_err(), "{name:?}");
        }
        assert_eq!(upload_name("mine").unwrap(), "mine.yml");
        assert_eq!(upload_name("Mine_1.2-b.YAML").unwrap(), "Mine_1.2-b.YAML");
    }
}
