//! What became of texts that were uploaded or checked, by reason.

use std::collections::BTreeMap;

use common::rule::{Report, RuleInfo, RuleState};

use super::state_text;
use crate::error::CommandError;
use crate::page::Page;
use crate::screen::{Screen, Tone};
use crate::table::{Cell, Column, Layout};
use crate::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Store,
    Check,
}

impl Purpose {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Purpose::Store => "uploading",
            Purpose::Check => "checking",
        }
    }
}

/// So many rules are named each.
const FEW_RULES: usize = 10;
/// So many files are named of each reason.
const FEW_FILES: usize = 5;

pub(crate) struct Summary {
    pub(crate) purpose: Purpose,
    /// Symbolic links that were passed over.
    links: u64,
    files: u64,
    refused_files: u64,
    refused_rules: u64,
    replaced: u64,
    noted: u64,
    states: BTreeMap<RuleState, u64>,
    refused: Reasons,
    inert: Reasons,
    /// The first of them, and one more if there are more than a few.
    rules: Vec<RuleInfo>,
}

/// Files by what is the matter with them.
type Reasons = BTreeMap<String, Vec<String>>;

impl Summary {
    pub(crate) fn new(purpose: Purpose, links: u64) -> Self {
        Self {
            purpose,
            links,
            files: 0,
            refused_files: 0,
            refused_rules: 0,
            replaced: 0,
            noted: 0,
            states: BTreeMap::new(),
            refused: Reasons::new(),
            inert: Reasons::new(),
            rules: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, file: &str, report: Report) {
        self.files += 1;
        self.replaced += report.replaced.len() as u64;
        let has_usable = report.rules.iter().any(|rule| rule.state != RuleState::Unusable);
        let is_refused = match self.purpose {
            _ if report.reason.is_some() => true,
            Purpose::Store => !report.is_stored,
            Purpose::Check => !has_usable,
        };
        self.refused_files += u64::from(is_refused);
        let explains_itself = report.rules.iter().any(|rule| rule.state == RuleState::Unusable);
        if let Some(reason) = report.reason {
            note(&mut self.refused, Some(reason), file);
        } else if is_refused && !explains_itself {
            note(&mut self.refused, Some("there is no rule in it".to_owned()), file);
        }
        for rule in report.rules {
            self.add_rule(file, rule);
        }
    }

    fn add_rule(&mut self, file: &str, rule: RuleInfo) {
        *self.states.entry(rule.state).or_default() += 1;
        self.noted += u64::from(!rule.notes.is_empty());
        match rule.state {
            RuleState::Unusable => {
                self.refused_rules += 1;
                note(&mut self.refused, rule.reason.clone(), file);
            }
            RuleState::Inert => note(&mut self.inert, rule.reason.clone(), file),
            RuleState::Active | RuleState::Disabled | RuleState::Overridden => {}
        }
        if self.rules.len() <= FEW_RULES {
            self.rules.push(rule);
        }
    }

    /// A failure if anything was refused.
    pub(crate) fn outcome(&self) -> Result<(), CommandError> {
        let message = match (self.refused_files, self.refused_rules) {
            (0, 0) => return Ok(()),
            (0, rules) => format!("{} cannot be used", text::counted(rules, "rule")),
            (files, _) => {
                format!("{} of {} refused", text::number(files), text::counted(self.files, "file"))
            }
        };
        Err(CommandError::failure(message).hint(match self.purpose {
            Purpose::Store => "the summary says why; everything else is stored",
            Purpose::Check => "the summary says why; nothing was stored, it was only checked",
        }))
    }

    pub(crate) fn page(&self, screen: &Screen) -> String {
        let mut page = Page::new(screen);
        self.overview(&mut page);
        let mut text = page.into_text();
        if !self.rules.is_empty() && self.rules.len() <= FEW_RULES {
            text.push('\n');
            text.push_str(&rule_table(&self.rules, screen));
        }
        let mut page = Page::new(screen);
        reasons(&mut page, "refused", Tone::Failed, &self.refused);
        reasons(&mut page, "can never fire here", Tone::Killed, &self.inert);
        text + &page.into_text()
    }

    fn overview(&self, page: &mut Page<'_>) {
        let files = text::counted(self.files, "file");
        let fine = text::number(self.files - self.refused_files);
        let refused = text::number(self.refused_files);
        let line = match self.purpose {
            Purpose::Store => format!("uploaded {files}: {fine} stored, {refused} refused"),
            Purpose::Check => {
                format!("checked {files}, nothing is stored: {fine} good, {refused} refused")
            }
        };
        page.heading(Tone::Strong, &line);
        for (state, count) in &self.states {
            page.field(state.name(), &text::counted(*count, "rule"));
        }
        if self.replaced > 0 {
            let rules = text::counted(self.replaced, "rule");
            let stored = match self.purpose {
                Purpose::Store => "that had the same id",
                Purpose::Check => "that have the same id, if they were uploaded",
            };
            page.field("replaced", &format!("{rules} {stored}"));
        }
        if self.noted > 0 && self.rules.len() > FEW_RULES {
            let rules = text::counted(self.noted, "rule");
            page.field("notes", &format!("of {rules}; `bpfctl rules validate FILE` shows them"));
        }
        if self.links > 0 {
            let links = text::counted(self.links, "symbolic link");
            page.field("passed over", &format!("{links} in directories"));
        }
    }
}

fn note(reasons: &mut Reasons, reason: Option<String>, file: &str) {
    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
    reasons.entry(reason).or_default().push(file.to_owned());
}

/// The most frequent reason first, each with a few of its files.
fn reasons(page: &mut Page<'_>, title: &str, tone: Tone, reasons: &Reasons) {
    if reasons.is_empty() {
        return;
    }
    page.section(title);
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    for (reason, files) in sorted {
        page.item(tone, &format!("{}  {reason}", text::number(files.len() as u64)));
        let mut names = files.clone();
        names.dedup();
        let mut line = names.iter().take(FEW_FILES).cloned().collect::<Vec<_>>().join(", ");
        if let Some(more) = names.len().checked_sub(FEW_FILES).filter(|more| *more > 0) {
            line.push_str(&format!(", … and {} more", text::number(more as u64)));
        }
        page.item(Tone::Dim, &format!("   {line}"));
    }
}

/// Each rule, with what its author should know.
fn rule_table(rules: &[RuleInfo], screen: &Screen) -> String {
    const COLUMNS: [Column; 4] = [
        Column::left("STATE", 8, 12),
        Column::left("LEVEL", 8, 13),
        Column::left("ID", 8, 36),
        Column::left("TITLE", 0, 0),
    ];
    let rows: Vec<Vec<Cell>> = rules.iter().map(row).collect();
    let mut layout = Layout::new(&COLUMNS);
    for row in &rows {
        layout.widen(row);
    }
    let mut out = layout.header(screen);
    for (row, rule) in rows.iter().zip(rules) {
        out.push_str(&layout.line(row, screen));
        for note in &rule.notes {
            let note = format!("  └ {}\n", common::escape::terminal(note));
            out.push_str(&screen.paint(Tone::Dim, &note));
        }
    }
    out
}

fn row(rule: &RuleInfo) -> Vec<Cell> {
    let (state, tone) = state_text(rule.state);
    vec![
        Cell::toned(state, tone),
        Cell::toned(rule.level.name(), Tone::Level(rule.level)),
        Cell::toned(&*rule.id, Tone::Dim),
        Cell::new(if rule.title.is_empty() { "(no title)" } else { &rule.title }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::list::tests::rule;

    fn report(rules: Vec<RuleInfo>) -> Report {
        let file = String::new();
        Report { file, is_stored: true, reason: None, rules, replaced: Vec::new() }
    }

    fn refused(reason: &str) -> Report {
        Report { is_stored: false, reason: Some(reason.to_owned()), ..report(Vec::new()) }
    }

    fn in_state(state: RuleState, reason: &str) -> RuleInfo {
        RuleInfo { state, reason: Some(reason.to_owned()), ..rule("1", "x") }
    }

    #[test]
    fn one_rule_is_named_with_its_notes() {
        let mut summary = Summary::new(Purpose::Check, 0);
        let mut good = rule("53b8a9a2", "SSH\nkey");
        good.notes = vec!["the id was derived\x1b[2J".to_owned()];
        summary.add("a.yml", Report { is_stored: false, ..report(vec![good]) });
        let expected = "\
checked 1 file, nothing is stored: 1 good, 0 refused
  active            1 rule

STATE     LEVEL     ID        TITLE
● active  high      53b8a9a2  SSH\\nkey
  └ the id was derived\\x1b[2J
";
        assert_eq!(summary.page(&Screen::plain(None)), expected);
        assert_eq!(summary.outcome(), Ok(()));
    }

    #[test]
    fn many_are_counted_by_reason() {
        let mut summary = Summary::new(Purpose::Store, 2);
        for at in 0..240 {
            let mut good = rule("1", "x");
            good.notes = vec!["note".to_owned()];
            let replaced = if at < 12 { vec!["1".to_owned()] } else { Vec::new() };
            summary.add("good.yml", Report { replaced, ..report(vec![good]) });
        }
        for at in 0..7 {
            summary.add(&format!("{at}.yml"), refused("unknown modifier\x1b[2J"));
        }
        let windows = in_state(RuleState::Inert, "for windows");
        summary.add("w.yml", report(vec![windows.clone(), windows]));
        let broken = in_state(RuleState::Unusable, "no condition");
        summary.add("half.yml", report(vec![rule("2", "x"), broken.clone()]));
        summary.add("broken.yml", Report { is_stored: false, ..report(vec![broken]) });
        summary.add("empty.yml", Report { is_stored: false, ..report(Vec::new()) });
        let expected = "\
uploaded 251 files: 242 stored, 9 refused
  active            241 rules
  inert             2 rules
  unusable          2 rules
  replaced          12 rules that had the same id
  notes             of 240 rules; `bpfctl rules validate FILE` shows them
  passed over       2 symbolic links in directories

refused
  7  unknown modifier\\x1b[2J
     0.yml, 1.yml, 2.yml, 3.yml, 4.yml, … and 2 more
  2  no condition
     half.yml, broken.yml
  1  there is no rule in it
     empty.yml

can never fire here
  2  for windows
     w.yml
";
        assert_eq!(summary.page(&Screen::plain(None)), expected);
        assert_eq!(summary.outcome().unwrap_err().message, "9 of 251 files refused");
    }

    #[test]
    fn a_rule_that_cannot_be_used_is_a_failure_though_its_file_is_stored() {
        let mut summary = Summary::new(Purpose::Store, 0);
        let broken = in_state(RuleState::Unusable, "no condition");
        summary.add("half.yml", report(vec![rule("1", "x"), broken]));
        let error = summary.outcome().unwrap_err();
        assert_eq!(error.message, "1 rule cannot be used");
        assert!(summary.page(&Screen::plain(None)).starts_with("uploaded 1 file: 1 stored, 0 ref"));
    }
}
