//! Certificates that say of themselves that they are an authority's, and are not.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::authority::{Authority, SEQUENCE, element};

/// What a client shows: certificates, its own first, and the key of that one.
pub(super) type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// `authorityCertIssuer` and `authorityCertSerialNumber` of an authority key identifier, and the name
/// within the first (RFC 5280, 4.2.1.1 and 4.2.1.6: [1] IMPLICIT, [2] IMPLICIT, [4] EXPLICIT).
const ISSUER: u8 = 0xa1;
const NUMBER: u8 = 0x82;
const DIRECTORY_NAME: u8 = 0xa4;
const AUTHORITY_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 35];

/// A certificate under `serial`, in the name of `authority`, signed by a key that nobody has.
pub(super) fn alone(authority: &Authority, serial: u128) -> Option<Shown> {
    let key = KeyPair::generate().ok()?;
    let mut params = leaf(serial);
    params.use_authority_key_identifier_extension = true;
    let issuer = in_the_name_of(authority);
    let issuer = Issuer::from_params(&issuer, KeyPair::generate().ok()?);
    Some((vec![params.signed_by(&key, &issuer).ok()?.der().clone()], private(&key)))
}

/// A certificate under `number` below an authority of its own making, which has the name and the key
/// identifier of `authority` and is itself under `serial`. It names the one above it by that serial, or
/// OpenSSL would take the real authority for it, which it looks for first.
pub(super) fn below(authority: &Authority, serial: u128, number: u128) -> Option<Shown> {
    let (key, own) = (KeyPair::generate().ok()?, KeyPair::generate().ok()?);
    let mut above = in_the_name_of(authority);
    above.serial_number = Some(SerialNumber::from_slice(&minimal(serial)));
    above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    above.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = above.self_signed(&own).ok()?.der().clone();
    let name = element(DIRECTORY_NAME, &authority.subject).ok()?;
    let named = [element(ISSUER, &name).ok()?, element(NUMBER, &minimal(serial)).ok()?].concat();
    let named = element(SEQUENCE, &named).ok()?;
    let mut params = leaf(number);
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(AUTHORITY_KEY_IDENTIFIER, named)];
    let issuer = Issuer::from_params(&above, own);
    let signed = params.signed_by(&key, &issuer).ok()?.der().clone();
    Some((vec![signed, certificate], private(&key)))
}

fn in_the_name_of(authority: &Authority) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (oid, text) in &authority.parts {
        params.distinguished_name.push(DnType::from_oid(oid), text.as_str());
    }
    params.key_identifier_method = KeyIdMethod::PreSpecified(authority.key_id.clone());
    params
}

fn leaf(serial: u128) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "breakglass canary");
    params.serial_number = Some(SerialNumber::from_slice(&minimal(serial)));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// Big-endian without leading zeros, a zero before a byte that would make it negative (X.690, 8.3).
fn minimal(serial: u128) -> Vec<u8> {
    let bytes = serial.to_be_bytes();
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let is_negative = digits.first().is_none_or(|first| *first >= 0x80);
    if is_negative { [vec![0], digits].concat() } else { digits }
}
