//! What people said: statements, and whose keys signed them.

use std::collections::BTreeMap;

use breakglass_integration_tests::people::Person;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use super::super::law::{Key, Law};
use super::{Eye, seconds, sha256, text};

/// A statement with a good signature.
pub(super) struct Spoken {
    pub(super) act: String,
    pub(super) lines: BTreeMap<String, String>,
    /// `type base64` of the key that signed.
    pub(super) key: String,
}

impl Spoken {
    pub(super) fn by(&self) -> &str {
        self.lines.get("by").map_or("", String::as_str)
    }

    /// The moment of a line, if it says one.
    pub(super) fn moment(&self, line: &str) -> Option<u64> {
        let value = &self.lines[line];
        (value != "-").then(|| seconds(value.trim_end_matches('Z')))
    }

    /// From a body, whatever became of it.
    pub(super) fn read(body: &Value) -> Self {
        let statement = text(&body["statement"]);
        let signature: ssh_key::SshSig = text(&body["signature"]).parse().unwrap();
        let (first, rest) = statement.split_once('\n').unwrap();
        let act = first.strip_prefix("breakglass-").unwrap().strip_suffix("/v1").unwrap();
        let key = ssh_key::PublicKey::from(signature.public_key().clone());
        let namespace = format!("{act}.v1@breakglass");
        if let Some(point) = key.key_data().ecdsa() {
            by_curve(point.as_sec1_bytes(), &namespace, &statement, &signature);
        } else {
            key.verify(&namespace, statement.as_bytes(), &signature).unwrap();
        }
        let lines: BTreeMap<String, String> = rest
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { act: act.to_owned(), lines, key: key.to_openssh().unwrap() }
    }
}

impl Eye {
    /// The statement, its signature verified; each counts once, in its time, and from nobody who is
    /// locked, but to give back.
    pub(super) fn hear(&mut self, body: &Value) -> Spoken {
        let said = Spoken::read(body);
        let until = said.moment("expires").unwrap();
        assert!(self.now <= until && until <= self.now + 86_400, "expired, or good for too long");
        let statement = sha256(&text(&body["statement"]));
        assert!(self.said.insert(statement), "one statement, two outcomes");
        if !["drop", "withdraw"].contains(&said.act.as_str()) {
            let lock = self.lock_on(said.by(), &said.key);
            assert!(lock.is_none(), "{} although a lock is on its author", said.act);
        }
        said
    }

    pub(super) fn speaks_for_author(&self, said: &Spoken) {
        assert_eq!(owner(self.in_force(), &said.key), Some(said.by()), "one speaks for another");
    }
}

/// Who holds `key` (`type base64`) by this law.
pub(super) fn owner<'a>(law: &'a Law, key: &str) -> Option<&'a str> {
    let holds = |keys: &[Key]| {
        keys.iter().any(|(name, number)| Person::numbered(name, *number).key().to_openssh() == key)
    };
    law.people.iter().find(|who| holds(&who.keys)).map(|who| who.name)
}

/// `SHA256:` and the fingerprint of `key`.
pub(super) fn fingerprint(key: &str) -> String {
    let key = ssh_key::PublicKey::from_openssh(key).unwrap();
    key.fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

/// The signature of a P-256 key, which `ssh-key` leaves to others: two numbers (RFC 5656, 3.1.2).
fn by_curve(point: &[u8], namespace: &str, statement: &str, signature: &ssh_key::SshSig) {
    let (hash, bytes) = (signature.hash_alg(), signature.signature_bytes());
    let signed = ssh_key::SshSig::signed_data(namespace, hash, statement.as_bytes()).unwrap();
    let (mut rest, mut raw) = (bytes, Vec::new());
    for _ in 0..2 {
        let (length, more) = rest.split_at(4);
        let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        let (number, more) = more.split_at(length);
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        raw.extend(vec![0; 32 - digits.len()]);
        raw.extend(digits);
        rest = more;
    }
    assert!(rest.is_empty());
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(&signed, &raw).unwrap();
}
