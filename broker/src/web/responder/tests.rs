use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::*;
use crate::mint::MintError;
use crate::ocsp::testing::{Question, SHA256, serial};
use crate::ocsp::{NONCE_MAX_BYTES, QUESTIONS_MAX, Said};

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

/// A desk of which everything can be set.
pub(in crate::web) struct Known {
    issuer: Issuer,
    older: Issuer,
    standings: Mutex<HashMap<SerialNumber, Standing>>,
    pub(in crate::web) vouches: AtomicBool,
    pub(in crate::web) signs: AtomicBool,
    revocations: AtomicU64,
    now: AtomicU64,
    signed: AtomicUsize,
}

impl Known {
    pub(in crate::web) fn new() -> Arc<Self> {
        Arc::new(Self {
            issuer: Issuer::of(b"name", b"key"),
            older: Issuer::of(b"name", b"older key"),
            standings: Mutex::new(HashMap::from([(number(), Standing::Good)])),
            vouches: AtomicBool::new(true),
            signs: AtomicBool::new(true),
            revocations: AtomicU64::new(0),
            now: AtomicU64::new(NOW.unix_seconds()),
            signed: AtomicUsize::new(0),
        })
    }

    fn revoke(&self) {
        self.standings.lock().unwrap().insert(number(), Standing::Revoked(NOW));
        self.revocations.fetch_add(1, Ordering::SeqCst);
    }

    fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn signed(&self) -> usize {
        self.signed.load(Ordering::SeqCst)
    }
}

impl Knows for Arc<Known> {
    fn issuers(&self) -> Vec<&Issuer> {
        vec![&self.issuer, &self.older]
    }

    fn standing(&self, issuer: &Issuer, number: SerialNumber) -> Standing {
        if *issuer == self.older {
            return Standing::Unknown;
        }
        self.standings.lock().unwrap().get(&number).copied().unwrap_or(Standing::Unknown)
    }

    fn vouches(&self) -> bool {
        self.vouches.load(Ordering::SeqCst)
    }

    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now.load(Ordering::SeqCst))
    }

    fn sign(
        &self,
        issuer: &Issuer,
        answers: &[Answer],
        nonce: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<Vec<u8>, DeskError> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        if !self.signs.load(Ordering::SeqCst) {
            return Err(MintError::OcspMismatch.into());
        }
        let tbs = ocsp::write(issuer.key_hash(), answers, nonce, at).unwrap();
        Ok(ocsp::assemble(&tbs, &[0x30, 0]).unwrap())
    }
}

fn number() -> SerialNumber {
    SerialNumber::new(42, [9; 8]).unwrap()
}

fn desk() -> (Arc<Known>, Responder) {
    let known = Known::new();
    let responder = Responder::of(Box::new(Arc::clone(&known))).unwrap();
    (known, responder)
}

fn said(reply: &Reply) -> Said {
    ocsp::open(&reply.der).unwrap_or_else(|_| panic!("no answer: {:?}", reply.der))
}

fn standings(reply: &Reply) -> Vec<Standing> {
    said(reply).answers.into_iter().map(|one| one.standing).collect()
}

fn refused(reply: &Reply, why: Refused) -> bool {
    reply.kept.is_none() && reply.der == ocsp::refusal(why)
}

#[test]
fn good_revoked_and_unknown_are_told_apart_by_either_digest() {
    for digest in [Question::plain().digest, SHA256] {
        let (known, responder) = desk();
        let question = Question { digest, ..Question::plain() };
        assert_eq!(standings(&responder.reply(&question.der())), [Standing::Good]);
        known.revoke();
        assert_eq!(standings(&responder.reply(&question.der())), [Standing::Revoked(NOW)]);
        let never = Question { serials: vec![vec![5], vec![0x11; 16]], ..question };
        assert_eq!(standings(&responder.reply(&never.der())), [Standing::Unknown; 2]);
    }
}

#[test]
fn several_are_answered_in_their_order_and_too_many_not_at_all() {
    let (_, responder) = desk();
    let ask = |serials| responder.reply(&Question { serials, ..Question::plain() }.der());
    assert_eq!(
        standings(&ask(vec![vec![5], serial(), vec![6]])),
        [Standing::Unknown, Standing::Good, Standing::Unknown]
    );
    assert_eq!(standings(&ask(vec![serial(); QUESTIONS_MAX])).len(), QUESTIONS_MAX);
    assert!(refused(&ask(vec![serial(); QUESTIONS_MAX + 1]), Refused::Malformed));
    assert!(refused(&responder.reply(b"nonsense"), Refused::Malformed));
}

/// While two authorities are trusted each answers for its own, with its own name, and one question is not
/// about both.
#[test]
fn an_older_authority_answers_for_itself_and_not_for_the_other() {
    let (known, responder) = desk();
    let older = Question { issuer: [b"name", b"older key"], ..Question::plain() };
    let reply = responder.reply(&older.der());
    assert_eq!(standings(&reply), [Standing::Unknown], "the number is one of the newer's");
    assert_eq!(said(&reply).responder, known.older.key_hash());
    let reply = responder.reply(&Question::plain().der());
    assert_eq!(standings(&reply), [Standing::Good]);
    assert_eq!(said(&reply).responder, known.issuer.key_hash());
}

#[test]
fn nothing_is_said_about_certificates_of_others() {
    let (known, responder) = desk();
    for issuer in [[b"name", b"xyz".as_slice()], [b"xyzt", b"key"]] {
        let issuer = issuer.map(|bytes: &'static [u8]| bytes);
        let reply = responder.reply(&Question { issuer, ..Question::plain() }.der());
        assert!(refused(&reply, Refused::Unauthorized));
    }
    assert_eq!(known.signed(), 0);
}

#[test]
fn a_nonce_is_repeated_and_its_answer_is_nobody_elses() {
    let (known, responder) = desk();
    for bytes in [1, 32, NONCE_MAX_BYTES] {
        let reply = responder.reply(&Question::with_nonce(bytes).der());
        assert_eq!(said(&reply).nonce, Some(vec![7; bytes]));
        assert_eq!(reply.kept, None);
    }
    assert_eq!(known.signed(), 3);
    responder.reply(&Question::with_nonce(32).der());
    assert_eq!(known.signed(), 4, "the same nonce again is signed again");
    assert_eq!(said(&responder.reply(&Question::plain().der())).nonce, None);
}

#[test]
fn an_answer_without_nonce_is_signed_once_for_half_its_life() {
    let (known, responder) = desk();
    let question = Question::plain().der();
    let first = responder.reply(&question);
    assert_eq!(first.kept, Some((NOW, NOW.plus(60))));
    known.pass(29);
    assert_eq!(responder.reply(&question), first);
    assert_eq!(known.signed(), 1);
    known.pass(1);
    assert_eq!(said(&responder.reply(&question)).at, NOW.plus(30));
    assert_eq!(known.signed(), 2);
}

/// "Revoked" must land on the next handshake, not when an answer runs out.
#[test]
fn a_revocation_voids_what_was_kept_at_once() {
    let (known, responder) = desk();
    let question = Question::plain().der();
    assert_eq!(standings(&responder.reply(&question)), [Standing::Good]);
    known.revoke();
    assert_eq!(standings(&responder.reply(&question)), [Standing::Revoked(NOW)]);
}

#[test]
fn an_answer_from_the_future_is_not_handed_out_again() {
    let (known, responder) = desk();
    known.pass(20);
    responder.reply(&Question::plain().der());
    known.now.store(NOW.unix_seconds(), Ordering::SeqCst);
    assert_eq!(said(&responder.reply(&Question::plain().der())).at, NOW);
}

/// Who asks for numbers that never were must not fill our memory.
#[test]
fn what_was_never_issued_is_not_kept() {
    let (known, responder) = desk();
    for _ in 0..2 {
        let question = Question { serials: vec![serial(), vec![5]], ..Question::plain() };
        assert_eq!(responder.reply(&question.der()).kept, None);
    }
    assert_eq!(known.signed(), 2);
    assert!(responder.kept.lock().unwrap().is_empty());
}

/// A broker that cannot revoke must not say that somebody is good, not even once more.
#[test]
fn nobody_is_good_while_revoking_fails() {
    let (known, responder) = desk();
    let question = Question::plain().der();
    assert_eq!(standings(&responder.reply(&question)), [Standing::Good]);
    known.vouches.store(false, Ordering::SeqCst);
    assert!(refused(&responder.reply(&question), Refused::Later));
    known.vouches.store(true, Ordering::SeqCst);
    assert_eq!(standings(&responder.reply(&question)), [Standing::Good]);
}

#[test]
fn a_signature_that_fails_is_told_until_one_succeeds() {
    let (known, responder) = desk();
    known.signs.store(false, Ordering::SeqCst);
    assert!(refused(&responder.reply(&Question::plain().der()), Refused::Internal));
    assert!(responder.fails());
    known.signs.store(true, Ordering::SeqCst);
    assert_eq!(standings(&responder.reply(&Question::plain().der())), [Standing::Good]);
    assert!(!responder.fails());
}

#[test]
fn who_asks_too_often_is_told_to_come_later_and_what_is_kept_is_still_told() {
    let (known, responder) = desk();
    let responder = Responder { signatures: Throttle::new(Rate::new(1, 2)), ..responder };
    assert_eq!(standings(&responder.reply(&Question::plain().der())), [Standing::Good]);
    let fresh = Question::with_nonce(16).der();
    assert_eq!(standings(&responder.reply(&fresh)), [Standing::Good]);
    assert!(refused(&responder.reply(&fresh), Refused::Later));
    assert_eq!(standings(&responder.reply(&Question::plain().der())), [Standing::Good]);
    assert_eq!(known.signed(), 2);
}
