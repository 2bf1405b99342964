//! The state of a recorder, in figures a person can check.

pub mod figures;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub version: String,
    /// `starting`, `recording`, `stopping` or `read-only`.
    pub state: String,
    pub host: String,
    pub kernel: String,
    pub boot_id: String,
    /// When this recorder began, RFC 3339.
    pub since: String,
    pub store: Store,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// What a person should know or do, worst first; empty when all is well.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    pub path: String,
    /// Of the database and its write-ahead log.
    pub size_bytes: u64,
    pub free_disk_bytes: u64,
    /// Records in the database.
    pub records: u64,
    /// Of all records; older ones than `complete_since` are those that had to stay.
    pub oldest: Option<String>,
    /// Of what was recorded since then nothing has been deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_since: Option<String>,
    pub newest: Option<String>,
    /// Rows of the `gaps` table and the records they stand for, as far back as records are kept.
    pub gaps: u64,
    pub lost: u64,
    /// Alerts with the status `new`, among the newest 10,000.
    #[serde(default)]
    pub alerts_new: u64,
    /// `None` where nobody writes the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

/// What is kept, and what this recorder has deleted since it began. A limit that is `None` is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub age_ns: Option<u64>,
    pub size_bytes: Option<u64>,
    pub alert_age_ns: Option<u64>,
    pub deleted_records: u64,
    pub deleted_alerts: u64,
    /// Of these, for want of room and before their time.
    pub deleted_alerts_early: u64,
    pub deleted_gaps: u64,
    /// When something was deleted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pass: Option<String>,
    /// In the file, for what comes next.
    pub free_bytes: u64,
    /// A database of an earlier version is looked through first, once.
    #[serde(default)]
    pub is_preparing: bool,
    /// The clock was set ahead; what is too old by it stays until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_doubted_until: Option<String>,
    /// Why a limit cannot be met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// Figures since the ring was created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// User that the unprivileged half runs as.
    pub recorder_user: String,
    pub recorder_pid: u32,
    pub sensor_pid: u32,
    /// How often the sensor had to restart the recorder.
    pub recorder_restarts: u32,
    pub ring_size_bytes: u64,
    /// Bytes that wait in the ring, read or not, for the database.
    pub ring_used_bytes: u64,
    /// Records that the kernel programs meant to send.
    pub meant: Kinds,
    pub sent: Kinds,
    pub dropped_ring_full: Kinds,
    /// Rules in force.
    #[serde(default)]
    pub rules: u64,
    /// Events that were recorded, but on which the rules could not be evaluated.
    #[serde(default)]
    pub not_evaluated: u64,
    /// Events that the kernel skipped: a program could not be entered twice on one CPU.
    pub not_run: u64,
    /// Records read from the ring and understood.
    pub decoded: Kinds,
    pub undecodable: u64,
    /// Ends reported twice by the kernel; only the first counts.
    pub duplicate_exits: u64,
    /// Captured fields that could not be read, by field.
    pub faults: Vec<Named>,
    /// Captured fields that were longer than what is kept, by field.
    pub cuts: Vec<Named>,
    pub programs: Vec<Program>,
    /// Processes in the table of running ones.
    pub running: u64,
    /// `iterator`, `proc` or `none`: how processes older than the recorder were found.
    pub snapshot: String,
    /// Age of the oldest event that is not yet in the database.
    pub lag_ms: u64,
    pub resident_bytes: u64,
    /// Executed files.
    #[serde(default)]
    pub files: Files,
    /// Events not sent to slow subscribers.
    pub subscriber_missed: u64,
    pub subscribers: u32,
}

/// What became of the executed files that the recorder had to look at, since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Read from the first to the last byte.
    pub read: u64,
    /// Known from before.
    pub known: u64,
    /// Not read, by reason.
    pub unread: Vec<Named>,
    /// Not even asked for: too many at once.
    pub not_asked: u64,
    /// Execs on which rules that ask for a hash were not evaluated: too many waited for theirs.
    pub not_judged: u64,
    /// Wait to be opened or read.
    pub waiting: u64,
    /// Copies, and what they take on disk.
    pub kept: u64,
    pub kept_bytes: u64,
    /// Copies removed to make room.
    pub evicted: u64,
    /// Copies that the database knew of, and that were not there.
    #[serde(default)]
    pub disappeared: u64,
    /// Why no copies can be kept at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    pub fork: u64,
    pub exec: u64,
    pub exit: u64,
}

impl Kinds {
    pub fn total(self) -> u64 {
        self.fork + self.exec + self.exit
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub count: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub name: String,
    pub run_count: u64,
    /// 0 unless `kernel.bpf_stats_enabled` is set.
    pub run_time_ns: u64,
    /// `None` where the kernel does not count them (before 5.12).
    pub recursion_misses: Option<u64>,
}
