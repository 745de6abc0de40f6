//! Answers about single certificates: from a question in DER to an answer in DER. Says "good" only
//! while revoking works, and otherwise nothing that anybody could take for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use breakglass_ledger::time::Timestamp;

use crate::crl::SerialNumber;
use crate::crowd::{Rate, Throttle};
use crate::desk::{Desk, DeskError};
use crate::ocsp::{self, Answer, CertId, Issuer, Refused, Standing, VALID_SECONDS};

/// Signatures over answers, of all askers together: a fifth of one core at most. Whoever asks without a
/// nonce is mostly answered from what was signed before.
const SIGNATURES: Rate = Rate::new(2000, 2000);

/// An answer is handed out again for this long, in seconds: whoever gets it has at least as long to use it.
const REUSED_SECONDS: u64 = VALID_SECONDS / 2;

/// Answers kept: of as many live certificates, at about half a kilobyte each.
const KEPT_MAX: usize = 16_384;

/// What is known of certificates, and who signs: the desk.
pub(super) trait Knows: Send + Sync {
    /// The authorities that can be asked about.
    fn issuers(&self) -> Vec<&Issuer>;
    /// How a certificate of one of them stands.
    fn standing(&self, issuer: &Issuer, number: SerialNumber) -> Standing;
    /// Whether that may be told.
    fn vouches(&self) -> bool;
    /// Grows with every revocation.
    fn revocations(&self) -> u64;
    /// Now.
    fn now(&self) -> Timestamp;
    /// An answer signed by one of them.
    fn sign(
        &self,
        issuer: &Issuer,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<Vec<u8>, DeskError>;
}

impl Knows for Arc<Desk> {
    fn issuers(&self) -> Vec<&Issuer> {
        self.x509_issuers().collect()
    }

    fn standing(&self, issuer: &Issuer, number: SerialNumber) -> Standing {
        Desk::standing(self, issuer, number)
    }

    fn vouches(&self) -> bool {
        Desk::vouches(self)
    }

    fn revocations(&self) -> u64 {
        Desk::revocations(self)
    }

    fn now(&self) -> Timestamp {
        Desk::now(self)
    }

    fn sign(
        &self,
        issuer: &Issuer,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<Vec<u8>, DeskError> {
        self.answer(issuer, answers, nonce, at)
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// `OCSPResponse`, DER.
    pub(super) der: Vec<u8>,
    /// From when and until when others may hand it out as well; `None` for one that is nobody else's.
    pub(super) kept: Option<(Timestamp, Timestamp)>,
}

/// Answers questions.
pub(super) struct Responder {
    knows: Box<dyn Knows>,
    signatures: Throttle<()>,
    kept: Mutex<HashMap<Vec<CertId>, Kept>>,
    failing: AtomicBool,
}

/// An answer that was signed before.
struct Kept {
    der: Vec<u8>,
    at: Timestamp,
    /// How many revocations there were when it was looked up.
    revocations: u64,
}

impl Responder {
    /// Answers for the authorities that `knows` has; `None` if it has none.
    pub(super) fn of(knows: Box<dyn Knows>) -> Option<Self> {
        let has_one = !knows.issuers().is_empty();
        has_one.then(|| Self {
            knows,
            signatures: Throttle::new(SIGNATURES),
            kept: Mutex::default(),
            failing: AtomicBool::new(false),
        })
    }

    /// Whether the last answer could not be signed.
    pub(super) fn fails(&self) -> bool {
        self.failing.load(Ordering::SeqCst)
    }

    /// The answer to the question `der`, or that there is none.
    pub(super) fn reply(&self, der: &[u8]) -> Reply {
        self.answer(der)
            .unwrap_or_else(|why| Reply { der: ocsp::refusal(why).to_vec(), kept: None })
    }

    fn answer(&self, der: &[u8]) -> Result<Reply, Refused> {
        let request = ocsp::read(der).map_err(|_| Refused::Malformed)?;
        // One answer has one signer: who asks about certificates of two authorities asks twice.
        let is_asked = |issuer: &&Issuer| request.asked.iter().all(|asked| issuer.is_of(asked));
        let issuers = self.knows.issuers();
        let issuer = issuers.into_iter().find(is_asked).ok_or(Refused::Unauthorized)?;
        if !self.knows.vouches() {
            return Err(Refused::Later);
        }
        // Counted before anything is looked up: what is revoked meanwhile voids what comes of it.
        let (revocations, now) = (self.knows.revocations(), self.knows.now());
        if request.nonce.is_none()
            && let Some(reply) = self.again(&request.asked, revocations, now)
        {
            return Ok(reply);
        }
        self.signatures.count(()).map_err(|_| Refused::Later)?;
        let standing = |asked: CertId| {
            let number = asked.serial();
            let standing =
                number.map_or(Standing::Unknown, |number| self.knows.standing(issuer, number));
            Answer { asked, standing }
        };
        let answers: Vec<_> = request.asked.into_iter().map(standing).collect();
        let der = self.sign(issuer, &answers, request.nonce.as_deref(), now)?;
        // What was never issued is not kept: there is no end to it.
        let is_known = answers.iter().all(|one| one.standing != Standing::Unknown);
        let is_shared = request.nonce.is_none() && is_known;
        if is_shared {
            let asked = answers.into_iter().map(|one| one.asked).collect();
            self.keep(asked, Kept { der: der.clone(), at: now, revocations });
        }
        Ok(Reply { der, kept: is_shared.then(|| (now, now.plus(VALID_SECONDS))) })
    }

    fn sign(
        &self,
        issuer: &Issuer,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Vec<u8>, Refused> {
        let signed = self.knows.sign(issuer, answers, nonce, now);
        let failed = self.failing.swap(signed.is_err(), Ordering::SeqCst);
        match &signed {
            Err(error) if !failed => crate::report::fault("signing an answer (OCSP)", error),
            Ok(_) if failed => tracing::info!("answers about certificates are signed again"),
            Ok(_) | Err(_) => {}
        }
        signed.map_err(|_| Refused::Internal)
    }

    /// What was answered before, if nothing was revoked since and it counts for a while yet.
    fn again(&self, asked: &[CertId], revocations: u64, now: Timestamp) -> Option<Reply> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.get(asked).filter(|one| one.is_good(revocations, now))?;
        Some(Reply { der: one.der.clone(), kept: Some((one.at, one.at.plus(VALID_SECONDS))) })
    }

    fn keep(&self, asked: Vec<CertId>, one: Kept) {
        let (revocations, now) = (one.revocations, one.at);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, one| one.is_good(revocations, now));
        }
        if kept.len() < KEPT_MAX {
            kept.insert(asked, one);
        }
    }
}

impl Kept {
    fn is_good(&self, revocations: u64, now: Timestamp) -> bool {
        // A clock that went back: an answer from the future is none.
        let is_fresh = self.at <= now && now.since(self.at) < REUSED_SECONDS;
        self.revocations == revocations && is_fresh
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::Known;
