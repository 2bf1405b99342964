//! The operators between a field and a value.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    NotContains,
    Matches,
    NotMatches,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Exists,
}

impl Operator {
    pub const ALL: [Operator; 13] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Contains,
        Operator::NotContains,
        Operator::Matches,
        Operator::NotMatches,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
    ];

    /// Those of signs, longest first, so that the first that fits is the one meant.
    const SIGNS: [(&'static str, Operator); 11] = [
        ("!=~", Operator::NotMatches),
        ("!=", Operator::NotEqual),
        ("!~", Operator::NotContains),
        ("=~", Operator::Matches),
        ("==", Operator::Equal),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("~", Operator::Contains),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];

    /// The operator of signs at the front of the text, and its length.
    pub(super) fn at_front(text: &str) -> Option<(Operator, usize)> {
        Self::SIGNS
            .iter()
            .find(|(sign, _)| text.starts_with(sign))
            .map(|(sign, operator)| (*operator, sign.len()))
    }

    pub fn name(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Contains => "~",
            Operator::NotContains => "!~",
            Operator::Matches => "=~",
            Operator::NotMatches => "!=~",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::NotIn => "not in",
            Operator::Exists => "exists",
        }
    }

    pub fn doc(self) -> &'static str {
        match self {
            Operator::Equal => "equals",
            Operator::NotEqual => "does not equal, or is not known",
            Operator::Contains => "contains, whatever the case of ASCII letters",
            Operator::NotContains => "does not contain, or is not known",
            Operator::Matches => "matches the regular expression",
            Operator::NotMatches => "does not match, or is not known",
            Operator::Less => "less than",
            Operator::LessOrEqual => "at most",
            Operator::Greater => "greater than",
            Operator::GreaterOrEqual => "at least",
            Operator::In => "equals one of a list, such as (a, b)",
            Operator::NotIn => "equals none of a list, or is not known",
            Operator::Exists => "is known",
        }
    }

    /// The operator that this one negates.
    pub(super) fn positive(self) -> Option<Operator> {
        match self {
            Operator::NotEqual => Some(Operator::Equal),
            Operator::NotContains => Some(Operator::Contains),
            Operator::NotMatches => Some(Operator::Matches),
            Operator::NotIn => Some(Operator::In),
            _ => None,
        }
    }
}
