//! Signers of all four types, in software, and signature blobs in which any part can be wrong.

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};

use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::sshsig::to_be_signed;

/// A P-256 key made for these tests alone.
const P256_PRIVATE: &str = "2a9cf7077b801383d3d72b7dc2da0fc7798c8a086761c65087a5a9097474b8af";
const P256_PUBLIC: &str = "0460fcd80d71229bce0606a60273e33972bcdd2dfc51991919a387bbe0a84af7fd\
    5edaba99247c3667a4da0240de5fb0ec6c3c99fca6d41eada36d6ae91434bcf3";

/// A key pair that signs as an SSH agent does.
pub(crate) struct Signer {
    pair: Pair,
    application: Option<&'static str>,
    /// What the security key puts beside its signature; 1 is "touched".
    pub(crate) flags: u8,
    pub(crate) counter: u32,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    pub(crate) fn ed25519(seed: u8) -> Self {
        let pair = Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        Self { pair, application: None, flags: 1, counter: 7 }
    }

    pub(crate) fn ecdsa() -> Self {
        let private = HEXLOWER.decode(P256_PRIVATE.as_bytes()).unwrap();
        let public = HEXLOWER.decode(P256_PUBLIC.as_bytes()).unwrap();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &private,
            &public,
            &SystemRandom::new(),
        );
        Self { pair: Pair::P256(pair.unwrap()), application: None, flags: 1, counter: 7 }
    }

    pub(crate) fn sk_ed25519() -> Self {
        Self { application: Some("ssh:"), ..Self::ed25519(9) }
    }

    pub(crate) fn sk_ecdsa() -> Self {
        Self { application: Some("ssh:breakglass"), ..Self::ecdsa() }
    }

    /// One signer of each type.
    pub(crate) fn all() -> [Self; 4] {
        [Self::ed25519(1), Self::ecdsa(), Self::sk_ed25519(), Self::sk_ecdsa()]
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match (&self.pair, self.application) {
            (Pair::Ed25519(_), None) => KeyType::Ed25519,
            (Pair::Ed25519(_), Some(_)) => KeyType::SkEd25519,
            (Pair::P256(_), None) => KeyType::EcdsaP256,
            (Pair::P256(_), Some(_)) => KeyType::SkEcdsaP256,
        }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut parts = vec![self.key_type().name().as_bytes()];
        match &self.pair {
            Pair::Ed25519(pair) => parts.push(pair.public_key().as_ref()),
            Pair::P256(pair) => parts.extend([&b"nistp256"[..], pair.public_key().as_ref()]),
        }
        parts.extend(self.application.map(str::as_bytes));
        strings(&parts)
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_wire(&self.wire()).unwrap()
    }

    /// The SSH signature blob over `to_be_signed`, as an agent answers.
    pub(crate) fn sign(&self, to_be_signed: &[u8]) -> Vec<u8> {
        let name = self.key_type().name().as_bytes();
        let Some(application) = self.application else {
            return strings(&[name, &self.inner(to_be_signed)]);
        };
        let touch = [&[self.flags][..], &self.counter.to_be_bytes()].concat();
        let application = digest(&SHA256, application.as_bytes());
        let message = digest(&SHA256, to_be_signed);
        let wrapped = [application.as_ref(), &touch, message.as_ref()];
        [strings(&[name, &self.inner(&wrapped.concat())]), touch].concat()
    }

    fn inner(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => {
                let fixed = pair.sign(&SystemRandom::new(), message).unwrap();
                let (r, s) = fixed.as_ref().split_at(32);
                strings(&[&mpint(r), &mpint(s)])
            }
        }
    }
}

/// RFC 4251, 5: the shortest form, with a zero byte where the top bit is set.
pub(crate) fn mpint(fixed: &[u8]) -> Vec<u8> {
    let start = fixed.iter().position(|byte| *byte != 0).unwrap();
    let sign = if fixed[start] >= 0x80 { &[0][..] } else { &[] };
    [sign, &fixed[start..]].concat()
}

/// Each part as an SSH `string`.
pub(crate) fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_be_bytes();
    parts.iter().flat_map(|part| [&length(part)[..], part].concat()).collect()
}

/// The parts of an SSHSIG blob, to be made wrong one at a time.
pub(crate) struct Blob {
    pub(crate) magic: Vec<u8>,
    pub(crate) version: u32,
    pub(crate) key: Vec<u8>,
    pub(crate) namespace: Vec<u8>,
    pub(crate) reserved: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
}

impl Blob {
    /// A right one.
    pub(crate) fn of(signer: &Signer, namespace: &str, message: &[u8]) -> Self {
        Self {
            magic: b"SSHSIG".to_vec(),
            version: 1,
            key: signer.wire(),
            namespace: namespace.into(),
            reserved: Vec::new(),
            hash: b"sha512".to_vec(),
            signature: signer.sign(&to_be_signed(namespace, message)),
            trailing: Vec::new(),
        }
    }

    pub(crate) fn armored(&self) -> String {
        armored(&self.bytes(), 70)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let parts: [&[u8]; 5] =
            [&self.key, &self.namespace, &self.reserved, &self.hash, &self.signature];
        let head = [&self.magic[..], &self.version.to_be_bytes()].concat();
        [head, strings(&parts), self.trailing.clone()].concat()
    }
}

/// `blob` in armor with lines of `width`.
pub(crate) fn armored(blob: &[u8], width: usize) -> String {
    let encoded = BASE64.encode(blob);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
    let middle = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{middle}\n-----END SSH SIGNATURE-----\n")
}
