//! What follows from a value matching: how the path ends, or that one of some texts is in the value.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use rsigma_ir::{IrMatcher, IrStrOp};

/// Shorter texts are in almost every event.
const LEAST_BYTES: usize = 2;
/// More texts for one expression cost more than they save.
const MOST_TEXTS: usize = 64;
/// Longer ones are not put together: it would take a hostile expression seconds, and find no better.
const MOST_TEXT_BYTES: usize = 64;

/// The last parts that a path can have, if all of them are known.
pub(super) fn names(matcher: &IrMatcher) -> Option<Vec<String>> {
    let name = |path: &str| {
        let (_, name) = path.rsplit_once('/')?;
        (!name.is_empty() && name.is_ascii()).then(|| name.to_ascii_lowercase())
    };
    match matcher {
        IrMatcher::Str { op: IrStrOp::EndsWith | IrStrOp::Exact, pattern, .. } => {
            Some(vec![name(&pattern.as_plain()?)?])
        }
        IrMatcher::Regex { .. } => {
            endings(&parsed(matcher)?)?.iter().map(|ending| name(ending)).collect()
        }
        IrMatcher::AnyOf(parts) => bounded(parts.iter().map(names)),
        IrMatcher::AllOf(parts) => parts.iter().find_map(names),
        _ => None,
    }
}

/// Texts, one of which is in whatever matches, in whatever case.
pub(super) fn texts(matcher: &IrMatcher) -> Option<Vec<String>> {
    match matcher {
        IrMatcher::Str { pattern, .. } => fit(vec![pattern.as_plain()?.to_ascii_lowercase()]),
        IrMatcher::Regex { .. } => needed(&parsed(matcher)?),
        IrMatcher::AnyOf(parts) => bounded(parts.iter().map(texts)),
        IrMatcher::AllOf(parts) => parts.iter().filter_map(texts).max_by_key(|texts| worth(texts)),
        _ => None,
    }
}

/// A regular expression as the engine understands it.
pub(super) fn parsed(matcher: &IrMatcher) -> Option<Hir> {
    let IrMatcher::Regex { pattern, case_insensitive, multiline, dotall, cased: _ } = matcher
    else {
        return None;
    };
    ParserBuilder::new()
        .case_insensitive(*case_insensitive)
        .multi_line(*multiline)
        .dot_matches_new_line(*dotall)
        .build()
        .parse(pattern)
        .ok()
}

fn bounded(parts: impl Iterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    let mut all = parts.collect::<Option<Vec<_>>>()?.concat();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty() && all.len() <= MOST_TEXTS).then_some(all)
}

fn fit(texts: Vec<String>) -> Option<Vec<String>> {
    let is_fit = |text: &String| text.len() >= LEAST_BYTES && text.is_ascii();
    (!texts.is_empty() && texts.iter().all(is_fit)).then_some(texts)
}

/// What is rarest: the longest, then the fewest.
fn worth(texts: &[String]) -> (usize, usize) {
    let shortest = texts.iter().map(String::len).min().unwrap_or(0);
    (shortest, MOST_TEXTS.saturating_sub(texts.len()))
}

fn needed(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let runs = runs(parts).into_iter().filter_map(fit);
            let inner = parts.iter().filter_map(needed);
            runs.chain(inner).max_by_key(|texts| worth(texts))
        }
        HirKind::Alternation(parts) => bounded(parts.iter().map(needed)),
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        _ => fit(all_texts(hir)?),
    }
}

/// What the parts between those of many texts can be together.
fn runs(parts: &[Hir]) -> Vec<Vec<String>> {
    let nothing = || vec![String::new()];
    let (mut runs, mut run) = (Vec::new(), nothing());
    for part in parts {
        let texts = all_texts(part);
        let longer = texts.as_deref().and_then(|texts| product(&run, texts));
        run = longer.unwrap_or_else(|| {
            runs.push(std::mem::replace(&mut run, nothing()));
            texts.unwrap_or_else(nothing)
        });
    }
    runs.push(run);
    runs
}

/// What a text that matches can end with, where the expression says how it ends.
fn endings(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let (last, before) = parts.split_last()?;
            if !matches!(last.kind(), HirKind::Look(regex_syntax::hir::Look::End)) {
                return None;
            }
            let mut texts = vec![String::new()];
            for part in before.iter().rev() {
                let Some(longer) = all_texts(part).and_then(|part| product(&part, &texts)) else {
                    break;
                };
                texts = longer;
            }
            Some(texts)
        }
        HirKind::Alternation(parts) => bounded(parts.iter().map(endings)),
        HirKind::Capture(capture) => endings(&capture.sub),
        _ => None,
    }
}

/// All texts that an expression matches, in lower case, if they are few.
fn all_texts(hir: &Hir) -> Option<Vec<String>> {
    let texts = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![folded(std::str::from_utf8(&literal.0).ok()?)?],
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            // Letters come in both cases, and `s` and `k` as a third besides.
            let few: Vec<char> = chars.take(MOST_TEXTS).collect();
            if few.len() == MOST_TEXTS {
                return None;
            }
            few.into_iter().map(|c| folded(c.encode_utf8(&mut [0; 4]))).collect::<Option<_>>()?
        }
        HirKind::Class(Class::Bytes(_)) => return None,
        HirKind::Capture(capture) => all_texts(&capture.sub)?,
        HirKind::Repetition(repetition) => {
            let once = all_texts(&repetition.sub)?;
            match (repetition.min, repetition.max) {
                (0, Some(1)) => [vec![String::new()], once].concat(),
                (1, Some(1)) => once,
                _ => return None,
            }
        }
        HirKind::Concat(parts) => {
            let mut texts = vec![String::new()];
            for part in parts {
                texts = product(&texts, &all_texts(part)?)?;
            }
            texts
        }
        HirKind::Alternation(parts) => {
            parts.iter().map(all_texts).collect::<Option<Vec<_>>>()?.concat()
        }
    };
    bounded(std::iter::once(Some(texts)))
}

/// As the engine folds what it compares. What is no ASCII is left to it, save for the letters that
/// it makes ASCII of.
fn folded(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    text.is_ascii().then_some(text)
}

fn product(first: &[String], second: &[String]) -> Option<Vec<String>> {
    let longest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    if first.len() * second.len() > MOST_TEXTS || longest(first) + longest(second) > MOST_TEXT_BYTES
    {
        return None;
    }
    let joined = |first: &String| second.iter().map(|second| [&**first, second].concat()).collect();
    bounded(first.iter().map(|first| Some(joined(first))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> IrMatcher {
        IrMatcher::Regex {
            pattern: pattern.to_owned(),
            case_insensitive: false,
            multiline: false,
            dotall: false,
            cased: true,
        }
    }

    #[test]
    fn texts_of_regular_expressions() {
        let cases: [(&str, Option<&[&str]>); 22] = [
            ("abc", Some(&["abc"])),
            ("ABC", Some(&["abc"])),
            ("(?i)abc", Some(&["abc"])),
            // `ſ` is an `s` without regard to case, and the engine leaves it as it is.
            ("(?i)disable", Some(&["able"])),
            ("(?i)kelvin", Some(&["kelvin"])),
            ("a|bc", None),
            ("ab|cd", Some(&["ab", "cd"])),
            ("a[bc]d", Some(&["abd", "acd"])),
            ("ab?c", Some(&["abc", "ac"])),
            ("ab*c", None),
            ("abc*de", Some(&["de"])),
            ("(?:ab)+", Some(&["ab"])),
            ("(?:ab)*", None),
            ("(ab|cd)ef", Some(&["abef", "cdef"])),
            (r"\s-(?:u|-user)[= ]\s*[48]\w+", Some(&["--user ", "--user=", "-u ", "-u="])),
            (r"\s-[a-z]*c\s", None),
            (r"\bgrubby\s.*--arg", Some(&["grubby"])),
            ("^ab$", Some(&["ab"])),
            (".", None),
            ("", None),
            ("ä", None),
            ("xy(?:ä|b)", Some(&["xy"])),
        ];
        for (pattern, expected) in cases {
            let expected =
                expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(texts(&regex(pattern)), expected, "{pattern}");
        }
        let parts = format!(r"{}\b{}", "a".repeat(40), "b".repeat(50));
        assert_eq!(texts(&regex(&parts)), Some(vec!["b".repeat(50)]));
        assert_eq!(texts(&IrMatcher::AnyOf(vec![regex("ab"), regex(".")])), None);
        let both = IrMatcher::AllOf(vec![regex("."), regex("ab"), regex("abc")]);
        assert_eq!(texts(&both), Some(vec!["abc".to_owned()]));
    }

    #[test]
    fn names_of_what_an_expression_ends_with() {
        let cases: [(&str, Option<&[&str]>); 11] = [
            ("/(?:gdb|lldb)$", Some(&["gdb", "lldb"])),
            ("/(?:(?:ba|da)?sh|tar)$", Some(&["bash", "dash", "sh", "tar"])),
            ("(?i)/GDB$", Some(&["gdb"])),
            ("^/usr/.*/gdb$", Some(&["gdb"])),
            ("/a$|/b$", Some(&["a", "b"])),
            ("/gdb", None),
            ("gdb$", None),
            ("/python[0-9.]*$", None),
            ("/.*/x?$", None),
            ("(?m)/gdb$", None),
            ("/gdb$|/.", None),
        ];
        for (pattern, expected) in cases {
            let expected =
                expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(names(&regex(pattern)), expected, "{pattern}");
        }
    }
}
