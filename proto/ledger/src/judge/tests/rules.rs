//! The policy's rules, judged by somebody else: here by a few lines that stand for Cedar.

use super::*;
use crate::audit::{Action, Answer, Eligibility, Question};
use crate::policy::Policy;
use crate::statement::{Ask, Lane, ReviewVerdict};

/// Forbids what it was told to forbid, and permits all else by the rule `anybody`.
struct Forbids(Wish);

/// What somebody wants forbidden.
type Wish = fn(&Question<'_>) -> bool;

impl Eligibility for Forbids {
    fn judge(&self, rules: &str, policy: &Policy, question: &Question<'_>) -> Answer {
        assert_eq!(rules, policy.rules);
        if (self.0)(question) {
            return Answer::Forbidden { rules: vec!["never".to_owned()] };
        }
        Answer::Permitted { rules: vec!["anybody".to_owned()] }
    }
}

fn judged(house: &House, rules: Option<&dyn Eligibility>) -> Report {
    house.export().verify_by(&house.trust(), None, rules)
}

fn found(house: &House, forbids: Wish) -> Vec<Code> {
    codes(&judged(house, Some(&Forbids(forbids))))
}

/// Every act that rules are asked about.
fn busy() -> House {
    let mut house = House::ruled();
    let ask = Ask { on_behalf_of: vec!["sam".parse().unwrap()], ..house.ask("bot", "db", 1800) };
    let id = house.request_as("bot", ask);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.collect(id);
    let signed = house.said("bob", Act::Cancel(house.about(id, "bob")));
    house.record(house.revoking(id, Cause::Cancelled, Some(signed)));
    house.review(id, "eve", ReviewVerdict::Justified);
    let denied = house.request("ann", "db", 60);
    house.deny(denied, "eve");
    let lock = house.lock("eve", "scope:gated");
    house.unlock("eve", lock);
    house.declare(60);
    house.resolve("eve");
    house
}

#[test]
fn what_rules_decided_is_unproven_without_somebody_to_judge_them() {
    let mut house = House::ruled();
    house.request("sam", "metered", 60);
    let report = house.verify();
    assert_eq!(codes(&report), [Code::RulesUnjudged]);
    assert_eq!(report.verdict, Verdict::Unproven);
}

#[test]
fn what_the_rules_permit_is_verified() {
    assert_eq!(judged(&busy(), Some(&Forbids(|_| false))).findings, []);
}

#[test]
fn every_act_that_the_rules_forbid_is_found() {
    let house = busy();
    let all: [(Wish, Code); 7] = [
        (
            |asked| asked.action == Action::Request && asked.principal.as_str() == "bot",
            Code::RulesForbid,
        ),
        (
            |asked| asked.action == Action::Request && asked.principal.as_str() == "sam",
            Code::Delegation,
        ),
        (|asked| asked.action == Action::Deny, Code::RulesForbid),
        (|asked| asked.action == Action::Cancel, Code::RulesForbid),
        (|asked| asked.action == Action::Lock, Code::RulesForbid),
        (|asked| asked.action == Action::Declare, Code::RulesForbid),
        (|asked| asked.action == Action::Review, Code::RulesForbid),
    ];
    for (forbids, code) in all {
        assert_eq!(found(&house, forbids), [code], "{code}");
    }
    let by_bob =
        |asked: &Question<'_>| asked.action == Action::Approve && asked.principal.as_str() == "bob";
    assert_eq!(found(&house, by_bob), [Code::RulesForbid, Code::Threshold]);
}

#[test]
fn an_approval_that_counts_no_longer_is_found_when_it_is_issued() {
    let mut house = House::ruled();
    let id = house.request("sam", "db", 60);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.pass(60);
    house.collect(id);
    // Allowed only in the first minute.
    let late = |asked: &Question<'_>| {
        asked.action == Action::Approve && asked.circumstances.at >= crate::testing::START.plus(60)
    };
    assert_eq!(found(&house, late), [Code::Threshold]);
}

#[test]
fn rules_that_cannot_be_read_permit_nothing() {
    struct Unreadable;
    impl Eligibility for Unreadable {
        fn judge(&self, _: &str, _: &Policy, _: &Question<'_>) -> Answer {
            Answer::Unreadable { what: "line 1".to_owned() }
        }
    }
    let mut house = House::ruled();
    house.request("sam", "metered", 60);
    assert_eq!(codes(&judged(&house, Some(&Unreadable))), [Code::RulesForbid]);
}

#[test]
fn a_decision_names_the_rules_that_determined_it() {
    for named in [vec![], vec!["cedar:somebody"], vec!["cedar:anybody", "cedar:somebody"]] {
        let mut house = House::ruled();
        house.rules = named.iter().map(|rule| (*rule).to_owned()).collect();
        house.request("sam", "metered", 60);
        assert_eq!(found(&house, |_| false), [Code::RulesMismatch], "{named:?}");
    }
    // What is not Cedar's is not compared with it.
    let mut house = House::ruled();
    house.rules.push("scope.requesters".to_owned());
    house.request("sam", "metered", 60);
    assert_eq!(found(&house, |_| false), []);
}

#[test]
fn the_rules_are_asked_in_the_circumstances_of_the_ledger() {
    let mut house = House::ruled();
    house.measure(true);
    house.pass(60);
    let id = house.request_in(Lane::Outage, "sam", "db", 1800);
    house.approve(id, "ada", "app-owner");
    let wrong = |asked: &Question<'_>| {
        let is = &asked.circumstances;
        let about = is.lane == Some(Lane::Outage)
            && is.ttl.map(crate::time::Ttl::seconds) == Some(1800)
            && is.incident
            && is.depth == 0
            && is.requester.map(crate::principal::PrincipalId::as_str) == Some("sam")
            && is.outage_since.map(|since| is.at.since(since)) == Some(60)
            && asked.scope.map(crate::principal::ScopeId::as_str) == Some("db");
        let stage = is.stage.map(crate::principal::StageId::as_str);
        let staged = (asked.action == Action::Approve) == (stage == Some("app-owner"));
        !about || !staged
    };
    assert_eq!(found(&house, wrong), []);
    // What was used and what is out is known without the decision saying it.
    let mut house = House::ruled();
    let id = house.request("sam", "metered", 1800);
    house.collect(id);
    house.pass(60);
    house.request("sam", "metered", 60);
    let second = |asked: &Question<'_>| {
        asked.circumstances.at > crate::testing::START
            && (asked.circumstances.live, asked.circumstances.budget) != (1, 1800)
    };
    assert_eq!(found(&house, second), []);
}

/// A new policy re-judges what is out.
#[test]
fn a_grant_that_new_rules_forbid_has_to_end() {
    let mut house = House::ruled();
    let id = house.request("sam", "metered", 3600);
    house.collect(id);
    house.pass(60);
    let mut files = house.files_of_lanes();
    files.rules = b"forbid (principal, action, resource);\n".to_vec();
    house.enact(&files, "pia");
    for _ in 0..4 {
        house.pass(100);
        house.record(house.anchor());
    }
    let since = |asked: &Question<'_>| asked.circumstances.at >= crate::testing::START.plus(60);
    assert_eq!(found(&house, since), [Code::GrantNotClosed]);
    assert_eq!(found(&house, |_| false), []);
}

/// Open requests that the new rules forbid: ended at once, and by the rules that the entry names.
#[test]
fn a_request_that_new_rules_forbid_may_end_at_once() {
    let play = |named: &[&str]| {
        let mut house = House::ruled();
        let id = house.request("sam", "db", 60);
        house.pass(60);
        let mut files = house.files_of_lanes();
        files.rules = b"@id(\"never\")\nforbid (principal, action, resource);\n".to_vec();
        house.enact(&files, "pia");
        house.disallow_by(id, "rules-forbid", named);
        house
    };
    let since = |asked: &Question<'_>| asked.circumstances.at >= crate::testing::START.plus(60);
    assert_eq!(found(&play(&["cedar:never"]), since), []);
    assert_eq!(found(&play(&["cedar:never"]), |_| false), [Code::GrantOrder]);
    assert_eq!(found(&play(&["cedar:ever"]), since), [Code::RulesMismatch]);
    assert_eq!(found(&play(&[]), since), [Code::RulesMismatch]);
    assert_eq!(codes(&judged(&play(&["cedar:never"]), None)), [Code::RulesUnjudged]);
}
