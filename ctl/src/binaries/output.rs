//! Where a content goes that may be dangerous.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::new_file::{cannot, exists};

/// Settled before anything is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Not a terminal.
    Stdout,
    File {
        path: PathBuf,
        may_replace: bool,
    },
}

impl Output {
    pub(crate) fn of(path: &Path, may_replace: bool) -> Result<Self, CommandError> {
        if path == Path::new("-") {
            return match io::stdout().is_terminal() {
                true => Err(CommandError::usage("standard output is a terminal")
                    .hint("name a file with -o, or send it on: `bpfctl binaries get … -o - | …`")),
                false => Ok(Self::Stdout),
            };
        }
        let new = || Self::File { path: path.to_owned(), may_replace };
        let kind = match path.symlink_metadata() {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(new()),
            Err(error) => return Err(cannot(path, &error)),
        };
        let name = path.display();
        if kind.is_symlink() {
            Err(CommandError::usage(format!("{name} is a symbolic link"))
                .hint("name the file itself, or one that does not exist yet"))
        } else if kind.is_dir() {
            Err(CommandError::usage(format!("{name} is a directory")).hint("name a file in it"))
        } else if !kind.is_file() {
            Err(CommandError::usage(format!("{name} is not a regular file"))
                .hint("to write into a pipe or a device: `bpfctl binaries get … -o - > FILE`"))
        } else if may_replace {
            Ok(new())
        } else {
            Err(exists(path))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;
    use crate::error::Kind;

    #[test]
    fn files_are_not_replaced_unless_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let new = |may_replace| Ok(Output::File { path: path.clone(), may_replace });
        assert_eq!(Output::of(&path, false), new(false));
        std::fs::write(&path, "old").unwrap();
        assert!(Output::of(&path, false).unwrap_err().message.ends_with("x exists"));
        assert_eq!(Output::of(&path, true), new(true));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_also_with_force() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "old").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        let check = |path: &Path, reason: &str| {
            for may_replace in [false, true] {
                let error = Output::of(path, may_replace).unwrap_err();
                assert_eq!((error.kind, error.hints.len()), (Kind::Usage, 1), "{error:?}");
                assert!(error.message.ends_with(reason), "{error:?}");
            }
        };
        check(&at("link"), "is a symbolic link");
        check(&at("dangling"), "is a symbolic link");
        check(directory.path(), "is a directory");
        check(&at("fifo"), "is not a regular file");
        check(&at("socket"), "is not a regular file");
        check(Path::new("/dev/null"), "is not a regular file");
        let error = Output::of(&at("file/x"), true).unwrap_err();
        assert!(error.message.contains("cannot write") && error.kind == Kind::Failure, "{error:?}");
    }
}
