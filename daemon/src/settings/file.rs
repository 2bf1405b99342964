//! Which configuration files there are, and their text.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::check;
use super::keys::Keys;
use super::mistake::{Mistake, Position};

pub const DEFAULT_CONFIG: &str = "/etc/bpf-recorder/config.toml";
const DROP_INS: &str = "config.d";
/// Beside which no configuration comes, but a database given by mistake does.
const MOST_BYTES: u64 = 1 << 20;

/// All files together.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// Of what can be used.
    pub(super) keys: Keys,
    /// What was read, in this order.
    pub(super) files: Vec<PathBuf>,
    pub(super) mistakes: Vec<Mistake>,
}

impl Configuration {
    /// The file at `config`, which has to exist, or the default one, which need not; then its
    /// drop-ins.
    pub(super) fn read(config: Option<&Path>) -> Self {
        let main = config.unwrap_or(Path::new(DEFAULT_CONFIG));
        let mut all = Self::default();
        let is_absent = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        match File::open(main) {
            Err(error) if config.is_none() && is_absent(&error) => {}
            opened => all.add(main, opened),
        }
        match drop_ins(&main.with_file_name(DROP_INS)) {
            Ok(files) => files.iter().for_each(|file| all.add(file, open_drop_in(file))),
            Err(mistake) => all.mistakes.push(mistake),
        }
        all
    }

    fn add(&mut self, path: &Path, opened: io::Result<File>) {
        match opened.map_err(|error| unreadable(path, &error)).and_then(|file| text(path, file)) {
            Ok(text) => {
                let (keys, mistakes) = check::check(path, &text);
                self.keys = keys.over(std::mem::take(&mut self.keys));
                self.files.push(path.to_owned());
                self.mistakes.extend(mistakes);
            }
            Err(mistake) => self.mistakes.push(mistake),
        }
    }
}

/// In the order of their names. What editors and package managers leave there is not meant: hidden
/// files and other endings.
fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, Mistake> {
    let failed = |error: io::Error| unreadable(directory, &error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

/// Opening a pipe would wait for somebody to write. `/dev/null` is how one masks a file.
fn open_drop_in(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() || kind.is_char_device() {
        return File::open(path);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a file nor a link to one"))
}

fn text(path: &Path, file: File) -> Result<String, Mistake> {
    let mut bytes = Vec::new();
    // One byte more tells that there is more.
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        let problem = "is larger than 1 MiB, as no configuration is: give a TOML file";
        return Err(Mistake::of_file(path, problem));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        let problem = format!("the byte 0x{byte:02x} is not UTF-8: save the file as UTF-8");
        Mistake::of_file(path, problem).at(position_after(&error.as_bytes()[..valid]))
    })
}

fn position_after(start: &[u8]) -> Position {
    let start = String::from_utf8_lossy(start);
    check::Lines::of(&start).position(start.len())
}

fn unreadable(path: &Path, error: &io::Error) -> Mistake {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "give the name of a file that exists",
        ErrorKind::PermissionDenied => "let it be read, or be root",
        _ => "give a TOML file that can be read",
    };
    Mistake::of_file(path, format!("cannot be read: {error}: {remedy}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with `config.toml` and what else is named.
    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(DROP_INS)).unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn read(directory: &tempfile::TempDir) -> Configuration {
        Configuration::read(Some(&directory.path().join("config.toml")))
    }

    /// The mistakes, without the directory.
    fn mistakes(directory: &tempfile::TempDir) -> Vec<String> {
        let start = format!("{}/", directory.path().display());
        let mistakes = read(directory).mistakes;
        mistakes.iter().map(|mistake| mistake.to_string().replacen(&start, "", 1)).collect()
    }

    #[test]
    fn later_files_win_key_by_key() {
        let directory = directory(&[
            ("config.toml", b"bus = 'session'\nuser = 'a'\nlog = 'warn'\n"),
            ("config.d/9.toml", b"log = 'debug'\n"),
            ("config.d/10.toml", b"log = 'error'\nuser = 'b'\n"),
        ]);
        let all = read(&directory);
        assert!(all.mistakes.is_empty(), "{:?}", all.mistakes);
        assert_eq!(all.keys.bus.as_deref(), Some("session"));
        assert_eq!(all.keys.user.as_deref(), Some("b"));
        assert_eq!(all.keys.log.as_deref(), Some("debug"));
        let names = ["config.toml", "config.d/10.toml", "config.d/9.toml"];
        assert_eq!(all.files, names.map(|name| directory.path().join(name)));
    }

    #[test]
    fn hidden_files_and_other_endings_are_ignored() {
        let directory = directory(&[
            ("config.toml", b""),
            ("config.d/.1.toml", b"x"),
            ("config.d/2.toml~", b"x"),
            ("config.d/3.TOML", b"x"),
            ("config.d/toml", b"x"),
        ]);
        symlink("/dev/null", directory.path().join("config.d/4.toml")).unwrap();
        let all = read(&directory);
        assert!(all.mistakes.is_empty(), "{:?}", all.mistakes);
        assert_eq!(all.files.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_told_of_each_file() {
        let directory = directory(&[
            ("config.d/1.toml", b"log = 'info'\nuser = 'caf\xe9'\n"),
            ("config.d/2.toml", b"log = 'loud'\n"),
        ]);
        fs::create_dir(directory.path().join("config.d/3.toml")).unwrap();
        symlink("nowhere", directory.path().join("config.d/4.toml")).unwrap();
        let pipe = directory.path().join("config.d/5.toml");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mistakes = mistakes(&directory);
        let starts = [
            "config.toml: cannot be read: No such file",
            "config.d/1.toml:2:12: the byte 0xe9 is not UTF-8: save",
            "config.d/2.toml:1:7: log: \"loud\" is no level: give",
            "config.d/3.toml: cannot be read: Is a directory",
            "config.d/4.toml: cannot be read: No such file",
            "config.d/5.toml: cannot be read: it is neither",
        ];
        assert_eq!(mistakes.len(), starts.len(), "{mistakes:#?}");
        for (mistake, start) in mistakes.iter().zip(starts) {
            assert!(mistake.starts_with(start), "{mistake} is not {start}");
        }
    }

    #[test]
    fn files_are_read_up_to_a_mebibyte() {
        let mut text = vec![b'\n'; 1 << 20];
        assert!(mistakes(&directory(&[("config.toml", &text)])).is_empty());
        text.push(b'\n');
        let mistakes = mistakes(&directory(&[("config.toml", &text)]));
        let expected =
            "config.toml: is larger than 1 MiB, as no configuration is: give a TOML file";
        assert_eq!(mistakes, [expected]);
    }

    #[test]
    fn files_without_end_are_not_read_to_it() {
        let all = Configuration::read(Some(Path::new("/dev/zero")));
        assert!(all.mistakes[0].to_string().contains("larger than 1 MiB"), "{:?}", all.mistakes);
    }
}
