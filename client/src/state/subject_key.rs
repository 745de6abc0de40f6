//! The key that a credential is bound to: made on this machine, for one request.
//!
//! Ed25519 for SSH alone. P-256 where an X.509 certificate or a token is asked for too: TLS
//! libraries and token verifiers that take Ed25519 are few, and one request has one key.

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::ed25519_signature_blob;
use breakglass_ledger::statement::Kind;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use ssh_key::private::{EcdsaKeypair, Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::files::StateError;
use crate::agent::Private;
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::pem;
use crate::sshwire::{Builder, p256_signature_blob};

/// A private key that lives as long as its request.
///
/// Neither shown nor printed: there is no `Debug`.
pub struct SubjectKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ed25519 { seed: Zeroizing<[u8; 32]>, public: [u8; 32], pair: Ed25519KeyPair },
    P256 { scalar: Zeroizing<[u8; 32]>, point: [u8; 65], pair: EcdsaKeyPair },
}

impl SubjectKey {
    /// A fresh key that credentials of all `kinds` can be bound to.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the system gives no randomness.
    pub fn generate(kinds: &[Kind]) -> Result<Self, Failure> {
        let made = if kinds.iter().all(|kind| *kind == Kind::Ssh) {
            Self::ed25519(Zeroizing::new(entropy::bytes()?))
        } else {
            Self::fresh_p256()
        };
        made.map_err(|rule| {
            Failure::new(Exit::Internal, format!("cannot make a key: {rule}"), "", "")
        })
    }

    /// The key in `text`, as [`SubjectKey::to_openssh`] wrote it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "foreign and non-exhaustive: types that are never made here"
    )]
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let key = PrivateKey::from_openssh(text).map_err(|error| error.to_string())?;
        match key.key_data() {
            KeypairData::Ed25519(pair) => Self::ed25519(Zeroizing::new(pair.private.to_bytes())),
            KeypairData::Ecdsa(EcdsaKeypair::NistP256 { public, private }) => {
                let scalar = private.as_slice().try_into().map_err(|_| "not 32 bytes".to_owned());
                let point = public.as_bytes().try_into().map_err(|_| "not 65 bytes".to_owned());
                Self::p256(Zeroizing::new(scalar?), point?)
            }
            _ => Err("of another type".to_owned()),
        }
    }

    fn ed25519(seed: Zeroizing<[u8; 32]>) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|error| error.to_string())?;
        let public = pair.public_key().as_ref();
        let public: [u8; 32] = public.try_into().map_err(|_| "not 32 bytes".to_owned())?;
        let wire = Builder::new().string(b"ssh-ed25519").string(&public).into_bytes();
        Self::of(Pair::Ed25519 { seed, public, pair }, &wire)
    }

    fn fresh_p256() -> Result<Self, String> {
        let rng = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng);
        let made = made.map_err(|_| "the system's random source failed".to_owned())?;
        let document = Zeroizing::new(made.as_ref().to_vec());
        let other = || "ring writes PKCS#8 otherwise than it did".to_owned();
        let rest = document.strip_prefix(&PKCS8_BEGIN).ok_or_else(other)?;
        let (scalar, rest) = rest.split_first_chunk::<32>().ok_or_else(other)?;
        let point = rest.strip_prefix(&PKCS8_MIDDLE).ok_or_else(other)?;
        Self::p256(Zeroizing::new(*scalar), point.try_into().map_err(|_| other())?)
    }

    /// Refused unless the two halves belong together.
    fn p256(scalar: Zeroizing<[u8; 32]>, point: [u8; 65]) -> Result<Self, String> {
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar.as_slice(),
            &point,
            &SystemRandom::new(),
        );
        let pair = pair.map_err(|error| error.to_string())?;
        let wire = p256_wire(&point);
        Self::of(Pair::P256 { scalar, point, pair }, &wire)
    }

    fn of(pair: Pair, wire: &[u8]) -> Result<Self, String> {
        let public = PublicKey::from_wire(wire).map_err(|error| error.to_string())?;
        Ok(Self { pair, public })
    }

    /// Its public part.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The uncompressed point (SEC 1, 2.3.3) of a P-256 key; `None` of an Ed25519 one.
    #[must_use]
    pub const fn point(&self) -> Option<&[u8; 65]> {
        match &self.pair {
            Pair::Ed25519 { .. } => None,
            Pair::P256 { point, .. } => Some(point),
        }
    }

    /// The private half in the form that an agent takes.
    #[must_use]
    pub fn private(&self) -> Private<'_> {
        match &self.pair {
            Pair::Ed25519 { seed, public, .. } => Private::Ed25519 { public, seed },
            Pair::P256 { scalar, .. } => Private::P256 { scalar },
        }
    }

    /// The SSH signature blob over `message`.
    ///
    /// # Errors
    ///
    /// [`StateError::NoEntropy`]: an ECDSA signature needs a random number.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, StateError> {
        match &self.pair {
            Pair::Ed25519 { pair, .. } => {
                let raw = pair.sign(message).as_ref().try_into();
                Ok(ed25519_signature_blob(&raw.unwrap_or([0; 64])))
            }
            Pair::P256 { pair, .. } => {
                let raw = pair.sign(&SystemRandom::new(), message);
                Ok(p256_signature_blob(raw.map_err(|_| StateError::NoEntropy)?.as_ref()))
            }
        }
    }

    /// The private key in OpenSSH's format.
    ///
    /// # Errors
    ///
    /// [`StateError::Unencodable`].
    pub fn to_openssh(&self) -> Result<Zeroizing<String>, StateError> {
        match &self.pair {
            Pair::Ed25519 { seed, public, .. } => {
                let pair = Ed25519Keypair {
                    public: Ed25519PublicKey(*public),
                    private: Ed25519PrivateKey::from_bytes(seed),
                };
                let key = PrivateKey::new(KeypairData::Ed25519(pair), COMMENT);
                key.and_then(|key| key.to_openssh(LineEnding::LF))
                    .map_err(|_| StateError::Unencodable)
            }
            Pair::P256 { scalar, point, .. } => {
                Ok(pem::encode("OPENSSH PRIVATE KEY", &openssh_p256(scalar, point)?, 70))
            }
        }
    }

    /// A P-256 key as PKCS#8, version 1, PEM: what OpenSSL and libpq read; `None` of an Ed25519 one.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Option<Zeroizing<String>> {
        let Pair::P256 { scalar, point, .. } = &self.pair else { return None };
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_BYTES));
        for part in [&PKCS8_BEGIN[..], &scalar[..], &PKCS8_MIDDLE, point] {
            der.extend_from_slice(part);
        }
        Some(pem::encode("PRIVATE KEY", &der, pem::COLUMNS))
    }
}

/// The public key on the wire (RFC 5656, 3.1).
fn p256_wire(point: &[u8; 65]) -> Vec<u8> {
    Builder::new().string(TYPE).string(CURVE).string(point).into_bytes()
}

/// OpenSSH's PROTOCOL.key, without a passphrase.
fn openssh_p256(scalar: &[u8; 32], point: &[u8; 65]) -> Result<Zeroizing<Vec<u8>>, StateError> {
    let check = u32::from_be_bytes(entropy::bytes().map_err(|_| StateError::NoEntropy)?);
    let head = Builder::new().uint32(check).uint32(check).string(TYPE).string(CURVE);
    let private = head.string(point).scalar(scalar).string(COMMENT.as_bytes()).into_bytes();
    let mut private = Zeroizing::new(private);
    // Filled up to the block of the cipher "none", which has eight bytes, with 1, 2, 3, …
    let missing = private.len().next_multiple_of(8).saturating_sub(private.len());
    private.extend((1..=u8::MAX).take(missing));
    let mut key = Zeroizing::new(b"openssh-key-v1\0".to_vec());
    let rest = Builder::new().string(b"none").string(b"none").string(b"").uint32(1);
    key.extend(rest.string(&p256_wire(point)).string(&private).into_bytes());
    Ok(key)
}

const COMMENT: &str = "breakglass";
const TYPE: &[u8] = b"ecdsa-sha2-nistp256";
const CURVE: &[u8] = b"nistp256";

/// RFC 5958 and RFC 5915: PKCS#8 of version 1 over a P-256 key, up to the private number …
const PKCS8_BEGIN: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];

/// … and from there to the public point, which ends it.
const PKCS8_MIDDLE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// The whole of it.
const PKCS8_BYTES: usize = 138;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::state::write_private;

    const WITH_X509: [Kind; 2] = [Kind::Ssh, Kind::X509];

    fn said(command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn written(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let path = dir.join(name);
        write_private(&path, text.as_bytes()).unwrap();
        path
    }

    #[test]
    fn a_key_is_p256_as_soon_as_more_than_ssh_is_asked_for() {
        let name = |kinds: &[Kind]| SubjectKey::generate(kinds).unwrap().public().key_type().name();
        assert_eq!(name(&[Kind::Ssh]), "ssh-ed25519");
        for kinds in [&[Kind::X509][..], &[Kind::Jwt], &WITH_X509] {
            assert_eq!(name(kinds), "ecdsa-sha2-nistp256");
        }
    }

    #[test]
    fn both_types_come_back_from_what_was_written_and_sign_what_verifies() {
        for kinds in [&[Kind::Ssh][..], &WITH_X509] {
            let key = SubjectKey::generate(kinds).unwrap();
            let again = SubjectKey::parse(key.to_openssh().unwrap().as_bytes()).unwrap();
            assert_eq!(again.public(), key.public());
            let blob = again.sign(b"message").unwrap();
            let name = again.public().key_type().name();
            assert!(blob.windows(name.len()).any(|part| part == name.as_bytes()));
        }
    }

    /// What `ssh`, OpenSSL and libpq read, by hundreds: some numbers begin with zeros or a high bit.
    #[test]
    fn openssh_and_openssl_read_a_p256_key_and_find_the_same_public_half() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let key = SubjectKey::generate(&WITH_X509).unwrap();
            let id = written(dir.path(), "id", &key.to_openssh().unwrap());
            let line = said(Command::new("ssh-keygen").args(["-y", "-f"]).arg(&id));
            assert_eq!(PublicKey::from_openssh(line.trim()).unwrap(), *key.public());
            let pem = written(dir.path(), "key.pem", &key.to_pkcs8_pem().unwrap());
            let mut openssl = Command::new("openssl");
            openssl.args(["pkey", "-check", "-text", "-noout", "-in"]).arg(&pem);
            let text = said(&mut openssl);
            assert!(text.contains("Key is valid") && text.contains("prime256v1"), "{text}");
            let hex: String = text.split_whitespace().collect::<String>().replace(':', "");
            let point = data_encoding::HEXLOWER.encode(key.point().unwrap());
            assert!(hex.contains(&point), "{text}");
        }
    }

    #[test]
    fn numbers_with_leading_zeros_and_high_bits_come_back() {
        let (mut zeros, mut highs) = (0, 0);
        while zeros == 0 || highs == 0 {
            let key = SubjectKey::generate(&WITH_X509).unwrap();
            let Private::P256 { scalar } = key.private() else { panic!() };
            zeros += u32::from(scalar[0] == 0);
            highs += u32::from(scalar[0] >= 0x80);
            let again = SubjectKey::parse(key.to_openssh().unwrap().as_bytes()).unwrap();
            assert_eq!(again.public(), key.public());
        }
    }

    #[test]
    fn an_ed25519_key_has_no_pkcs8_form() {
        assert!(SubjectKey::generate(&[Kind::Ssh]).unwrap().to_pkcs8_pem().is_none());
    }
}
