//! A private key file in OpenSSH's format, unencrypted, Ed25519 or P-256.

use std::path::Path;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::ed25519_signature_blob;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use ssh_key::PrivateKey;
use ssh_key::private::{EcdsaKeypair, KeypairData};
use zeroize::Zeroizing;

use super::SignError;
use crate::sshwire::p256_signature_blob;
use crate::state::read_bounded;

/// A key read into this process.
pub struct KeyFile {
    public: PublicKey,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl KeyFile {
    /// Reads the key at `path`.
    ///
    /// # Errors
    ///
    /// [`SignError::Encrypted`], or [`SignError::File`] naming what is wrong.
    pub fn open(path: &Path) -> Result<Self, SignError> {
        let wrong = |why: String| SignError::File { path: path.display().to_string(), why };
        let text = read_bounded(path, FILE_MAX).map_err(|error| wrong(error.to_string()))?;
        let text = Zeroizing::new(text.ok_or_else(|| wrong("no such file".to_owned()))?);
        let key = PrivateKey::from_openssh(text.as_slice()).map_err(|error| {
            wrong(format!("not a private key in OpenSSH's format ({error}); try ssh-keygen:PATH"))
        })?;
        if key.is_encrypted() {
            return Err(SignError::Encrypted);
        }
        let line = key.public_key().to_openssh().map_err(|error| wrong(error.to_string()))?;
        let pair = Pair::of(key.key_data()).map_err(wrong)?;
        Ok(Self { public: PublicKey::from_openssh(&line)?, pair })
    }

    /// Its public part.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The SSH signature blob over `message`.
    ///
    /// # Errors
    ///
    /// [`SignError::File`] if the system's random source failed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ed25519(pair) => {
                let raw = pair.sign(message).as_ref().try_into();
                Ok(ed25519_signature_blob(&raw.unwrap_or([0; 64])))
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                let signature = signature.map_err(|_| SignError::File {
                    path: self.public.fingerprint().to_string(),
                    why: "the system's random source failed".to_owned(),
                })?;
                Ok(p256_signature_blob(signature.as_ref()))
            }
        }
    }
}

impl Pair {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "foreign and non-exhaustive: RSA, DSA, other curves, FIDO handles"
    )]
    fn of(data: &KeypairData) -> Result<Self, String> {
        match data {
            KeypairData::Ed25519(pair) => Ed25519KeyPair::from_seed_and_public_key(
                &Zeroizing::new(pair.private.to_bytes())[..],
                &pair.public.0,
            )
            .map(Self::Ed25519)
            .map_err(|error| error.to_string()),
            KeypairData::Ecdsa(EcdsaKeypair::NistP256 { public, private }) => {
                EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    private.as_slice(),
                    public.as_bytes(),
                    &SystemRandom::new(),
                )
                .map(Self::P256)
                .map_err(|error| error.to_string())
            }
            _ => Err("only Ed25519 and P-256 keys are read here; \
                      load a FIDO key into ssh-agent, or use ssh-keygen:PATH"
                .to_owned()),
        }
    }
}

/// Private keys are below 4 KiB, with a long comment too.
const FILE_MAX: u64 = 16_384;
