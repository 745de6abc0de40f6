//! The policy's own rules, asked wherever people decide.

use breakglass_ledger::entry::{Body, Decision};
use breakglass_rules::{AskRefusal, Refusal};

use crate::house::House;
use crate::play::{play, refusal, tell};

const APPROVED: &str = "sam: request\n ada: approve app-owner\n bob: approve security\n";

fn under(rules: &str, story: &str) -> String {
    format!("policy rules:{rules}\n{story}")
}

/// The decision of the newest entry.
fn newest(house: &House) -> &Decision {
    house.entries.last().unwrap().body.decision().unwrap()
}

#[test]
fn what_the_rules_permit_goes_as_without_them_and_names_them() {
    let story =
        under("all", &format!("{APPROVED}subject: collect\n subject: pickup\n ada: cancel"));
    let (house, outcome) = tell(&story);
    assert_eq!(outcome.unwrap(), "revoked");
    let Body::Issued(issued) = &house.entries[5].body else { panic!("not issued") };
    let rules = ["requesters", "stage:app-owner", "stage:security", "cedar:all"];
    assert_eq!(issued.decision.rules, rules);
    assert_eq!(newest(&house).rules, ["approver", "cedar:all"]);
}

#[test]
fn what_the_rules_saw_stands_in_the_decision() {
    let (house, _) = tell(&under("all", "sam: request\n ada: approve app-owner"));
    let asked = &house.entries[2].body.decision().unwrap().context;
    assert_eq!((asked.live, asked.budget, asked.stage.as_ref()), (Some(0), Some(0), None));
    assert_eq!(newest(&house).context.stage.as_ref().unwrap().as_str(), "app-owner");
    let (plain, _) = tell("sam: request\n ada: approve app-owner");
    let context = &newest(&plain).context;
    assert_eq!((context.live, context.budget, context.stage.as_ref()), (None, None, None));
}

/// Rules narrow what the data allows and never widen it.
#[test]
fn rules_do_not_let_anybody_do_what_the_data_refuses() {
    assert_eq!(play(&under("all", "joe: request")), Err("requester-not-entitled"));
    let dan = under("all", "sam: request\n dan: approve app-owner");
    assert_eq!(play(&dan), Err("approver-not-entitled"));
    assert_eq!(play(&under("all", "sam: request\n sam: approve app-owner")), Err("self-approval"));
    assert_eq!(play(&under("all", "sam: request\n joe: deny")), Err("not-entitled-to-end"));
}

#[test]
fn whoever_no_rule_permits_may_not() {
    let why = refusal(&under("reads-only", "sam: request"));
    let Refusal::Ask(AskRefusal::RulesForbid { by, action, rules }) = &why else {
        panic!("{why:?}")
    };
    assert_eq!((by.as_str(), *action, rules.len()), ("sam", "request", 0));
    assert!(why.to_string().contains("no rule permits it"));
}

#[test]
fn a_refusal_names_the_rules_that_forbid_and_what_they_saw() {
    let (house, outcome) = tell(&under("no-sam", "sam: request"));
    let why = outcome.unwrap_err();
    assert!(why.to_string().contains("forbidden by cedar:no-sam"), "{why}");
    assert_eq!(newest(&house).rules, ["rules-forbid", "cedar:no-sam"]);
    assert_eq!(newest(&house).context.live, Some(0));
    assert_eq!(play(&under("no-sam", "eve: request")), Ok("requested".to_owned()));
}

/// Every act that people decide by is judged by the rule about it, and by no other.
#[test]
fn each_act_is_judged_by_its_own_rules() {
    let forbidden = [
        ("no-ada", "sam: request\n ada: approve app-owner"),
        ("no-deny", "sam: request\n ada: deny"),
        ("no-cancel", "sam: request\n ada: cancel"),
        ("no-eve-lock", "eve: lock scope:db"),
        ("no-dan-declare", "dan: declare until=3600"),
        (
            "no-liz-review",
            &format!("{APPROVED}subject: collect\n sam: drop\n liz: review justified"),
        ),
    ];
    for (rules, story) in forbidden {
        assert_eq!(play(&under(rules, story)), Err("rules-forbid"), "{rules}");
        assert!(play(&under("all", story)).is_ok(), "{rules}: {:?}", play(&under("all", story)));
    }
}

#[test]
fn a_live_grant_can_be_kept_from_being_cancelled() {
    let live = format!("{APPROVED}subject: collect\n ada: cancel");
    assert_eq!(play(&under("no-cancel", &live)), Err("rules-forbid"));
}

/// Approvals given before a rule count only if the rule lets them.
#[test]
fn approvals_are_judged_again_when_they_are_counted() {
    for rules in ["no-ada", "no-bob", "approvals-fail"] {
        let story = format!("policy rules:all\n{APPROVED}policy rules:{rules}\n subject: collect");
        assert_eq!(play(&story), Err("not-approved-yet"), "{rules}");
    }
    let other = format!("policy rules:all\n{APPROVED}policy rules:no-cancel\n subject: collect");
    assert_eq!(play(&other), Ok("issued".to_owned()));
}

#[test]
fn the_requester_is_judged_again_when_it_is_issued() {
    let story = format!("policy rules:all\n{APPROVED}law rules:no-sam\n subject: collect");
    assert_eq!(play(&story), Err("rules-forbid"));
    let counted = "policy rules:one-live\n sam: request\n eve: request\n ada: approve app-owner of=1\n \
        bob: approve security of=1\n kim: approve app-owner of=2\n zoe: approve security of=2\n \
        subject: collect of=1\n subject: collect of=2";
    assert_eq!(play(counted), Err("rules-forbid"));
}

/// What a new rule no longer allows ends at once, by the policy and not by anybody.
#[test]
fn a_new_rule_ends_live_grants() {
    let live = format!("policy rules:all\n{APPROVED}subject: collect\n");
    for (rules, ends) in
        [("no-sam", true), ("short", true), ("fails", true), ("no-ada", false), ("one-live", false)]
    {
        let (house, _) = tell(&format!("{live} policy rules:{rules}"));
        let newest = &house.entries.last().unwrap().body;
        let revoked =
            matches!(newest, Body::Revoked(revoked) if revoked.cause.name() == "policy-changed");
        assert_eq!(revoked, ends, "{rules}");
    }
}

/// R26: a rule that fails is a no, and says so.
#[test]
fn a_failing_rule_refuses() {
    let why = refusal(&under("fails", "sam: request"));
    assert_eq!(why.name(), "rules-unreadable");
    assert!(why.to_string().contains("fails"), "{why}");
}

/// Nobody passes on through an agent what the rules would refuse them.
#[test]
fn rules_judge_every_hop() {
    assert_eq!(play(&under("all", "bot: request scope=open for=sam")), Ok("requested".to_owned()));
    let story = under("no-sam", "bot: request scope=open for=sam");
    assert_eq!(play(&story), Err("delegation-widens"));
}

#[test]
fn rules_see_whether_the_dependency_is_down() {
    let ask = "sam: request scope=idp lane=outage";
    assert_eq!(
        play(&under("only-outage", &format!("probe: down\n{ask}"))),
        Ok("requested".to_owned())
    );
}

/// Whoever looks after security locks and declares by the rules, and owns nothing.
#[test]
fn under_rules_ownership_is_not_needed_to_lock_or_declare() {
    assert_eq!(play("joe: lock scope:db"), Err("not-entitled-to-lock"));
    assert!(play(&under("all", "joe: lock scope:db")).is_ok());
    assert!(play(&under("all", "joe: declare until=3600")).is_ok());
}
