//! A new policy and what waits: what it can never let be issued ends at once, and nothing else does.

use breakglass_ledger::entry::Body;
use breakglass_rules::Request;

use crate::house::House;
use crate::play::{play, refusal, tell};

/// sam's request, approved in full by those who will stay or leave.
const APPROVED: &str = "sam: request ttl=1800\n ada: approve app-owner\n bob: approve security\n";

/// The rules that the newest `lapsed` entry names; none if there is no such entry.
fn lapsed(house: &House) -> Vec<String> {
    let newest = house.entries.iter().rev().find_map(|entry| match &entry.body {
        Body::Lapsed(body) => Some(body.decision.rules.clone()),
        _ => None,
    });
    newest.unwrap_or_default()
}

fn after(story: &str) -> (House, String) {
    let (house, _) = tell(story);
    let named = lapsed(&house).join(" ");
    (house, named)
}

#[test]
fn what_a_new_policy_would_never_issue_ends_when_it_comes_into_force() {
    for (change, why) in [
        ("sam-left", "requester-not-entitled"),
        ("sam-off-call", "requester-not-entitled"),
        ("sam-rekeyed", "key-not-theirs"),
        ("sam-key-to-ada", "key-not-theirs"),
        ("db-gone", "scope-unknown"),
        ("ttl-lower", "ttl-too-long"),
        ("agents-only", "identity-kind-not-allowed"),
        ("subject-enrolled", "subject-key-enrolled"),
        ("principals-changed", "scope-changed"),
        ("principals-added", "scope-changed"),
        ("command-forced", "scope-changed"),
        ("stage-renamed", "stage-unsatisfiable"),
    ] {
        for story in [APPROVED, "sam: request ttl=1800\n"] {
            let (house, named) = after(&format!("{story} policy {change}"));
            assert_eq!(named, format!("policy-changed {why}"), "{change}");
            assert_eq!(house.requests[0].state(), "lapsed", "{change}");
            assert!(matches!(house.requests[0], Request::Closed(_)), "{change}");
            let Some(policy) = house.entries.last().and_then(|entry| entry.body.decision()) else {
                continue;
            };
            assert_eq!(policy.policy, house.policy().digest, "{change}");
        }
    }
}

/// The approvals do not count any more, or will not; others can be given.
#[test]
fn what_a_new_policy_might_still_issue_waits_on() {
    for change in [
        "base",
        "bob-left",
        "bob-agent",
        "ada-demoted",
        "ada-rekeyed",
        "new-joined",
        "quorum-2",
        "live-1",
        "escalate-others",
        "emergency-gone",
    ] {
        let (house, named) = after(&format!("{APPROVED} policy {change}"));
        assert_eq!((house.requests[0].state(), named.as_str()), ("pending", ""), "{change}");
    }
    let others = format!("{APPROVED} policy bob-left\n zoe: approve security\n subject: collect");
    assert_eq!(play(&others), Ok("issued".to_owned()));
}

/// Whom a stage can be passed on to may still agree, whether it was or not; whoever was named since
/// may not.
#[test]
fn those_to_whom_a_stage_passes_on_are_among_the_people_left() {
    let hot = "sam: request scope=hot ttl=600\n";
    let (house, _) = after(&format!("{hot} policy hot-leads-gone"));
    assert_eq!(house.requests[0].state(), "pending", "liz owns it and may be passed it");
    let (_, named) = after(&format!("{hot} policy hot-leads-and-owners-gone"));
    assert_eq!(named, "policy-changed stage-unsatisfiable");
}

#[test]
fn nobody_is_counted_for_two_stages() {
    // Of those who were asked eve alone is left, for either of two stages.
    let (_, named) = after("sam: request\n policy eve-alone");
    assert_eq!(named, "policy-changed stage-unsatisfiable");
    // In an emergency nobody has to agree.
    let alone =
        "sam: request scope=hot\n pass 600\n sam: request scope=hot lane=emergency ttl=300\n";
    let (house, _) = after(&format!("{alone} policy hot-leads-and-owners-gone"));
    assert_eq!((house.requests[0].state(), house.requests[1].state()), ("lapsed", "pending"));
}

#[test]
fn a_lane_that_is_gone_ends_what_waits_in_it_and_nothing_beside() {
    let alone =
        "sam: request scope=hot\n pass 600\n sam: request scope=hot lane=emergency ttl=300\n";
    let (house, named) = after(&format!("{alone} policy emergency-gone"));
    assert_eq!(named, "policy-changed lane-not-offered");
    assert_eq!((house.requests[0].state(), house.requests[1].state()), ("pending", "lapsed"));
}

#[test]
fn a_chain_that_does_not_hold_any_more_ends_what_waits() {
    let (_, named) = after("bot: request scope=pair for=sam\n policy bot-disowned");
    assert_eq!(named, "policy-changed delegation-not-sponsored");
    let (_, named) = after("bot: request scope=pair for=sam\n policy sam-off-call");
    assert_eq!(named, "policy-changed delegation-widens");
}

#[test]
fn what_rules_forbid_ends_and_names_them() {
    let asked = "policy rules:all\n sam: request\n";
    let (house, named) = after(&format!("{asked} policy rules:no-sam"));
    assert_eq!(named, "policy-changed rules-forbid cedar:no-sam");
    let decision = house.entries.iter().rev().find_map(|entry| match &entry.body {
        Body::Lapsed(body) => Some(&body.decision),
        _ => None,
    });
    let context = &decision.unwrap().context;
    assert_eq!((context.live, context.budget), (Some(0), Some(0)), "what the rules may have seen");
    let (_, named) = after(&format!("{asked} policy rules:fails"));
    assert_eq!(named, "policy-changed rules-unreadable");
    // Rules about approvers are asked when somebody approves, and may answer otherwise by then.
    let (house, _) = after(&format!("{asked} policy rules:no-ada"));
    assert_eq!(house.requests[0].state(), "pending");
}

/// R27: what lapsed by its time lapses for that, whatever a policy says of it afterwards.
#[test]
fn what_is_over_anyway_is_not_ended_by_the_policy() {
    let (house, named) = after("sam: request\n pass 900\n policy sam-left");
    assert_eq!((house.requests[0].state(), named.as_str()), ("pending", ""));
    let (_, named) = after("sam: request\n pass 900\n policy sam-left\n clock: lapse");
    assert_eq!(named, "pending-max");
}

/// A policy of the past that is lost is no word of the new one. Nothing is issued meanwhile.
#[test]
fn a_lost_policy_ends_nothing_that_waits() {
    let (house, _) = after("sam: request\n forget\n policy bob-left");
    assert_eq!(house.requests[0].state(), "pending");
    assert_eq!(play("sam: request\n forget\n clock: rejudge"), Err("policy-unreadable"));
    let (_, named) = after("sam: request\n forget\n policy sam-left");
    assert_eq!(named, "policy-changed requester-not-entitled");
}

#[test]
fn what_is_over_is_not_judged_again() {
    assert_eq!(refusal("sam: request\n clock: rejudge").name(), "still-allowed");
    assert_eq!(refusal("sam: request\n sam: withdraw\n clock: rejudge").name(), "wrong-state");
}
