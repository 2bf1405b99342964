//! Words, quoted texts and signs of a filter text. What they mean is for `parse` to say.

use super::error::{FilterError, Span};
use super::operator::Operator;

/// Walks over a filter text. Copy it to look ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// A bare word or a quoted text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'t> {
    /// Without the quotes, escapes as written.
    pub(super) raw: &'t str,
    pub(super) span: Span,
    pub(super) is_quoted: bool,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, or an empty place at the end of the text.
    pub(super) fn here(&self) -> Span {
        Span { start: self.at, end: self.at + self.peek().map_or(0, char::len_utf8) }
    }

    pub(super) fn take(&mut self, sign: char) -> bool {
        let is_here = self.peek() == Some(sign);
        if is_here {
            self.at += sign.len_utf8();
        }
        is_here
    }

    /// A bare word up to white space, a parenthesis or a comma; empty where there is none.
    pub(super) fn peek_bare(&self) -> Word<'t> {
        let rest = self.rest();
        let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',');
        let length = rest.find(is_end).unwrap_or(rest.len());
        self.word_of(length)
    }

    /// A name such as a field has: letters, digits, `_`, `.`, `-`, `@`; empty where there is none.
    pub(super) fn peek_name(&self) -> Word<'t> {
        let rest = self.rest();
        let is_first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '@');
        let is_next = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@');
        let length = match rest.chars().next() {
            Some(c) if is_first(c) => rest.find(|c| !is_next(c)).unwrap_or(rest.len()),
            _ => 0,
        };
        self.word_of(length)
    }

    fn word_of(&self, length: usize) -> Word<'t> {
        let span = Span { start: self.at, end: self.at + length };
        Word { raw: &self.text[span.start..span.end], span, is_quoted: false }
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.peek_bare().raw.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_here = self.is_keyword(keyword);
        if is_here {
            self.at += keyword.len();
            self.skip_space();
        }
        is_here
    }

    pub(super) fn take_operator(&mut self) -> Option<Operator> {
        let (operator, length) = Operator::at_front(self.rest())?;
        self.at += length;
        self.skip_space();
        Some(operator)
    }

    /// A bare word or a quoted text; an empty bare word where there is neither.
    pub(super) fn word(&mut self) -> Result<Word<'t>, FilterError> {
        let word = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.peek_bare(),
        };
        self.at = word.span.end;
        self.check_end_of(word)?;
        self.skip_space();
        Ok(word)
    }

    fn quoted(&self, quote: char) -> Result<Word<'t>, FilterError> {
        let body = &self.rest()[1..];
        let mut is_escaped = false;
        for (offset, c) in body.char_indices() {
            if c == quote && !is_escaped {
                let span = Span { start: self.at, end: self.at + offset + 2 };
                return Ok(Word { raw: &body[..offset], span, is_quoted: true });
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        let span = Span { start: self.at, end: self.at + 1 };
        Err(FilterError::new(self.text, span, "this quote is never closed"))
    }

    /// Refuses what people mean as one value and the language would silently take for two.
    fn check_end_of(&self, word: Word<'t>) -> Result<(), FilterError> {
        let fail = |message: &str| Err(FilterError::new(self.text, self.here(), message));
        if word.is_quoted {
            return match self.peek() {
                Some(c) if !c.is_whitespace() && !matches!(c, ')' | ',') => {
                    fail("a space is missing after the closing quote")
                }
                _ => Ok(()),
            };
        }
        if let Some(offset) = word.raw.find('"') {
            let span = Span { start: word.span.start + offset, end: word.span.start + offset + 1 };
            return Err(FilterError::new(self.text, span, "a quote inside a bare word")
                .hint("quote the whole value, and write \\\" for a quote inside"));
        }
        match self.peek() {
            Some('(') if !word.raw.is_empty() => {
                Err(FilterError::new(self.text, self.here(), "a parenthesis directly after a word")
                    .hint("quote a value that has parentheses, or put a space before the group"))
            }
            _ => Ok(()),
        }
    }
}

impl Word<'_> {
    /// The bytes meant. In quotes `\\`, `\"`, `\'`, `\n`, `\r`, `\t`, `\0` and `\xNN` are escapes,
    /// any other backslash stands for itself; in a bare word every backslash does.
    pub(super) fn bytes(&self) -> Vec<u8> {
        if self.is_quoted { unescape(self.raw.as_bytes()) } else { self.raw.as_bytes().to_vec() }
    }

    /// The regular expression meant: backslashes belong to it, but before a quote.
    pub(super) fn pattern(&self) -> String {
        let mut out = String::with_capacity(self.raw.len());
        let mut chars = self.raw.chars();
        while let Some(c) = chars.next() {
            match (c, chars.clone().next()) {
                ('\\', Some(quote @ ('"' | '\''))) => {
                    out.push(quote);
                    chars.next();
                }
                ('\\', Some(next)) => {
                    out.extend(['\\', next]);
                    chars.next();
                }
                _ => out.push(c),
            }
        }
        out
    }
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        let (byte, length) = match rest {
            [] => return out,
            [b'\\', b'x', high, low, ..] => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => (high << 4 | low, 4),
                None => (b'\\', 1),
            },
            [b'\\', c @ (b'\\' | b'"' | b'\''), ..] => (*c, 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'0', ..] => (0, 2),
            [other, ..] => (*other, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
