//! Certificate revocation lists (RFC 5280, section 5) as TLS servers read them: made, and read back.
//!
//! Full and direct, of one authority; no distribution point, no deltas. An extension that is never
//! written is refused when read, not skipped. Writing goes through `der` and `x509-cert`, reading
//! through forty lines of our own, so that the two cannot share a mistake. Holds no key: the
//! signature is made by `mint`, the files are written by `publish`.

mod entries;
mod issuer;
mod pem;
pub(crate) mod read;
mod write;

use std::fmt;

use breakglass_ledger::time::Timestamp;

pub use entries::Entries;
pub use issuer::{Issuer, serial_of};
use pem::Pem;
pub use pem::{Digests, all_from_pem, from_pem, to_pem};
pub use read::read;
pub use write::{Draft, Line};

/// Most revoked certificates in one list. At 51 bytes each that is 50 MiB, which every server that
/// reads the file holds in memory.
pub const ENTRIES_MAX: usize = 1024 * 1024;

/// Largest list, in bytes of DER: [`ENTRIES_MAX`] entries, and what stands around them.
pub const DER_MAX: usize = 64 * ENTRIES_MAX + 4096;

/// `thisUpdate` lies this long before the signing: a list from the future is one that nobody can
/// use (`openssl verify`, error 11).
pub const BACKDATE_SECONDS: u64 = 60;

/// From signing to `nextUpdate`. After it, servers refuse everybody, so it says for how long the
/// broker may be away and not how fresh the list is: that comes of signing often.
pub const VALID_SECONDS: u64 = 7 * 24 * 60 * 60;

/// An entry stays this long after its certificate's end, for servers whose clocks are behind.
pub const KEPT_SECONDS: u64 = 60 * 60;

/// Serial number of a certificate: the `seq` of its `issued` entry (8 bytes, big-endian), then 8
/// random bytes, so that nobody can tell beforehand what is signed (RFC 5280, 4.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber([u8; 16]);

impl SerialNumber {
    /// The serial for the entry `seq`, which is not 0, with these random bytes; `None` if it could
    /// not be told from one that was never drawn.
    #[must_use]
    pub fn new(seq: u64, random: [u8; 8]) -> Option<Self> {
        // Above 2^63 the number would need a byte more, and no ledger gets there.
        if seq == 0 || seq > u64::MAX / 2 || random == [0; 8] {
            return None;
        }
        let number = (u128::from(seq) << 64) | u128::from(u64::from_be_bytes(random));
        Some(Self(number.to_be_bytes()))
    }

    /// The serial that these bytes, a big-endian number without sign, stand for; `None` if it is
    /// none of ours.
    #[must_use]
    pub fn from_number(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > 16 {
            return None;
        }
        let number = bytes.iter().fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
        let [high, low] = [number >> 64, number & u128::from(u64::MAX)];
        Self::new(u64::try_from(high).ok()?, u64::try_from(low).ok()?.to_be_bytes())
    }

    /// The 16 bytes, big-endian; the first ones may be 0 and are not there in DER.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// `seq` of the `issued` entry.
    #[must_use]
    pub fn seq(&self) -> u64 {
        let high = u128::from_be_bytes(self.0) >> 64;
        u64::try_from(high).unwrap_or(u64::MAX)
    }
}

/// As `openssl` shows it: upper-case hex in whole bytes without leading zeros.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leading = self.0.iter().take_while(|byte| **byte == 0).count();
        self.0.iter().skip(leading).try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Number of a list (RFC 5280, 5.2.3): the ledger's size when it was signed, then the second in which
/// it was. Two lists of one size differ in the second, and a higher size always counts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(u128);

impl Number {
    /// The number of the list that belongs to version `version` of the lists and was signed `at`.
    #[must_use]
    pub fn new(version: u64, at: Timestamp) -> Self {
        Self((u128::from(version) << 64) | u128::from(at.unix_seconds()))
    }

    /// The version of the lists that it belongs to.
    #[must_use]
    pub fn version(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or(u64::MAX)
    }
}

/// What stands around the entries.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// DER of the authority's subject, byte for byte.
    pub issuer: &'a [u8],
    /// The authority's subject key identifier: without the same bytes here the list is not found.
    pub key_id: &'a [u8],
    /// Number of this list.
    pub number: Number,
    /// When it is signed. `thisUpdate` is [`BACKDATE_SECONDS`] before, `nextUpdate`
    /// [`VALID_SECONDS`] after it.
    pub signed_at: Timestamp,
}

/// A list as it is handed out.
#[derive(Clone, Debug)]
pub struct SignedCrl {
    /// Number of this list.
    pub number: Number,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// The list: what HTTP clients and etcd take.
    pub der: Vec<u8>,
    /// Lists of the authorities before this one that are still trusted, oldest first.
    pub older: Vec<Vec<u8>>,
    pem: Pem,
}

impl SignedCrl {
    /// The list with this number, signed then, and those of the `older` authorities.
    #[must_use]
    pub fn new(number: Number, signed_at: Timestamp, der: Vec<u8>, older: Vec<Vec<u8>>) -> Self {
        Self { number, signed_at, der, older, pem: Pem::default() }
    }

    /// The same, of which this text was found as [`pem`](Self::pem).
    #[must_use]
    pub fn found(self, pem: String) -> Self {
        Self { pem: Pem::found(pem), ..self }
    }

    /// The list as PEM, and behind it `older`: what PostgreSQL, nginx and HAProxy take. The first to ask
    /// waits until it is made, milliseconds for a hundred thousand entries.
    #[must_use]
    pub fn pem(&self) -> &str {
        self.pem.of(std::iter::once(&self.der).chain(&self.older))
    }

    /// Digests of what a host may have of [`pem`](Self::pem).
    #[must_use]
    pub const fn digests(&self) -> &Digests {
        self.pem.digests()
    }
}

impl PartialEq for SignedCrl {
    fn eq(&self, other: &Self) -> bool {
        let lists = |of: &Self| (of.number, of.signed_at);
        lists(self) == lists(other) && self.der == other.der && self.pem() == other.pem()
    }
}

impl Eq for SignedCrl {}

/// A list, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl<'a> {
    /// DER of the issuer.
    pub issuer: &'a [u8],
    /// Key identifier of the issuer.
    pub key_id: &'a [u8],
    /// Number of this list.
    pub number: Number,
    /// When it begins to count.
    pub this_update: Timestamp,
    /// After this second it counts no more, and nobody is let in.
    pub next_update: Timestamp,
    /// Revoked certificates and since when, in the list's order.
    pub revoked: Vec<(SerialNumber, Timestamp)>,
    /// What is signed.
    pub signed: &'a [u8],
    /// The signature over it: ECDSA with SHA-256, DER.
    pub signature: &'a [u8],
}

/// Why a list cannot be made, or is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// More than [`ENTRIES_MAX`] entries, or more than [`DER_MAX`] bytes.
    #[error("the list is longer than servers should have to read")]
    TooMany,
    /// A date before 1970 or after 9999.
    #[error("a date that does not fit a list")]
    Date,
    /// Could not be encoded.
    #[error("the list could not be encoded")]
    Encode,
    /// Not this form, or something that is never written here.
    #[error("not a revocation list of this form: {0}")]
    Form(&'static str),
}

#[cfg(test)]
mod tests;
