//! `bpfctl binaries`: what ran, by its content, and the copies that were kept.

mod get;
mod list;
mod output;
mod pin;
mod show;
mod table;
mod verify;

use common::binary::Binary;
use common::bus;

use self::output::Output;
use crate::args::{BinaryCommand, ContentHash, Global};
use crate::command::{Context, filter_of};
use crate::error::{self, CommandError};

/// Settles what the command line asks for, and only then connects.
pub(crate) async fn run(global: &Global, command: BinaryCommand) -> Result<(), CommandError> {
    match command {
        BinaryCommand::List(args) => {
            let filter = filter_of(&args.selection, global)?;
            let selection = list::selection(&args, &filter, global)?;
            list::run(&mut Context::connected(global).await?, &args, &filter, &selection).await
        }
        BinaryCommand::Show { hash } => {
            show::run(&mut Context::connected(global).await?, &hash).await
        }
        BinaryCommand::Get(args) => {
            let output = Output::of(&args.output, args.force)?;
            get::run(&mut Context::connected(global).await?, &args.hash, &output).await
        }
        BinaryCommand::Verify => verify::run(&mut Context::connected(global).await?).await,
        BinaryCommand::Pin(args) => {
            pin::pin(&mut Context::connected(global).await?, &args.hashes).await
        }
        BinaryCommand::Unpin(args) => {
            pin::unpin(&mut Context::connected(global).await?, &args.hashes).await
        }
    }
}

const LIST_HINT: &str = "`bpfctl binaries list` lists them; six digits of a hash are enough";

/// The error of asking for one content.
fn binary_error(hash: &ContentHash, error: bus::Error) -> CommandError {
    let show_hint = || format!("`bpfctl binaries show {hash}` tells what is known of it");
    match error {
        bus::Error::NotFound(_) => {
            CommandError::failure(format!("no such binary: {hash}")).hint(LIST_HINT)
        }
        bus::Error::InvalidArgument(text) => ambiguous(&text),
        bus::Error::NotKept(text) => {
            let mut error = CommandError::from(bus::Error::NotKept(text));
            error.hints = vec![show_hint()];
            error
        }
        error => error.into(),
    }
}

/// The form of a hash was checked before: this one is the beginning of several, which may be named
/// on lines below.
fn ambiguous(text: &str) -> CommandError {
    let (message, detail) = text.split_once('\n').unwrap_or((text, ""));
    let error = CommandError::usage(message).hint("give more digits of the hash");
    if detail.is_empty() { error } else { error.detail(detail) }
}

fn parse(document: &[u8]) -> Result<Binary, CommandError> {
    serde_json::from_slice(document).map_err(|error| error::not_understood(&error))
}

/// Runs of files that are not listed: the recorder names only those that ran last.
fn unlisted_runs(binary: &Binary) -> u64 {
    let listed = binary.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.runs));
    binary.runs.saturating_sub(listed)
}

/// So many digits can be read out and typed.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use common::binary::BinaryFile;

    use super::*;
    use crate::content::tests::elf;

    /// A content that one file has, without package; tests change what they are about.
    pub(super) fn binary(digit: char, path: &str) -> Binary {
        let digits = |count| digit.to_string().repeat(count);
        let hash = serde_json::json!({
            "sha256": digits(64), "sha1": digits(40), "md5": digits(32),
        });
        let json = serde_json::json!({
            "hash": hash, "size_bytes": 1_500_000, "storage": "kept", "stored_bytes": 524_288,
            "runs": 12_481, "first": "2026-11-20T08:50:06.123Z", "last": "2026-11-24T14:03:27.512Z",
            "elf": elf(), "files": [file(path)],
        });
        serde_json::from_value(json).unwrap()
    }

    pub(super) fn file(path: &str) -> BinaryFile {
        let time = "2026-11-01T00:00:00Z";
        let json = serde_json::json!({
            "path": path, "device": "8:1", "inode": 9, "mode": "0755", "uid": 0, "gid": 0,
            "mtime": time, "ctime": time, "runs": 12_481, "first": "2026-11-20T08:50:06.123Z",
            "last": "2026-11-24T14:03:27.512Z",
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn errors_name_the_hash_and_the_way_on() {
        let hash: ContentHash = "9f86d081884c".parse().unwrap();
        let check = |error: bus::Error, status: u8, message: &str, hint: &str| {
            let error = binary_error(&hash, error);
            assert_eq!((error.kind.exit_status(), &*error.message), (status, message));
            assert!(error.hints.iter().any(|text| text.contains(hint)), "{error:?}");
        };
        let text = || "why".to_owned();
        check(bus::Error::NotFound(text()), 1, "no such binary: 9f86d081884c", "binaries list");
        check(bus::Error::InvalidArgument(text()), 2, "why", "more digits");
        let several = "several:\n  9f86d081884c1\n  9f86d081884c2".to_owned();
        let several = binary_error(&hash, bus::Error::InvalidArgument(several));
        assert_eq!(several.message, "several:");
        assert_eq!(several.detail.as_deref(), Some("  9f86d081884c1\n  9f86d081884c2"));
        check(bus::Error::NotKept(text()), 1, "there is no copy: why", "show 9f86d081884c`");
        check(bus::Error::Damaged(text()), 1, "the copy is damaged: why", "binaries verify");
    }
}
