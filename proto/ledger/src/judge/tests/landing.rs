//! Hosts report what they enforce and what they saw.

use super::*;
use crate::entry::Reconciled;
use crate::statement::{Canary, Serial, Use};

/// A house with the host `db-1` and a live credential; its request and its serial.
fn hosted() -> (House, RequestId, u64) {
    let mut house = House::hosted();
    let id = house.emergency();
    let serial = house.size().saturating_sub(2);
    (house, id, serial)
}

#[test]
fn a_host_reports_lists_that_exist_each_news_once_and_never_backwards() {
    let mut house = House::hosted();
    house.applied("db-1", "db-1", 2, Canary::Untried);
    house.applied("db-1", "db-1", 2, Canary::Refused);
    house.applied("db-1", "db-1", 4, Canary::Refused);
    house.applied("db-1", "db-1.sshd", 3, Canary::Refused);
    assert_eq!(house.verify().findings, []);
    for (target, version, canary) in [
        ("db-1", 4, Canary::Refused),
        ("db-1", 4, Canary::Untried),
        ("db-1", 3, Canary::Accepted),
        ("db-1.sshd", 999, Canary::Refused),
    ] {
        let mut house = house.clone();
        house.applied("db-1", target, version, canary);
        assert_eq!(codes(&house.verify()), [Code::ReportInvalid], "{target} {version} {canary}");
    }
}

#[test]
fn only_a_service_reports_and_only_of_itself() {
    for (by, target) in [("ann", "ann"), ("db-1", "db-2"), ("db-1", "db-10"), ("db-1", "ann")] {
        let mut house = House::hosted();
        house.applied(by, target, 1, Canary::Refused);
        assert_eq!(codes(&house.verify()), [Code::ReportInvalid], "{by} of {target}");
    }
}

#[test]
fn a_use_after_the_revocation_makes_the_ledger_suspect() {
    let (mut house, id, serial) = hosted();
    house.used(id, "db-1", serial, house.now);
    assert_eq!(house.verify().findings, []);
    house.drop_grant(id, "sam");
    house.pass(5);
    house.used(id, "db-1", serial, house.now);
    let report = house.verify();
    assert_eq!(codes(&report), [Code::UseAfterRevoke]);
    assert_eq!(report.verdict, Verdict::Suspect);
}

#[test]
fn a_stranger_that_a_host_saw_makes_the_ledger_suspect() {
    let (mut house, _, serial) = hosted();
    house.reconciled("db-1", serial, 1, house.now);
    assert_eq!(house.verify().findings, []);
    house.reconciled("db-1", u64::MAX >> 12, 0, house.now);
    let report = house.verify();
    assert_eq!(codes(&report), [Code::UnloggedCredential]);
    assert_eq!(report.verdict, Verdict::Suspect);
}

/// A serial that no entry can hold as a number is found from the host's own words.
#[test]
fn a_strangers_serial_may_be_too_large_for_an_entry() {
    let mut house = House::hosted();
    let (by, target) = ("db-1".parse().unwrap(), "db-1".parse().unwrap());
    let used = Use { by, target, serial: Serial(1 << 53), at: house.now };
    let signed = Some(house.said("db-1", Act::Use(used)));
    let target = "db-1".parse().unwrap();
    house.record(Reconciled { signed, target, matched: 0, unlogged: Vec::new() });
    assert_eq!(codes(&house.verify()), [Code::UnloggedCredential]);
}

/// What the broker writes beside a host's words has to be what the host said.
#[test]
fn a_use_cannot_be_called_known_or_unknown_at_will() {
    let (mut house, _, serial) = hosted();
    house.reconciled("db-1", serial, 0, house.now);
    assert_eq!(codes(&house.verify()), [Code::ReportInvalid]);
}

#[test]
fn a_late_report_of_a_use_after_the_end_is_found_as_well() {
    let (mut house, id, serial) = hosted();
    house.drop_grant(id, "sam");
    house.pass(5);
    house.reconciled("db-1", serial, 1, house.now);
    assert_eq!(codes(&house.verify()), [Code::UseAfterRevoke]);
}
