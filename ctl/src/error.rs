//! How a command fails: a kind, which is the exit status, a message, and what to do next.

use std::io::{self, Write};
use std::process::ExitCode;

use common::bus;
use common::escape;

use crate::screen::{Palette, Tone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It could not be done.
    Failure,
    /// The command line must change.
    Usage,
    /// The recorder does not answer.
    Unreachable,
    /// Nobody reads the output any more.
    BrokenPipe,
    /// The person pressed Ctrl-C.
    Interrupted,
}

impl Kind {
    pub fn exit_status(self) -> u8 {
        match self {
            Kind::BrokenPipe => 0,
            Kind::Failure => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
            Kind::Interrupted => 130,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    pub kind: Kind,
    /// One line, without full stop.
    pub message: String,
    /// Lines that explain, such as a table or a filter with a caret.
    pub detail: Option<String>,
    pub hints: Vec<String>,
}

impl CommandError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hints: Vec::new() }
    }

    pub fn failure(message: impl Into<String>) -> Self {
        Self::new(Kind::Failure, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Prints the error on standard error and gives the exit status.
    #[must_use]
    pub fn report(&self, palette: Palette) -> ExitCode {
        let text = self.render(palette);
        // Nowhere is left to report a failure to report.
        let _ = io::stderr().lock().write_all(text.as_bytes());
        ExitCode::from(self.kind.exit_status())
    }

    pub fn render(&self, palette: Palette) -> String {
        if self.kind == Kind::BrokenPipe {
            return String::new();
        }
        let mut text = format!(
            "{} {}\n",
            palette.paint(Tone::Failed, "error:"),
            escape::terminal(&self.message)
        );
        for line in self.detail.iter().flat_map(|detail| detail.lines()) {
            text.push_str(&escape::terminal(line));
            text.push('\n');
        }
        for hint in &self.hints {
            let label = palette.paint(Tone::Running, "hint:");
            text.push_str(&format!("{label} {}\n", escape::terminal(hint)));
        }
        text
    }
}

/// Of writing output: reading from the recorder has its own messages.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::BrokenPipe, "nobody reads the output"),
            _ => Self::failure(format!("cannot write the output: {error}")),
        }
    }
}

impl From<bus::Error> for CommandError {
    fn from(error: bus::Error) -> Self {
        match error {
            bus::Error::ZBus(error) => of_bus(&error),
            bus::Error::AccessDenied(text) => {
                // The recorder knows who may, and says what to do about it.
                let (what, remedy) = text.split_once(": ").unwrap_or((&text, DENIED_HINT));
                Self::failure(named("the recorder refuses this", what)).hint(remedy)
            }
            bus::Error::InvalidFilter(text) => invalid_filter(&text),
            bus::Error::InvalidArgument(text) => Self::usage(text),
            bus::Error::NotFound(text) => Self::failure(named("not found", &text))
                .hint("`bpfctl events` lists what was recorded, `bpfctl status` since when"),
            bus::Error::Ambiguous(_) => Self::usage("several processes had this pid")
                .hint("choose one by its id; `bpfctl events pid = PID` lists them"),
            bus::Error::ReadOnly(text) => {
                Self::failure(named("the recorder serves a recorded database", &text))
                    .hint("it can be read, but neither followed nor changed: nothing happens in it")
            }
            bus::Error::Busy(text) => Self::failure(named("the recorder is busy", &text))
                .hint("end other queries, or try again"),
            bus::Error::NotKept(text) => Self::failure(named("there is no copy", &text))
                .hint("`bpfctl binaries show HASH` tells what is known of it all the same"),
            bus::Error::Damaged(text) => Self::failure(named("the copy is damaged", &text))
                .hint("it is not handed out; `bpfctl binaries verify` checks every copy"),
            bus::Error::Failed(text) => Self::failure(named("the recorder failed", &text))
                .hint("`bpfctl health` and the log of bpf-recorderd say more"),
        }
    }
}

const DENIED_HINT: &str = "run this as root, or as the user that the recorder runs as";

fn named(what: &str, text: &str) -> String {
    if text.is_empty() { what.to_owned() } else { format!("{what}: {text}") }
}

/// The text is what `FilterError::render` makes: a message, the filter with carets, a hint.
fn invalid_filter(text: &str) -> CommandError {
    let mut lines = text.lines();
    let mut error = CommandError::usage(lines.next().unwrap_or("the filter does not parse"));
    let mut detail = Vec::new();
    for line in lines {
        match line.strip_prefix("hint: ") {
            Some(hint) => error = error.hint(hint),
            None => detail.push(line),
        }
    }
    if !detail.is_empty() {
        error = error.detail(detail.join("\n"));
    }
    error.hint("`bpfctl fields` lists the fields and what may be asked of them")
}

fn of_bus(error: &zbus::Error) -> CommandError {
    use zbus::fdo;

    let lost = |text: String| {
        CommandError::new(Kind::Unreachable, text)
            .hint("start a recorder: `bpf-recorderd run`, as root")
            .hint("a recorder in the foreground is reached by `--address unix:path=FILE`")
    };
    match error {
        zbus::Error::FDO(inner) => match &**inner {
            fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::SpawnFailed(_)
            | fdo::Error::SpawnExecFailed(_)
            | fdo::Error::SpawnChildExited(_)
            | fdo::Error::SpawnChildSignaled(_)
            | fdo::Error::SpawnServiceNotFound(_) => {
                lost("the recorder does not run: its name is not on the bus".to_owned())
            }
            fdo::Error::NoReply(_)
            | fdo::Error::Timeout(_)
            | fdo::Error::TimedOut(_)
            | fdo::Error::Disconnected(_)
            | fdo::Error::NoServer(_) => lost(format!("the recorder does not answer: {inner}")),
            fdo::Error::AccessDenied(text) => {
                CommandError::failure(named("the bus refuses this", text)).hint(DENIED_HINT)
            }
            fdo::Error::UnknownMethod(_)
            | fdo::Error::UnknownInterface(_)
            | fdo::Error::UnknownObject(_) => {
                CommandError::failure(format!("the recorder does not know this: {inner}"))
                    .hint(VERSIONS_HINT)
            }
            _ => CommandError::failure(format!("D-Bus: {inner}")),
        },
        zbus::Error::InputOutput(inner) if inner.kind() == io::ErrorKind::TimedOut => {
            lost("the recorder does not answer".to_owned())
        }
        zbus::Error::InputOutput(inner) => {
            lost(format!("the connection to the recorder broke: {inner}"))
        }
        _ => CommandError::failure(format!("D-Bus: {error}")),
    }
}

pub const VERSIONS_HINT: &str =
    "bpfctl and bpf-recorderd may be of different versions: compare their `--version`";

/// An answer that does not have the form of the contract.
pub fn not_understood(error: &serde_json::Error) -> CommandError {
    CommandError::failure(format!("the recorder's answer is not understood: {error}"))
        .hint(VERSIONS_HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_exit_status_of_their_kind() {
        let check = |error: bus::Error, status: u8| {
            let name = format!("{error:?}");
            assert_eq!(CommandError::from(error).kind.exit_status(), status, "{name}");
        };
        let fdo = |error| bus::Error::ZBus(zbus::Error::FDO(Box::new(error)));
        let text = || "text".to_owned();
        check(bus::Error::Failed(text()), 1);
        check(bus::Error::NotFound(text()), 1);
        check(bus::Error::AccessDenied(text()), 1);
        check(bus::Error::Busy(text()), 1);
        check(bus::Error::NotKept(text()), 1);
        check(bus::Error::Damaged(text()), 1);
        check(bus::Error::InvalidFilter(text()), 2);
        check(bus::Error::InvalidArgument(text()), 2);
        check(bus::Error::Ambiguous(text()), 2);
        check(fdo(zbus::fdo::Error::ServiceUnknown(text())), 3);
        check(fdo(zbus::fdo::Error::NameHasNoOwner(text())), 3);
        check(fdo(zbus::fdo::Error::AccessDenied(text())), 1);
        check(fdo(zbus::fdo::Error::UnknownMethod(text())), 1);
        let gone = io::Error::from(io::ErrorKind::ConnectionReset);
        check(bus::Error::ZBus(gone.into()), 3);
        let broken = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(
            (broken.kind.exit_status(), broken.render(Palette::plain())),
            (0, String::new())
        );
        assert_eq!(CommandError::from(io::Error::other("full")).kind.exit_status(), 1);
    }

    #[test]
    fn every_error_of_the_recorder_that_a_person_can_act_on_has_a_hint() {
        for error in [
            bus::Error::AccessDenied(String::new()),
            bus::Error::InvalidFilter(String::new()),
            bus::Error::NotFound(String::new()),
            bus::Error::Ambiguous(String::new()),
            bus::Error::ReadOnly(String::new()),
            bus::Error::Busy(String::new()),
            bus::Error::NotKept(String::new()),
            bus::Error::Damaged(String::new()),
            bus::Error::Failed(String::new()),
        ] {
            let error = CommandError::from(error);
            assert!(!error.hints.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn a_filter_that_does_not_parse_keeps_its_carets() {
        let text = "unknown field `nmae`\n  nmae = x\n  ^^^^\nhint: did you mean `name`?";
        let error = CommandError::from(bus::Error::InvalidFilter(text.to_owned()));
        let rendered = error.render(Palette::plain());
        assert!(
            rendered.starts_with(&format!("error: {text}\nhint: `bpfctl fields`")),
            "{rendered}"
        );
    }

    #[test]
    fn errors_are_rendered_in_order_and_without_controls() {
        let error = CommandError::usage("bad \x1b[2J").detail("exe ~~ x\n    ^ here").hint("do");
        assert_eq!(
            error.render(Palette::plain()),
            "error: bad \\x1b[2J\nexe ~~ x\n    ^ here\nhint: do\n"
        );
    }
}
