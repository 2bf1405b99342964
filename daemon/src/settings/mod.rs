//! From arguments and configuration files to settled settings, in one step.
//!
//! `keys` are what can be given, in one struct: clap reads it for the command line and `--help`,
//! serde for the files. `file` finds and reads the files, `check` finds what is wrong in a text and
//! where, `values` has the defaults and judges values, `units` what values are made of. A key on the
//! command line wins over the files, a later file over an earlier one, any over the default.

mod check;
#[cfg(test)]
mod documents;
mod file;
mod keys;
mod mistake;
mod units;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use common::rule::Level;

#[cfg(all(feature = "capture", any(test, feature = "fuzz")))]
pub(crate) use self::check::check as check_text;
pub use self::file::DEFAULT_CONFIG;
pub use self::keys::Keys;
pub use self::mistake::{Mistake, Mistakes};
#[cfg(feature = "capture")]
pub(crate) use self::values::REDACTED_WORDS;

/// Where the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    System,
    Session,
    /// Peer to peer on a socket of our own.
    Socket(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub bus: Bus,
    pub user: Option<String>,
    pub ring_size_bytes: u32,
    pub environment: Environment,
    pub detection: Detection,
    pub binaries: Binaries,
    pub retention: Retention,
    pub web: Web,
    pub log: String,
}

/// The web page, which is another process. There is none by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Web {
    /// On this machine only; `None` is no page.
    pub address: Option<SocketAddr>,
    /// Figures without content are for anybody on this machine.
    pub has_metrics: bool,
}

/// What is kept of executed files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub cache_entries: usize,
    pub file_limit_bytes: u64,
    pub total_limit_bytes: u64,
    pub min_free_bytes: u64,
}

/// How long records are kept; `None` is for ever, or without limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    pub age_ns: Option<i64>,
    /// Of the database, without the copies of executed files.
    pub size_bytes: Option<u64>,
    /// Of alerts, their processes, and the ancestors of these.
    pub alert_age_ns: Option<i64>,
}

/// Where rules lie, what becomes of repeats, and who else is told of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    pub shipped_rules: PathBuf,
    pub admin_rules: PathBuf,
    pub repeat_ns: i64,
    /// From which level on the system journal gets an alert; `None` is none.
    pub journal_alerts: Option<Level>,
}

/// What is kept of the environment of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub is_recorded: bool,
    pub only: Option<Vec<String>>,
    /// In upper case.
    pub redacted_words: Vec<String>,
}

impl Settings {
    /// Settles `arguments` over the file at `config` and its drop-ins (the default file may be
    /// absent). Can be repeated, to see what the files say by then.
    ///
    /// The error is a [`Mistakes`], with everything that is wrong.
    pub fn settle(arguments: &Keys, config: Option<&Path>) -> anyhow::Result<Self> {
        let file::Configuration { keys, mut mistakes, .. } = file::Configuration::read(config);
        // Each file was judged by itself, so what the arguments bring is settled by itself too.
        if let Err(problems) = arguments.settle() {
            mistakes.extend(problems.into_iter().map(Mistake::of_argument));
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes).into());
        }
        arguments.clone().over(keys).settle().map_err(|problems| {
            Mistakes(problems.into_iter().map(Mistake::of_argument).collect()).into()
        })
    }

    /// Of arguments alone, where there is nothing to configure.
    pub fn of_arguments(arguments: &Keys) -> Result<Self, Mistakes> {
        arguments
            .settle()
            .map_err(|problems| Mistakes(problems.into_iter().map(Mistake::of_argument).collect()))
    }

    /// The keys whose change takes effect only when the service is stopped and started: what they
    /// name is made, or given away, before the recorder starts, and the ring is kept at a restart.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let changes = [
            ("data-dir", self.data_dir != new.data_dir),
            ("bus", self.bus != new.bus),
            ("user", self.user != new.user),
            ("ring-size", self.ring_size_bytes != new.ring_size_bytes),
            ("web-address", self.web.address != new.web.address),
            ("web-metrics", self.web.has_metrics != new.web.has_metrics),
        ];
        changes.into_iter().filter(|(_, is_changed)| *is_changed).map(|(key, _)| key).collect()
    }
}

/// The files that were read, if all of them can be used.
pub fn check(config: Option<&Path>) -> Result<Vec<PathBuf>, Mistakes> {
    let file::Configuration { files, mistakes, .. } = file::Configuration::read(config);
    if mistakes.is_empty() { Ok(files) } else { Err(Mistakes(mistakes)) }
}

/// Of an argument that is no key of the configuration.
pub fn parse_bus(text: &str) -> Result<Bus, Mistake> {
    let problem = |text| Mistake::of_argument(values::Problem { key: "bus", text });
    units::bus(text).map_err(problem)
}

#[cfg(test)]
mod tests;
