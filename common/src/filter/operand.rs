//! The right side of a term: words become values, values become tests.

use super::error::{FilterError, Span, shown};
use super::expr::Expr;
use super::field::{Field, Kind};
use super::lex::Word;
use super::literal::{self, Literal};
use super::needle::Needle;
use super::operator::Operator;
use super::parse::{MAX_PATTERNS, MAX_VALUES, Parser, Result};
use super::test::{Comparison, Pattern, Test};

/// Words that a time may have, as in `1 day 2 hours ago`.
const MAX_TIME_WORDS: usize = 6;

impl<'t> Parser<'t> {
    pub(super) fn text_term(&mut self, field: Field, operator: Operator) -> Result<Expr> {
        let word = self.value_word(field)?;
        if word.raw.is_empty() {
            return Err(self
                .fail(word.span, "an empty text is in every text")
                .hint(format!("{} exists finds what has one at all", field.name())));
        }
        let test = match operator {
            Operator::Contains => Test::Contains(Needle::new(&word.bytes())),
            _ => Test::Matches(self.pattern(word)?),
        };
        if field.kind() != Kind::Capability {
            return self.leaf(word.span, field, test);
        }
        match literal::capability_bits(&test) {
            0 => Err(self.fail(word.span, "no capability has such a name")),
            bits => self.leaf(word.span, field, Test::AnyBit(bits)),
        }
    }

    fn pattern(&mut self, word: Word<'t>) -> Result<Pattern> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} regular expressions");
            return Err(self.fail(word.span, message));
        }
        Pattern::new(&word.pattern()).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => self
                .fail(word.span, "this regular expression would take too much memory")
                .hint("make its repetitions smaller"),
            error => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default();
                let reason = reason.trim_start_matches("error: ");
                self.fail(word.span, format!("not a regular expression: {reason}"))
                    .hint("`~` searches for a text as it is")
            }
        })
    }

    pub(super) fn list_term(&mut self, name: Word<'t>, field: Field) -> Result<Expr> {
        let open = self.scan.here();
        let mut literals = Vec::new();
        self.scan.take('(');
        loop {
            self.scan.skip_space();
            literals.push(self.literal(field)?.0);
            if self.scan.take(')') {
                self.scan.skip_space();
                return self.equality(name.span, field, literals);
            }
            if self.scan.peek().is_none() {
                return Err(self.fail(open, "this list is never closed"));
            }
            if !self.scan.take(',') {
                return Err(self.fail(self.scan.here(), "a comma is missing between two values"));
            }
        }
    }

    pub(super) fn comparison(&mut self, field: Field, operator: Operator) -> Result<Expr> {
        let comparison = match operator {
            Operator::Less => Comparison::Less,
            Operator::LessOrEqual => Comparison::LessOrEqual,
            Operator::Greater => Comparison::Greater,
            _ => Comparison::GreaterOrEqual,
        };
        match self.literal(field)? {
            (Literal::Int(than) | Literal::Stretch(than, _), span) => {
                self.leaf(span, field, Test::IntCompare(comparison, than))
            }
            (_, span) => Err(self.value_error(field, span)),
        }
    }

    pub(super) fn literal(&mut self, field: Field) -> Result<(Literal, Span)> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.fail(self.scan.here(), format!("more than {MAX_VALUES} values")));
        }
        if field.kind() == Kind::Time {
            return self.time_literal(field);
        }
        let word = self.value_word(field)?;
        let may_be_empty = matches!(field.kind(), Kind::Strings | Kind::CommandLine);
        if word.raw.is_empty() && !may_be_empty {
            return Err(self
                .fail(word.span, format!("{} is never empty", field.name()))
                .hint(format!("not {} exists finds records without it", field.name())));
        }
        match literal::read(field.kind(), &word, self.now) {
            Some(literal) => Ok((literal, word.span)),
            None => Err(self.value_error(field, word.span)),
        }
    }

    /// A time may have several words, of which the longest run that makes sense is taken.
    pub(super) fn time_literal(&mut self, field: Field) -> Result<(Literal, Span)> {
        let first = self.value_word(field)?;
        if first.is_quoted {
            let text = String::from_utf8_lossy(&first.bytes()).into_owned();
            let literal = literal::read_time(&text, self.now);
            return literal
                .map(|literal| (literal, first.span))
                .ok_or_else(|| self.value_error(field, first.span));
        }
        let mut ends = vec![first.span.end];
        let mut ahead = self.scan;
        while ends.len() < MAX_TIME_WORDS {
            let word = ahead.peek_bare();
            if word.raw.is_empty() {
                break;
            }
            ends.push(word.span.end);
            ahead.at = word.span.end;
            ahead.skip_space();
        }
        for end in ends.into_iter().rev() {
            let span = Span { start: first.span.start, end };
            let words: Vec<&str> =
                self.scan.text[span.start..span.end].split_whitespace().collect();
            let text = words.join(" ");
            if let Some(literal) = literal::read_time(&text, self.now) {
                self.scan.at = end;
                self.scan.skip_space();
                return Ok((literal, span));
            }
        }
        Err(self.value_error(field, first.span))
    }

    /// The next word, where it can be a value.
    fn value_word(&mut self, field: Field) -> Result<Word<'t>> {
        let here = self.scan.here();
        let word = self.scan.word()?;
        if word.is_quoted {
            return Ok(word);
        }
        let expected = format!("{} takes {}", field.name(), field.kind().expects());
        if word.raw.is_empty() {
            let message = format!("a value is missing: {expected}");
            let hint = match self.scan.peek() {
                Some('(') => "quote a value that has parentheses".to_owned(),
                _ => format!("such as {}", field.info().example),
            };
            return Err(self.fail(here, message).hint(hint));
        }
        if ["and", "or", "not"].iter().any(|keyword| word.raw.eq_ignore_ascii_case(keyword)) {
            return Err(self
                .fail(word.span, format!("a value is missing before {}", shown(word.raw)))
                .hint(format!("{expected}; quote the word to mean it")));
        }
        if Operator::at_front(word.raw).is_some() {
            return Err(self
                .fail(word.span, "two operators in a row")
                .hint("quote a value that begins with an operator"));
        }
        Ok(word)
    }

    pub(super) fn value_error(&self, field: Field, span: Span) -> FilterError {
        let info = field.info();
        let value = shown(&self.scan.text[span.start..span.end]);
        let error = |message: String| self.fail(span, message);
        match info.kind {
            Kind::Choice(names) => error(format!("{value} is no {}", info.name))
                .hint(format!("one of {}", names.join(", "))),
            kind => error(format!("{value} is not {}", kind.expects()))
                .hint(format!("such as {}", info.example)),
        }
    }

    /// That the field equals one of the values, which may take several terms.
    pub(super) fn equality(
        &mut self,
        span: Span,
        field: Field,
        literals: Vec<Literal>,
    ) -> Result<Expr> {
        let mut any = Vec::new();
        for (field, test) in group(field, literals) {
            any.push(self.leaf(span, field, test)?);
        }
        if let [Expr::Term(from), Expr::Term(to)] = &any[..]
            && let (Test::IntCompare(..), Test::IntCompare(..)) = (&from.test, &to.test)
        {
            return Ok(Expr::and(any));
        }
        Ok(Expr::or(any))
    }
}

/// Literals of the same sort become one test.
fn group(field: Field, literals: Vec<Literal>) -> Vec<(Field, Test)> {
    let (mut ints, mut texts, mut prefixes, mut processes) = (vec![], vec![], vec![], vec![]);
    let (mut numbers, mut number_field, mut bits, mut tests) = (vec![], field, 0, vec![]);
    for literal in literals {
        match literal {
            Literal::Int(value) => ints.push(value),
            Literal::Stretch(from, to) => {
                tests.push((field, Test::IntCompare(Comparison::GreaterOrEqual, from)));
                tests.push((field, Test::IntCompare(Comparison::Less, to)));
            }
            Literal::Bits(value) => bits |= value,
            Literal::Text(value) => texts.push(value),
            Literal::Prefix(value) => prefixes.push(value),
            Literal::Process(value) => processes.push(value),
            Literal::Number(field, value) => {
                number_field = field;
                numbers.push(value);
            }
        }
    }
    let mut add = |field, has_values: bool, test| {
        if has_values {
            tests.push((field, test));
        }
    };
    add(field, !ints.is_empty(), Test::IntIn(sorted(ints)));
    add(field, bits != 0, Test::AnyBit(bits));
    add(field, !texts.is_empty(), Test::TextIn(sorted(texts)));
    add(field, !prefixes.is_empty(), Test::Prefix(sorted(prefixes)));
    add(field, !processes.is_empty(), Test::ProcessIn(sorted(processes)));
    add(number_field, !numbers.is_empty(), Test::IntIn(sorted(numbers)));
    tests
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}
