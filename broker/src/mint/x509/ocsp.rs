//! Answers about single certificates, signed by their authority itself.

use std::ops::Range;
use std::sync::Arc;

use breakglass_ledger::time::Timestamp;

use super::Authority;
use crate::crl::SerialNumber;
use crate::mint::MintError;
use crate::ocsp::{self, Answer, Issuer};

/// Signs answers about certificates of one authority, and nothing else.
#[derive(Clone)]
pub struct OcspSigner {
    authority: Arc<Authority>,
    issuer: Issuer,
    seqs: Range<u64>,
}

impl OcspSigner {
    /// For the authority that signed what the entries `seqs` issued.
    pub(in crate::mint) fn of(authority: Arc<Authority>, seqs: Range<u64>) -> Self {
        let issuer = Issuer::of(authority.subject(), authority.point());
        Self { authority, issuer, seqs }
    }

    /// Whether the certificate `number` was issued while this authority signed: another one's certificate
    /// is unknown to it, however that stands.
    #[must_use]
    pub fn signed_then(&self, number: SerialNumber) -> bool {
        self.seqs.contains(&number.seq())
    }

    /// Whose certificates it answers for.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The answer that says exactly `answers`, dated `at`, repeating `nonce`. What was signed is read
    /// back before it is given out.
    ///
    /// # Errors
    ///
    /// [`MintError::Ocsp`] if one of `answers` is about another authority's certificate, or they could
    /// not be written; [`MintError::OcspMismatch`] if what was written does not say what it should.
    pub fn sign(
        &self,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<Vec<u8>, MintError> {
        if !answers.iter().all(|one| self.issuer.is_of(&one.asked)) {
            return Err(MintError::Ocsp(ocsp::OcspError::Form("another authority")));
        }
        let tbs = ocsp::write(self.issuer.key_hash(), answers, nonce, at)?;
        let der = ocsp::assemble(&tbs, &self.authority.sign(&tbs)?)?;
        let said = ocsp::open(&der)?;
        let same = [
            said.answers == answers,
            said.nonce.as_deref() == nonce,
            said.responder == self.issuer.key_hash(),
            said.at == at,
            self.authority.has_signed(&said.signed, &said.signature),
        ];
        if same.contains(&false) { Err(MintError::OcspMismatch) } else { Ok(der) }
    }
}
