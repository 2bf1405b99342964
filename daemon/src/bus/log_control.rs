//! `org.freedesktop.LogControl1`: how `systemctl service-log-level` asks and sets what is logged.
//! Source: org.freedesktop.LogControl1(5).

use common::bus::Error;
use zbus::message::Header;
use zbus::{Connection, fdo, interface};

use super::access::{Access, Right};
use crate::log;
use crate::recorder::link::Link;
use crate::sensor::protocol::Request;

pub(super) const PATH: &str = "/org/freedesktop/LogControl1";

pub(super) struct LogControl {
    access: Access,
    sensor: Link,
}

impl LogControl {
    pub(super) fn new(access: Access, sensor: Link) -> Self {
        Self { access, sensor }
    }
}

/// Levels of syslog, and what of them the daemon tells apart.
const LEVELS: [(&str, &str); 8] = [
    ("emerg", "error"),
    ("alert", "error"),
    ("crit", "error"),
    ("err", "error"),
    ("warning", "warn"),
    ("notice", "info"),
    ("info", "info"),
    ("debug", "debug"),
];

fn of_syslog(level: &str) -> Option<&'static str> {
    LEVELS.iter().find(|(name, _)| *name == level).map(|(_, ours)| *ours)
}

fn to_syslog(level: &str) -> &'static str {
    match level {
        "error" => "err",
        "warn" => "warning",
        "info" => "info",
        _ => "debug",
    }
}

#[interface(name = "org.freedesktop.LogControl1")]
impl LogControl {
    #[zbus(property(emits_changed_signal = "false"))]
    fn log_level(&self) -> &'static str {
        to_syslog(&log::level())
    }

    #[zbus(property)]
    async fn set_log_level(
        &mut self,
        level: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> zbus::Result<()> {
        let header = header.ok_or(zbus::Error::MissingField)?;
        self.access.check(Right::Control, connection, &header).await.map_err(refused)?;
        let level = of_syslog(&level).ok_or_else(|| {
            let names = LEVELS.map(|(name, _)| name).join(", ");
            zbus::Error::from(fdo::Error::InvalidArgs(format!("give one of {names}")))
        })?;
        log::set_level(level);
        self.sensor.send(&Request::LogLevel(level.to_owned()));
        tracing::info!("messages from {level} on are logged now");
        Ok(())
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn log_target(&self) -> &'static str {
        if log::is_in_journal() { "journal" } else { "console" }
    }

    #[zbus(property)]
    fn set_log_target(&mut self, _target: String) -> zbus::Result<()> {
        let text = "where messages go is decided when the service starts";
        Err(fdo::Error::NotSupported(text.to_owned()).into())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn syslog_identifier(&self) -> &'static str {
        "bpf-recorderd"
    }
}

/// Properties have no errors of their own.
fn refused(error: Error) -> zbus::Error {
    match error {
        Error::AccessDenied(text) => fdo::Error::AccessDenied(text).into(),
        error => fdo::Error::Failed(error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_syslog_are_understood() {
        for (theirs, ours) in [("err", "error"), ("warning", "warn"), ("info", "info")] {
            assert_eq!(of_syslog(theirs), Some(ours));
            assert_eq!(to_syslog(ours), theirs);
        }
        assert_eq!(of_syslog("debug"), Some("debug"));
        assert_eq!(to_syslog("trace"), "debug");
        assert_eq!(of_syslog("loud"), None);
    }
}
