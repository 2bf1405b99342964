//! `bpfctl alerts`: what was raised, and what is raised now.

use std::io::Write;

use common::alert::Status;
use common::bus::AlertSelection;

use super::table::AlertTable;
use crate::args::AlertList;
use crate::command::{Context, Interrupt};
use crate::error::CommandError;
use crate::sink::{self, Sink, keep};
use crate::spool::Spool;
use crate::stream::Stream;
use crate::text;

pub(crate) async fn run(
    context: &mut Context,
    args: &AlertList,
    filter: &str,
) -> Result<(), CommandError> {
    let selection = selection(args);
    if args.follow {
        return follow(context, args.limit, filter, &selection).await;
    }
    let mut sink = Sink::new(context, AlertTable::measured);
    let found = query(context, &mut sink, args, filter, &selection).await;
    // What came before an error is shown, too.
    let shown = sink.settle(&mut context.out).and_then(|()| context.out.flush());
    let found = found?;
    shown?;
    if !context.json {
        // A remark that cannot be made is not worth a failure.
        let has_closed = args.statuses.is_empty()
            && has_closed(context, filter, &selection).await.unwrap_or(false);
        for line in remarks(args, &found, has_closed) {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
    Ok(())
}

fn selection(args: &AlertList) -> AlertSelection {
    let statuses: Vec<Status> = if args.statuses.contains(&None) {
        Vec::new()
    } else if args.statuses.is_empty() {
        Status::ALL.into_iter().filter(|status| !status.is_closed()).collect()
    } else {
        args.statuses.iter().flatten().copied().collect()
    };
    AlertSelection {
        statuses: names(&statuses),
        level: args.level.map(|level| level.name().to_owned()).unwrap_or_default(),
        rule: args.rule.clone().unwrap_or_default(),
    }
}

fn names(statuses: &[Status]) -> Vec<String> {
    statuses.iter().map(|status| status.name().to_owned()).collect()
}

/// How many alerts a query gave.
struct Found {
    count: u64,
    has_more: bool,
}

/// They come newest first, and are turned round where that is not wanted.
async fn query(
    context: &mut Context,
    sink: &mut Sink<AlertTable>,
    args: &AlertList,
    filter: &str,
    selection: &AlertSelection,
) -> Result<Found, CommandError> {
    let alerts = context.alerts().await?;
    let mut spool = Spool::new();
    let mut found = Found { count: 0, has_more: false };
    let mut cursor = String::new();
    loop {
        let answer = alerts.query(filter, selection, args.limit, &cursor).await?;
        let mut stream = Stream::new(answer)?;
        if args.reverse {
            while let Some(kind) = stream.next().await? {
                sink.put(&mut context.out, &kind, stream.line())?;
            }
        } else {
            keep(&mut stream, &mut spool).await?;
        }
        let done = stream.done().cloned().unwrap_or_default();
        found.count += done.count;
        match done.cursor {
            Some(next) if args.limit == 0 && next != cursor => cursor = next,
            more => {
                found.has_more = more.is_some();
                break;
            }
        }
    }
    sink.put_reversed(&mut context.out, spool)?;
    Ok(found)
}

/// Whether there are alerts that are not shown only because somebody closed them.
async fn has_closed(
    context: &Context,
    filter: &str,
    selection: &AlertSelection,
) -> Result<bool, CommandError> {
    let closed: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_closed()).collect();
    let selection = AlertSelection { statuses: names(&closed), ..selection.clone() };
    let answer = context.alerts().await?.query(filter, &selection, 1, "").await?;
    let mut stream = Stream::new(answer)?;
    while stream.next().await?.is_some() {}
    Ok(stream.done().is_some_and(|done| done.count > 0))
}

/// What the table cannot tell: that it is empty, or not all.
fn remarks(args: &AlertList, found: &Found, has_closed: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    let narrowing = narrowing(args);
    match (found.count, found.has_more) {
        (0, _) if narrowing.is_empty() && has_closed => {
            remarks.push("no alert is open".to_owned());
        }
        (0, _) if narrowing.is_empty() => {
            remarks.push("no alert was raised yet".to_owned());
            remarks.push("hint: `bpfctl rules list` shows what would raise one".to_owned());
        }
        (0, _) => {
            remarks.push("no alert matches".to_owned());
            remarks.push(format!("hint: remove {}", narrowing.join(" or ")));
        }
        (count, true) => {
            let alerts = text::counted(count, "alert");
            remarks.push(format!("the newest {alerts}; all with -n 0"));
        }
        _ => {}
    }
    if has_closed {
        remarks.push("closed alerts are not shown; all with --status all".to_owned());
    }
    remarks
}

/// What was asked for beyond the ordinary, as it can be left out.
fn narrowing(args: &AlertList) -> Vec<String> {
    args.selection.narrowing(&[
        ("--status", !args.statuses.is_empty() && !args.statuses.contains(&None)),
        ("--level", args.level.is_some()),
        ("--rule", args.rule.is_some()),
    ])
}

async fn follow(
    context: &mut Context,
    backlog: u32,
    filter: &str,
    selection: &AlertSelection,
) -> Result<(), CommandError> {
    const AGAIN: &str = "begin again with the same command; what is raised meanwhile is stored";
    let interrupt = Interrupt::new()?;
    let alerts = context.alerts().await?;
    let stream = Stream::new(alerts.subscribe(filter, selection, backlog).await?)?;
    let sink = Sink::new(context, AlertTable::streamed);
    sink::follow(context, stream, sink, interrupt, AGAIN).await
}
