//! From arguments and the configuration file to settled settings, in one step.
//!
//! One struct describes every key: clap reads it for the command line and `--help`, serde for the
//! file. A key on the command line wins over the file, the file over the default.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;

pub const DEFAULT_CONFIG: &str = "/etc/bpf-recorder/config.toml";
const DEFAULT_DATA_DIR: &str = "/var/lib/bpf-recorder";
const DEFAULT_RING_SIZE: u32 = 16 << 20;
const DEFAULT_SHIPPED_RULES: &str = "/usr/share/bpf-recorder/rules";
const DEFAULT_ADMIN_RULES: &str = "/etc/bpf-recorder/rules";
const DEFAULT_REPEAT_NS: i64 = 3600 * 1_000_000_000;
const MOST_DURATION_NS: i64 = 366 * 24 * 3600 * 1_000_000_000;

/// Keys of the command line and of the configuration file.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// Directory of the database [default: /var/lib/bpf-recorder]
    ///
    /// Created where it is missing, and given to the user the recorder runs as.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// D-Bus to serve: system, session, or unix:path=PATH [default: system]
    ///
    /// With unix:path=PATH the recorder itself is the peer at that socket and no bus daemon is
    /// needed. It admits root and the user it runs as (see --user).
    #[arg(long, value_name = "BUS")]
    pub bus: Option<String>,

    /// User that the unprivileged half runs as [default: see below]
    ///
    /// A name or a number. Without it: `bpf-recorder` where that user exists, else the user that
    /// called sudo, else `nobody`.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Size of the ring between kernel and recorder, in bytes: a power of two [default: 16777216]
    ///
    /// Holds what happens while the recorder writes, or restarts. The kernel drops what does not
    /// fit; the losses are counted and shown.
    #[arg(long, value_name = "BYTES")]
    pub ring_size: Option<u32>,

    /// Record the environment of processes: true or false [default: true]
    #[arg(long, value_name = "BOOL")]
    pub environment: Option<bool>,

    /// Record only these environment variables, comma-separated [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub environment_only: Option<Vec<String>>,

    /// Redact the values of environment variables whose name contains one of these words
    ///
    /// Comma-separated, letter case does not matter. An empty list redacts nothing.
    /// [default: PASSWORD,PASSWD,SECRET,TOKEN,CREDENTIAL,APIKEY,API_KEY,ACCESS_KEY,PRIVATE_KEY]
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub redact: Option<Vec<String>>,

    /// Directory of the rules that come with the program [default: /usr/share/bpf-recorder/rules]
    #[arg(long, value_name = "DIR")]
    pub shipped_rules: Option<PathBuf>,

    /// Directory of the administrator's own rules [default: /etc/bpf-recorder/rules]
    ///
    /// A rule there takes the place of a shipped one with its id; an uploaded one, in the data
    /// directory, takes the place of both. Changes are noticed.
    #[arg(long, value_name = "DIR")]
    pub admin_rules: Option<PathBuf>,

    /// Count what happens again on the alert it raised, for so long, such as 1h [default: 1h]
    ///
    /// The same: of one rule, by a parent with one command line, with one command line. The time
    /// begins anew with each repeat. 0s raises an alert each time.
    #[arg(long, value_name = "TIME")]
    pub alert_repeat: Option<String>,

    /// Executed files that are recognised without being looked up [default: 1024]
    #[arg(long, value_name = "NUMBER")]
    pub binary_cache_size: Option<usize>,

    /// Executed files that are larger are neither read nor kept [default: 256MiB]
    ///
    /// A number of bytes, or with a unit such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    pub binary_file_limit: Option<String>,

    /// What the copies of executed files may take on disk [default: 4GiB]
    ///
    /// The least recently executed ones are removed for others, unless they are pinned or an alert
    /// refers to them. 0 keeps no copies; hashes are still recorded.
    #[arg(long, value_name = "SIZE")]
    pub binary_total_limit: Option<String>,

    /// No copies are made while less space than this is free on the disk [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub binary_min_free: Option<String>,

    /// Messages of the daemon itself: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}

/// Where the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    System,
    Session,
    /// Peer to peer on a socket of our own.
    Socket(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub bus: Bus,
    pub user: Option<String>,
    pub ring_size_bytes: u32,
    pub environment: Environment,
    pub detection: Detection,
    pub binaries: Binaries,
    pub log: String,
}

/// What is kept of executed files.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub cache_entries: usize,
    pub file_limit_bytes: u64,
    pub total_limit_bytes: u64,
    pub min_free_bytes: u64,
}

/// Where rules lie, and what becomes of repeats.
#[derive(Debug, Clone)]
pub struct Detection {
    pub shipped_rules: PathBuf,
    pub admin_rules: PathBuf,
    pub repeat_ns: i64,
}

/// What is kept of the environment of processes.
#[derive(Debug, Clone)]
pub struct Environment {
    pub is_recorded: bool,
    pub only: Option<Vec<String>>,
    /// In upper case.
    pub redacted_words: Vec<String>,
}

impl Settings {
    /// Settles `arguments` over the file at `config` (the default one may be absent).
    pub fn settle(arguments: Keys, config: Option<&Path>) -> anyhow::Result<Self> {
        let file = match config {
            Some(path) => read(path)?,
            None if Path::new(DEFAULT_CONFIG).exists() => read(Path::new(DEFAULT_CONFIG))?,
            None => Keys::default(),
        };
        arguments.over(file).settle()
    }
}

fn read(path: &Path) -> anyhow::Result<Keys> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read configuration {}", path.display()))?;
    // The library's error names the unknown key, its line, and the keys there are.
    toml::from_str(&text).with_context(|| format!("configuration {} is not usable", path.display()))
}

impl Keys {
    fn over(self, file: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(file.data_dir),
            bus: self.bus.or(file.bus),
            user: self.user.or(file.user),
            ring_size: self.ring_size.or(file.ring_size),
            environment: self.environment.or(file.environment),
            environment_only: self.environment_only.or(file.environment_only),
            redact: self.redact.or(file.redact),
            shipped_rules: self.shipped_rules.or(file.shipped_rules),
            admin_rules: self.admin_rules.or(file.admin_rules),
            alert_repeat: self.alert_repeat.or(file.alert_repeat),
            binary_cache_size: self.binary_cache_size.or(file.binary_cache_size),
            binary_file_limit: self.binary_file_limit.or(file.binary_file_limit),
            binary_total_limit: self.binary_total_limit.or(file.binary_total_limit),
            binary_min_free: self.binary_min_free.or(file.binary_min_free),
            log: self.log.or(file.log),
        }
    }

    fn settle(self) -> anyhow::Result<Settings> {
        let ring_size_bytes = self.ring_size.unwrap_or(DEFAULT_RING_SIZE);
        if !ring_size_bytes.is_power_of_two() || !(4096..=1 << 30).contains(&ring_size_bytes) {
            bail!(
                "ring-size is {ring_size_bytes}: give a power of two from 4096 to 1073741824 \
                 (for example 16777216)"
            );
        }
        Ok(Settings {
            data_dir: self.data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into()),
            bus: self.bus.as_deref().map_or(Ok(Bus::System), parse_bus)?,
            user: self.user,
            ring_size_bytes,
            environment: Environment {
                is_recorded: self.environment.unwrap_or(true),
                only: self.environment_only,
                redacted_words: self.redact.map_or_else(default_redacted_words, |words| {
                    words.iter().filter(|w| !w.is_empty()).map(|w| w.to_uppercase()).collect()
                }),
            },
            detection: Detection {
                shipped_rules: self.shipped_rules.unwrap_or_else(|| DEFAULT_SHIPPED_RULES.into()),
                admin_rules: self.admin_rules.unwrap_or_else(|| DEFAULT_ADMIN_RULES.into()),
                repeat_ns: self
                    .alert_repeat
                    .as_deref()
                    .map_or(Ok(DEFAULT_REPEAT_NS), |text| parse_duration("alert-repeat", text))?,
            },
            binaries: Binaries {
                cache_entries: cache_size(self.binary_cache_size)?,
                file_limit_bytes: size_or(
                    "binary-file-limit",
                    self.binary_file_limit.as_deref(),
                    256 << 20,
                )?,
                total_limit_bytes: size_or(
                    "binary-total-limit",
                    self.binary_total_limit.as_deref(),
                    4 << 30,
                )?,
                min_free_bytes: size_or(
                    "binary-min-free",
                    self.binary_min_free.as_deref(),
                    1 << 30,
                )?,
            },
            log: parse_level(self.log)?,
        })
    }
}

fn default_redacted_words() -> Vec<String> {
    [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub fn parse_bus(text: &str) -> anyhow::Result<Bus> {
    match text {
        "system" => Ok(Bus::System),
        "session" => Ok(Bus::Session),
        _ => match text.strip_prefix("unix:path=") {
            Some(path) if !path.is_empty() && !path.contains(',') => Ok(Bus::Socket(path.into())),
            _ => bail!("bus is {text:?}: give system, session or unix:path=PATH"),
        },
    }
}

/// A number with `s`, `m`, `h` or `d`; in nanoseconds.
fn parse_duration(key: &str, text: &str) -> anyhow::Result<i64> {
    let unit_secs = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 24 * 3600,
        _ => 0,
    };
    let number: Option<i64> = text.get(..text.len().saturating_sub(1)).and_then(|n| n.parse().ok());
    number
        .filter(|number| unit_secs > 0 && *number >= 0)
        .and_then(|number| number.checked_mul(unit_secs * 1_000_000_000))
        .filter(|ns| *ns <= MOST_DURATION_NS)
        .with_context(|| {
            format!("{key} is {text:?}: give a number with s, m, h or d, at most 366d")
        })
}

fn cache_size(entries: Option<usize>) -> anyhow::Result<usize> {
    const MOST: usize = 1 << 20;
    let entries = entries.unwrap_or(1024);
    if !(1..=MOST).contains(&entries) {
        bail!("binary-cache-size is {entries}: give a number from 1 to {MOST}");
    }
    Ok(entries)
}

/// Bytes; a number with or without a unit.
fn size_or(key: &str, text: Option<&str>, default: u64) -> anyhow::Result<u64> {
    let Some(text) = text else { return Ok(default) };
    common::filter::parse_size(text).and_then(|bytes| u64::try_from(bytes).ok()).with_context(
        || format!("{key} is {text:?}: give a number of bytes, or one with a unit such as 64MiB"),
    )
}

fn parse_level(level: Option<String>) -> anyhow::Result<String> {
    let level = level.unwrap_or_else(|| "info".to_owned());
    if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        bail!("log is {level:?}: give error, warn, info, debug or trace");
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Keys, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = keys("data-dir = '/x'\nring-sise = 5\n").unwrap_err().to_string();
        assert!(error.contains("ring-sise") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn arguments_win_over_the_file() {
        let file = keys("bus = 'session'\nring-size = 8192\nredact = ['pin']").unwrap();
        let arguments = Keys { bus: Some("unix:path=/x".into()), ..Keys::default() };
        let settings = arguments.over(file).settle().unwrap();
        assert_eq!(settings.bus, Bus::Socket("/x".into()));
        assert_eq!(settings.ring_size_bytes, 8192);
        assert_eq!(settings.environment.redacted_words, ["PIN"]);
        assert_eq!(settings.data_dir, Path::new(DEFAULT_DATA_DIR));
    }

    #[test]
    fn bad_values_name_the_remedy() {
        for text in [
            "ring-size = 5000",
            "bus = 'tcp:x'",
            "log = 'loud'",
            "alert-repeat = '1w'",
            "binary-file-limit = 'big'",
            "binary-cache-size = 0",
        ] {
            let error = keys(text).unwrap().settle().unwrap_err().to_string();
            assert!(error.contains("give "), "{error}");
        }
    }
}
