//! Asking on somebody's behalf, and what nobody but a person does.

use breakglass_rules::{DelegationRefusal, Refusal, Request};

use crate::play::{Told, play, refusal, tell};

fn ok(name: &str) -> Told {
    Ok(name.to_owned())
}

/// An agent's agent has a credential of `pair`, on behalf of eve.
const LIVE: &str = "sub: request scope=pair for=eve,bot\n ada: approve both\n kim: approve both\n \
                    subject: collect\n";

#[test]
fn an_agent_asks_on_behalf_of_a_person_who_answers_for_it() {
    assert_eq!(play("bot: request scope=open for=sam"), ok("requested"));
    // By its owner as well as by its sponsor.
    assert_eq!(play("bot: request scope=open for=eve"), ok("requested"));
    assert_eq!(play(LIVE), ok("issued"));
}

#[test]
fn an_agent_never_asks_of_its_own_accord() {
    let refused = refusal("bot: request scope=open");
    assert_eq!(
        refused,
        Refusal::Delegation(DelegationRefusal::Missing { by: "bot".parse().unwrap() })
    );
}

#[test]
fn other_programs_may_say_for_whom_they_ask_and_need_not() {
    assert_eq!(play("job: request scope=open"), ok("requested"));
    // Nobody but an owner of the job could be named, and those may not ask for this.
    assert_eq!(play("job: request scope=open for=liz"), Err("delegation-widens"));
}

#[test]
fn a_person_asks_for_themselves_only() {
    assert_eq!(play("sam: request for=eve"), Err("delegation-not-sponsored"));
    assert_eq!(play("eve: request for=sam"), Err("delegation-not-sponsored"));
}

#[test]
fn every_hop_exists() {
    assert_eq!(play("bot: request scope=open for=nobody"), Err("delegation-unknown"));
    assert_eq!(play("sub: request scope=open for=sam,nobody"), Err("delegation-unknown"));
}

#[test]
fn a_chain_begins_with_a_person() {
    assert_eq!(play("sub: request scope=open for=bot"), Err("delegation-not-human"));
    assert_eq!(play("sub: request scope=open for=bot,sam"), Err("delegation-not-human"));
}

#[test]
fn every_hop_answers_for_the_next() {
    assert_eq!(play("bot: request scope=open for=ada"), Err("delegation-not-sponsored"));
    // eve owns the bot and the bot owns its helper: eve alone does not answer for the helper.
    assert_eq!(play("sub: request scope=open for=eve"), Err("delegation-not-sponsored"));
    assert_eq!(play("sub: request scope=open for=eve,bot"), ok("requested"));
    assert_eq!(play("sub: request scope=open for=eve,job"), Err("delegation-not-sponsored"));
}

#[test]
fn nobody_passes_on_what_they_may_not_hold() {
    let refused = refusal("policy sam-off-call\n bot: request scope=open for=sam");
    let (hop, scope) = ("sam".parse().unwrap(), "open".parse().unwrap());
    assert_eq!(refused, Refusal::Delegation(DelegationRefusal::Widens { hop, scope }));
}

/// R23: through an agent it is one's own request all the same.
#[test]
fn nobody_approves_what_is_asked_on_their_behalf() {
    assert_eq!(play("bot: request scope=pair for=eve\n eve: approve both"), Err("self-approval"));
    assert_eq!(
        play("sub: request scope=pair for=eve,bot\n eve: approve both"),
        Err("self-approval")
    );
    let moved = "bot: request scope=pair for=sam\n policy sam-key-to-ada\n ada: approve both key=1";
    assert_eq!(play(moved), Err("self-approval-by-key"));
}

#[test]
fn the_chain_is_judged_again_when_the_credential_is_issued() {
    let approved = "bot: request scope=pair for=sam\n ada: approve both\n kim: approve both\n";
    let collect = |change: &str| play(&format!("{approved} law {change}\n subject: collect"));
    assert_eq!(collect("live-1"), ok("issued"));
    assert_eq!(collect("bot-disowned"), Err("delegation-not-sponsored"));
    assert_eq!(collect("sam-off-call"), Err("delegation-widens"));
}

/// R14: who stands behind a grant and leaves takes it with them.
#[test]
fn a_grant_ends_with_any_link_of_its_chain() {
    for change in ["bot-disowned", "bot-left"] {
        let (house, _) = tell(&format!("{LIVE} policy {change}"));
        assert_eq!(house.requests[0].state(), "revoked", "{change}");
    }
    let (house, _) = tell(&format!("{LIVE} policy sam-left"));
    assert!(matches!(house.requests[0], Request::Live(_)), "sam is no link of it");
}

#[test]
fn the_chain_stands_in_the_record_of_every_decision() {
    let (house, _) = tell(&format!("{LIVE} ada: cancel"));
    let decisions = house.entries.iter().filter_map(|entry| entry.body.decision());
    let chains: Vec<_> = decisions.map(|decision| decision.context.delegation.clone()).collect();
    let expected = ["eve".parse().unwrap(), "bot".parse().unwrap()];
    assert_eq!(chains, vec![expected.to_vec(); 5]);
}

/// Programs ask and give back; whatever judges others is for people.
#[test]
fn programs_neither_approve_nor_end_what_others_hold() {
    let live = "sam: request scope=open\n subject: collect\n";
    // `job` owns every scope and `bot` approves in one.
    assert_eq!(play(&format!("{live} job: cancel")), Err("not-human"));
    assert_eq!(play("sam: request\n job: cancel"), Err("not-human"));
    assert_eq!(play("sam: request\n bot: deny"), Err("not-human"));
    assert_eq!(play("sam: request\n bot: approve security"), Err("not-human"));
    assert_eq!(play("job: request scope=open\n subject: collect\n job: drop"), ok("revoked"));
}
