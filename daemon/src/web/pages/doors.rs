//! Pages for who is not logged in, and for what is not there.

use maud::{Markup, html};

use super::trouble::hint_text;
use super::{frame, hostile};

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Nobody has logged in here.
    None,
    /// The link was good for one login, and that was made.
    Used,
}

impl Closed {
    fn sentence(self) -> &'static str {
        match self {
            Closed::None => "You are not logged in, or the session is over.",
            Closed::Used => {
                "This link was used already, or is too old: each one is good for one login."
            }
        }
    }
}

/// How to get in.
pub(crate) fn welcome(reason: Closed) -> Markup {
    let content = html! {
        div.door {
            h1 { "BPF Recorder" }
            p { strong { (reason.sentence()) } }
            p { "On this machine, run" }
            pre.command { "bpfctl web --open" }
            p {
                "It asks the recorder for a link and opens it here. Without "
                code { "--open" }
                " it prints the link, to be opened once, within five minutes."
            }
            p.weak { "Who may read the record is decided by polkit, as for every other command." }
        }
    };
    frame::bare("Log in", &content)
}

/// Something is not there, or went wrong: what, and what to do.
pub(crate) fn message(status: u16, title: &str, text: &str, remedy: Option<&str>) -> Markup {
    let content = html! {
        div.door {
            p.weak { (status) }
            h1 { (hostile::plain(title)) }
            p { (hint_text(text)) }
            @if let Some(remedy) = remedy { p { (hint_text(remedy)) } }
            p { a.button href="/processes" { "Processes" } }
        }
    };
    frame::bare(title, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_text() {
        let shown = message(404, "<b>", "no `<i>` here", Some("run `bpfctl`")).into_string();
        assert!(shown.contains("no <code>&lt;i&gt;</code> here"), "{shown}");
        assert!(!shown.contains("<b>"));
    }
}
