//! Parts of a certificate → its bytes (RFC 5280, section 4). Decides nothing.

use std::time::Duration;

use breakglass_ledger::time::Timestamp;
use der::asn1::{
    Any, AnyRef, BitString, BitStringRef, GeneralizedTime, OctetString, SetOfVec, UtcTime,
    Utf8StringRef,
};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence};
use x509_cert::Version;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use crate::mint::MintError;

/// What a certificate says.
pub(super) struct Draft<'a> {
    /// Big-endian, positive.
    pub(super) serial: &'a [u8],
    /// DER of the issuer's name.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Timestamp,
    /// The last second at which it is valid.
    pub(super) not_after: Timestamp,
    /// DER of the subject's name.
    pub(super) subject: &'a [u8],
    /// A P-256 point, uncompressed (SEC 1, 2.3.3).
    pub(super) public_key: &'a [u8],
    pub(super) extensions: Vec<Extension>,
}

/// `TBSCertificate` (RFC 5280, 4.1), with names as the bytes that they are elsewhere.
#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// `Certificate` (RFC 5280, 4.1).
#[derive(Sequence)]
struct Certificate<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

impl Draft<'_> {
    /// The bytes to sign.
    pub(super) fn to_be_signed(&self) -> Result<Vec<u8>, MintError> {
        let public_key = SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned {
                oid: EC_PUBLIC_KEY,
                parameters: Some(Any::from(&P256)),
            },
            subject_public_key: BitString::from_bytes(self.public_key)?,
        };
        let tbs = TbsCertificate {
            version: Version::V3,
            serial: SerialNumber::new(self.serial)?,
            signature: ECDSA_SHA256,
            issuer: AnyRef::from_der(self.issuer)?,
            validity: Validity::new(calendar(self.not_before)?, calendar(self.not_after)?),
            subject: AnyRef::from_der(self.subject)?,
            public_key,
            extensions: self.extensions.clone(),
        };
        Ok(tbs.to_der()?)
    }
}

/// The certificate: what was signed, and the signature (ECDSA with SHA-256, DER).
pub(super) fn assemble(tbs: &[u8], signature: &[u8]) -> Result<Vec<u8>, MintError> {
    let certificate = Certificate {
        tbs: AnyRef::from_der(tbs)?,
        algorithm: ECDSA_SHA256,
        signature: BitStringRef::from_bytes(signature)?,
    };
    Ok(certificate.to_der()?)
}

/// A name with these parts in this order, each in a set of its own: rcgen would keep one of a kind.
pub(super) fn name(parts: &[(ObjectIdentifier, &str)]) -> Result<Vec<u8>, MintError> {
    let mut all = Vec::with_capacity(parts.len());
    for (oid, value) in parts {
        let value = Any::from(AnyRef::from(Utf8StringRef::new(*value)?));
        let part = AttributeTypeAndValue { oid: *oid, value };
        all.push(SetOfVec::try_from(vec![part])?);
    }
    Ok(all.to_der()?)
}

/// An extension with this value.
pub(super) fn extension(
    extn_id: ObjectIdentifier,
    critical: bool,
    value: &impl Encode,
) -> Result<Extension, MintError> {
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// The extension that names the subject's key.
pub(super) fn key_id_of_subject(key_id: &[u8]) -> Result<Extension, MintError> {
    extension(SUBJECT_KEY_ID, false, &SubjectKeyIdentifier(OctetString::new(key_id)?))
}

/// The extension that names the issuer's key.
pub(super) fn key_id_of_issuer(key_id: &[u8]) -> Result<Extension, MintError> {
    let named = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(key_id)?),
        ..AuthorityKeyIdentifier::default()
    };
    extension(AUTHORITY_KEY_ID, false, &named)
}

/// RFC 5280, 4.1.2.5: UTCTime through 2049, whole seconds.
fn calendar(at: Timestamp) -> Result<Time, MintError> {
    let since_epoch = Duration::from_secs(at.unix_seconds());
    if let Ok(time) = UtcTime::from_unix_duration(since_epoch) {
        return Ok(Time::UtcTime(time));
    }
    Ok(Time::GeneralTime(GeneralizedTime::from_unix_duration(since_epoch)?))
}

/// RFC 5280, appendix A, and RFC 4519.
pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
pub(super) const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
pub(super) const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
pub(super) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(super) const ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(super) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(super) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(super) const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
pub(super) const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// RFC 5480, 2.1.1: an elliptic curve key, on this curve.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// ECDSA with SHA-256, without parameters (RFC 5758, 3.2).
const ECDSA_SHA256: AlgorithmIdentifierOwned = AlgorithmIdentifierOwned {
    oid: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    parameters: None,
};
