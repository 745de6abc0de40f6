//! The two chains an entry stands in: of the whole ledger, and of its grant.
//!
//! Neither is a proof by itself (whoever can rewrite one entry can rewrite all that follow); the
//! signed root commits to both.

use crate::bytes::Digest;
use crate::entry::Form;

/// The name of an entry in chains: SHA-256 of its bytes.
#[must_use]
pub fn entry_hash(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

/// What the next entry must continue. Starts before the first, never at a row that happens to be
/// first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    next: u64,
    prev: Digest,
    time: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { next: 0, prev: Digest::ZERO, time: String::new() }
    }
}

impl Chain {
    /// Continues the chain with an entry in form, whose bytes hash to `hash`.
    ///
    /// # Errors
    ///
    /// [`ChainError`], in this order: number, link, time. The chain is then unchanged.
    pub fn extend(&mut self, form: &Form<'_>, hash: Digest) -> Result<(), ChainError> {
        if form.seq != self.next {
            return Err(ChainError::Gap { expected: self.next, found: form.seq });
        }
        if form.prev.parse() != Ok(self.prev) {
            return Err(ChainError::Link { seq: form.seq });
        }
        // Fixed-width UTC text sorts as time does.
        if form.time < self.time.as_str() {
            return Err(ChainError::Time { seq: form.seq });
        }
        self.next = self.next.saturating_add(1);
        self.prev = hash;
        form.time.clone_into(&mut self.time);
        Ok(())
    }

    /// The `seq` the next entry must have: how many there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.next
    }

    /// The `prev` the next entry must have.
    #[must_use]
    pub const fn prev(&self) -> Digest {
        self.prev
    }
}

/// Why an entry does not continue the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Its number is not the next one.
    #[error("entry {expected} is expected here, not {found}")]
    Gap {
        /// The number that follows.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// It does not name the entry before it.
    #[error("the prev of entry {seq} is not the hash of the entry before it")]
    Link {
        /// Its number.
        seq: u64,
    },
    /// It is older than the entry before it.
    #[error("entry {seq} is older than the entry before it")]
    Time {
        /// Its number.
        seq: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form<'a>(seq: u64, prev: &'a str, time: &'a str) -> Form<'a> {
        Form { body: "{}", log: "", prev, salt: "", seq, time, kind: "" }
    }

    #[test]
    fn a_chain_starts_at_zero_and_names_what_is_before() {
        let mut chain = Chain::default();
        let (zero, one) = (Digest::ZERO.to_string(), Digest::of(b"one").to_string());
        let time = "2026-11-22T10:00:00.123Z";
        let gap = |expected, found| Err(ChainError::Gap { expected, found });
        assert_eq!(chain.extend(&form(1, &zero, time), Digest::ZERO), gap(0, 1));
        assert_eq!(
            chain.extend(&form(0, &one, time), Digest::ZERO),
            Err(ChainError::Link { seq: 0 }),
            "never seeded from the first row"
        );
        assert_eq!(chain.extend(&form(0, &zero, time), Digest::of(b"one")), Ok(()));
        assert_eq!(chain.extend(&form(0, &one, time), Digest::ZERO), gap(1, 0));
        assert_eq!(
            chain.extend(&form(1, &zero, time), Digest::ZERO),
            Err(ChainError::Link { seq: 1 })
        );
        assert_eq!(
            chain.extend(&form(1, &one, "2026-11-22T10:00:00.122Z"), Digest::ZERO),
            Err(ChainError::Time { seq: 1 })
        );
        assert_eq!(chain.extend(&form(1, &one, time), Digest::ZERO), Ok(()), "time may repeat");
        assert_eq!(chain.size(), 2);
    }
}
