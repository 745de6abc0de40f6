//! What is known → the bytes that are signed, and the answer with its signature (RFC 6960, 4.2).

use std::time::Duration;

use breakglass_ledger::time::Timestamp;
use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, IntRef, Null, OctetString, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Choice, Decode, Encode, Enumerated, Sequence};
use x509_cert::ext::pkix::CrlReason;
use x509_cert::spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::read::{Extension, NONCE, SHA1, SHA256, WireCertId};
use super::{CertId, Hash, OcspError, Standing, VALID_SECONDS};

/// One certificate and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which one, as it was asked for.
    pub asked: CertId,
    /// How it stands.
    pub standing: Standing,
}

/// Why there is no answer: unsigned, because anybody may say no (RFC 6960, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The question is none, or too long.
    Malformed,
    /// Signing fails; the log says why.
    Internal,
    /// Not now: revoking does not work, or too much is asked.
    Later,
    /// It is asked about somebody else's certificates.
    Unauthorized,
}

/// `ResponseData`; whoever answers is named by its key.
#[derive(Sequence)]
struct ResponseData<'a> {
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    responder: &'a OctetStringRef,
    produced_at: GeneralizedTime,
    responses: Vec<SingleResponse<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

/// `SingleResponse`.
#[derive(Sequence)]
struct SingleResponse<'a> {
    cert_id: WireCertId<'a>,
    status: CertStatus,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    next_update: GeneralizedTime,
}

/// `CertStatus`.
#[derive(Choice)]
enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

/// `RevokedInfo`.
#[derive(Sequence)]
struct RevokedInfo {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    reason: CrlReason,
}

/// `BasicOCSPResponse`, without certificates: the asker has the authority's.
#[derive(Sequence)]
struct BasicResponse<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// `OCSPResponse` with an answer in it.
#[derive(Sequence)]
struct OcspResponse {
    status: Status,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    bytes: ResponseBytes,
}

/// `OCSPResponseStatus` of an answer; for the others see [`refusal`].
#[derive(Clone, Copy, Enumerated)]
#[repr(u8)]
enum Status {
    Successful = 0,
}

/// `ResponseBytes`.
#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    response: OctetString,
}

/// The bytes to sign: `answers` of the authority with the key hash `responder`, given `at` and good for
/// [`VALID_SECONDS`], with the asker's `nonce` if there is one.
///
/// # Errors
///
/// [`OcspError::Date`], [`OcspError::Encode`].
pub fn write(
    responder: &[u8],
    answers: &[Answer],
    nonce: Option<&[u8]>,
    at: Timestamp,
) -> Result<Vec<u8>, OcspError> {
    let nonce = nonce.map(|nonce| OctetStringRef::new(nonce).and_then(|value| value.to_der()));
    let nonce = nonce.transpose().map_err(|_| OcspError::Encode)?;
    let extension = |nonce| {
        let value = OctetStringRef::new(nonce).map_err(|_| OcspError::Encode)?;
        Ok::<_, OcspError>(vec![Extension { id: NONCE, critical: false, value }])
    };
    let data = ResponseData {
        responder: OctetStringRef::new(responder).map_err(|_| OcspError::Encode)?,
        produced_at: calendar(at)?,
        responses: answers.iter().map(|one| single(one, at)).collect::<Result<_, _>>()?,
        extensions: nonce.as_deref().map(extension).transpose()?,
    };
    encoded(&data)
}

fn single(answer: &Answer, at: Timestamp) -> Result<SingleResponse<'_>, OcspError> {
    let status = match answer.standing {
        Standing::Good => CertStatus::Good(Null),
        Standing::Unknown => CertStatus::Unknown(Null),
        Standing::Revoked(since) => CertStatus::Revoked(RevokedInfo {
            at: calendar(since)?,
            // The reason that the list gives.
            reason: CrlReason::CessationOfOperation,
        }),
    };
    let (this_update, next_update) = (calendar(at)?, calendar(at.plus(VALID_SECONDS))?);
    Ok(SingleResponse { cert_id: wire(&answer.asked)?, status, this_update, next_update })
}

fn wire(asked: &CertId) -> Result<WireCertId<'_>, OcspError> {
    let oid = match asked.hash {
        Hash::Sha1 => SHA1,
        Hash::Sha256 => SHA256,
    };
    let octets = |bytes| OctetStringRef::new(bytes).map_err(|_| OcspError::Encode);
    Ok(WireCertId {
        algorithm: AlgorithmIdentifierRef { oid, parameters: asked.null.then_some(AnyRef::NULL) },
        issuer_name: octets(&asked.issuer_name)?,
        issuer_key: octets(&asked.issuer_key)?,
        serial: IntRef::new(&asked.serial).map_err(|_| OcspError::Encode)?,
    })
}

/// The answer: what was signed, and the signature (ECDSA with SHA-256, DER).
///
/// # Errors
///
/// [`OcspError::Encode`] if `tbs` is not DER.
pub fn assemble(tbs: &[u8], signature: &[u8]) -> Result<Vec<u8>, OcspError> {
    let basic = BasicResponse {
        tbs: AnyRef::from_der(tbs).map_err(|_| OcspError::Encode)?,
        algorithm: ECDSA_SHA256,
        signature: BitStringRef::from_bytes(signature).map_err(|_| OcspError::Encode)?,
    };
    let response = OctetString::new(encoded(&basic)?).map_err(|_| OcspError::Encode)?;
    let bytes = ResponseBytes { kind: BASIC, response };
    encoded(&OcspResponse { status: Status::Successful, bytes })
}

/// The answer that there is none.
#[must_use]
pub const fn refusal(why: Refused) -> [u8; 5] {
    let status = match why {
        Refused::Malformed => 1,
        Refused::Internal => 2,
        Refused::Later => 3,
        Refused::Unauthorized => 6,
    };
    [0x30, 3, 0x0a, 1, status]
}

fn encoded<T: Encode>(value: &T) -> Result<Vec<u8>, OcspError> {
    value.to_der().map_err(|_| OcspError::Encode)
}

fn calendar(at: Timestamp) -> Result<GeneralizedTime, OcspError> {
    let since_epoch = Duration::from_secs(at.unix_seconds());
    GeneralizedTime::from_unix_duration(since_epoch).map_err(|_| OcspError::Date)
}

/// `id-pkix-ocsp-basic` (RFC 6960, 4.2.1).
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// ECDSA with SHA-256, without parameters (RFC 5758, 3.2).
const ECDSA_SHA256: AlgorithmIdentifierOwned = AlgorithmIdentifierOwned {
    oid: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    parameters: None,
};
