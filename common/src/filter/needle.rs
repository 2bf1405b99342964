//! Search for a text whatever the case of its ASCII letters: the hot loop of every search.

use memchr::{memchr2_iter, memmem};

/// Bytes of command lines and paths, most frequent first. A byte that is not here is rarer still.
const FREQUENT: &[u8] = b" e-/tasrinoclpd.mu=bhfg_vykx01w2:3,z58j4976q\"'";

/// Full comparisons that may fail before the search falls back to one that is linear for sure.
const FAILURES: usize = 32;

/// A text to search for, prepared once.
///
/// The search looks for both cases of the needle's rarest byte with SIMD and compares only there;
/// nothing is copied or lower-cased. Input made to defeat that falls back to a linear search.
#[derive(Debug, Clone)]
pub struct Needle {
    /// The text with ASCII letters in lower case.
    folded: Box<[u8]>,
    finder: Box<memmem::Finder<'static>>,
    /// Offsets of the rarest and the next rarest byte.
    rare: usize,
    second: usize,
    has_letter: bool,
    has_space: bool,
    has_nul: bool,
}

impl PartialEq for Needle {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Needle {}

impl Needle {
    pub fn new(text: &[u8]) -> Self {
        let folded = text.to_ascii_lowercase().into_boxed_slice();
        let mut offsets: Vec<usize> = (0..folded.len()).collect();
        offsets.sort_by_key(|offset| rarity(folded[*offset]));
        let rare = offsets.first().copied().unwrap_or(0);
        Self {
            finder: Box::new(memmem::Finder::new(&folded).into_owned()),
            rare,
            second: offsets.get(1).copied().unwrap_or(rare),
            has_letter: folded.iter().any(u8::is_ascii_lowercase),
            has_space: folded.contains(&b' '),
            has_nul: folded.contains(&0),
            folded,
        }
    }

    /// The text in lower case.
    pub fn folded(&self) -> &[u8] {
        &self.folded
    }

    pub fn is_in(&self, text: &[u8]) -> bool {
        if self.has_letter { self.find::<false>(text) } else { self.finder.find(text).is_some() }
    }

    /// In any one of NUL-terminated strings.
    pub fn is_in_strings(&self, nul_terminated: &[u8]) -> bool {
        // Without a NUL of its own, the needle cannot reach over the end of a string.
        !self.has_nul && self.is_in(nul_terminated)
    }

    /// In NUL-terminated strings as if joined by spaces.
    pub fn is_in_command_line(&self, nul_terminated: &[u8]) -> bool {
        if self.has_nul {
            return false;
        }
        if !self.has_space {
            return self.is_in(nul_terminated);
        }
        self.find::<true>(nul_terminated.strip_suffix(&[0]).unwrap_or(nul_terminated))
    }

    fn find<const NUL_IS_SPACE: bool>(&self, text: &[u8]) -> bool {
        let length = self.folded.len();
        let Some(positions) = text.len().checked_sub(length) else {
            return false;
        };
        let (one, other) = variants::<NUL_IS_SPACE>(self.folded[self.rare]);
        let second = self.folded[self.second];
        let mut failures = 0;
        for start in memchr2_iter(one, other, &text[self.rare..=self.rare + positions]) {
            let candidate = &text[start..start + length];
            if fold::<NUL_IS_SPACE>(candidate[self.second]) != second {
                continue;
            }
            if candidate.iter().zip(&self.folded).all(|(a, b)| fold::<NUL_IS_SPACE>(*a) == *b) {
                return true;
            }
            failures += 1;
            if failures == FAILURES {
                let rest: Vec<u8> =
                    text[start..].iter().map(|byte| fold::<NUL_IS_SPACE>(*byte)).collect();
                return self.finder.find(&rest).is_some();
            }
        }
        false
    }
}

/// Small for rare bytes.
fn rarity(byte: u8) -> usize {
    FREQUENT.iter().rev().position(|known| *known == byte).map_or(0, |position| position + 1)
}

fn fold<const NUL_IS_SPACE: bool>(byte: u8) -> u8 {
    if NUL_IS_SPACE && byte == 0 { b' ' } else { byte.to_ascii_lowercase() }
}

/// The bytes that fold to this one.
fn variants<const NUL_IS_SPACE: bool>(folded: u8) -> (u8, u8) {
    if NUL_IS_SPACE && folded == b' ' { (b' ', 0) } else { (folded, folded.to_ascii_uppercase()) }
}
