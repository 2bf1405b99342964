//! The command line of the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings;
#[cfg(feature = "capture")]
use crate::settings::Keys;
#[cfg(feature = "capture")]
use crate::settings::Settings;

/// Record every process of this machine
///
/// Captures each fork, exec and exit in the kernel with eBPF, keeps them in an SQLite database and
/// answers queries over D-Bus (see bpfctl).
#[derive(Debug, Parser)]
#[command(name = "bpf-recorderd", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record this machine until SIGTERM or SIGINT
    ///
    /// Needs root and Linux 5.8 or newer with BTF. The half that reads untrusted data runs without
    /// privilege, as another user.
    #[cfg(feature = "capture")]
    Run {
        /// Configuration file with the same keys as below [default: /etc/bpf-recorder/config.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        keys: Box<Keys>,
    },
    /// Serve a recorded database, read-only
    ///
    /// Needs no privilege and no eBPF. Look with: bpfctl --address unix:path=PATH events
    Open {
        /// Database that a recorder wrote
        #[arg(value_name = "FILE.db")]
        file: PathBuf,
        /// D-Bus to serve: system, session, or unix:path=PATH
        #[arg(long, value_name = "BUS", default_value = "unix:path=./bpf-recorder.bus")]
        bus: String,
    },
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before the log exists as well as after: plain text that journald and a person read.
            eprintln!("bpf-recorderd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "capture")]
        Command::Run { config, keys } => {
            let settings = Settings::settle(*keys, config.as_deref())?;
            crate::log::init(&settings.log);
            crate::sensor::run(&settings)
        }
        Command::Open { file, bus } => {
            crate::log::init("info");
            crate::bus::open::run(&file, &settings::parse_bus(&bus)?)
        }
    }
}

/// The definition, for the manual and the shell completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn definition_is_sound() {
        super::command().debug_assert();
    }
}
