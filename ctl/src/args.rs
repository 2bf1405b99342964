//! The command line: one description for parsing, help, man page and completions.

mod alerts;
mod binaries;
mod choice;
mod rules;
mod web;

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use common::id::ProcessId;

pub use self::alerts::{AlertCommand, AlertList, Alerts, Judgement, StatusChoice};
pub use self::binaries::{
    BinaryCommand, BinaryGet, BinaryList, BinaryOrder, ContentHash, ContentHashes,
};
pub use self::rules::{RuleCommand, RuleFiles, RuleList, RulePatterns, RuleTest};
pub use self::web::{Web, WebCommand};
use common::bus::Target;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().italic());

const EXIT_STATUS: &str = "\
Exit status:
  0    success, also when losses are reported
  1    failure, or no such process, rule, alert or binary, or a rule was refused, or a copy of a
       binary is damaged
  2    wrong usage, a filter that does not parse, a pid that several processes had, or the beginning
       of several hashes
  3    the recorder cannot be reached
  130  an export, the test of a rule, or reading copies of binaries was interrupted";

/// Ask BPF Recorder what ran on this machine
///
/// BPF Recorder is a flight recorder for Linux processes. This command reads what it recorded,
/// over D-Bus.
#[derive(Debug, Parser)]
#[command(
    name = "bpfctl",
    version,
    styles = STYLES,
    after_long_help = EXIT_STATUS,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Reach the recorder at this address
    ///
    /// `system` is the system bus and `session` the session bus. `unix:path=FILE`, or just the path
    /// of a socket, is a recorder started with `--bus unix:path=FILE`, without a bus daemon.
    #[arg(
        long,
        global = true,
        value_name = "ADDR",
        env = "BPFCTL_ADDRESS",
        hide_env_values = true,
        default_value = "system"
    )]
    pub address: Target,

    /// Print JSON, one document a line
    ///
    /// Records have the field names of the Elastic Common Schema.
    #[arg(long, global = true)]
    pub json: bool,

    /// Use colours
    ///
    /// `auto` means on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,

    /// Show times in UTC instead of the local zone
    #[arg(long, global = true)]
    pub utc: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show whether the recorder records, on one screen
    #[command(after_long_help = "Examples:\n  bpfctl status\n  bpfctl status --json")]
    Status,

    /// Show every figure of the recorder, losses first
    ///
    /// Losses do not change the exit status: they are part of a truthful answer.
    #[command(after_long_help = "Examples:\n  bpfctl health\n  bpfctl health --json")]
    Health,

    /// List processes, or follow them as they run
    #[command(visible_alias = "ps", after_long_help = EVENTS_EXAMPLES)]
    Events(Events),

    /// Show all that is known of one process
    #[command(
        after_long_help = "Examples:\n  bpfctl show 4711\n  bpfctl show 3f2a9c81d0b4-4711-1a2b3c4d5e"
    )]
    Show {
        /// Take the process with this id or pid
        #[arg(value_name = "ID|PID")]
        process: ProcessRef,
    },

    /// Draw the ancestors and descendants of a process
    #[command(after_long_help = "Examples:\n  bpfctl tree 4711\n  bpfctl tree 1 --down 2")]
    Tree(Tree),

    /// Count the values of a field
    #[command(after_long_help = TOP_EXAMPLES)]
    Top(Top),

    /// List alerts, or follow them as they are raised
    #[command(after_long_help = alerts::EXAMPLES)]
    Alerts(Alerts),

    /// List, store, check and switch the rules that raise alerts
    #[command(subcommand_required = true, arg_required_else_help = true)]
    #[command(disable_help_subcommand = true)]
    Rules {
        #[command(subcommand)]
        command: RuleCommand,
    },

    /// List what ran by its content, and take out the copies that were kept
    #[command(subcommand_required = true, arg_required_else_help = true)]
    #[command(disable_help_subcommand = true)]
    Binaries {
        #[command(subcommand)]
        command: BinaryCommand,
    },

    /// Print a link to the web page
    ///
    /// The link works once, and soon, in a browser of this machine. What the page may do there is
    /// what the caller may do, for twelve hours at most.
    #[command(after_long_help = web::EXAMPLES)]
    Web(Web),

    /// Write records to a file
    ///
    /// The file appears only when it is complete, and only its owner may read it: command lines
    /// and environments hold secrets.
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(Export),

    /// List the fields a filter may use
    #[command(after_long_help = "Examples:\n  bpfctl fields")]
    Fields,

    /// Print completions for a shell
    #[command(
        after_long_help = "Examples:\n  bpfctl completions bash > /etc/bash_completion.d/bpfctl"
    )]
    Completions {
        /// Complete for this shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

const EVENTS_EXAMPLES: &str = "\
Examples:
  bpfctl events
  bpfctl events curl
  bpfctl events exe ~ /tmp and user = www-data --since '2h ago'
  bpfctl events --follow 'state = failed or state = killed'
  bpfctl events --json -n 0 | jq -r .process.command_line

A filter has the form `FIELD OPERATOR VALUE`, combined with `and`, `or`, `not` and parentheses; words
alone search the command line. `bpfctl fields` lists the fields and the operators.";

const TOP_EXAMPLES: &str = "\
Examples:
  bpfctl top exe
  bpfctl top exe user = root --since today -n 20
  bpfctl top cmd --rarest";

const EXPORT_EXAMPLES: &str = "\
Examples:
  bpfctl export -o all.ndjson
  bpfctl export user = www-data --since yesterday --format csv -o www.csv
  bpfctl export | zstd > all.ndjson.zst";

#[derive(Debug, Args)]
pub struct Selection {
    /// Take only processes that match; words are joined by spaces
    #[arg(value_name = "FILTER", value_hint = ValueHint::Other)]
    pub filter: Vec<String>,

    /// Take only processes that began then or later
    ///
    /// RFC 3339, `2026-11-24 14:00`, `14:00`, `today`, `yesterday`, `2h ago`; what names no zone is
    /// in that of the times shown.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Take only processes that began earlier
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

impl Selection {
    /// What was asked for beyond the ordinary, here or by other options, as it can be left out.
    pub(crate) fn narrowing(&self, options: &[(&str, bool)]) -> Vec<String> {
        let mut parts = Vec::new();
        let filter = self.filter.join(" ");
        if !filter.is_empty() {
            parts.push(format!("`{}`", common::escape::terminal(&filter)));
        }
        let times = [("--since", self.since.is_some()), ("--until", self.until.is_some())];
        for (option, is_given) in times.iter().chain(options) {
            if *is_given {
                parts.push(format!("`{option}`"));
            }
        }
        parts
    }
}

#[derive(Debug, Args)]
pub struct Events {
    #[command(flatten)]
    pub selection: Selection,

    /// Show at most the newest N processes, 0 for all
    ///
    /// With --follow, begin with the newest N; there 0 means none.
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 50)]
    pub limit: u32,

    /// Go on with what happens, until Ctrl-C
    #[arg(short, long, conflicts_with_all = ["until", "reverse"])]
    pub follow: bool,

    /// Show the newest first
    #[arg(short, long)]
    pub reverse: bool,
}

#[derive(Debug, Args)]
pub struct Tree {
    /// Take the process with this id or pid
    #[arg(value_name = "ID|PID")]
    pub process: ProcessRef,

    /// Go up at most N generations
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub up: u32,

    /// Go down at most N generations
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub down: u32,

    /// Show at most N images
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 1000)]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub struct Top {
    /// Count the values of this field
    pub field: String,

    #[command(flatten)]
    pub selection: Selection,

    /// Show N values
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 20)]
    pub limit: u32,

    /// Show the rarest values instead of the most frequent
    #[arg(long)]
    pub rarest: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub selection: Selection,

    /// Write in this format
    ///
    /// `ndjson` is complete and exact. `csv` is for spreadsheets: no environment, control
    /// characters escaped, and a cell that would be a formula begins with an apostrophe.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Overwrite the file if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Ndjson,
    Csv,
}

/// A process as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessRef {
    Id(ProcessId),
    Pid(u32),
}

impl FromStr for ProcessRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(pid) = text.parse() {
            return Ok(Self::Pid(pid));
        }
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(error) => Err(format!("neither a pid nor an id: {error}")),
        }
    }
}

impl std::fmt::Display for ProcessRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Pid(pid) => pid.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_description_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn completions_exist_for_every_shell() {
        for shell in clap_complete::Shell::value_variants() {
            let mut out = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "bpfctl", &mut out);
            assert!(String::from_utf8(out).unwrap().contains("bpfctl"), "{shell}");
        }
    }

    #[test]
    fn processes_are_ids_or_pids() {
        assert_eq!("4711".parse(), Ok(ProcessRef::Pid(4711)));
        assert!(matches!("3f2a9c81d0b4-4711-1a".parse(), Ok(ProcessRef::Id(_))));
        for text in ["", "-1", "bash", "3f2a-1", "4294967296"] {
            assert!(text.parse::<ProcessRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn filter_words_mix_with_options() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        let cli = parse("bpfctl events exe ~ /tmp -n 5 and user = root --json").unwrap();
        let Command::Events(events) = cli.command else { panic!("events") };
        assert_eq!(events.selection.filter.join(" "), "exe ~ /tmp and user = root");
        assert_eq!(events.limit, 5);
        assert!(cli.global.json);
        assert!(parse("bpfctl events --follow --until now").is_err());
        assert!(parse("bpfctl export --force").is_err());
    }
}
