//! Public keys of people, hosts and responders, in OpenSSH's forms and stricter than OpenSSH.
//!
//! Four types are known. RSA, DSA, other curves and certificates are refused by name, and so are
//! Ed25519 keys of small order, for which one signature fits many messages.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::BASE64;
use ed25519_dalek::VerifyingKey;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use self::wire::Reader;
use crate::bytes::{Digest, text_serde};

mod curve;
mod error;
mod fingerprint;
mod key_type;
pub(crate) mod wire;

pub use error::KeyError;
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use key_type::KeyType;

/// Longest text of a key, in bytes: the longest allowed key is under 600, the rest is comment.
pub const KEY_LINE_MAX: usize = 1024;

/// Longest application string of an `sk-` key, in bytes. OpenSSH makes `ssh:` and at most a short
/// name; a `WebAuthn` host name is at most 253.
pub const APPLICATION_MAX: usize = 255;

/// The only curve, as RFC 5656 (10.1) names it.
const P256: &[u8] = b"nistp256";

/// A public key: one of four types, canonical, not weak.
///
/// Equal by key data only (for `sk-` keys that includes the application string), never by comment.
#[derive(Clone)]
pub struct PublicKey(Arc<Parts>);

/// Shared, because a decompressed key is large and keys are copied around a lot.
struct Parts {
    wire: Box<[u8]>,
    key_type: KeyType,
    application: Option<Box<str>>,
    verifier: Verifier,
}

enum Verifier {
    Ed25519(VerifyingKey),
    P256([u8; 65]),
}

impl PublicKey {
    /// Reads `type base64 [comment]`, as in an OpenSSH `.pub` file; the comment is dropped.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; options before the type, a second line and surrounding blanks are malformed.
    pub fn from_openssh(line: &str) -> Result<Self, KeyError> {
        if line.len() > KEY_LINE_MAX {
            return Err(KeyError::TooLong);
        }
        if line.chars().any(char::is_control) {
            return Err(KeyError::Malformed);
        }
        let (type_name, rest) = line.split_once(' ').ok_or(KeyError::Malformed)?;
        let key_type = KeyType::named(type_name.as_bytes())?;
        let encoded = rest.split_once(' ').map_or(rest, |(encoded, _comment)| encoded);
        let blob = BASE64.decode(encoded.as_bytes()).map_err(|_| KeyError::Malformed)?;
        let key = Self::from_wire(&blob)?;
        if key.key_type() == key_type { Ok(key) } else { Err(KeyError::Malformed) }
    }

    /// Reads the wire form (RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4; OpenSSH `PROTOCOL.u2f`),
    /// with nothing after it.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub fn from_wire(blob: &[u8]) -> Result<Self, KeyError> {
        if blob.len() > KEY_LINE_MAX {
            return Err(KeyError::TooLong);
        }
        let mut reader = Reader::new(blob);
        let key_type = KeyType::named(reader.string().ok_or(KeyError::Malformed)?)?;
        let verifier = match key_type {
            KeyType::Ed25519 | KeyType::SkEd25519 => ed25519(&mut reader)?,
            KeyType::EcdsaP256 | KeyType::SkEcdsaP256 => p256(&mut reader)?,
        };
        let application = match key_type {
            KeyType::Ed25519 | KeyType::EcdsaP256 => None,
            KeyType::SkEd25519 | KeyType::SkEcdsaP256 => Some(application(&mut reader)?),
        };
        reader.end().ok_or(KeyError::Malformed)?;
        Ok(Self(Arc::new(Parts { wire: blob.into(), key_type, application, verifier })))
    }

    /// `type base64`, without a comment: the one text form, as in statements.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        format!("{} {}", self.0.key_type, BASE64.encode(&self.0.wire))
    }

    /// The wire form.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0.wire
    }

    /// Which of the four types.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.0.key_type
    }

    /// Whether the private half lives in a FIDO security key.
    #[must_use]
    pub fn is_sk(&self) -> bool {
        self.0.application.is_some()
    }

    /// The application string of an `sk-` key, `ssh:` unless chosen otherwise; `None` for others.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.0.application.as_deref()
    }

    /// What people compare: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(self.digest())
    }

    /// SHA-256 of the wire form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0.wire)
    }

    /// Whether `signature` (Ed25519: RFC 8032, P-256: `r ‖ s`) is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match &self.0.verifier {
            // Strict: also refuses a small-order R, and keys of small order once more.
            Verifier::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(message, &signature).is_ok()
            }
            Verifier::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

fn ed25519(reader: &mut Reader<'_>) -> Result<Verifier, KeyError> {
    let bytes = reader.string().ok_or(KeyError::Malformed)?;
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Malformed)?;
    if key.is_weak() {
        return Err(KeyError::Weak);
    }
    if is_reduced(bytes) { Ok(Verifier::Ed25519(key)) } else { Err(KeyError::Malformed) }
}

/// Whether the y coordinate is below 2^255 − 19, as RFC 8032 (5.1.3) demands; the decoder does not
/// look. Without it a few keys would have two wire forms, and so two fingerprints.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    *lowest < 0xed || highest & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

fn p256(reader: &mut Reader<'_>) -> Result<Verifier, KeyError> {
    let curve = reader.string().ok_or(KeyError::Malformed)?;
    let point = reader.string().ok_or(KeyError::Malformed)?;
    let point: [u8; 65] = point.try_into().map_err(|_| KeyError::Malformed)?;
    // SEC 1, 2.3.3: 4 marks an uncompressed point, the only form that RFC 5656 (3.1) demands of all.
    let is_valid = curve == P256 && curve::holds(&point);
    if is_valid { Ok(Verifier::P256(point)) } else { Err(KeyError::Malformed) }
}

fn application(reader: &mut Reader<'_>) -> Result<Box<str>, KeyError> {
    let bytes = reader.string().ok_or(KeyError::Malformed)?;
    let text = str::from_utf8(bytes).map_err(|_| KeyError::Malformed)?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > APPLICATION_MAX || !is_plain {
        return Err(KeyError::Malformed);
    }
    Ok(text.into())
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.wire == other.0.wire
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.wire.cmp(&other.0.wire)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.wire.hash(state);
    }
}

/// [`PublicKey::to_openssh`].
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_openssh())
    }
}

/// Type and fingerprint.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.key_type, self.fingerprint())
    }
}

/// [`PublicKey::from_openssh`].
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_openssh(text)
    }
}

text_serde!(PublicKey);
