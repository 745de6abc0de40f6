//! P-256 keys: of X.509 certificates and their lists, of tokens.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use zeroize::Zeroizing;

use super::token::TokenKey;
use crate::entropy::EntropyError;
use crate::mint::MintError;

/// A P-256 key pair, wherever its private half is. Shows itself to nobody.
pub(in crate::mint) struct P256Key {
    private: Private,
    /// Uncompressed: 4, then two coordinates of 32 bytes (SEC 1, 2.3.3).
    public: [u8; 65],
}

enum Private {
    Memory(Box<EcdsaKeyPair>),
    Token(Arc<TokenKey>),
}

impl P256Key {
    /// The key in `pkcs8`; `None` if that is not one of P-256.
    pub(in crate::mint) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let (algorithm, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &rng).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { private: Private::Memory(Box::new(pair)), public })
    }

    /// The key in a token.
    pub(super) const fn in_token(key: Arc<TokenKey>, public: [u8; 65]) -> Self {
        Self { private: Private::Token(key), public }
    }

    /// The token it is in, if it is in one.
    pub(in crate::mint) const fn token(&self) -> Option<&Arc<TokenKey>> {
        match &self.private {
            Private::Memory(_) => None,
            Private::Token(key) => Some(key),
        }
    }

    /// PKCS#8 of a new key. Always from the system's own randomness: ring takes no other.
    pub(in crate::mint) fn generate() -> Result<Zeroizing<Vec<u8>>, MintError> {
        let (algorithm, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).map_err(|_| EntropyError)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The 65 bytes of the public half: a point, uncompressed.
    pub(in crate::mint) const fn public(&self) -> &[u8; 65] {
        &self.public
    }

    /// ECDSA with SHA-256 over `message`: r, then s, 32 bytes each, as tokens carry it
    /// (RFC 7518, 3.4).
    ///
    /// Where the private half is in memory, only a lack of randomness makes it fail.
    pub(in crate::mint) fn sign(&self, message: &[u8]) -> Result<[u8; 64], MintError> {
        match &self.private {
            Private::Memory(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                let raw = signature.map_err(|_| EntropyError)?;
                raw.as_ref().try_into().map_err(|_| MintError::WeakKey)
            }
            Private::Token(key) => key.sign(message),
        }
    }

    /// As [`sign`](Self::sign), in the DER form that X.509 carries (RFC 3279, 2.2.3).
    pub(in crate::mint) fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        let raw = self.sign(message)?;
        let signature = p256::ecdsa::Signature::from_slice(&raw).map_err(|_| MintError::WeakKey)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}
