//! Certificates and tokens that are not the ones decided on, and grants with several of them.

use super::*;
use crate::audit::Verdict as Class;
use crate::entry::Issued;
use crate::statement::Lane;
use crate::testing::X509Parts;
use crate::time::Timestamp;

/// sam's request, and when the grant ends that begins now.
fn asked(lane: Lane) -> (House, RequestId, Timestamp) {
    let mut house = House::kinds();
    let id = house.ask_kinds(lane);
    let ends = house.now.plus(1800);
    (house, id, ends)
}

/// The only code after a certificate was spoiled before it was signed.
fn spoiled(spoil: impl FnOnce(&mut X509Parts)) -> Code {
    let (mut house, id, ends) = asked(Lane::Normal);
    let mut parts = house.x509(id, ends);
    spoil(&mut parts);
    let mut body = house.issuing_x509(id, &parts);
    body.valid_before = ends;
    body.valid_after = house.now.minus(60);
    house.record(body);
    only(&house)
}

/// The only code after the entry of a good certificate was spoiled.
fn entered(spoil: impl FnOnce(&mut Issued)) -> Code {
    let (mut house, id, ends) = asked(Lane::Normal);
    let mut body = house.issuing_x509(id, &house.x509(id, ends));
    spoil(&mut body);
    house.record(body);
    only(&house)
}

/// The only code after the claims of a token were edited.
fn claimed(from: &str, to: &str) -> Code {
    let (mut house, id, ends) = asked(Lane::Normal);
    let until = house.now.plus(600);
    let claims = house.claims(id, until);
    assert!(claims.contains(from), "{claims}");
    house.record(house.issuing_token(id, claims.replacen(from, to, 1), until, ends));
    only(&house)
}

#[test]
fn a_grant_gives_one_credential_of_each_kind_and_token_after_token() {
    for lane in [Lane::Normal, Lane::Drill] {
        let (mut house, id, ends) = asked(lane);
        house.record(house.issuing_x509(id, &house.x509(id, ends)));
        house.pass(30);
        let until = house.now.plus(600);
        let first = house.record(house.issuing_token(id, house.claims(id, until), until, ends));
        house.pass(700);
        let until = house.now.plus(600);
        let mut next = house.issuing_token(id, house.claims(id, until), until, ends);
        next.replaces = Some(first);
        let second = house.record(next);
        let mut end = house.revoking(id, Cause::Expired, None);
        house.now = ends;
        end.also = Some(vec![first, second]);
        (end.serial, end.valid_before) = (first - 1, ends);
        end.link = house.link(id);
        end.decision = house.decision("revoked");
        house.record(end);
        let report = house.verify();
        assert_eq!(report.findings, [], "{lane:?}");
        assert_ne!(report.verdict, Class::Tampered);
    }
}

#[test]
fn a_certificate_that_opens_more_than_its_scope() {
    let more: [fn(&mut X509Parts); 6] = [
        |parts| parts.subject.insert(0, ([0x55, 4, 10], "system:masters".to_owned())),
        |parts| parts.extensions[0].2 = vec![0x30, 3, 1, 1, 0xff],
        |parts| parts.extensions[1].2 = vec![3, 2, 2, 0x84],
        |parts| parts.extensions[2].2 = vec![0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0],
        |parts| parts.extensions[5].2.extend_from_slice(&[0x86, 1, b'a']),
        |parts| parts.extensions.push(([0x55, 0x1d, 31], false, vec![0x30, 0])),
    ];
    for (at, spoil) in more.into_iter().enumerate() {
        assert_eq!(spoiled(spoil), Code::ScopeExceeded, "{at}");
    }
}

#[test]
fn a_certificate_that_is_not_the_one_decided_on() {
    let others: [fn(&mut X509Parts); 12] = [
        |parts| parts.serial[7] ^= 1,
        |parts| parts.serial[8..].fill(0),
        |parts| parts.serial.insert(0, 1),
        |parts| parts.issuer[0].1.push('2'),
        |parts| parts.not_before = parts.not_before.minus(1),
        |parts| parts.not_after = parts.not_after.plus(1),
        |parts| parts.subject.swap(0, 1),
        |parts| drop(parts.subject.remove(2)),
        |parts| parts.extensions[3].2[5] ^= 1,
        |parts| parts.extensions[4].2[8] ^= 1,
        |parts| drop(parts.extensions.pop()),
        |parts| parts.subject[3].1 = parts.subject[3].1.replace("sam", "ann"),
    ];
    for (at, spoil) in others.into_iter().enumerate() {
        assert_eq!(spoiled(spoil), Code::CredMismatch, "{at}");
    }
}

#[test]
fn a_certificate_by_another_authority_or_in_another_form() {
    let (house, id, ends) = asked(Lane::Normal);
    let parts = house.x509(id, ends);
    let foreign = parts.sign(false);
    assert_eq!(entered(|body| body.certificate = Some(foreign)), Code::CredMismatch);
    for (from, to) in [("-----END", "\n-----END"), ("CERTIFICATE-----\n", "CERTIFICATE-----\r\n")] {
        let edit = |body: &mut Issued| {
            body.certificate = body.certificate.as_ref().map(|pem| pem.replacen(from, to, 1));
        };
        if to.contains('\r') {
            continue; // No entry holds a carriage return.
        }
        assert_eq!(entered(edit), Code::CredMismatch, "{to:?}");
    }
    assert_eq!(entered(|body| body.certificate = Some("x".to_owned())), Code::CredMismatch);
    assert_eq!(entered(|body| body.certificate = None), Code::CredMismatch);
    assert_eq!(entered(|body| body.principals.push("root".to_owned())), Code::CredMismatch);
    assert_eq!(entered(|body| body.serial += 1), Code::CredMismatch);
    assert_eq!(entered(|body| body.claims = Some("{}".to_owned())), Code::CredMismatch);
    assert_eq!(entered(|body| body.replaces = Some(1)), Code::GrantOrder);
    let ends_late = |body: &mut Issued| body.ends = Some(body.valid_before.plus(1));
    assert!(matches!(entered_codes(ends_late).as_slice(), [Code::TtlExceeded, Code::CredMismatch]));
}

fn entered_codes(spoil: impl FnOnce(&mut Issued)) -> Vec<Code> {
    let (mut house, id, ends) = asked(Lane::Normal);
    let mut body = house.issuing_x509(id, &house.x509(id, ends));
    spoil(&mut body);
    house.record(body);
    codes(&house.verify())
}

#[test]
fn a_token_that_claims_more_than_its_scope() {
    for (from, to) in [
        ("[\"dba\"]", "[\"dba\",\"root\"]"),
        ("https://db.example.com", "https://other.example.com"),
        ("\"groups\"", "\"email\":\"a@b\",\"groups\""),
    ] {
        assert_eq!(claimed(from, to), Code::ScopeExceeded, "{to}");
    }
}

#[test]
fn a_token_that_is_not_the_one_decided_on() {
    for (from, to) in [
        (":sam\"", ":ann\""),
        ("\"exp\":1", "\"exp\":2"),
        ("\"nbf\":1", "\"nbf\":2"),
        ("\"iat\":1", "\"iat\":2"),
        ("\"jti\":\"", "\"jti\":\"x"),
        ("\"jkt\":\"", "\"jkt\":\"x"),
        ("https://breakglass", "http://breakglass"),
        ("{\"aud\"", "{ \"aud\""),
        ("{\"aud\"", "[\"aud\""),
    ] {
        assert_eq!(claimed(from, to), Code::CredMismatch, "{to}");
    }
}

#[test]
fn a_token_that_lives_too_long_or_comes_beside_another() {
    let (mut house, id, ends) = asked(Lane::Normal);
    let until = house.now.plus(601);
    house.record(house.issuing_token(id, house.claims(id, until), until, ends));
    assert_eq!(only(&house), Code::TtlExceeded);

    let (mut house, id, ends) = asked(Lane::Normal);
    let until = house.now.plus(600);
    house.record(house.issuing_token(id, house.claims(id, until), until, ends));
    house.record(house.issuing_token(id, house.claims(id, until), until, ends));
    assert_eq!(only(&house), Code::GrantOrder);
}

#[test]
fn a_second_certificate_of_a_kind_or_one_that_outlives_its_grant() {
    let (mut house, id, ends) = asked(Lane::Normal);
    house.record(house.issuing_x509(id, &house.x509(id, ends)));
    house.record(house.issuing_x509(id, &house.x509(id, ends)));
    assert_eq!(only(&house), Code::GrantOrder);

    let (mut house, id, ends) = asked(Lane::Normal);
    let until = house.now.plus(600);
    house.record(house.issuing_token(id, house.claims(id, until), until, ends));
    house.pass(10);
    let late = ends.plus(10);
    house.record(house.issuing_x509(id, &house.x509(id, late)));
    assert_eq!(only(&house), Code::TtlExceeded);
}

#[test]
fn an_end_that_leaves_a_credential_out() {
    let (mut house, id, ends) = asked(Lane::Normal);
    house.record(house.issuing_x509(id, &house.x509(id, ends)));
    let until = house.now.plus(600);
    house.record(house.issuing_token(id, house.claims(id, until), until, ends));
    let first = house.size().saturating_sub(2);
    let signed = house.said("sam", Act::Drop(house.about(id, "sam")));
    let mut end = house.revoking(id, Cause::Dropped, Some(signed));
    (end.serial, end.valid_before) = (first, ends);
    house.record(end);
    assert_eq!(only(&house), Code::CredMismatch);
}

/// What is found if a caller's revocation rests on these `rules`, with or without a token in the grant.
fn taken_back(rules: &[&str], has_token: bool) -> Vec<Code> {
    let (mut house, id, ends) = asked(Lane::Normal);
    let first = house.record(house.issuing_x509(id, &house.x509(id, ends)));
    let until = house.now.plus(600);
    let issuing = house.issuing_token(id, house.claims(id, until), until, ends);
    let also = has_token.then(|| vec![house.record(issuing)]);
    let mut end = house.revoking(id, Cause::TokenRevoked, None);
    (end.serial, end.also, end.valid_before) = (first, also, ends);
    end.decision.rules = rules.iter().map(|&rule| rule.to_owned()).collect();
    house.record(end);
    house.verify().findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_token_taken_back_by_a_service_that_is_named_and_by_nobody_else() {
    assert_eq!(taken_back(&["caller:gateway"], true), []);
    assert_eq!(taken_back(&["caller:gateway"], false), [Code::ScopeExceeded], "shown no token");
    for rules in [&[][..], &["caller:"], &["caller:Gate way"], &["ttl"], &["caller:a", "caller:b"]]
    {
        assert_eq!(taken_back(rules, true), [Code::ScopeExceeded], "{rules:?}");
    }
}

#[test]
fn a_credential_whose_key_the_ledger_never_named() {
    let mut house = House::new();
    let mut files = files_of(&house.keys, &PEOPLE);
    files.scopes.extend_from_slice(crate::testing::SCOPE_OF_KINDS.as_bytes());
    house.enact(&files, "pia");
    let id = house.ask_kinds(Lane::Normal);
    let ends = house.now.plus(1800);
    house.record(house.issuing_x509(id, &house.x509(id, ends)));
    assert_eq!(only(&house), Code::CredMismatch);
}
