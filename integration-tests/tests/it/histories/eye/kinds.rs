//! Several credentials of one grant: X.509 certificates and tokens beside the one of SSH, and what the
//! lists of their kinds have to say of them.

use std::collections::BTreeSet;

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::Value;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::grant::{Credential, Grant};
use super::spoken::Spoken;
use super::{Eye, seconds, text};

/// Longest that a list names what is over by itself, in seconds: an hour for slow clocks of TLS servers, and
/// the five minutes of those who take tokens.
const KEPT: [(&str, u64); 2] = [("x509", 3600), ("jwt", 300)];

impl Eye {
    /// A credential of a grant that is over at `ends`, whichever of its credentials it is.
    pub(super) fn credential(&mut self, grant: &mut Grant, said: &Spoken, body: &Value, ends: u64) {
        let kind = text(&body["kind"]);
        assert_eq!(said.lines["kind"], kind);
        assert!(grant.kinds().contains(&&*kind), "a kind that nobody asked for");
        assert_eq!(body["serial"].as_u64(), Some(self.seq));
        let until = seconds(text(&body["valid-before"]).trim_end_matches('Z'));
        let mut before = grant.credentials.iter_mut().rev();
        let before = before.find(|one| one.kind == kind);
        let replaces = body.get("replaces").map(|serial| serial.as_u64().unwrap());
        assert_eq!(replaces, before.as_ref().map(|one| one.serial), "what it replaces");
        if let Some(before) = before {
            assert_eq!(kind, "jwt", "a second certificate");
            before.replaced = Some(self.now);
            self.count("token replaced".to_owned());
        }
        let told = body.get("ends").map(|ends| seconds(text(ends).trim_end_matches('Z')));
        assert_eq!(told, (until < ends).then_some(ends), "when the grant ends");
        let name = match kind.as_str() {
            "ssh" => {
                assert_eq!(until, ends);
                self.certificate(grant, &text(&body["certificate"]), ends);
                Vec::new()
            }
            "x509" => {
                assert_eq!(until, ends);
                self.x509(grant, &text(&body["certificate"]), ends)
            }
            _ => {
                let (_, longest) = self.scope_of(grant).unwrap().jwt.unwrap();
                assert_eq!(until, ends.min(self.now + longest));
                self.claims(grant, &text(&body["claims"]), until)
            }
        };
        self.count(format!("issued of kind {kind}"));
        if !grant.credentials.is_empty() {
            self.count(format!("issued beside another: {kind}"));
        }
        grant.credentials.push(Credential { kind, serial: self.seq, until, name, replaced: None });
    }

    /// Looks at a client certificate; its number.
    fn x509(&self, grant: &Grant, certificate: &str, ends: u64) -> Vec<u8> {
        let (_, block) = parse_x509_pem(certificate.as_bytes()).unwrap();
        let (rest, certificate) = X509Certificate::from_der(&block.contents).unwrap();
        assert!(rest.is_empty());
        let (_, authority) = parse_x509_pem(self.x509_authority.as_bytes()).unwrap();
        let (_, authority) = X509Certificate::from_der(&authority.contents).unwrap();
        let point = &authority.public_key().subject_public_key.data;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
            .unwrap();
        assert_eq!(certificate.issuer().as_raw(), authority.subject().as_raw());
        let number = certificate.raw_serial().to_vec();
        let number = [vec![0; 16 - number.len().min(16)], number].concat();
        assert_eq!(number[..8], self.seq.to_be_bytes(), "another entry's number");
        let validity = certificate.validity();
        let [from, to] = [validity.not_before, validity.not_after];
        let times = [from.timestamp(), to.timestamp()].map(|at| u64::try_from(at).unwrap());
        assert_eq!(times, [self.now - 60, ends]);
        let mark = if grant.lane() == "drill" { "drill-" } else { "" };
        let names = |found: Vec<&str>, told: String| assert_eq!(found, [told]);
        let subject = certificate.subject();
        names(
            subject.iter_common_name().map(|name| name.as_str().unwrap()).collect(),
            format!("{mark}bg-{}-{}", grant.ask.lines["id"], grant.by()),
        );
        names(
            subject.iter_organization().map(|name| name.as_str().unwrap()).collect(),
            format!("{mark}{}", self.scope_of(grant).unwrap().x509.unwrap()),
        );
        let key = ssh_key::PublicKey::from_openssh(&grant.ask.lines["key"]).unwrap();
        let key = key.key_data().ecdsa().unwrap().as_sec1_bytes().to_vec();
        assert_eq!(*certificate.public_key().subject_public_key.data, *key, "another key");
        let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(purposes.client_auth && !purposes.server_auth && !purposes.any);
        assert!(!certificate.is_ca());
        number
    }

    /// Looks at the claims of a token; its `jti`.
    fn claims(&self, grant: &Grant, claims: &str, until: u64) -> Vec<u8> {
        let said: Value = serde_json::from_str(claims).unwrap();
        let (id, by) = (&grant.ask.lines["id"], grant.by());
        let mark = if grant.lane() == "drill" { "drill-" } else { "" };
        let (group, _) = self.scope_of(grant).unwrap().jwt.unwrap();
        assert_eq!(said["aud"], "payments-api");
        assert_eq!(said["sub"], format!("breakglass:{id}:{by}"));
        assert_eq!(said["groups"], serde_json::json!([format!("{mark}{group}")]));
        let times = ["iat", "nbf", "exp"].map(|name| said[name].as_u64().unwrap());
        assert_eq!(times, [self.now, self.now - 5, until]);
        assert!(said["cnf"]["jkt"].is_string(), "for whoever has it");
        let jti = text(&said["jti"]);
        assert_eq!(jti, format!("{id}.{}", self.seq));
        jti.into_bytes()
    }

    /// The list for credentials of `kind` names all that are taken back while anybody might believe them,
    /// and none that was never taken back.
    pub(crate) fn is_told_of(&self, kind: &str, listed: &BTreeSet<Vec<u8>>, now: u64) {
        let (_, kept) = KEPT.into_iter().find(|(name, _)| *name == kind).unwrap();
        for grant in self.grants.values() {
            let of_kind = grant.credentials.iter().filter(|one| one.kind == kind);
            for one in of_kind {
                let gone = [one.replaced, grant.ended].into_iter().flatten().min();
                let is_listed = listed.contains(&one.name);
                assert!(gone.is_some() || !is_listed, "{} is on its list and good", one.serial);
                // What had its time is over by itself; and whoever looks later than that is kept for.
                let early = gone.is_some_and(|at| kind == "x509" || at < one.until);
                let has_to = early && now < one.until + kept;
                assert!(is_listed || !has_to, "{} is not on its list", one.serial);
            }
        }
        let ours = self.grants.values().flat_map(|grant| &grant.credentials);
        let ours: BTreeSet<_> = ours.map(|one| &one.name).collect();
        assert!(listed.iter().all(|name| ours.contains(name)), "something that nobody issued");
    }
}
