//! Answers about single certificates (OCSP: RFC 6960, 5019, 9654): questions read, answers written.
//!
//! The authority answers for itself, there is no delegate. Reading and writing go through `der`, which
//! takes one form of everything. Holds no key and no state: what is known of a certificate is `desk`'s,
//! the signature is made by `mint`, and `web` is where questions come in.

mod issuer;
mod open;
mod read;
mod write;

use breakglass_ledger::time::Timestamp;

use crate::crl::SerialNumber;

pub use issuer::Issuer;
pub use open::{Said, open};
pub use read::{Request, read};
pub use write::{Answer, Refused, assemble, refusal, write};

/// Largest question, in bytes of DER: [`QUESTIONS_MAX`] of about 120 bytes, a nonce, and a signature
/// of the asker, which is not looked at.
pub const REQUEST_MAX_BYTES: usize = 4096;

/// Most certificates in one question. Servers ask for one; for a chain of ours there is no more.
pub const QUESTIONS_MAX: usize = 16;

/// Longest nonce (RFC 9654, 2.1).
pub const NONCE_MAX_BYTES: usize = 128;

/// From an answer to its `nextUpdate`: whoever keeps answers must not keep them longer, and that is how
/// late they may learn of a revocation.
pub const VALID_SECONDS: u64 = 60;

/// The certificate that is asked for, as the asker wrote it, because the answer repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    pub(crate) hash: Hash,
    /// Whether the algorithm came with an explicit NULL, as most write it.
    pub(crate) null: bool,
    pub(crate) issuer_name: Vec<u8>,
    pub(crate) issuer_key: Vec<u8>,
    /// Content of the INTEGER.
    pub(crate) serial: Vec<u8>,
}

/// How an asker shortened the issuer's name and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// What OpenSSL, nginx and everybody else use; it identifies here and protects nothing.
    Sha1,
    /// RFC 6960, 4.3.
    Sha256,
}

impl CertId {
    /// The serial number; `None` if it is none that was ever given here.
    #[must_use]
    pub fn serial(&self) -> Option<SerialNumber> {
        let is_negative = self.serial.first().is_some_and(|first| *first >= 0x80);
        let bytes = self.serial.strip_prefix(&[0]).unwrap_or(&self.serial);
        SerialNumber::from_number(bytes).filter(|_| !is_negative)
    }
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Issued here, in force, not taken back.
    Good,
    /// Taken back then.
    Revoked(Timestamp),
    /// Never issued here, or over.
    Unknown,
}

/// Why a question gets no answer, or an answer could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// Not a question in DER, or one of a kind that is not understood.
    #[error("not a question of this form: {0}")]
    Form(&'static str),
    /// More than [`QUESTIONS_MAX`] or [`REQUEST_MAX_BYTES`].
    #[error("more is asked than is answered at once")]
    TooMuch,
    /// A date before 1970 or after 9999.
    #[error("a date that does not fit an answer")]
    Date,
    /// Could not be encoded.
    #[error("the answer could not be encoded")]
    Encode,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
