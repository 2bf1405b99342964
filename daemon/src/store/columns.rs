//! What goes into a column: codes for names, signed numbers for unsigned ones.

use common::record::{End, ParentSource, PathState, Record, Source, State, Strings, StringsState};

/// The columns that an end fills.
#[derive(Default)]
pub(super) struct EndColumns {
    pub(super) state: i64,
    pub(super) run_ns: Option<i64>,
    pub(super) exit_code: Option<u8>,
    pub(super) signal: Option<u8>,
    pub(super) core_dump: Option<bool>,
    pub(super) user_cpu_ns: Option<i64>,
    pub(super) system_cpu_ns: Option<i64>,
    pub(super) cpu_ns: Option<i64>,
    pub(super) max_rss_bytes: Option<i64>,
    pub(super) read_bytes: Option<i64>,
    pub(super) write_bytes: Option<i64>,
}

impl EndColumns {
    pub(super) fn of(record: &Record) -> Self {
        Self::new(record.end.as_ref(), record.process.start_boottime_ns)
    }

    pub(super) fn new(end: Option<&End>, start_boottime_ns: u64) -> Self {
        let state = end.map_or(State::Running, End::state);
        let base = Self { state: state_code(state), ..Self::default() };
        let Some(observed) = end.and_then(|end| end.observed.as_ref()) else {
            return base;
        };
        Self {
            run_ns: Some(figure(observed.boottime_ns.saturating_sub(start_boottime_ns))),
            exit_code: observed.exit_code,
            signal: observed.signal,
            core_dump: observed.has_core_dump.then_some(true),
            user_cpu_ns: Some(figure(observed.user_cpu_ns)),
            system_cpu_ns: Some(figure(observed.system_cpu_ns)),
            cpu_ns: Some(figure(observed.cpu_ns)),
            max_rss_bytes: Some(figure(observed.max_rss_bytes)),
            read_bytes: observed.io.map(|io| figure(io.read_bytes)),
            write_bytes: observed.io.map(|io| figure(io.write_bytes)),
            ..base
        }
    }
}

/// SQLite has signed numbers only; identities beyond 2^63 keep their bits.
pub(super) fn int(value: u64) -> i64 {
    value.cast_signed()
}

/// Sizes and durations are compared, so they saturate instead.
pub(super) fn figure(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn total_column(strings: &Strings) -> Option<i64> {
    (strings.total_bytes != strings.bytes.len() as u64).then(|| int(strings.total_bytes))
}

pub(super) fn head_column(strings: &Strings) -> Option<u32> {
    match strings.state {
        StringsState::Cut { head_bytes } => Some(head_bytes),
        _ => None,
    }
}

pub(super) fn strings_state_code(state: StringsState) -> i64 {
    match state {
        StringsState::Complete => 0,
        StringsState::Cut { .. } => 1,
        StringsState::Fault => 2,
        StringsState::Off => 3,
        StringsState::Absent => 4,
    }
}

pub(super) fn parent_source_code(source: ParentSource) -> i64 {
    match source {
        ParentSource::Fork => 0,
        ParentSource::Current => 1,
    }
}

pub(super) fn source_code(source: Source) -> i64 {
    code(&Source::ALL, source)
}

pub(super) fn path_state_code(state: PathState) -> i64 {
    code(&PathState::ALL, state)
}

fn state_code(state: State) -> i64 {
    code(&State::ALL, state)
}

/// Stored as the position in the list of all; new ones go to its end.
pub(super) fn code<T: Copy + PartialEq>(all: &[T], value: T) -> i64 {
    (0..).zip(all).find_map(|(code, known)| (*known == value).then_some(code)).unwrap_or(0)
}
