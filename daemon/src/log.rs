//! The daemon's own messages: to the journal with fields where the service manager connected us to
//! it, else as text on standard error. No content of events, but for alerts that shall be there.

#[cfg(feature = "capture")]
mod plain;

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt as text, reload};

#[cfg(feature = "capture")]
pub(crate) use self::plain::to_standard_error;

/// Kinds of messages that others may look for (`MESSAGE_ID`); the catalogue explains each.
#[cfg(feature = "capture")]
pub(crate) mod kind {
    pub(crate) const STARTED: &str = "e6ab7ff6cfab4d2c88b1cd1a7c4cf05a";
    pub(crate) const EVENTS_LOST: &str = "0d6e2fb7bd9c4b5d9b2f9e6f3f4f1f0e";
    pub(crate) const RULES_CHANGED: &str = "5a1a7d3f9e2b4f0c8d9b7a5c3e1f2d4b";
    pub(crate) const ALERT_RAISED: &str = "b2c1f4de0a9841c2a3b7c5d6e8f90a1b";
    pub(crate) const RECORDER_RESTARTED: &str = "7c9e6679f5d04f6e8a1b2c3d4e5f6071";
    pub(crate) const CONFIGURATION_REFUSED: &str = "3f2a9b7c1d4e4a6f8b0c9d8e7f6a5b4c";
}

#[cfg(feature = "capture")]
pub(crate) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

struct Log {
    #[cfg_attr(not(feature = "capture"), expect(dead_code, reason = "for who can change it"))]
    level: Mutex<String>,
    #[cfg_attr(not(feature = "capture"), expect(dead_code, reason = "for who can change it"))]
    filter: reload::Handle<EnvFilter, Registry>,
    #[cfg_attr(not(feature = "capture"), expect(dead_code, reason = "for who can ask"))]
    is_journal: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

pub(crate) fn init(level: &str) {
    let (filter, handle) = reload::Layer::new(filter(level));
    // Fails where the journal cannot be reached after all.
    let journal = is_journal().then(|| tracing_journald::layer().ok()).flatten();
    let is_journal = journal.is_some();
    let journal = journal.map(|layer| layer.with_field_prefix(None));
    let text = (!is_journal).then(|| {
        text::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .compact()
            .fmt_fields(message_only())
    });
    tracing_subscriber::registry().with(filter).with(journal).with(text).init();
    let _ = LOG.set(Log { level: Mutex::new(level.to_owned()), filter: handle, is_journal });
}

/// From now on; in this process.
#[cfg(feature = "capture")]
pub(crate) fn set_level(level: &str) {
    let Some(log) = LOG.get() else { return };
    if let Ok(mut current) = log.level.lock()
        && log.filter.reload(filter(level)).is_ok()
    {
        level.clone_into(&mut current);
    }
}

#[cfg(feature = "capture")]
pub(crate) fn level() -> String {
    let level = LOG.get().and_then(|log| log.level.lock().ok().map(|level| level.clone()));
    level.unwrap_or_else(|| "info".to_owned())
}

/// Whether messages go to the journal.
#[cfg(feature = "capture")]
pub(crate) fn is_in_journal() -> bool {
    LOG.get().is_some_and(|log| log.is_journal)
}

/// zbus is chatty below warnings; its messages can hold bus traffic.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("warn,daemon={level}"))
}

/// Fields are for machines; the message says it all.
fn message_only() -> impl for<'writer> FormatFields<'writer> {
    debug_fn(
        |writer: &mut Writer<'_>, field, value: &dyn fmt::Debug| {
            if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
        },
    )
}

/// Whether standard error is the stream that the service manager made.
fn is_journal() -> bool {
    let Ok(stated) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = nix::sys::stat::fstat(io::stderr()) else { return false };
    stated == format!("{}:{}", stat.st_dev, stat.st_ino)
}
