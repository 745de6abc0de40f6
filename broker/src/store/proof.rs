//! Is what was read back what the signed head stands for? Inclusion, proved on every such read.
//!
//! Whoever can write the database, without the broker's keys, can put any bytes into any row. The
//! head is signed, was checked at the start and is carried on in memory; what is to be decided on is
//! proved against it.

use breakglass_ledger::tree::{inclusion, verify_inclusion};

use super::error::StoreError;
use super::head::Head;
use super::read::{Read, Record};
use super::readers::Reader;
use super::write::Write;

/// A view of the ledger with a head that rows are proved against.
pub trait Anchored {
    /// The rows.
    fn read(&self) -> &Read;

    /// The head that these rows must belong to.
    fn head(&self) -> Head;
}

impl Anchored for Write<'_> {
    fn read(&self) -> &Read {
        self
    }

    fn head(&self) -> Head {
        Self::head(self)
    }
}

impl Anchored for Reader {
    fn read(&self) -> &Read {
        self
    }

    fn head(&self) -> Head {
        Self::head(self)
    }
}

impl Read {
    /// Proves that `record` is the entry at its place in the tree of `head`. O(log n) reads; the
    /// hashes read for it need no trust.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it is not, [`StoreError::Damaged`] if a hash is missing.
    pub fn prove(&self, record: &Record, head: &Head) -> Result<(), StoreError> {
        let proof = inclusion(self, record.seq, head.size)?;
        if !verify_inclusion(record.seq, head.size, &record.leaf, &proof, &head.root) {
            let rule = "it is in the tree of the signed head";
            return Err(StoreError::Corrupt { seq: record.seq, rule });
        }
        Ok(())
    }
}
