//! A record as a line of a table: little enough that tens of thousands are no burden.

use common::ecs::Event;
use common::id::ProcessId;
use common::record::State;
use common::time::parse_rfc3339;

/// Longer texts are cut: a table shows a fraction of this, and arguments may have 32 KiB.
const MOST_TEXT_BYTES: usize = 2048;

/// A text of a traced process, not escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pub text: Box<str>,
    pub is_cut: bool,
}

impl Text {
    pub fn new(text: &str) -> Self {
        let end = text.floor_char_boundary(MOST_TEXT_BYTES);
        Self { text: text[..end].into(), is_cut: end < text.len() }
    }

    fn of(text: Option<&str>) -> Self {
        text.map(Self::new).unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Position in the store: names the record, and orders those of the same time.
    pub sequence: i64,
    pub id: ProcessId,
    pub parent_id: Option<ProcessId>,
    pub ordinal: u32,
    /// When the image began.
    pub time_ns: i64,
    /// When the process began.
    pub start_ns: i64,
    /// This tells of the end. When the image began is then known for a process's first image only.
    pub is_end: bool,
    /// `exec`, `fork`, `running` or `end`.
    pub action: Box<str>,
    pub name: Text,
    pub executable: Text,
    pub command_line: Text,
    pub user: Text,
    pub effective_user: Text,
    pub parent: Text,
    pub ppid: Option<u32>,
    pub tty: Text,
    /// Session of the kernel: the pid of its leader.
    pub sid: Option<u32>,
    /// Login session of the audit system.
    pub audit_session: Option<u32>,
    pub unit: Text,
    pub container: Text,
    pub working_directory: Text,
    pub state: State,
    pub exit_code: Option<u8>,
    pub signal: Option<u8>,
    pub run_time_ns: Option<u64>,
    /// Some field is not the whole truth.
    pub has_notes: bool,
}

impl Row {
    pub fn of(event: &Event<'_>) -> Self {
        let process = &event.process;
        let is_end = event.event.action == "end";
        let time =
            if is_end && event.recorder.ordinal == 0 { &process.start } else { &event.timestamp };
        let user = event.user.as_ref();
        let name =
            |user: &common::ecs::User<'_>| Text::new(user.name.as_deref().unwrap_or(&user.id));
        Self {
            sequence: event.event.sequence,
            id: process.entity_id,
            parent_id: process.parent.as_ref().map(|parent| parent.entity_id),
            ordinal: event.recorder.ordinal,
            time_ns: parse_rfc3339(time).unwrap_or(0),
            start_ns: parse_rfc3339(&process.start).unwrap_or(0),
            is_end,
            action: event.event.action.as_ref().into(),
            name: Text::of(process.name.as_deref()),
            executable: Text::of(process.executable.as_deref()),
            command_line: Text::of(process.command_line.as_deref()),
            user: user.map(name).unwrap_or_default(),
            effective_user: user
                .and_then(|user| user.effective.as_deref())
                .map(name)
                .unwrap_or_default(),
            parent: Text::of(process.parent.as_ref().and_then(|p| p.executable.as_deref())),
            ppid: process.parent.as_ref().map(|parent| parent.pid),
            tty: Text::of(process.tty.as_ref().map(|tty| &*tty.name)),
            sid: process.session_leader.as_ref().map(|leader| leader.pid),
            audit_session: event.recorder.credentials.as_ref().and_then(|c| c.audit_session),
            unit: Text::of(event.recorder.unit.as_deref()),
            container: Text::of(event.container.as_ref().map(|container| &*container.id)),
            working_directory: Text::of(process.working_directory.as_deref()),
            state: state_named(&event.recorder.state),
            exit_code: process.exit_code,
            signal: process.exit_signal,
            run_time_ns: event.recorder.resources.as_ref().map(|r| r.run_time_ns),
            has_notes: !event.recorder.notes.is_empty(),
        }
    }

    /// Takes over what a newer message says of the same record. An end does not know when an image
    /// began; a beginning that comes late does not undo an end.
    pub fn update(&mut self, newer: Row) {
        if self.state != State::Running && newer.state == State::Running {
            return;
        }
        let (time_ns, action) = (self.time_ns, std::mem::take(&mut self.action));
        let is_end = newer.is_end;
        *self = newer;
        if is_end {
            (self.time_ns, self.action, self.is_end) = (time_ns, action, false);
        }
    }

    /// The order of tables: by time, and in the order of the store within one.
    pub fn place(&self) -> (i64, i64) {
        (self.time_ns, self.sequence)
    }

    /// What the process is called: by its file, or by the kernel.
    pub fn title(&self) -> &str {
        if self.name.text.is_empty() { "(unknown)" } else { &self.name.text }
    }
}

/// What is not known runs, as far as anybody knows.
pub fn state_named(name: &str) -> State {
    State::ALL.into_iter().find(|state| state.name() == name).unwrap_or(State::Running)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(sequence: i64, time_ns: i64) -> Row {
        let start = u64::try_from(sequence).unwrap();
        Row {
            sequence,
            id: format!("3f2a9c81d0b4-{sequence}-{start:x}").parse().unwrap(),
            parent_id: None,
            ordinal: 0,
            time_ns,
            start_ns: time_ns,
            is_end: false,
            action: "exec".into(),
            name: Text::new("sh"),
            executable: Text::new("/bin/sh"),
            command_line: Text::new("sh -c true"),
            user: Text::new("root"),
            effective_user: Text::default(),
            parent: Text::default(),
            ppid: None,
            tty: Text::default(),
            sid: None,
            audit_session: None,
            unit: Text::default(),
            container: Text::default(),
            working_directory: Text::default(),
            state: State::Running,
            exit_code: None,
            signal: None,
            run_time_ns: None,
            has_notes: false,
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = Text::new(&"é".repeat(100_000));
        assert!(text.is_cut && text.text.len() <= MOST_TEXT_BYTES);
        assert!(!Text::new("short").is_cut);
    }

    #[test]
    fn an_end_keeps_the_beginning() {
        let mut known = row(1, 100);
        let ended = Row { is_end: true, action: "end".into(), state: State::Ended, ..row(1, 900) };
        known.update(ended);
        assert_eq!((known.time_ns, &*known.action, known.state), (100, "exec", State::Ended));
        known.update(row(1, 100));
        assert_eq!(known.state, State::Ended);
    }
}
