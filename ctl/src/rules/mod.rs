//! `bpfctl rules`: what raises alerts.

mod hunt;
mod list;
mod pattern;
mod show;
mod source;
mod summary;
mod switch;
mod upload;

use common::bus;
use common::rule::RuleState;

use self::pattern::Pattern;
use crate::args::{Global, RuleCommand};
use crate::command::{Context, filter_of};
use crate::error::CommandError;
use crate::screen::Tone;

/// Settles what the command line asks for, and only then connects.
pub(crate) async fn run(global: &Global, command: RuleCommand) -> Result<(), CommandError> {
    match command {
        RuleCommand::List(args) => {
            let patterns: Result<Vec<_>, _> =
                args.patterns.iter().map(|pattern| Pattern::parse(pattern)).collect();
            let patterns = patterns?;
            list::run(&mut Context::connected(global).await?, &args, &patterns).await
        }
        RuleCommand::Show { id } => show::run(&mut Context::connected(global).await?, &id).await,
        RuleCommand::Enable(args) => {
            switch::enable(&mut Context::connected(global).await?, &args.patterns).await
        }
        RuleCommand::Disable(args) => {
            switch::disable(&mut Context::connected(global).await?, &args.patterns).await
        }
        RuleCommand::Remove(args) => {
            switch::remove(&mut Context::connected(global).await?, &args.patterns).await
        }
        RuleCommand::Upload(args) => {
            let sources = source::gather(&args)?;
            upload::upload(&mut Context::connected(global).await?, &sources).await
        }
        RuleCommand::Validate(args) => {
            let sources = source::gather(&args)?;
            upload::validate(&mut Context::connected(global).await?, &sources).await
        }
        RuleCommand::Test(args) => {
            let filter = filter_of(&args.selection, global)?;
            let rule = hunt::Hunted::of(&args.rule)?;
            hunt::run(&mut Context::connected(global).await?, &rule, &filter).await
        }
    }
}

/// `● active`, `○ disabled`: a shape, a word and a colour.
fn state_text(state: RuleState) -> (String, Tone) {
    let (shape, tone) = match state {
        RuleState::Active => ("●", Tone::Running),
        RuleState::Disabled => ("○", Tone::Dim),
        RuleState::Inert => ("◌", Tone::Killed),
        RuleState::Overridden => ("↷", Tone::Dim),
        RuleState::Unusable => ("✗", Tone::Failed),
    };
    (format!("{shape} {}", state.name()), tone)
}

/// The error of asking for one rule.
fn rule_error(id: &str, error: bus::Error) -> CommandError {
    match error {
        bus::Error::NotFound(_) => CommandError::failure(format!("no such rule: {id}"))
            .hint("`bpfctl rules list` lists the rules; a beginning of an id is enough"),
        bus::Error::Ambiguous(_) => CommandError::usage(format!("several rules are meant: {id}"))
            .hint("give more of the id; `bpfctl rules list PATTERN` lists those that begin so"),
        error => error.into(),
    }
}
