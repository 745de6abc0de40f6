//! Signatures over statements: SSHSIG (OpenSSH `PROTOCOL.sshsig`), stricter than OpenSSH.
//!
//! One blob has one armored text, the one that `ssh-keygen -Y sign` writes. Whoever signs (an agent,
//! a key file) signs [`to_be_signed`] and hands the signature to [`assemble`].

use ring::digest::{SHA256, SHA512, digest};

use crate::bytes::Digest;
use crate::key::wire::{Reader, put_string};
use crate::key::{Fingerprint, KeyType, PublicKey};

mod armor;
mod error;

pub use error::SshSigError;

/// Longest armored signature, in bytes. The longest allowed key and signature need about 1.5 KiB.
pub const ARMORED_MAX: usize = 8192;

/// Longest namespace, in bytes; ours are under 32.
pub const NAMESPACE_MAX: usize = 64;

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// FIDO CTAP2, 6.1: bit 0 of the authenticator's flags: somebody touched it.
const USER_PRESENT: u8 = 0x01;
/// FIDO CTAP2, 6.1: bit 2: it checked a PIN or a finger.
const USER_VERIFIED: u8 = 0x04;

/// A signature that has the right form. Whether it is right, [`SshSig::verify`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSig {
    armored: Box<str>,
    key: PublicKey,
    namespace: Box<str>,
    hash: HashName,
    signature: Signature,
}

/// A signature that was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether a security key had checked a PIN or a finger; `false` for every other key.
    pub user_verified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HashName {
    Sha256,
    Sha512,
}

/// The 64 bytes, and for a security key what it adds to what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    raw: [u8; 64],
    touch: Option<Touch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Touch {
    flags: u8,
    counter: u32,
}

impl SshSig {
    /// Reads an armored signature, final LF included, in its one canonical text.
    ///
    /// # Errors
    ///
    /// [`SshSigError::Malformed`], [`SshSigError::KeyType`] or [`SshSigError::Weak`].
    pub fn parse(armored: &str) -> Result<Self, SshSigError> {
        let blob = armor::read(armored)?;
        let mut reader = Reader::new(&blob);
        let magic = reader.bytes(MAGIC.len());
        require(magic == Some(MAGIC), "does not begin with SSHSIG")?;
        require(reader.uint32() == Some(VERSION), "version is not 1")?;
        let key = PublicKey::from_wire(string(&mut reader, "no public key")?)?;
        let namespace = namespace(string(&mut reader, "no namespace")?)?;
        let reserved = string(&mut reader, "no reserved field")?;
        require(reserved.is_empty(), "the reserved field is not empty")?;
        let hash = HashName::named(string(&mut reader, "no hash algorithm")?)?;
        let signature = signature(key.key_type(), string(&mut reader, "no signature")?)?;
        require(reader.end().is_some(), "bytes after the signature")?;
        Ok(Self { armored: armored.into(), key, namespace, hash, signature })
    }

    /// Whose signature this is, of one that was verified before and kept: the key's point is not
    /// computed again, which is most of what [`SshSig::parse`] costs, so nothing says that it is one.
    ///
    /// # Errors
    ///
    /// [`SshSigError::Malformed`].
    pub fn signer_of(armored: &str) -> Result<Fingerprint, SshSigError> {
        let blob = armor::read(armored)?;
        let mut reader = Reader::new(&blob);
        require(reader.bytes(MAGIC.len()) == Some(MAGIC), "does not begin with SSHSIG")?;
        require(reader.uint32() == Some(VERSION), "version is not 1")?;
        Ok(Fingerprint::new(Digest::of(string(&mut reader, "no public key")?)))
    }

    /// The text it was read from, and the only one of this signature.
    #[must_use]
    pub fn armored(&self) -> &str {
        &self.armored
    }

    /// The key that is said to have signed. Whose it is, policy says.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// What it is said to have been signed for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Checks that [`SshSig::public_key`] signed `message` in `namespace`, and that a security key
    /// was touched for it.
    ///
    /// # Errors
    ///
    /// [`SshSigError::Namespace`], [`SshSigError::Bad`], [`SshSigError::UserPresence`], looked for
    /// in this order.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<Verified, SshSigError> {
        if *self.namespace != *namespace {
            let (expected, found) = (namespace.to_owned(), self.namespace.to_string());
            return Err(SshSigError::Namespace { expected, found });
        }
        let signed = self.signed_bytes(message);
        if !self.key.verifies(&signed, &self.signature.raw) {
            return Err(SshSigError::Bad);
        }
        let Some(touch) = self.signature.touch else {
            return Ok(Verified { user_verified: false });
        };
        if touch.flags & USER_PRESENT == 0 {
            return Err(SshSigError::UserPresence);
        }
        Ok(Verified { user_verified: touch.flags & USER_VERIFIED != 0 })
    }

    /// What the key itself saw: for a security key wrapped as in OpenSSH `PROTOCOL.u2f`.
    fn signed_bytes(&self, message: &[u8]) -> Vec<u8> {
        let plain = hashed(&self.namespace, self.hash, message);
        let (Some(touch), Some(application)) = (self.signature.touch, self.key.application())
        else {
            return plain;
        };
        let mut wrapped = digest(&SHA256, application.as_bytes()).as_ref().to_vec();
        wrapped.push(touch.flags);
        wrapped.extend_from_slice(&touch.counter.to_be_bytes());
        wrapped.extend_from_slice(digest(&SHA256, &plain).as_ref());
        wrapped
    }
}

/// What a signer signs for `message` in `namespace`: the SSHSIG blob with its SHA-512.
///
/// A security key wraps this once more by itself.
#[must_use]
pub fn to_be_signed(namespace: &str, message: &[u8]) -> Vec<u8> {
    hashed(namespace, HashName::Sha512, message)
}

/// Armors the SSH signature (`string type, string signature`, for `sk-` keys also flags and
/// counter) that an agent or a local signer made over [`to_be_signed`].
///
/// The text is byte for byte what `ssh-keygen -Y sign` writes. The signature is not verified: this
/// function has not seen the message.
///
/// # Errors
///
/// [`SshSigError::Malformed`] if the signature does not fit the key's type.
pub fn assemble(
    key: &PublicKey,
    namespace: &str,
    ssh_signature_blob: &[u8],
) -> Result<SshSig, SshSigError> {
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&VERSION.to_be_bytes());
    put_string(&mut blob, key.wire());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, HashName::Sha512.name());
    put_string(&mut blob, ssh_signature_blob);
    SshSig::parse(&armor::write(&blob))
}

/// Wraps the 64 bytes of an Ed25519 signature (RFC 8032) as an SSH signature (RFC 8709, 6).
#[must_use]
pub fn ed25519_signature_blob(raw: &[u8; 64]) -> Vec<u8> {
    let mut blob = Vec::new();
    put_string(&mut blob, KeyType::Ed25519.name().as_bytes());
    put_string(&mut blob, raw);
    blob
}

fn hashed(namespace: &str, hash: HashName, message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        HashName::Sha256 => &SHA256,
        HashName::Sha512 => &SHA512,
    };
    let mut blob = MAGIC.to_vec();
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, hash.name());
    put_string(&mut blob, digest(algorithm, message).as_ref());
    blob
}

impl HashName {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }

    fn named(name: &[u8]) -> Result<Self, SshSigError> {
        let known = [Self::Sha256, Self::Sha512].into_iter().find(|known| known.name() == name);
        known.ok_or(SshSigError::Malformed { rule: "the hash is neither sha512 nor sha256" })
    }
}

fn namespace(bytes: &[u8]) -> Result<Box<str>, SshSigError> {
    let is_plain = bytes.iter().all(u8::is_ascii_graphic);
    require(is_plain && !bytes.is_empty(), "the namespace is not plain ASCII")?;
    require(bytes.len() <= NAMESPACE_MAX, "the namespace is over 64 bytes")?;
    let text = str::from_utf8(bytes);
    Ok(text
        .map_err(|_| SshSigError::Malformed { rule: "the namespace is not plain ASCII" })?
        .into())
}

fn signature(key_type: KeyType, blob: &[u8]) -> Result<Signature, SshSigError> {
    let mut reader = Reader::new(blob);
    let type_name = string(&mut reader, "no signature type")?;
    require(type_name == key_type.name().as_bytes(), "the signature's type is not the key's")?;
    let inner = string(&mut reader, "no signature bytes")?;
    let raw = match key_type {
        KeyType::Ed25519 | KeyType::SkEd25519 => inner.try_into().ok(),
        KeyType::EcdsaP256 | KeyType::SkEcdsaP256 => r_and_s(inner),
    };
    let touch = match key_type {
        KeyType::Ed25519 | KeyType::EcdsaP256 => None,
        KeyType::SkEd25519 | KeyType::SkEcdsaP256 => {
            let touch = touch(&mut reader);
            Some(touch.ok_or(SshSigError::Malformed { rule: "no flags and counter" })?)
        }
    };
    require(reader.end().is_some(), "bytes after the inner signature")?;
    let raw =
        raw.ok_or(SshSigError::Malformed { rule: "the signature's numbers are malformed" })?;
    Ok(Signature { raw, touch })
}

/// `mpint r, mpint s` (RFC 5656, 3.1.2) as 64 bytes.
fn r_and_s(inner: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader::new(inner);
    let both = [reader.scalar()?, reader.scalar()?].concat();
    reader.end()?;
    both.try_into().ok()
}

fn touch(reader: &mut Reader<'_>) -> Option<Touch> {
    Some(Touch { flags: reader.byte()?, counter: reader.uint32()? })
}

fn string<'a>(reader: &mut Reader<'a>, rule: &'static str) -> Result<&'a [u8], SshSigError> {
    reader.string().ok_or(SshSigError::Malformed { rule })
}

fn require(holds: bool, rule: &'static str) -> Result<(), SshSigError> {
    if holds { Ok(()) } else { Err(SshSigError::Malformed { rule }) }
}
