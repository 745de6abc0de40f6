//! Keys and statements for the tests of this door.

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::{assemble, ed25519_signature_blob, to_be_signed};
use breakglass_ledger::statement::{Act, Seen, Session, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Somebody's Ed25519 key, the same for the same seed.
pub(super) struct Key {
    pair: Ed25519KeyPair,
}

impl Key {
    pub(super) fn of(seed: u8) -> Self {
        Self::of_seed(&[seed; 32])
    }

    pub(super) fn of_seed(seed: &[u8; 32]) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed") }
    }

    pub(super) fn public(&self) -> PublicKey {
        let mut wire = Vec::new();
        for part in [b"ssh-ed25519".as_slice(), self.pair.public_key().as_ref()] {
            wire.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            wire.extend(part);
        }
        PublicKey::from_wire(&wire).expect("a key")
    }

    /// An armored signature over `message`.
    pub(super) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        let signature = self.pair.sign(&to_be_signed(namespace, message));
        let raw = signature.as_ref().try_into().expect("64 bytes");
        let blob = ed25519_signature_blob(&raw);
        assemble(&self.public(), namespace, &blob).expect("a signature").armored().to_owned()
    }

    /// `statement`, signed in its own namespace.
    pub(super) fn say(&self, statement: &Statement) -> v1::SubmitRequest {
        let namespace = statement.act().kind().namespace();
        v1::SubmitRequest {
            statement: statement.text().as_bytes().to_vec(),
            signature: self.sign(&namespace, statement.text().as_bytes()),
            ..v1::SubmitRequest::default()
        }
    }

    /// A session of `by`.
    pub(super) fn session(&self, log: &Origin, by: &str, expires: Timestamp) -> v1::Session {
        let act = Act::Session(Session { by: by.parse().expect("a name") });
        let v1::SubmitRequest { statement, signature, .. } =
            self.say(&compose(log, None, act, Some(expires)));
        v1::Session { statement, signature }
    }
}

/// A statement with a nonce that is always the same.
pub(super) fn compose(
    log: &Origin,
    seen: Option<Seen>,
    act: Act,
    expires: Option<Timestamp>,
) -> Statement {
    Statement::compose(log, seen, act, expires, Salt::from_bytes([9; 16])).expect("a statement")
}

/// The ledger that these tests are about.
pub(super) fn log() -> Origin {
    Origin::new("payments", &[7; 32]).expect("an origin")
}
