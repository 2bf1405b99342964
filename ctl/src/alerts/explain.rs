//! `bpfctl alerts explain`: why a rule fired.

use std::io::Write;

use common::alert::{Alert, Correlation, FieldMatch};
use common::why::{is_found, question};

use super::mark::marked;
use super::{get, heading, parse};
use crate::command::Context;
use crate::error::CommandError;
use crate::page::Page;
use crate::row;
use crate::screen::{Screen, Tone};
use crate::text;

pub(crate) async fn run(context: &mut Context, id: u64) -> Result<(), CommandError> {
    let answer = get(context, id).await?;
    if context.json {
        writeln!(context.out, "{}", answer.trim_end())?;
    } else {
        let page = page(&parse(answer.as_bytes())?, &context.screen);
        context.out.write_all(page.as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

fn page(alert: &Alert<'_>, screen: &Screen) -> String {
    let mut page = Page::new(screen);
    heading(&mut page, alert);
    page.field("rule", &alert.rule.id);
    page.field("raised", &text::date_time_of(&alert.event.timestamp, &screen.zone));
    let process = &alert.event.process;
    page.field("process", &format!("{}  pid {}", row::command(&alert.event), process.pid));
    if !alert.alert.selections.is_empty() {
        page.toned_field("matched", Tone::Found, &alert.alert.selections.join(", "));
    }
    rule(&mut page, alert);
    if !alert.alert.fields.is_empty() {
        event(&mut page, &alert.alert.fields, screen);
    }
    if let Some(correlation) = &alert.alert.correlation {
        correlated(&mut page, correlation);
    }
    page.into_text()
}

fn rule(page: &mut Page<'_>, alert: &Alert<'_>) {
    page.section("── the rule, with the selections that matched");
    for (line, is_found) in is_found(&alert.rule.text, &alert.alert.selections) {
        match is_found {
            true => page.line(&[(Tone::Strong, "> "), (Tone::Strong, line)]),
            false => page.line(&[(Tone::Dim, "  "), (Tone::Dim, line)]),
        }
    }
}

/// What was asked of each field, and its value with what was found.
fn event(page: &mut Page<'_>, fields: &[FieldMatch], screen: &Screen) {
    page.section("── the event, with what was found");
    let mut selection = None;
    for field in fields {
        if field.selection.is_some() && field.selection != selection {
            selection.clone_from(&field.selection);
            page.heading(Tone::Strong, selection.as_deref().unwrap_or_default());
        }
        page.item(Tone::Dim, &question(field));
        let value = match &field.value {
            Some(value) => marked(value, &field.ranges, screen.palette),
            None => screen.paint(Tone::Dim, "(there is none)"),
        };
        page.safe_item(&format!("    {value}"));
    }
}

fn correlated(page: &mut Page<'_>, correlation: &Correlation) {
    page.section("── the correlation");
    page.field("type", &correlation.kind);
    page.field("value", &correlation.value.to_string());
    let timespan_ns = correlation.timespan_secs.saturating_mul(1_000_000_000);
    page.field("within", &common::time::duration(timespan_ns));
    for (name, value) in &correlation.group {
        page.field("of", &format!("{name} = {value}"));
    }
}
