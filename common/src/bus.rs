//! Names and proxies of the D-Bus interface: the one way to reach the daemon.

pub mod reach;
mod target;

use serde::{Deserialize, Serialize};
use zbus::OwnedFd;

use crate::ecs::Done;
pub use crate::rule::Affected;
pub use target::Target;

pub const NAME: &str = "org.bpfrecorder.Recorder1";
pub const PATH: &str = "/org/bpfrecorder/Recorder1";

/// D-Bus errors, named for what the caller can do about them.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bpfrecorder.Recorder1.Error")]
pub enum Error {
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The caller may not do this.
    AccessDenied(String),
    /// The filter does not parse; the text points at the column.
    InvalidFilter(String),
    /// An argument is out of its range.
    InvalidArgument(String),
    /// No such process, or none with this pid.
    NotFound(String),
    /// The pid was used by several processes; the text is a JSON array of [`Candidate`]s.
    Ambiguous(String),
    /// The daemon serves a recorded database.
    ReadOnly(String),
    /// Too many queries or subscriptions at once.
    Busy(String),
    /// The content of a file is known, but no copy of it was kept; the text says why.
    NotKept(String),
    /// The copy of a file is not what it should be.
    Damaged(String),
    /// A fault of the recorder or of its database.
    Failed(String),
}

/// One of several processes that a pid may mean.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Candidate {
    pub entity_id: crate::id::ProcessId,
    pub start: String,
    pub executable: String,
    pub command_line: String,
    pub state: String,
}

/// A value of a field and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub value: String,
    pub count: u64,
    /// First and last occurrence, nanoseconds since 1970.
    pub first_ns: i64,
    pub last_ns: i64,
}

/// One line of what counting gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountLine {
    /// Of a histogram: its only line but the last.
    Buckets(Vec<u64>),
    /// The last line of every result. One without it was cut off.
    Done(Done),
    #[serde(untagged)]
    Value(Count),
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Manager",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Manager {
    /// Version, state, figures: a JSON document, see [`crate::health::Health`].
    async fn health(&self) -> Result<String, Error>;

    /// Gaps of the recording between two times (nanoseconds since 1970, 0: no limit), newest
    /// first: NDJSON.
    async fn gaps(&self, since_ns: i64, until_ns: i64, limit: u32) -> Result<OwnedFd, Error>;

    #[zbus(property)]
    fn version(&self) -> zbus::Result<String>;

    /// `starting`, `recording`, `stopping` or `read-only`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Processes",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Processes {
    /// Records that match, as NDJSON on a pipe that ends with a `done` line.
    ///
    /// `limit` 0 means all. `cursor` is empty or that of the last `done` line.
    async fn query(
        &self,
        filter: &str,
        limit: u32,
        newest_first: bool,
        cursor: &str,
    ) -> Result<OwnedFd, Error>;

    /// Records as they happen, until the pipe is closed; first the newest `backlog` stored ones.
    async fn subscribe(&self, filter: &str, backlog: u32) -> Result<OwnedFd, Error>;

    /// Every record of one process, as a JSON array in the order of its execs.
    ///
    /// `id` is an entity id, or a pid.
    async fn get(&self, id: &str) -> Result<String, Error>;

    /// Ancestors (up to `up` generations) and descendants (up to `down`), at most `limit` records:
    /// NDJSON, ancestors from the oldest, then the process, then descendants, parents before
    /// children and siblings by start.
    async fn tree(&self, id: &str, up: u32, down: u32, limit: u32) -> Result<OwnedFd, Error>;

    /// How many records that match began in each of `buckets` equal parts of a time range
    /// (nanoseconds since 1970): NDJSON, see [`CountLine`].
    async fn histogram(
        &self,
        filter: &str,
        from_ns: i64,
        to_ns: i64,
        buckets: u32,
    ) -> Result<OwnedFd, Error>;

    /// The values of a field that occur most often, or most rarely: NDJSON, see [`CountLine`].
    async fn top(
        &self,
        field: &str,
        filter: &str,
        limit: u32,
        rarest: bool,
    ) -> Result<OwnedFd, Error>;
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Rules",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Rules {
    /// Every rule with its state: a JSON array of [`crate::rule::RuleInfo`].
    async fn list(&self) -> Result<String, Error>;

    /// One rule with its text: JSON, see [`crate::rule::RuleText`].
    ///
    /// `id` is the id of a rule, a beginning of one that is no other's, or a whole title.
    async fn get(&self, id: &str) -> Result<String, Error>;

    /// Switches rules on or off. `patterns` are ids, titles, `tag:TAG`, `level:LEVEL`, or globs of
    /// these; a rule that fits one is meant.
    async fn set_enabled(&self, patterns: &[&str], is_enabled: bool) -> Result<Affected, Error>;

    /// Stores a file of rules, replacing an uploaded one of the same name: JSON, see
    /// [`crate::rule::Report`].
    async fn upload(&self, name: &str, content: &[u8]) -> Result<String, Error>;

    /// As `upload`, and stores nothing.
    async fn validate(&self, name: &str, content: &[u8]) -> Result<String, Error>;

    /// Removes uploaded rules; `patterns` as of `set_enabled`.
    async fn remove(&self, patterns: &[&str]) -> Result<Affected, Error>;

    /// Reads all directories anew; returns when the rules are in force.
    async fn reload(&self) -> Result<(), Error>;

    /// What a stored rule (`id`) would have fired on, among the records that match `filter`: NDJSON
    /// of [`crate::rule::HuntLine`].
    async fn hunt(&self, id: &str, filter: &str) -> Result<OwnedFd, Error>;

    /// As `hunt`, for rules that are not stored.
    async fn hunt_text(&self, content: &[u8], filter: &str) -> Result<OwnedFd, Error>;

    /// The set of rules, or the state of one, is another.
    #[zbus(signal)]
    fn changed(&self) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Alerts",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Alerts {
    /// Alerts as NDJSON of [`crate::alert::AlertLine`] on a pipe, newest first.
    ///
    /// `filter` is of the process that made the rule fire. `selection` narrows to statuses, a
    /// lowest level and a rule. `limit` 0 means all. `cursor` is empty or that of the last `done`
    /// line.
    async fn query(
        &self,
        filter: &str,
        selection: &AlertSelection,
        limit: u32,
        cursor: &str,
    ) -> Result<OwnedFd, Error>;

    /// Alerts as they are raised, and as they change, until the pipe is closed; first the newest
    /// `backlog` stored ones.
    async fn subscribe(
        &self,
        filter: &str,
        selection: &AlertSelection,
        backlog: u32,
    ) -> Result<OwnedFd, Error>;

    /// One alert: JSON, see [`crate::alert::Alert`].
    async fn get(&self, id: u64) -> Result<String, Error>;

    /// Sets the status of alerts, with a note (empty: none); an empty status leaves it. Returns how
    /// many there were of these ids.
    async fn set(&self, ids: &[u64], status: &str, note: &str) -> Result<u32, Error>;

    /// A rule fired for the first time on this. Repeats raise nothing.
    #[zbus(signal)]
    fn raised(&self, id: u64, rule_id: &str, level: &str) -> zbus::Result<()>;

    /// The status or the note of an alert is another.
    #[zbus(signal)]
    fn updated(&self, id: u64) -> zbus::Result<()>;
}

/// Which alerts; an empty part does not narrow.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, zbus::wire::Type,
)]
pub struct AlertSelection {
    /// Names of [`crate::alert::Status`].
    pub statuses: Vec<String>,
    /// Name of the lowest [`crate::rule::Level`].
    pub level: String,
    /// Id of a rule, or a glob of its title.
    pub rule: String,
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Binaries",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Binaries {
    /// Contents that ran, as NDJSON of [`crate::binary::BinaryLine`] on a pipe.
    ///
    /// `filter` is of the processes that ran them: one run that matches is enough. `limit` 0 means
    /// all.
    async fn query(
        &self,
        filter: &str,
        selection: &BinarySelection,
        limit: u32,
    ) -> Result<OwnedFd, Error>;

    /// One content: JSON, see [`crate::binary::Binary`].
    ///
    /// `hash` is its SHA-256, SHA-1 or MD5, or a beginning of at least six digits that is no
    /// other's; so below.
    async fn get(&self, hash: &str) -> Result<String, Error>;

    /// The content itself, on a pipe, once its copy has been found undamaged.
    async fn open(&self, hash: &str) -> Result<OwnedFd, Error>;

    /// Reads every copy: NDJSON of [`crate::binary::VerifyLine`].
    async fn verify(&self) -> Result<OwnedFd, Error>;

    /// Keeps contents from being removed to make room, or lets them be again. Returns how many of
    /// the hashes were known.
    async fn pin(&self, hashes: &[&str], is_pinned: bool) -> Result<u32, Error>;
}

/// Which contents, and in which order.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, zbus::wire::Type,
)]
pub struct BinarySelection {
    /// `last` (run last), `first` (seen first last) or `rarest`; empty: `last`.
    pub order: String,
    /// Seen first at this time or later (nanoseconds since 1970); 0: whenever.
    pub first_since_ns: i64,
    /// Only what no package owns.
    pub is_unpackaged: bool,
    /// Only what every run of matches the filter, not just one.
    pub is_only: bool,
}

#[zbus::proxy(
    interface = "org.bpfrecorder.Recorder1.Web",
    default_service = "org.bpfrecorder.Recorder1",
    default_path = "/org/bpfrecorder/Recorder1"
)]
pub trait Web {
    /// A link to the web page that works once and soon: JSON, see [`crate::web::WebLink`].
    ///
    /// `rights` are names of [`crate::web::WebRight`]; none of them means all that the caller has.
    async fn create_link(&self, rights: &[&str]) -> Result<String, Error>;

    /// Binds this connection to the session that the secret of a link stands for: JSON, see
    /// [`crate::web::WebSession`]. From then on it may do what the session may, and nothing else.
    async fn redeem(&self, secret: &str) -> Result<String, Error>;

    /// The session that this connection is bound to, while it lasts: JSON.
    async fn session(&self) -> Result<String, Error>;

    /// The caller's sessions, or everybody's for who controls the recorder: a JSON array.
    async fn sessions(&self) -> Result<String, Error>;

    /// Ends a session, or with 0 all that the caller may see. Returns how many ended.
    async fn revoke(&self, id: u32) -> Result<u32, Error>;

    /// Figures without content, as Prometheus reads them; for anybody if the configuration says so.
    async fn metrics(&self) -> Result<String, Error>;
}
