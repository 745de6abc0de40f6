//! Ends: in time, not before, and in order.

use super::*;

#[test]
fn every_end_in_its_time_is_fine() {
    let mut house = House::new();
    let (dropped, expired) = (house.emergency(), house.emergency());
    house.drop_grant(dropped, "sam");
    house.expire(expired);
    house.close(dropped, Outcome::Revoked);
    house.close(expired, Outcome::Revoked);
    let lapsing = house.request("sam", "quick", 60);
    house.pass(600);
    house.lapse(lapsing);
    assert_eq!(house.verify().findings, []);
}

#[test]
fn the_clock_ends_nothing_early() {
    let mut house = House::new();
    let id = house.emergency();
    house.record(house.revoking(id, Cause::Expired, None));
    assert_eq!(only(&house), Code::GrantOrder);
    let mut house = House::new();
    let id = house.request("sam", "quick", 60);
    house.pass(599);
    house.lapse(id);
    assert_eq!(only(&house), Code::GrantOrder);
    let mut house = House::new();
    let id = house.emergency();
    house.drop_grant(id, "sam");
    house.record(Closed { link: house.link(id), outcome: Outcome::Revoked });
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn a_revocation_of_another_credential_or_for_a_made_up_cause() {
    let mut house = House::new();
    let id = house.emergency();
    let mut body = house.revoking(id, Cause::PolicyChanged, None);
    body.serial += 1;
    house.record(body);
    assert_eq!(only(&house), Code::CredMismatch);
    for cause in [Cause::Dropped, Cause::Cancelled] {
        let mut house = House::new();
        let id = house.emergency();
        house.record(house.revoking(id, cause, None));
        assert_eq!(only(&house), Code::ScopeExceeded, "{cause} by nobody");
    }
}

#[test]
fn a_grant_closed_as_what_it_was_not() {
    let mut house = House::new();
    let id = house.request("sam", "quick", 60);
    let signed = house.said("ada", Act::Deny(house.about(id, "ada")));
    house.record(Denied { link: house.link(id), signed, decision: house.decision("denied") });
    house.close(id, Outcome::Lapsed);
    assert_eq!(only(&house), Code::GrantOrder);
    let mut house = House::new();
    let id = house.emergency();
    house.record(Closed { link: house.link(id), outcome: Outcome::Revoked });
    assert_eq!(only(&house), Code::GrantOrder, "closed while live");
}

/// A broker at work that lets a credential, a request or a closing stand is found out.
#[test]
fn what_is_overdue_while_the_broker_is_at_work_is_found() {
    let revoked = |house: &mut House| {
        let id = house.emergency();
        house.drop_grant(id, "sam");
        id
    };
    let pending = |house: &mut House| house.request("sam", "quick", 60);
    let steps: [&dyn Fn(&mut House) -> RequestId; 3] = [&House::emergency, &pending, &revoked];
    for step in steps {
        let mut house = House::new();
        step(&mut house);
        assert_eq!(house.verify().findings, [], "not yet due");
        house.pass(10_000);
        let id = house.request("ann", "solo", 60);
        assert_eq!(house.verify().findings, [], "the broker was down and has just come back");
        house.withdraw(id, "ann");
        at_work(&mut house, "ann");
        assert_eq!(only(&house), Code::GrantNotClosed);
    }
}

/// Seven and a half minutes in which the broker is never silent for longer than half of three.
fn at_work(house: &mut House, who: &str) {
    for _ in 0..5 {
        house.pass(90);
        let id = house.request(who, "solo", 60);
        house.withdraw(id, who);
    }
}

/// The crash came after the deadline and before its sweep; then the broker was away.
#[test]
fn a_crash_between_a_deadline_and_its_sweep_is_no_tampering_but_only_once() {
    let mut house = House::new();
    let id = house.emergency();
    house.pass(10_000);
    let other = house.request("ann", "solo", 60);
    house.withdraw(other, "ann");
    house.pass(5000);
    let mut swept = house.clone();
    swept.expire(id);
    swept.close(id, Outcome::Revoked);
    at_work(&mut swept, "ann");
    assert_eq!(swept.verify().findings, []);
    for _ in 0..2 {
        let other = house.request("ann", "solo", 60);
        house.withdraw(other, "ann");
        house.pass(5000);
    }
    assert_eq!(only(&house), Code::GrantNotClosed);
}

#[test]
fn what_was_due_while_the_broker_was_down_is_done_when_it_comes_back() {
    let mut house = House::new();
    let (one, two) = (house.emergency(), house.request("sam", "quick", 60));
    house.pass(100_000);
    house.expire(one);
    house.lapse(two);
    house.close(one, Outcome::Revoked);
    house.pass(1000);
    let id = house.request("ann", "solo", 60);
    house.withdraw(id, "ann");
    assert_eq!(house.verify().findings, []);
}

/// R14: what the policy no longer allows must end, not only be refused from now on.
#[test]
fn a_live_grant_that_the_policy_no_longer_allows_must_end() {
    let mut house = House::new();
    let id = house.request("ann", "solo", 900);
    house.collect(id);
    let without_ann = files_of(&house.keys, &["pia", "sam", "ada", "bob"]);
    house.enact(&without_ann, "pia");
    let mut ended = house.clone();
    at_work(&mut house, "sam");
    assert_eq!(only(&house), Code::GrantNotClosed);
    ended.record(ended.revoking(id, Cause::PolicyChanged, None));
    at_work(&mut ended, "sam");
    assert_eq!(ended.verify().findings, []);
}

#[test]
fn an_owner_and_an_approver_may_cancel() {
    // sam and ann are in oncall, which owns it technically; bob approves it.
    for who in ["ann", "bob", "ada"] {
        let mut house = House::new();
        let id = house.emergency();
        let signed = house.said(who, Act::Cancel(house.about(id, who)));
        house.record(house.revoking(id, Cause::Cancelled, Some(signed)));
        assert_eq!(house.verify().findings, [], "{who}");
    }
}
