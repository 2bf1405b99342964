//! What people call rules by: an id or its beginning, a title, a tag, a level, or globs of these.

use common::rule::{Level, RuleInfo};
use regex::{Regex, RegexBuilder};

/// A beginning of an id must be as long as that, so that a word does not mean a rule by chance.
const LEAST_ID_BYTES: usize = 4;

pub(crate) enum Pattern {
    Id(String),
    Tag(Regex),
    Level(Level),
    /// Of an id or a title, as a whole.
    Glob(Regex),
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("an empty pattern: give an id, a title, tag:TAG, level:LEVEL or a glob \
                        (\"*\" for all)"
                .to_owned());
        }
        if let Some(tag) = text.strip_prefix("tag:") {
            return Ok(Self::Tag(glob(tag)?));
        }
        if let Some(level) = text.strip_prefix("level:") {
            return Level::parse(level).map(Self::Level).ok_or_else(|| {
                let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
                format!("there is no level {level:?}: give one of {}", names.join(", "))
            });
        }
        let is_id =
            text.len() >= LEAST_ID_BYTES && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        Ok(if is_id { Self::Id(text.to_lowercase()) } else { Self::Glob(glob(text)?) })
    }

    pub(crate) fn fits(&self, rule: &RuleInfo) -> bool {
        match self {
            Self::Id(start) => rule.id.starts_with(start),
            Self::Tag(tag) => rule.tags.iter().any(|own| tag.is_match(own)),
            Self::Level(level) => rule.level == *level,
            Self::Glob(glob) => glob.is_match(&rule.title) || glob.is_match(&rule.id),
        }
    }
}

/// Whether a glob fits a title as a whole.
pub(crate) fn title_fits(text: &str, title: &str) -> bool {
    glob(text).is_ok_and(|glob| glob.is_match(title))
}

/// `*` for any text, `?` for any letter; the case of letters does not matter.
fn glob(text: &str) -> Result<Regex, String> {
    let mut pattern = String::from(r"\A");
    for c in text.chars() {
        match c {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push_str(r"\z");
    RegexBuilder::new(&pattern)
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| format!("a pattern too long to be used: {} bytes", text.len()))
}
