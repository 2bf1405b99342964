//! `bpfctl web`

use clap::{Args, Subcommand};

pub(super) const EXAMPLES: &str = "\
Examples:
  bpfctl web --open
  bpfctl web --read-only
  bpfctl web sessions
  bpfctl web revoke all";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Web {
    #[command(subcommand)]
    pub command: Option<WebCommand>,

    /// Open the link in a browser instead of printing it
    #[arg(long)]
    pub open: bool,

    /// Let the page show, and change nothing
    #[arg(long)]
    pub read_only: bool,
}

#[derive(Debug, Subcommand)]
pub enum WebCommand {
    /// List the sessions that links have become
    ///
    /// One's own, or everybody's for root.
    Sessions,

    /// End a session, or all
    #[command(after_long_help = "Examples:\n  bpfctl web revoke 3\n  bpfctl web revoke all")]
    Revoke {
        /// End the session with this id
        #[arg(value_name = "ID|all", value_parser = session)]
        session: u32,
    },
}

/// All of them are 0 on the bus.
fn session(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(id) if id > 0 => Ok(id),
        _ if text == "all" => Ok(0),
        _ => Err("give the id of a session, or all".to_owned()),
    }
}
