//! Classes of a regular expression as PCRE reads them, which is whose expressions Sigma takes: `\w`,
//! `\d`, `\s` and `\b` are of ASCII.
//!
//! The engine would take all of Unicode instead, which are large tables, and no command line means
//! more by them.

use std::convert::Infallible;

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem, Span, Visitor, parse::Parser,
};

/// The same expression with its classes spelled out; one that is wrong stays as it is.
pub(super) fn with_ascii_classes(pattern: &str) -> String {
    let Ok(tree) = Parser::new().parse(pattern) else { return pattern.to_owned() };
    let Ok(found) = ast::visit(&tree, Finder::default());
    let mut text = String::with_capacity(pattern.len());
    let mut end = 0;
    for (span, replacement) in found {
        text.push_str(&pattern[end..span.start.offset]);
        text.push_str(replacement);
        end = span.end.offset;
    }
    text.push_str(&pattern[end..]);
    text
}

/// What is replaced, in its order in the text.
#[derive(Default)]
struct Finder(Vec<(Span, &'static str)>);

impl Visitor for Finder {
    type Output = Vec<(Span, &'static str)>;
    type Err = Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Self::Err> {
        match tree {
            Ast::ClassPerl(class) => self.0.push((class.span, spelled_out(class))),
            // Not `\B`, which would be found inside of a character too.
            Ast::Assertion(assertion) if assertion.kind == AssertionKind::WordBoundary => {
                self.0.push((assertion.span, "(?-u:\\b)"));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if let ClassSetItem::Perl(class) = item {
            self.0.push((class.span, spelled_out(class)));
        }
        Ok(())
    }
}

fn spelled_out(class: &ClassPerl) -> &'static str {
    match (&class.kind, class.negated) {
        (ClassPerlKind::Digit, false) => "[0-9]",
        (ClassPerlKind::Digit, true) => "[^0-9]",
        (ClassPerlKind::Space, false) => "[\\t-\\r\\x20]",
        (ClassPerlKind::Space, true) => "[^\\t-\\r\\x20]",
        (ClassPerlKind::Word, false) => "[0-9A-Z_a-z]",
        (ClassPerlKind::Word, true) => "[^0-9A-Z_a-z]",
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::with_ascii_classes;

    fn is_match(pattern: &str, text: &str) -> bool {
        Regex::new(&with_ascii_classes(pattern)).unwrap().is_match(text)
    }

    #[test]
    fn classes_are_of_ascii() {
        for (pattern, yes, no) in [
            (r"^\w+$", "aZ_9", "é"),
            (r"^[\w.-]+$", "a.b-c", "a é"),
            (r"^\d$", "7", "٧"),
            (r"^a\sb$", "a\u{b}b", "a\u{a0}b"),
            (r"^\S+$", "a\u{a0}é", "a b"),
            (r"^\W$", "é", "e"),
            (r"^[^\D]$", "1", "é"),
            (r"^[^\s\d]$", "é", " "),
            (r"\bnc\b", "é nc;", "xnc"),
            (r"\bnc\b", "énc", "1nc"),
            (r"(?x) ^ \w \  \d $", "a 1", "a1"),
            (r"^[\w&&[^x]]$", "y", "x"),
            (r"^(?i:\w)$", "K", "\u{e9}"),
        ] {
            assert!(is_match(pattern, yes), "{pattern} {yes:?}");
            assert!(!is_match(pattern, no), "{pattern} {no:?}");
        }
    }

    #[test]
    fn what_has_no_class_stays_as_it_is() {
        for pattern in
            ["", "é+", r"^/tmp/[^/]+\.(sh|py)$", r"\\w", r"\\\\d", r"\B", "(", r"\p{Greek}"]
        {
            assert_eq!(with_ascii_classes(pattern), pattern);
        }
    }
}
