//! Policies: only the authority before it makes one.

use super::*;

#[test]
fn a_policy_change_by_its_authority_is_verified() {
    let mut house = House::new();
    let files = files_of(&house.keys, &["pia", "sam", "ada", "bob"]);
    house.enact(&files, "pia");
    let id = house.request("sam", "quick", 60);
    house.approve(id, "ada", "second-person");
    house.collect(id);
    assert_eq!(house.verify().findings, []);
}

/// R05
#[test]
fn a_policy_signed_by_somebody_else() {
    let mut house = House::new();
    let files = files_of(&house.keys, &["pia", "sam", "ada", "eve"]);
    let seq = house.enact(&files, "eve");
    let at = first(&house.verify());
    assert_eq!(at, (Code::PolicyUnauthorized, Some(seq), Verdict::Tampered));
}

/// R05: the next authority is judged by the one before it, not by itself.
#[test]
fn an_authority_that_appoints_itself() {
    let mut house = House::new();
    let files = files_of(&house.keys, &["eve", "sam", "ada", "bob"]);
    assert!(String::from_utf8_lossy(&files.authority).contains("eve"));
    house.enact(&files, "eve");
    assert_eq!(first(&house.verify()).0, Code::PolicyUnauthorized);
}

#[test]
fn a_first_authority_that_the_reviewer_does_not_know() {
    let house = eventful();
    let mut trust = house.trust();
    trust.authority = vec![house.keys.public("eve").fingerprint()];
    let at = first(&house.export().verify(&trust, None));
    assert_eq!(at, (Code::PolicyUnauthorized, Some(1), Verdict::Tampered));
}

#[test]
fn a_policy_file_missing_or_changed() {
    let house = eventful();
    let mut export = house.export();
    let (digest, content) = export.blobs.pop_first().unwrap();
    let at = first(&export.verify(&house.trust(), None));
    assert_eq!(at, (Code::BlobMissing, Some(1), Verdict::Unproven));
    export.blobs.insert(digest, [content.as_slice(), b"\n"].concat());
    let at = first(&export.verify(&house.trust(), None));
    assert_eq!(at, (Code::PolicyMismatch, Some(1), Verdict::Tampered));
}

#[test]
fn a_decision_under_another_policy() {
    let mut house = House::new();
    let ask = house.ask("sam", "solo", 60);
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask));
    let mut body = house.requesting(id, "solo", signed);
    body.decision.policy = Digest::of(b"another");
    let seq = house.record(body);
    assert_eq!(first(&house.verify()), (Code::PolicyMismatch, Some(seq), Verdict::Tampered));
}

/// A ledger whose policy was left out cannot have granted anything.
#[test]
fn a_grant_without_any_policy() {
    let house = eventful();
    let mut export = house.export();
    let mut all = export.lines();
    all.remove(1);
    relink(&mut all);
    export.set_lines(&all);
    let report = export.verify(&house.trust(), None);
    assert!(report.findings.iter().any(|finding| finding.code == Code::PolicyUnauthorized));
}
