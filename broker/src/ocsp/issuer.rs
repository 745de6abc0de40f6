//! Whose certificates are asked for: the authority as its askers shorten it.

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::{CertId, Hash};
use crate::crl;

/// An authority, by the digests of its name and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    sha1: [Vec<u8>; 2],
    sha256: [Vec<u8>; 2],
}

impl Issuer {
    /// The authority with this certificate (PEM); `None` if it is not one of ours.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let issuer = crl::Issuer::from_pem(pem)?;
        Some(Self::of(issuer.subject(), issuer.public_key()))
    }

    /// The authority with this subject (DER) and this public key (content of its BIT STRING).
    #[must_use]
    pub fn of(subject: &[u8], public_key: &[u8]) -> Self {
        let with = |algorithm: &'static Algorithm| {
            [subject, public_key].map(|bytes| digest(algorithm, bytes).as_ref().to_vec())
        };
        Self { sha1: with(&SHA1_FOR_LEGACY_USE_ONLY), sha256: with(&SHA256) }
    }

    /// Whether `asked` names this authority, by name and by key.
    #[must_use]
    pub fn is_of(&self, asked: &CertId) -> bool {
        let [name, key] = match asked.hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        *name == asked.issuer_name && *key == asked.issuer_key
    }

    /// SHA-1 of the public key: how an answer says who gives it (RFC 6960, 4.2.1, `byKey`).
    #[must_use]
    pub fn key_hash(&self) -> &[u8] {
        let [_, key] = &self.sha1;
        key
    }
}
