//! A broker that broke a rule, and what the judge says. Every ledger here is whole: chain, root and
//! every signature are good, so only judging again can tell.

use crate::audit::{Code, Report, Verdict};
use crate::entry::{Cause, Closed, Denied, Outcome};
use crate::id::RequestId;
use crate::policy::Files;
use crate::statement::Act;
use crate::testing::{House, PEOPLE, files_of};

mod around;
mod credentials;
mod ends;
mod kinds;
mod landing;
mod lanes;
mod rotation;
mod rules;

fn codes(report: &Report) -> Vec<Code> {
    let mut codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

/// The only code found, whatever often.
fn only(house: &House) -> Code {
    let report = house.verify();
    let codes = codes(&report);
    assert_eq!(codes.len(), 1, "{:?}", report.findings);
    assert_eq!(report.verdict, Verdict::Tampered);
    codes[0]
}

fn root(house: &mut House) -> RequestId {
    house.request("sam", "root-on-host", 1800)
}

/// The sample policy with `from` replaced by `to` in its scopes.
fn files(house: &House, people: &[&str], from: &str, to: &str) -> Files {
    let mut files = files_of(&house.keys, people);
    let scopes = String::from_utf8(files.scopes).unwrap();
    assert!(scopes.contains(from));
    files.scopes = scopes.replace(from, to).into_bytes();
    files
}

#[test]
fn no_approval_at_all_is_below_the_threshold() {
    let mut house = House::new();
    let id = root(&mut house);
    house.collect(id);
    assert_eq!(only(&house), Code::Threshold);
}

#[test]
fn one_stage_of_two_is_below_the_threshold() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.collect(id);
    assert_eq!(only(&house), Code::Threshold);
}

#[test]
fn an_approval_that_the_entry_does_not_count_is_not_counted() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let parts = house.certificate(id);
    let mut body = house.issuing(id, &parts);
    body.approvals.pop();
    house.record(body.clone());
    assert_eq!(only(&house), Code::Threshold);
}

#[test]
fn counting_one_approval_twice_or_another_entry_is_found() {
    for approvals in [vec![3, 4, 4], vec![4, 3], vec![2, 3, 4]] {
        let mut house = House::new();
        let id = root(&mut house);
        house.approve(id, "ada", "app-owner");
        house.approve(id, "bob", "security");
        let parts = house.certificate(id);
        let mut body = house.issuing(id, &parts);
        body.approvals = approvals;
        house.record(body);
        assert_eq!(only(&house), Code::Threshold);
    }
}

/// R30: approvers belong to the stage of this scope.
#[test]
fn an_approver_of_another_stage_does_not_count() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "ada", "security");
    house.collect(id);
    assert_eq!(codes(&house.verify()), [Code::ApprovalReplay, Code::Threshold]);
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "eve", "app-owner");
    house.approve(id, "bob", "security");
    house.collect(id);
    assert_eq!(only(&house), Code::Threshold);
}

/// An approval for one stage, written down for another.
#[test]
fn an_approval_moved_to_another_stage_does_not_count() {
    let mut house = House::new();
    let id = root(&mut house);
    let signed = house.said("bob", Act::Approve(house.yes(id, "bob", "security")));
    house.record(house.approval(id, "app-owner", signed));
    assert_eq!(only(&house), Code::Threshold);
}

/// R23: one person is one person, whatever keys they hold.
#[test]
fn one_person_with_two_keys_counts_once() {
    let mut house = House::new();
    let two =
        files(&house, &PEOPLE, "\"group:security\"\nquorum = 1", "\"group:security\"\nquorum = 2");
    house.enact(&two, "pia");
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let again = house.said("bob-2", Act::Approve(house.yes(id, "bob", "security")));
    house.pass(1);
    house.record(house.approval(id, "security", again));
    house.collect(id);
    assert_eq!(codes(&house.verify()), [Code::ApprovalReplay, Code::Threshold]);
}

#[test]
fn a_quorum_of_two_people_is_enough() {
    let mut house = House::new();
    let two =
        files(&house, &PEOPLE, "\"group:security\"\nquorum = 1", "\"group:security\"\nquorum = 2");
    house.enact(&two, "pia");
    let id = root(&mut house);
    for (who, stage) in [("ada", "app-owner"), ("bob", "security"), ("eve", "security")] {
        house.approve(id, who, stage);
    }
    house.collect(id);
    assert_eq!(house.verify().findings, []);
}

/// `quick` may be asked for and approved by leads, so only the ban on approving oneself is left.
#[test]
fn nobody_approves_their_own_request_not_even_with_another_key() {
    for key in ["ada", "ada-2"] {
        let mut house = House::new();
        let mut mine = files_of(&house.keys, &PEOPLE);
        let people = String::from_utf8(mine.people).unwrap();
        let one = format!("{:?}", house.keys.public("ada").to_openssh());
        let two = format!("{one}, {:?}", house.keys.public("ada-2").to_openssh());
        mine.people = people.replace(&one, &two).into_bytes();
        house.enact(&mine, "pia");
        let id = house.request("ada", "quick", 60);
        let signed = house.said(key, Act::Approve(house.yes(id, "ada", "second-person")));
        house.record(house.approval(id, "second-person", signed));
        assert_eq!(only(&house), Code::SelfApproval, "{key}");
    }
}

/// R23: a key that was the requester's at the request stays the requester's, whoever holds it since.
#[test]
fn nobody_approves_their_own_request_with_a_key_that_moved_to_another_name() {
    for key in ["sam", "sam-2"] {
        let mut house = House::new();
        let id = root(&mut house);
        let mut moved = files_of(&house.keys, &PEOPLE);
        let people = String::from_utf8(moved.people).unwrap();
        let quoted = |name: &str| format!("{:?}", house.keys.public(name).to_openssh());
        let theirs = format!("{}, {}", quoted("sam"), quoted("sam-2"));
        let (kept, both) = (quoted("sam-3"), format!("{}, {}", quoted("ada"), quoted(key)));
        assert!(people.contains(&theirs));
        let people = people.replace(&theirs, &kept).replace(&quoted("ada"), &both);
        moved.people = people.into_bytes();
        let seq = house.enact(&moved, "pia");
        assert_eq!(house.policy.version, 2, "entry {seq} is in force");
        let signed = house.said(key, Act::Approve(house.yes(id, "ada", "app-owner")));
        house.record(house.approval(id, "app-owner", signed));
        assert_eq!(only(&house), Code::SelfApproval, "{key}");
    }
}

#[test]
fn a_requester_with_the_approvers_name_on_their_second_key_is_unknown() {
    let mut house = House::new();
    let id = root(&mut house);
    let signed = house.said("sam-2", Act::Approve(house.yes(id, "ada", "app-owner")));
    house.record(house.approval(id, "app-owner", signed));
    let found = codes(&house.verify());
    assert_eq!(found.first(), Some(&Code::KeyUnknown), "{found:?}");
}

/// R01: the approval signs the digest of one request.
#[test]
fn an_approval_lifted_from_another_request() {
    let mut house = House::new();
    let harmless = house.request("sam", "root-on-host", 1800);
    let signed = house.said("ada", Act::Approve(house.yes(harmless, "ada", "app-owner")));
    let id = root(&mut house);
    house.record(house.approval(id, "app-owner", signed));
    house.approve(id, "bob", "security");
    house.collect(id);
    let found = codes(&house.verify());
    assert_eq!(found, [Code::ApprovalRequestMismatch, Code::Threshold]);
}

#[test]
fn an_approval_used_twice() {
    let mut house = House::new();
    let id = root(&mut house);
    let signed = house.said("ada", Act::Approve(house.yes(id, "ada", "app-owner")));
    house.record(house.approval(id, "app-owner", signed.clone()));
    house.record(house.approval(id, "app-owner", signed));
    assert_eq!(only(&house), Code::ApprovalReplay);
}

#[test]
fn an_approval_made_in_another_namespace() {
    let mut house = House::new();
    let id = root(&mut house);
    let act = Act::Approve(house.yes(id, "ada", "app-owner"));
    let signed = house.said_in("deny.v1@breakglass", "ada", act);
    house.record(house.approval(id, "app-owner", signed));
    assert_eq!(only(&house), Code::Namespace);
}

#[test]
fn an_approval_of_a_shorter_grant() {
    let mut house = House::new();
    let id = root(&mut house);
    let mut yes = house.yes(id, "ada", "app-owner");
    yes.ttl_max = crate::time::Ttl::from_seconds(1799).unwrap();
    let signed = house.said("ada", Act::Approve(yes));
    house.record(house.approval(id, "app-owner", signed));
    house.approve(id, "bob", "security");
    house.collect(id);
    assert_eq!(codes(&house.verify()), [Code::TtlExceeded, Code::Threshold]);
}

#[test]
fn an_approval_under_another_policy_than_was_shown() {
    let mut house = House::new();
    let id = root(&mut house);
    let signed = house.said("ada", Act::Approve(house.yes(id, "ada", "app-owner")));
    house.enact(&files(&house, &PEOPLE, "Root on", "Roots on"), "pia");
    house.record(house.approval(id, "app-owner", signed));
    assert_eq!(only(&house), Code::PolicyMismatch);
}

/// R27: a late approval does not revive a lapsed request.
#[test]
fn a_late_approval_and_a_late_collecting() {
    let mut house = House::new();
    let id = root(&mut house);
    house.pass(900);
    house.approve(id, "ada", "app-owner");
    assert_eq!(only(&house), Code::ApprovalExpired);
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.pass(900);
    house.collect(id);
    assert_eq!(only(&house), Code::ApprovalExpired);
}

/// Judged at issuing as well: who left since does not count.
#[test]
fn an_approver_who_left_before_the_issuing_does_not_count() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.enact(&files_of(&house.keys, &["pia", "sam", "ada", "eve"]), "pia");
    house.collect(id);
    assert_eq!(only(&house), Code::Threshold);
}

/// Whoever joined since does not count for requests already open.
#[test]
fn an_approver_who_joined_after_the_request_does_not_count() {
    let mut house = House::new();
    house.enact(&files_of(&house.keys, &["pia", "sam", "ada", "eve"]), "pia");
    let id = root(&mut house);
    house.enact(&files_of(&house.keys, &["pia", "sam", "ada", "eve", "bob"]), "pia");
    house.approve(id, "bob", "security");
    assert_eq!(only(&house), Code::Threshold);
}

#[test]
fn a_request_for_more_than_the_policy_gives() {
    let with = |who: &str, scope: &str, seconds: u32| {
        let mut house = House::new();
        house.request(who, scope, seconds);
        only(&house)
    };
    assert_eq!(with("sam", "root-on-host", 3601), Code::TtlExceeded);
    assert_eq!(with("bob", "root-on-host", 60), Code::ScopeExceeded);
    assert_eq!(with("sam", "everything", 60), Code::ScopeExceeded);
}

#[test]
fn a_request_in_a_lane_or_for_a_kind_that_is_not_offered() {
    use crate::statement::{Ask, Kind, Lane};
    let with = |spoil: fn(&mut Ask, &House)| {
        let mut house = House::new();
        let mut ask = house.ask("sam", "solo", 60);
        spoil(&mut ask, &house);
        if ask.reason.is_none() {
            house.openings.clear();
        }
        let id = ask.id;
        let lane = ask.lane;
        let signed = house.said("sam", Act::Request(ask));
        let mut body = house.requesting(id, "solo", signed);
        body.decision.context.lane = Some(lane);
        house.record(body);
        only(&house)
    };
    assert_eq!(with(|ask, _| ask.lane = Lane::Outage), Code::ScopeExceeded);
    assert_eq!(with(|ask, _| ask.kinds = vec![Kind::Ssh, Kind::Jwt]), Code::ScopeExceeded);
    assert_eq!(with(|ask, _| ask.reason = None), Code::ScopeExceeded);
    // An enrolled key would outlive the grant.
    let enrolled = with(|ask, house| ask.key = Some(house.keys.public("ann")));
    assert_eq!(enrolled, Code::CredMismatch);
}

#[test]
fn a_request_that_lapses_too_late() {
    let mut house = House::new();
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask));
    let mut body = house.requesting(id, "solo", signed);
    body.lapses = body.lapses.plus(1);
    house.record(body);
    assert_eq!(only(&house), Code::TtlExceeded);
}

#[test]
fn a_requester_who_left_before_the_issuing() {
    let mut house = House::new();
    let id = house.request("ann", "solo", 60);
    house.enact(&files_of(&house.keys, &["pia", "sam", "ada", "bob"]), "pia");
    house.collect(id);
    assert_eq!(only(&house), Code::ScopeExceeded);
}

#[test]
fn more_grants_alive_than_the_scope_allows() {
    let mut house = House::new();
    for _ in 0..2 {
        house.emergency();
    }
    assert_eq!(house.verify().findings, []);
    house.emergency();
    assert_eq!(only(&house), Code::ScopeExceeded);
}

#[test]
fn a_denied_request_is_not_issued() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let signed = house.said("eve", Act::Deny(house.about(id, "eve")));
    house.record(Denied { link: house.link(id), signed, decision: house.decision("denied") });
    house.collect(id);
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn issued_without_requested() {
    let mut asked = House::new();
    let id = root(&mut asked);
    let parts = asked.certificate(id);
    let mut house = House::new();
    house.record(asked.issuing(id, &parts));
    let found = codes(&house.verify());
    assert!(found.contains(&Code::GrantOrphan), "{found:?}");
}

#[test]
fn an_entry_after_closed() {
    let mut house = House::new();
    let id = house.request("sam", "quick", 60);
    house.withdraw(id, "sam");
    house.record(Closed { link: house.link(id), outcome: Outcome::Withdrawn });
    assert_eq!(only(&house), Code::GrantOrder);
    let mut house = House::new();
    let id = house.request("sam", "quick", 60);
    house.withdraw(id, "sam");
    house.approve(id, "ada", "second-person");
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn a_request_id_is_never_used_again() {
    let mut house = House::new();
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    for _ in 0..2 {
        let signed = house.said("sam", Act::Request(ask.clone()));
        house.record(house.requesting(id, "solo", signed));
        house.pass(1);
    }
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn a_grants_own_chain_is_checked() {
    use crate::bytes::Digest;
    use crate::entry::Link;
    let spoil: [fn(&mut Link); 3] = [
        |link| link.gseq += 1,
        |link| link.gprev = Digest::ZERO,
        |link| (link.gseq, link.gprev) = (0, Digest::ZERO),
    ];
    for spoil in spoil {
        let mut house = House::new();
        let id = root(&mut house);
        let signed = house.said("ada", Act::Approve(house.yes(id, "ada", "app-owner")));
        let mut body = house.approval(id, "app-owner", signed);
        spoil(&mut body.link);
        house.record(body);
        assert_eq!(only(&house), Code::GrantChain);
    }
}

/// R10
#[test]
fn a_grant_ended_by_somebody_who_may_not() {
    let mut house = House::new();
    let id = house.emergency();
    let signed = house.said("ann", Act::Drop(house.about(id, "ann")));
    house.record(house.revoking(id, Cause::Dropped, Some(signed)));
    assert_eq!(only(&house), Code::ScopeExceeded);
    let mut house = House::new();
    let (mine, other) = (house.emergency(), house.emergency());
    let signed = house.said("sam", Act::Drop(house.about(mine, "sam")));
    house.record(house.revoking(other, Cause::Dropped, Some(signed)));
    assert_eq!(only(&house), Code::ApprovalRequestMismatch);
}

/// R12
#[test]
fn a_request_denied_or_withdrawn_by_somebody_who_may_not() {
    let mut house = House::new();
    let id = root(&mut house);
    house.deny(id, "ann");
    assert_eq!(only(&house), Code::ScopeExceeded);
    let mut house = House::new();
    let id = root(&mut house);
    house.withdraw(id, "ann");
    assert_eq!(only(&house), Code::ScopeExceeded);
}
