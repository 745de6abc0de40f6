//! What is wrong with a text of rules.

use std::fmt;

/// Longest message of a fault in characters; the text it quotes is the author's own.
const SHOWN_MAX: usize = 400;

/// One fault of `rules.cedar`, as `rules.cedar:3:7: what; what to do`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleFault {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, on one line without control characters.
    pub what: String,
}

impl RuleFault {
    /// The fault `what` at the byte `offset` of `text`.
    pub(super) fn at(text: &str, offset: usize, what: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let number = |count: usize| u32::try_from(count.saturating_add(1)).unwrap_or(u32::MAX);
        // Quoted pieces of the file reach terminals: no control or invisible character survives.
        let shown = what.chars().flat_map(|c| {
            if c.is_control() || !c.is_ascii() { c.escape_default().collect() } else { vec![c] }
        });
        Self {
            line: number(before.matches('\n').count()),
            column: number(column),
            what: shown.take(SHOWN_MAX).collect(),
        }
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules.cedar:{}:{}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for RuleFault {}
