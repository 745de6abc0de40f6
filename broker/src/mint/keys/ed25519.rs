//! Ed25519 keys: of checkpoints, of SSH certificates, of revocation lists.

use std::path::Path;
use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use zeroize::Zeroizing;

use super::files;
use super::token::TokenKey;
use crate::entropy::Entropy;
use crate::mint::MintError;

/// An Ed25519 key pair, wherever its private half is. Shows itself to nobody.
pub(in crate::mint) struct Ed25519Key {
    private: Private,
    public: [u8; 32],
}

enum Private {
    Memory(Box<Ed25519KeyPair>),
    Token(Arc<TokenKey>),
}

impl Ed25519Key {
    /// The key in `pkcs8`, which was read from `path`.
    pub(super) fn from_pkcs8(path: &Path, pkcs8: &[u8]) -> Result<Self, MintError> {
        let unusable = || files::unusable(path);
        // "Maybe unchecked": RFC 8410's plain form carries no public half to check against.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| unusable())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| unusable())?;
        Ok(Self { private: Private::Memory(Box::new(pair)), public })
    }

    /// The key in a token.
    pub(super) const fn in_token(key: Arc<TokenKey>, public: [u8; 32]) -> Self {
        Self { private: Private::Token(key), public }
    }

    /// The token it is in, if it is in one.
    pub(in crate::mint) const fn token(&self) -> Option<&Arc<TokenKey>> {
        match &self.private {
            Private::Memory(_) => None,
            Private::Token(key) => Some(key),
        }
    }

    /// PKCS#8 of a new key (RFC 8410, section 7).
    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, MintError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut())?;
        let mut der = Zeroizing::new(Vec::with_capacity(48));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(seed.as_ref());
        Ok(der)
    }

    /// The 32 bytes of the public half.
    pub(in crate::mint) const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The 64 bytes over `message`.
    ///
    /// Fails only where the private half is not in memory.
    pub(in crate::mint) fn sign(&self, message: &[u8]) -> Result<[u8; 64], MintError> {
        match &self.private {
            Private::Memory(pair) => {
                // RFC 8032, 5.1.6: always 64.
                pair.sign(message).as_ref().try_into().map_err(|_| MintError::WeakKey)
            }
            Private::Token(key) => key.sign(message),
        }
    }
}

/// PKCS#8 version 0, algorithm Ed25519, and an octet string of 32 in one of 34 (RFC 8410, 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
