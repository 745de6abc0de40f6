//! Answers about single certificates, signed by their authority itself.

use std::sync::Arc;

use breakglass_ledger::time::Timestamp;

use super::Authority;
use crate::mint::MintError;
use crate::ocsp::{self, Answer, Issuer};

/// Signs answers about certificates of one authority, and nothing else.
#[derive(Clone)]
pub struct OcspSigner {
    authority: Arc<Authority>,
    issuer: Issuer,
}

impl OcspSigner {
    pub(in crate::mint) fn of(authority: Arc<Authority>) -> Self {
        let issuer = Issuer::of(authority.subject(), authority.point());
        Self { authority, issuer }
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
