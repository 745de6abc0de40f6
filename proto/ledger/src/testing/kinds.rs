//! Grants with credentials of several kinds: P-256 keys, X.509 certificates and claims, written by
//! hand, so that each part can be wrong.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm,
};
use time::OffsetDateTime;
use time::macros::format_description;

use super::House;
use crate::bytes::Digest;
use crate::entry::{Issued, KeyRole, Keys as NewKey, Signed};
use crate::id::RequestId;
use crate::key::PublicKey;
use crate::sshsig::{assemble, to_be_signed};
use crate::statement::{Act, Ask, Collect, Kind, Lane, Statement};
use crate::time::Timestamp;

/// A scope of [`House::kinds`] that nobody has to agree to.
pub const SCOPE_OF_KINDS: &str = r#"
[[scope]]
id = "many"
title = "The payments cluster, in every way"
purpose = "Repair it"
business-owner = "group:leads"
technical-owner = "group:leads"
identity-owner = "group:security"
sensitivity = "high"
ttl-max = "1h"
pending-max = "10m"
live-max = 5
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "drill"]
approval = "none"

[scope.ssh]
principals = ["dba"]

[scope.x509]
organizations = ["breakglass:dba", "Acme"]
organizational-units = ["payments"]
uri = "spiffe://example.com/breakglass/dba"

[scope.jwt]
audience = "https://db.example.com"
groups = ["dba"]
"#;

/// Private and public halves of two P-256 keys that are good for nothing else: of the authority, and
/// of every subject.
const KEYS: [[&str; 2]; 2] = [
    [
        "fa413bfcf2cfd0482887e36a527eed472d89815c3eefc5e2acf75d2d70acc3fe",
        "04c7ef0dd43c08ff7f047d7709d0e3695da9c88afdc52f835c92abca928fe740f36990d4a040d91ab7bae8edf15bd5ee599db1d1a50f9c9752ab7cb2b77546d8d2",
    ],
    [
        "ff13e46b0cf0fe62edb53ba696be9e26e84112943ea0ef48883f75e899055552",
        "043936b156441d18461e30cdc36bb06a12b1a36f449e3edc99b6e2abb0139823a76aae92dd02490cb74362eb79eb2e4b8b95e5bb8484a461ade76c1feea37bfe4b",
    ],
];
/// Which of the two.
const CA: usize = 0;
/// The other.
const SUBJECT: usize = 1;

/// Object identifiers by their DER: 2.5.4.x and 2.5.29.x.
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
/// `O`.
const ORGANIZATION: [u8; 3] = [0x55, 4, 10];
/// `OU`.
const UNIT: [u8; 3] = [0x55, 4, 11];
/// `keyUsage`.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 15];
/// `basicConstraints`.
const CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];

/// Everything a certificate says.
#[derive(Clone, Debug)]
pub struct X509Parts {
    /// Its number.
    pub serial: Vec<u8>,
    /// Parts of the issuer's name.
    pub issuer: Vec<([u8; 3], String)>,
    /// First valid second.
    pub not_before: Timestamp,
    /// Last valid second.
    pub not_after: Timestamp,
    /// Parts of its name, in order.
    pub subject: Vec<([u8; 3], String)>,
    /// The key it is for, uncompressed.
    pub point: Vec<u8>,
    /// Extensions: which, whether critical, DER of the value.
    pub extensions: Vec<([u8; 3], bool, Vec<u8>)>,
}

impl X509Parts {
    /// The certificate as PEM, signed by the authority, or by the subject itself.
    #[must_use]
    pub fn sign(&self, by_authority: bool) -> String {
        let algorithm = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let extension = |(which, critical, value): &([u8; 3], bool, Vec<u8>)| {
            let critical = if *critical { vec![1, 1, 0xff] } else { Vec::new() };
            der(0x30, &[&oid(which), &critical, &der(4, &[value])])
        };
        let extensions: Vec<_> = self.extensions.iter().flat_map(extension).collect();
        let curve = oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
        let key_type = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), &curve]);
        let tbs = der(
            0x30,
            &[
                &der(0xa0, &[&[2, 1, 2]]),
                &der(2, &[&self.serial]),
                &algorithm,
                &name(&self.issuer),
                &der(0x30, &[&utc(self.not_before), &utc(self.not_after)]),
                &name(&self.subject),
                &der(0x30, &[&key_type, &der(3, &[&[0], &self.point])]),
                &der(0xa3, &[&der(0x30, &[&extensions])]),
            ],
        );
        let key = pair(if by_authority { CA } else { SUBJECT }, &ECDSA_P256_SHA256_ASN1_SIGNING);
        let signature = key.sign(&SystemRandom::new(), &tbs).expect("a signature");
        let whole = der(0x30, &[&tbs, &algorithm, &der(3, &[&[0], signature.as_ref()])]);
        let encoded = BASE64.encode(&whole);
        let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let body = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }
}

impl House {
    /// A house whose scope `many` gives all three kinds, and whose keys for them are in its ledger.
    #[must_use]
    pub fn kinds() -> Self {
        let mut house = Self::new();
        let mut files = super::files_of(&house.keys, &super::PEOPLE);
        files.scopes.extend_from_slice(SCOPE_OF_KINDS.as_bytes());
        house.enact(&files, "pia");
        let line = ssh(CA).to_openssh();
        house.record(NewKey { role: KeyRole::X509Ca, key: authority().sign(true) });
        house.record(NewKey { role: KeyRole::JwtKey, key: line });
        house
    }

    /// The certificate of another authority of the same name, which signs nothing here.
    #[must_use]
    pub fn next_x509_ca(&self) -> String {
        let mut parts = authority();
        parts.point = point(SUBJECT);
        if let Some(key_id_of_subject) = parts.extensions.last_mut() {
            key_id_of_subject.2 = der(4, &[&key_id(&parts.point)]);
        }
        parts.sign(false)
    }

    /// sam asks for `many`, all kinds, in `lane`.
    pub fn ask_kinds(&mut self, lane: Lane) -> RequestId {
        let kinds = vec![Kind::Ssh, Kind::X509, Kind::Jwt];
        let key = Some(ssh(SUBJECT));
        let ask = Ask { lane, kinds, key, ..self.ask("sam", "many", 1800) };
        self.request_as("sam", ask)
    }

    /// The certificate that `id` deserves now, if it ends at `ends`.
    #[must_use]
    pub fn x509(&self, id: RequestId, ends: Timestamp) -> X509Parts {
        let drill = self.kept(id).ask.lane == Lane::Drill;
        let mark = if drill { "drill-" } else { "" };
        let uri = if drill {
            "spiffe://example.com/drill/breakglass/dba"
        } else {
            "spiffe://example.com/breakglass/dba"
        };
        let common_name: String = format!("{mark}bg-{id}-sam").chars().take(64).collect();
        let part = |which, text: &str| (which, format!("{mark}{text}"));
        let point = point(SUBJECT);
        let client = [0x2b, 6, 1, 5, 5, 7, 3, 2];
        X509Parts {
            serial: [&self.size().to_be_bytes()[..], &[7; 8]].concat(),
            issuer: authority().subject,
            not_before: self.now.minus(60),
            not_after: ends,
            subject: vec![
                part(ORGANIZATION, "breakglass:dba"),
                part(ORGANIZATION, "Acme"),
                part(UNIT, "payments"),
                (COMMON_NAME, common_name),
            ],
            extensions: vec![
                (CONSTRAINTS, true, der(0x30, &[])),
                (KEY_USAGE, true, vec![3, 2, 7, 0x80]),
                ([0x55, 0x1d, 37], false, der(0x30, &[&oid(&client)])),
                ([0x55, 0x1d, 14], false, der(4, &[&key_id(&point)])),
                ([0x55, 0x1d, 35], false, der(0x30, &[&der(0x80, &[&key_id(&self::point(CA))])])),
                ([0x55, 0x1d, 17], false, der(0x30, &[&der(0x86, &[uri.as_bytes()])])),
            ],
            point,
        }
    }

    /// The claims that the token of `id` deserves now, if it ends at `ends`, as their exact text.
    #[must_use]
    pub fn claims(&self, id: RequestId, ends: Timestamp) -> String {
        let mark = if self.kept(id).ask.lane == Lane::Drill { "drill-" } else { "" };
        let (now, ends, seq) = (self.now.unix_seconds(), ends.unix_seconds(), self.size());
        let [x, y] = [1..33, 33..65]
            .map(|half| BASE64URL_NOPAD.encode(point(SUBJECT).get(half).unwrap_or_default()));
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let jkt = BASE64URL_NOPAD.encode(Digest::of(jwk.as_bytes()).as_bytes());
        let nbf = now.saturating_sub(5);
        format!(
            r#"{{"aud":"https://db.example.com","cnf":{{"jkt":"{jkt}"}},"exp":{ends},"groups":["{mark}dba"],"iat":{now},"iss":"https://breakglass.example.com","jti":"{id}.{seq}","nbf":{nbf},"sub":"breakglass:{id}:sam"}}"#
        )
    }

    /// The entry that issues an X.509 certificate.
    #[must_use]
    pub fn issuing_x509(&self, id: RequestId, parts: &X509Parts) -> Issued {
        let names = parts.subject.iter().filter(|(which, _)| *which == COMMON_NAME);
        Issued {
            certificate: Some(parts.sign(true)),
            valid_after: parts.not_before,
            valid_before: parts.not_after,
            principals: names.map(|(_, text)| text.clone()).collect(),
            ..self.issuing_kind(id, Kind::X509)
        }
    }

    /// The entry that issues a token with these claims, which ends at `until`, in a grant that ends
    /// at `ends`.
    #[must_use]
    pub fn issuing_token(
        &self,
        id: RequestId,
        claims: String,
        until: Timestamp,
        ends: Timestamp,
    ) -> Issued {
        Issued {
            token: Some(Digest::of(claims.as_bytes())),
            claims: Some(claims),
            valid_after: self.now.minus(5),
            valid_before: until,
            ends: (ends != until).then_some(ends),
            principals: vec![format!("breakglass:{id}:sam")],
            ..self.issuing_kind(id, Kind::Jwt)
        }
    }

    /// The entry that issues an SSH certificate over a P-256 key is not written by hand here, so this
    /// is what all others have in common.
    fn issuing_kind(&self, id: RequestId, kind: Kind) -> Issued {
        let kept = self.kept(id);
        let collect = Act::Collect(Collect { request: kept.statement, kind });
        Issued {
            link: self.link(id),
            signed: self.said_by_subject(collect),
            decision: self.decision_about(&kept.ask, "issued"),
            kind,
            certificate: None,
            claims: None,
            token: None,
            replaces: None,
            ends: None,
            serial: self.size(),
            subject: ssh(SUBJECT).digest(),
            valid_after: self.now,
            valid_before: self.now,
            principals: Vec::new(),
            approvals: kept.approvals.clone(),
        }
    }

    fn said_by_subject(&self, act: Act) -> Signed {
        let namespace = act.kind().namespace();
        let (seen, until) = (Some(self.seen()), Some(self.now.plus(600)));
        let statement = Statement::compose(&self.keys.origin(), seen, act, until, self.salt());
        let statement = statement.expect("a good statement");
        let message = to_be_signed(&namespace, statement.text().as_bytes());
        let key = pair(SUBJECT, &ECDSA_P256_SHA256_FIXED_SIGNING);
        let raw = key.sign(&SystemRandom::new(), &message).expect("a signature");
        let (r, s) = raw.as_ref().split_at(32);
        let blob = strings(&[b"ecdsa-sha2-nistp256", &strings(&[&mpint(r), &mpint(s)])]);
        let signature = assemble(&ssh(SUBJECT), &namespace, &blob).expect("a signature");
        Signed { statement: statement.text().to_owned(), signature: signature.armored().to_owned() }
    }
}

/// The authority's own certificate.
fn authority() -> X509Parts {
    let own_name = vec![(COMMON_NAME, "breakglass test X.509 CA".to_owned())];
    X509Parts {
        serial: vec![1],
        issuer: own_name.clone(),
        not_before: super::START,
        not_after: super::START.plus(315_360_000),
        subject: own_name,
        extensions: vec![
            (CONSTRAINTS, true, der(0x30, &[&[1, 1, 0xff], &[2, 1, 0]])),
            (KEY_USAGE, true, vec![3, 2, 1, 6]),
            ([0x55, 0x1d, 14], false, der(4, &[&key_id(&point(CA))])),
        ],
        point: point(CA),
    }
}

fn pair(which: usize, how: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let [private, public] = KEYS
        .get(which)
        .expect("one of two")
        .map(|half| HEXLOWER.decode(half.as_bytes()).expect("hex"));
    let random = SystemRandom::new();
    EcdsaKeyPair::from_private_key_and_public_key(how, &private, &public, &random).expect("a pair")
}

fn point(which: usize) -> Vec<u8> {
    let [_, public] = KEYS.get(which).expect("one of two");
    HEXLOWER.decode(public.as_bytes()).expect("hex")
}

fn ssh(which: usize) -> PublicKey {
    let wire = strings(&[b"ecdsa-sha2-nistp256", b"nistp256", &point(which)]);
    PublicKey::from_wire(&wire).expect("a good key")
}

fn key_id(point: &[u8]) -> Vec<u8> {
    Digest::of(point).as_bytes().iter().take(20).copied().collect()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    let head = match length {
        [0, low @ 0..0x80] => vec![tag, low],
        [0, low] => vec![tag, 0x81, low],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

fn oid(encoded: &[u8]) -> Vec<u8> {
    der(6, &[encoded])
}

fn name(parts: &[([u8; 3], String)]) -> Vec<u8> {
    let set = |(which, text): &([u8; 3], String)| {
        der(0x31, &[&der(0x30, &[&oid(which), &der(12, &[text.as_bytes()])])])
    };
    der(0x30, &[&parts.iter().flat_map(set).collect::<Vec<_>>()])
}

fn utc(at: Timestamp) -> Vec<u8> {
    let seconds = i64::try_from(at.unix_seconds()).expect("this century");
    let form = format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
    let text = OffsetDateTime::from_unix_timestamp(seconds).expect("this century").format(&form);
    der(0x17, &[text.expect("a date").as_bytes()])
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let one = |part: &&[u8]| {
        let length = u32::try_from(part.len()).expect("short").to_be_bytes();
        [&length[..], part].concat()
    };
    parts.iter().flat_map(one).collect()
}

/// RFC 4251, 5: no leading zeros, but one before a set top bit.
fn mpint(fixed: &[u8]) -> Vec<u8> {
    let zeros = fixed.iter().take_while(|byte| **byte == 0).count();
    let rest = fixed.get(zeros..).unwrap_or_default();
    let sign = if rest.first().is_some_and(|byte| *byte >= 0x80) { vec![0] } else { Vec::new() };
    [&sign, rest].concat()
}
