//! `bpfctl alerts show`: all that is known of one alert.

use std::io::Write;

use common::alert::{Alert, AlertRule, Change, Triage};
use common::ecs::Event;

use super::table::who;
use super::{get, heading, parse, status_text};
use crate::command::Context;
use crate::error::CommandError;
use crate::page::Page;
use crate::row;
use crate::screen::{Screen, Tone};
use crate::show::image;
use crate::status;
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
    triage(&mut page, alert, screen);
    rule(&mut page, &alert.rule);
    process(&mut page, &alert.event);
    ancestry(&mut page, alert);
    history(&mut page, &alert.alert.history, screen);
    page.section("── the process as it was then");
    image(&mut page, &alert.event, screen);
    page.into_text()
}

fn triage(page: &mut Page<'_>, alert: &Alert<'_>, screen: &Screen) {
    let Triage { id, status, count, last, note, selections, .. } = &alert.alert;
    let (status, tone) = status_text(*status);
    page.toned_field("status", tone, &status);
    page.field("raised", &text::date_time_of(&alert.event.timestamp, &screen.zone));
    if *count > 1 {
        let last = text::date_time_of(last, &screen.zone);
        page.field("count", &format!("×{}, the last {last}", text::number(*count)));
    }
    page.lines("note", note.as_deref());
    if !selections.is_empty() {
        page.field("matched", &selections.join(", "));
    }
    page.toned_field("why", Tone::Dim, &format!("`bpfctl alerts explain {id}`"));
}

fn rule(page: &mut Page<'_>, rule: &AlertRule) {
    page.section("rule");
    page.field("id", &rule.id);
    page.field("title", &rule.name);
    page.toned_field("level", Tone::Level(rule.level), rule.level.name());
    page.optional("author", rule.author.as_deref());
    page.optional("license", rule.license.as_deref());
    page.lines("description", rule.description.as_deref());
    if !rule.tags.is_empty() {
        page.field("tags", &rule.tags.join(", "));
    }
    for (name, values) in
        [("false positives", &rule.falsepositives), ("references", &rule.reference)]
    {
        let mut name = name;
        for value in values {
            page.field(name, value);
            name = "";
        }
    }
}

fn process(page: &mut Page<'_>, event: &Event<'_>) {
    page.section("process");
    page.field("command", &row::command(event));
    page.field("pid", &event.process.pid.to_string());
    page.field("id", &event.process.entity_id.to_string());
    page.field("user", &row::user(event));
    let (state, tone) = status::state(event);
    page.toned_field("state", tone, &state);
    if let Some(container) = &event.container {
        page.field("container", &format!("{} {}", container.runtime, container.id));
    }
    page.optional("unit", event.recorder.unit.as_deref());
}

/// From the oldest known ancestor down to the process.
fn ancestry(page: &mut Page<'_>, alert: &Alert<'_>) {
    if alert.alert.ancestors.is_empty() {
        return;
    }
    page.section("ancestry");
    let events = alert.alert.ancestors.iter().rev().chain([&alert.event]);
    for (depth, event) in events.enumerate() {
        let is_alerted = depth == alert.alert.ancestors.len();
        let tone = if is_alerted { Tone::Strong } else { Tone::Plain };
        let branch = match depth.checked_sub(1) {
            Some(above) => format!("{}└─ ", "   ".repeat(above)),
            None => String::new(),
        };
        let pid = format!("{:>7}  ", event.process.pid);
        page.line(&[(Tone::Dim, &pid), (Tone::Dim, &branch), (tone, &row::command(event))]);
    }
}

fn history(page: &mut Page<'_>, changes: &[Change], screen: &Screen) {
    if changes.is_empty() {
        return;
    }
    page.section("history");
    for change in changes {
        let (status, tone) = status_text(change.status);
        let time = format!("  {}  ", text::date_time_of(&change.time, &screen.zone));
        let by = format!("  by {}", who(change));
        page.line(&[(Tone::Dim, &time), (tone, &status), (Tone::Plain, &by)]);
        page.lines("", change.note.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use common::alert::Status;

    use super::*;
    use crate::alerts::tests::alert;
    use crate::row::tests::event;

    #[test]
    fn an_alert_is_shown_with_rule_ancestry_and_history() {
        let mut alert = alert(12, "SSH key\x1b[2J", "tee authorized_keys");
        alert.event.process.args = None;
        alert.rule.author = Some("A".to_owned());
        alert.rule.description = Some("One.\nTwo.\n".to_owned());
        alert.rule.tags = vec!["attack.persistence".to_owned(), "x".to_owned()];
        alert.rule.falsepositives = vec!["ssh-copy-id".to_owned(), "Cloud".to_owned()];
        alert.rule.reference = vec!["https://example.org".to_owned()];
        alert.alert = Triage {
            status: Status::InProgress,
            count: 12,
            last: "2026-11-24T15:00:00Z".to_owned(),
            note: Some("whose\nkey?\u{202e}".to_owned()),
            selections: vec!["sel_a".to_owned(), "sel_b".to_owned()],
            ancestors: vec![event(300, "bash\n"), event(200, "sshd")],
            history: vec![Change {
                time: "2026-11-24T14:10:00Z".to_owned(),
                uid: 1000,
                user: None,
                status: Status::InProgress,
                note: Some("whose\nkey?".to_owned()),
            }],
            ..alert.alert
        };
        let expected = "\
high  SSH key\\x1b[2J  alert 12
  status            ◐ in_progress
  raised            2026-11-24 14:03:27.512
  count             ×12, the last 2026-11-24 15:00:00.000
  note              whose
                    key?\\u{202e}
  matched           sel_a, sel_b
  why               `bpfctl alerts explain 12`

rule
  id                53b8a9a2
  title             SSH key\\x1b[2J
  level             high
  author            A
  description       One.
                    Two.
  tags              attack.persistence, x
  false positives   ssh-copy-id
                    Cloud
  references        https://example.org

process
  command           tee authorized_keys
  pid               4711
  id                3f2a9c81d0b4-4711-1a2b
  user              root
  state             ▶ running

ancestry
    200  sshd
    300  └─ bash\\n
   4711     └─ tee authorized_keys

history
  2026-11-24 14:10:00.000  ◐ in_progress  by user 1000
                    whose
                    key?

── the process as it was then
  executable        /usr/bin/tee
  arguments         (not known)
";
        assert_eq!(page(&alert, &Screen::plain(None)), expected);
    }
}
