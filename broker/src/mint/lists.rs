//! Revocation lists, signed: so that a host can tell our newest list from an older or a foreign one.

use breakglass_ledger::sshsig;
use breakglass_ledger::time::Timestamp;

use super::error::MintError;
use super::keys::Ed25519Key;
use super::{PublicParts, SignedList};
use crate::deny::{self, Deny, SignedDeny};
use crate::krl::{self, Header, NAMESPACE};

/// Writes the list, reads it back, signs it, and checks the signature.
pub(super) fn make(
    public: &PublicParts,
    key: &Ed25519Key,
    revoked: &[u64],
    version: u64,
    generated: Timestamp,
) -> Result<SignedList, MintError> {
    let comment = format!("breakglass {} version {version}", public.origin);
    let authority = public.ssh_ca.wire();
    let krl = krl::write(&Header { version, generated, comment: &comment, authority }, revoked)?;
    let read = krl::read(&krl, authority)?;
    if read.version != version || read.generated != generated || !read.is_exactly(revoked) {
        return Err(MintError::ListMismatch);
    }
    let signature = signed(public, key, NAMESPACE, &krl)?;
    Ok(SignedList { version, krl, signature, crl: None, deny: None })
}

/// Writes the list of denied tokens, reads it back, signs it, and checks the signature.
pub(super) fn deny(
    public: &PublicParts,
    key: &Ed25519Key,
    denied: Vec<String>,
    version: u64,
    time: Timestamp,
) -> Result<SignedDeny, MintError> {
    let list = Deny { denied, log: public.origin.to_string(), time, version };
    let json = deny::write(&list)?;
    if deny::read(&json)? != list {
        return Err(MintError::ListMismatch);
    }
    let signature = signed(public, key, deny::NAMESPACE, json.as_bytes())?;
    Ok(SignedDeny { json, signature })
}

/// An armored signature of `bytes`, checked.
fn signed(
    public: &PublicParts,
    key: &Ed25519Key,
    namespace: &str,
    bytes: &[u8],
) -> Result<String, MintError> {
    let raw = key.sign(&sshsig::to_be_signed(namespace, bytes))?;
    let blob = sshsig::ed25519_signature_blob(&raw);
    let signature = sshsig::assemble(&public.lists, namespace, &blob)?;
    signature.verify(namespace, bytes)?;
    Ok(signature.armored().to_owned())
}
