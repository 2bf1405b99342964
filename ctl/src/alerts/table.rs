//! Alerts as rows, written as they come.

use std::io::{self, Write};

use common::alert::{Alert, Change};
use common::record::WallNs;
use common::time::{clock, parse_rfc3339};

use super::{parse, status_text};
use crate::error::CommandError;
use crate::row;
use crate::screen::{Screen, Tone};
use crate::sink::Rows;
use crate::stream::Kind;
use crate::table::{Cell, Column, Layout};
use crate::text;

const TIME: Column = Column::left("TIME", 12, 12);
const ID: Column = Column::right("ID", 5, 12);
const LEVEL: Column = Column::left("LEVEL", 8, 13);
const STATUS: Column = Column::left("STATUS", 13, 16);
const COUNT: Column = Column::right("COUNT", 5, 10);
const PID: Column = Column::right("PID", 7, 10);
const PROCESS: Column = Column::left("PROCESS", 8, 16);
const USER: Column = Column::left("USER", 8, 20);
const COMMAND: Column = Column::left("COMMAND", 0, 0);

/// A terminal this wide has room for what the command line mostly tells as well.
const WIDE: usize = 130;

/// Writes rows under a header, with a line wherever the date changes.
pub(crate) struct AlertTable {
    screen: Screen,
    /// How many rows to wait for before the widths are settled.
    measured_rows: usize,
    waiting: Vec<Entry>,
    layout: Option<Layout>,
    last_date: Option<String>,
    /// The newest alert so far: one that is not newer has changed since.
    newest: u64,
}

enum Entry {
    Row { time_ns: Option<WallNs>, cells: Vec<Cell> },
    Notice(String),
}

impl AlertTable {
    /// Settles the column widths by the first rows, of which there may be any number.
    pub(crate) fn measured(screen: Screen) -> Self {
        Self::new(screen, 1000)
    }

    /// Writes each row at once, in columns of fixed width.
    pub(crate) fn streamed(screen: Screen) -> Self {
        Self::new(screen, 0)
    }

    fn new(screen: Screen, measured_rows: usize) -> Self {
        Self {
            screen,
            measured_rows,
            waiting: Vec::new(),
            layout: None,
            last_date: None,
            newest: 0,
        }
    }

    fn is_wide(&self) -> bool {
        self.screen.width.is_none_or(|width| width >= WIDE)
    }

    fn alert(&mut self, out: &mut dyn Write, alert: &Alert<'_>) -> io::Result<()> {
        let is_following = self.measured_rows == 0;
        let change = alert.alert.history.last();
        let entry = match change.filter(|_| is_following && alert.alert.id <= self.newest) {
            Some(change) => self.entry(alert, &change.time, changed(change)),
            None => {
                self.entry(alert, &alert.event.timestamp, Cell::new(row::command(&alert.event)))
            }
        };
        self.newest = self.newest.max(alert.alert.id);
        self.push(out, entry)
    }

    fn entry(&self, alert: &Alert<'_>, time: &str, last: Cell) -> Entry {
        let time_ns = parse_rfc3339(time);
        let time = time_ns.map_or_else(|| time.to_owned(), |ns| clock(ns, &self.screen.zone));
        let (status, status_tone) = status_text(alert.alert.status);
        let level = alert.rule.level;
        let mut cells = vec![
            Cell::toned(time, Tone::Dim),
            Cell::new(alert.alert.id.to_string()),
            Cell::toned(level.name(), Tone::Level(level)),
            Cell::toned(status, status_tone),
            Cell::new(&*alert.rule.name),
            Cell::new(count(alert.alert.count)),
            Cell::toned(alert.event.process.pid.to_string(), Tone::Dim),
        ];
        if self.is_wide() {
            cells.push(Cell::new(alert.event.name()));
            cells.push(Cell::new(row::user(&alert.event)));
        }
        cells.push(last);
        Entry::Row { time_ns, cells }
    }

    fn push(&mut self, out: &mut dyn Write, entry: Entry) -> io::Result<()> {
        self.waiting.push(entry);
        if self.waiting.len() > self.measured_rows || self.layout.is_some() {
            self.write_waiting(out)?;
        }
        Ok(())
    }

    fn write_waiting(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let entries = std::mem::take(&mut self.waiting);
        if entries.is_empty() {
            return Ok(());
        }
        let layout = match self.layout.take() {
            Some(layout) => layout,
            None => {
                let layout = self.layout_for(&entries);
                out.write_all(layout.header(&self.screen).as_bytes())?;
                layout
            }
        };
        for entry in entries {
            self.write(out, &layout, entry)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn layout_for(&self, entries: &[Entry]) -> Layout {
        let room = self.screen.width.map_or(40, |width| (width / 4).clamp(16, 40));
        let rule = Column::left("RULE", 16, room);
        let mut columns = vec![TIME, ID, LEVEL, STATUS, rule, COUNT, PID];
        if self.is_wide() {
            columns.extend([PROCESS, USER]);
        }
        columns.push(COMMAND);
        if self.measured_rows == 0 {
            // Later rows may be longer.
            columns[4].min = room;
        }
        let mut layout = Layout::new(&columns);
        for entry in entries {
            if let Entry::Row { cells, .. } = entry
                && self.measured_rows > 0
            {
                layout.widen(cells);
            }
        }
        layout
    }

    fn write(&mut self, out: &mut dyn Write, layout: &Layout, entry: Entry) -> io::Result<()> {
        let (time_ns, cells) = match entry {
            Entry::Row { time_ns, cells } => (time_ns, cells),
            Entry::Notice(text) => {
                return writeln!(out, "{}", self.screen.paint(Tone::Loss, &text));
            }
        };
        if let Some(time_ns) = time_ns {
            let date = text::date_with_offset(time_ns, &self.screen.zone);
            if self.last_date.as_ref() != Some(&date) {
                writeln!(out, "{}", self.screen.paint(Tone::Strong, &date))?;
                self.last_date = Some(date);
            }
        }
        out.write_all(layout.line(&cells, &self.screen).as_bytes())
    }
}

impl Rows for AlertTable {
    fn put(&mut self, out: &mut dyn Write, kind: &Kind, line: &[u8]) -> Result<(), CommandError> {
        match kind {
            Kind::Event => self.alert(out, &parse(line)?)?,
            // Alerts come without gaps: those are of the record.
            Kind::Gap(_) => {}
            Kind::Missed(count) => {
                let alerts = text::counted(*count, "alert");
                let notice = format!(
                    "!! {alerts} not shown: this reader was too slow; they are stored, list them \
                     without --follow"
                );
                self.push(out, Entry::Notice(notice))?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write_waiting(out)
    }
}

/// `×12`; nothing for once.
fn count(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!("×{}", text::number(count)),
    }
}

/// `by alice: our backup`
fn changed(change: &Change) -> Cell {
    let note = change.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
    Cell::toned(format!("by {}{note}", who(change)), Tone::Dim)
}

pub(super) fn who(change: &Change) -> String {
    change.user.clone().unwrap_or_else(|| format!("user {}", change.uid))
}

#[cfg(test)]
mod tests {
    use common::alert::Status;

    use super::*;
    use crate::alerts::tests::alert;

    fn rows(mut table: AlertTable, alerts: &[Alert<'_>]) -> Vec<String> {
        let mut out = Vec::new();
        for alert in alerts {
            table.alert(&mut out, alert).unwrap();
        }
        table.settle(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    fn resolved(id: u64) -> Alert<'static> {
        let mut alert = alert(id, "SSH key added", "tee authorized_keys");
        alert.alert.status = Status::Resolved;
        alert.alert.history = vec![Change {
            time: "2026-11-25T00:00:00Z".to_owned(),
            uid: 1000,
            user: Some("alice".to_owned()),
            status: Status::Resolved,
            note: Some("our\nbackup\u{202e}".to_owned()),
        }];
        alert
    }

    #[test]
    fn alerts_are_aligned_and_harmless() {
        let mut hostile = alert(13, "Fake\n14:03 \x1b[2J", "sh -c\n\u{202e}x");
        hostile.alert.count = 1200;
        assert_eq!(
            rows(AlertTable::measured(Screen::plain(None)), &[resolved(12), hostile]),
            [
                "TIME             ID  LEVEL     STATUS         RULE                  COUNT      PID  PROCESS   USER      COMMAND",
                "2026-11-24 UTC",
                "14:03:27.512     12  high      ✓ resolved     SSH key added                   4711  tee       root      tee authorized_keys",
                "14:03:27.512     13  high      ● new          Fake\\n14:03 \\x1b[2J  ×1,200     4711  sh        root      sh -c\\n\\u{202e}x",
            ]
        );
    }

    #[test]
    fn following_tells_who_changed_an_alert() {
        let alerts = [alert(12, "SSH key added", "tee x"), resolved(12), resolved(13)];
        let found = rows(AlertTable::streamed(Screen::plain(Some(100))), &alerts);
        assert_eq!(
            found[2..],
            [
                "14:03:27.512     12  high      ● new          SSH key added                        4711  tee x",
                "2026-11-25 UTC",
                "00:00:00.000     12  high      ✓ resolved     SSH key added                        4711  by alice: our\\n…",
                "2026-11-24 UTC",
                "14:03:27.512     13  high      ✓ resolved     SSH key added                        4711  tee authorized_…",
            ]
        );
    }

    #[test]
    fn what_was_not_sent_is_loud() {
        let mut table = AlertTable::streamed(Screen::plain(None));
        let mut out = Vec::new();
        table.put(&mut out, &Kind::Missed(3), b"").unwrap();
        assert!(String::from_utf8(out).unwrap().contains("!! 3 alerts not shown"));
    }
}
