//! Faults that shipped elsewhere, each shown not to be ours.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Body;
use breakglass_ledger::key::{KeyError, PublicKey};
use breakglass_ledger::policy::{Files, check};
use breakglass_ledger::statement::{Act, Approve, Statement};
use breakglass_ledger::time::Ttl;
use breakglass_rules::Request;

use crate::house::House;
use crate::law::{key, law, log, seed_of};
use crate::play::{Told, nonce, play, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

const APPROVED: &str = "sam: request\n ada: approve app-owner\n bob: approve security\n";

/// R01: an approval names the digest of the request's bytes; a request that differs in anything is
/// another request, and has no approvals. There is no status that anybody could supply.
#[test]
fn an_approval_does_not_carry_over_to_an_edited_request() {
    let (house, _) = tell(APPROVED);
    let first = house.requests[0].asked();
    let mut edited = first.ask.clone();
    edited.ttl = Ttl::from_seconds(3600).unwrap();
    let edited =
        Statement::compose(&log(), None, Act::Request(edited), None, nonce(1)).map(|s| s.digest());
    assert_ne!(edited.ok(), Some(first.statement));
    let story = format!("{APPROVED} sam: withdraw\n sam: request ttl=3600\n subject: collect");
    assert_eq!(play(&story), Err("not-approved-yet"));
    let story = "sam: request\n eve: request\n ada: approve app-owner of=2\n \
                 bob: approve security of=2\n subject: collect of=1";
    assert_eq!(play(story), Err("not-approved-yet"));
}

/// R01: an approval presented for a request that it does not name is refused.
#[test]
fn an_approval_presented_for_another_request_is_refused() {
    let mut house = House::new();
    let approve = Act::Approve(Approve {
        request: Digest::of(b"another request"),
        by: "ada".parse().unwrap(),
        stage: "app-owner".parse().unwrap(),
        policy: house.policy().digest,
        ttl_max: Ttl::MAX,
        comment: None,
    });
    let statement = house.compose(approve);
    let outcome = house.submit(&statement, &key(seed_of("ada")));
    assert_eq!(outcome.unwrap_err().name(), "request-unknown");
    let (other, _) = tell("sam: request");
    let outcome = other.misfile(&statement, &key(seed_of("ada")), 0);
    assert_eq!(outcome.unwrap_err().name(), "request-mismatch");
}

/// R02: no approvals are enough only where the policy says so in so many words; neither an empty
/// list of stages nor a quorum of zero passes the check.
#[test]
fn zero_approvals_never_satisfy_a_stage() {
    assert_eq!(play("sam: request\n subject: collect"), Err("not-approved-yet"));
    assert_eq!(play("sam: request scope=pair\n subject: collect"), Err("not-approved-yet"));
}

/// R06: a certificate is neither a signing nor a subject key.
#[test]
fn a_certificate_is_not_a_key() {
    let plain = key(1).to_openssh();
    let certificate = plain.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com ");
    assert!(matches!(PublicKey::from_openssh(&certificate), Err(KeyError::Type(_))));
    let (house, _) = tell("sam: request");
    let asked = house.requests[0].asked();
    let ask = Act::Request(asked.ask.clone());
    let statement = Statement::compose(&log(), None, ask, Some(house.now), nonce(2));
    if let Ok(statement) = statement {
        let subject = asked.ask.key.as_ref().unwrap().to_openssh();
        let text = statement.text().replace(
            &subject,
            &subject.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com "),
        );
        assert_ne!(text, statement.text());
        assert!(Statement::parse(text.as_bytes()).is_err());
    }
}

/// R10: an ending names one grant, and its author may end that one; another person's is refused
/// and the refusal recorded.
#[test]
fn nobody_ends_a_grant_that_is_not_theirs_to_end() {
    let story = format!("{APPROVED} subject: collect\n eve: request scope=web\n !eve: drop of=1");
    let (house, _) = tell(&format!("{story}\n !dan: cancel of=1"));
    assert!(matches!(house.requests[0], Request::Live(_)));
    let types: Vec<_> = house.entries.iter().map(|entry| entry.body.type_name()).collect();
    assert_eq!(types[types.len() - 2..], ["refused", "refused"]);
}

/// R12: denying, cancelling and withdrawing need somebody entitled.
#[test]
fn strangers_do_not_end_requests() {
    assert_eq!(play("sam: request\n joe: deny"), Err("not-entitled-to-end"));
    assert_eq!(play("sam: request\n joe: cancel"), Err("not-entitled-to-end"));
    assert_eq!(play("sam: request\n joe: withdraw"), Err("not-yours"));
}

/// R12: so do locking and lifting a lock; and whoever tries without being entitled is on record.
#[test]
fn strangers_do_not_lock_and_their_tries_are_recorded() {
    let live = format!("{APPROVED} subject: collect\n liz: lock scope:web\n");
    for act in ["lock principal:sam", "lock scope:db", "lock grant:1", "unlock", "cancel of=1"] {
        let (house, outcome) = tell(&format!("{live} joe: {act}"));
        assert!(outcome.is_err(), "{act}");
        assert!(matches!(house.requests[0], Request::Live(_)), "{act}");
        assert_eq!(house.world.locks.len(), 1, "{act}");
        let Body::Refused(refused) = &house.entries.last().unwrap().body else { panic!("{act}") };
        assert_eq!(refused.by.as_ref().map(|by| by.as_str()), Some("joe"), "{act}");
    }
}

/// R13: knowing a request's id or digest gives nothing to whoever is not entitled.
#[test]
fn ids_are_not_capabilities() {
    assert_eq!(play(&format!("{APPROVED} joe: collect")), Err("not-the-subject-key"));
    assert_eq!(play(&format!("{APPROVED} sam: collect")), Err("not-the-subject-key"));
    assert_eq!(
        play(&format!("{APPROVED} subject: collect\n joe: collect")),
        Err("not-the-subject-key")
    );
    assert_eq!(play("sam: request\n joe: approve app-owner"), Err("approver-not-entitled"));
}

/// R14: who or what left the policy holds nothing any more.
#[test]
fn grants_do_not_survive_their_scope_or_holder() {
    for change in ["db-gone", "sam-left"] {
        let (house, _) = tell(&format!("{APPROVED} subject: collect\n policy {change}"));
        assert_eq!(house.requests[0].state(), "revoked", "{change}");
    }
}

/// R16: collecting is bound to the key in the request, not to the person.
#[test]
fn nobody_collects_with_another_key() {
    let story = format!("{APPROVED} subject: collect key=102");
    assert_eq!(play(&story), Err("not-the-subject-key"));
    let story = format!("{APPROVED} eve: request\n subject: collect of=1 key=102");
    assert_eq!(play(&story), Err("not-the-subject-key"));
}

/// R22: what approvers were shown is what is issued: the approval carries the request's digest,
/// stage and policy, and a scope that opens something else by now issues nothing on it.
#[test]
fn an_approval_covers_what_was_shown_and_nothing_else() {
    for change in ["principals-changed", "principals-added", "source-narrowed", "command-forced"] {
        let story = format!("{APPROVED} law {change}\n subject: collect");
        assert_eq!(play(&story), Err("scope-changed"), "{change}");
        let story = format!("sam: request\n law {change}\n ada: approve app-owner");
        assert_eq!(play(&story), Err("scope-changed"), "{change}");
    }
    let story = "sam: request\n policy live-1\n ada: approve app-owner policy=1";
    assert_eq!(play(story), Err("policy-not-in-force"));
}

/// R23: nobody approves their own request, by name, by another key, or by a key under a new name.
#[test]
fn nobody_approves_their_own_request() {
    assert_eq!(play("eve: request\n eve: approve security"), Err("self-approval"));
    assert_eq!(play("sam: request\n sam: approve app-owner"), Err("self-approval"));
    assert_eq!(play("sam: request\n sam: approve app-owner key=2"), Err("self-approval"));
    let moved = "law sam-key-to-ada\n ada: approve app-owner key=1";
    assert_eq!(play(&format!("sam: request\n {moved}")), Err("self-approval-by-key"));
    assert_eq!(play(&format!("sam: request key=2\n {moved}")), Err("self-approval-by-key"));
}

/// R23: two keys of one person are one person.
#[test]
fn two_keys_of_one_person_count_once() {
    let story = "sam: request scope=pair\n ada: approve both key=11\n ada: approve both key=12";
    assert_eq!(play(story), Err("already-approved"));
}

/// R24: where nobody may approve, nobody does.
#[test]
fn an_empty_approver_set_lets_nobody_approve() {
    let (policy, _) = law("base", 1);
    for who in ["sam", "ada", "joe", "liz"] {
        assert!(!policy.is_any(&who.parse().unwrap(), &[]));
    }
    assert_eq!(play("sam: request scope=open\n liz: approve app-owner"), Err("stage-unknown"));
}

/// R25: a policy that cannot be read stops approving and issuing; it never reads as "not needed".
#[test]
fn what_cannot_be_judged_is_not_granted() {
    assert_eq!(play("sam: request\n forget\n ada: approve app-owner"), Err("policy-unreadable"));
    assert_eq!(play(&format!("{APPROVED} forget\n subject: collect")), Err("policy-unreadable"));
    let story = "sam: request scope=open\n forget\n subject: collect";
    assert_eq!(play(story), Err("policy-unreadable"));
}

/// R25: nor does a grant go on under a policy that cannot be compared.
#[test]
fn a_grant_that_cannot_be_judged_again_ends() {
    let story = format!("{APPROVED} subject: collect\n forget\n clock: rejudge");
    assert_eq!(play(&story), ok("revoked"));
}

/// R27: the deadline counts inside the decision, whether or not the clock has come by.
#[test]
fn a_late_approval_revives_nothing() {
    let story = "sam: request\n ada: approve app-owner\n pass 899\n bob: approve security";
    assert_eq!(play(story), ok("approved"));
    let story = "sam: request\n ada: approve app-owner\n pass 900\n bob: approve security";
    assert_eq!(play(story), Err("late"));
    let story = "sam: request\n pass 900\n clock: lapse\n bob: approve security";
    assert_eq!(play(story), Err("wrong-state"));
}

/// R30: approvers belong to the stage of this scope; a sibling's stage of the same name is another.
#[test]
fn a_siblings_approvers_do_not_approve() {
    assert_eq!(
        play("sam: request scope=web\n ada: approve app-owner"),
        Err("approver-not-entitled")
    );
    assert_eq!(play("sam: request\n dan: approve app-owner"), Err("approver-not-entitled"));
}

/// R33: there is no delete. Whatever was issued ends by being revoked, and only then closes.
#[test]
fn whatever_was_issued_is_revoked_before_it_closes() {
    for end in ["sam: drop", "ada: cancel", "pass 600\n clock: expire", "policy sam-left"] {
        let (house, _) =
            tell(&format!("{APPROVED} subject: collect\n {end}\n pass 900\n clock: close"));
        let types: Vec<_> = house.entries.iter().map(|entry| entry.body.type_name()).collect();
        let issued = types.iter().position(|name| *name == "issued").unwrap();
        let after: Vec<_> =
            types[issued..].iter().filter(|name| **name != "policy").copied().collect();
        assert_eq!(after, ["issued", "revoked", "closed"], "{end}");
    }
}

/// R02, R24 at their source: what these rules would refuse does not even become a policy.
#[test]
fn a_policy_without_stages_or_quorum_is_no_policy() {
    let (_, manifest) = law("base", 1);
    assert!(matches!(manifest.act(), Act::Policy(_)));
    assert!(check(&Files::default()).is_err());
}
