//! Credentials around an entry `keys`: each is judged by the key in force where it stands.

use super::*;
use crate::audit::Verdict as Class;
use crate::entry::{KeyRole, Keys as NewKey};
use crate::statement::Lane;

/// An emergency that is approved, after the SSH CA was replaced by the key of this name.
fn approved_after(ca: &str) -> (House, RequestId) {
    let mut house = House::new();
    let key = house.keys.public(ca).to_openssh();
    house.record(NewKey { role: KeyRole::SshCa, key });
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    (house, id)
}

#[test]
fn a_certificate_of_the_new_authority_is_good_after_the_switch() {
    let (mut house, id) = approved_after("ssh-ca-2");
    let mut body = house.issuing(id, &house.certificate(id));
    body.certificate = Some(house.certificate(id).sign(&house.keys, "ssh-ca-2"));
    house.record(body);
    let report = house.verify();
    assert_eq!(report.findings, []);
    assert_ne!(report.verdict, Class::Tampered);
}

#[test]
fn a_certificate_of_the_old_authority_after_the_switch() {
    let (mut house, id) = approved_after("ssh-ca-2");
    house.record(house.issuing(id, &house.certificate(id)));
    assert_eq!(only(&house), Code::CredMismatch);
}

#[test]
fn a_certificate_of_the_next_authority_before_the_switch() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let mut body = house.issuing(id, &house.certificate(id));
    body.certificate = Some(house.certificate(id).sign(&house.keys, "ssh-ca-2"));
    house.record(body);
    let key = house.keys.public("ssh-ca-2").to_openssh();
    house.record(NewKey { role: KeyRole::SshCa, key });
    assert_eq!(only(&house), Code::CredMismatch);
}

#[test]
fn what_the_old_authority_signed_stays_good_when_it_is_replaced_afterwards() {
    let mut house = House::new();
    let id = root(&mut house);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    house.record(house.issuing(id, &house.certificate(id)));
    let key = house.keys.public("ssh-ca-2").to_openssh();
    house.record(NewKey { role: KeyRole::SshCa, key });
    assert_eq!(house.verify().findings, []);
}

#[test]
fn an_x509_certificate_of_the_old_authority_after_the_switch() {
    let mut house = House::kinds();
    let key = house.next_x509_ca();
    house.record(NewKey { role: KeyRole::X509Ca, key });
    let id = house.ask_kinds(Lane::Normal);
    let ends = house.now.plus(1800);
    house.record(house.issuing_x509(id, &house.x509(id, ends)));
    assert_eq!(only(&house), Code::CredMismatch);
}

#[test]
fn a_key_that_is_none_of_its_role() {
    for (role, key) in [
        (KeyRole::SshCa, "ssh-ed25519 AAAA"),
        (KeyRole::X509Ca, "-----BEGIN CERTIFICATE-----\n"),
        (KeyRole::JwtKey, "ssh-ed25519 AAAA"),
        (KeyRole::Lists, "ssh-ed25519 AAAA"),
        (KeyRole::TlsCa, "the new one"),
    ] {
        let mut house = House::new();
        house.record(NewKey { role, key: key.to_owned() });
        assert_eq!(codes(&house.verify()), [Code::Schema], "{role:?}");
    }
}
