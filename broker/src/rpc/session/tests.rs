use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::{Files, reopen, sample};
use breakglass_ledger::statement::{About, Seen};

use super::*;
use crate::rpc::testing::{Key, compose, log};

const NOW: Timestamp = Timestamp::from_unix_seconds(10_000);

fn proof(shown: &v1::Session) -> Result<Proven, SessionError> {
    prove(shown, &log(), NOW)
}

fn at(seconds: u64) -> v1::Session {
    Key::of(1).session(&log(), "sam", Timestamp::from_unix_seconds(seconds))
}

#[test]
fn a_session_allows_in_the_second_it_names_and_not_after_it() {
    let over = Timestamp::from_unix_seconds(10_001);
    assert_eq!(proof(&at(10_000)).unwrap().until, over);
    assert_eq!(proof(&at(9_999)).err(), Some(SessionError::Over { at: NOW }));
}

#[test]
fn a_session_lives_fifteen_minutes_at_most() {
    assert!(proof(&at(10_900)).is_ok());
    let far = Timestamp::from_unix_seconds(10_901);
    assert_eq!(proof(&at(10_901)).err(), Some(SessionError::TooLong { at: far }));
}

#[test]
fn a_session_for_another_log_is_worthless_here() {
    let other = Origin::new("payments", &[8; 32]).expect("an origin");
    let shown = Key::of(1).session(&other, "sam", NOW.plus(60));
    assert!(matches!(proof(&shown), Err(SessionError::OtherLog { .. })));
}

#[test]
fn an_act_is_not_a_session() {
    let by = "sam".parse().expect("a name");
    let act = Act::Drop(About { request: Digest::ZERO, by, comment: None });
    let statement = compose(&log(), Some(Seen::NOTHING), act, Some(NOW.plus(60)));
    let v1::SubmitRequest { statement, signature, .. } = Key::of(1).say(&statement);
    let shown = v1::Session { statement, signature };
    assert_eq!(proof(&shown).err(), Some(SessionError::OtherAct));
}

#[test]
fn a_session_needs_the_signature_of_its_own_text() {
    let shown = v1::Session { signature: at(10_200).signature, ..at(10_100) };
    let error = proof(&shown).expect_err("refused");
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
}

#[test]
fn a_subject_key_reads_for_whom_its_request_was_made() {
    let id = RequestId::new(1, [0; 10]);
    let (sam, eve) = ("sam".parse().expect("a name"), "eve".parse().expect("a name"));
    let proven = proof(&at(10_100)).expect("in form");
    let session = proven.of_subject(Some((id, &sam))).expect("sam's");
    assert_eq!(session.who, Who::Subject(id));
    for other in [Some((id, &eve)), None] {
        let refused = proven.of_subject(other);
        assert!(matches!(refused, Err(SessionError::KeyUnknown { .. })));
    }
}

#[test]
fn remembered_sessions_are_bounded_and_the_dead_go_first() {
    let sessions = Sessions::new(2);
    let session = |until: u64| {
        let until = Timestamp::from_unix_seconds(until);
        let who = Who::Subject(RequestId::new(1, [0; 10]));
        Arc::new(Session { who, until, key: Key::of(1).public() })
    };
    let name = |number: u8| Digest::of(&[number]);
    sessions.remember(name(1), session(9_000), NOW);
    sessions.remember(name(2), session(11_000), NOW);
    sessions.remember(name(3), session(11_000), NOW);
    assert!(sessions.recall(name(1)).is_none());
    assert!(sessions.recall(name(2)).is_some());
    sessions.remember(name(4), session(11_000), NOW);
    assert!(sessions.known.lock().expect("lock").len() <= 2);
}

#[test]
fn a_statement_is_not_remembered_without_its_signature() {
    let shown = at(10_100);
    let forged = v1::Session { signature: String::new(), ..shown.clone() };
    assert_ne!(Sessions::name(&shown), Sessions::name(&forged));
}

/// A policy whose signer `root` is enrolled as nobody.
fn policy() -> Policy {
    let people: Vec<_> = ["sam", "ada", "bob", "eve"]
        .iter()
        .zip(10..)
        .map(|(name, seed)| (*name, Key::of(seed)))
        .collect();
    let keys: Vec<_> = people.iter().map(|(name, key)| (*name, key.public())).collect();
    let listed: Vec<_> = keys.iter().map(|(name, key)| (*name, key)).collect();
    let signer = Key::of(1).public().to_openssh();
    let authority = format!("quorum = 1\n[[signer]]\nid = \"root\"\nkeys = [\"{signer}\"]\n");
    let files = Files { authority: authority.into_bytes(), ..sample(&listed) };
    let manifest = Act::Policy(files.manifest(1, Digest::ZERO));
    let manifest = compose(&log(), None, manifest, None);
    reopen(&manifest, &files, &log()).expect("a policy")
}

#[test]
fn a_signer_of_the_policy_reads_as_a_signer_and_only_under_their_own_name() {
    let policy = policy();
    let root = Key::of(1).session(&log(), "root", NOW.plus(60));
    let session = proof(&root).expect("in form").of_principal(&policy).expect("theirs");
    let session = session.expect("a signer");
    assert_eq!(session.who, Who::Signer("root".parse().expect("a name")));
    assert!(session.still(&policy, NOW.plus(60)).is_ok());
    assert!(session.still(&policy, NOW.plus(61)).is_err());
    for (seed, name) in [(1, "sam"), (2, "root")] {
        let shown = Key::of(seed).session(&log(), name, NOW.plus(60));
        let other = proof(&shown).expect("in form").of_principal(&policy).expect("nobody else's");
        assert!(other.is_none(), "{name}");
    }
}
