//! `bpfctl rules …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use common::rule::{Level, RuleState};

use super::{Selection, choice};

#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// List rules, the worst level first
    #[command(after_long_help = LIST_EXAMPLES)]
    List(RuleList),

    /// Show all that is known of one rule, and its text
    #[command(
        after_long_help = "Examples:\n  bpfctl rules show 53b8a9a2\n  bpfctl rules show 'Web shell'"
    )]
    Show {
        /// Take the rule with this id, a beginning of it, or this title
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Switch rules on
    #[command(after_long_help = SWITCH_EXAMPLES)]
    Enable(RulePatterns),

    /// Switch rules off
    #[command(after_long_help = SWITCH_EXAMPLES)]
    Disable(RulePatterns),

    /// Store rules, and let them look at every event from now on
    ///
    /// A file replaces an uploaded one of the same name. What is refused is told with its reason,
    /// and the rest goes on.
    #[command(after_long_help = UPLOAD_EXAMPLES)]
    Upload(RuleFiles),

    /// Remove uploaded rules
    ///
    /// Rules that came with the recorder, or that lie in the administrator's directory, stay: they
    /// can be disabled.
    #[command(
        after_long_help = "Examples:\n  bpfctl rules remove 53b8a9a2\n  bpfctl rules remove 'tag:test.*'"
    )]
    Remove(RulePatterns),

    /// Check rules as `upload` does, and store nothing
    #[command(after_long_help = VALIDATE_EXAMPLES)]
    Validate(RuleFiles),

    /// Try a rule on what is recorded: how often it would have fired, and on what
    ///
    /// With --json, each line is a `found` document; the last one is `done`.
    #[command(after_long_help = TEST_EXAMPLES)]
    Test(RuleTest),
}

const LIST_EXAMPLES: &str = "\
Examples:
  bpfctl rules list
  bpfctl rules list 'ssh*' tag:attack.persistence
  bpfctl rules list --state inert,unusable
  bpfctl rules list --level high --json | jq -r .id";

const SWITCH_EXAMPLES: &str = "\
Examples:
  bpfctl rules disable 53b8a9a2
  bpfctl rules disable 'SSH key*' tag:attack.discovery
  bpfctl rules enable level:critical level:high
  bpfctl rules enable '*'";

const UPLOAD_EXAMPLES: &str = "\
Examples:
  bpfctl rules upload my-rule.yml
  bpfctl rules upload sigma/rules/linux/process_creation
  curl https://example.org/rule.yml | bpfctl rules upload - --name rule.yml";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  bpfctl rules validate my-rule.yml
  bpfctl rules validate sigma/rules/linux --json";

const TEST_EXAMPLES: &str = "\
Examples:
  bpfctl rules test my-rule.yml --since '7d ago'
  bpfctl rules test 53b8a9a2 user = www-data
  bpfctl rules test - < my-rule.yml

What ends in .yml or .yaml, begins with `.` or `/`, or is there, is a file; everything else is an id.";

#[derive(Debug, Args)]
pub struct RuleList {
    /// Take only rules that fit one of these
    ///
    /// A beginning of an id, a part of a title, `tag:TAG`, `level:LEVEL`, or a pattern of `*` and
    /// `?` for one of these as a whole.
    #[arg(value_name = "PATTERN", value_hint = ValueHint::Other)]
    pub patterns: Vec<String>,

    /// Take only rules in one of these states
    #[arg(
        long = "state",
        value_name = "STATE",
        value_delimiter = ',',
        ignore_case = true,
        value_parser = choice::state()
    )]
    pub states: Vec<RuleState>,

    /// Take only rules of this level or a higher one
    #[arg(long, value_name = "LEVEL", ignore_case = true, value_parser = choice::level())]
    pub level: Option<Level>,
}

#[derive(Debug, Args)]
pub struct RulePatterns {
    /// Take the rules that fit one of these
    ///
    /// An id, a title, `tag:TAG`, `level:LEVEL`, or a pattern of `*` and `?` for one of these.
    #[arg(value_name = "PATTERN", required = true, value_hint = ValueHint::Other)]
    pub patterns: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RuleFiles {
    /// Take these files, all rules below these directories, or standard input (`-`)
    ///
    /// In directories, files that end in .yml or .yaml are taken; hidden ones and symbolic links
    /// are not.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Give standard input this name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct RuleTest {
    /// Take the rules of this file, or of standard input (`-`), or the stored rule with this id
    #[arg(value_name = "FILE|ID", value_hint = ValueHint::FilePath)]
    pub rule: PathBuf,

    #[command(flatten)]
    pub selection: Selection,
}
