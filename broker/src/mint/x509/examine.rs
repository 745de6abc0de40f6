//! Reads a signed certificate again, with another library than the one that wrote it, and compares
//! it with what was cleared: every field has a meaning that somebody agreed to, or the certificate is
//! thrown away.

use breakglass_ledger::time::Timestamp;
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::extensions::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, GeneralName, KeyIdentifier,
    KeyUsage, ParsedExtension, SubjectAlternativeName,
};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AlgorithmIdentifier, X509Name, X509Version};

use super::Terms;
use super::ca::{Authority, key_identifier};
use super::name::Names;
use crate::crl::SerialNumber;
use crate::mint::MintError;

/// Checks that `der` is a client certificate by `authority` that says exactly what was cleared.
///
/// # Errors
///
/// [`MintError::Mismatch`] naming the first part that differs.
pub(super) fn examine(
    der: &[u8],
    terms: &Terms<'_>,
    names: &Names,
    point: &[u8],
    serial: SerialNumber,
    authority: &Authority,
) -> Result<(), MintError> {
    let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
        return Err(MintError::Mismatch { field: "form" });
    };
    let tbs = &certificate.tbs_certificate;
    let signature = &certificate.signature_value;
    let checks = [
        ("form", rest.is_empty() && is_framed(der, tbs.as_ref(), &signature.data)),
        ("version", tbs.version == X509Version::V3),
        ("serial", SerialNumber::from_number(&tbs.serial.to_bytes_be()) == Some(serial)),
        ("algorithm", is_ours(&tbs.signature) && is_ours(&certificate.signature_algorithm)),
        ("issuer", tbs.issuer.as_raw() == authority.subject()),
        ("start", is_at(tbs.validity.not_before, terms.valid_after)),
        ("end", is_at(tbs.validity.not_after, terms.valid_before)),
        ("subject", says(&tbs.subject, names)),
        ("subject key", is_key(tbs, point)),
        ("unique identifiers", tbs.issuer_uid.is_none() && tbs.subject_uid.is_none()),
        ("extensions", has_extensions(tbs, terms, names, point, authority)),
        ("signature", signature.unused_bits == 0),
        ("signature", authority.has_signed(tbs.as_ref(), &signature.data)),
    ];
    match checks.into_iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((field, _)) => Err(MintError::Mismatch { field }),
    }
}

/// Whether `der` is exactly what was signed, the algorithm and the signature, in their one form: the
/// library reads tolerantly what no signature covers.
fn is_framed(der: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let mut content = [signed, ECDSA_SHA256].concat();
    let Ok(length) = u8::try_from(signature.len().saturating_add(1)) else { return false };
    content.extend_from_slice(&[BIT_STRING, length, 0]);
    content.extend_from_slice(signature);
    // A length of two bytes: no certificate of ours is under 256 bytes or over 65,535.
    let Ok(length) = u16::try_from(content.len()) else { return false };
    let [high, low] = length.to_be_bytes();
    high > 0 && der == [[SEQUENCE, 0x82, high, low].as_slice(), &content].concat()
}

/// ECDSA with SHA-256, without parameters.
fn is_ours(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm.to_id_string() == "1.2.840.10045.4.3.2" && algorithm.parameters.is_none()
}

fn is_at(found: ASN1Time, expected: Timestamp) -> bool {
    u64::try_from(found.timestamp()) == Ok(expected.unix_seconds())
}

/// Organisations, units, common name: these, in this order, as UTF-8, one in each set.
fn says(subject: &X509Name<'_>, names: &Names) -> bool {
    let organizations = names.organizations.iter().map(|name| ("2.5.4.10", name));
    let units = names.organizational_units.iter().map(|name| ("2.5.4.11", name));
    let expected = organizations.chain(units).chain([("2.5.4.3", &names.common_name)]);
    let expected: Vec<_> = expected.map(|(oid, name)| (oid.to_owned(), name.as_str())).collect();
    let mut found = Vec::new();
    for set in subject.iter_rdn() {
        let mut parts = set.iter();
        let (Some(part), None) = (parts.next(), parts.next()) else { return false };
        let Ok(text) = part.attr_value().as_utf8string() else { return false };
        found.push((part.attr_type().to_id_string(), text.string()));
    }
    let found = found.iter().map(|(oid, text)| (oid.clone(), text.as_str()));
    found.eq(expected)
}

fn is_key(tbs: &TbsCertificate<'_>, point: &[u8]) -> bool {
    let (algorithm, key) = (&tbs.subject_pki.algorithm, &tbs.subject_pki.subject_public_key);
    let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    algorithm.algorithm.to_id_string() == "1.2.840.10045.2.1"
        && curve.is_some_and(|curve| curve.to_id_string() == "1.2.840.10045.3.1.7")
        && key.unused_bits == 0
        && key.data.as_ref() == point
}

/// Exactly these, each with this weight.
fn has_extensions(
    tbs: &TbsCertificate<'_>,
    terms: &Terms<'_>,
    names: &Names,
    point: &[u8],
    authority: &Authority,
) -> bool {
    let of_subject = key_identifier(point);
    let uri = names.uri.as_deref();
    let mut expected = vec![
        (true, ParsedExtension::BasicConstraints(NO_AUTHORITY)),
        (true, ParsedExtension::KeyUsage(KeyUsage { flags: DIGITAL_SIGNATURE })),
        (false, ParsedExtension::ExtendedKeyUsage(purposes(terms.profile.svid))),
        (false, ParsedExtension::SubjectKeyIdentifier(KeyIdentifier(&of_subject))),
        (
            false,
            ParsedExtension::AuthorityKeyIdentifier(AuthorityKeyIdentifier {
                key_identifier: Some(KeyIdentifier(authority.key_id())),
                authority_cert_issuer: None,
                authority_cert_serial: None,
            }),
        ),
    ];
    expected.extend(uri.map(|uri| {
        let general_names = vec![GeneralName::URI(uri)];
        (false, ParsedExtension::SubjectAlternativeName(SubjectAlternativeName { general_names }))
    }));
    let found = tbs.extensions().iter().map(|one| (one.critical, one.parsed_extension()));
    found.eq(expected.iter().map(|(critical, parsed)| (*critical, parsed)))
}

const fn purposes<'a>(svid: bool) -> ExtendedKeyUsage<'a> {
    ExtendedKeyUsage {
        any: false,
        server_auth: svid,
        client_auth: true,
        code_signing: false,
        email_protection: false,
        time_stamping: false,
        ocsp_signing: false,
        other: Vec::new(),
    }
}

const NO_AUTHORITY: BasicConstraints = BasicConstraints { ca: false, path_len_constraint: None };
/// Bit 0 (RFC 5280, 4.2.1.3), as x509-parser numbers them.
const DIGITAL_SIGNATURE: u16 = 1;
/// Tags (X.690, 8.1.2).
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// ecdsa-with-SHA256, without parameters (RFC 5758, 3.2).
const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
