//! `bpfctl alerts …`

use std::ops::RangeInclusive;

use clap::{Args, Subcommand};
use common::alert::Status;
use common::rule::Level;

use super::{Selection, choice};

pub(super) const EXAMPLES: &str = "\
Examples:
  bpfctl alerts
  bpfctl alerts user = www-data --level high --since yesterday
  bpfctl alerts --rule 'SSH*' --status all
  bpfctl alerts --follow
  bpfctl alerts explain 12
  bpfctl alerts set 12..20 --status false_positive --note 'our backup'

A filter is one of the process that made the rule fire; see `bpfctl events --help`.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Alerts {
    #[command(subcommand)]
    pub command: Option<AlertCommand>,
    #[command(flatten)]
    pub list: AlertList,
}

#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Show all that is known of one alert
    #[command(after_long_help = "Examples:\n  bpfctl alerts show 12")]
    Show {
        /// Take the alert with this number
        id: u64,
    },

    /// Show why the rule fired: what matched in its text, and in the event
    ///
    /// With --json, the same document as `show` gives.
    #[command(after_long_help = "Examples:\n  bpfctl alerts explain 12")]
    Explain {
        /// Take the alert with this number
        id: u64,
    },

    /// Set the status of alerts, or add a note
    #[command(after_long_help = SET_EXAMPLES)]
    Set(Judgement),
}

const SET_EXAMPLES: &str = "\
Examples:
  bpfctl alerts set 12 --status in_progress
  bpfctl alerts set 12..20 31 --status false_positive --note 'our backup'";

#[derive(Debug, Args)]
pub struct AlertList {
    #[command(flatten)]
    pub selection: Selection,

    /// Take only alerts of these statuses
    ///
    /// Without it: new and in_progress, those that nobody has closed.
    #[arg(
        long = "status",
        value_name = "STATUS",
        value_delimiter = ',',
        ignore_case = true,
        value_parser = choice::status_or_all()
    )]
    pub statuses: Vec<StatusChoice>,

    /// Take only alerts of this level or a higher one
    #[arg(long, value_name = "LEVEL", ignore_case = true, value_parser = choice::level())]
    pub level: Option<Level>,

    /// Take only alerts of the rule with this id, or of rules whose title fits this pattern
    #[arg(long, value_name = "ID|GLOB")]
    pub rule: Option<String>,

    /// Show at most the newest N alerts, 0 for all
    ///
    /// With --follow, begin with the newest N; there 0 means none.
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 50)]
    pub limit: u32,

    /// Go on with what is raised or changed, until Ctrl-C
    #[arg(short, long, conflicts_with_all = ["until", "reverse"])]
    pub follow: bool,

    /// Show the newest first
    #[arg(short, long)]
    pub reverse: bool,
}

/// `None` means all.
pub type StatusChoice = Option<Status>;

#[derive(Debug, Args)]
pub struct Judgement {
    /// Take the alerts with these numbers; `12..20` includes both ends
    #[arg(value_name = "ID", required = true, value_delimiter = ',', value_parser = ids)]
    pub ids: Vec<RangeInclusive<u64>>,

    /// Set this status
    #[arg(
        long,
        value_name = "STATUS",
        required_unless_present = "note",
        ignore_case = true,
        value_parser = choice::status()
    )]
    pub status: Option<Status>,

    /// Add this note
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

fn ids(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| "neither a number nor a range such as 12..20".to_owned())
    };
    match text.split_once("..") {
        None => number(text).map(|id| id..=id),
        Some((first, last)) => {
            let range = number(first)?..=number(last)?;
            if range.is_empty() { Err("the range is empty".to_owned()) } else { Ok(range) }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(line: &str) -> Result<Alerts, clap::Error> {
        let cli = Cli::try_parse_from(format!("bpfctl {line}").split(' '))?;
        let Command::Alerts(alerts) = cli.command else { panic!("{line}") };
        Ok(alerts)
    }

    #[test]
    fn filters_and_subcommands_share_a_place() {
        let list = parse("alerts exe ~ set -n 5 and cmd ~ show --json").unwrap();
        assert!(list.command.is_none());
        assert_eq!(list.list.selection.filter.join(" "), "exe ~ set and cmd ~ show");
        for line in ["alerts show 3 --json", "--json alerts show 3", "--color never alerts show 3"]
        {
            let Some(AlertCommand::Show { id: 3 }) = parse(line).unwrap().command else {
                panic!("{line}")
            };
        }
        assert!(parse("alerts show x").is_err());
        assert!(parse("alerts show").is_err());
    }

    #[test]
    fn ids_are_numbers_ranges_and_lists() {
        let ids = |line: &str| match parse(line).unwrap().command {
            Some(AlertCommand::Set(args)) => args.ids,
            _ => panic!("{line}"),
        };
        assert_eq!(ids("alerts set 12 3..5,7 --note x"), [12..=12, 3..=5, 7..=7]);
        for wrong in ["-1", "5..3", "3..", "..3", "x", "3...5", ""] {
            assert!(parse(&format!("alerts set {wrong} --note x")).is_err(), "{wrong}");
        }
        assert!(parse("alerts set 12").is_err(), "neither status nor note");
        assert!(parse("alerts set --status new").is_err(), "no id");
    }

    #[test]
    fn levels_may_be_cut_and_statuses_listed() {
        let list =
            parse("alerts --level CRIT --status new,false-positive --status all").unwrap().list;
        assert_eq!(list.level, Some(Level::Critical));
        assert_eq!(list.statuses, [Some(Status::New), Some(Status::FalsePositive), None]);
        assert!(parse("alerts --status open").is_err());
        assert!(parse("alerts set 1 --status all").is_err());
    }
}
