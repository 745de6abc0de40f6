//! Key revocation lists as `sshd` reads them (OpenSSH `PROTOCOL.krl`): made, and read back.
//!
//! By serial number only; a section for each certificate authority, of which there is one, and besides it
//! those before it while certificates of theirs count. Explicit keys, key ids, key
//! fingerprints and signature sections are never written, so they are refused when read, not
//! skipped: an entry of an unknown kind that is silently dropped would un-revoke somebody.
//! Holds no key; the signature over a list is made by `mint`, the files are written by `publish`.

mod read;
mod write;

use breakglass_ledger::time::Timestamp;

use crate::crl::{Number, SignedCrl};
use crate::deny::SignedDeny;
use crate::sshwire::WireError;

pub use read::{read, read_of};
pub use write::{Older, write, write_of};

/// Most revoked serials in one list. In the worst case each takes 8 bytes, and OpenSSH refuses to
/// load more than 128 MiB; half of that leaves it room.
pub const SERIALS_MAX: usize = 8 * 1024 * 1024;

/// Longest comment, in bytes: an origin and a version fit well.
pub const COMMENT_MAX: usize = 256;

/// Largest list, in bytes: [`SERIALS_MAX`] worst-case serials, the header and its comment.
pub const LIST_MAX: usize = 8 * SERIALS_MAX + 4096;

/// The lists as they are handed out together: the file for `sshd`, who vouches for it, the list
/// for TLS servers, which vouches for itself, and the one for who takes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedList {
    /// Number of this list; a later one has a higher number. The same as inside `krl`.
    pub version: u64,
    /// The list in OpenSSH's binary form. Never empty, not even when nobody is revoked.
    pub krl: Vec<u8>,
    /// Armored SSHSIG over `krl`, namespace [`NAMESPACE`].
    pub signature: String,
    /// Revoked X.509 certificates; `None` where the broker has no X.509 authority.
    pub crl: Option<SignedCrl>,
    /// Denied tokens; `None` before it was made.
    pub deny: Option<SignedDeny>,
}

impl SignedList {
    /// What orders lists: the version, and within it when the list for TLS servers was signed.
    #[must_use]
    pub fn place(&self) -> (u64, Option<Number>) {
        (self.version, self.crl.as_ref().map(|crl| crl.number))
    }
}

/// Namespace of the signature over a list.
pub const NAMESPACE: &str = "krl.v1@breakglass";

/// What stands above the serials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Number of this list; a later one has a higher number.
    pub version: u64,
    /// When it was made.
    pub generated: Timestamp,
    /// Printable ASCII, at most [`COMMENT_MAX`] bytes: whose list this is, for people.
    pub comment: &'a str,
    /// Wire form of the authority's public key. A serial means nothing under another one.
    pub authority: &'a [u8],
}

/// A list, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Krl {
    /// Number of this list.
    pub version: u64,
    /// When it was made.
    pub generated: Timestamp,
    /// For people.
    pub comment: String,
    /// Revoked serials as inclusive runs `(first, last)`: ascending, not touching.
    runs: Vec<Run>,
}

impl Krl {
    /// Whether the certificate with this serial is revoked.
    #[must_use]
    pub fn revokes(&self, serial: u64) -> bool {
        let after = self.runs.partition_point(|run| run.first <= serial);
        let last = after.checked_sub(1).and_then(|index| self.runs.get(index));
        last.is_some_and(|run| serial <= run.last)
    }

    /// The revoked serials as inclusive runs: ascending, not touching.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether exactly the `serials` (ascending) are revoked.
    #[must_use]
    pub fn is_exactly(&self, serials: &[u64]) -> bool {
        check(serials).is_ok() && Runs::of(serials).eq(self.runs.iter().copied())
    }
}

/// Serials from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// Lowest serial, never 0.
    pub first: u64,
    /// Highest serial, at least `first`.
    pub last: u64,
}

impl Run {
    /// How many serials; `u64::MAX` at most, which is right because 0 is never one.
    const fn len(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The runs of ascending serials, in order. Not gathered: at a hundred thousand serials the memory
/// costs more time than the work.
struct Runs<'a>(&'a [u64]);

impl<'a> Runs<'a> {
    const fn of(serials: &'a [u64]) -> Self {
        Self(serials)
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let (&first, mut rest) = self.0.split_first()?;
        let mut last = first;
        while let Some((&next, after)) = rest.split_first()
            && last.checked_add(1) == Some(next)
        {
            (last, rest) = (next, after);
        }
        self.0 = rest;
        Some(Run { first, last })
    }
}

/// Refuses serials that cannot be a list.
fn check(serials: &[u64]) -> Result<(), KrlError> {
    if serials.len() > SERIALS_MAX {
        return Err(KrlError::TooMany);
    }
    // sshd refuses a whole list that names serial 0, and then every login.
    if serials.first() == Some(&0) {
        return Err(KrlError::SerialZero);
    }
    let falls = |pair: &&[u64]| matches!(pair, [before, serial] if serial <= before);
    match serials.windows(2).find(falls) {
        Some([.., serial]) => Err(KrlError::Order { serial: *serial }),
        Some(_) | None => Ok(()),
    }
}

/// Why a list cannot be made, or is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KrlError {
    /// Serial 0, which sshd does not accept in a list.
    #[error("serial 0 cannot be revoked")]
    SerialZero,
    /// The serials to revoke do not ascend.
    #[error("serial {serial} is not above the one before it")]
    Order {
        /// The one that does not ascend.
        serial: u64,
    },
    /// More than [`SERIALS_MAX`] serials, or more than [`LIST_MAX`] bytes.
    #[error("the list is longer than OpenSSH loads")]
    TooMany,
    /// Comment too long, or not printable ASCII.
    #[error("the comment is not printable ASCII of at most {COMMENT_MAX} bytes")]
    Comment,
    /// Cut off, or something follows.
    #[error("malformed: {0}")]
    Wire(#[from] WireError),
    /// Not this format, or a version, flag or reserved field we never write.
    #[error("not a revocation list of this form: {0}")]
    Header(&'static str),
    /// A section of a kind we never write.
    #[error("section of kind {0:#04x}, which is never written here")]
    Section(u8),
    /// The list is about certificates of somebody else.
    #[error("the list is about another certificate authority")]
    Authority,
    /// A run that ends before it begins, an empty section, or a bitmap that is too wide or padded.
    #[error("malformed serials: {0}")]
    Serials(&'static str),
}

/// First bytes of every list.
const MAGIC: &[u8] = b"SSHKRL\n\0";
/// The one format version there is.
const FORMAT: u32 = 1;
/// Section kind: certificates of one authority.
const CERTIFICATES: u8 = 1;
/// Sub-section kinds.
const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;
/// Widest bitmap: OpenSSH 9.2 writes wider ones and then cannot read them.
const BITMAP_BITS_MAX: u64 = 16_384;

#[cfg(test)]
mod tests;
