//! Reads a signed certificate again, with other eyes than those that wrote it, and compares it with
//! what was cleared: every byte has a meaning that somebody agreed to, or the certificate is thrown
//! away.
//!
//! The form is OpenSSH `PROTOCOL.certkeys`. It shares no code with the crate that wrote it.

use breakglass_ledger::key::{KeyType, PublicKey};
use data_encoding::BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::error::MintError;
use super::ssh::Terms;
use crate::sshwire::{Reader, WireError};

/// Checks that `line` is a user certificate by `authority` that says exactly what `terms` say.
///
/// # Errors
///
/// [`MintError::Mismatch`] naming the first part that differs.
pub(super) fn examine(
    line: &str,
    terms: &Terms<'_>,
    serial: u64,
    authority: &PublicKey,
) -> Result<(), MintError> {
    let name = certificate_type(terms.subject.key_type());
    let encoded = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
    let encoded = encoded.ok_or(MintError::Mismatch { field: "type" })?;
    let blob = BASE64.decode(encoded.as_bytes());
    let blob = blob.map_err(|_| MintError::Mismatch { field: "encoding" })?;
    match difference(&blob, terms, serial, authority) {
        Ok(None) => Ok(()),
        Ok(Some(field)) => Err(MintError::Mismatch { field }),
        Err(WireError) => Err(MintError::Mismatch { field: "form" }),
    }
}

/// The first part of the certificate that is not as it should be.
fn difference(
    blob: &[u8],
    terms: &Terms<'_>,
    serial: u64,
    authority: &PublicKey,
) -> Result<Option<&'static str>, WireError> {
    let mut reader = Reader::new(blob);
    let type_name = certificate_type(terms.subject.key_type());
    if reader.string()? != type_name.as_bytes() {
        return Ok(Some("type"));
    }
    if reader.string()?.len() < NONCE_MIN {
        return Ok(Some("nonce"));
    }
    // The subject key stands there as in its own wire form, but for the type's name.
    let mut subject = Reader::new(terms.subject.wire());
    subject.string()?;
    if reader.bytes(subject.rest().len())? != subject.rest() {
        return Ok(Some("subject key"));
    }
    if let Some(field) = terms_difference(&mut reader, terms, serial)? {
        return Ok(Some(field));
    }
    if !reader.string()?.is_empty() {
        return Ok(Some("reserved field"));
    }
    if reader.string()? != authority.wire() {
        return Ok(Some("authority"));
    }
    let signed = blob.len().saturating_sub(reader.rest().len());
    let signature = reader.string()?;
    reader.finish()?;
    let signed = blob.get(..signed).unwrap_or_default();
    Ok((!is_signed(signed, signature, authority)?).then_some("signature"))
}

/// The same for what was cleared: serial to extensions.
fn terms_difference(
    reader: &mut Reader<'_>,
    terms: &Terms<'_>,
    serial: u64,
) -> Result<Option<&'static str>, WireError> {
    let extensions: Vec<_> = sorted(&terms.profile.extensions).map(|name| (name, None)).collect();
    let critical = terms.critical_options();
    let critical: Vec<_> = critical.iter().map(|(name, value)| (*name, Some(&**value))).collect();
    let checks = [
        ("serial", reader.u64()? == serial),
        ("kind", reader.u32()? == USER),
        ("key id", reader.text()? == terms.key_id()),
        ("principals", strings(reader.string()?)? == terms.profile.principals),
        ("start", reader.u64()? == terms.valid_after.unix_seconds()),
        ("end", reader.u64()? == terms.valid_before.unix_seconds()),
        ("critical options", options(reader.string()?)? == critical),
        ("extensions", options(reader.string()?)? == extensions),
    ];
    Ok(checks.into_iter().find(|(_, same)| !same).map(|(field, _)| field))
}

fn sorted(names: &[String]) -> impl Iterator<Item = &str> {
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.into_iter()
}

/// Strings one after the other.
fn strings(bytes: &[u8]) -> Result<Vec<&str>, WireError> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while !reader.is_done() {
        all.push(reader.text()?);
    }
    Ok(all)
}

/// Names, each with a value in a string of its own, or with none.
fn options(bytes: &[u8]) -> Result<Vec<(&str, Option<&str>)>, WireError> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while !reader.is_done() {
        let name = reader.text()?;
        let mut data = Reader::new(reader.string()?);
        let value = if data.is_done() { None } else { Some(data.text()?) };
        data.finish()?;
        all.push((name, value));
    }
    Ok(all)
}

/// Whether `signature` (RFC 8709, section 6) is the authority's over `signed`.
fn is_signed(signed: &[u8], signature: &[u8], authority: &PublicKey) -> Result<bool, WireError> {
    let ed25519 = KeyType::Ed25519.name().as_bytes();
    let mut key = Reader::new(authority.wire());
    let mut signature = Reader::new(signature);
    if key.string()? != ed25519 || signature.string()? != ed25519 {
        return Ok(false);
    }
    let (key, raw) = (key.string()?, signature.string()?);
    signature.finish()?;
    Ok(UnparsedPublicKey::new(&ED25519, key).verify(signed, raw).is_ok())
}

/// OpenSSH's name for a certificate over a key of this type.
const fn certificate_type(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Ed25519 => "ssh-ed25519-cert-v01@openssh.com",
        KeyType::EcdsaP256 => "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        KeyType::SkEd25519 => "sk-ssh-ed25519-cert-v01@openssh.com",
        KeyType::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    }
}

/// Certificate kind: of a user, not of a host.
const USER: u32 = 1;
/// Fewest random bytes at the front, so that nobody can predict what is signed.
const NONCE_MIN: usize = 16;
