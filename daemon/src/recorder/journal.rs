//! What of the record is told to the journal too: alerts from a level on, and losses.

use std::time::{Duration, Instant};

use common::escape;
use common::record::Record;
use common::rule::Level;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::live::AlertNews;
use crate::log::kind;
use crate::store::NewAlert;

/// Of a command line; the record has it whole.
const MOST_CHARS: usize = 4096;
/// More alerts than these in a minute are in the record only: the journal is for other things too.
const MOST_ALERTS: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);
/// Losses come in crowds.
const LOSSES: Duration = Duration::from_secs(10);

/// Until the recording ends.
pub(super) async fn tell_alerts(mut alerts: Receiver<AlertNews>, least: Level) {
    let mut told = Told::new(Instant::now());
    loop {
        match alerts.recv().await {
            Ok(AlertNews::Raised { alert, record }) if alert.level >= least => {
                if told.has_room(Instant::now()) {
                    tell_alert(&alert, &record);
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(count)) => told.skip(count),
            Err(RecvError::Closed) => return,
        }
    }
}

/// How many alerts of this minute were told.
struct Told {
    since: Instant,
    count: u32,
    skipped: u64,
}

impl Told {
    fn new(now: Instant) -> Self {
        Self { since: now, count: 0, skipped: 0 }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= MINUTE {
            let skipped = self.skipped;
            *self = Self::new(now);
            if skipped > 0 {
                tracing::warn!("{skipped} more alerts were raised: see bpfctl alerts");
            }
        }
        if self.count < MOST_ALERTS {
            self.count += 1;
            return true;
        }
        if self.skipped == 0 {
            tracing::warn!("too many alerts for the journal: see bpfctl alerts");
        }
        self.skipped += 1;
        false
    }

    fn skip(&mut self, count: u64) {
        self.skipped += count;
    }
}

/// An alert in the terms of the journal. Everything in it was chosen by who wrote the rule or the
/// process, and is escaped.
struct Entry {
    title: String,
    executable: String,
    command_line: String,
    user: String,
}

impl Entry {
    fn of(alert: &NewAlert, record: &Record) -> Self {
        let path = &record.executable.path.bytes;
        Self {
            title: escape::terminal(&alert.title).into_owned(),
            executable: visible(path),
            command_line: visible(&record.command_line()),
            user: record
                .context
                .user_name
                .clone()
                .unwrap_or_else(|| record.context.uid.to_string()),
        }
    }
}

fn visible(bytes: &[u8]) -> String {
    let (text, _) = escape::text(bytes);
    let text = escape::terminal(&text);
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

fn tell_alert(alert: &NewAlert, record: &Record) {
    let Entry { title, executable, command_line, user } = Entry::of(alert, record);
    let (id, level, pid) = (alert.id, alert.level.name(), record.process.pid);
    macro_rules! tell {
        ($priority:ident) => {
            tracing::$priority!(
                message_id = kind::ALERT_RAISED,
                alert_id = id.to_string(),
                rule_id = alert.rule_id,
                rule_title = title,
                level,
                process_pid = pid.to_string(),
                process_executable = executable,
                process_user = user,
                process_command_line = command_line,
                "alert {id} ({level}): {title}: {command_line}"
            )
        };
    }
    match alert.level {
        Level::Critical => tell!(error),
        Level::High => tell!(warn),
        Level::Informational | Level::Low | Level::Medium => tell!(info),
    }
}

/// Losses that were noticed, until they are told.
#[derive(Default)]
pub(super) struct Losses {
    count: u64,
    cause: &'static str,
    told: Option<Instant>,
}

impl Losses {
    pub(super) fn note(&mut self, count: u64, cause: &'static str) {
        self.count += count;
        self.cause = cause;
    }

    /// Now and then.
    pub(super) fn tell(&mut self, now: Instant) {
        let is_early = self.told.is_some_and(|told| now.duration_since(told) < LOSSES);
        if self.count == 0 || is_early {
            return;
        }
        let (count, cause) = (self.count, self.cause);
        tracing::warn!(
            message_id = kind::EVENTS_LOST,
            events_lost = count.to_string(),
            cause,
            "{count} events were lost (the last: {cause}): see bpfctl health"
        );
        *self = Self { told: Some(now), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_on_its_line() {
        assert_eq!(visible(b"sh -c a\nb\x1b[2J\xff"), "sh -c a\\nb\\x1b[2J\\xff");
        let long = visible(&vec![b'x'; 3 * MOST_CHARS]);
        assert_eq!(long.chars().count(), MOST_CHARS + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_flood_of_alerts_is_told_in_part() {
        let start = Instant::now();
        let mut told = Told::new(start);
        let count = (0..1000).filter(|_| told.has_room(start)).count();
        assert_eq!((count, told.skipped), (MOST_ALERTS as usize, 1000 - count as u64));
        assert!(told.has_room(start + MINUTE));
        assert_eq!(told.skipped, 0);
    }

    #[test]
    fn losses_are_told_once() {
        let start = Instant::now();
        let mut losses = Losses::default();
        losses.note(3, "ring-full");
        losses.tell(start);
        assert_eq!((losses.count, losses.told), (0, Some(start)));
        losses.note(2, "ring-full");
        losses.tell(start + LOSSES / 2);
        assert_eq!(losses.count, 2);
        losses.tell(start + LOSSES);
        assert_eq!(losses.count, 0);
    }
}
