//! Records as rows of the events table, written as they come.

use std::io::{self, Write};

use common::ecs::{Event, Gap};
use common::record::WallNs;
use common::time::{clock, parse_rfc3339};

use crate::screen::{Screen, Tone};
use crate::status;
use crate::table::{Cell, Column, Layout};
use crate::text;

const TIME: Column = Column::left("TIME", 12, 12);
const PID: Column = Column::right("PID", 7, 10);
const PPID: Column = Column::right("PPID", 7, 10);
const USER: Column = Column::left("USER", 8, 20);
const CONTAINER: Column = Column::left("CONTAINER", 12, 16);
const STATUS: Column = Column::left("STATUS", 9, 14);
const COMMAND: Column = Column::left("COMMAND", 0, 0);

/// Writes rows under a header, with a line wherever the date changes.
pub(crate) struct EventTable {
    screen: Screen,
    /// How many rows to wait for before the widths are settled.
    measured_rows: usize,
    waiting: Vec<Entry>,
    layout: Option<Layout>,
    has_container: bool,
    last_date: Option<String>,
}

enum Entry {
    Row {
        time_ns: Option<WallNs>,
        container: Option<Cell>,
        cells: Vec<Cell>,
    },
    /// Something is missing here.
    Notice(String),
}

impl EventTable {
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
            has_container: false,
            last_date: None,
        }
    }

    pub(crate) fn event(&mut self, out: &mut dyn Write, event: &Event<'_>) -> io::Result<()> {
        self.push(out, entry(event, &self.screen))
    }

    pub(crate) fn gap(&mut self, out: &mut dyn Write, gap: &Gap) -> io::Result<()> {
        self.push(out, Entry::Notice(gap_notice(gap, &self.screen)))
    }

    pub(crate) fn missed(&mut self, out: &mut dyn Write, count: u64) -> io::Result<()> {
        let events = text::counted(count, "event");
        let notice = format!(
            "!! {events} not shown: this reader was too slow; they are in the record, list them \
             without --follow"
        );
        self.push(out, Entry::Notice(notice))
    }

    fn push(&mut self, out: &mut dyn Write, entry: Entry) -> io::Result<()> {
        self.waiting.push(entry);
        if self.waiting.len() > self.measured_rows || self.layout.is_some() {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Writes what still waits.
    pub(crate) fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let entries = std::mem::take(&mut self.waiting);
        let needs_container =
            entries.iter().any(|entry| matches!(entry, Entry::Row { container: Some(_), .. }));
        // A column more: say so by a new header, rather than keep it empty for hosts without.
        if needs_container && !self.has_container {
            self.has_container = true;
            self.layout = None;
        }
        let mut layout = self.layout.take();
        if layout.is_none() && !entries.is_empty() {
            let settled = self.layout_for(&entries);
            out.write_all(settled.header(&self.screen).as_bytes())?;
            layout = Some(settled);
        }
        if let Some(layout) = &layout {
            for entry in entries {
                self.write(out, layout, entry)?;
            }
        }
        self.layout = layout;
        Ok(())
    }

    fn layout_for(&self, entries: &[Entry]) -> Layout {
        let mut layout = if self.has_container {
            Layout::new(&[TIME, PID, PPID, USER, CONTAINER, STATUS, COMMAND])
        } else {
            Layout::new(&[TIME, PID, PPID, USER, STATUS, COMMAND])
        };
        if self.measured_rows > 0 {
            for entry in entries {
                if let Entry::Row { container, cells, .. } = entry {
                    layout.widen(&self.cells(container.clone(), cells.clone()));
                }
            }
        }
        layout
    }

    fn cells(&self, container: Option<Cell>, mut cells: Vec<Cell>) -> Vec<Cell> {
        if self.has_container {
            cells.insert(4, container.unwrap_or_else(|| Cell::new("")));
        }
        cells
    }

    fn write(&mut self, out: &mut dyn Write, layout: &Layout, entry: Entry) -> io::Result<()> {
        match entry {
            Entry::Notice(text) => {
                let text = common::escape::terminal(&text);
                writeln!(out, "{}", self.screen.paint(Tone::Loss, &text))
            }
            Entry::Row { time_ns, container, cells } => {
                if let Some(time_ns) = time_ns {
                    let date = text::date_with_offset(time_ns, &self.screen.zone);
                    if self.last_date.as_ref() != Some(&date) {
                        writeln!(out, "{}", self.screen.paint(Tone::Strong, &date))?;
                        self.last_date = Some(date);
                    }
                }
                let line = layout.line(&self.cells(container, cells), &self.screen);
                out.write_all(line.as_bytes())
            }
        }
    }
}

/// `!! 14:03:27.512  12 exec records lost on CPU 1 (ring-full)`
pub(crate) fn gap_notice(gap: &Gap, screen: &Screen) -> String {
    let time = match parse_rfc3339(&gap.timestamp) {
        Some(time_ns) => clock(time_ns, &screen.zone),
        None => gap.timestamp.clone(),
    };
    let kind = if gap.kind == "any" { String::new() } else { format!("{} ", gap.kind) };
    let records = if gap.count == 1 { "record" } else { "records" };
    let count = text::number(gap.count);
    format!("!! {time}  {count} {kind}{records} lost on CPU {} ({})", gap.cpu, gap.cause)
}

fn entry(event: &Event<'_>, screen: &Screen) -> Entry {
    let time_ns = parse_rfc3339(&event.timestamp);
    let time = time_ns.map_or_else(|| event.timestamp.clone(), |ns| clock(ns, &screen.zone));
    let process = &event.process;
    let parent = process.parent.as_ref().map(|parent| parent.pid.to_string());
    let is_end = event.event.action == "end";
    let (status, status_tone) = if is_end { status::state(event) } else { status::short(event) };
    let command = if is_end {
        Cell::toned(format!("{} {}", event.name(), status::sentence(event)), Tone::Dim)
    } else {
        Cell::new(command(event))
    };
    Entry::Row {
        time_ns,
        container: event
            .container
            .as_ref()
            .map(|c| Cell::new(c.id.chars().take(12).collect::<String>())),
        cells: vec![
            Cell::toned(time, Tone::Dim),
            Cell::new(process.pid.to_string()),
            Cell::toned(parent.unwrap_or_default(), Tone::Dim),
            Cell::new(user(event)),
            Cell::toned(status, status_tone),
            command,
        ],
    }
}

/// The user's name or id; `www-data→root` where it acts as another.
pub(crate) fn user(event: &Event<'_>) -> String {
    let Some(user) = &event.user else { return String::new() };
    let name = user.name.as_deref().unwrap_or(&user.id);
    match &user.effective {
        Some(effective) => {
            format!("{name}→{}", effective.name.as_deref().unwrap_or(&effective.id))
        }
        None => name.to_owned(),
    }
}

/// The command line; of a process without one, its name in brackets, as `ps` has it.
pub(crate) fn command(event: &Event<'_>) -> String {
    match event.process.command_line.as_deref() {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => format!("[{}]", event.name()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use common::ecs::{Container, User};

    use super::*;

    /// A running process; tests change what they are about.
    pub(crate) fn event(pid: u32, command_line: &str) -> Event<'static> {
        let name = command_line.split(' ').next().unwrap_or_default();
        let json = serde_json::json!({
            "@timestamp": "2026-11-24T14:03:27.512345678Z",
            "event": {"action": "exec", "kind": "event", "category": ["process"],
                      "type": ["start"], "sequence": 7},
            "process": {"pid": pid, "entity_id": format!("3f2a9c81d0b4-{pid}-1a2b"),
                        "name": name, "executable": format!("/usr/bin/{name}"),
                        "command_line": command_line, "args": command_line.split(' ').collect::<Vec<_>>(),
                        "start": "2026-11-24T14:03:27.500000000Z",
                        "parent": {"pid": 1, "entity_id": "3f2a9c81d0b4-1-5"}},
            "user": {"id": "0", "name": "root"},
            "recorder": {"ordinal": 1, "source": "exec", "state": "running"},
        });
        serde_json::from_value(json).unwrap()
    }

    pub(crate) fn ended(mut event: Event<'static>, code: u8, run_time_ns: u64) -> Event<'static> {
        event.process.exit_code = Some(code);
        event.process.end = Some("2026-11-24T14:03:28Z".to_owned());
        event.recorder.state = if code == 0 { "ended" } else { "failed" }.into();
        event.recorder.resources = serde_json::from_value(serde_json::json!({
            "run_time_ns": run_time_ns, "cpu_ns": 900_000, "user_cpu_ns": 500_000,
            "system_cpu_ns": 400_000, "max_rss_bytes": 4_194_304,
        }))
        .unwrap();
        event
    }

    fn rows(mut table: EventTable, events: &[Event<'_>]) -> Vec<String> {
        let mut out = Vec::new();
        for event in events {
            table.event(&mut out, event).unwrap();
        }
        table.settle(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_date_line_stands_where_the_date_changes() {
        let mut next_day = event(12, "ls");
        next_day.timestamp = "2026-11-25T00:00:00Z".to_owned();
        let events = [event(4711, "curl -o /tmp/x"), ended(event(4712, "sh"), 1, 5), next_day];
        let found = rows(EventTable::measured(Screen::plain(Some(80))), &events);
        assert_eq!(
            found,
            [
                "TIME              PID     PPID  USER      STATUS     COMMAND",
                "2026-11-24 UTC",
                "14:03:27.512     4711        1  root      ▶ running  curl -o /tmp/x",
                "14:03:27.512     4712        1  root      ✗ exit 1   sh",
                "2026-11-25 UTC",
                "00:00:00.000       12        1  root      ▶ running  ls",
            ]
        );
    }

    #[test]
    fn following_writes_short_rows_at_the_end_of_a_process() {
        let mut end = ended(event(4711, "curl -o /tmp/x"), 0, 1_400_000);
        end.event.action = "end".into();
        let mut killed = event(4712, "sleep 9");
        killed.event.action = "end".into();
        killed.recorder.state = "killed".into();
        killed.process.exit_signal = Some(9);
        let mut fork = event(4713, "bash");
        fork.event.action = "fork".into();
        let found = rows(EventTable::streamed(Screen::plain(None)), &[end, killed, fork]);
        assert_eq!(
            found[2..],
            [
                "14:03:27.512     4711        1  root      · ended    curl exit 0 after 1.4 ms",
                "14:03:27.512     4712        1  root      ! killed   sleep killed by SIGKILL",
                "14:03:27.512     4713        1  root      ▶ forked   bash",
            ]
        );
    }

    #[test]
    fn the_container_column_appears_when_there_is_one() {
        let mut inside = event(4712, "nginx");
        inside.container =
            Some(Container { id: "0123456789abcdef".into(), runtime: "docker".into() });
        let found = rows(EventTable::streamed(Screen::plain(None)), &[event(4711, "ls"), inside]);
        assert_eq!(found[0], "TIME              PID     PPID  USER      STATUS     COMMAND");
        assert_eq!(
            found[3..],
            [
                "TIME              PID     PPID  USER      CONTAINER     STATUS     COMMAND",
                "14:03:27.512     4712        1  root      0123456789ab  ▶ running  nginx",
            ]
        );
    }

    #[test]
    fn losses_are_loud() {
        let mut table = EventTable::streamed(Screen::plain(None));
        let mut out = Vec::new();
        let gap = Gap {
            timestamp: "2026-11-24T14:03:27.512Z".to_owned(),
            cpu: 1,
            kind: "exec".to_owned(),
            count: 1200,
            cause: "ring-full".to_owned(),
        };
        table.gap(&mut out, &gap).unwrap();
        table.missed(&mut out, 3).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("!! 14:03:27.512  1,200 exec records lost on CPU 1 (ring-full)\n"));
        assert!(out.contains("!! 3 events not shown"), "{out}");
    }

    #[test]
    fn hostile_strings_cannot_leave_their_line() {
        let mut hostile = event(1, "x");
        hostile.process.command_line = Some("a\n14:03:27.512 fake\x1b[2J\u{202e}".into());
        hostile.user = Some(User { id: "0".into(), name: Some("r\root".into()), effective: None });
        let found = rows(EventTable::measured(Screen::plain(None)), &[hostile]);
        assert_eq!(
            found[2],
            "14:03:27.512        1        1  r\\root    ▶ running  a\\n14:03:27.512 fake\\x1b[2J\\u{202e}"
        );
    }

    #[test]
    fn users_and_commands_are_named() {
        let mut event = event(4711, "");
        event.process.name = Some("kworker/0:1".into());
        assert_eq!(command(&event), "[kworker/0:1]");
        assert_eq!(user(&event), "root");
        let effective = User { id: "0".into(), name: None, effective: None };
        event.user = Some(User {
            id: "33".into(),
            name: Some("www-data".into()),
            effective: Some(Box::new(effective)),
        });
        assert_eq!(user(&event), "www-data→0");
    }
}
