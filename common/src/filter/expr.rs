//! The tree of a filter, and its text.

use std::fmt;

use super::field::Field;
use super::literal::{self, CAPABILITIES, quote_bytes, quote_pattern};
use super::operator::Operator;
use super::test::Test;
use super::value::Value;
use crate::escape;
use crate::record::{Record, join_strings};

/// A condition on records. Its display is a filter text that parses to the same tree, as long as it
/// keeps the limits of parsing.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    True,
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Term(Term),
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub field: Field,
    pub test: Test,
}

impl Expr {
    pub fn matches(&self, record: &Record) -> bool {
        match self {
            Expr::True => true,
            Expr::And(all) => all.iter().all(|expr| expr.matches(record)),
            Expr::Or(any) => any.iter().any(|expr| expr.matches(record)),
            Expr::Not(expr) => !expr.matches(record),
            Expr::Term(term) => term.test.matches(&term.field.value(record)),
        }
    }

    /// All of these; nested conjunctions become one.
    pub fn and(exprs: impl IntoIterator<Item = Expr>) -> Expr {
        let mut all = Vec::new();
        for expr in exprs {
            match expr {
                Expr::True => {}
                Expr::And(inner) => all.extend(inner),
                expr => all.push(expr),
            }
        }
        if all.len() > 1 { Expr::And(all) } else { all.pop().unwrap_or(Expr::True) }
    }

    /// Any of these, of which there is at least one; nested disjunctions become one.
    pub fn or(exprs: impl IntoIterator<Item = Expr>) -> Expr {
        let mut any = Vec::new();
        for expr in exprs {
            match expr {
                Expr::True => return Expr::True,
                Expr::Or(inner) => any.extend(inner),
                expr => any.push(expr),
            }
        }
        if any.len() > 1 { Expr::Or(any) } else { any.pop().unwrap_or(Expr::True) }
    }

    /// The opposite; two negations cancel.
    pub fn negate(self) -> Expr {
        match self {
            Expr::Not(expr) => *expr,
            expr => Expr::Not(Box::new(expr)),
        }
    }

    pub(super) fn term(field: Field, test: Test) -> Expr {
        Expr::Term(Term { field, test })
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::True => Ok(()),
            Expr::And(all) => write_joined(f, all, " and "),
            Expr::Or(any) => write_joined(f, any, " or "),
            Expr::Not(expr) => match &**expr {
                Expr::Term(term) => term.write(f, true),
                expr => write!(f, "not ({expr})"),
            },
            Expr::Term(term) => term.write(f, false),
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, exprs: &[Expr], operator: &str) -> fmt::Result {
    for (position, expr) in exprs.iter().enumerate() {
        if position > 0 {
            f.write_str(operator)?;
        }
        match expr {
            Expr::And(_) | Expr::Or(_) => write!(f, "({expr})")?,
            expr => write!(f, "{expr}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Term {
    /// That the field has the value it has in the record: copied as a filter, it finds its like.
    /// `None` for what is not known and for fields with several values.
    pub fn of(field: Field, record: &Record) -> Option<Term> {
        let test = match field.value(record) {
            Value::Int(value) => Test::IntIn(vec![value]),
            Value::Process(value) => Test::ProcessIn(vec![value]),
            Value::Text(text) if !text.is_empty() => match literal::container_prefix(text) {
                Some(id) if field == Field::Container => Test::Prefix(vec![id]),
                _ => Test::TextIn(vec![text.into()]),
            },
            Value::CommandLine(args) if !args.is_empty() => {
                Test::TextIn(vec![join_strings(args).into()])
            }
            _ => return None,
        };
        Some(Term { field, test })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, is_negated: bool) -> fmt::Result {
        let name = self.field.name();
        let (positive, values) = self.operands();
        let operator = match positive {
            Operator::Equal if is_negated => "!=",
            Operator::Contains if is_negated => "!~",
            Operator::Matches if is_negated => "!=~",
            Operator::In if is_negated => "not in",
            operator => {
                if is_negated {
                    f.write_str("not ")?;
                }
                operator.name()
            }
        };
        match positive {
            Operator::Exists => write!(f, "{name} exists"),
            Operator::In => write!(f, "{name} {operator} ({})", values.join(", ")),
            _ => write!(f, "{name} {operator} {}", values.join(", ")),
        }
    }

    /// The operator and the values as the language writes them.
    fn operands(&self) -> (Operator, Vec<String>) {
        let kind = self.field.kind();
        let values: Vec<String> = match &self.test {
            Test::Exists => return (Operator::Exists, Vec::new()),
            Test::IntCompare(comparison, than) => {
                return (comparison.operator(), vec![literal::write_int(kind, *than)]);
            }
            Test::Contains(needle) => {
                return (Operator::Contains, vec![quote_bytes(needle.folded())]);
            }
            Test::Matches(pattern) => {
                return (Operator::Matches, vec![quote_pattern(pattern.text())]);
            }
            Test::IntIn(values) => values.iter().map(|v| literal::write_int(kind, *v)).collect(),
            Test::TextIn(values) | Test::Prefix(values) => {
                values.iter().map(|v| literal::write_text(kind, v)).collect()
            }
            Test::ProcessIn(values) => values.iter().map(ToString::to_string).collect(),
            Test::AnyBit(bits) => {
                let name = |bit: usize| CAPABILITIES.get(bit).map_or("", |name| &name[4..]);
                (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| name(bit).to_owned()).collect()
            }
        };
        (if values.len() == 1 { Operator::Equal } else { Operator::In }, values)
    }
}

/// The value of a field for people and for counting: `None` where it is not known or not single.
///
/// Bytes that are not UTF-8 are escaped, so this does not always parse back: use [`Term::of`].
pub fn value_text(field: Field, record: &Record) -> Option<String> {
    let text = |bytes: &[u8]| escape::text(bytes).0.into_owned();
    match field.value(record) {
        Value::Int(value) => Some(literal::write_int(field.kind(), value)),
        Value::Process(value) => Some(value.to_string()),
        Value::Text(bytes) if !bytes.is_empty() => Some(text(bytes)),
        Value::CommandLine(args) if !args.is_empty() => Some(text(&join_strings(args))),
        _ => None,
    }
}
