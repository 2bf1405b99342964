//! `bpfctl rules show`

use std::io::Write;

use common::rule::{RuleInfo, RuleText};

use super::list::place;
use super::{rule_error, state_text};
use crate::command::Context;
use crate::error::{self, CommandError};
use crate::page::Page;
use crate::screen::{Screen, Tone};
use crate::text;

pub(crate) async fn run(context: &mut Context, id: &str) -> Result<(), CommandError> {
    let answer = context.rules().await?.get(id).await;
    let answer = answer.map_err(|error| rule_error(id, error))?;
    if context.json {
        writeln!(context.out, "{}", answer.trim_end())?;
    } else {
        let rule: RuleText =
            serde_json::from_str(&answer).map_err(|error| error::not_understood(&error))?;
        context.out.write_all(page(&rule, &context.screen).as_bytes())?;
    }
    context.out.flush()?;
    Ok(())
}

fn page(rule: &RuleText, screen: &Screen) -> String {
    let info = &rule.info;
    let mut page = Page::new(screen);
    let (state, tone) = state_text(info.state);
    let level = Tone::Level(info.level);
    page.line(&[
        (tone, &state),
        (Tone::Plain, "  "),
        (level, info.level.name()),
        (Tone::Plain, "  "),
        (Tone::Strong, &info.title),
    ]);
    overview(&mut page, info, tone);
    page.list("tags", &info.tags);
    page.list("false positives", &info.falsepositives);
    page.list("references", &info.references);
    page.list("notes", &info.notes);
    page.section("── text");
    for line in rule.text.lines() {
        page.line(&[(Tone::Plain, line)]);
    }
    page.into_text()
}

fn overview(page: &mut Page<'_>, info: &RuleInfo, tone: Tone) {
    if let Some(reason) = &info.reason {
        page.toned_field("reason", tone, reason);
    }
    page.field("id", &info.id);
    if info.is_correlation {
        page.field("kind", "correlation: fires on what other rules found");
    }
    page.optional("status", info.status.as_deref());
    page.field("origin", info.origin.name());
    page.field("file", &place(info));
    page.field("alerts", &text::number(info.alerts));
    page.optional("author", info.author.as_deref());
    page.optional("license", info.license.as_deref());
    page.optional("date", info.date.as_deref());
    page.lines("description", info.description.as_deref());
}

#[cfg(test)]
mod tests {
    use common::rule::RuleState;

    use super::*;
    use crate::rules::list::tests::rule;

    #[test]
    fn a_rule_is_shown_whole_and_its_text_as_it_is() {
        let mut info = rule("53b8a9a2", "SSH key\x1b[2J");
        info.state = RuleState::Inert;
        info.reason = Some("Hashes is never filled".to_owned());
        info.is_correlation = true;
        info.document = 2;
        info.alerts = 3;
        info.author = Some("A\nB".to_owned());
        info.description = Some("One.\nTwo.\n".to_owned());
        info.tags = vec!["attack.persistence".to_owned()];
        info.falsepositives = vec!["ssh-copy-id".to_owned()];
        info.notes = vec!["the id was derived".to_owned()];
        let text = "title: x\r\ndetection:\n\tsel: '\u{202e}'\n".to_owned();
        let expected = "\
◌ inert  high  SSH key\\x1b[2J
  reason            Hashes is never filled
  id                53b8a9a2
  kind              correlation: fires on what other rules found
  origin            shipped
  file              a/b.yml, document 2
  alerts            3
  author            A\\nB
  description       One.
                    Two.

tags
  attack.persistence

false positives
  ssh-copy-id

notes
  the id was derived

── text
title: x
detection:
\\tsel: '\\u{202e}'
";
        assert_eq!(page(&RuleText { info, text }, &Screen::plain(None)), expected);
    }
}
