//! What hosts report, at the desk: written down once, judged, and missed when it does not come.

use breakglass_broker::desk::{DeskError, LANDING_MAX_SECONDS};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::grant::tls_scope;
use breakglass_integration_tests::hosts::files_with_hosts;
use breakglass_ledger::audit::{Code, Verdict};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, ConfigChange, Entry, Overdue};
use breakglass_ledger::statement::{Canary, Kind};
use breakglass_rules::{Refusal, ReportRefusal, STRANGERS_MAX, TARGETS_MAX, USE_WINDOW_SECONDS};

fn refusal(error: DeskError) -> Refusal {
    let DeskError::Refused { refusal, .. } = error else { panic!("{error:?}") };
    refusal
}

fn house() -> House {
    House::with(files_with_hosts(&["db-1", "db-2"]))
}

fn size(house: &House) -> u64 {
    house.desk().reader().unwrap().head().size
}

fn overdue(house: &House) -> Vec<Overdue> {
    let entries = house.entries().into_iter().map(|bytes| Entry::parse(&bytes).unwrap().body);
    entries
        .filter_map(|body| {
            let Body::Config(config) = body else { return None };
            let ConfigChange::Overdue(overdue) = config.what else { return None };
            Some(overdue)
        })
        .collect()
}

#[test]
fn each_list_is_reported_once_and_a_worse_canary_once_more() {
    let mut house = house();
    let first = house.applied_newest("db-1", Canary::Untried).unwrap();
    assert!(!first.repeated);
    let before = size(&house);
    let again = house.applied_newest("db-1", Canary::Untried).unwrap();
    assert_eq!((again.repeated, again.seq), (true, first.seq));
    assert_eq!(size(&house), before);
    assert!(!house.applied_newest("db-1", Canary::Accepted).unwrap().repeated);
    assert!(house.applied_newest("db-1", Canary::Refused).unwrap().repeated);
    assert_eq!(house.audit().findings, []);
}

#[test]
fn a_list_that_never_was_goes_back_or_is_another_is_no_report() {
    let mut house = house();
    let old = house.desk().lists();
    let grant = house.grant("quick", 900, 1);
    house.give_back(grant.request).unwrap();
    let new = house.desk().lists();
    assert!(new.version > old.version);
    let digest = |list: &[u8]| Digest::of(list);
    let said = house.applied("db-1", "db-1", new.version + 1, digest(&new.krl), Canary::Refused);
    assert!(matches!(
        refusal(said.unwrap_err()),
        Refusal::Report(ReportRefusal::ListNotPublished { .. })
    ));
    let said = house.applied("db-1", "db-1", new.version, digest(&old.krl), Canary::Refused);
    assert!(matches!(
        refusal(said.unwrap_err()),
        Refusal::Report(ReportRefusal::ListMismatch { .. })
    ));
    house.applied("db-1", "db-1", new.version, digest(&new.krl), Canary::Refused).unwrap();
    let said = house.applied("db-1", "db-1", old.version, digest(&old.krl), Canary::Refused);
    assert!(matches!(refusal(said.unwrap_err()), Refusal::Report(ReportRefusal::ListOlder { .. })));
    assert_eq!(house.audit().findings, []);
}

#[test]
fn a_host_reports_of_itself_and_not_of_many_targets() {
    let mut house = house();
    let list = house.desk().lists();
    let digest = Digest::of(&list.krl);
    for (by, target) in [("sam", "sam"), ("db-1", "db-2"), ("db-1", "db-10")] {
        let said = house.applied(by, target, list.version, digest, Canary::Refused);
        let refusal = refusal(said.unwrap_err());
        let is_it = matches!(
            refusal,
            Refusal::Report(ReportRefusal::NotAHost { .. })
                | Refusal::Report(ReportRefusal::TargetNotTheirs { .. })
        );
        assert!(is_it, "{by} of {target}: {refusal}");
    }
    for number in 0..TARGETS_MAX {
        let target = format!("db-1.{number}");
        house.applied("db-1", &target, list.version, digest, Canary::Refused).unwrap();
    }
    let said = house.applied("db-1", "db-1.more", list.version, digest, Canary::Refused);
    assert!(matches!(
        refusal(said.unwrap_err()),
        Refusal::Report(ReportRefusal::TargetsMany { .. })
    ));
    assert_eq!(house.audit().findings, []);
}

#[test]
fn uses_are_one_for_a_window_and_the_first_after_the_end_is_never_lost() {
    let mut house = house();
    let grant = house.grant("quick", 900, 1);
    let begun = house.now();
    let first = house.used("db-1", grant.serial, begun).unwrap();
    assert!(!first.repeated);
    assert!(house.used("db-1", grant.serial, begun.plus(USE_WINDOW_SECONDS - 1)).unwrap().repeated);
    assert!(!house.used("db-2", grant.serial, begun).unwrap().repeated);
    house.clock.advance(USE_WINDOW_SECONDS);
    assert!(!house.used("db-1", grant.serial, house.now()).unwrap().repeated);
    assert_eq!(house.audit().findings, []);
    house.clock.advance(1);
    house.give_back(grant.request).unwrap();
    house.clock.advance(1);
    let after = house.used("db-1", grant.serial, house.now()).unwrap();
    assert!(!after.repeated);
    let report = house.audit();
    assert_eq!(report.verdict, Verdict::Suspect);
    assert_eq!(report.findings[0].code, Code::UseAfterRevoke);
    house.desk().reader().unwrap().rebuild_and_compare().unwrap();
}

/// What a host saw hours ago and could not say is said when the grant is closed.
#[test]
fn a_late_report_of_a_use_is_written_beside_the_closed_grant() {
    let mut house = house();
    let grant = house.grant("quick", 900, 1);
    let at = house.now().plus(30);
    house.pass(60);
    house.give_back(grant.request).unwrap();
    house.pass(2000);
    let late = house.used("db-1", grant.serial, at).unwrap();
    let Body::Reconciled(body) = Entry::parse(&late.entry).unwrap().body else { panic!() };
    assert_eq!((body.matched, body.unlogged), (1, vec![]));
    assert!(house.used("db-1", grant.serial, at).unwrap().repeated);
    assert_eq!(house.audit().findings, []);
}

#[test]
fn a_credential_that_was_never_issued_is_written_down_loudly_and_boundedly() {
    let mut house = house();
    let seen = house.used("db-1", 4_711, house.now()).unwrap();
    let Body::Reconciled(body) = Entry::parse(&seen.entry).unwrap().body else { panic!() };
    assert_eq!((body.matched, body.unlogged), (0, vec![4_711]));
    // The number of an entry that is no credential, and one that no JSON number carries.
    house.used("db-1", 1, house.now()).unwrap();
    house.used("db-1", u64::MAX, house.now()).unwrap();
    let report = house.audit();
    assert_eq!(report.verdict, Verdict::Suspect);
    assert!(report.findings.iter().all(|finding| finding.code == Code::UnloggedCredential));
    assert_eq!(report.findings.len(), 3);
    for serial in 10_000..10_000 + u64::from(STRANGERS_MAX) {
        house.used("db-1", serial, house.now()).unwrap();
    }
    let before = size(&house);
    assert!(house.used("db-1", 20_000, house.now()).unwrap().repeated);
    assert_eq!(size(&house), before);
    house.desk().reader().unwrap().rebuild_and_compare().unwrap();
}

#[test]
fn a_target_that_does_not_report_in_time_is_named_once_until_it_does() {
    let mut house = house();
    house.applied_newest("db-1", Canary::Refused).unwrap();
    house.applied_newest("db-2", Canary::Refused).unwrap();
    let grant = house.grant("quick", 900, 1);
    house.give_back(grant.request).unwrap();
    house.applied_newest("db-2", Canary::Refused).unwrap();
    house.pass(LANDING_MAX_SECONDS - 1);
    assert_eq!(overdue(&house), []);
    house.pass(1);
    let named: Vec<_> = overdue(&house).into_iter().map(|late| late.target.to_string()).collect();
    assert_eq!(named, ["db-1"]);
    let grant = house.grant("quick", 900, 2);
    house.give_back(grant.request).unwrap();
    house.applied_newest("db-2", Canary::Refused).unwrap();
    house.pass(LANDING_MAX_SECONDS);
    assert_eq!(overdue(&house).len(), 1);
    house.applied_newest("db-1", Canary::Refused).unwrap();
    let grant = house.grant("quick", 900, 3);
    house.give_back(grant.request).unwrap();
    house.pass(LANDING_MAX_SECONDS);
    assert_eq!(overdue(&house).len(), 3);
    assert_eq!(house.audit().findings, []);
    house.desk().reader().unwrap().rebuild_and_compare().unwrap();
}

/// Two hosts and a scope with certificates of both kinds.
fn house_of_both() -> House {
    let mut files = files_with_hosts(&["db-1", "db-2"]);
    files.scopes.extend_from_slice(format!("\n{}", tls_scope("both")).as_bytes());
    House::with(files)
}

/// A target that goes by the X.509 list alone is late with what is on that list, and with nothing else;
/// one that goes by the KRL is not late with a certificate that only TLS servers know.
#[test]
fn a_target_is_late_with_what_is_on_its_own_list() {
    for restarts in [false, true] {
        let mut house = house_of_both();
        house.applied_crl("db-1", "db-1.postgresql", Canary::Untried).unwrap();
        house.applied_newest("db-2", Canary::Untried).unwrap();
        let (of_ssh, _) = house.grant_of("both", 900, 1, &[Kind::Ssh]);
        house.give_back(of_ssh).unwrap();
        let pass = |house: &mut House| {
            if restarts {
                house.restart();
            }
            house.pass(LANDING_MAX_SECONDS);
            overdue(house).into_iter().map(|late| late.target.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(pass(&mut house), ["db-2"]);
        house.applied_newest("db-2", Canary::Untried).unwrap();
        let (of_tls, _) = house.grant_of("both", 900, 2, &[Kind::X509]);
        house.give_back(of_tls).unwrap();
        assert_eq!(pass(&mut house), ["db-2", "db-1.postgresql"]);
        house.applied_crl("db-1", "db-1.postgresql", Canary::Untried).unwrap();
        let (of_both, _) = house.grant_of("both", 900, 3, &[Kind::Ssh, Kind::X509]);
        house.give_back(of_both).unwrap();
        let named = pass(&mut house);
        assert_eq!(named[2..], ["db-2", "db-1.postgresql"]);
        house.applied_crl("db-1", "db-1.postgresql", Canary::Untried).unwrap();
        house.applied_newest("db-2", Canary::Untried).unwrap();
        assert_eq!(pass(&mut house).len(), 4);
        assert_eq!(house.audit().findings, []);
        house.desk().reader().unwrap().rebuild_and_compare().unwrap();
    }
}

#[test]
fn what_has_not_landed_is_known_after_a_restart() {
    let mut house = house();
    house.applied_newest("db-1", Canary::Refused).unwrap();
    let grant = house.grant("quick", 900, 1);
    house.give_back(grant.request).unwrap();
    house.restart();
    house.pass(LANDING_MAX_SECONDS);
    assert_eq!(overdue(&house).len(), 1);
}

/// A host that left the policy is not waited for.
#[test]
fn a_host_that_left_is_not_overdue() {
    let mut house = house();
    house.applied_newest("db-1", Canary::Refused).unwrap();
    house.push(files_with_hosts(&["db-2"])).unwrap();
    let grant = house.grant("quick", 900, 1);
    house.give_back(grant.request).unwrap();
    house.pass(LANDING_MAX_SECONDS);
    assert_eq!(overdue(&house), []);
}
