//! How each client certificate stands, for whoever asks about one: known in memory, so that the
//! database may be as busy as it likes, and replaced only by what has become durable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use breakglass_ledger::time::Timestamp;

use super::{Desk, DeskError, Revoking};
use crate::crl::{KEPT_SECONDS, SerialNumber};
use crate::mint::OcspSigner;
use crate::ocsp::{Answer, Issuer, Standing};

/// A list for TLS servers older than this, in seconds: it is signed every five minutes, so whoever
/// should have signed it is at a loss, and what is known here may be as old.
pub const STALE_SECONDS: u64 = 60 * 60;

/// What has become of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) number: SerialNumber,
    /// First second at which it is not valid any more.
    pub(super) ends: Timestamp,
    /// Since when it is taken back, if it is.
    pub(super) revoked: Option<Timestamp>,
}

impl News {
    /// A certificate was issued.
    pub(super) const fn issued(number: SerialNumber, ends: Timestamp) -> Self {
        Self { number, ends, revoked: None }
    }
}

/// Every certificate that may be asked for: those that live, and those that ended within an hour.
#[derive(Default)]
pub(super) struct Certificates {
    /// By the `seq` of their entries. About 64 bytes each.
    all: RwLock<HashMap<u64, News>>,
    revocations: AtomicU64,
}

impl Certificates {
    /// Something has become durable. What was taken back stays so, whatever is said later.
    pub(super) fn note(&self, news: &[News]) {
        if news.is_empty() {
            return;
        }
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        for one in news {
            let known = all.entry(one.number.seq()).or_insert(*one);
            known.revoked = known.revoked.or(one.revoked);
        }
        drop(all);
        if news.iter().any(|one| one.revoked.is_some()) {
            self.revocations.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Forgets what ended long ago for every clock.
    pub(super) fn forget(&self, now: Timestamp) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, one| now < one.ends.plus(KEPT_SECONDS));
    }

    /// How the certificate `number` stands `now`. All sixteen bytes count: who guesses the number of an
    /// entry is told nothing.
    fn standing(&self, number: SerialNumber, now: Timestamp) -> Standing {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(&number.seq()).filter(|one| one.number == number) {
            Some(News { revoked: Some(since), .. }) => Standing::Revoked(*since),
            Some(News { ends, .. }) if now < *ends => Standing::Good,
            // Over, though nobody has written it down yet: nothing to vouch for.
            Some(_) | None => Standing::Unknown,
        }
    }
}

impl Desk {
    /// The authorities whose certificates can be asked for, the one of now first.
    pub fn x509_issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.shared.ocsp().iter().map(OcspSigner::issuer)
    }

    /// How the certificate `number` of `issuer` stands now, as of the newest durable entry.
    #[must_use]
    pub fn standing(&self, issuer: &Issuer, number: SerialNumber) -> Standing {
        let signer = self.signer(issuer).filter(|signer| signer.signed_then(number));
        signer.map_or(Standing::Unknown, |_| {
            self.shared.certificates().standing(number, self.shared.now())
        })
    }

    fn signer(&self, issuer: &Issuer) -> Option<&OcspSigner> {
        self.shared.ocsp().iter().find(|signer| signer.issuer() == issuer)
    }

    /// Grows with every revocation, before anybody is told of it: answers of before are void.
    #[must_use]
    pub fn revocations(&self) -> u64 {
        self.shared.certificates().revocations.load(Ordering::SeqCst)
    }

    /// Whether [`standing`](Self::standing) may be told: not while what ends is not met, lists are not
    /// signed, or the database contradicts the ledger. Files that cannot be written are no reason:
    /// nothing that is told here comes from them.
    #[must_use]
    pub fn vouches(&self) -> bool {
        let parts = [Revoking::Sweep, Revoking::Lists, Revoking::Record];
        let lists = self.shared.lists();
        let signed_at = lists.crl.as_ref().map(|crl| crl.signed_at);
        parts.into_iter().all(|part| self.shared.works(part))
            && signed_at.is_some_and(|at| self.shared.now().since(at) <= STALE_SECONDS)
    }

    /// Signs an answer about certificates of `issuer`, one of [`x509_issuers`](Self::x509_issuers).
    ///
    /// # Errors
    ///
    /// [`DeskError::Mint`] if it could not be signed, or there is no such authority.
    pub fn answer(
        &self,
        issuer: &Issuer,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<Vec<u8>, DeskError> {
        let signer = self.signer(issuer).ok_or(crate::mint::MintError::NoX509)?;
        Ok(signer.sign(answers, nonce, at)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

    fn number(seq: u64, random: u8) -> SerialNumber {
        SerialNumber::new(seq, [random; 8]).expect("a number")
    }

    fn news(seq: u64, revoked: Option<Timestamp>) -> News {
        News { number: number(seq, 1), ends: NOW.plus(600), revoked }
    }

    #[test]
    fn a_certificate_is_good_until_it_is_taken_back_and_then_never_again() {
        let known = Certificates::default();
        assert_eq!(known.standing(number(7, 1), NOW), Standing::Unknown);
        known.note(&[news(7, None)]);
        assert_eq!(known.standing(number(7, 1), NOW), Standing::Good);
        known.note(&[news(7, Some(NOW))]);
        // As if somebody had taken the revocation out of the database, and it were read again.
        known.note(&[news(7, None)]);
        assert_eq!(known.standing(number(7, 1), NOW.plus(5)), Standing::Revoked(NOW));
    }

    #[test]
    fn who_knows_only_the_number_of_an_entry_is_told_nothing() {
        let known = Certificates::default();
        known.note(&[news(7, Some(NOW)), news(8, None)]);
        assert_eq!(known.standing(number(7, 2), NOW), Standing::Unknown);
        assert_eq!(known.standing(number(8, 2), NOW), Standing::Unknown);
    }

    #[test]
    fn nobody_vouches_for_a_certificate_past_its_end() {
        let known = Certificates::default();
        known.note(&[news(7, None)]);
        assert_eq!(known.standing(number(7, 1), NOW.plus(599)), Standing::Good);
        assert_eq!(known.standing(number(7, 1), NOW.plus(600)), Standing::Unknown);
    }

    #[test]
    fn every_revocation_voids_what_was_answered_before_and_an_issue_does_not() {
        let known = Certificates::default();
        let count = || known.revocations.load(Ordering::SeqCst);
        known.note(&[news(7, None)]);
        assert_eq!(count(), 0);
        known.note(&[news(7, Some(NOW)), news(8, None)]);
        assert_eq!(count(), 1);
    }

    #[test]
    fn what_ended_an_hour_ago_is_forgotten() {
        let known = Certificates::default();
        known.note(&[news(7, Some(NOW)), news(8, None)]);
        known.forget(NOW.plus(600 + KEPT_SECONDS - 1));
        assert_eq!(known.all.read().expect("lock").len(), 2);
        known.forget(NOW.plus(600 + KEPT_SECONDS));
        assert_eq!(known.all.read().expect("lock").len(), 0);
    }
}
