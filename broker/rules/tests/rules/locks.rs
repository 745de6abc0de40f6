//! Locks: who sets and lifts them, what they stop and what they end.

use breakglass_ledger::entry::{Body, Cause};
use breakglass_rules::{LOCK_MAX_SECONDS, LOCKS_EACH_MAX, LockRefusal, Refusal, Request};

use crate::play::{Told, play, refusal, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

const APPROVED: &str = "sam: request\n ada: approve app-owner\n bob: approve security\n";

/// sam has a credential of `db`; the rest follows.
fn live(rest: &str) -> String {
    format!("{APPROVED} subject: collect\n{rest}")
}

#[test]
fn owners_lock_and_nobody_else_does() {
    assert_eq!(play("liz: lock principal:sam"), ok("locked"));
    assert_eq!(play("joe: lock principal:sam"), Err("not-entitled-to-lock"));
    // A program that owns is no person.
    assert_eq!(play("job: lock principal:sam"), Err("not-human"));
}

#[test]
fn a_scope_and_its_grants_are_locked_by_its_own_owners() {
    assert_eq!(play("dan: lock principal:sam"), ok("locked"));
    assert_eq!(play("dan: lock host:db-1"), ok("locked"));
    assert_eq!(play("dan: lock scope:web"), ok("locked"));
    assert_eq!(play("dan: lock scope:db"), Err("not-entitled-to-lock"));
    assert_eq!(play(&live("dan: lock grant:1")), Err("not-entitled-to-lock"));
    assert_eq!(play(&live("liz: lock grant:1")), ok("locked"));
    assert_eq!(play("liz: lock grant:1"), Err("not-entitled-to-lock"));
    assert_eq!(play("liz: lock scope:nowhere"), Err("scope-unknown"));
}

#[test]
fn a_lock_ends_within_ninety_days_or_never() {
    assert_eq!(play(&format!("liz: lock scope:db until={LOCK_MAX_SECONDS}")), ok("locked"));
    assert_eq!(
        play(&format!("liz: lock scope:db until={}", LOCK_MAX_SECONDS + 1)),
        Err("lock-end")
    );
    assert_eq!(play("liz: lock scope:db until=0"), Err("lock-end"));
    assert_eq!(play("liz: lock scope:db until=-9"), Err("lock-end"));
    assert_eq!(play("liz: lock scope:db\n pass 80000000\n sam: request"), Err("locked"));
}

#[test]
fn a_locked_person_does_nothing_but_give_back() {
    for act in ["request", "deny", "cancel", "escalate", "lock scope:db"] {
        let story = format!("eve: request\n liz: lock principal:sam\n sam: {act}");
        assert_eq!(play(&story), Err("locked"), "{act}");
    }
    let story = "eve: request scope=pair\n liz: lock principal:ada\n ada: approve both";
    assert_eq!(play(story), Err("locked"));
    assert_eq!(play("sam: request\n liz: lock principal:sam\n sam: withdraw"), ok("withdrawn"));
    assert_eq!(
        play(&format!("{APPROVED} liz: lock principal:sam\n subject: collect")),
        Err("locked")
    );
}

#[test]
fn a_locked_key_does_nothing_and_another_key_of_the_same_person_does() {
    assert_eq!(play("liz: lock key:1\n sam: request"), Err("locked"));
    assert_eq!(play("liz: lock key:1\n sam: request key=2"), ok("requested"));
    // The request that it signed is worth nothing either.
    assert_eq!(play(&format!("{APPROVED} liz: lock key:1\n subject: collect")), Err("locked"));
    // Nor is what is bound to a locked subject key.
    assert_eq!(play(&format!("{APPROVED} liz: lock key:101\n subject: collect")), Err("locked"));
    assert_eq!(play("liz: lock key:101\n sam: request"), Err("locked"));
}

#[test]
fn a_locked_scope_is_neither_asked_for_nor_approved_nor_issued() {
    assert_eq!(play("liz: lock scope:db\n sam: request"), Err("locked"));
    assert_eq!(play("sam: request\n liz: lock scope:db\n ada: approve app-owner"), Err("locked"));
    assert_eq!(play(&format!("{APPROVED} liz: lock scope:db\n subject: collect")), Err("locked"));
    assert_eq!(play("liz: lock scope:db\n sam: request scope=web"), ok("requested"));
    // Saying no is always possible.
    assert_eq!(play("sam: request\n liz: lock scope:db\n ada: deny"), ok("denied"));
}

#[test]
fn a_locked_host_locks_every_scope_that_opens_it() {
    assert_eq!(play("liz: lock host:db-1\n sam: request"), Err("locked"));
    assert_eq!(play("liz: lock host:db-1\n sam: request scope=web"), ok("requested"));
    let story = "liz: lock host:db-1\n policy web-on-db-1\n sam: request scope=web";
    assert_eq!(play(story), Err("locked"));
}

#[test]
fn a_locked_grant_is_neither_approved_nor_issued_and_others_go_on() {
    assert_eq!(play("sam: request\n liz: lock grant:1\n ada: approve app-owner"), Err("locked"));
    let other = "sam: request\n liz: lock grant:1\n eve: request\n ada: approve app-owner";
    assert_eq!(play(other), ok("approved"));
}

#[test]
fn whoever_is_stopped_is_told_which_lock_and_until_when() {
    let refused =
        refusal("liz: lock principal:joe\n liz: lock principal:sam until=60\n sam: request");
    let Refusal::Lock(LockRefusal::Locked { seq, target, until, message }) = refused else {
        panic!("{refused}")
    };
    assert_eq!((seq, target.to_string().as_str()), (2, "principal:sam"));
    assert!(until.is_some() && message.is_some());
}

#[test]
fn live_grants_that_a_lock_covers_end_with_it() {
    for target in ["principal:sam", "key:1", "key:101", "scope:db", "host:db-1", "grant:1"] {
        let (house, outcome) = tell(&live(&format!("liz: lock {target}")));
        assert_eq!(outcome.unwrap(), "locked");
        assert_eq!(house.requests[0].state(), "revoked", "{target}");
        let Body::Revoked(revoked) = &house.entries.last().unwrap().body else { panic!() };
        assert_eq!(revoked.cause, Cause::Locked);
        assert_eq!(revoked.decision.rules, ["lock:5"]);
    }
    for target in ["principal:ada", "key:11", "scope:web", "host:db-2"] {
        let (house, _) = tell(&live(&format!("liz: lock {target}")));
        assert!(matches!(house.requests[0], Request::Live(_)), "{target}");
    }
}

#[test]
fn a_lock_on_whoever_stands_behind_an_agent_ends_what_the_agent_holds() {
    let story = "sub: request scope=open for=eve,bot\n subject: collect\n";
    for who in ["eve", "bot", "sub"] {
        let (house, _) = tell(&format!("{story} liz: lock principal:{who}"));
        assert_eq!(house.requests[0].state(), "revoked", "{who}");
        let asked = format!("liz: lock principal:{who}\n sub: request scope=open for=eve,bot");
        assert_eq!(play(&asked), Err("locked"), "{who}");
    }
}

#[test]
fn a_policy_that_puts_a_grant_under_a_lock_ends_it() {
    let story = "sam: request scope=web\n dan: approve app-owner\n subject: collect\n \
                 liz: lock host:db-1\n policy web-on-db-1";
    let (house, _) = tell(story);
    let Body::Revoked(revoked) = &house.entries.last().unwrap().body else { panic!() };
    assert_eq!(revoked.cause, Cause::Locked);
}

#[test]
fn what_a_locked_approver_said_does_not_count_while_they_are_locked() {
    let story = format!("{APPROVED} liz: lock principal:bob\n");
    assert_eq!(play(&format!("{story} subject: collect")), Err("not-approved-yet"));
    assert_eq!(play(&format!("{story} zoe: approve security\n subject: collect")), ok("issued"));
    assert_eq!(play(&format!("{story} liz: unlock\n subject: collect")), ok("issued"));
    let story = format!("{APPROVED} liz: lock key:15\n subject: collect");
    assert_eq!(play(&story), Err("not-approved-yet"));
}

#[test]
fn a_lock_is_lifted_by_those_who_may_set_it() {
    assert_eq!(play("liz: lock principal:sam\n liz: unlock\n sam: request"), ok("requested"));
    assert_eq!(play("liz: lock principal:sam\n dan: unlock"), ok("unlocked"));
    assert_eq!(play("liz: lock scope:db\n dan: unlock"), Err("not-entitled-to-lock"));
    assert_eq!(play("liz: lock principal:sam\n joe: unlock"), Err("not-entitled-to-lock"));
    assert_eq!(play("liz: lock principal:sam\n job: unlock"), Err("not-human"));
    assert_eq!(play("liz: unlock"), Err("lock-unknown"));
    assert_eq!(play("liz: lock scope:db\n liz: unlock\n liz: unlock"), Err("lock-unknown"));
}

#[test]
fn nobody_lifts_a_lock_of_their_own() {
    assert_eq!(play("liz: lock principal:dan\n dan: unlock"), Err("unlock-own"));
    assert_eq!(play("liz: lock key:17\n dan: unlock"), Err("unlock-own"));
    // One's own grant, even where one owns its scope.
    let story = "policy liz-on-call\n liz: request scope=open\n liz: lock grant:1\n liz: unlock";
    assert_eq!(play(story), Err("unlock-own"));
    // Who is locked by one lock does not lift another.
    let story = "liz: lock scope:web\n liz: lock principal:dan\n dan: unlock lock=1";
    assert_eq!(play(story), Err("locked"));
}

#[test]
fn several_locks_are_lifted_one_by_one() {
    let story = "liz: lock principal:sam\n liz: lock scope:db\n liz: unlock lock=1\n";
    assert_eq!(play(&format!("{story} sam: request")), Err("locked"));
    assert_eq!(play(&format!("{story} liz: unlock lock=2\n sam: request")), ok("requested"));
}

#[test]
fn the_clock_lifts_a_lock_when_it_is_over_and_it_stops_nothing_from_then_on() {
    let story = "liz: lock principal:sam until=60\n pass 59\n";
    assert_eq!(play(&format!("{story} sam: request")), Err("locked"));
    assert_eq!(play(&format!("{story} clock: unlock")), Err("still-allowed"));
    assert_eq!(play(&format!("{story} pass 1\n sam: request")), ok("requested"));
    assert_eq!(play(&format!("{story} pass 1\n clock: unlock\n sam: request")), ok("requested"));
    let lifted = format!("{story} pass 1\n clock: unlock\n liz: unlock");
    assert_eq!(play(&lifted), Err("lock-unknown"));
    assert_eq!(play("liz: lock scope:db\n pass 90000\n clock: unlock"), Err("still-allowed"));
}

/// Locks are on record with who set them and why they might.
#[test]
fn a_lock_says_by_which_right_it_was_set() {
    let (house, _) = tell("liz: lock scope:db until=60\n pass 60\n clock: unlock");
    let rules: Vec<_> = house
        .entries
        .iter()
        .filter_map(|entry| entry.body.decision())
        .map(|one| &one.rules)
        .collect();
    assert_eq!(rules, [&["owner"], &["locked-until"]]);
}

/// Nobody's memory is filled with locks, and whoever sets so many keeps nobody else from locking.
#[test]
fn nobody_sets_more_locks_than_one_person_may() {
    let many = "liz: lock scope:web\n".repeat(LOCKS_EACH_MAX);
    assert_eq!(play(&format!("{many} liz: lock scope:db")), Err("locks-max"));
    assert_eq!(play(&format!("{many} dan: lock scope:web")), ok("locked"));
    assert_eq!(play(&format!("{many} dan: unlock lock=1\n liz: lock scope:db")), ok("locked"));
}
