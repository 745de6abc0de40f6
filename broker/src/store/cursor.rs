//! Where a page of requests ended.

use std::fmt;
use std::str::FromStr;

use breakglass_ledger::time::Timestamp;

/// Where a page of requests ended: the deadline and seq of its last row.
///
/// Shown as `<deadline in Unix seconds>.<seq>`, so that whoever asks for pages one by one can keep
/// it. A made-up one is only a place to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) due: u64,
    pub(super) seq: u64,
}

impl Cursor {
    pub(super) const fn new(due: Timestamp, seq: u64) -> Self {
        Self { due: due.unix_seconds(), seq }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.due, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (due, seq) = text.split_once('.').ok_or(ParseCursorError)?;
        let number = |text: &str| text.parse().map_err(|_| ParseCursorError);
        let cursor = Self::new(Timestamp::from_unix_seconds(number(due)?), number(seq)?);
        // The database's integers are signed.
        if i64::try_from(cursor.seq).is_err() {
            return Err(ParseCursorError);
        }
        // One spelling only: the number parser also takes signs and leading zeros.
        if cursor.to_string() == text { Ok(cursor) } else { Err(ParseCursorError) }
    }
}

/// The text is not where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not where a page ended; begin again with the first page")]
pub struct ParseCursorError;
