//! The command line of the daemon.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use common::bus::Target;

use crate::settings::{self, Bus, Keys, Mistakes, Settings};

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
        ///
        /// Then those in the directory config.d beside it are read, by name: *.toml.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        keys: Box<Keys>,
    },
    /// Print everything that is wrong with the configuration files
    ///
    /// Each mistake with file, line and column; what is good at the start is good here, and the
    /// other way round. Needs no privilege.
    CheckConfig {
        /// Configuration file to begin with [default: /etc/bpf-recorder/config.toml]
        ///
        /// Then those in the directory config.d beside it are read, by name: *.toml.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Serve a recorded database, read-only
    ///
    /// Needs no privilege and no eBPF. Look in a browser at the link that is printed, or with:
    /// bpfctl --address unix:path=PATH events
    Open {
        /// Database that a recorder wrote, or the data directory of a recorder
        #[arg(value_name = "FILE.db")]
        file: PathBuf,
        /// D-Bus to serve: system, session, or unix:path=PATH
        #[arg(long, value_name = "BUS", default_value = "unix:path=./bpf-recorder.bus")]
        bus: String,
        /// Where the web page is, on this machine only, or none
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        web_address: String,
        /// Serve the web page and nothing else
        #[arg(long, conflicts_with = "bus")]
        web_only: bool,
    },
    /// Serve the web page of a recorder that runs
    ///
    /// A program without any right of its own, that speaks D-Bus to the recorder. Get in with:
    /// bpfctl web --open
    Web {
        /// Configuration file, for the keys below [default: /etc/bpf-recorder/config.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// D-Bus of the recorder: system, session, or unix:path=PATH [default: system]
        #[arg(long, value_name = "BUS")]
        bus: Option<String>,
        /// Where to listen, on this machine only [default: 127.0.0.1:8080]
        ///
        /// A socket that the service manager hands down takes its place.
        #[arg(long, value_name = "ADDRESS")]
        web_address: Option<String>,
        /// Show figures to anybody at /metrics: true or false [default: false]
        #[arg(long, value_name = "BOOL")]
        web_metrics: Option<bool>,
    },
    /// Make the socket of the web page listen where the configuration says, as a systemd.generator(7)
    #[command(hide = true)]
    WebUnits {
        /// Directory for units that add to the installed ones
        normal: PathBuf,
        /// Directory for units that win over all others
        early: PathBuf,
        /// Not used
        late: PathBuf,
    },
}

pub fn main() -> ExitCode {
    crate::allocator::settle();
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before the log exists as well as after: plain text that journald and a person read.
            match error.downcast_ref::<Mistakes>() {
                // Editors jump to a line that begins with its place.
                Some(mistakes) => eprintln!("{mistakes}"),
                None => eprintln!("bpf-recorderd: {error:#}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "capture")]
        Command::Run { config, keys } => {
            let settings = Settings::settle(&keys, config.as_deref())?;
            crate::log::init(&settings.log);
            let again = move || Settings::settle(&keys, config.as_deref());
            crate::sensor::run(settings, Box::new(again))
        }
        Command::CheckConfig { config } => check_config(config.as_deref()),
        Command::Open { file, bus, web_address, web_only } => {
            let keys = Keys { web_address: Some(web_address), ..Keys::default() };
            let web = Settings::of_arguments(&keys)?.web;
            let bus = if web_only { None } else { Some(settings::parse_bus(&bus)?) };
            crate::log::init("info");
            crate::bus::open::run(&file, bus.as_ref(), web)
        }
        Command::Web { config, bus, web_address, web_metrics } => {
            let keys = Keys { bus, web_address, web_metrics, ..Keys::default() };
            let settings = Settings::settle(&keys, config.as_deref())?;
            crate::log::init(&settings.log);
            let target = match settings.bus {
                Bus::System => Target::SystemBus,
                Bus::Session => Target::SessionBus,
                Bus::Socket(path) => Target::of_socket(&path),
            };
            let settings::Web { address, has_metrics } = settings.web;
            crate::web::run(crate::web::Way::Bus(target), address, has_metrics)
        }
        Command::WebUnits { normal, early, late: _ } => {
            let settings = Settings::settle(&Keys::default(), None)?;
            crate::web::generate_units(settings.web.address, &normal, &early)
        }
    }
}

fn check_config(config: Option<&Path>) -> anyhow::Result<()> {
    let files = settings::check(config)?;
    let mut text = "configuration is good".to_owned();
    match &files[..] {
        [] => text.push_str(": there are no files, so all keys have their defaults\n"),
        files => {
            text.push_str(", from:\n");
            for file in files {
                text.push_str(&format!(
                    "  {}\n",
                    common::escape::terminal(&file.to_string_lossy())
                ));
            }
        }
    }
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads no further has the exit code.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("write to standard output"),
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
