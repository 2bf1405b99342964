//! What a record must have for a rule to fire on it, as a filter that SQL can carry out.
//!
//! It may let through more than the rule wants, and the engine decides; never less. So only what
//! every way to fire asks for goes in, and of that only texts in fields that the database looks up by
//! distinct value.

use common::filter::{Field, Filter, quote};
use rsigma_ir::IrRule;

use super::signs::{self, Sign};

/// A filter of more terms is not worth it, nor accepted.
const MOST_TERMS: usize = 64;
/// A filter folds the case of ASCII letters only; a rule also takes `K` (kelvin) for a `k`, and `İ`
/// for an `i` and a dot.
const FOLDED_FROM_OTHERS: [char; 2] = ['i', 'k'];
const LEAST_BYTES: usize = 2;

pub(super) fn of_rules<'r>(rules: impl Iterator<Item = &'r IrRule>) -> Filter {
    let signs: Option<Vec<_>> =
        rules.map(|rule| signs::of_rule(rule, |sign| term(sign).is_some())).collect();
    let Some(signs) = signs else { return Filter::all() };
    let mut terms: Vec<String> = signs.iter().flatten().filter_map(term).collect();
    terms.sort();
    terms.dedup();
    if terms.is_empty() || terms.len() > MOST_TERMS {
        return Filter::all();
    }
    // Nothing in it depends on the time.
    Filter::parse(&terms.join(" or "), 0).unwrap_or_else(|_| Filter::all())
}

fn term(sign: &Sign) -> Option<String> {
    let (field, text) = match sign {
        Sign::Name(name) => (Field::Exe, &*format!("/{name}")),
        Sign::Text { field: "Image", text } => (Field::Exe, &**text),
        Sign::Text { field: "CommandLine", text } => (Field::Cmd, &**text),
        Sign::Text { field: "ParentImage", text } => (Field::Parent, &**text),
        Sign::Text { field: "ParentCommandLine", text } => (Field::ParentCmd, &**text),
        Sign::Text { .. } => return None,
    };
    let part = text.split(FOLDED_FROM_OTHERS).max_by_key(|part| part.len())?;
    (part.len() >= LEAST_BYTES).then(|| format!("{} ~ {}", field.name(), quote(part)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::compiled;

    fn prefilter(detection: &str) -> String {
        let text = format!(
            "title: T\nid: t\nlogsource: {{category: process_creation, product: linux}}\n\
             detection: {{{detection}}}\n"
        );
        compiled("t.yml", &text).ruleset.prefilter().text().to_owned()
    }

    #[test]
    fn what_every_way_to_fire_asks_for_is_in_it() {
        let cases = [
            ("a: {Image|endswith: [/nc, /ncat]}, condition: a", "exe ~ /nc or exe ~ /ncat"),
            (
                "a: {Image|contains: xy, CommandLine|contains: ' --exec '}, condition: a",
                "cmd ~ \" --exec \"",
            ),
            (
                "a: {Image: xy}, b: {ParentCommandLine: yz}, condition: a or b",
                "exe ~ xy or parent_cmd ~ yz",
            ),
            ("a: {Image: xy}, b: {User: yz}, condition: a or b", ""),
            // What SQL cannot look up does not hide what it can.
            ("a: {Image: xy, User: longer than the other}, condition: a", "exe ~ xy"),
            ("a: {Image|re: 'x(a|b)y'}, condition: a", "exe ~ xay or exe ~ xby"),
            ("a: {Image|contains: kcbik}, condition: a", "exe ~ cb"),
            ("a: {Image|contains: kci}, condition: a", ""),
            ("a: [xy, yz], condition: a", ""),
        ];
        for (detection, expected) in cases {
            assert_eq!(prefilter(detection), expected, "{detection}");
        }
    }
}
