//! `bpfctl rules list`

use std::io::Write;

use common::rule::{RuleInfo, RuleState};
use serde_json::value::RawValue;

use super::pattern::Pattern;
use super::state_text;
use crate::args::RuleList;
use crate::command::Context;
use crate::error::{self, CommandError};
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Column, Layout};
use crate::text;

pub(crate) async fn run(
    context: &mut Context,
    args: &RuleList,
    patterns: &[Pattern],
) -> Result<(), CommandError> {
    let answer = context.rules().await?.list().await?;
    let mut rules = Listed::parse(&answer)?;
    let total = rules.len();
    let ids = ShortIds::new(rules.iter().map(|rule| rule.info.id.clone()));
    rules.retain(|rule| is_meant(&rule.info, args, patterns));
    rules.sort_by_cached_key(|rule| order(&rule.info));
    if context.json {
        for rule in &rules {
            writeln!(context.out, "{}", rule.document.get())?;
        }
    } else if !rules.is_empty() {
        let infos: Vec<_> = rules.iter().map(|rule| &rule.info).collect();
        context.out.write_all(table(&infos, &ids, &context.screen).as_bytes())?;
        writeln!(context.out, "\n{}", summary(&infos, total))?;
    }
    context.out.flush()?;
    if rules.is_empty() && !context.json {
        let _ = writeln!(std::io::stderr(), "{}", remark(total));
    }
    Ok(())
}

/// A rule, and its document as it came.
struct Listed<'a> {
    info: RuleInfo,
    document: &'a RawValue,
}

impl<'a> Listed<'a> {
    fn parse(answer: &'a str) -> Result<Vec<Self>, CommandError> {
        let documents: Vec<&RawValue> =
            serde_json::from_str(answer).map_err(|error| error::not_understood(&error))?;
        let listed = documents.into_iter().map(|document| {
            let info = serde_json::from_str(document.get())?;
            Ok(Self { info, document })
        });
        listed.collect::<Result<_, _>>().map_err(|error| error::not_understood(&error))
    }
}

fn is_meant(rule: &RuleInfo, args: &RuleList, patterns: &[Pattern]) -> bool {
    (patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(rule)))
        && (args.states.is_empty() || args.states.contains(&rule.state))
        && args.level.is_none_or(|level| rule.level >= level)
}

/// The worst first, then by title.
fn order(rule: &RuleInfo) -> impl Ord + use<> {
    (std::cmp::Reverse(rule.level), rule.title.to_lowercase(), rule.id.clone(), rule.origin)
}

fn table(rules: &[&RuleInfo], ids: &ShortIds, screen: &Screen) -> String {
    const COLUMNS: [Column; 7] = [
        Column::left("LEVEL", 8, 13),
        Column::left("STATE", 8, 12),
        Column::left("ID", 8, 16),
        Column::right("ALERTS", 6, 12),
        Column::left("TITLE", 5, 56),
        Column::left("ORIGIN", 7, 8),
        Column::left("FILE", 0, 0),
    ];
    let rows: Vec<_> = rules.iter().map(|rule| row(rule, ids)).collect();
    let mut layout = Layout::new(&COLUMNS);
    for row in &rows {
        layout.widen(row);
    }
    let mut out = layout.header(screen);
    for (row, rule) in rows.iter().zip(rules) {
        out.push_str(&layout.line(row, screen));
        if let Some(reason) = &rule.reason {
            let (_, tone) = state_text(rule.state);
            let reason = format!("  └ {}", common::escape::terminal(reason));
            out.push_str(&screen.paint(tone, &reason));
            out.push('\n');
        }
    }
    out
}

fn row(rule: &RuleInfo, ids: &ShortIds) -> Vec<Cell> {
    let (state, tone) = state_text(rule.state);
    let title = if rule.title.is_empty() { "(no title)" } else { &rule.title };
    vec![
        Cell::toned(rule.level.name(), Tone::Level(rule.level)),
        Cell::toned(state, tone),
        Cell::toned(ids.short(&rule.id), Tone::Dim),
        Cell::new(text::number(rule.alerts)),
        Cell::new(title),
        Cell::toned(rule.origin.name(), Tone::Dim),
        Cell::toned(place(rule), Tone::Dim),
    ]
}

/// `persistence/ssh-key.yml`, with the number of the document where it is not the first.
pub(super) fn place(rule: &RuleInfo) -> String {
    match rule.document {
        0 | 1 => rule.file.clone(),
        number => format!("{}, document {number}", rule.file),
    }
}

/// Ids cut so far that each still names one rule, of all there are.
struct ShortIds {
    sorted: Vec<String>,
}

/// An id of this length can be read out and typed.
const SHORT_CHARS: usize = 8;

impl ShortIds {
    fn new(ids: impl Iterator<Item = String>) -> Self {
        let mut sorted: Vec<_> = ids.collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }

    fn short(&self, id: &str) -> String {
        let at = self.sorted.partition_point(|other| &**other < id);
        let before = at.checked_sub(1).and_then(|at| self.sorted.get(at));
        let after = self.sorted.get(at + 1);
        let common = before.into_iter().chain(after).map(|other| common_chars(id, other)).max();
        let needed = common.map_or(0, |common| common + 1).max(SHORT_CHARS);
        id.chars().take(needed).collect()
    }
}

fn common_chars(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// `12 of 250 rules: 10 active, 2 disabled`
fn summary(rules: &[&RuleInfo], total: usize) -> String {
    let count = |state| rules.iter().filter(|rule| rule.state == state).count();
    let states: Vec<_> = RuleState::ALL
        .into_iter()
        .map(|state| (count(state), state.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", text::number(count as u64)))
        .collect();
    let of = match rules.len() == total {
        true => String::new(),
        false => format!("{} of ", text::number(rules.len() as u64)),
    };
    format!("{of}{}: {}", text::counted(total as u64, "rule"), states.join(", "))
}

fn remark(total: usize) -> String {
    match total {
        0 => "there is no rule\nhint: store some with `bpfctl rules upload FILE`".to_owned(),
        total => format!(
            "no rule fits\nhint: leave a pattern or an option out; `bpfctl rules list` lists all {}",
            text::number(total as u64)
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use common::rule::{Level, Origin};

    use super::*;

    /// An active rule of level high; tests change what they are about.
    pub(crate) fn rule(id: &str, title: &str) -> RuleInfo {
        let json = serde_json::json!({
            "id": id, "title": title, "level": "high", "is_correlation": false,
            "state": "active", "is_enabled": true, "origin": "shipped", "file": "a/b.yml",
            "document": 1,
        });
        serde_json::from_value(json).unwrap()
    }

    fn ids(rules: &[&RuleInfo]) -> ShortIds {
        ShortIds::new(rules.iter().map(|rule| rule.id.clone()))
    }

    #[test]
    fn rules_are_listed_with_state_place_and_reason() {
        let mut inert = rule("53b8a9a2-2", "Never");
        inert.state = RuleState::Inert;
        inert.reason = Some("Hashes is never filled\x1b[2J".to_owned());
        inert.document = 2;
        let mut broken = rule("", "");
        broken.state = RuleState::Unusable;
        broken.origin = Origin::Uploaded;
        broken.level = Level::Informational;
        let mut busy = rule("53b8a9a2-1", "SSH\n\u{202e}key");
        busy.alerts = 12_481;
        let rules = [&busy, &inert, &broken];
        assert_eq!(
            table(&rules, &ids(&rules), &Screen::plain(Some(100))).lines().collect::<Vec<_>>(),
            [
                "LEVEL          STATE       ID          ALERTS  TITLE             ORIGIN    FILE",
                "high           ● active    53b8a9a2-1  12,481  SSH\\n\\u{202e}key  shipped   a/b.yml",
                "high           ◌ inert     53b8a9a2-2       0  Never             shipped   a/b.yml, document 2",
                "  └ Hashes is never filled\\x1b[2J",
                "informational  ✗ unusable                   0  (no title)        uploaded  a/b.yml",
            ]
        );
        assert_eq!(summary(&rules, 3), "3 rules: 1 active, 1 inert, 1 unusable");
        assert_eq!(summary(&rules[..1], 1200), "1 of 1,200 rules: 1 active");
    }

    #[test]
    fn colour_goes_with_a_word() {
        let rules = [&rule("1", "x")];
        let table = table(&rules, &ids(&rules), &Screen::colored());
        assert!(table.contains("\x1b[31mhigh\x1b[0m"), "{table:?}");
        assert!(table.contains("\x1b[32m● active\x1b[0m"), "{table:?}");
    }

    #[test]
    fn the_worst_come_first_then_titles_in_order() {
        let mut low = rule("1", "a");
        low.level = Level::Low;
        let mut rules = [low, rule("2", "b"), rule("3", "A")];
        rules.sort_by_cached_key(order);
        let ids: Vec<_> = rules.iter().map(|rule| &*rule.id).collect();
        assert_eq!(ids, ["3", "2", "1"]);
    }

    #[test]
    fn short_ids_still_name_one_rule() {
        let ids = ["1234567890", "12345678", "abcdefghij", "äöüäöüäöüä"];
        let ids = ShortIds::new(ids.into_iter().map(str::to_owned));
        assert_eq!(ids.short("1234567890"), "123456789");
        assert_eq!(ids.short("12345678"), "12345678");
        assert_eq!(ids.short("abcdefghij"), "abcdefgh");
        assert_eq!(ids.short("äöüäöüäöüä"), "äöüäöüäö");
        assert_eq!(ids.short(""), "");
    }
}
