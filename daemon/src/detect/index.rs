//! Rules by their signs, so that an event is shown only to those that it can make fire.
//!
//! Not the engine's own index: of a few hundred rules that takes ten megabytes.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use rsigma_eval::matcher::ascii_lowercase_cow;
use rsigma_eval::{CompiledRule, EvaluationResult, Event, EventValue, evaluate_rule};
use rsigma_ir::IrRule;

use super::signs::{self, Sign};

/// Of longer texts the end is looked for: as many of different lengths can be found at one place of
/// an event, and each takes its time.
const MOST_TEXT_BYTES: usize = 32;

/// Rules, and which of them to ask.
pub(super) struct Indexed {
    rules: Vec<CompiledRule>,
    index: Index,
    /// Of the last event.
    marks: Marks,
}

impl Indexed {
    pub(super) fn new(rules: Vec<(CompiledRule, Option<&IrRule>)>) -> Self {
        let index = Index::new(rules.iter().map(|(_, ir)| *ir));
        let marks = Marks(vec![0; rules.len().div_ceil(64)]);
        let rules = rules.into_iter().map(|(rule, _)| rule).collect();
        Self { rules, index, marks }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What fires on the event, in the order of the rules.
    pub(super) fn evaluate(&mut self, event: &impl Event) -> Vec<EvaluationResult> {
        self.index.mark(event, &mut self.marks);
        let marked = self.marks.iter().filter_map(|rule| self.rules.get(rule));
        let found: Vec<_> = marked.filter_map(|rule| evaluate_rule(rule, event)).collect();
        // Whatever a test shows to rules, none may be missing.
        #[cfg(test)]
        assert_eq!(found.len(), self.rules.iter().filter_map(|r| evaluate_rule(r, event)).count());
        found
    }
}

struct Index {
    /// Of which no sign is known.
    always: Vec<usize>,
    names: HashMap<String, Vec<usize>>,
    texts: Vec<Texts>,
}

/// What is looked for in one field.
struct Texts {
    field: &'static str,
    automaton: AhoCorasick,
    /// By the automaton's number of a text.
    rules: Vec<Vec<usize>>,
}

impl Index {
    fn new<'r>(rules: impl Iterator<Item = Option<&'r IrRule>>) -> Self {
        let mut index = Self { always: Vec::new(), names: HashMap::new(), texts: Vec::new() };
        let mut fields: HashMap<&'static str, HashMap<String, Vec<usize>>> = HashMap::new();
        for (number, rule) in rules.enumerate() {
            let Some(signs) = rule.and_then(|rule| signs::of_rule(rule, |_| true)) else {
                index.always.push(number);
                continue;
            };
            for sign in signs {
                let rules = match sign {
                    Sign::Name(name) => index.names.entry(name).or_default(),
                    Sign::Text { field, mut text } => {
                        // Signs are of ASCII.
                        let end = text.split_off(text.len().saturating_sub(MOST_TEXT_BYTES));
                        fields.entry(field).or_default().entry(end).or_default()
                    }
                };
                if rules.last() != Some(&number) {
                    rules.push(number);
                }
            }
        }
        for (field, texts) in fields {
            let (texts, rules): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
            // DFAs of so many texts take some twenty times as much memory.
            let automaton = AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .ascii_case_insensitive(true)
                .build(&texts);
            match automaton {
                Ok(automaton) => index.texts.push(Texts { field, automaton, rules }),
                Err(_) => index.always.extend(rules.into_iter().flatten()),
            }
        }
        index
    }

    fn mark(&self, event: &impl Event, marks: &mut Marks) {
        marks.0.fill(0);
        marks.add(&self.always);
        if !self.names.is_empty()
            && let Some(EventValue::Str(name)) = event.get_field("process.name")
            && let Some(rules) = self.names.get(&*ascii_lowercase_cow(&name))
        {
            marks.add(rules);
        }
        for texts in &self.texts {
            // The engine compares texts with what other values are written as.
            match event.get_field(texts.field) {
                Some(EventValue::Str(text)) => texts.mark(&text, marks),
                Some(EventValue::Bool(is_so)) => {
                    texts.mark(if is_so { "true" } else { "false" }, marks);
                }
                Some(EventValue::Int(number)) => texts.mark(&number.to_string(), marks),
                Some(_) => texts.rules.iter().for_each(|rules| marks.add(rules)),
                None => {}
            }
        }
    }
}

impl Texts {
    fn mark(&self, text: &str, marks: &mut Marks) {
        // As the engine folds what it compares: some letters become those of ASCII.
        let folded = if text.is_ascii() { text.into() } else { ascii_lowercase_cow(text) };
        for found in self.automaton.find_overlapping_iter(&*folded) {
            self.rules
                .get(found.pattern().as_usize())
                .into_iter()
                .for_each(|rules| marks.add(rules));
        }
    }
}

/// A set of rules, a bit for each.
struct Marks(Vec<u64>);

impl Marks {
    fn add(&mut self, rules: &[usize]) {
        for rule in rules {
            if let Some(word) = self.0.get_mut(rule / 64) {
                *word |= 1 << (rule % 64);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            std::iter::successors(Some(*word), |word| Some(word & word.wrapping_sub(1)))
                .take_while(|word| *word != 0)
                .map(move |word| index * 64 + word.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Sample, compiled};
    use super::*;

    #[test]
    fn many_long_texts_are_found_and_cost_as_much_as_short_ones() {
        let texts: Vec<String> = (2..200).map(|length| "q".repeat(length)).collect();
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: process_creation, product: linux}}\n\
             detection: {{a: {{CommandLine|contains: [{}]}}, condition: a}}\n",
            texts.join(", ")
        );
        let mut ruleset = compiled("t.yml", &text).ruleset;
        let index = Index::new(ruleset.intermediate().map(Some));
        assert_eq!(index.texts[0].automaton.max_pattern_len(), MOST_TEXT_BYTES);
        assert!(index.always.is_empty());
        let event = |line: &str| Sample::of(&serde_json::json!({ "CommandLine": line }));
        assert_eq!(ruleset.judge(&event(&"Q".repeat(300)), 0).len(), 1);
        assert_eq!(ruleset.judge(&event("q"), 0).len(), 0);
    }

    #[test]
    fn marks_are_given_back_in_order() {
        let mut marks = Marks(vec![0; 3]);
        marks.add(&[130, 0, 63, 64, 63, 191]);
        assert_eq!(marks.iter().collect::<Vec<_>>(), [0, 63, 64, 130, 191]);
        assert_eq!(Marks(Vec::new()).iter().next(), None);
    }
}
