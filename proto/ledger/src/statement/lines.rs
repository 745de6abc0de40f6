//! A statement as lines: taken one after the other, in the order of the act and in no other.

use super::error::{Rule, StatementError};
use super::words::ActKind;

/// The lines not yet taken.
pub(super) struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    /// All lines of `text`, each of which ends with LF.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Takes the first line, `breakglass-<act>/v1`.
    pub(super) fn act(&mut self) -> Result<ActKind, StatementError> {
        let unknown = StatementError::new(StatementError::ACT, Rule::UnknownAct);
        let Some((line, rest)) = self.0.split_once('\n') else { return Err(unknown) };
        let name = line.strip_prefix("breakglass-").and_then(|rest| rest.strip_suffix("/v1"));
        self.0 = rest;
        name.and_then(|name| name.parse().ok()).ok_or(unknown)
    }

    /// Takes the next line's value if the line's key is `key`.
    pub(super) fn take_if(&mut self, key: &str) -> Option<&'a str> {
        let (line, rest) = self.0.split_once('\n')?;
        let value = line.strip_prefix(key)?.strip_prefix(": ")?;
        self.0 = rest;
        Some(value)
    }

    /// Nothing may be left after the line `last`.
    pub(super) const fn end(&self, last: &'static str) -> Result<(), StatementError> {
        if self.0.is_empty() { Ok(()) } else { Err(StatementError::new(last, Rule::Trailing)) }
    }
}

/// Appends the line `key: value`.
pub(super) fn put_line(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push_str(": ");
    out.push_str(value);
    out.push('\n');
}
