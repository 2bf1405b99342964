//! Which rules a person means, among those that are listed.
//!
//! The recorder settles patterns itself where it changes rules; a list is narrowed here.

use common::rule::RuleInfo;
use regex::{Regex, RegexBuilder};

use crate::error::CommandError;

#[derive(Debug)]
pub(crate) enum Pattern {
    Tag(Regex),
    Level(Regex),
    /// The whole of an id or a title.
    Glob(Regex),
    /// A beginning of an id or a part of a title, in lower case.
    Text(String),
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, CommandError> {
        if let Some(tag) = text.strip_prefix("tag:") {
            return glob(tag).map(Self::Tag);
        }
        if let Some(level) = text.strip_prefix("level:") {
            return glob(level).map(Self::Level);
        }
        if text.contains(['*', '?']) {
            return glob(text).map(Self::Glob);
        }
        Ok(Self::Text(text.to_lowercase()))
    }

    pub(crate) fn fits(&self, rule: &RuleInfo) -> bool {
        match self {
            Self::Tag(tag) => rule.tags.iter().any(|text| tag.is_match(text)),
            Self::Level(level) => level.is_match(rule.level.name()),
            Self::Glob(whole) => whole.is_match(&rule.id) || whole.is_match(&rule.title),
            Self::Text(text) => {
                rule.id.to_lowercase().starts_with(text) || rule.title.to_lowercase().contains(text)
            }
        }
    }
}

/// No id, title or tag is longer.
const MOST_BYTES: usize = 1000;

/// `*` is any text, `?` any character; case does not matter.
fn glob(text: &str) -> Result<Regex, CommandError> {
    let too_long = || CommandError::usage("the pattern is too long");
    if text.len() > MOST_BYTES {
        return Err(too_long());
    }
    let whole = regex::escape(text).replace(r"\*", ".*").replace(r"\?", ".");
    RegexBuilder::new(&format!("^(?:{whole})$"))
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .build()
        .map_err(|_| too_long())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::list::tests::rule;

    #[track_caller]
    fn check(pattern: &str, is_meant: bool) {
        let mut rule = rule("53b8a9a2-9165-4265-9f56-53a5104abdac", "SSH key (new) added");
        rule.tags = vec!["attack.persistence".to_owned(), "attack.t1098.004".to_owned()];
        assert_eq!(Pattern::parse(pattern).unwrap().fits(&rule), is_meant, "{pattern}");
    }

    #[test]
    fn rules_are_meant_by_id_title_tag_and_level() {
        check("53b8", true);
        check("53B8A9A2-9165", true);
        check("b8a9", false);
        check("ssh KEY", true);
        check("key (new)", true);
        check("key +", false);
        check("", true);
        check("ssh*added", true);
        check("*key", false);
        check("53b8*", true);
        check("53b8?9a2-*", true);
        check("tag:attack.persistence", true);
        check("tag:ATTACK.*", true);
        check("tag:attack", false);
        check("tag:attackxpersistence", false);
        check("level:high", true);
        check("level:h*", true);
        check("level:medium", false);
    }

    #[test]
    fn a_pattern_without_measure_is_wrong_usage() {
        assert!(Pattern::parse(&"?*".repeat(500)).is_ok());
        let long = "?*".repeat(501);
        assert_eq!(Pattern::parse(&long).unwrap_err().kind, crate::error::Kind::Usage);
    }
}
