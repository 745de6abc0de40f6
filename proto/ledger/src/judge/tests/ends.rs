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

/// The sample policy once more, with another title and otherwise the same.
fn retitled(house: &House) -> Files {
    files(house, &PEOPLE, "Root on", "Roots on")
}

/// What new policies leave no way to be issued: a request for root by sam, who signed with his key.
fn forbidding(house: &House) -> Vec<(&'static str, Files)> {
    // Of the first scope alone.
    let with = |from: &str, to: &str| {
        let mut files = files_of(&house.keys, &PEOPLE);
        let scopes = String::from_utf8(files.scopes).unwrap();
        assert!(scopes.contains(from));
        files.scopes = scopes.replacen(from, to, 1).into_bytes();
        files
    };
    let key = |name: &str| format!("{:?}", house.keys.public(name).to_openssh());
    let mut rekeyed = files_of(&house.keys, &PEOPLE);
    let people = String::from_utf8(rekeyed.people).unwrap();
    rekeyed.people = people.replace(&key("sam"), &key("sam-9")).into_bytes();
    let eve_for_bob = files_of(&house.keys, &["pia", "sam", "ann", "ada", "eve"]);
    vec![
        ("requester-not-entitled", files_of(&house.keys, &["pia", "ann", "ada", "bob", "eve"])),
        ("key-not-theirs", rekeyed),
        ("scope-unknown", with("id = \"root-on-host\"", "id = \"rooted\"")),
        ("ttl-too-long", with("ttl-max = \"1h\"", "ttl-max = \"20m\"")),
        ("identity-kind-not-allowed", with("kinds = [\"human\"]", "kinds = [\"service\"]")),
        ("lane-not-offered", with("lanes = [\"normal\"]", "lanes = [\"drill\"]")),
        ("scope-changed", with("[\"bg-root\"]", "[\"bg-root\", \"bg-other\"]")),
        ("stage-unsatisfiable", with("name = \"security\"", "name = \"safety\"")),
        ("stage-unsatisfiable", eve_for_bob),
    ]
}

/// A house in which only bob agrees for security, and what sam asks there.
fn waiting() -> (House, RequestId) {
    let mut house = House::new();
    house.enact(&files_of(&house.keys, &["pia", "sam", "ann", "ada", "bob"]), "pia");
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    (house, id)
}

#[test]
fn a_new_policy_ends_at_once_what_waits_and_is_not_allowed_any_more() {
    let all = forbidding(&waiting().0).len();
    for at in 0..all {
        let (mut house, id) = waiting();
        let (why, files) = forbidding(&house).swap_remove(at);
        house.enact(&files, "pia");
        let mut silent = house.clone();
        house.disallow(id, why);
        at_work(&mut house, "ann");
        assert_eq!(house.verify().findings, [], "{at}: {why}");
        at_work(&mut silent, "ann");
        assert_eq!(only(&silent), Code::GrantNotClosed, "{at}: {why}");
    }
}

/// Its approvals do not count any more; others can give theirs.
#[test]
fn an_approver_who_leaves_ends_nothing() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "bob", "security");
    house.enact(&files_of(&house.keys, &["pia", "sam", "ann", "ada", "eve"]), "pia");
    let mut ended = house.clone();
    at_work(&mut house, "ann");
    assert_eq!(house.verify().findings, []);
    ended.disallow(id, "stage-unsatisfiable");
    assert_eq!(only(&ended), Code::GrantOrder);
}

#[test]
fn what_the_new_policy_allows_is_not_ended_by_it() {
    let (mut house, id) = waiting();
    house.enact(&retitled(&house), "pia");
    house.disallow(id, "requester-not-entitled");
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn a_policy_ends_what_it_does_not_allow_at_once_or_not_at_all() {
    let (mut house, id) = waiting();
    house.enact(&forbidding(&house).swap_remove(0).1, "pia");
    let mut later = house.clone();
    let other = house.request("ann", "solo", 60);
    house.withdraw(other, "ann");
    house.disallow(id, "requester-not-entitled");
    assert_eq!(only(&house), Code::GrantOrder, "somebody was heard in between");
    later.pass(1);
    later.disallow(id, "requester-not-entitled");
    assert_eq!(only(&later), Code::GrantOrder, "a second later");
}

#[test]
fn a_request_that_lapses_early_says_that_the_policy_changed() {
    let (mut house, id) = waiting();
    house.enact(&forbidding(&house).swap_remove(0).1, "pia");
    house.lapse(id);
    assert_eq!(only(&house), Code::GrantOrder);
}

/// Two stages, and one person who could agree in either: one of them stays empty.
#[test]
fn one_person_left_for_two_stages_is_too_few() {
    let both = |house: &House, people: &[&str]| {
        let one = "approvers = \"group:leads\"\nquorum = 1\n\n[[scope.stage]]";
        files(house, people, one, &one.replace("leads", "security"))
    };
    let mut house = House::new();
    house.enact(&both(&house, &["pia", "sam", "ann", "ada", "bob", "eve"]), "pia");
    let id = root(&mut house);
    let mut files = both(&house, &["pia", "sam", "ann", "ada", "bob", "eve"]);
    let people = String::from_utf8(files.people).unwrap();
    // ada comes and eve goes: there are two, and one of them was not asked.
    let people = people.replace("groups = [\"leads\"]", "groups = [\"leads\", \"security\"]");
    let (before, eves) = people.split_once("id = \"eve\"").unwrap();
    let eves = eves.replacen("\"security\"", "\"leads\"", 1);
    files.people = format!("{before}id = \"eve\"{eves}").into_bytes();
    house.enact(&files, "pia");
    house.disallow(id, "stage-unsatisfiable");
    assert_eq!(house.verify().findings, []);
}
