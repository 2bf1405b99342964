//! `bpfctl alerts`: what rules found.

mod explain;
mod list;
mod mark;
mod set;
mod show;
mod table;

use common::alert::{Alert, Status};
use common::bus;

use crate::args::{AlertCommand, Alerts, Global};
use crate::command::{Context, filter_of};
use crate::error::{self, CommandError};
use crate::page::Page;
use crate::screen::Tone;

/// Settles what the command line asks for, and only then connects.
pub(crate) async fn run(global: &Global, args: Alerts) -> Result<(), CommandError> {
    match args.command {
        None => {
            refuse_late_subcommand(&args.list.selection.filter)?;
            let filter = filter_of(&args.list.selection, global)?;
            list::run(&mut Context::connected(global).await?, &args.list, &filter).await
        }
        Some(AlertCommand::Show { id }) => {
            show::run(&mut Context::connected(global).await?, id).await
        }
        Some(AlertCommand::Explain { id }) => {
            explain::run(&mut Context::connected(global).await?, id).await
        }
        Some(AlertCommand::Set(judgement)) => {
            let ids = set::ids(&judgement)?;
            set::run(&mut Context::connected(global).await?, &judgement, &ids).await
        }
    }
}

/// Behind an option, `show` is the first word of a filter to the parser, but not to who typed it.
fn refuse_late_subcommand(filter: &[String]) -> Result<(), CommandError> {
    match filter.first().map(String::as_str) {
        Some(word @ ("show" | "explain" | "set")) => {
            Err(CommandError::usage(format!("`{word}` stands behind an option"))
                .hint(format!("put it first: `bpfctl alerts {word} …`"))
                .hint(format!("to look for the word in command lines: `cmd ~ {word}`")))
        }
        _ => Ok(()),
    }
}

/// The document of one alert.
async fn get(context: &Context, id: u64) -> Result<String, CommandError> {
    context.alerts().await?.get(id).await.map_err(|error| match error {
        bus::Error::NotFound(_) => CommandError::failure(format!("no such alert: {id}"))
            .hint("`bpfctl alerts --status all` lists them with their numbers"),
        error => error.into(),
    })
}

fn parse(document: &[u8]) -> Result<Alert<'static>, CommandError> {
    serde_json::from_slice(document).map_err(|error| error::not_understood(&error))
}

/// `high  SSH key added  alert 12`
fn heading(page: &mut Page<'_>, alert: &Alert<'_>) {
    let level = alert.rule.level;
    page.line(&[
        (Tone::Level(level), level.name()),
        (Tone::Plain, "  "),
        (Tone::Strong, &alert.rule.name),
        (Tone::Plain, "  "),
        (Tone::Dim, &format!("alert {}", alert.alert.id)),
    ]);
}

/// `● new`, `✓ resolved`: a shape, a word and a colour.
fn status_text(status: Status) -> (String, Tone) {
    let (shape, tone) = match status {
        Status::New => ("●", Tone::Strong),
        Status::InProgress => ("◐", Tone::Plain),
        Status::Resolved => ("✓", Tone::Dim),
        Status::FalsePositive => ("○", Tone::Dim),
    };
    (format!("{shape} {}", status.name()), tone)
}

#[cfg(test)]
mod tests {
    use common::rule::Level;

    use super::*;
    use crate::row::tests::event;

    /// An alert of level high, once; tests change what they are about.
    pub(super) fn alert(id: u64, title: &str, command_line: &str) -> Alert<'static> {
        let mut document = serde_json::to_value(event(4711, command_line)).unwrap();
        document["rule"] = serde_json::json!({
            "id": "53b8a9a2", "name": title, "level": Level::High, "text": "title: x\n",
        });
        document["alert"] = serde_json::json!({
            "id": id, "status": "new", "count": 1, "last": "2026-11-24T14:03:27.512Z",
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_subcommand_behind_an_option_is_not_searched_for() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for line in ["show 3", "set 3", "explain 3"] {
            let error = refuse_late_subcommand(&words(line)).unwrap_err();
            assert_eq!((error.kind, error.hints.len()), (crate::error::Kind::Usage, 2));
        }
        assert_eq!(refuse_late_subcommand(&words("cmd ~ show")), Ok(()));
        assert_eq!(refuse_late_subcommand(&[]), Ok(()));
    }
}
