//! Keys by name: each is derived from it, so there are as many as a test needs.

use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::bytes::{Digest, Salt};
use crate::key::PublicKey;
use crate::note::VerifierKey;
use crate::principal::Origin;
use crate::sshsig::{SshSig, assemble, ed25519_signature_blob, to_be_signed};
use crate::statement::{Act, Seen, Statement};
use crate::time::Timestamp;

/// Everybody's keys, the broker's included (`log`, `ssh-ca`, `lists`), for one deployment.
#[derive(Clone, Debug)]
pub struct Keys {
    deployment: String,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Keys {
    /// The keys of the deployment `test`.
    #[must_use]
    pub fn new() -> Self {
        Self::of("test")
    }

    /// The keys of another deployment.
    #[must_use]
    pub fn of(deployment: &str) -> Self {
        Self { deployment: deployment.to_owned() }
    }

    fn pair(&self, name: &str) -> Ed25519KeyPair {
        let seed = Digest::of_parts(&[self.deployment.as_bytes(), b" key of ", name.as_bytes()]);
        Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).expect("any 32 bytes are a seed")
    }

    /// The raw public key of `name`.
    #[must_use]
    pub fn raw(&self, name: &str) -> [u8; 32] {
        self.pair(name).public_key().as_ref().try_into().expect("32 bytes")
    }

    /// The public key of `name`.
    #[must_use]
    pub fn public(&self, name: &str) -> PublicKey {
        let mut wire = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        wire.extend_from_slice(&self.raw(name));
        PublicKey::from_wire(&wire).expect("a good key")
    }

    /// 64 bytes of signature by `name` over `message`.
    #[must_use]
    pub fn sign(&self, name: &str, message: &[u8]) -> [u8; 64] {
        self.pair(name).sign(message).as_ref().try_into().expect("64 bytes")
    }

    /// SSHSIG by `name` over `message`.
    #[must_use]
    pub fn sshsig(&self, name: &str, namespace: &str, message: &[u8]) -> SshSig {
        let raw = self.sign(name, &to_be_signed(namespace, message));
        assemble(&self.public(name), namespace, &ed25519_signature_blob(&raw)).expect("a signature")
    }

    /// A statement by `name`, with its signature.
    #[must_use]
    pub fn say(
        &self,
        name: &str,
        seen: Option<Seen>,
        act: Act,
        expires: Option<Timestamp>,
        nonce: Salt,
    ) -> (Statement, SshSig) {
        let namespace = act.kind().namespace();
        let statement = Statement::compose(&self.origin(), seen, act, expires, nonce)
            .expect("a good statement");
        let signature = self.sshsig(name, &namespace, statement.text().as_bytes());
        (statement, signature)
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin::new(&self.deployment, &self.raw("log")).expect("a good name")
    }

    /// The ledger's key.
    #[must_use]
    pub fn log_key(&self) -> VerifierKey {
        VerifierKey::of_log(&self.origin(), &self.raw("log")).expect("a good key")
    }
}
