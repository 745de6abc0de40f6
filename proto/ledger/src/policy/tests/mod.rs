//! Policies that are right, wrong in one way each, and wrong in every way.

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

mod sample;

/// The key pair of a name, the same in every run.
pub(super) fn pair(name: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(Digest::of(name.as_bytes()).as_bytes()).unwrap()
}

/// The public key of a name.
pub(super) fn public(name: &str) -> PublicKey {
    let mut wire = Vec::new();
    for part in [&b"ssh-ed25519"[..], pair(name).public_key().as_ref()] {
        wire.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        wire.extend(part);
    }
    PublicKey::from_wire(&wire).unwrap()
}

/// The sample policy for five people.
pub(super) fn five() -> Files {
    let names = ["pia", "sam", "ada", "bob", "eve"];
    let keys = names.map(|name| (name, public(name)));
    sample(&keys.each_ref().map(|(name, key)| (*name, key)))
}
