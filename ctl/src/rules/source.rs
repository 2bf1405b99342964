//! Texts of rules, as a person names them: files, directories, standard input.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::args::RuleFiles;
use crate::error::CommandError;

/// More is no text of rules.
const MOST_BYTES: u64 = 5 << 20;
const MOST_MIB: u64 = MOST_BYTES >> 20;

/// One text, not read yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What the recorder calls it.
    pub name: String,
    place: Place,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Stdin,
    File(PathBuf),
    /// Known beforehand not to do.
    Refused(String),
}

/// All that the arguments name, in their order and sorted within directories.
pub(crate) struct Sources {
    pub texts: Vec<Source>,
    /// Symbolic links in directories, which are not followed.
    pub links: u64,
}

impl Source {
    /// The text, or why there is none.
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        match &self.place {
            Place::Stdin => read_bounded(io::stdin().lock()),
            Place::File(path) => read_file(path),
            Place::Refused(reason) => Err(reason.clone()),
        }
    }
}

pub(crate) fn read_stdin() -> Result<Vec<u8>, String> {
    read_bounded(io::stdin().lock())
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    read_bounded(File::open(path).map_err(|error| unreadable(&error))?)
}

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(|error| unreadable(&error))?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(format!("larger than {MOST_MIB} MiB")),
        false => Ok(text),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

pub(crate) fn gather(args: &RuleFiles) -> Result<Sources, CommandError> {
    let stdin_count = args.paths.iter().filter(|path| *path == Path::new("-")).count();
    if stdin_count > 1 {
        return Err(CommandError::usage("standard input (`-`) can be read only once"));
    }
    if stdin_count == 0 && args.name.is_some() {
        return Err(CommandError::usage("--name is the name of standard input")
            .hint("read from it by `-`; a file keeps its own name"));
    }
    let mut sources = Sources { texts: Vec::new(), links: 0 };
    for path in &args.paths {
        if path == Path::new("-") {
            let name = args.name.clone().unwrap_or_else(|| "stdin.yml".to_owned());
            sources.texts.push(Source { name, place: Place::Stdin });
        } else if path.is_dir() {
            sources.add_directory(path);
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            sources.add(name.into_owned(), Place::File(path.clone()));
        }
    }
    if sources.texts.is_empty() {
        return Err(CommandError::failure("there is no rule: no file ends in .yml or .yaml")
            .hint("name a file itself if it is called otherwise"));
    }
    sources.refuse_doubles();
    Ok(sources)
}

impl Sources {
    fn add(&mut self, name: String, place: Place) {
        self.texts.push(Source { name, place });
    }

    fn add_directory(&mut self, root: &Path) {
        let begin = self.texts.len();
        let mut waiting = vec![root.to_owned()];
        while let Some(directory) = waiting.pop() {
            if let Err(error) = self.add_entries(root, &directory, &mut waiting) {
                let place = Place::Refused(unreadable(&error));
                self.add(directory.display().to_string(), place);
            }
        }
        self.texts[begin..].sort_by(|one, other| one.name.cmp(&other.name));
    }

    fn add_entries(
        &mut self,
        root: &Path,
        directory: &Path,
        waiting: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // Of the entry itself, where it is a link.
            let kind = entry.file_type()?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_symlink() {
                self.links += 1;
            } else if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() && is_yaml(&path) {
                self.add(flat_name(root, &path), Place::File(path));
            }
        }
        Ok(())
    }

    /// Two texts of one name: the second would replace the first.
    fn refuse_doubles(&mut self) {
        let mut names = HashSet::new();
        for source in &mut self.texts {
            if !names.insert(source.name.clone()) {
                let reason = "another file given here has the same name".to_owned();
                source.place = Place::Refused(reason);
            }
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    let is =
        |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    is("yml") || is("yaml")
}

/// `a/b/c.yml` below the directory is `a-b-c.yml`.
fn flat_name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('/', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(paths: &[&Path], name: Option<&str>) -> RuleFiles {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        RuleFiles { paths, name: name.map(str::to_owned) }
    }

    fn names(sources: &Sources) -> Vec<&str> {
        sources.texts.iter().map(|source| &*source.name).collect()
    }

    #[test]
    fn directories_are_searched_in_order_and_links_are_counted() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("b/c");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir_all(root.path().join(".git")).unwrap();
        for name in ["z.yml", "b/c/d.yaml", "b/e.YML", "b/no.txt", ".git/f.yml", "a.yml"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("z.yml", root.path().join("link.yml")).unwrap();
        std::os::unix::fs::symlink("..", below.join("loop")).unwrap();
        let sources = gather(&args(&[root.path()], None)).unwrap();
        assert_eq!(names(&sources), ["a.yml", "b-c-d.yaml", "b-e.YML", "z.yml"]);
        assert_eq!(sources.links, 2);
        assert_eq!(sources.texts[1].read(), Ok(b"b/c/d.yaml".to_vec()));
    }

    #[test]
    fn a_second_text_of_one_name_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        let (flat, deep) = (root.path().join("a-b.yml"), root.path().join("a/b.yml"));
        fs::write(&flat, "flat").unwrap();
        fs::write(&deep, "deep").unwrap();
        let sources = gather(&args(&[root.path(), &flat], None)).unwrap();
        assert_eq!(names(&sources), ["a-b.yml"; 3]);
        let refused = sources.texts.iter().filter(|source| source.read().is_err());
        assert_eq!(refused.count(), 2);
    }

    #[test]
    fn what_is_too_large_or_absent_is_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let large = root.path().join("large.yml");
        File::create(&large).unwrap().set_len(MOST_BYTES + 1).unwrap();
        let absent = root.path().join("absent.yml");
        let sources = gather(&args(&[&large, &absent], None)).unwrap();
        assert_eq!(sources.texts[0].read(), Err("larger than 5 MiB".to_owned()));
        assert!(sources.texts[1].read().unwrap_err().starts_with("cannot be read: No such file"));
        File::create(&large).unwrap().set_len(MOST_BYTES).unwrap();
        assert_eq!(sources.texts[0].read().unwrap().len() as u64, MOST_BYTES);
    }

    #[test]
    fn standard_input_has_a_name_and_is_read_once() {
        let stdin = Path::new("-");
        assert_eq!(names(&gather(&args(&[stdin], None)).unwrap()), ["stdin.yml"]);
        assert_eq!(names(&gather(&args(&[stdin], Some("x.yml"))).unwrap()), ["x.yml"]);
        assert!(gather(&args(&[stdin, stdin], None)).is_err());
        assert!(gather(&args(&[Path::new("x.yml")], Some("y.yml"))).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(gather(&args(&[empty.path()], None)).is_err());
    }
}
