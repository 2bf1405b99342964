//! `bpfctl events`: what ran, and what runs now.

use std::io::{self, Write};

use crate::args::Events;
use crate::command::{Context, Interrupt};
use crate::error::CommandError;
use crate::row::EventTable;
use crate::sink::{self, Rows, Sink, keep};
use crate::spool::Spool;
use crate::stream::{Kind, Stream, event_of};
use crate::text;

pub(crate) async fn run(
    context: &mut Context,
    args: &Events,
    filter: &str,
) -> Result<(), CommandError> {
    if args.follow {
        return follow(context, args.limit, filter).await;
    }
    let mut sink = Sink::new(context, EventTable::measured);
    let found = if args.reverse {
        query(context, &mut sink, filter, args.limit, true).await
    } else if args.limit == 0 {
        query(context, &mut sink, filter, 0, false).await
    } else {
        newest(context, &mut sink, filter, args.limit).await
    };
    // What came before an error is shown, too.
    let shown = sink.settle(&mut context.out).and_then(|()| context.out.flush());
    let found = found?;
    shown?;
    if !context.json {
        remark(args, &found);
    }
    Ok(())
}

/// How many records a query gave.
struct Found {
    count: u64,
    has_more: bool,
}

impl Rows for EventTable {
    fn put(&mut self, out: &mut dyn Write, kind: &Kind, line: &[u8]) -> Result<(), CommandError> {
        match kind {
            Kind::Event => self.event(out, &event_of(line)?)?,
            Kind::Gap(gap) => self.gap(out, gap)?,
            Kind::Missed(count) => self.missed(out, *count)?,
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        EventTable::settle(self, out)
    }
}

/// In the order in which the recorder gives them.
async fn query(
    context: &mut Context,
    sink: &mut Sink<EventTable>,
    filter: &str,
    limit: u32,
    newest_first: bool,
) -> Result<Found, CommandError> {
    let processes = context.processes().await?;
    let mut cursor = String::new();
    let mut count = 0;
    loop {
        let mut stream = Stream::new(processes.query(filter, limit, newest_first, &cursor).await?)?;
        while let Some(kind) = stream.next().await? {
            sink.put(&mut context.out, &kind, stream.line())?;
        }
        let done = stream.done().cloned().unwrap_or_default();
        count += done.count;
        match done.cursor {
            Some(next) if limit == 0 && next != cursor => cursor = next,
            more => return Ok(Found { count, has_more: more.is_some() }),
        }
    }
}

/// The newest records, the oldest of them first.
async fn newest(
    context: &mut Context,
    sink: &mut Sink<EventTable>,
    filter: &str,
    limit: u32,
) -> Result<Found, CommandError> {
    let processes = context.processes().await?;
    let mut stream = Stream::new(processes.query(filter, limit, true, "").await?)?;
    let mut spool = Spool::new();
    keep(&mut stream, &mut spool).await?;
    sink.put_reversed(&mut context.out, spool)?;
    let done = stream.done().cloned().unwrap_or_default();
    Ok(Found { count: done.count, has_more: done.cursor.is_some() })
}

/// Tells on standard error what the table cannot: that it is empty, or not all.
fn remark(args: &Events, found: &Found) {
    let remark = match (found.count, found.has_more) {
        (0, _) if args.selection.filter.is_empty() && args.selection.since.is_none() => {
            "nothing is recorded yet".to_owned()
        }
        (0, _) => "no process matches\nhint: leave a condition out, or begin earlier with --since"
            .to_owned(),
        (count, true) => {
            format!("the newest {}; all with -n 0", text::counted(count, "record"))
        }
        _ => return,
    };
    // A remark that cannot be made is not worth a failure.
    let _ = writeln!(std::io::stderr(), "{remark}");
}

async fn follow(context: &mut Context, backlog: u32, filter: &str) -> Result<(), CommandError> {
    const AGAIN: &str = "begin again with the same command; what ran meanwhile is recorded";
    let interrupt = Interrupt::new()?;
    let processes = context.processes().await?;
    let stream = Stream::new(processes.subscribe(filter, backlog).await?)?;
    let sink = Sink::new(context, EventTable::streamed);
    sink::follow(context, stream, sink, interrupt, AGAIN).await
}
