//! A question → what is asked (RFC 6960, 4.1). Strict DER; what nobody here understands and what is
//! marked critical is refused, what is not is passed over.

use der::asn1::{AnyRef, IntRef, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Decode, Sequence};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::{CertId, Hash, NONCE_MAX_BYTES, OcspError, QUESTIONS_MAX, REQUEST_MAX_BYTES};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which certificates, in the asker's order; at least one.
    pub asked: Vec<CertId>,
    /// What the answer must repeat, so that it is none of before (RFC 9654).
    pub nonce: Option<Vec<u8>>,
}

/// `OCSPRequest`. A signature by the asker is possible, and nobody is known here by one.
#[derive(Sequence)]
pub(super) struct OcspRequest<'a> {
    pub(super) tbs: TbsRequest<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) signature: Option<AnyRef<'a>>,
}

/// `TBSRequest`.
#[derive(Sequence)]
pub(super) struct TbsRequest<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) version: Option<u8>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) requestor: Option<AnyRef<'a>>,
    pub(super) requests: Vec<SingleRequest<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension<'a>>>,
}

/// `Request`.
#[derive(Sequence)]
pub(super) struct SingleRequest<'a> {
    pub(super) cert_id: WireCertId<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension<'a>>>,
}

/// `CertID`.
#[derive(Sequence)]
pub(super) struct WireCertId<'a> {
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) issuer_name: &'a OctetStringRef,
    pub(super) issuer_key: &'a OctetStringRef,
    pub(super) serial: IntRef<'a>,
}

/// `Extension` (RFC 5280, 4.1).
#[derive(Sequence)]
pub(super) struct Extension<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(super) critical: bool,
    pub(super) value: &'a OctetStringRef,
}

/// Reads a question.
///
/// # Errors
///
/// [`OcspError::TooMuch`], or [`OcspError::Form`] if it is not whole, not DER, asks for nothing, has a
/// nonce of no or too many bytes, or something critical that is not understood.
pub fn read(der: &[u8]) -> Result<Request, OcspError> {
    if der.len() > REQUEST_MAX_BYTES {
        return Err(OcspError::TooMuch);
    }
    let request = OcspRequest::from_der(der).map_err(|_| OcspError::Form("not DER"))?;
    let TbsRequest { version, requests, extensions, .. } = request.tbs;
    if version.is_some_and(|version| version != V1) {
        return Err(OcspError::Form("another version"));
    }
    if requests.is_empty() {
        return Err(OcspError::Form("nothing is asked"));
    }
    if requests.len() > QUESTIONS_MAX {
        return Err(OcspError::TooMuch);
    }
    let mut asked = Vec::with_capacity(requests.len());
    for request in &requests {
        if request.extensions.iter().flatten().any(|one| one.critical) {
            return Err(OcspError::Form("something critical about one certificate"));
        }
        asked.push(cert_id(&request.cert_id)?);
    }
    Ok(Request { asked, nonce: nonce(extensions.as_deref().unwrap_or_default())? })
}

fn cert_id(wire: &WireCertId<'_>) -> Result<CertId, OcspError> {
    let hash = match wire.algorithm.oid {
        SHA1 => Hash::Sha1,
        SHA256 => Hash::Sha256,
        _ => return Err(OcspError::Form("another digest than SHA-1 or SHA-256")),
    };
    let null = match wire.algorithm.parameters {
        None => false,
        Some(parameters) if parameters.is_null() => true,
        Some(_) => return Err(OcspError::Form("a digest with parameters")),
    };
    let serial = wire.serial.as_bytes();
    if serial.len() > SERIAL_MAX_BYTES {
        return Err(OcspError::Form("a serial number that is too long"));
    }
    Ok(CertId {
        hash,
        null,
        issuer_name: wire.issuer_name.as_bytes().to_vec(),
        issuer_key: wire.issuer_key.as_bytes().to_vec(),
        serial: serial.to_vec(),
    })
}

/// RFC 9654, 2.1: an OCTET STRING of 1 to 128 bytes inside the extension's own.
fn nonce(extensions: &[Extension<'_>]) -> Result<Option<Vec<u8>>, OcspError> {
    let mut nonce = None;
    for one in extensions {
        if one.id != NONCE {
            if one.critical {
                return Err(OcspError::Form("something critical that is not understood"));
            }
            continue;
        }
        let wrong = OcspError::Form("a nonce that is none");
        let value = <&OctetStringRef>::from_der(one.value.as_bytes()).map_err(|_| wrong)?;
        if nonce.is_some() || !(1..=NONCE_MAX_BYTES).contains(&value.as_bytes().len()) {
            return Err(wrong);
        }
        nonce = Some(value.as_bytes().to_vec());
    }
    Ok(nonce)
}

/// `v1(0)`: the only version.
const V1: u8 = 0;
/// RFC 5280, 4.1.2.2: at most 20 bytes, here with room for a sign.
const SERIAL_MAX_BYTES: usize = 21;
/// RFC 3279, 2.2.1, and RFC 5754, 2.2.
pub(crate) const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
pub(crate) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// `id-pkix-ocsp-nonce` (RFC 9654, 2.1).
pub(crate) const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
