//! The command line.

use std::path::PathBuf;

use clap::Parser;
use common::bus::Target;

/// Look at what a recorder records, in a window
#[derive(Debug, Parser)]
#[command(name = "bpf-recorder-viewer", version)]
pub struct Args {
    /// Reach the recorder at this address
    ///
    /// `system` and `session` are buses; `unix:path=FILE`, or a path, is the socket of a recorder
    /// that runs in the foreground.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "BPFCTL_ADDRESS",
        default_value = "system",
        hide_default_value = true
    )]
    pub address: Target,

    /// Recorded database to look into, instead of a running recorder
    #[arg(value_name = "FILE.db")]
    pub file: Option<PathBuf>,
}
