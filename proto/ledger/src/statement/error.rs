//! Why a statement is not accepted.

use super::STATEMENT_MAX;

/// A statement breaks a rule: which line, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("statement, `{field}`: {rule}")]
pub struct StatementError {
    /// The line's key; `act` for the first line, `statement` for the whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub rule: Rule,
}

impl StatementError {
    /// The field name that stands for the whole text.
    pub const WHOLE: &'static str = "statement";
    /// The field name that stands for the first line.
    pub const ACT: &'static str = "act";

    pub(super) const fn new(field: &'static str, rule: Rule) -> Self {
        Self { field, rule }
    }
}

/// The broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Over [`STATEMENT_MAX`] bytes.
    #[error("longer than {STATEMENT_MAX} bytes; shorten its lists")]
    TooLong,
    /// A byte other than U+0020 to U+007E and LF.
    #[error("holds a byte that is not printable ASCII or a line feed; write it in plain ASCII")]
    Character,
    /// The last line has no LF.
    #[error("does not end with a line feed; it may have been cut")]
    FinalLineFeed,
    /// The first line is not `breakglass-<act>/v1` of a known act.
    #[error("not the first line of a known act; use a client of this broker's version")]
    UnknownAct,
    /// Another line, or none, stands where this one belongs.
    #[error("must be the next line, once and in this order; compose the statement with a client")]
    Missing,
    /// A line follows the last one.
    #[error("must be the last line; something unknown or doubled follows it")]
    Trailing,
    /// The value is not in its one form.
    #[error("must be {0}")]
    Value(&'static str),
    /// Composed from a value that its text does not carry.
    #[error("its text would not mean the same; a value is not in its one form")]
    Unequal,
}
