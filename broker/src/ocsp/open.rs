//! An answer → what it says, read by other hands than those that wrote it, and as strictly as a list.

use breakglass_ledger::time::Timestamp;

use super::{Answer, CertId, Hash, OcspError, Standing, VALID_SECONDS};
use crate::crl::CrlError;
use crate::crl::read::{
    BIT_STRING, ECDSA_SHA256, EXPLICIT_0, GENERALIZED_TIME, INTEGER, OCTET_STRING, Reader,
    SEQUENCE, prefix,
};

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// SHA-1 of the key of whoever says it.
    pub responder: Vec<u8>,
    /// When it was said. It counts for [`VALID_SECONDS`].
    pub at: Timestamp,
    /// About which certificates, and what.
    pub answers: Vec<Answer>,
    /// The asker's nonce.
    pub nonce: Option<Vec<u8>>,
    /// What is signed.
    pub signed: Vec<u8>,
    /// The signature over it: ECDSA with SHA-256, DER.
    pub signature: Vec<u8>,
}

/// Reads an answer. Whose signature it is, is the caller's to check.
///
/// # Errors
///
/// [`OcspError::Form`] if it is not whole, not DER, or has anything in it that is never written here.
pub fn open(der: &[u8]) -> Result<Said, OcspError> {
    let mut outside = Reader(Reader(der).only(SEQUENCE)?);
    outside.expect(SUCCESSFUL, "no answer")?;
    let mut bytes = Reader(Reader(outside.only(EXPLICIT_0)?).only(SEQUENCE)?);
    bytes.expect(BASIC, "kind of answer")?;
    let mut basic = Reader(Reader(bytes.only(OCTET_STRING)?).only(SEQUENCE)?);
    let before = basic.0;
    let mut tbs = Reader(basic.take(SEQUENCE)?);
    let signed = prefix(before, basic.0).to_vec();
    basic.expect(ECDSA_SHA256, "signature algorithm")?;
    let signature = basic.only(BIT_STRING)?.strip_prefix(&[0]).ok_or(form("signature"))?.to_vec();

    let responder = Reader(tbs.take(BY_KEY)?).only(OCTET_STRING)?.to_vec();
    let at = instant(&mut tbs)?;
    let mut all = Reader(tbs.take(SEQUENCE)?);
    let mut answers = Vec::new();
    while !all.0.is_empty() {
        answers.push(single(Reader(all.take(SEQUENCE)?), at)?);
    }
    let nonce = if tbs.0.is_empty() { None } else { Some(nonce(&mut tbs)?) };
    tbs.finish()?;
    Ok(Said { responder, at, answers, nonce, signed, signature })
}

fn single(mut reader: Reader<'_>, at: Timestamp) -> Result<Answer, OcspError> {
    let mut id = Reader(reader.take(SEQUENCE)?);
    let algorithm = id.take(SEQUENCE)?;
    let (hash, parameters) = match (algorithm.strip_prefix(SHA1), algorithm.strip_prefix(SHA256)) {
        (Some(rest), _) => (Hash::Sha1, rest),
        (None, Some(rest)) => (Hash::Sha256, rest),
        (None, None) => return Err(form("a digest")),
    };
    let null = parameters == NULL;
    if !null && !parameters.is_empty() {
        return Err(form("parameters of a digest"));
    }
    let (issuer_name, issuer_key) =
        (id.take(OCTET_STRING)?.to_vec(), id.take(OCTET_STRING)?.to_vec());
    let serial = id.only(INTEGER)?.to_vec();
    let standing = match reader.0.first() {
        Some(&GOOD) if reader.take(GOOD)?.is_empty() => Standing::Good,
        Some(&UNKNOWN) if reader.take(UNKNOWN)?.is_empty() => Standing::Unknown,
        Some(&REVOKED) => {
            let mut info = Reader(reader.take(REVOKED)?);
            let since = instant(&mut info)?;
            info.expect(BECAUSE_IT_IS_OVER, "a reason")?;
            info.finish()?;
            Standing::Revoked(since)
        }
        _ => return Err(form("how a certificate stands")),
    };
    let this_update = instant(&mut reader)?;
    let mut until = Reader(reader.only(EXPLICIT_0)?);
    let next_update = instant(&mut until)?;
    until.finish()?;
    if this_update != at || next_update != at.plus(VALID_SECONDS) {
        return Err(form("for how long it counts"));
    }
    let asked = CertId { hash, null, issuer_name, issuer_key, serial };
    Ok(Answer { asked, standing })
}

fn nonce(tbs: &mut Reader<'_>) -> Result<Vec<u8>, OcspError> {
    let mut all = Reader(Reader(tbs.take(EXPLICIT_1)?).only(SEQUENCE)?);
    let value = all.extension(NONCE)?;
    all.finish()?;
    Ok(Reader(value).only(OCTET_STRING)?.to_vec())
}

/// RFC 6960, 4.2.2: always of four digits for a year.
fn instant(reader: &mut Reader<'_>) -> Result<Timestamp, OcspError> {
    if reader.0.first() != Some(&GENERALIZED_TIME) {
        return Err(form("a date"));
    }
    Ok(reader.time()?)
}

impl From<CrlError> for OcspError {
    fn from(_: CrlError) -> Self {
        form("an element")
    }
}

const fn form(what: &'static str) -> OcspError {
    OcspError::Form(what)
}

/// ENUMERATED 0.
const SUCCESSFUL: &[u8] = &[0x0a, 1, 0];
/// id-pkix-ocsp-basic and id-pkix-ocsp-nonce: 1.3.6.1.5.5.7.48.1.1 and .2.
const BASIC: &[u8] = &[6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
const NONCE: &[u8] = &[6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
/// SHA-1 (1.3.14.3.2.26) and SHA-256 (2.16.840.1.101.3.4.2.1).
const SHA1: &[u8] = &[6, 5, 0x2b, 0x0e, 3, 2, 0x1a];
const SHA256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const NULL: &[u8] = &[5, 0];
/// EXPLICIT [0] around ENUMERATED 5, cessationOfOperation.
const BECAUSE_IT_IS_OVER: &[u8] = &[0xa0, 3, 0x0a, 1, 5];
/// Tags: how a certificate stands, who answers, extensions of an answer.
const GOOD: u8 = 0x80;
const REVOKED: u8 = 0xa1;
const UNKNOWN: u8 = 0x82;
const BY_KEY: u8 = 0xa2;
const EXPLICIT_1: u8 = 0xa1;
