//! People with keys of their own, and what they say.

use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::{SshSig, assemble, ed25519_signature_blob, to_be_signed};
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, Seen, Statement, commitment};
use breakglass_ledger::time::{Timestamp, Ttl};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, PrivateKey};

/// Somebody with an Ed25519 key: a person, or a responder's fresh subject key.
pub struct Person {
    /// Principal id; for a subject key anything.
    pub name: String,
    seed: Digest,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl Person {
    /// The person of this name and this number of key: always the same key.
    #[must_use]
    pub fn numbered(name: &str, key: u32) -> Self {
        let seed = Digest::of(format!("{name} {key}").as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).expect("a seed");
        let mut wire = Vec::new();
        for part in [b"ssh-ed25519".as_slice(), pair.public_key().as_ref()] {
            wire.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            wire.extend(part);
        }
        let public = PublicKey::from_wire(&wire).expect("a good key");
        Self { name: name.to_owned(), seed, pair, public }
    }

    /// The person of this name, with their first key.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::numbered(name, 0)
    }

    /// The public half.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.public
    }

    /// The private half, as `ssh` and `ssh-keygen` read it from a file.
    #[must_use]
    pub fn private_key(&self) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(self.seed.as_bytes()))
    }

    /// Writes the private half to `dir/id`, and `certificate` beside it; returns the key's path.
    pub fn write(&self, dir: &Path, certificate: &str) -> PathBuf {
        let key = self.private_key().to_openssh(LineEnding::LF).expect("a key in text");
        std::fs::create_dir_all(dir).expect("a directory");
        crate::sshd::write(dir, "id", &key);
        crate::sshd::write(dir, "id-cert.pub", &format!("{certificate}\n"));
        dir.join("id")
    }

    /// Signs `message` in `namespace`.
    #[must_use]
    pub fn sign_in(&self, namespace: &str, message: &[u8]) -> SshSig {
        let signature = self.pair.sign(&to_be_signed(namespace, message));
        let raw = signature.as_ref().try_into().expect("64 bytes");
        assemble(&self.public, namespace, &ed25519_signature_blob(&raw)).expect("assembles")
    }

    /// Signs `statement` in its own namespace.
    #[must_use]
    pub fn sign(&self, statement: &Statement) -> SshSig {
        self.sign_in(&statement.act().kind().namespace(), statement.text().as_bytes())
    }
}

/// Why everybody asks when the test does not care.
pub const REASON: &str = "disk full";

/// Salt of [`REASON`].
pub const REASON_SALT: [u8; 32] = [7; 32];

/// A statement of `act`, good for `seconds` from `now`.
#[must_use]
pub fn say(
    log: &Origin,
    seen: Seen,
    act: Act,
    now: Timestamp,
    seconds: u64,
    nonce: u128,
) -> Statement {
    let nonce = Salt::from_bytes(nonce.to_be_bytes());
    Statement::compose(log, Some(seen), act, Some(now.plus(seconds)), nonce).expect("composes")
}

/// What a request asks for when the test does not care.
#[must_use]
pub fn ask(by: &str, scope: &str, ttl: u32, number: u64, subject: &PublicKey) -> Ask {
    Ask {
        id: RequestId::new(
            1_795_341_600_000 + number,
            [u8::try_from(number % 250).unwrap_or(0); 10],
        ),
        by: by.parse().expect("a name"),
        scope: scope.parse().expect("a name"),
        kinds: vec![Kind::Ssh],
        lane: Lane::Normal,
        ttl: Ttl::from_seconds(ttl).expect("a ttl"),
        incident: Some("INC-1".to_owned()),
        reason: Some(commitment(&REASON_SALT, REASON)),
        key: Some(subject.clone()),
        on_behalf_of: Vec::new(),
    }
}
