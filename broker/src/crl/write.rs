//! Revoked certificates → their list, with its signature.

use std::time::Duration;

use breakglass_ledger::time::Timestamp;
use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, OctetString, UintRef, UtcTime};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Length, Sequence, Tag};
use x509_cert::Version;
use x509_cert::crl::RevokedCert;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlReason};
use x509_cert::serial_number;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::{BACKDATE_SECONDS, CrlError, DER_MAX, Entries, Header, SerialNumber, VALID_SECONDS};

/// One revoked certificate, encoded once: at a hundred thousand of them this is what takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    serial: SerialNumber,
    revoked_at: Timestamp,
    der: Vec<u8>,
}

impl Line {
    /// The certificate `serial` is revoked since `revoked_at`, because what it was for is over
    /// (`cessationOfOperation`: the one reason that accuses nobody and is understood everywhere).
    ///
    /// # Errors
    ///
    /// [`CrlError::Date`], [`CrlError::Encode`].
    pub fn new(serial: SerialNumber, revoked_at: Timestamp) -> Result<Self, CrlError> {
        let reason = encoded(&CrlReason::CessationOfOperation)?;
        let entry = RevokedCert {
            serial_number: serial_number::SerialNumber::new(serial.as_bytes())
                .map_err(|_| CrlError::Encode)?,
            revocation_date: calendar(revoked_at)?,
            crl_entry_extensions: Some(vec![extension(REASON, reason)?]),
        };
        Ok(Self { serial, revoked_at, der: encoded::<RevokedCert>(&entry)? })
    }

    /// Which certificate.
    #[must_use]
    pub const fn serial(&self) -> SerialNumber {
        self.serial
    }

    /// As it stands in the list.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Since when.
    #[must_use]
    pub const fn revoked_at(&self) -> Timestamp {
        self.revoked_at
    }
}

/// `TBSCertList` (RFC 5280, 5.1.2), whose entries are there already.
#[derive(Sequence)]
struct TbsCertList<'a> {
    version: Version,
    signature: AlgorithmIdentifierOwned,
    issuer: AnyRef<'a>,
    this_update: Time,
    next_update: Time,
    revoked: Option<AnyRef<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// A list (`CertificateList`, RFC 5280, 5.1.1) that is not signed yet.
///
/// A long list is megabytes, so its entries are copied once, to where they stay.
#[derive(Debug)]
pub struct Draft {
    /// Room for tag and length of the whole, then what is signed.
    list: Vec<u8>,
    head: usize,
}

impl Draft {
    /// The list that says exactly `entries`.
    ///
    /// # Errors
    ///
    /// [`CrlError`] if a date does not fit, or the list is too long.
    pub fn new(header: &Header<'_>, entries: &Entries) -> Result<Self, CrlError> {
        let key_id = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(header.key_id).map_err(|_| CrlError::Encode)?),
            ..AuthorityKeyIdentifier::default()
        };
        let number = header.number.0.to_be_bytes();
        let number = UintRef::new(&number).map_err(|_| CrlError::Encode)?;
        let tbs = TbsCertList {
            version: Version::V2,
            signature: ECDSA_SHA256,
            issuer: AnyRef::from_der(header.issuer).map_err(|_| CrlError::Encode)?,
            this_update: calendar(header.signed_at.minus(BACKDATE_SECONDS))?,
            next_update: calendar(header.signed_at.plus(VALID_SECONDS))?,
            // RFC 5280, 5.1.2.6: absent, not empty.
            revoked: if entries.is_empty() { None } else { Some(sequence(entries.der())?) },
            extensions: vec![
                extension(AUTHORITY_KEY_ID, encoded(&key_id)?)?,
                extension(NUMBER, encoded(&number)?)?,
            ],
        };
        // What stands before it says how long everything is, and that depends on the signature.
        let length = tbs.encoded_len().map_err(|_| CrlError::TooMany)?;
        let length = usize::try_from(length).map_err(|_| CrlError::TooMany)?;
        let head = outside(length.saturating_add(BEHIND_MAX))?.len();
        let mut list = Vec::with_capacity(length.saturating_add(AROUND_MAX));
        list.resize(head, 0);
        tbs.encode_to_vec(&mut list).map_err(|_| CrlError::Encode)?;
        if list.len() > DER_MAX { Err(CrlError::TooMany) } else { Ok(Self { list, head }) }
    }

    /// What is to be signed.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.list.get(self.head..).unwrap_or_default()
    }

    /// The list with its signature (ECDSA with SHA-256, DER).
    ///
    /// # Errors
    ///
    /// [`CrlError::TooMany`].
    pub fn signed(self, signature: &[u8]) -> Result<Vec<u8>, CrlError> {
        let Self { mut list, head } = self;
        let signature = BitStringRef::from_bytes(signature).map_err(|_| CrlError::TooMany)?;
        ECDSA_SHA256.encode_to_vec(&mut list).map_err(|_| CrlError::Encode)?;
        signature.encode_to_vec(&mut list).map_err(|_| CrlError::Encode)?;
        list.splice(..head, outside(list.len().saturating_sub(head))?);
        if list.len() > DER_MAX { Err(CrlError::TooMany) } else { Ok(list) }
    }
}

/// Tag and length of a list with this many bytes of content.
fn outside(content: usize) -> Result<Vec<u8>, CrlError> {
    let content = Length::try_from(content).map_err(|_| CrlError::TooMany)?;
    encoded(&der::Header::new(Tag::Sequence, content))
}

fn sequence(content: &[u8]) -> Result<AnyRef<'_>, CrlError> {
    AnyRef::new(Tag::Sequence, content).map_err(|_| CrlError::TooMany)
}

fn extension(extn_id: ObjectIdentifier, value: Vec<u8>) -> Result<Extension, CrlError> {
    let extn_value = OctetString::new(value).map_err(|_| CrlError::Encode)?;
    Ok(Extension { extn_id, critical: false, extn_value })
}

fn encoded<T: Encode>(value: &T) -> Result<Vec<u8>, CrlError> {
    value.to_der().map_err(|_| CrlError::Encode)
}

/// RFC 5280, 5.1.2.4: UTCTime through 2049.
fn calendar(at: Timestamp) -> Result<Time, CrlError> {
    let since_epoch = Duration::from_secs(at.unix_seconds());
    match UtcTime::from_unix_duration(since_epoch) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(since_epoch)
            .map(Time::GeneralTime)
            .map_err(|_| CrlError::Date),
    }
}

/// Behind what is signed: the algorithm, and a signature, which usually has 70 to 72 bytes.
const BEHIND_MAX: usize = 12 + 3 + 72;
/// The same, and tag and length before it.
const AROUND_MAX: usize = 128;
/// ECDSA with SHA-256, without parameters (RFC 5758, 3.2).
const ECDSA_SHA256: AlgorithmIdentifierOwned = AlgorithmIdentifierOwned {
    oid: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    parameters: None,
};
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
