//! What is kept of an environment: chosen variables only, and no secret values.

use aho_corasick::{AhoCorasick, BuildError};
use memchr::memchr;

use crate::settings::Environment;

/// Stands for a value that was not kept.
pub(crate) const REDACTED: &[u8] = b"[redacted]";

pub(crate) struct Policy {
    only: Option<Vec<Vec<u8>>>,
    /// All words at once, as every name of every exec is asked. `None` where nothing is redacted.
    secret: Option<AhoCorasick>,
}

impl Policy {
    pub(crate) fn new(settings: &Environment) -> Result<Self, BuildError> {
        let secret =
            AhoCorasick::builder().ascii_case_insensitive(true).build(&settings.redacted_words)?;
        Ok(Self {
            only: settings
                .only
                .as_ref()
                .map(|names| names.iter().map(|name| name.as_bytes().to_vec()).collect()),
            secret: (secret.patterns_len() > 0).then_some(secret),
        })
    }

    /// Appends the kept part of NUL-terminated `NAME=value` strings to `out`.
    ///
    /// A first or last string that was cut has no sure name: `starts_inside` says the first one
    /// began before `strings`; it is redacted whole where secrets are to be redacted at all.
    pub(crate) fn keep(&self, strings: &[u8], starts_inside: bool, out: &mut Vec<u8>) {
        let mut is_inside = starts_inside;
        let mut rest = strings;
        while !rest.is_empty() {
            let (item, is_terminated) = match memchr(0, rest) {
                Some(end) => (&rest[..end], true),
                None => (rest, false),
            };
            self.keep_one(item, is_inside, out);
            is_inside = false;
            rest = &rest[item.len() + usize::from(is_terminated)..];
        }
    }

    fn keep_one(&self, item: &[u8], is_inside: bool, out: &mut Vec<u8>) {
        if is_inside {
            if self.only.is_none() {
                out.extend_from_slice(if self.secret.is_some() { REDACTED } else { item });
                out.push(0);
            }
            return;
        }
        let name_len = memchr(b'=', item).unwrap_or(item.len());
        let name = &item[..name_len];
        if let Some(only) = &self.only
            && !only.iter().any(|wanted| wanted == name)
        {
            return;
        }
        let is_secret = |words: &AhoCorasick| words.is_match(name);
        if name_len < item.len() && self.secret.as_ref().is_some_and(is_secret) {
            out.extend_from_slice(&item[..=name_len]);
            out.extend_from_slice(REDACTED);
        } else {
            out.extend_from_slice(item);
        }
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(only: Option<&[&str]>, words: &[&str]) -> Policy {
        Policy::new(&Environment {
            is_recorded: true,
            only: only.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
            redacted_words: words.iter().map(|w| (*w).to_owned()).collect(),
        })
        .unwrap()
    }

    fn kept(policy: &Policy, strings: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        policy.keep(strings, false, &mut out);
        out
    }

    #[test]
    fn secrets_are_redacted_by_name() {
        let policy = policy(None, &["TOKEN", "PASSWORD"]);
        assert_eq!(
            kept(&policy, b"PATH=/bin\0gh_token=abc\0MY_PASSWORD_FILE=\0TOKEN\0=x\0TOKE=n\0"),
            b"PATH=/bin\0gh_token=[redacted]\0MY_PASSWORD_FILE=[redacted]\0TOKEN\0=x\0TOKE=n\0"
        );
    }

    #[test]
    fn a_list_keeps_only_its_names() {
        let policy = policy(Some(&["PATH", "HOME"]), &[]);
        assert_eq!(kept(&policy, b"PATH=/bin\0PATHX=1\0HOME=/\0\0"), b"PATH=/bin\0HOME=/\0");
    }

    #[test]
    fn the_rest_of_a_cut_value_is_not_kept() {
        let mut out = Vec::new();
        policy(None, &["TOKEN"]).keep(b"ecret-tail\0A=b\0", true, &mut out);
        assert_eq!(out, b"[redacted]\0A=b\0");
    }
}
