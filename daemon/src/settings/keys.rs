//! What can be given, on the command line and in files.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

/// Keys of the command line and of the configuration file.
///
/// Types are as wide as a file's, so that `values` judges ranges, for both, in its own words.
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
    pub ring_size: Option<i64>,

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

    /// Alerts from this level on are written to the system journal too [default: high]
    ///
    /// informational, low, medium, high, critical, or none. The journal gets the command line, which
    /// may hold secrets, and whoever may read the journal reads it there.
    #[arg(long, value_name = "LEVEL")]
    pub journal_alerts: Option<String>,

    /// Executed files that are recognised without being looked up [default: 1024]
    #[arg(long, value_name = "NUMBER")]
    pub binary_cache_size: Option<i64>,

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

    /// Processes that ended longer ago than this are deleted, such as 30d [default: 30d]
    ///
    /// Not those of alerts, see --alert-retention-age. 0s keeps everything.
    #[arg(long, value_name = "TIME")]
    pub retention_age: Option<String>,

    /// The oldest processes are deleted while the database is larger than this [default: 10GiB]
    ///
    /// At least 64MiB. Copies of executed files are not counted, see --binary-total-limit. 0 is no
    /// limit.
    #[arg(long, value_name = "SIZE")]
    pub retention_size: Option<String>,

    /// Alerts, their processes and the ancestors of these are kept for so long [default: 365d]
    ///
    /// 0s keeps them for ever.
    #[arg(long, value_name = "TIME")]
    pub alert_retention_age: Option<String>,

    /// Where the web page is, on this machine only, or none [default: 127.0.0.1:8080]
    ///
    /// The page is another program, bpf-recorderd web, and its links lead there.
    #[arg(long, value_name = "ADDRESS")]
    pub web_address: Option<String>,

    /// Let the web page show figures to anybody at /metrics: true or false [default: false]
    ///
    /// For Prometheus. Counters and sizes; nothing of what was recorded.
    #[arg(long, value_name = "BOOL")]
    pub web_metrics: Option<bool>,

    /// Messages of the daemon itself: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}

impl Keys {
    /// As they are written in files, and behind `--`.
    pub(super) fn names() -> Vec<String> {
        let command = Keys::augment_args(clap::Command::new("keys"));
        command.get_arguments().filter_map(|key| key.get_long().map(str::to_owned)).collect()
    }

    /// These, and where they are silent those of `other`.
    pub(super) fn over(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            bus: self.bus.or(other.bus),
            user: self.user.or(other.user),
            ring_size: self.ring_size.or(other.ring_size),
            environment: self.environment.or(other.environment),
            environment_only: self.environment_only.or(other.environment_only),
            redact: self.redact.or(other.redact),
            shipped_rules: self.shipped_rules.or(other.shipped_rules),
            admin_rules: self.admin_rules.or(other.admin_rules),
            alert_repeat: self.alert_repeat.or(other.alert_repeat),
            journal_alerts: self.journal_alerts.or(other.journal_alerts),
            binary_cache_size: self.binary_cache_size.or(other.binary_cache_size),
            binary_file_limit: self.binary_file_limit.or(other.binary_file_limit),
            binary_total_limit: self.binary_total_limit.or(other.binary_total_limit),
            binary_min_free: self.binary_min_free.or(other.binary_min_free),
            retention_age: self.retention_age.or(other.retention_age),
            retention_size: self.retention_size.or(other.retention_size),
            alert_retention_age: self.alert_retention_age.or(other.alert_retention_age),
            web_address: self.web_address.or(other.web_address),
            web_metrics: self.web_metrics.or(other.web_metrics),
            log: self.log.or(other.log),
        }
    }
}
