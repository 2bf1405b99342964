//! `bpfctl binaries …`

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::Selection;

#[derive(Debug, Subcommand)]
pub enum BinaryCommand {
    /// List what ran by its content, the last run first
    ///
    /// Files of the same content are one line. It has the path of the file that ran last, and the
    /// number of the others.
    #[command(after_long_help = LIST_EXAMPLES)]
    List(BinaryList),

    /// Show all that is known of one content, and of the files that had it
    #[command(after_long_help = "Examples:\n  bpfctl binaries show 9f86d081884c")]
    Show {
        /// Take the content with this SHA-256, SHA-1 or MD5, or six or more digits it begins with
        #[arg(value_name = "HASH", value_hint = ValueHint::Other)]
        hash: ContentHash,
    },

    /// Take the copy of a content out, into a file
    ///
    /// The file may be dangerous: it is what ran on this machine, malicious or not. Only you may
    /// read it, nobody may execute it, and it appears only when its SHA-256 is the right one.
    #[command(after_long_help = GET_EXAMPLES)]
    Get(BinaryGet),

    /// Read every copy, and tell which are damaged
    ///
    /// A damaged copy is not handed out any more. With --json, each one is a `damaged` document;
    /// the last line is `done`.
    #[command(after_long_help = "Examples:\n  bpfctl binaries verify")]
    Verify,

    /// Keep copies, however much room others need
    ///
    /// A pin does not bring back a copy that was removed.
    #[command(after_long_help = "Examples:\n  bpfctl binaries pin 9f86d081884c 60303ae22b99")]
    Pin(ContentHashes),

    /// Let copies be removed again when others need the room
    ///
    /// What an alert refers to stays.
    #[command(after_long_help = "Examples:\n  bpfctl binaries unpin 9f86d081884c")]
    Unpin(ContentHashes),
}

const LIST_EXAMPLES: &str = "\
Examples:
  bpfctl binaries list
  bpfctl binaries list --new 24h --unpackaged
  bpfctl binaries list user = www-data --since yesterday
  bpfctl binaries list --only 'parent = /usr/sbin/nginx'
  bpfctl binaries list --order rarest -n 20

A filter is one of the processes that ran a content; without --only, one run that matches is enough.
See `bpfctl events --help`.";

const GET_EXAMPLES: &str = "\
Examples:
  bpfctl binaries get 9f86d081884c -o suspect.bin
  bpfctl binaries get 9f86d081884c -o - | strings | less";

#[derive(Debug, Args)]
pub struct BinaryList {
    #[command(flatten)]
    pub selection: Selection,

    /// Take only what was seen first on this machine then or later
    ///
    /// A time as --since takes it, such as `24h`, `2h ago` or `yesterday`.
    #[arg(long, value_name = "TIME")]
    pub new: Option<String>,

    /// Take only what no package owns
    #[arg(long)]
    pub unpackaged: bool,

    /// Take only what never ran otherwise: every run of it matches the filter
    ///
    /// With --since, also: that did not run earlier.
    #[arg(long)]
    pub only: bool,

    /// List in this order
    #[arg(long, value_enum, default_value_t = BinaryOrder::Last)]
    pub order: BinaryOrder,

    /// Show at most the first N, 0 for all
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 50)]
    pub limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BinaryOrder {
    /// The last run first
    Last,
    /// What is new on this machine first
    First,
    /// What ran least often first
    Rarest,
}

impl BinaryOrder {
    /// As the recorder calls it.
    pub fn name(self) -> &'static str {
        match self {
            BinaryOrder::Last => "last",
            BinaryOrder::First => "first",
            BinaryOrder::Rarest => "rarest",
        }
    }
}

#[derive(Debug, Args)]
pub struct BinaryGet {
    /// Take the content with this SHA-256, SHA-1 or MD5, or six or more digits it begins with
    #[arg(value_name = "HASH", value_hint = ValueHint::Other)]
    pub hash: ContentHash,

    /// Write to this file, or to standard output (`-`) if that is not a terminal
    #[arg(short, long, value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub output: PathBuf,

    /// Replace the file if it exists
    ///
    /// A symbolic link, a directory, a pipe or a device is refused all the same.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct ContentHashes {
    /// Take the contents with these SHA-256, SHA-1 or MD5, or six or more digits they begin with
    #[arg(value_name = "HASH", required = true, value_hint = ValueHint::Other)]
    pub hashes: Vec<ContentHash>,
}

/// A hash of a content, or a beginning of one, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentHash(String);

/// Fewer digits hardly mean one content.
const FEWEST_DIGITS: usize = 6;
/// Of a SHA-256.
const MOST_DIGITS: usize = 64;

impl ContentHash {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("a hash has hexadecimal digits only".to_owned());
        }
        match text.len() {
            FEWEST_DIGITS..=MOST_DIGITS => Ok(Self(text.to_ascii_lowercase())),
            0..FEWEST_DIGITS => Err(format!("give at least {FEWEST_DIGITS} digits")),
            _ => Err(format!("no hash has more than {MOST_DIGITS} digits")),
        }
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(line: &str) -> Result<BinaryCommand, clap::Error> {
        let cli = Cli::try_parse_from(format!("bpfctl binaries {line}").split(' '))?;
        let Command::Binaries { command } = cli.command else { panic!("{line}") };
        Ok(command)
    }

    #[test]
    fn hashes_are_digits_in_lower_case() {
        let parse = |text: &str| text.parse::<ContentHash>();
        assert_eq!(parse("9F86d0").unwrap().as_str(), "9f86d0");
        assert!(parse(&"0".repeat(64)).is_ok());
        for text in ["", "9f86d", "9f86dx", "-9f86d", "9f86d0 ", "９f86d0", &"0".repeat(65)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn filter_words_mix_with_options() {
        let command = parse("list --only parent = /usr/sbin/nginx --order rarest --new 24h -n 5");
        let BinaryCommand::List(list) = command.unwrap() else { panic!("list") };
        assert_eq!(list.selection.filter.join(" "), "parent = /usr/sbin/nginx");
        assert!(list.only && !list.unpackaged);
        assert_eq!((list.order.name(), list.limit), ("rarest", 5));
        assert_eq!(list.new.as_deref(), Some("24h"));
    }

    #[test]
    fn what_is_taken_out_goes_somewhere() {
        assert!(parse("get 9f86d081884c -o x --force").is_ok());
        for line in ["get 9f86d081884c", "get -o x", "get x -o x", "pin", "unpin 9f86d081884c x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
