use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::testing::House;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm,
};

use super::*;
use crate::receipt::Receipt;
use crate::testing::{answer, trust};

/// An authority made here.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "breakglass test X.509 CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem: pem.replace("\r\n", "\n") }
    }
}

/// What a certificate says, before a test makes it say something else.
struct Leaf {
    name: String,
    serial: Vec<u8>,
    ends: Timestamp,
    purposes: Vec<ExtendedKeyUsagePurpose>,
    is_ca: IsCa,
    point: [u8; 65],
}

impl Leaf {
    fn sign(&self, authority: &Authority) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "dba");
        params.distinguished_name.push(DnType::CommonName, self.name.clone());
        params.serial_number = Some(SerialNumber::from_slice(&self.serial));
        params.is_ca = self.is_ca;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.purposes.clone();
        let whole = |at: Timestamp| {
            let seconds = i64::try_from(at.unix_seconds()).unwrap();
            time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
        };
        params.not_before = whole(self.ends.minus(3600));
        params.not_after = whole(self.ends);
        params.signed_by(&Point(self.point), &authority.issuer).unwrap().pem().replace("\r\n", "\n")
    }
}

/// A public key whose private half is elsewhere.
struct Point([u8; 65]);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn p256() -> SubjectKey {
    SubjectKey::generate(&[Kind::X509]).unwrap()
}

/// A house that issued a certificate over `key`, `change`d; and what the client makes of it.
fn collected(
    key: &SubjectKey,
    trusted: Option<&str>,
    authority: &Authority,
    change: impl FnOnce(&mut Leaf),
) -> Result<Credential, CredentialError> {
    let mut house = House::new();
    let mut ask = house.ask("sam", "root-on-host", 1800);
    ask.key = Some(key.public().clone());
    let id = ask.id;
    let signed = house.said("sam", Act::Request(ask.clone()));
    let requested = house.requesting(id, "root-on-host", signed);
    house.record(requested);
    let parts = house.certificate(id);
    let mut issued = house.issuing(id, &parts);
    let random = [0xff; 8];
    let mut leaf = Leaf {
        name: common_name(&ask),
        serial: [&parts.serial.to_be_bytes()[..], &random].concat(),
        ends: parts.valid_before,
        purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
        is_ca: IsCa::ExplicitNoCa,
        point: *key.point().unwrap(),
    };
    change(&mut leaf);
    issued.kind = Kind::X509;
    issued.principals = vec![common_name(&ask)];
    issued.certificate = Some(leaf.sign(authority));
    let sent = Statement::parse(issued.signed.statement.as_bytes()).unwrap();
    house.record(issued);
    let receipt = Receipt::check(answer(&house), &sent, &trust(&house), None).unwrap();
    Credential::check(&receipt, &ask, key, Kind::X509, trusted)
}

#[test]
fn the_certificate_that_was_approved_is_accepted_and_read() {
    let (key, authority) = (p256(), Authority::new());
    for trusted in [None, Some(authority.pem.as_str())] {
        let credential = collected(&key, trusted, &authority, |_| {}).unwrap();
        assert_eq!(credential.serial, 3);
        assert!(credential.name.starts_with("bg-req-") && credential.name.ends_with("-sam"));
    }
}

/// R09, R16: what is judged is the final certificate, against the key made here.
#[test]
fn a_certificate_that_differs_from_what_was_asked_is_not_used() {
    let (key, other, authority) = (p256(), p256(), Authority::new());
    let refused = |change: &dyn Fn(&mut Leaf)| {
        collected(&key, Some(&authority.pem), &authority, |leaf| change(leaf)).unwrap_err()
    };
    let differs = |what| CredentialError::Differs(what);
    assert_eq!(refused(&|leaf| leaf.name.push('x')), differs("its common name"));
    assert_eq!(
        refused(&|leaf| leaf.serial[7] = 9),
        differs("its serial, from the entry's position")
    );
    assert_eq!(refused(&|leaf| leaf.serial.insert(0, 1)), CredentialError::Form);
    assert_eq!(refused(&|leaf| leaf.ends = leaf.ends.plus(1)), differs("its end"));
    let purpose = differs("what it may be used for");
    assert_eq!(refused(&|leaf| leaf.purposes = vec![ExtendedKeyUsagePurpose::ServerAuth]), purpose);
    assert_eq!(refused(&|leaf| leaf.purposes.push(ExtendedKeyUsagePurpose::Any)), purpose);
    let of_ca = |leaf: &mut Leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(refused(&of_ca), purpose);
    assert_eq!(refused(&|leaf| leaf.point = *other.point().unwrap()), differs("its key"));
}

#[test]
fn a_certificate_of_another_authority_is_not_used_where_the_right_one_is_known() {
    let (key, authority, other) = (p256(), Authority::new(), Authority::new());
    // The name is the same: only the signature tells them apart.
    let refused = collected(&key, Some(&authority.pem), &other, |_| {}).unwrap_err();
    assert_eq!(refused, CredentialError::Differs("its authority"));
    let nonsense = collected(&key, Some("-----BEGIN CERTIFICATE-----"), &authority, |_| {});
    assert_eq!(nonsense.unwrap_err(), CredentialError::Differs("its authority"));
}

#[test]
fn a_long_holder_is_cut_from_the_common_name_and_the_request_never() {
    let mut house = House::new();
    let mut ask = house.ask("sam", "root-on-host", 60);
    ask.by = "a-very-long-name-of-a-service-account".parse::<PrincipalId>().unwrap();
    assert_eq!(common_name(&ask).len(), 64);
    assert!(common_name(&ask).starts_with(&format!("bg-{}-a-very", ask.id)));
    ask.lane = Lane::Drill;
    assert_eq!(common_name(&ask).len(), 64);
    assert!(common_name(&ask).starts_with(&format!("drill-bg-{}-a", ask.id)));
}
