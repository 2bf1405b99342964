//! `bpfctl binaries list`

use std::io::{self, Write};

use common::bus::BinarySelection;

use super::table::BinaryTable;
use crate::args::{BinaryList, Global};
use crate::command::{Context, time_of};
use crate::error::CommandError;
use crate::sink::Sink;
use crate::stream::Stream;
use crate::text;

pub(crate) fn selection(
    args: &BinaryList,
    filter: &str,
    global: &Global,
) -> Result<BinarySelection, CommandError> {
    if args.only && filter.is_empty() {
        return Err(CommandError::usage("--only needs a filter: every run matches none")
            .hint("such as `bpfctl binaries list --only user = root`"));
    }
    let new = time_of("--new", args.new.as_deref(), global)?;
    Ok(BinarySelection {
        order: args.order.name().to_owned(),
        // Before 1970 nothing was seen.
        first_since_ns: new
            .map_or(0, |time| i64::try_from(time.as_nanosecond()).unwrap_or(0).max(0)),
        is_unpackaged: args.unpackaged,
        is_only: args.only,
    })
}

pub(crate) async fn run(
    context: &mut Context,
    args: &BinaryList,
    filter: &str,
    selection: &BinarySelection,
) -> Result<(), CommandError> {
    let mut sink = Sink::new(context, BinaryTable::new);
    let count = query(context, &mut sink, args.limit, filter, selection).await;
    // What came before an error is shown, too.
    let shown = sink.settle(&mut context.out).and_then(|()| context.out.flush());
    let count = count?;
    shown?;
    if !context.json
        && let Some(remark) = remark(args, count)
    {
        // A remark that cannot be made is not worth a failure.
        let _ = writeln!(io::stderr(), "{remark}");
    }
    Ok(())
}

/// Gives how many there were.
async fn query(
    context: &mut Context,
    sink: &mut Sink<BinaryTable>,
    limit: u32,
    filter: &str,
    selection: &BinarySelection,
) -> Result<u64, CommandError> {
    let binaries = context.binaries().await?;
    let mut stream = Stream::new(binaries.query(filter, selection, limit).await?)?;
    let mut count = 0;
    while let Some(kind) = stream.next().await? {
        sink.put(&mut context.out, &kind, stream.line())?;
        count += 1;
    }
    Ok(count)
}

/// What the table cannot tell: that it is empty, or perhaps not all.
fn remark(args: &BinaryList, count: u64) -> Option<String> {
    let narrowing = args.selection.narrowing(&[
        ("--new", args.new.is_some()),
        ("--unpackaged", args.unpackaged),
        ("--only", args.only),
    ]);
    match count {
        0 if narrowing.is_empty() => Some("no content of an executed file is known yet".to_owned()),
        0 => Some(format!("no binary matches\nhint: remove {}", narrowing.join(" or "))),
        // The recorder does not say whether there are more.
        count if count == u64::from(args.limit) => {
            let binaries = text::counted(count, "binary");
            Some(format!("the first {binaries}, there may be more; all with -n 0"))
        }
        _ => None,
    }
}
