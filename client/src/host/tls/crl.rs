//! A revocation list as TLS servers read it (RFC 5280, section 5), read and checked before they do.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;
use x509_parser::prelude::{CertificateRevocationList, FromDer};
use x509_parser::time::ASN1Time;

use super::authority::Authority;
use crate::pem;

/// Largest list, as PEM: 200,000 certificates. The broker's own limit is higher; a host with more
/// should have more than one authority.
pub(super) const LIST_MAX: usize = 32 * 1024 * 1024;

/// How far ahead of ours a broker's clock may be.
const AHEAD_SECONDS: u64 = 5;

const LABEL: &str = "X509 CRL";

/// A list of a pinned authority, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crl {
    /// `X509_NAME_hash` of its authority.
    pub(super) hash: String,
    /// Its number: version and second of signing.
    pub(super) number: u128,
    /// After this second everybody is refused.
    pub(super) next_update: Timestamp,
    /// Serials, ascending.
    pub(super) revoked: Vec<u128>,
    /// The serial that it names since the latest second; of several the highest.
    pub(super) latest: Option<u128>,
    /// The list, one PEM block.
    pub(super) pem: String,
}

/// Why a list is not put in place. What was there stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CrlError {
    #[error("the list that was fetched is empty")]
    Empty,
    #[error("the list that was fetched is cut off, or no list in PEM")]
    Form,
    #[error("the list that was fetched holds what no list of ours does: {0}")]
    Unknown(&'static str),
    #[error("the list that was fetched is of another authority than the pinned one: {0}")]
    Foreign(String),
    #[error("the list that was fetched is not signed by the pinned authority")]
    Unsigned,
    #[error("the list that was fetched counts from {0} on, which is in the future")]
    Future(Timestamp),
    #[error("the list that was fetched ran out at {0}; with it everybody would be refused")]
    RanOut(Timestamp),
    #[error(
        "the list that was fetched is number {offered:x}, older than {before:x}, which was in place"
    )]
    Older { offered: u128, before: u128 },
    #[error("two different lists of number {0:x} are signed by the pinned authority")]
    Conflict(u128),
}

impl Crl {
    /// Reads one PEM block, whose times are not looked at.
    pub(super) fn read(text: &str, authorities: &[Authority]) -> Result<Self, CrlError> {
        if text.trim().is_empty() {
            return Err(CrlError::Empty);
        }
        let der = pem::decode(LABEL, text).ok_or(CrlError::Form)?;
        let list = whole(&der)?;
        let issuer = list.issuer();
        let of = authorities.iter().find(|one| one.subject == issuer.as_raw());
        let authority = of.ok_or_else(|| CrlError::Foreign(issuer.to_string()))?;
        check_signature(&list, &der, authority)?;
        check_extensions(&list, authority)?;
        let number = list.crl_number().map(|number| unsigned(&number.to_bytes_be()));
        let next = list.next_update().ok_or(CrlError::Unknown("no end"))?;
        let since = list.iter_revoked_certificates().map(|one| {
            unsigned(one.raw_serial()).map(|serial| (one.revocation_date.timestamp(), serial))
        });
        let since: Vec<(i64, u128)> = since.collect::<Option<_>>().ok_or(BAD_NUMBER)?;
        let latest = since.iter().max().map(|(_, serial)| *serial);
        let mut revoked: Vec<u128> = since.into_iter().map(|(_, serial)| serial).collect();
        revoked.sort_unstable();
        Ok(Self {
            hash: authority.hash.clone(),
            number: number.flatten().ok_or(BAD_NUMBER)?,
            next_update: timestamp(next)?,
            revoked,
            latest,
            pem: pem::encode(LABEL, &der, pem::COLUMNS).to_string(),
        })
    }

    /// Reads one PEM block that may be put in place at `now`.
    pub(super) fn fresh(
        text: &str,
        authorities: &[Authority],
        now: Timestamp,
    ) -> Result<Self, CrlError> {
        let crl = Self::read(text, authorities)?;
        let der = pem::decode(LABEL, text).ok_or(CrlError::Form)?;
        let begins = timestamp(whole(&der)?.last_update())?;
        if begins > now.plus(AHEAD_SECONDS) {
            return Err(CrlError::Future(begins));
        }
        if crl.next_update <= now {
            return Err(CrlError::RanOut(crl.next_update));
        }
        Ok(crl)
    }

    /// The version of the lists that it belongs to.
    pub(super) fn version(&self) -> u64 {
        u64::try_from(self.number >> 64).unwrap_or(u64::MAX)
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Timestamp {
        let second = self.number & u128::from(u64::MAX);
        Timestamp::from_unix_seconds(u64::try_from(second).unwrap_or(u64::MAX))
    }

    /// SHA-256 of the PEM block, which is the file of the broker and of most servers.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(self.pem.as_bytes())
    }

    pub(super) fn revokes(&self, serial: u128) -> bool {
        self.revoked.binary_search(&serial).is_ok()
    }

    /// A serial that it names and none of `before` does, so that a server that still goes by those is told
    /// apart.
    pub(super) fn news(&self, before: &[Self]) -> Option<u128> {
        let is_news = |serial: &&u128| !before.iter().any(|list| list.revokes(**serial));
        let found = self.revoked.iter().rev().find(is_news);
        found.filter(|_| !before.is_empty()).copied()
    }
}

fn whole(der: &[u8]) -> Result<CertificateRevocationList<'_>, CrlError> {
    match CertificateRevocationList::from_der(der) {
        Ok(([], list)) => Ok(list),
        Ok(_) | Err(_) => Err(CrlError::Form),
    }
}

fn check_signature(
    list: &CertificateRevocationList<'_>,
    der: &[u8],
    authority: &Authority,
) -> Result<(), CrlError> {
    let is_ecdsa = [&list.signature_algorithm, &list.tbs_cert_list.signature]
        .iter()
        .all(|algorithm| algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256);
    let tbs = list.tbs_cert_list.as_ref();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &authority.point);
    let is_signed = key.verify(tbs, &list.signature_value.data).is_ok();
    if is_ecdsa && is_signed && der.len() > tbs.len() { Ok(()) } else { Err(CrlError::Unsigned) }
}

/// Only what is written by a broker: a scope (IDP) or a base (delta) would make a list count less than
/// it says, and servers refuse what they do not know.
fn check_extensions(
    list: &CertificateRevocationList<'_>,
    authority: &Authority,
) -> Result<(), CrlError> {
    let mut is_named = false;
    for extension in list.extensions() {
        let parsed = extension.parsed_extension();
        if let ParsedExtension::AuthorityKeyIdentifier(id) = parsed {
            let id = id.key_identifier.as_ref().map(|id| id.0);
            if id != Some(authority.key_id.as_slice()) {
                return Err(CrlError::Foreign("another key of that name".to_owned()));
            }
            is_named = true;
        } else if !matches!(parsed, ParsedExtension::CRLNumber(_)) {
            return Err(CrlError::Unknown("an extension"));
        }
    }
    if is_named { Ok(()) } else { Err(CrlError::Unknown("no key identifier")) }
}

fn timestamp(at: ASN1Time) -> Result<Timestamp, CrlError> {
    let seconds = u64::try_from(at.timestamp()).map_err(|_| CrlError::Unknown("a date"))?;
    Ok(Timestamp::from_unix_seconds(seconds))
}

/// A number of at most 16 bytes.
pub(super) fn unsigned(bytes: &[u8]) -> Option<u128> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..)?;
    let fits = digits.len() <= 16;
    fits.then(|| digits.iter().fold(0, |all, byte| (all << 8) | u128::from(*byte)))
}

/// The PEM blocks of a page, each with its lines.
pub(super) fn blocks(page: &str) -> Vec<&str> {
    page.split_inclusive("-----END X509 CRL-----\n").collect()
}

const BAD_NUMBER: CrlError = CrlError::Unknown("a number");
