//! What went wrong, for a person: one line, and what to do about it.

use common::bus;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// The program of the recorder is not on this machine.
    NotInstalled,
    /// Nobody answers.
    NotRunning,
    /// The recorder, or the bus, refuses.
    NotPermitted,
    /// The filter does not parse.
    InvalidFilter,
    /// A recorded database is served: nothing happens in it and nothing can be changed.
    ReadOnly,
    NotFound,
    /// A file is there already.
    Exists,
    /// Too much at once; later it will do.
    Busy,
    /// A fault, here or there.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// One line, without full stop.
    pub message: String,
    /// What to do, each in one line. Commands stand between backticks.
    pub hints: Vec<String>,
}

impl Trouble {
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(TroubleKind::Failed, message)
    }

    pub(super) fn overwhelmed() -> Self {
        Self::new(TroubleKind::Busy, "too many questions wait for the recorder")
    }

    pub(super) fn not_understood(error: &serde_json::Error) -> Self {
        Self::failed(format!("the recorder's answer is not understood: {error}"))
            .hint("viewer and recorder may be of different versions: compare `--version`")
    }

    pub(super) fn cut_off() -> Self {
        Self::new(TroubleKind::NotRunning, "the recorder went away before its answer was complete")
    }

    pub(super) fn not_connected() -> Self {
        Self::new(TroubleKind::NotRunning, "there is no connection to a recorder")
    }
}

fn named(what: &str, text: &str) -> String {
    if text.is_empty() { what.to_owned() } else { format!("{what}: {text}") }
}

impl From<bus::Error> for Trouble {
    fn from(error: bus::Error) -> Self {
        use TroubleKind as Kind;
        match error {
            bus::Error::ZBus(error) => of_bus(&error),
            bus::Error::AccessDenied(text) => {
                // The recorder knows who may, and says what to do about it.
                let (what, remedy) = text.split_once(": ").unwrap_or((&text, DENIED_HINT));
                Self::new(Kind::NotPermitted, named("the recorder refuses this", what)).hint(remedy)
            }
            bus::Error::InvalidFilter(text) => {
                let first = text.lines().next().unwrap_or("the filter does not parse");
                Self::new(Kind::InvalidFilter, first)
            }
            bus::Error::InvalidArgument(text) => Self::new(Kind::Failed, text),
            bus::Error::NotFound(text) => Self::new(Kind::NotFound, named("not found", &text))
                .hint("it may have left the record by its age or size"),
            bus::Error::Ambiguous(_) => Self::new(Kind::NotFound, "several processes had this pid"),
            bus::Error::ReadOnly(text) => {
                // The recorder's own words begin with what this is.
                let text = if text.is_empty() { "this is a recorded database" } else { &text };
                Self::new(Kind::ReadOnly, text)
                    .hint("nothing can be changed in it: do this where the recorder runs")
            }
            bus::Error::Busy(text) => Self::new(Kind::Busy, named("the recorder is busy", &text))
                .hint("end other queries, or try again"),
            bus::Error::NotKept(text) => {
                Self::new(Kind::NotFound, named("there is no copy", &text))
            }
            bus::Error::Damaged(text) => {
                Self::new(Kind::Failed, named("the copy is damaged", &text))
            }
            bus::Error::Failed(text) => {
                Self::new(Kind::Failed, named("the recorder failed", &text))
                    .hint("`bpfctl health` and the log of bpf-recorderd say more")
            }
        }
    }
}

pub(super) const DENIED_HINT: &str = "be a member of the group bpf-recorder: `sudo usermod -aG bpf-recorder $USER`, then log in anew";

fn of_bus(error: &zbus::Error) -> Trouble {
    use zbus::fdo;

    match error {
        zbus::Error::FDO(inner) => match &**inner {
            fdo::Error::AccessDenied(text) => {
                Trouble::new(TroubleKind::NotPermitted, named("the bus refuses this", text))
                    .hint(DENIED_HINT)
            }
            fdo::Error::UnknownMethod(_)
            | fdo::Error::UnknownInterface(_)
            | fdo::Error::UnknownObject(_) => {
                Trouble::failed(format!("the recorder does not know this: {inner}"))
                    .hint("viewer and recorder may be of different versions: compare `--version`")
            }
            _ => Trouble::new(
                TroubleKind::NotRunning,
                format!("the recorder does not answer: {inner}"),
            ),
        },
        zbus::Error::InputOutput(inner) => Trouble::new(
            TroubleKind::NotRunning,
            format!("the connection to the recorder broke: {inner}"),
        ),
        _ => Trouble::failed(format!("D-Bus: {error}")),
    }
}
