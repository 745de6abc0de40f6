use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::testing::{CertificateParts, House};

use super::*;
use crate::testing::{answer, trust};

/// A house in which a request with `key` was approved and issued with `change` made to what its
/// certificate deserves; and what the client makes of it.
fn collected(
    key: &SubjectKey,
    change: impl FnOnce(&mut CertificateParts),
) -> Result<Credential, CredentialError> {
    let mut house = House::new();
    let mut ask = house.ask("sam", "root-on-host", 1800);
    ask.key = Some(key.public().clone());
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask.clone()));
    let requested = house.requesting(id, "root-on-host", signed);
    house.record(requested);
    let mut parts = house.certificate(id);
    change(&mut parts);
    let issued = house.issuing(id, &parts);
    let sent = Statement::parse(issued.signed.statement.as_bytes()).unwrap();
    house.record(issued);
    let receipt = Receipt::check(answer(&house), &sent, &trust(&house), None).unwrap();
    Credential::check(&receipt, &ask, key, Kind::Ssh, None)
}

#[test]
fn the_certificate_that_was_approved_is_accepted() {
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let credential = collected(&key, |_| {}).unwrap();
    assert_eq!(credential.serial, 3);
    assert_eq!(credential.principals, ["bg-root"]);
    assert!(credential.name.ends_with(":sam"));
}

/// R09, R16: what is judged is the final certificate, against the key made here.
#[test]
fn a_certificate_that_differs_from_what_was_asked_is_not_used() {
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let other = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let refused = |change: &dyn Fn(&mut CertificateParts)| {
        collected(&key, |parts| change(parts)).map(|c| c.name).unwrap_err()
    };
    let differs = |what| CredentialError::Differs(what);
    assert_eq!(refused(&|c| c.subject = other.public().clone()), differs("its key"));
    assert_eq!(refused(&|c| c.serial = 99), differs("its serial, from the entry's position"));
    assert_eq!(refused(&|c| c.key_id = "bg:ann".to_owned()), differs("its key id"));
    let later = |c: &mut CertificateParts| c.valid_before = c.valid_before.plus(1);
    assert_eq!(refused(&later), differs("its life, longer than asked"));
    assert_eq!(refused(&|c| c.kind = 2), CredentialError::Form);
}

/// R07: a certificate without principals would open every account.
#[test]
fn a_certificate_without_principals_is_not_used() {
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let bare = collected(&key, |parts| parts.principals.clear()).unwrap_err();
    assert_eq!(bare, CredentialError::Differs("its principals (none: any user)"));
}

/// R15: an answer without a credential is an error, never an empty success.
#[test]
fn an_answer_without_a_certificate_is_no_credential() {
    let mut house = House::new();
    let id = house.request("sam", "root-on-host", 1800);
    house.approve(id, "ada", "app-owner");
    house.approve(id, "bob", "security");
    let parts = house.certificate(id);
    let issued = house.issuing(id, &parts);
    let sent = Statement::parse(issued.signed.statement.as_bytes()).unwrap();
    house.record(issued);
    let mut bare = answer(&house);
    bare.credential.clear();
    let receipt = Receipt::check(bare, &sent, &trust(&house), None).unwrap();
    let ask = house.ask("sam", "root-on-host", 1800);
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    assert_eq!(
        Credential::check(&receipt, &ask, &key, Kind::Ssh, None).unwrap_err(),
        CredentialError::Absent
    );
}
