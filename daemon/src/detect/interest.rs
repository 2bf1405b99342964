//! Which members of a list any rule could match, so that the engine is not handed the others.
//!
//! An exec has some thirty environment variables, and one of root forty capabilities. The engine
//! would compare each with every rule that asks for one of them; hardly any ever match. A member
//! that no rule can match changes nothing, as rules ask whether any member matches: where the whole
//! list has none of the texts that a match needs, it is handed over empty.

use aho_corasick::AhoCorasick;
use common::ecs::capability_names;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::Extractor;
use rsigma_ir::{IrDetection, IrDetectionItem, IrMatcher, IrRule, IrStrOp};

use super::implied::parsed;

/// Shorter texts are in too many lists.
const LEAST_BYTES: usize = 2;
const MOST_TEXTS: usize = 1000;

pub(super) struct Interest {
    environment: Texts,
    capabilities: u64,
}

impl Interest {
    pub(super) fn of_rules<'r>(rules: impl Iterator<Item = &'r IrRule> + Clone) -> Self {
        const CAPABILITIES: &[&str] =
            &["process.thread.capabilities.effective", "process.thread.capabilities.permitted"];
        let capabilities = Texts::new(Needs::of_rules(rules.clone(), CAPABILITIES));
        let is_wanted = |name: &str| capabilities.may_match(format!("{name}\0").as_bytes());
        let capabilities = capability_names(u64::MAX)
            .iter()
            .enumerate()
            .filter(|(_, name)| is_wanted(name))
            .fold(0, |set, (bit, _)| set | 1 << bit);
        Self {
            environment: Texts::new(Needs::of_rules(rules, &["process.env_vars"])),
            capabilities,
        }
    }

    /// Of strings that each end with NUL.
    pub(super) fn in_environment(&self, strings: &[u8]) -> bool {
        self.environment.may_match(strings)
    }

    /// Those of the set that any rule could match.
    pub(super) fn in_capabilities(&self, set: u64) -> u64 {
        set & self.capabilities
    }
}

/// What must be in a list for any of its members to match.
enum Texts {
    /// It cannot be told.
    Unknown,
    /// No rule asks for such a list.
    None,
    Any {
        automaton: AhoCorasick,
        /// What a member must begin with, behind the NUL that ends the member before.
        beginnings: Vec<Vec<u8>>,
        is_folded: bool,
    },
}

impl Texts {
    fn new(needs: Option<Needs>) -> Self {
        let Some(Needs { texts, beginnings, is_folded }) = needs else { return Self::Unknown };
        let beginnings: Vec<_> =
            beginnings.into_iter().map(|text| [b"\0", &*text].concat()).collect();
        let count = texts.len() + beginnings.len();
        if count == 0 {
            return Self::None;
        }
        let built = AhoCorasick::builder()
            .ascii_case_insensitive(is_folded)
            .build(texts.iter().chain(&beginnings));
        match built {
            Ok(automaton) if count <= MOST_TEXTS => Self::Any { automaton, beginnings, is_folded },
            _ => Self::Unknown,
        }
    }

    fn may_match(&self, strings: &[u8]) -> bool {
        match self {
            Self::Unknown => true,
            Self::None => false,
            Self::Any { automaton, beginnings, is_folded } => {
                let begins = |text: &Vec<u8>| match strings.get(..text.len() - 1) {
                    Some(start) if *is_folded => start.eq_ignore_ascii_case(&text[1..]),
                    start => start == Some(&text[1..]),
                };
                // The engine folds letters that are not of ASCII too, and bytes that are no text
                // reach it escaped.
                !strings.is_ascii() || automaton.is_match(strings) || beginnings.iter().any(begins)
            }
        }
    }
}

/// Texts, one of which is in whatever matches.
#[derive(Default)]
struct Needs {
    texts: Vec<Vec<u8>>,
    beginnings: Vec<Vec<u8>>,
    /// Whether the case of letters is to be left out of account.
    is_folded: bool,
}

impl Needs {
    /// `None` where a rule asks in a way that names no text.
    fn of_rules<'r>(rules: impl Iterator<Item = &'r IrRule>, fields: &[&str]) -> Option<Self> {
        let mut needs = Self::default();
        for rule in rules {
            for detection in rule.detections.values() {
                needs.add_detection(detection, fields)?;
            }
        }
        Some(needs)
    }

    fn add_detection(&mut self, detection: &IrDetection, fields: &[&str]) -> Option<()> {
        match detection {
            IrDetection::AllOf(items) => {
                items.iter().try_for_each(|item| self.add_item(item, fields))
            }
            IrDetection::And(parts) | IrDetection::AnyOf(parts) => {
                parts.iter().try_for_each(|part| self.add_detection(part, fields))
            }
            // Keywords are looked for in other fields only.
            IrDetection::Keywords(_) => Some(()),
            IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => None,
        }
    }

    fn add_item(&mut self, item: &IrDetectionItem, fields: &[&str]) -> Option<()> {
        let is_asked = item.field.as_deref().is_some_and(|name| fields.contains(&name));
        // Whether there is a list does not depend on its members.
        if !is_asked || item.exists.is_some() {
            return Some(());
        }
        self.add_matcher(&item.matcher)
    }

    fn add_matcher(&mut self, matcher: &IrMatcher) -> Option<()> {
        match matcher {
            IrMatcher::Str { op, pattern, case_insensitive } => {
                let text = pattern.as_plain()?;
                if text.len() < LEAST_BYTES || !text.is_ascii() {
                    return None;
                }
                self.is_folded |= case_insensitive;
                match op {
                    IrStrOp::Exact | IrStrOp::StartsWith => self.beginnings.push(text.into()),
                    IrStrOp::Contains | IrStrOp::EndsWith => self.texts.push(text.into()),
                }
                Some(())
            }
            IrMatcher::Regex { .. } => {
                let parsed = parsed(matcher)?;
                let is_anchored = parsed.properties().look_set_prefix().contains(Look::Start);
                let found = Extractor::new().extract(&parsed);
                let to = if is_anchored { &mut self.beginnings } else { &mut self.texts };
                for text in found.literals()? {
                    if text.len() < LEAST_BYTES {
                        return None;
                    }
                    to.push(text.as_bytes().to_vec());
                }
                Some(())
            }
            IrMatcher::AnyOf(parts) | IrMatcher::AllOf(parts) => {
                parts.iter().try_for_each(|part| self.add_matcher(part))
            }
            IrMatcher::Exists(_) | IrMatcher::Null => Some(()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::compiled;
    use super::*;

    fn interest(detection: &str) -> Interest {
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: process_creation, product: linux}}\n\
             detection: {{{detection}}}\n"
        );
        let compiled = compiled("t.yml", &text);
        Interest::of_rules(compiled.ruleset.intermediate())
    }

    #[test]
    fn a_list_without_the_texts_of_any_rule_is_of_no_interest() {
        let cases: [(&str, &str, bool); 19] = [
            ("a: {Image: x}, condition: a", "A=1\0", false),
            ("a: {process.env_vars|re: '^LD_PRELOAD=.*so'}, condition: a", "LD_PRELOAD=\0", true),
            (
                "a: {process.env_vars|re: '^LD_PRELOAD=.*so'}, condition: a",
                "A\0LD_PRELOAD=\0",
                true,
            ),
            ("a: {process.env_vars|re: '^LD_PRELOAD=.*so'}, condition: a", "ld_preload=\0", false),
            ("a: {process.env_vars|re: '^ENV='}, condition: a", "VIRTUAL_ENV=/x\0", false),
            ("a: {process.env_vars|re: 'ENV='}, condition: a", "VIRTUAL_ENV=/x\0", true),
            ("a: {process.env_vars|re|i: '^ENV='}, condition: a", "env=/x\0", true),
            ("a: {process.env_vars|re|m: '^ENV='}, condition: a", "A=\nENV=/x\0", true),
            ("a: {process.env_vars|re: '.'}, condition: a", "B=2\0", true),
            ("a: {process.env_vars|re: '^(?:AB|)='}, condition: a", "=2\0", true),
            ("a: {process.env_vars|startswith: 'ld_'}, condition: a", "LD_PRELOAD=\0", true),
            ("a: {process.env_vars|startswith: 'ld_'}, condition: a", "OLD_PWD=\0", false),
            ("a: {process.env_vars|contains: 'ld_'}, condition: a", "OLD_PWD=\0", true),
            ("a: {process.env_vars|contains: 'ſ_'}, condition: a", "A=1\0", true),
            ("a: {process.env_vars|endswith: '*1'}, condition: a", "A=1\0", true),
            ("a: {process.env_vars|contains: 'key'}, condition: a", "A=\u{212a}ey\0", true),
            ("a: {process.env_vars|exists: true}, condition: a", "A=1\0", false),
            ("a: {process.env_vars|contains: xyz}, condition: not a", "A=1\0", false),
            ("a: {process.env_vars|contains|all: [xy, z1]}, condition: a", "A=z1\0", true),
        ];
        for (detection, strings, expected) in cases {
            let interest = interest(detection);
            assert_eq!(interest.in_environment(strings.as_bytes()), expected, "{detection}");
        }
    }

    #[test]
    fn only_capabilities_that_rules_name_are_of_interest() {
        let of = |detection: &str| interest(detection).in_capabilities(u64::MAX);
        let field = "process.thread.capabilities.effective";
        assert_eq!(of("a: {Image: x}, condition: a"), 0);
        let both = 1 << 7 | 1 << 21;
        let named = format!("a: {{{field}: [CAP_SETUID, cap_sys_admin]}}, condition: a");
        assert_eq!(of(&named), both);
        let permitted = field.replace("effective", "permitted");
        assert_eq!(of(&format!("a: {{{permitted}|endswith: _RESOURCE}}, condition: a")), 1 << 24);
        assert_eq!(of(&format!("a: {{{field}|re: 'CAP_[^x]'}}, condition: a")).count_ones(), 64);
    }
}
