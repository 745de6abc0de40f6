//! Keys of sample people, for `breakglassd dev` only: real people make their own and the broker never
//! sees them.

use std::path::Path;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::{SshSig, assemble, ed25519_signature_blob, to_be_signed};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::error::MintError;
use super::keys::write_new;
use crate::entropy::Entropy;

/// One sample person's key pair.
pub struct SamplePerson {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SamplePerson {
    /// Makes a key pair and writes it to `path` in OpenSSH's private key format, mode 0600.
    ///
    /// # Errors
    ///
    /// [`MintError`] if there is no randomness or the file cannot be written; an existing file is
    /// not replaced.
    pub fn create(path: &Path, name: &str, entropy: &dyn Entropy) -> Result<Self, MintError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut())?;
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| MintError::WeakKey)?;
        let mut point = [0; 32];
        for (to, from) in point.iter_mut().zip(pair.public_key().as_ref()) {
            *to = *from;
        }
        let keypair = Ed25519Keypair {
            public: Ed25519PublicKey(point),
            private: Ed25519PrivateKey::from_bytes(&seed),
        };
        let key = PrivateKey::new(KeypairData::Ed25519(keypair), name)?;
        let public = key.public_key().to_openssh()?;
        let public = PublicKey::from_openssh(&public).map_err(|_| MintError::WeakKey)?;
        let text = key.to_openssh(LineEnding::LF)?;
        write_new(path, text.as_bytes(), 0o600)?;
        Ok(Self { pair, public })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` in `namespace`, as the person would with `ssh-keygen -Y sign`.
    ///
    /// # Errors
    ///
    /// [`MintError::WeakKey`] if the signature cannot be assembled, which a fresh key rules out.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<SshSig, MintError> {
        let signature = self.pair.sign(&to_be_signed(namespace, message));
        let mut raw = [0; 64];
        for (to, from) in raw.iter_mut().zip(signature.as_ref()) {
            *to = *from;
        }
        assemble(&self.public, namespace, &ed25519_signature_blob(&raw))
            .map_err(|_| MintError::WeakKey)
    }
}
