//! Whoever holds a fresh P-256 key, the type that TLS servers and those who check tokens take.

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::{SshSig, assemble, to_be_signed};
use breakglass_ledger::statement::{Act, Ask, Kind, Statement};
use breakglass_proto::v1;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::people::Person;
use crate::wire::{Wire, asking, signed};

const TYPE: &[u8] = b"ecdsa-sha2-nistp256";

/// A subject key, new for each request.
pub struct Holder {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl Holder {
    /// With a key that nobody had before.
    ///
    /// # Panics
    ///
    /// Panics if there is no randomness.
    #[must_use]
    pub fn fresh() -> Self {
        let (algorithm, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).expect("a key");
        let wire = strings(&[TYPE, b"nistp256", pair.public_key().as_ref()]);
        let public = PublicKey::from_wire(&wire).expect("a good key");
        Self { pair, public }
    }

    /// The public half.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `statement` in its own namespace.
    ///
    /// # Panics
    ///
    /// Panics if there is no randomness.
    #[must_use]
    pub fn sign(&self, statement: &Statement) -> SshSig {
        let namespace = statement.act().kind().namespace();
        let message = to_be_signed(&namespace, statement.text().as_bytes());
        let raw = self.pair.sign(&SystemRandom::new(), &message).expect("randomness");
        // RFC 5656, 3.1.2: two numbers.
        let (r, s) = raw.as_ref().split_at(32);
        let blob = strings(&[TYPE, &strings(&[&number(r), &number(s)])]);
        assemble(&self.public, &namespace, &blob).expect("assembles")
    }

    /// `statement` as the holder submits it.
    #[must_use]
    pub fn submits(&self, statement: &Statement) -> v1::SubmitRequest {
        v1::SubmitRequest {
            statement: statement.text().as_bytes().to_vec(),
            signature: self.sign(statement).armored().to_owned(),
            ..v1::SubmitRequest::default()
        }
    }

    /// What sam asks for: `kinds` of `scope`, bound to this key.
    #[must_use]
    pub fn asks(&self, wire: &Wire, scope: &str, kinds: &[Kind]) -> Statement {
        let sam = Person::named("sam");
        let ask = asking("sam", scope, 600, &sam);
        let key = Some(self.public.clone());
        wire.say(Act::Request(Ask { kinds: kinds.to_vec(), key, ..ask }))
    }

    /// sam asks for `kinds` of `scope`, which needs nobody's word, for this key.
    ///
    /// # Panics
    ///
    /// Panics if it is refused.
    pub async fn asked(&self, wire: &Wire, scope: &str, kinds: &[Kind]) -> Statement {
        let statement = self.asks(wire, scope, kinds);
        let asked = wire.submit(signed(&Person::named("sam"), &statement)).await;
        asked.expect("asked");
        statement
    }
}

/// RFC 4251, 5: strings, one after the other.
#[must_use]
pub fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in parts {
        wire.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        wire.extend(*part);
    }
    wire
}

/// RFC 4251, 5, `mpint`: no zeros in front but one where the number would be negative.
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let is_high = digits.first().is_some_and(|byte| *byte >= 0x80);
    let sign: &[u8] = if is_high { &[0] } else { &[] };
    [sign, digits].concat()
}
