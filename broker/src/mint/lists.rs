//! Revocation lists, signed: so that a host can tell our newest list from an older or a foreign one.

use breakglass_ledger::sshsig;
use breakglass_ledger::time::Timestamp;

use super::error::MintError;
use super::keys::Ed25519Key;
use super::{PublicParts, SignedList};
use crate::deny::{self, Deny, SignedDeny};
use crate::krl::{self, Header, NAMESPACE, Older};

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
    let header = Header { version, generated, comment: &comment, authority };
    let (older, newest) = by_authority(public, revoked);
    let krl = krl::write_of(&header, &older, newest)?;
    let authorities = older.iter().map(|one| one.authority).chain([authority]);
    let read = krl::read_of(&krl, &authorities.collect::<Vec<_>>())?;
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

/// Who signed what: an old authority what was issued before the entry that named its successor. Serials
/// of authorities that are trusted no longer stay with the oldest that is, where they revoke nothing.
fn by_authority<'a>(public: &'a PublicParts, revoked: &'a [u64]) -> (Vec<Older<'a>>, &'a [u64]) {
    let mut rest = revoked;
    let mut older = Vec::new();
    for (until, key) in public.ended_ssh_cas() {
        let end = rest.partition_point(|serial| *serial < until);
        let (serials, after) = rest.split_at(end);
        older.push(Older { authority: key.wire(), serials });
        rest = after;
    }
    (older, rest)
}
