//! Revocation lists, signed: so that a host can tell our newest list from an older or a foreign one.

use breakglass_ledger::sshsig;
use breakglass_ledger::time::Timestamp;

use super::error::MintError;
use super::keys::Ed25519Key;
use super::{PublicParts, SignedList};
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
    let raw = key.sign(&sshsig::to_be_signed(NAMESPACE, &krl))?;
    let blob = sshsig::ed25519_signature_blob(&raw);
    let signature = sshsig::assemble(&public.lists, NAMESPACE, &blob)?;
    signature.verify(NAMESPACE, &krl)?;
    Ok(SignedList { version, krl, signature: signature.armored().to_owned(), crl: None })
}
