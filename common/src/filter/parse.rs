//! From a filter text to its tree. Every refusal says where and what would be right.

use super::error::{FilterError, Span, shown};
use super::expr::Expr;
use super::field::{Field, Kind};
use super::lex::{Scanner, Word};
use super::literal::Literal;
use super::needle::Needle;
use super::operator::Operator;
use super::test::{Comparison, Test};
use crate::record::WallNs;

/// Bounds on what a filter may ask of the recorder, and of the stack.
pub const MAX_TEXT_BYTES: usize = 16 << 10;
pub const MAX_DEPTH: usize = 64;
pub const MAX_TERMS: usize = 256;
pub const MAX_VALUES: usize = 1024;
pub const MAX_PATTERNS: usize = 8;

pub(super) type Result<T> = std::result::Result<T, FilterError>;

pub(super) fn parse(text: &str, now: WallNs) -> Result<Expr> {
    if text.len() > MAX_TEXT_BYTES {
        let message =
            format!("a filter has at most {MAX_TEXT_BYTES} bytes, this one {}", text.len());
        let start = text.floor_char_boundary(MAX_TEXT_BYTES);
        return Err(FilterError::new(text, Span { start, end: start }, message));
    }
    let mut parser =
        Parser { scan: Scanner::new(text), now, depth: 0, terms: 0, values: 0, patterns: 0 };
    parser.scan.skip_space();
    if parser.scan.rest().is_empty() {
        return Ok(Expr::True);
    }
    let expr = parser.disjunction()?;
    match parser.scan.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.fail(parser.scan.here(), "nothing is open that this could close")),
    }
}

pub(super) struct Parser<'t> {
    pub(super) scan: Scanner<'t>,
    pub(super) now: WallNs,
    depth: usize,
    terms: usize,
    pub(super) values: usize,
    pub(super) patterns: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn fail(&self, span: Span, message: impl Into<String>) -> FilterError {
        FilterError::new(self.scan.text, span, message)
    }

    fn disjunction(&mut self) -> Result<Expr> {
        let mut any = vec![self.conjunction()?];
        while self.scan.take_keyword("or") {
            any.push(self.conjunction()?);
        }
        Ok(Expr::or(any))
    }

    fn conjunction(&mut self) -> Result<Expr> {
        let mut all = vec![self.factor()?];
        loop {
            let is_end = matches!(self.scan.peek(), None | Some(')'));
            if self.scan.take_keyword("and") || !(is_end || self.scan.is_keyword("or")) {
                all.push(self.factor()?);
            } else {
                return Ok(Expr::and(all));
            }
        }
    }

    /// A term, a group, or the negation of one.
    fn factor(&mut self) -> Result<Expr> {
        let start = self.scan.here();
        if self.scan.take_keyword("not") {
            return self.nested(start, |parser| Ok(parser.factor()?.negate()));
        }
        if !self.scan.take('(') {
            return self.term();
        }
        self.scan.skip_space();
        if self.scan.peek() == Some(')') {
            return Err(self.fail(start.to(self.scan.here()), "nothing is between the parentheses"));
        }
        let expr = self.nested(start, Self::disjunction)?;
        if !self.scan.take(')') {
            return Err(self.fail(start, "this parenthesis is never closed"));
        }
        self.scan.skip_space();
        Ok(expr)
    }

    fn nested(&mut self, at: Span, inner: impl FnOnce(&mut Self) -> Result<Expr>) -> Result<Expr> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(at, format!("more than {MAX_DEPTH} levels inside each other")));
        }
        self.depth += 1;
        let expr = inner(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn term(&mut self) -> Result<Expr> {
        self.check_start_of_term()?;
        let name = self.scan.peek_name();
        if let Some(comparison) = self.bound_on_time(name) {
            let (moment, _) = self.time_literal(Field::Time)?;
            let (Literal::Int(start) | Literal::Stretch(start, _)) = moment else {
                return Err(self.value_error(Field::Time, name.span));
            };
            return self.leaf(name.span, Field::Time, Test::IntCompare(comparison, start));
        }
        if let Some(operator) = self.operator_after(name)? {
            return self.field_term(name, operator);
        }
        if let Some(field) = self.flag_alone(name) {
            return self.leaf(name.span, field, Test::IntIn(vec![1]));
        }
        self.search_term()
    }

    fn check_start_of_term(&self) -> Result<()> {
        let here = self.scan.here();
        let word = self.scan.peek_bare();
        let message = match self.scan.peek() {
            None => "a condition is missing here".to_owned(),
            Some(',') => "a comma outside a list".to_owned(),
            Some(')') => "a condition is missing before this parenthesis".to_owned(),
            Some(_) if word.raw.starts_with("&&") || word.raw.starts_with("||") => {
                let span = Span { start: here.start, end: here.start + 2 };
                return Err(self.fail(span, "not an operator here").hint("write `and` or `or`"));
            }
            Some(_) if Operator::at_front(self.scan.rest()).is_some() => {
                return Err(self
                    .fail(here, "an operator without a field before it")
                    .hint("quote it to search the command line for it"));
            }
            Some(_) if ["and", "or"].iter().any(|keyword| self.scan.is_keyword(keyword)) => {
                let message = format!("a condition is missing before {}", shown(word.raw));
                return Err(self.fail(word.span, message).hint("quote it to search for it"));
            }
            Some(_) => return Ok(()),
        };
        Err(self.fail(here, message).hint("such as name = bash"))
    }

    /// Takes `since`, `until`, `since =`.
    fn bound_on_time(&mut self, name: Word<'t>) -> Option<Comparison> {
        let comparison = match name.raw.to_ascii_lowercase().as_str() {
            "since" => Comparison::GreaterOrEqual,
            "until" => Comparison::Less,
            _ => return None,
        };
        if self.scan.peek_bare().span.end != name.span.end
            && !self.rest_after(name).starts_with('=')
        {
            return None;
        }
        self.scan.at = name.span.end;
        self.scan.skip_space();
        if self.scan.take('=') {
            self.scan.skip_space();
        }
        Some(comparison)
    }

    fn rest_after(&self, name: Word<'t>) -> &'t str {
        &self.scan.text[name.span.end..]
    }

    /// Takes a name and the operator after it; nothing where they are words to search for.
    fn operator_after(&mut self, name: Word<'t>) -> Result<Option<Operator>> {
        if name.raw.is_empty() {
            return Ok(None);
        }
        let mut ahead = Scanner { at: name.span.end, ..self.scan };
        ahead.skip_space();
        let has_space = ahead.at > name.span.end;
        let mut operator = ahead.take_operator();
        if operator.is_none() && has_space {
            operator = word_operator(&mut ahead, Field::parse(name.raw).is_some());
        }
        if operator == Some(Operator::In) && ahead.peek() != Some('(') {
            return Err(self
                .fail(ahead.here(), "`in` takes a list")
                .hint(format!("such as {} in (a, b); quote a word to search for it", name.raw)));
        }
        if operator.is_some() {
            self.scan = ahead;
        }
        Ok(operator)
    }

    fn flag_alone(&mut self, name: Word<'t>) -> Option<Field> {
        let is_whole = self.scan.peek_bare().span.end == name.span.end;
        let is_flag = |field: &Field| {
            is_whole && field.kind() == Kind::Flag && field.name().eq_ignore_ascii_case(name.raw)
        };
        let field = Field::parse(name.raw).filter(is_flag)?;
        self.scan.at = name.span.end;
        self.scan.skip_space();
        Some(field)
    }

    /// A word alone searches the command line.
    fn search_term(&mut self) -> Result<Expr> {
        let word = self.scan.word()?;
        if word.raw.is_empty() {
            return Err(self.fail(word.span, "an empty text is in every command line"));
        }
        self.leaf(word.span, Field::Cmd, Test::Contains(Needle::new(&word.bytes())))
    }

    fn field_term(&mut self, name: Word<'t>, operator: Operator) -> Result<Expr> {
        let Some(field) = Field::parse(name.raw) else {
            return Err(self.unknown_field(name));
        };
        let info = field.info();
        if !info.kind.operators().contains(&operator) {
            let operators: Vec<_> = info.kind.operators().iter().map(|op| op.name()).collect();
            let span = Span { start: name.span.end, end: self.scan.at };
            let span = trimmed(self.scan.text, span);
            let message = format!(
                "{} is {} and does not take `{}`",
                info.name,
                info.kind.expects(),
                operator.name()
            );
            return Err(self.fail(span, message).hint(format!("it takes {}", operators.join(" "))));
        }
        let positive = operator.positive().unwrap_or(operator);
        let expr = match positive {
            Operator::Exists => self.leaf(name.span, field, Test::Exists)?,
            Operator::Contains | Operator::Matches => self.text_term(field, positive)?,
            Operator::In => self.list_term(name, field)?,
            Operator::Equal => {
                let (literal, span) = self.literal(field)?;
                self.equality(span, field, vec![literal])?
            }
            _ => self.comparison(field, positive)?,
        };
        Ok(if operator == positive { expr } else { expr.negate() })
    }

    fn unknown_field(&self, name: Word<'t>) -> FilterError {
        let error = self.fail(name.span, format!("unknown field {}", shown(name.raw)));
        error.hint(match Field::nearest(name.raw) {
            Some(field) => format!("did you mean `{}`?", field.name()),
            None => "quote the whole text to search the command line for it".to_owned(),
        })
    }

    pub(super) fn leaf(&mut self, span: Span, field: Field, test: Test) -> Result<Expr> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.fail(span, format!("more than {MAX_TERMS} conditions")));
        }
        Ok(Expr::term(field, test))
    }
}

/// `in`, `not in` before a list, and `exists` after a known field.
fn word_operator(ahead: &mut Scanner<'_>, is_field: bool) -> Option<Operator> {
    let mut after = *ahead;
    let operator = if after.take_keyword("in") {
        Operator::In
    } else if after.take_keyword("not") && after.take_keyword("in") {
        Operator::NotIn
    } else if is_field && after.take_keyword("exists") {
        Operator::Exists
    } else {
        return None;
    };
    let is_list = after.peek() == Some('(');
    let is_operator = match operator {
        Operator::Exists => true,
        Operator::In => is_field || is_list,
        _ => is_list,
    };
    if !is_operator {
        return None;
    }
    *ahead = after;
    Some(operator)
}

fn trimmed(text: &str, span: Span) -> Span {
    let part = &text[span.start..span.end];
    let start = span.end - part.trim_start().len();
    Span { start, end: start + part.trim().len() }
}
