//! An agent that is shown the lists of an authority which is not a broker's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_integration_tests::agent::{Pins, Told};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::sshd::said;
use breakglass_integration_tests::tls_site::Shown as Certified;
use breakglass_integration_tests::wait::{SOON, until};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::super::host::{Shown, liar, pins_at};

/// An authority of the broker's kind, made by another library than the broker's.
pub(super) struct Authority(pub(super) CertifiedIssuer<'static, KeyPair>);

/// What a list says.
#[derive(Clone, Copy)]
pub(super) struct Says<'a> {
    pub(super) revoked: &'a [u64],
    pub(super) version: u64,
    /// Seconds from now.
    pub(super) begins: i64,
    pub(super) ends: i64,
}

pub(super) const WEEK: i64 = 7 * 86_400;

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn list(&self, revoked: &[u64], version: u64) -> String {
        self.says(Says { revoked, version, begins: -60, ends: WEEK })
    }

    pub(super) fn says(&self, says: Says<'_>) -> String {
        let now = now();
        let at = |seconds: i64| {
            let seconds = u64::try_from(i64::try_from(now).unwrap() + seconds).unwrap();
            date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
        };
        let number = (u128::from(says.version) << 64) | u128::from(now);
        let revoked = says.revoked.iter().map(|seq| RevokedCertParams {
            serial_number: serial(*seq),
            revocation_time: at(-30),
            reason_code: Some(RevocationReason::CessationOfOperation),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at(says.begins),
            next_update: at(says.ends),
            crl_number: SerialNumber::from_slice(number.to_be_bytes().as_slice()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap().replace("\r\n", "\n")
    }

    /// A certificate for the entry `seq`, and its key, in `dir`.
    pub(super) fn certify(&self, seq: u64, dir: &Path) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = named("bg-req-0192f0c1-sam");
        params.serial_number = Some(serial(seq));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let path = |ending: &str| dir.join(format!("{seq}.{ending}"));
        let shown = Certified { certificate: path("crt"), key: path("key") };
        fs::write(&shown.certificate, params.signed_by(&key, &self.0).unwrap().pem()).unwrap();
        fs::write(&shown.key, key.serialize_pem()).unwrap();
        said(Command::new("chmod").arg("600").arg(&shown.key));
        shown
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn serial(seq: u64) -> SerialNumber {
    let number = (u128::from(seq) << 64) | 0x0123_4567_89ab_cdef;
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    SerialNumber::from_slice(&bytes)
}

pub(super) fn now() -> u64 {
    breakglass_client::clock::now().unix_seconds()
}

/// An agent that is shown lists by a liar.
pub(super) struct Stage {
    pub(super) ca: Authority,
    pub(super) shown: Shown,
    pub(super) pins: Pins,
    pub(super) told: Told,
    _house: House,
}

impl Stage {
    pub(super) fn new() -> Self {
        let house = House::sample();
        let (address, shown) = liar();
        let pins = pins_at(&house, address);
        let told = Told::new("db-1", &pins);
        let ca = Authority::new("breakglass payments X.509 CA 0123abcd");
        fs::write(told.path("x509-ca.pem"), ca.0.pem()).unwrap();
        Self { ca, shown, pins, told, _house: house }
    }

    /// The agent looks after one server, with these lines.
    pub(super) fn looks_after(&self, target: &str) {
        let more = format!("x509-ca = \"x509-ca.pem\"\n[[target]]\n{target}");
        self.told.write(&self.pins, &more);
    }

    pub(super) fn show(&self, list: &str) {
        // As whatever is asked for.
        *self.shown.lock().unwrap() = (list.as_bytes().to_vec(), list.to_owned());
    }

    pub(super) fn state(&self, target: &str) -> String {
        fs::read_to_string(self.told.path(&format!("state/state-{target}.json")))
            .unwrap_or_default()
    }

    pub(super) fn until_state(&self, target: &str, word: &str) {
        let what = format!("{word} in {}\n{}", self.state(target), self.told.log());
        until(&what, SOON, || self.state(target).contains(word).then_some(()));
    }

    /// Waits for a line of the agent's log with both words.
    pub(super) fn until_log(&self, one: &str, other: &str) {
        let is_it = |line: &str| line.contains(one) && line.contains(other);
        let what = format!("{one} … {other}");
        until(&what, SOON, || self.told.log().lines().any(is_it).then_some(()));
    }

    /// Where PostgreSQL looks for the list in `dir`.
    pub(super) fn file(&self, dir: &Path) -> PathBuf {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-subject_hash", "-in"]).arg(self.told.path("x509-ca.pem"));
        dir.join(format!("{}.r0", said(&mut openssl).trim()))
    }
}
