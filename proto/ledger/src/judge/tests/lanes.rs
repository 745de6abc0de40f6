//! Lanes: what opens each, what each gives, and what its end ends.

use super::*;
use crate::entry::{OutageBegan, OutageState};
use crate::policy::Files;
use crate::statement::Lane;
use crate::testing::CertificateParts;

fn scopes(house: &House, from: &str, to: &str) -> Files {
    let mut files = house.files_of_lanes();
    let text = String::from_utf8(files.scopes).unwrap();
    assert!(text.contains(from), "{from}");
    files.scopes = text.replacen(from, to, 1).into_bytes();
    files
}

fn ended(house: &mut House, id: RequestId) {
    house.record(house.revoking(id, Cause::OutageEnded, None));
    house.close(id, Outcome::Revoked);
}

#[test]
fn an_outage_opens_its_lane_and_its_end_ends_what_it_opened() {
    let mut house = House::lanes();
    house.measure(true);
    let first = house.agreed(Lane::Outage);
    house.pass(60);
    house.measure(false);
    house.pass(600);
    ended(&mut house, first);
    house.declare(3600);
    let second = house.agreed(Lane::Outage);
    house.resolve("eve");
    house.pass(600);
    ended(&mut house, second);
    assert_eq!(house.verify().findings, []);
}

#[test]
fn the_outage_lane_is_closed_while_the_dependency_is_up() {
    let mut house = House::lanes();
    house.request_in(Lane::Outage, "sam", "db", 60);
    assert_eq!(only(&house), Code::LaneClosed);
    // One person's word opens nothing.
    let mut house = House::lanes();
    house.record(house.declaring("ada", 3600, "declared"));
    house.request_in(Lane::Outage, "sam", "db", 60);
    assert_eq!(only(&house), Code::LaneClosed);
    // Words hold until their end, exclusive.
    for (seconds, found) in [(59, vec![]), (60, vec![Code::LaneClosed])] {
        let mut house = House::lanes();
        house.declare(60);
        house.pass(seconds);
        house.outage = house.outage.filter(|_| found.is_empty());
        house.request_in(Lane::Outage, "sam", "db", 60);
        assert_eq!(codes(&house.verify()), found, "{seconds}");
    }
}

#[test]
fn what_the_outage_opened_is_not_issued_after_it() {
    let mut house = House::lanes();
    house.measure(true);
    let id = house.request_in(Lane::Outage, "sam", "db", 60);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.measure(false);
    house.collect(id);
    assert_eq!(only(&house), Code::LaneClosed);
}

#[test]
fn one_person_twice_is_not_two_people() {
    let mut house = House::lanes();
    house.record(house.declaring("ada", 3600, "declared"));
    house.pass(1);
    house.record(house.declaring("ada", 3600, "declared"));
    assert_eq!(only(&house), Code::OutageInvalid);
    // A word that no longer holds can be given again, but still by two.
    let mut house = House::lanes();
    house.record(house.declaring("ada", 60, "declared"));
    house.pass(60);
    house.record(house.declaring("ada", 60, "declared"));
    assert_eq!(house.verify().findings, []);
    house.request_in(Lane::Outage, "sam", "db", 60);
    assert_eq!(only(&house), Code::LaneClosed);
}

#[test]
fn a_declaration_has_an_end_within_four_hours_and_says_what_it_did() {
    let with = |spoil: &dyn Fn(&House) -> OutageBegan| {
        let mut house = House::lanes();
        let body = spoil(&house);
        house.record(body);
        only(&house)
    };
    assert_eq!(with(&|house| house.declaring("ada", 14_401, "declared")), Code::OutageInvalid);
    assert_eq!(with(&|house| house.declaring("ada", 0, "declared")), Code::OutageInvalid);
    assert_eq!(with(&|house| house.declaring("ada", 60, "began")), Code::OutageInvalid);
    // sam owns nothing that depends on it.
    assert_eq!(with(&|house| house.declaring("sam", 60, "declared")), Code::ScopeExceeded);
    let unknown = |house: &House| {
        let mut body = house.declaring("ada", 60, "declared");
        body.dependency = "dns".parse().unwrap();
        body
    };
    assert_eq!(with(&unknown), Code::OutageInvalid, "another was meant, and nobody depends on it");
    let bare =
        |house: &House| OutageBegan { signed: None, ..house.declaring("ada", 60, "declared") };
    assert_eq!(with(&bare), Code::OutageInvalid);
}

#[test]
fn only_what_is_there_ends() {
    for end in [
        |house: &mut House| house.resolve("ada"),
        |house: &mut House| house.run_out(),
        |house: &mut House| house.measure(false),
    ] {
        let mut house = House::lanes();
        end(&mut house);
        assert_eq!(only(&house), Code::OutageInvalid);
    }
    // Words that hold are not written off.
    let mut house = House::lanes();
    house.declare(60);
    house.pass(59);
    house.run_out();
    assert_eq!(only(&house), Code::OutageInvalid);
    let mut house = House::lanes();
    house.declare(60);
    house.resolve("sam");
    assert_eq!(only(&house), Code::ScopeExceeded);
}

#[test]
fn a_grant_drains_for_its_grace_and_no_longer() {
    let drained = |seconds| {
        let mut house = House::lanes();
        house.measure(true);
        let id = house.agreed(Lane::Outage);
        house.measure(false);
        house.pass(seconds);
        ended(&mut house, id);
        codes(&house.verify())
    };
    assert_eq!(drained(599), [Code::OutageInvalid]);
    assert_eq!(drained(600), []);
    let forgotten = |seconds| {
        let mut house = House::lanes();
        house.measure(true);
        house.agreed(Lane::Outage);
        house.measure(false);
        for _ in 0..seconds / 100 {
            house.pass(100);
            house.record(house.anchor());
        }
        codes(&house.verify())
    };
    assert_eq!(forgotten(900), []);
    assert_eq!(forgotten(1000), [Code::GrantNotClosed]);
}

#[test]
fn an_outage_that_comes_back_stops_the_drain() {
    let mut house = House::lanes();
    house.measure(true);
    let id = house.agreed(Lane::Outage);
    house.measure(false);
    house.pass(300);
    house.measure(true);
    for _ in 0..12 {
        house.pass(100);
        house.record(house.anchor());
    }
    house.pick_up(id);
    assert_eq!(house.verify().findings, []);
    house.record(house.revoking(id, Cause::OutageEnded, None));
    assert_eq!(only(&house), Code::OutageInvalid);
}

#[test]
fn the_end_of_an_outage_ends_no_ordinary_grant() {
    let mut house = House::lanes();
    house.measure(true);
    let id = house.agreed(Lane::Normal);
    house.measure(false);
    house.pass(600);
    ended(&mut house, id);
    assert_eq!(only(&house), Code::OutageInvalid);
}

#[test]
fn a_decision_says_of_the_outage_what_is_on_record() {
    let with = |down: bool, spoil: fn(&mut crate::entry::Context)| {
        let mut house = House::lanes();
        if down {
            house.measure(true);
        }
        let lane = if down { Lane::Outage } else { Lane::Normal };
        let ask = crate::statement::Ask { lane, ..house.ask("sam", "db", 60) };
        let mut decision = house.decision_about(&ask, "pending");
        spoil(&mut decision.context);
        let id = ask.id;
        let signed = house.said("sam", Act::Request(ask));
        let body = crate::entry::Requested { decision, ..house.requesting(id, "db", signed) };
        house.record(body);
        only(&house)
    };
    assert_eq!(with(false, |said| said.outage = OutageState::Active), Code::ContextMismatch);
    assert_eq!(with(true, |said| said.outage = OutageState::None), Code::ContextMismatch);
    let later = |said: &mut crate::entry::Context| {
        said.outage_since = said.outage_since.map(|since| since.plus(1));
    };
    assert_eq!(with(true, later), Code::ContextMismatch);
    assert_eq!(with(false, |said| said.budget = Some(1)), Code::ContextMismatch);
    assert_eq!(with(false, |said| said.live = Some(1)), Code::ContextMismatch);
    assert_eq!(with(false, |said| said.drill_age = Some(1)), Code::ContextMismatch);
    let behind = |said: &mut crate::entry::Context| said.delegation.push("ann".parse().unwrap());
    assert_eq!(with(false, behind), Code::ContextMismatch);
}

/// An emergency after ten minutes in which nobody answered.
fn unanswered(house: &mut House, seconds: u64) -> RequestId {
    house.request("sam", "db", 1800);
    house.pass(seconds);
    house.request_in(Lane::Emergency, "sam", "db", 900)
}

#[test]
fn an_emergency_is_one_person_later_and_for_less() {
    let mut house = House::lanes();
    let id = unanswered(&mut house, 600);
    house.pass(120);
    house.collect(id);
    assert_eq!(house.verify().findings, []);
}

#[test]
fn an_emergency_needs_a_request_that_nobody_answers() {
    let mut house = House::lanes();
    house.request_in(Lane::Emergency, "sam", "db", 900);
    assert_eq!(only(&house), Code::LaneClosed);
    let mut house = House::lanes();
    unanswered(&mut house, 599);
    assert_eq!(only(&house), Code::LaneClosed);
    // Every stage has an answer, if not its quorum's last.
    let mut house = House::lanes();
    let asked = house.request("sam", "db", 1800);
    house.approve(asked, "ada", "app-owner");
    house.approve(asked, "bob", "security");
    house.pass(600);
    house.request_in(Lane::Emergency, "sam", "db", 900);
    assert_eq!(only(&house), Code::LaneClosed);
    // Somebody else's does not count.
    let mut house = House::lanes();
    house.request("ann", "db", 1800);
    house.pass(600);
    house.request_in(Lane::Emergency, "sam", "db", 900);
    assert_eq!(only(&house), Code::LaneClosed);
}

#[test]
fn an_emergency_is_not_issued_before_its_delay_and_not_for_longer() {
    let mut house = House::lanes();
    let id = unanswered(&mut house, 600);
    house.pass(119);
    house.collect(id);
    assert_eq!(only(&house), Code::LaneClosed);
    let mut house = House::lanes();
    house.request("sam", "db", 1800);
    house.pass(600);
    house.request_in(Lane::Emergency, "sam", "db", 901);
    assert_eq!(only(&house), Code::TtlExceeded);
}

#[test]
fn who_was_passed_over_may_object_to_an_emergency() {
    let mut house = House::lanes();
    let id = unanswered(&mut house, 600);
    house.deny(id, "eve");
    assert_eq!(house.verify().findings, []);
    let mut house = House::lanes();
    let id = unanswered(&mut house, 600);
    house.deny(id, "ann");
    assert_eq!(only(&house), Code::ScopeExceeded);
}

fn drill(house: &mut House) -> RequestId {
    let id = house.request_in(Lane::Drill, "sam", "metered", 600);
    house.collect(id);
    house.pick_up(id);
    house.drop_grant(id, "sam");
    house.close(id, Outcome::Revoked);
    id
}

#[test]
fn a_drill_is_marked_in_the_credential_and_told_at_its_end() {
    let mut house = House::lanes();
    let id = drill(&mut house);
    house.drilled(id, "metered", true);
    let failed = house.request_in(Lane::Drill, "sam", "metered", 600);
    house.withdraw(failed, "sam");
    house.drilled(failed, "metered", false);
    assert_eq!(house.verify().findings, []);
    for spoil in [
        |parts: &mut CertificateParts| parts.principals = vec!["logs".to_owned()],
        |parts: &mut CertificateParts| parts.principals.push("drill-root".to_owned()),
    ] {
        let mut house = House::lanes();
        let id = house.request_in(Lane::Drill, "sam", "metered", 600);
        let mut parts = house.certificate(id);
        spoil(&mut parts);
        house.record(house.issuing(id, &parts));
        assert_eq!(only(&house), Code::ScopeExceeded);
    }
    let mut house = House::lanes();
    let id = house.request_in(Lane::Drill, "sam", "metered", 600);
    let mut parts = house.certificate(id);
    parts.key_id = format!("bg:{id}:sam");
    house.record(house.issuing(id, &parts));
    assert_eq!(only(&house), Code::CredMismatch);
    // A real credential is no drill's.
    let mut house = House::lanes();
    let id = house.request("sam", "metered", 600);
    let mut parts = house.certificate(id);
    parts.principals = vec!["drill-logs".to_owned()];
    house.record(house.issuing(id, &parts));
    assert_eq!(only(&house), Code::ScopeExceeded);
}

#[test]
fn the_result_of_a_drill_is_what_happened_and_comes_at_once() {
    let with = |then: fn(&mut House, RequestId)| {
        let mut house = House::lanes();
        let id = drill(&mut house);
        then(&mut house, id);
        only(&house)
    };
    assert_eq!(
        with(|house, id| {
            house.drilled(id, "metered", false);
        }),
        Code::DrillMismatch
    );
    assert_eq!(
        with(|house, id| {
            house.drilled(id, "gated", true);
        }),
        Code::DrillMismatch
    );
    assert_eq!(
        with(|house, _| {
            house.record(house.anchor());
        }),
        Code::DrillMismatch
    );
    let twice = |house: &mut House, id| {
        house.drilled(id, "metered", true);
        house.drilled(id, "metered", true);
    };
    assert_eq!(with(twice), Code::DrillMismatch);
    // It was issued, but never arrived.
    let mut house = House::lanes();
    let id = house.request_in(Lane::Drill, "sam", "metered", 600);
    house.collect(id);
    house.drop_grant(id, "sam");
    house.close(id, Outcome::Revoked);
    house.drilled(id, "metered", true);
    assert_eq!(only(&house), Code::DrillMismatch);
}

/// A profile that grants less takes back what was granted by more.
#[test]
fn a_narrowed_profile_ends_what_is_wider() {
    let after = |from: &str, to: &str| {
        let mut house = House::lanes();
        let id = house.request("ann", "metered", 3600);
        house.collect(id);
        house.enact(&scopes(&house, from, to), "pia");
        for _ in 0..4 {
            house.pass(100);
            house.record(house.anchor());
        }
        codes(&house.verify())
    };
    let wider = "source-address = [\"0.0.0.0/1\"]";
    assert_eq!(after("source-address = [\"10.0.0.0/8\"]", wider), []);
    assert_eq!(after("[\"logs\"]", "[\"logs\", \"more\"]"), []);
    let narrow = "source-address = [\"10.1.0.0/16\"]";
    let found = [Code::GrantNotClosed];
    assert_eq!(after("source-address = [\"10.0.0.0/8\"]", narrow), found);
    assert_eq!(after("[\"logs\"]", "[\"read\"]"), found);
    assert_eq!(after("[\"logs\"]", "[\"logs\"]\nforce-command = \"tail\""), found);
}
