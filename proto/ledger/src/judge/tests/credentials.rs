//! Credentials that are not the ones decided on.

use super::*;
use crate::testing::CertificateParts;

/// The only code after an emergency whose certificate was spoiled before it was issued.
fn issued(spoil: impl FnOnce(&mut CertificateParts, &House)) -> Code {
    let mut house = House::new();
    let id = approved(&mut house);
    let mut parts = house.certificate(id);
    spoil(&mut parts, &house);
    house.record(house.issuing(id, &parts));
    only(&house)
}

fn approved(house: &mut House) -> RequestId {
    let id = root(house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    id
}

#[test]
fn a_life_longer_than_approved() {
    let longer = issued(|parts, _| parts.valid_before = parts.valid_before.plus(1));
    assert_eq!(longer, Code::TtlExceeded);
}

#[test]
fn a_life_that_begins_elsewhere_or_never() {
    let earlier = issued(|parts, _| parts.valid_after = parts.valid_after.minus(1));
    assert_eq!(earlier, Code::CredMismatch);
    let never = issued(|parts, house| parts.valid_before = house.now);
    assert_eq!(never, Code::CredMismatch);
}

#[test]
fn principals_wider_than_the_scope_or_none() {
    let wider = issued(|parts, _| parts.principals.push("root".to_owned()));
    assert_eq!(wider, Code::ScopeExceeded);
    // R07: a certificate without principals opens every account.
    assert_eq!(issued(|parts, _| parts.principals.clear()), Code::ScopeExceeded);
}

#[test]
fn extensions_and_options_other_than_the_scopes() {
    let more = issued(|parts, _| parts.extensions.insert(0, "permit-X11-forwarding".to_owned()));
    assert_eq!(more, Code::ScopeExceeded);
    let option = ("verify-required".to_owned(), String::new());
    assert_eq!(issued(|parts, _| parts.options.push(option)), Code::ScopeExceeded);
    let mut house = House::new();
    let id = house.request("sam", "solo", 60);
    let mut parts = house.certificate(id);
    assert!(!parts.options.is_empty());
    parts.options.clear();
    house.record(house.issuing(id, &parts));
    assert_eq!(only(&house), Code::ScopeExceeded, "without its force-command");
}

#[test]
fn a_certificate_for_another_key_person_number_or_purpose() {
    let spoils: [fn(&mut CertificateParts, &House); 4] = [
        |parts, house| parts.subject = house.keys.public("mallory"),
        |parts, _| parts.key_id = parts.key_id.replace("sam", "ann"),
        |parts, _| parts.serial += 1,
        |parts, _| parts.kind = 2,
    ];
    for spoil in spoils {
        assert_eq!(issued(spoil), Code::CredMismatch);
    }
}

#[test]
fn a_certificate_that_differs_from_its_entry() {
    let with = |spoil: fn(&mut CertificateParts)| {
        let mut house = House::new();
        let id = approved(&mut house);
        let mut parts = house.certificate(id);
        let mut body = house.issuing(id, &parts);
        spoil(&mut parts);
        body.certificate = Some(parts.sign(&house.keys, "ssh-ca"));
        house.record(body);
        only(&house)
    };
    let spoils: [fn(&mut CertificateParts); 4] = [
        |parts| parts.valid_before = parts.valid_before.plus(3600),
        |parts| parts.valid_after = parts.valid_after.minus(3600),
        |parts| parts.principals.push("root".to_owned()),
        |parts| parts.serial = 1,
    ];
    for spoil in spoils {
        assert_eq!(with(spoil), Code::CredMismatch);
    }
}

#[test]
fn a_certificate_by_another_ca_or_edited_or_none() {
    let with = |certificate: &dyn Fn(&House, &CertificateParts) -> String| {
        let mut house = House::new();
        let id = approved(&mut house);
        let parts = house.certificate(id);
        let mut body = house.issuing(id, &parts);
        body.certificate = Some(certificate(&house, &parts));
        house.record(body);
        only(&house)
    };
    assert_eq!(with(&|house, parts| parts.sign(&house.keys, "mallory")), Code::CredMismatch);
    assert_eq!(
        with(&|_, _| "ssh-ed25519-cert-v01@openssh.com AAAA".to_owned()),
        Code::CredMismatch
    );
    assert_eq!(with(&|house, _| house.keys.public("sam").to_openssh()), Code::CredMismatch);
    let comment = |house: &House, parts: &CertificateParts| {
        format!("{} sam@laptop", parts.sign(&house.keys, "ssh-ca"))
    };
    assert_eq!(with(&comment), Code::CredMismatch);
    let edited = |house: &House, parts: &CertificateParts| {
        // One character of the signature at the end.
        let line = parts.sign(&house.keys, "ssh-ca");
        let at = line.len() - 8;
        let other = if line.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &line[..at], &line[at + 1..])
    };
    assert_eq!(with(&edited), Code::CredMismatch);
}

/// R16: collecting is bound to the request's key.
#[test]
fn a_credential_collected_with_another_key() {
    use crate::statement::{Collect, Kind, Statement};
    for signer in ["sam", "ann", "mallory"] {
        let mut house = House::new();
        let id = approved(&mut house);
        let parts = house.certificate(id);
        let mut body = house.issuing(id, &parts);
        let collect = Statement::parse(body.signed.statement.as_bytes()).unwrap();
        let request = collect.about().unwrap();
        body.signed = house.said(signer, Act::Collect(Collect { request, kind: Kind::Ssh }));
        house.record(body);
        assert_eq!(only(&house), Code::KeyUnknown, "{signer}");
    }
}

#[test]
fn a_second_credential_for_one_request() {
    let mut house = House::new();
    let id = house.emergency();
    house.pass(1);
    house.collect(id);
    assert_eq!(only(&house), Code::GrantOrder);
}

/// Foreign eyes: the certificates of the test house are ones that ssh-keygen reads.
#[test]
fn ssh_keygen_reads_the_certificate() {
    use std::process::Command;
    let mut house = House::new();
    let id = approved(&mut house);
    let line = house.certificate(id).sign(&house.keys, "ssh-ca");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("certificate.pub");
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let output = Command::new("ssh-keygen").arg("-L").arg("-f").arg(&file).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains(&format!("bg:{id}:sam")), "{shown}");
}
