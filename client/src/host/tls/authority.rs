//! The X.509 authority that was pinned, and the name under which OpenSSL looks for its list.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Tag, ToDer};
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::pem;

/// Most authorities pinned at once: today's, the next and the one before it.
const AUTHORITIES_MAX: usize = 4;

/// PostgreSQL keeps 63 bytes of a name (`NAMEDATALEN`, `pg_stat_ssl`).
const SHOWN_MAX: usize = 63;

/// An authority over client certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate, DER.
    pub(super) certificate: Vec<u8>,
    /// Its subject, DER.
    pub(super) subject: Vec<u8>,
    /// Its subject as object identifiers and texts, in order.
    pub(super) parts: Vec<(Vec<u64>, String)>,
    /// Its subject key identifier.
    pub(super) key_id: Vec<u8>,
    /// Its key, a point on P-256.
    pub(super) point: Vec<u8>,
    /// For people.
    pub(super) name: String,
    /// `X509_NAME_hash` of its subject, 8 hex digits.
    pub(super) hash: String,
}

/// Reads the authorities of a PEM text.
///
/// # Errors
///
/// A sentence on what is not as it should be.
pub(in crate::host) fn authorities(text: &str) -> Result<Vec<Authority>, String> {
    let mut all = Vec::new();
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|_| "not PEM".to_owned())?;
        if block.label != "CERTIFICATE" {
            return Err(format!("a block `{}`, where only certificates may be", block.label));
        }
        all.push(Authority::read(&block.contents)?);
    }
    if all.is_empty() || all.len() > AUTHORITIES_MAX {
        return Err("1 to 4 certificates".to_owned());
    }
    Ok(all)
}

impl Authority {
    fn read(der: &[u8]) -> Result<Self, String> {
        let Ok(([], certificate)) = X509Certificate::from_der(der) else {
            return Err("not a certificate".to_owned());
        };
        if !certificate.is_ca() {
            return Err("a certificate that is no authority's".to_owned());
        }
        let subject = certificate.subject();
        let key_id = certificate.iter_extensions().find_map(|one| {
            let ParsedExtension::SubjectKeyIdentifier(id) = one.parsed_extension() else {
                return None;
            };
            Some(id.0.to_vec())
        });
        Ok(Self {
            certificate: der.to_vec(),
            subject: subject.as_raw().to_vec(),
            parts: parts(subject)?,
            key_id: key_id.ok_or("an authority without a key identifier")?,
            point: point(&certificate).ok_or("an authority whose key is not ECDSA P-256")?,
            name: subject.to_string(),
            hash: hash(subject)?,
        })
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.certificate, pem::COLUMNS).to_string()
    }

    /// Whether PostgreSQL means it by this `issuer_dn`, of which it shows the beginning.
    pub(super) fn is_shown_as(&self, issuer_dn: &str) -> bool {
        let whole: String =
            self.parts.iter().map(|(oid, text)| format!("/{}={text}", short(oid))).collect();
        let end = whole.floor_char_boundary(SHOWN_MAX);
        whole.get(..end) == Some(issuer_dn)
    }

    /// Whether nginx means it by this `$ssl_client_i_dn` (RFC 2253: the last part first). One with
    /// characters that are escaped there is never meant.
    pub(super) fn is_logged_as(&self, issuer_dn: &str) -> bool {
        let parts = self.parts.iter().rev().map(|(oid, text)| format!("{}={text}", short(oid)));
        parts.collect::<Vec<_>>().join(",") == issuer_dn
    }
}

fn point(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let is_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == OID_EC_P256;
    is_p256.then(|| key.subject_public_key.data.to_vec())
}

/// The parts of a name, each of which stands alone.
fn attributes<'a>(name: &'a X509Name<'a>) -> Result<Vec<&'a AttributeTypeAndValue<'a>>, String> {
    let one = |part: &'a x509_parser::x509::RelativeDistinguishedName<'a>| {
        let mut all = part.iter();
        let (first, second) = (all.next(), all.next());
        first.filter(|_| second.is_none()).ok_or_else(|| UNKNOWN_NAME.to_owned())
    };
    name.iter().map(one).collect()
}

fn parts(name: &X509Name<'_>) -> Result<Vec<(Vec<u64>, String)>, String> {
    let read = |part: &AttributeTypeAndValue<'_>| {
        let oid: Vec<u64> = part.attr_type().iter().ok_or(UNKNOWN_NAME)?.collect();
        Ok((oid, part.as_str().map_err(|_| UNKNOWN_NAME)?.to_owned()))
    };
    attributes(name)?.into_iter().map(read).collect()
}

/// Names of OpenSSL for what stands in an authority's name.
fn short(oid: &[u64]) -> &'static str {
    match oid {
        [2, 5, 4, 3] => "CN",
        [2, 5, 4, 6] => "C",
        [2, 5, 4, 7] => "L",
        [2, 5, 4, 8] => "ST",
        [2, 5, 4, 10] => "O",
        [2, 5, 4, 11] => "OU",
        _ => "",
    }
}

/// The first four bytes of the SHA-1 of the canonical name, little-endian (OpenSSL,
/// `X509_NAME_hash_ex` in `crypto/x509/x509_cmp.c` and `x509_name_canon` in `crypto/x509/x_name.c`):
/// each part as a SET with its text in UTF-8, blanks at both ends gone, others one space, ASCII in
/// lower case; no SEQUENCE around them.
fn hash(name: &X509Name<'_>) -> Result<String, String> {
    let mut canonical = Vec::new();
    for part in attributes(name)? {
        let tag = part.attr_value().tag();
        let is_text = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String, Tag::VisibleString]
            .contains(&tag);
        let text = part.as_str().ok().filter(|_| is_text).ok_or(UNKNOWN_NAME)?;
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
        let words: Vec<&str> = text.split(is_blank).filter(|word| !word.is_empty()).collect();
        let text = words.join(" ").to_ascii_lowercase();
        let oid = part.attr_type().to_der_vec().map_err(|_| UNKNOWN_NAME)?;
        let pair = [oid, element(UTF8_STRING, text.as_bytes())?].concat();
        canonical.extend(element(SET, &element(SEQUENCE, &pair)?)?);
    }
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    let first = sha1.as_ref().first_chunk::<4>().ok_or(UNKNOWN_NAME)?;
    Ok(format!("{:08x}", u32::from_le_bytes(*first)))
}

/// The element of X.690, 8.1.
///
/// # Errors
///
/// A sentence, of content that no name and no number has.
pub(super) fn element(tag: u8, content: &[u8]) -> Result<Vec<u8>, String> {
    // 8.1.3: up to 127 bytes the length is one byte, then one that says how many follow.
    let [high, low] = u16::try_from(content.len()).map_err(|_| UNKNOWN_NAME)?.to_be_bytes();
    let head = match (high, low) {
        (0, ..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Ok([head.as_slice(), content].concat())
}

const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const UNKNOWN_NAME: &str = "an authority with a name of a form that is not known here";

#[cfg(test)]
pub(super) mod tests {
    use std::process::Command;

    use super::*;

    /// The authority that openssl makes under this name, and the hash that openssl gives it.
    fn made(name: &str) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 -keyout key -out crt";
        let mut openssl = Command::new("openssl");
        openssl.args(args.split(' ')).args(["-subj", name]).current_dir(dir.path());
        assert!(openssl.output().unwrap().status.success());
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-subject_hash", "-in", "crt"]).current_dir(dir.path());
        let hash = String::from_utf8(openssl.output().unwrap().stdout).unwrap();
        (std::fs::read_to_string(dir.path().join("crt")).unwrap(), hash.trim().to_owned())
    }

    /// An authority of this name.
    pub(in super::super) fn named(name: &str) -> Authority {
        authorities(&made(name).0).unwrap().remove(0)
    }

    #[test]
    fn a_list_is_named_as_openssl_looks_for_it() {
        for name in [
            "/CN=breakglass payments X.509 CA 0123abcd",
            "/C=CH/O=A  B\tC /OU=Ünit/CN= Two  Words ",
            "/O=o/O=p/CN=x",
        ] {
            let (pem, hash) = made(name);
            assert_eq!(authorities(&pem).unwrap()[0].hash, hash, "{name}");
        }
    }

    #[test]
    fn postgresql_shows_the_beginning_of_its_name() {
        let long = format!("/O=o/CN={}", "x".repeat(64));
        let all = authorities(&made(&long).0).unwrap();
        assert!(all[0].is_shown_as(&long[..63]));
        assert!(!all[0].is_shown_as(&long[..62]));
        assert!(!all[0].is_shown_as("/O=o/CN=y"));
    }

    #[test]
    fn only_authorities_are_pinned() {
        let (pem, _) = made("/CN=one");
        assert_eq!(authorities(&format!("{pem}{pem}")).unwrap().len(), 2);
        assert!(authorities("").is_err());
        assert!(authorities(&pem.repeat(5)).is_err());
        assert!(authorities(&pem.replace("CERTIFICATE", "X509 CRL")).is_err());
    }
}
