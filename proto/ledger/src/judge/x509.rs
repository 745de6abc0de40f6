//! X.509 certificates: are they the ones decided on, and nothing more?
//!
//! Everything in one is known beforehand but for eight random bytes, so each part is compared with
//! what it must be (RFC 5280, `FORMAT.md` 6.3); extensions by the bytes of their values.

use data_encoding::BASE64;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::certificate::{TbsCertificate, X509Certificate};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AlgorithmIdentifier, X509Name, X509Version};

use super::Case;
use super::grant::Grant;
use crate::audit::{Code, Findings};
use crate::bytes::Digest;
use crate::entry::Issued;
use crate::key::{KeyType, PublicKey};
use crate::policy::X509Profile;
use crate::statement::{Ask, Lane};

/// The ledger's X.509 authority.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    /// Its subject as it stands in DER: the issuer of every certificate.
    subject: Vec<u8>,
    key_id: [u8; KEY_ID_BYTES],
    point: Vec<u8>,
}

impl Authority {
    /// Reads the authority's certificate, PEM in its one form.
    pub(super) fn read(pem: &str) -> Option<Self> {
        let der = der_of(pem)?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let tbs = &certificate.tbs_certificate;
        let point = tbs.subject_pki.raw.strip_prefix(&P256_KEY)?.to_vec();
        let key_id = tbs.extensions().iter().find(|one| one.oid.as_bytes() == SUBJECT_KEY_ID)?;
        let key_id = key_id.value.strip_prefix(&KEY_ID_HEAD)?.try_into().ok()?;
        let authority = Self { subject: tbs.subject.as_raw().to_vec(), key_id, point };
        (tbs.is_ca() && authority.has_signed(&certificate)).then_some(authority)
    }

    fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        let signature = &certificate.signature_value;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        signature.unused_bits == 0
            && key.verify(certificate.tbs_certificate.as_ref(), &signature.data).is_ok()
    }
}

/// Checks the certificate of an `issued` entry against entry, request, policy and authority.
pub(super) fn check(
    case: &Case<'_>,
    grant: &Grant,
    body: &Issued,
    ca: Option<&Authority>,
    out: &mut Findings,
) {
    let mut wrong = |detail: &str| case.find(out, Code::CredMismatch, detail);
    let Some(ca) = ca else { return wrong("the ledger names no X.509 authority") };
    let der = body.certificate.as_deref().and_then(der_of);
    let read = der.as_deref().and_then(|der| X509Certificate::from_der(der).ok());
    let Some(([], certificate)) = read else {
        return wrong("the certificate is not one in its one form");
    };
    let tbs = &certificate.tbs_certificate;
    let profile = grant.scope(case.policy).and_then(|scope| scope.x509.as_ref());
    let (Some(profile), Some(point)) = (profile, grant.ask.key.as_ref().and_then(point)) else {
        return wrong("it is for no key, or of no scope");
    };
    let expected = Expected::of(&grant.ask, profile, point, ca);
    let facts = [
        (tbs.version == X509Version::V3, "it is not of version 3"),
        (is_ours(&tbs.signature), "it is signed in another way"),
        (is_ours(&certificate.signature_algorithm), "it is signed in another way"),
        (tbs.issuer.as_raw() == ca.subject, "its issuer is not the ledger's authority"),
        (ca.has_signed(&certificate), "it is not signed by the ledger's X.509 authority"),
        (is_numbered(tbs, body.serial), "its serial does not begin with the entry's"),
        (is_at(tbs.validity.not_before.timestamp(), body.valid_after.unix_seconds()), BEGIN),
        (is_at(tbs.validity.not_after.timestamp(), body.valid_before.unix_seconds()), END),
        (tbs.subject_pki.raw == [P256_KEY.as_slice(), point].concat(), "it is for another key"),
        (tbs.issuer_uid.is_none() && tbs.subject_uid.is_none(), "it has unique identifiers"),
        (body.principals == [expected.common_name.as_str()], "its CN is not the entry's"),
    ];
    for (is_right, detail) in facts {
        if !is_right {
            wrong(detail);
        }
    }
    for (code, detail) in expected.faults_of(tbs) {
        case.find(out, code, detail);
    }
}

/// What the certificate must say.
struct Expected {
    common_name: String,
    /// Type and value of every part of the subject, in order.
    subject: Vec<(&'static [u8], String)>,
    /// OID, criticality and value of every extension.
    extensions: Vec<(&'static [u8], bool, Vec<u8>)>,
}

impl Expected {
    fn of(ask: &Ask, profile: &X509Profile, point: &[u8], ca: &Authority) -> Self {
        let is_drill = ask.lane == Lane::Drill;
        let mark = if is_drill { "drill-" } else { "" };
        let marked = |name: &String| format!("{mark}{name}");
        let organizations = profile.organizations.iter().map(|one| (ORGANIZATION, marked(one)));
        let units = profile.organizational_units.iter().map(|one| (UNIT, marked(one)));
        let whole = format!("{mark}bg-{}-{}", ask.id, ask.by);
        // RFC 5280, A.1: ub-common-name. Ids and names of principals are ASCII.
        let common_name: String = whole.chars().take(64).collect();
        let last = std::iter::once((COMMON_NAME, common_name.clone()));
        let purposes = if profile.svid { CLIENT_AND_SERVER } else { CLIENT };
        let own = Digest::of(point);
        let own_id = own.as_bytes().iter().take(KEY_ID_BYTES).copied();
        let mut extensions = vec![
            (KEY_USAGE, true, DIGITAL_SIGNATURE.to_vec()),
            (CONSTRAINTS, true, NO_AUTHORITY.to_vec()),
            (PURPOSES, false, purposes.to_vec()),
            (AUTHORITY_KEY_ID, false, [AUTHORITY_KEY_HEAD.as_slice(), &ca.key_id].concat()),
            (SUBJECT_KEY_ID, false, KEY_ID_HEAD.into_iter().chain(own_id).collect()),
        ];
        if let Some(uri) = &profile.uri {
            let uri = if is_drill { in_drill(uri) } else { uri.clone() };
            extensions.push((ALTERNATIVE_NAME, false, tagged(0x30, &tagged(0x86, uri.as_bytes()))));
        }
        let subject = organizations.chain(units).chain(last).collect();
        Self { common_name, subject, extensions }
    }

    /// What it says beyond that, and what it says otherwise.
    fn faults_of(&self, tbs: &TbsCertificate<'_>) -> Vec<(Code, &'static str)> {
        let mut faults = Vec::new();
        let found = subject(&tbs.subject);
        if found.as_ref() != Some(&self.subject) {
            let is_theirs = |one: &(&[u8], String)| self.subject.contains(one);
            let common_name = |one: &&(&[u8], String)| one.0 == COMMON_NAME;
            let others = found.iter().flatten().filter(|one| !common_name(one));
            faults.push(match found.is_some() && others.into_iter().all(is_theirs) {
                true => (Code::CredMismatch, "its subject is not that of request and scope"),
                false => (Code::ScopeExceeded, "its subject names more than the scope does"),
            });
        }
        let extensions = tbs.extensions();
        let of = |oid: &[u8]| self.extensions.iter().find(|one| one.0 == oid);
        for one in extensions {
            let ours = of(one.oid.as_bytes());
            if ours.is_some_and(|ours| ours.1 == one.critical && ours.2 == one.value) {
                continue;
            }
            let is_key_id = [AUTHORITY_KEY_ID, SUBJECT_KEY_ID].contains(&one.oid.as_bytes());
            faults.push(match is_key_id {
                true => (Code::CredMismatch, "its key identifiers are not those of its keys"),
                false => (Code::ScopeExceeded, "it has an extension that the scope does not give"),
            });
        }
        let is_there = |oid: &[u8]| extensions.iter().any(|one| one.oid.as_bytes() == oid);
        if faults.is_empty()
            && (extensions.len() != self.extensions.len()
                || !self.extensions.iter().all(|one| is_there(one.0)))
        {
            faults.push((Code::CredMismatch, "it lacks an extension, or has one twice"));
        }
        faults
    }
}

/// The parts of a name, if each set has one and each value is UTF-8 by its type.
fn subject(name: &X509Name<'_>) -> Option<Vec<(&'static [u8], String)>> {
    let mut parts = Vec::new();
    for set in name.iter_rdn() {
        let mut of_set = set.iter();
        let (Some(part), None) = (of_set.next(), of_set.next()) else { return None };
        let known = [ORGANIZATION, UNIT, COMMON_NAME];
        let kind = known.into_iter().find(|oid| *oid == part.attr_type().as_bytes())?;
        parts.push((kind, part.attr_value().as_utf8string().ok()?.string()));
    }
    Some(parts)
}

/// DER of one PEM block: lines of 64, nothing before or behind it.
fn der_of(pem: &str) -> Option<Vec<u8>> {
    let body = pem.strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let encoded: String = body.lines().collect();
    let der = BASE64.decode(encoded.as_bytes()).ok()?;
    let mut again = String::new();
    for (at, c) in encoded.chars().enumerate() {
        if at > 0 && at.checked_rem(64) == Some(0) {
            again.push('\n');
        }
        again.push(c);
    }
    (body == format!("{again}\n")).then_some(der)
}

/// The uncompressed point of a P-256 key: the end of its wire form (RFC 5656, 3.1).
fn point(key: &PublicKey) -> Option<&[u8]> {
    let (_, point) = key.wire().split_last_chunk::<65>()?;
    (key.key_type() == KeyType::EcdsaP256).then_some(point.as_slice())
}

fn is_ours(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm.as_bytes() == ECDSA_SHA256 && algorithm.parameters.is_none()
}

/// 16 bytes, or fewer where leading ones are zero: the entry's number, then eight that are not all
/// zero.
fn is_numbered(tbs: &TbsCertificate<'_>, serial: u64) -> bool {
    let number = tbs.serial.to_bytes_be();
    let Some(zeros) = 16_usize.checked_sub(number.len()) else { return false };
    let whole = [vec![0; zeros], number].concat();
    let Some((head, tail)) = whole.split_first_chunk::<8>() else { return false };
    u64::from_be_bytes(*head) == serial && tail.iter().any(|byte| *byte != 0)
}

fn is_at(found: i64, expected: u64) -> bool {
    u64::try_from(found) == Ok(expected)
}

/// `scheme://host/path` as a drill has it: `scheme://host/drill/path`.
fn in_drill(uri: &str) -> String {
    let mut parts = uri.splitn(4, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (scheme, empty, host) = (next(), next(), next());
    let path = parts.next().map(|path| format!("/{path}")).unwrap_or_default();
    format!("{scheme}/{empty}/{host}/drill{path}")
}

/// DER of `content` under `tag`; content of ours is under 65,536 bytes.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    match (length.to_be_bytes(), length) {
        ([_, low], 0..=0x7f) => out.push(low),
        ([_, low], 0x80..=0xff) => out.extend([0x81, low]),
        ([high, low], _) => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(content);
    out
}

const BEGIN: &str = "it begins at another time than the entry says";
const END: &str = "it ends at another time than the entry says";
const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const PEM_END: &str = "-----END CERTIFICATE-----\n";
/// RFC 7093, 2 (method 1): the leftmost 160 bits of SHA-256.
const KEY_ID_BYTES: usize = 20;
/// `id-ecPublicKey` with curve `secp256r1`, up to the point (RFC 5480, 2).
const P256_KEY: [u8; 26] = *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\0";
/// 1.2.840.10045.4.3.2 (RFC 5758, 3.2).
const ECDSA_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
/// Attribute types (RFC 5280, A.1): 2.5.4.3, 2.5.4.10, 2.5.4.11.
const COMMON_NAME: &[u8] = b"\x55\x04\x03";
const ORGANIZATION: &[u8] = b"\x55\x04\x0a";
const UNIT: &[u8] = b"\x55\x04\x0b";
/// Extensions (RFC 5280, 4.2.1): 2.5.29.x.
const SUBJECT_KEY_ID: &[u8] = b"\x55\x1d\x0e";
const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
const ALTERNATIVE_NAME: &[u8] = b"\x55\x1d\x11";
const CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
const AUTHORITY_KEY_ID: &[u8] = b"\x55\x1d\x23";
const PURPOSES: &[u8] = b"\x55\x1d\x25";
/// Their values in DER.
const DIGITAL_SIGNATURE: [u8; 4] = [3, 2, 7, 0x80];
const NO_AUTHORITY: [u8; 2] = [0x30, 0];
const CLIENT: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
const CLIENT_AND_SERVER: &[u8] =
    b"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
const KEY_ID_HEAD: [u8; 2] = [4, 20];
const AUTHORITY_KEY_HEAD: [u8; 4] = [0x30, 22, 0x80, 20];
