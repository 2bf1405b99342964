//! The filter language: the one way to select records, in every client and over D-Bus.
//!
//! `field operator value`, combined with `and`, `or`, `not` and parentheses; conditions side by
//! side mean `and`, which binds tighter than `or`. Words alone search the command line; the name of
//! a flag alone means that it is set. [`FIELDS`] says what there is to ask for, [`Operator`] how.
//!
//! - What is not known passes no test, and an empty text is not known. A negative operator is
//!   exactly the negation of its positive, so what is not known passes that.
//! - Of several values (`arg`, `env`, `capability`), one that passes is enough.
//! - `=` and `in` compare exactly, `~` contains whatever the case of ASCII letters, `=~` is a
//!   regular expression, unanchored, whose `.` matches line breaks too.
//! - A bare word reaches to white space, a parenthesis or a comma; in quotes, `\\`, `\"`, `\'`,
//!   `\n`, `\r`, `\t`, `\0` and `\xNN` are escapes. A regular expression keeps its backslashes.
//! - `user = 1000` means `uid = 1000`; `user = "1000"` is a name. Likewise `euser`, `group`, `login`.
//! - `since` includes its time, `until` does not. What names no zone is in UTC. With `=`, a coarse
//!   time such as a date means all of it.
//!
//! No clock is read: `now` is given.

mod complete;
mod error;
mod expr;
mod field;
mod lex;
mod literal;
mod moment;
mod needle;
mod operand;
mod operator;
mod parse;
mod quantity;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod test;
#[cfg(test)]
mod tests;
mod value;

pub use complete::{Completion, complete, value_at};
pub use error::FilterError;
pub use expr::{Expr, Term, value_text};
pub use field::{FIELDS, Field, FieldInfo, Kind};
pub use literal::{SIGNALS, quote, quote_bytes, signal_name};
pub use needle::Needle;
pub use operator::Operator;
pub use parse::{MAX_DEPTH, MAX_PATTERNS, MAX_TERMS, MAX_TEXT_BYTES, MAX_VALUES};
pub use quantity::parse_size;
pub use test::{Comparison, Pattern, Test};
pub use value::{Value, base_name, device_number, is_truncated, process_name};

use crate::record::{Record, WallNs};

/// A filter text that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub expr: Expr,
    text: String,
}

impl Filter {
    /// Selects every record, as the empty text does.
    pub fn all() -> Filter {
        Filter { expr: Expr::True, text: String::new() }
    }

    /// Times such as `2h ago` are settled here, against `now`.
    pub fn parse(text: &str, now: WallNs) -> Result<Filter, FilterError> {
        Ok(Filter { expr: parse::parse(text, now)?, text: text.trim().to_owned() })
    }

    pub fn matches(&self, record: &Record) -> bool {
        self.expr.matches(record)
    }

    /// What both select.
    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        let text = match (&self.expr, &other.expr) {
            (Expr::True, _) => other.text,
            (_, Expr::True) => self.text,
            _ => format!("{} and {}", self.text_in_and(), other.text_in_and()),
        };
        Filter { expr: Expr::and([self.expr, other.expr]), text }
    }

    fn text_in_and(&self) -> String {
        match self.expr {
            Expr::Or(_) => format!("({})", self.text),
            _ => self.text.clone(),
        }
    }

    /// The text as it was given. Relative times in it are settled anew when it is parsed again;
    /// the display of `expr` has them absolute.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<Expr> for Filter {
    fn from(expr: Expr) -> Self {
        Filter { text: expr.to_string(), expr }
    }
}
