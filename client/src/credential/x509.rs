//! An X.509 client certificate (RFC 5280), read with another library than the one that wrote it.

use breakglass_ledger::statement::{Ask, Kind, Lane};
use breakglass_ledger::time::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use super::{Credential, CredentialError, differs};
use crate::pem;
use crate::state::SubjectKey;

pub(super) fn read(text: &str) -> Result<Credential, CredentialError> {
    let der = pem::decode(LABEL, text).ok_or(CredentialError::Form)?;
    let parsed = parse(&der)?;
    let name = only_name(&parsed)?;
    let (serial, expires_at) = (serial(&parsed)?, end(&parsed)?);
    let principals = vec![name.clone()];
    let text = text.trim().to_owned();
    Ok(Credential {
        kind: Kind::X509,
        text,
        blob: der,
        serial,
        expires_at,
        ends: expires_at,
        principals,
        name,
    })
}

pub(super) fn check(
    credential: &Credential,
    ask: &Ask,
    key: &SubjectKey,
    authority: Option<&str>,
) -> Result<(), CredentialError> {
    let parsed = parse(&credential.blob)?;
    differs(credential.name == common_name(ask), "its common name")?;
    let point = point(parsed.public_key());
    differs(point.is_some() && point == key.point().map(<[u8; 65]>::as_slice), "its key")?;
    differs(is_for_clients(&parsed), "what it may be used for")?;
    match authority {
        Some(authority) => {
            // Several while one replaces another.
            let mut each = authority.split_inclusive(END).filter(|one| one.ends_with(END));
            differs(each.any(|one| is_signed_by(&parsed, one.trim_start())), "its authority")
        }
        None => Ok(()),
    }
}

/// `bg-<request id>-<holder>`, `drill-` before it in a drill: what targets log. At most 64
/// characters (RFC 5280, A.1: ub-common-name); the holder is cut, the request id never.
#[must_use]
pub fn common_name(ask: &Ask) -> String {
    let drill = if ask.lane == Lane::Drill { "drill-" } else { "" };
    format!("{drill}bg-{}-{}", ask.id, ask.by).chars().take(COMMON_NAME_MAX).collect()
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CredentialError> {
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) if parsed.version() == X509Version::V3 => Ok(parsed),
        Ok(_) | Err(_) => Err(CredentialError::Form),
    }
}

/// The common name, if there is exactly one.
fn only_name(certificate: &X509Certificate<'_>) -> Result<String, CredentialError> {
    let mut names = certificate.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => {
            name.as_str().map(ToOwned::to_owned).map_err(|_| CredentialError::Form)
        }
        _ => Err(CredentialError::Form),
    }
}

/// The first 8 of 16 bytes; DER leaves leading zeros out.
fn serial(certificate: &X509Certificate<'_>) -> Result<u64, CredentialError> {
    let digits = certificate.raw_serial();
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let mut whole = [0; SERIAL_BYTES];
    let start = SERIAL_BYTES.checked_sub(digits.len()).ok_or(CredentialError::Form)?;
    whole.iter_mut().skip(start).zip(digits).for_each(|(to, from)| *to = *from);
    let (first, _) = whole.split_first_chunk::<8>().ok_or(CredentialError::Form)?;
    Ok(u64::from_be_bytes(*first))
}

fn end(certificate: &X509Certificate<'_>) -> Result<Timestamp, CredentialError> {
    let seconds = certificate.validity().not_after.timestamp();
    let seconds = u64::try_from(seconds).map_err(|_| CredentialError::Form)?;
    Ok(Timestamp::from_unix_seconds(seconds))
}

/// The point of a key on the curve P-256, if it is one.
fn point<'a>(key: &'a SubjectPublicKeyInfo<'_>) -> Option<&'a [u8]> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let is_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == OID_EC_P256;
    is_p256.then_some(&key.subject_public_key.data)
}

/// Signs as a client, and is no authority over others.
fn is_for_clients(certificate: &X509Certificate<'_>) -> bool {
    let is_leaf = certificate.basic_constraints().is_ok_and(|found| {
        found.is_some_and(|constraints| constraints.critical && !constraints.value.ca)
    });
    let signs = certificate.key_usage().is_ok_and(|found| {
        found.is_some_and(|usage| {
            usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign()
        })
    });
    let is_client = certificate.extended_key_usage().is_ok_and(|found| {
        found.is_some_and(|purposes| purposes.value.client_auth && !purposes.value.any)
    });
    is_leaf && signs && is_client
}

/// Whether the authority of this PEM has signed it, and goes by the issuer's name, byte for byte.
fn is_signed_by(certificate: &X509Certificate<'_>, authority: &str) -> bool {
    let Some(der) = pem::decode(LABEL, authority) else { return false };
    let Ok(authority) = parse(&der) else { return false };
    let is_named = authority.subject().as_raw() == certificate.issuer().as_raw();
    let is_ecdsa = certificate.signature_algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256;
    let Some(point) = point(authority.public_key()) else { return false };
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    let (tbs, signature) =
        (certificate.tbs_certificate.as_ref(), &certificate.signature_value.data);
    is_named && is_ecdsa && key.verify(tbs, signature).is_ok()
}

const LABEL: &str = "CERTIFICATE";

/// The last line of each of several.
const END: &str = "-----END CERTIFICATE-----";

const COMMON_NAME_MAX: usize = 64;

/// The entry's position and eight random bytes.
const SERIAL_BYTES: usize = 16;

#[cfg(test)]
mod tests;
