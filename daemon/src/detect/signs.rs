//! What an event must have for a rule to fire on it: names and texts, at least one of them.
//!
//! More events may have one than the rule fires on, never fewer: what cannot be told for sure is
//! left out, and a rule of which nothing can be told may fire on any event.

use rsigma_ir::{IrCondition, IrDetection, IrDetectionItem, IrMatcher, IrRule};
use rsigma_parser::Quantifier;

use super::{fields, implied};

/// In lower case, and to be looked for without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// What comes after the last slash of the executable's path.
    Name(String),
    /// A part of a field that has one text.
    Text { field: &'static str, text: String },
}

/// `None`: any event will do.
type Signs = Option<Vec<Sign>>;

/// Of those signs that are `usable`.
pub(super) fn of_rule(rule: &IrRule, usable: fn(&Sign) -> bool) -> Signs {
    let reader = Reader { rule, usable };
    let mut signs = any_of(rule.conditions.iter().map(|condition| reader.condition(condition)))?;
    signs.sort_unstable();
    signs.dedup();
    Some(signs)
}

struct Reader<'r> {
    rule: &'r IrRule,
    usable: fn(&Sign) -> bool,
}

impl Reader<'_> {
    fn condition(&self, condition: &IrCondition) -> Signs {
        match condition {
            IrCondition::Detection(name) => self.detection(self.rule.detections.get(name)?),
            IrCondition::And(parts) => rarest(parts.iter().map(|part| self.condition(part))),
            IrCondition::Or(parts) => any_of(parts.iter().map(|part| self.condition(part))),
            IrCondition::Not(_) => None,
            IrCondition::Selector { quantifier, pattern } => {
                let detections = self.rule.detections.iter();
                let selected = detections
                    .filter(|(name, _)| pattern.matches_detection_name(name))
                    .map(|(_, detection)| self.detection(detection));
                match quantifier {
                    Quantifier::All => rarest(selected),
                    Quantifier::Any | Quantifier::Count(_) => any_of(selected),
                }
            }
        }
    }

    fn detection(&self, detection: &IrDetection) -> Signs {
        match detection {
            IrDetection::AllOf(items) => rarest(items.iter().map(|item| self.item(item))),
            IrDetection::And(parts) => rarest(parts.iter().map(|part| self.detection(part))),
            IrDetection::AnyOf(parts) => any_of(parts.iter().map(|part| self.detection(part))),
            IrDetection::Keywords(matcher) => {
                any_of(fields::SEARCHED.iter().map(|field| self.matcher(field, matcher)))
            }
            IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => None,
        }
    }

    fn item(&self, item: &IrDetectionItem) -> Signs {
        let field = fields::same_as(item.field.as_deref()?)?;
        // A member of a list is none of its own.
        if item.exists.is_some() || fields::is_list(field) {
            return None;
        }
        if field == "Image"
            && let Some(names) = implied::names(&item.matcher)
        {
            return self.usable(names.into_iter().map(Sign::Name).collect());
        }
        self.matcher(field, &item.matcher)
    }

    fn matcher(&self, field: &'static str, matcher: &IrMatcher) -> Signs {
        match matcher {
            IrMatcher::Str { .. } | IrMatcher::Regex { .. } => {
                let texts = implied::texts(matcher)?.into_iter();
                self.usable(texts.map(|text| Sign::Text { field, text }).collect())
            }
            IrMatcher::AnyOf(parts) => any_of(parts.iter().map(|part| self.matcher(field, part))),
            IrMatcher::AllOf(parts) => rarest(parts.iter().map(|part| self.matcher(field, part))),
            _ => None,
        }
    }

    fn usable(&self, signs: Vec<Sign>) -> Signs {
        signs.iter().all(self.usable).then_some(signs)
    }
}

/// Any of these may be what holds: each must have a sign.
fn any_of(parts: impl Iterator<Item = Signs>) -> Signs {
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
}

/// All of these hold: one is enough, that which fewest events have.
fn rarest(parts: impl Iterator<Item = Signs>) -> Signs {
    parts.flatten().min_by_key(|signs| (signs.iter().map(frequency).max(), signs.len()))
}

fn frequency(sign: &Sign) -> u8 {
    /// Longer ones are hardly ever there by chance.
    const LONG_BYTES: usize = 8;
    match sign {
        Sign::Name(_) => 0,
        Sign::Text { text, .. } if text.len() >= LONG_BYTES => 1,
        Sign::Text { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::compiled;
    use super::*;

    fn signs(detection: &str) -> Option<Vec<String>> {
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: process_creation, product: linux}}\n\
             detection: {{{detection}}}\n"
        );
        let ruleset = compiled("t.yml", &text).ruleset;
        let signs = of_rule(ruleset.intermediate().next().unwrap(), |_| true)?;
        let shown = |sign: Sign| match sign {
            Sign::Name(name) => name,
            Sign::Text { field, text } => format!("{field}:{text}"),
        };
        Some(signs.into_iter().map(shown).collect())
    }

    #[test]
    fn what_every_way_to_fire_asks_for() {
        let cases: [(&str, Option<&[&str]>); 22] = [
            ("a: {Image|endswith: [/nc, /NCat]}, condition: a", Some(&["nc", "ncat"])),
            ("a: {process.executable: /bin/nc}, condition: a", Some(&["nc"])),
            ("a: {Image|contains: /nc}, condition: a", Some(&["Image:/nc"])),
            (
                "a: {Image|endswith: [/nc, /ncat], CommandLine|contains: ' -e '}, condition: a",
                Some(&["nc", "ncat"]),
            ),
            (
                "a: {CommandLine|contains: ['/dev/tcp/'], User|contains: ro}, condition: a",
                Some(&["CommandLine:/dev/tcp/"]),
            ),
            ("a: {CommandLine|contains|all: ['-e', abc]}, condition: a", Some(&["CommandLine:-e"])),
            (
                "a: {Image: xy}, b: {ParentImage: yz}, condition: a or b",
                Some(&["Image:xy", "ParentImage:yz"]),
            ),
            ("a: {Image: xy}, b: {LogonId: 0}, condition: a or b", None),
            ("a: {Image: xy}, b: {LogonId: 0}, condition: a and not b", Some(&["Image:xy"])),
            ("a: {Image: xy}, condition: not a", None),
            ("a: {Image: x}, condition: a", None),
            ("a: {Image: null}, condition: a", None),
            ("a: {Image: [null, xy]}, condition: a", None),
            ("a: {Image|exists: true}, condition: a", None),
            ("a: {Image|re: 'x(ab|cd)y'}, condition: a", Some(&["Image:xaby", "Image:xcdy"])),
            ("a: {Image|re: '.'}, condition: a", None),
            (
                "a1: {Image: xy}, a2: {Image: yz}, condition: 1 of a*",
                Some(&["Image:xy", "Image:yz"]),
            ),
            ("a1: {Image: xy}, a2: {Image: /yz}, condition: all of a*", Some(&["yz"])),
            ("a: {Image: 'Äx'}, condition: a", None),
            ("a: {process.args: xy}, condition: a", None),
            (
                "a: [{Image: xy}, {CommandLine: yz, User: zz}], condition: a",
                Some(&["CommandLine:yz", "Image:xy"]),
            ),
            (
                "a: [xy], condition: a",
                Some(&[
                    "CommandLine:xy",
                    "CurrentDirectory:xy",
                    "Image:xy",
                    "ParentCommandLine:xy",
                    "ParentImage:xy",
                    "User:xy",
                ]),
            ),
        ];
        for (detection, expected) in cases {
            let expected =
                expected.map(|signs| signs.iter().map(|sign| (*sign).to_owned()).collect());
            assert_eq!(signs(detection), expected, "{detection}");
        }
    }
}
