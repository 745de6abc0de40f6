//! Free text that goes into the ledger as a commitment only.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::{TEXT_MAX, commitment};

use crate::entropy;
use crate::failure::Failure;

/// Free text whose commitment goes into a statement.
pub struct Opening {
    pub(super) salt: [u8; 32],
    pub(super) text: String,
}

impl Opening {
    /// `text` with a fresh salt.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is empty, longer than the ledger takes, or holds control characters.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_MAX {
            let rule = format!("the text has {} bytes; 1 to {TEXT_MAX} are allowed", text.len());
            return Err(Failure::usage(rule, "shorten it, or link to the ticket"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Failure::usage("the text holds control characters", "leave them out"));
        }
        Ok(Self { salt: entropy::bytes()?, text: text.to_owned() })
    }

    /// 32 random bytes.
    #[must_use]
    pub const fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the statement carries instead of the text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        commitment(&self.salt, &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_refused_at_home_if_the_ledger_would_refuse_it() {
        assert!(Opening::new("two\nlines").is_ok());
        for bad in ["", "  ", "a\u{1b}[2Jb", &"x".repeat(TEXT_MAX + 1)] {
            assert!(Opening::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_same_text_never_has_the_same_commitment() {
        let (one, two) = (Opening::new("why").unwrap(), Opening::new("why").unwrap());
        assert_ne!(one.digest(), two.digest());
    }
}
