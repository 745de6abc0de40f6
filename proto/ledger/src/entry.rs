//! Entries: what the broker writes down, one line of canonical JSON each.
//!
//! Stored bytes are the truth. They are parsed strictly, written again and must come out the same;
//! they are never re-serialised to be hashed.

mod access;
mod body;
mod fields;
mod form;
mod outside;
mod part;

pub use body::{
    Anchor, Applied, Approved, Body, Closed, Config, Denied, Drill, Escalated, Genesis, Issued,
    Keys, Lapsed, Locked, OutageBegan, OutageEnded, PickedUp, Policy, Reconciled, Refused,
    Requested, Reviewed, Revoked, Unlocked, Used, Withdrawn,
};
pub use form::{DEPTH_MAX, Form, check_form};
pub use outside::{EVIDENCE_MAX, Evidence, Notified, Overdue, WatchState, Watched};
pub use part::{
    Cause, ConfigChange, Context, Decision, KeyRole, Link, Numbered, OutageState, Outcome, Signed,
};

use crate::bytes::{Digest, Salt};
use crate::principal::Origin;
use crate::time::Moment;

/// Most bytes of an entry, without its line feed: what C2SP `tlog-tiles` can carry as one record.
pub const ENTRY_MAX: usize = 65_535;
/// The version of the format: the `v` of every entry.
pub const VERSION: u64 = 1;

/// Room for most entries: one with a statement, a signature and a certificate has about this.
const USUAL_BYTES: usize = 3072;

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position, from 0.
    pub seq: u64,
    /// When it was written; never before the entry before.
    pub time: Moment,
    /// SHA-256 of the whole entry before; [`Digest::ZERO`] for the first.
    pub prev: Digest,
    /// Randomness, so that an undisclosed neighbour cannot be guessed from its hash in a proof.
    pub salt: Salt,
    /// Which ledger.
    pub log: Origin,
    /// What it records.
    pub body: Body,
}

impl Entry {
    /// The entry's bytes: what is stored, hashed, exported.
    ///
    /// # Errors
    ///
    /// [`EntryError`] if a text in it is not printable ASCII (or a line feed), a number is above
    /// 2^53 - 1, or the whole is above [`ENTRY_MAX`]. Nothing that was parsed fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        let out = self.write()?;
        check_form(&out)?;
        Ok(out)
    }

    /// The bytes, before anybody has looked whether they are in form.
    fn write(&self) -> Result<Vec<u8>, EntryError> {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        out.extend_from_slice(b"{\"body\":");
        self.body.write(&mut out)?;
        // None of these can need an escape: hex, digits, names.
        let rest = format!(
            ",\"log\":\"{}\",\"prev\":\"{}\",\"salt\":\"{}\",\"seq\":{},\"time\":\"{}\",\
             \"type\":\"{}\",\"v\":{VERSION}}}",
            self.log,
            self.prev,
            self.salt,
            self.seq,
            self.time,
            self.body.type_name(),
        );
        out.extend_from_slice(rest.as_bytes());
        Ok(out)
    }

    /// Reads an entry from its bytes: in form, of a known type, with known keys only, and written
    /// again it is the same.
    ///
    /// # Errors
    ///
    /// [`EntryError`], naming the rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        Self::from_form(check_form(bytes)?, bytes)
    }

    /// Reads the entry whose `form` was already checked over `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Entry::parse`].
    pub fn from_form(form: Form<'_>, bytes: &[u8]) -> Result<Self, EntryError> {
        let schema = |field, rule| EntryError::Schema { field, rule };
        let entry = Self {
            seq: form.seq,
            time: form.time.parse().map_err(|_| schema("time", "UTC with milliseconds"))?,
            prev: form.prev.parse().map_err(|_| schema("prev", "64 lower-case hex digits"))?,
            salt: form.salt.parse().map_err(|_| schema("salt", "32 lower-case hex digits"))?,
            log: form.log.parse().map_err(|_| schema("log", "a log origin"))?,
            body: Body::read(form.kind, form.body)?,
        };
        // The same bytes have the same form.
        if entry.write()? == bytes { Ok(entry) } else { Err(EntryError::Spelling) }
    }

    /// Where it stands in its grant's own chain, if it belongs to one.
    #[must_use]
    pub const fn grant(&self) -> Option<&Link> {
        self.body.link()
    }
}

/// Why bytes are not an entry, or an entry has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// More than [`ENTRY_MAX`] bytes.
    #[error("the entry has {bytes} bytes, more than {ENTRY_MAX}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Not in the canonical form.
    #[error("not canonical at byte {at}: {rule}")]
    Form {
        /// Offset of the first byte that breaks the rule.
        at: usize,
        /// The rule, as it should have been.
        rule: &'static str,
    },
    /// In form, but not what the type says.
    #[error("{field}: {rule}")]
    Schema {
        /// The key.
        field: &'static str,
        /// The rule, as it should have been.
        rule: &'static str,
    },
    /// In form and well typed, but not as we would write it.
    #[error("not the one spelling of its content")]
    Spelling,
}

#[cfg(test)]
mod tests;
