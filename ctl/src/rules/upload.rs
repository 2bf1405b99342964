//! `bpfctl rules upload` and `validate`: texts go to the recorder one by one.

use std::io::Write;

use common::bus::{self, RulesProxy};
use common::rule::Report;

use super::source::{Source, Sources};
use super::summary::{Purpose, Summary};
use crate::command::Context;
use crate::error::{self, CommandError};
use crate::progress::Progress;
use crate::text;

pub(crate) async fn upload(context: &mut Context, sources: &Sources) -> Result<(), CommandError> {
    run(context, sources, Purpose::Store).await
}

pub(crate) async fn validate(context: &mut Context, sources: &Sources) -> Result<(), CommandError> {
    run(context, sources, Purpose::Check).await
}

async fn run(
    context: &mut Context,
    sources: &Sources,
    purpose: Purpose,
) -> Result<(), CommandError> {
    let rules = context.rules().await?;
    let mut summary = Summary::new(purpose, sources.links);
    let sent = send_all(context, &rules, sources, &mut summary).await;
    if !context.json {
        context.out.write_all(summary.page(&context.screen).as_bytes())?;
    }
    context.out.flush()?;
    sent?;
    summary.outcome()
}

async fn send_all(
    context: &mut Context,
    rules: &RulesProxy<'_>,
    sources: &Sources,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    // On a terminal the reports themselves are the progress.
    let mut progress = if context.json { Progress::hidden() } else { Progress::on_terminal() };
    let total = sources.texts.len();
    for (at, source) in sources.texts.iter().enumerate() {
        let verb = summary.purpose.verb();
        progress.show(|| format!("{verb} {}/{total}", at + 1));
        let answer = send(rules, source, summary.purpose).await.map_err(|error| {
            let files = text::counted(total as u64, "file");
            CommandError::from(error).hint(format!("{at} of {files} had been sent before that"))
        })?;
        let report: Report =
            serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
        if context.json {
            writeln!(context.out, "{}", answer.trim_end())?;
        }
        summary.add(&source.name, report);
    }
    Ok(())
}

/// The recorder's report, or one of ours where the text did not get that far.
async fn send(
    rules: &RulesProxy<'_>,
    source: &Source,
    purpose: Purpose,
) -> Result<String, bus::Error> {
    let refused = |reason: String| {
        let report = Report {
            file: source.name.clone(),
            is_stored: false,
            reason: Some(reason),
            rules: Vec::new(),
            replaced: Vec::new(),
        };
        serde_json::to_string(&report).map_err(|error| bus::Error::Failed(error.to_string()))
    };
    let content = match source.read() {
        Ok(content) => content,
        Err(reason) => return refused(reason),
    };
    let answer = match purpose {
        Purpose::Store => rules.upload(&source.name, &content).await,
        Purpose::Check => rules.validate(&source.name, &content).await,
    };
    match answer {
        // Of this text, such as its name: the next may be better.
        Err(bus::Error::InvalidArgument(reason)) => refused(reason),
        answer => answer,
    }
}
