//! The daemon's own messages, on standard error. Never the content of events.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

pub(crate) fn init(level: &str) {
    // zbus is chatty below warnings; its messages can hold bus traffic.
    let filter = EnvFilter::new(format!("warn,daemon={level}"));
    // The journal stamps the time itself.
    let is_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if is_journal { builder.without_time().init() } else { builder.compact().init() }
}
