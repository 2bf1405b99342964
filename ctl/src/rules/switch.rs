//! `bpfctl rules enable`, `disable` and `remove`

use std::io::Write;

use common::bus::Affected;

use crate::command::Context;
use crate::error::{self, CommandError};
use crate::text;

pub(crate) async fn enable(context: &mut Context, patterns: &[String]) -> Result<(), CommandError> {
    set(context, patterns, true).await
}

pub(crate) async fn disable(
    context: &mut Context,
    patterns: &[String],
) -> Result<(), CommandError> {
    set(context, patterns, false).await
}

async fn set(
    context: &mut Context,
    patterns: &[String],
    is_enabled: bool,
) -> Result<(), CommandError> {
    let rules = context.rules().await?;
    let affected = rules.set_enabled(&texts(patterns), is_enabled).await?;
    if affected.meant == 0 {
        return Err(none_meant(patterns, "rule").hint(LIST_HINT));
    }
    tell(context, affected, "changed")
}

pub(crate) async fn remove(context: &mut Context, patterns: &[String]) -> Result<(), CommandError> {
    const DISABLE_HINT: &str =
        "other rules than uploaded ones stay; switch them off with `bpfctl rules disable PATTERN`";

    let affected = context.rules().await?.remove(&texts(patterns)).await?;
    if affected.meant == 0 {
        return Err(none_meant(patterns, "uploaded rule").hint(DISABLE_HINT).hint(LIST_HINT));
    }
    if affected.changed == 0 {
        let rules = text::counted(affected.meant.into(), "rule");
        return Err(CommandError::failure(format!("{rules} meant, none of them was uploaded"))
            .hint(DISABLE_HINT));
    }
    tell(context, affected, "removed")?;
    if affected.changed < affected.meant && !context.json {
        let _ = writeln!(std::io::stderr(), "hint: {DISABLE_HINT}");
    }
    Ok(())
}

const LIST_HINT: &str = "`bpfctl rules list PATTERN` shows what there is";

fn none_meant(patterns: &[String], what: &str) -> CommandError {
    CommandError::failure(format!("no {what} fits {}", patterns.join(" ")))
}

fn texts(patterns: &[String]) -> Vec<&str> {
    patterns.iter().map(String::as_str).collect()
}

/// `3 rules meant, 2 changed`
fn tell(context: &mut Context, affected: Affected, change: &str) -> Result<(), CommandError> {
    if context.json {
        let line =
            serde_json::to_string(&affected).map_err(|error| error::not_understood(&error))?;
        writeln!(context.out, "{line}")?;
    } else {
        let meant = text::counted(affected.meant.into(), "rule");
        let changed = text::number(affected.changed.into());
        writeln!(context.out, "{meant} meant, {changed} {change}")?;
    }
    context.out.flush()?;
    Ok(())
}
