//! A second judge, who reads the ledger's bytes and knows the laws as tables.
//!
//! Shares no code with the rules or the verifier's judge: JSON by `serde_json`, statements line by
//! line, signatures and certificates by `ssh-key`, and the four scopes written out by hand below.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_integration_tests::people::Person;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;
use serde_json::Value;
use ssh_key::certificate::Certificate;

use super::law::{Key, Law, scope};

/// Reads entry by entry and panics at the first that should not be there.
#[derive(Default)]
pub(crate) struct Eye {
    /// Laws in the order of their `policy` entries; one more than those while it is on its way.
    laws: Vec<Law>,
    policies: Vec<String>,
    grants: BTreeMap<String, Grant>,
    said: BTreeSet<String>,
    authority: String,
    now: u64,
}

/// What the entries said of one grant.
struct Grant {
    ask: Spoken,
    statement: String,
    /// Place of the law it was asked under.
    law: usize,
    at: u64,
    approvals: Vec<Approval>,
    issued: Option<(u64, u64)>,
    ended: bool,
    closed: bool,
}

struct Approval {
    said: Spoken,
    seq: u64,
    law: usize,
}

/// A statement with a good signature.
struct Spoken {
    act: String,
    lines: BTreeMap<String, String>,
    /// `type base64` of the key that signed.
    key: String,
}

impl Eye {
    /// The law of the next `policy` entry.
    pub(crate) fn enact(&mut self, law: Law) {
        self.laws.push(law);
    }

    /// Reads the next entry.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let entry: Value = serde_json::from_slice(bytes).unwrap();
        let at = seconds(&entry["time"].as_str().unwrap()[..19]);
        assert!(at >= self.now, "time runs backwards");
        self.now = at;
        let (body, kind) = (&entry["body"], entry["type"].as_str().unwrap());
        let seq = entry["seq"].as_u64().unwrap();
        if kind == "genesis" {
            self.authority = text(&body["ssh-ca"]);
            return;
        }
        if kind == "policy" {
            self.policies.push(text(&body["digest"]));
            return;
        }
        if kind == "refused" || kind == "anchor" {
            return;
        }
        let said = body.get("statement").map(|_| self.hear(body));
        let name = text(&body["grant"]);
        match kind {
            "requested" => self.requested(name, said.unwrap(), body),
            "issued" => {
                let grant = self.grants.remove(&name).unwrap();
                self.issued(&grant, &said.unwrap(), body, seq);
                let until = seconds(text(&body["valid-before"]).trim_end_matches('Z'));
                self.grants.insert(name, Grant { issued: Some((seq, until)), ..grant });
            }
            _ => {
                let law = self.law();
                let grant = self.grants.get_mut(&name).expect("a grant that nobody asked for");
                assert!(!grant.closed, "{kind} after closed");
                if let Some(about) = said.as_ref().and_then(|said| said.lines.get("request")) {
                    assert_eq!(*about, grant.statement, "{kind} of another request");
                }
                grant.goes_on(kind, at);
                if kind == "approved" {
                    grant.approvals.push(Approval { said: said.unwrap(), seq, law });
                } else if kind != "picked-up" {
                    self.ended(&self.grants[&name], kind, said.as_ref(), body);
                }
            }
        }
    }

    /// What must hold between any two steps.
    pub(crate) fn after_step(&self) {
        for (name, grant) in &self.grants {
            assert!(!grant.is_live() || self.may_hold(grant), "{name} is alive and not allowed");
        }
    }

    /// Whether it was ended by somebody who may, for a cause that is true.
    fn ended(&self, grant: &Grant, kind: &str, said: Option<&Spoken>, body: &Value) {
        match kind {
            "denied" => self.by_entitled(grant, said.unwrap(), &["deny", "cancel"]),
            "withdrawn" => self.by_requester(grant, said.unwrap(), "withdraw"),
            "revoked" => {
                let (serial, until) = grant.issued.unwrap();
                assert_eq!(body["serial"].as_u64(), Some(serial));
                match body["cause"]["name"].as_str().unwrap() {
                    "dropped" => self.by_requester(grant, said.unwrap(), "drop"),
                    "cancelled" => self.by_entitled(grant, said.unwrap(), &["cancel"]),
                    "expired" => assert!(said.is_none() && self.now >= until, "too early"),
                    "policy-changed" => {
                        assert!(said.is_none() && !self.may_hold(grant), "ended for no reason");
                    }
                    other => panic!("revoked as {other}"),
                }
            }
            _ => assert!(said.is_none(), "{kind} is the clock's"),
        }
    }

    /// The serials that a host must refuse, ascending.
    pub(crate) fn revoked(&self) -> Vec<u64> {
        let listed = self.grants.values().filter(|grant| grant.ended && !grant.closed);
        let mut serials: Vec<u64> =
            listed.filter_map(|grant| grant.issued.map(|(serial, _)| serial)).collect();
        serials.sort_unstable();
        serials
    }

    fn requested(&mut self, name: String, said: Spoken, body: &Value) {
        assert_eq!(said.act, "request");
        assert_eq!(said.lines["id"], name);
        self.speaks_for_author(&said);
        let statement = format!("sha256:{}", sha256(&text(&body["statement"])));
        let grant = Grant {
            ask: said,
            statement,
            law: self.law(),
            at: self.now,
            approvals: Vec::new(),
            issued: None,
            ended: false,
            closed: false,
        };
        assert!(self.may_hold(&grant), "asked for what they may not have");
        assert_eq!(seconds(text(&body["lapses"]).trim_end_matches('Z')), grant.lapses());
        assert!(self.grants.insert(name, grant).is_none(), "an id twice");
    }

    /// Everything that had to be true when a credential was made.
    fn issued(&self, grant: &Grant, said: &Spoken, body: &Value, seq: u64) {
        let (ask, scope) = (&grant.ask.lines, scope(&grant.ask.lines["scope"]));
        let ttl: u64 = ask["ttl"].parse().unwrap();
        assert!(grant.waits() && self.now < grant.lapses(), "issued when it did not wait");
        assert_eq!(said.act, "collect");
        assert_eq!(said.key, ask["key"], "collected with another key");
        assert!(self.may_hold(grant), "issued to who may not have it");
        assert_eq!(self.law_of(grant.law).root, self.in_force().root, "opens something else");
        for (stage, groups, quorum) in scope.stages {
            let people: BTreeSet<&str> = grant
                .approvals
                .iter()
                .filter(|given| given.said.lines["stage"] == *stage)
                .filter(|given| self.counts(grant, given, groups, ttl))
                .map(|given| given.said.lines["by"].as_str())
                .collect();
            assert!(people.len() >= *quorum, "{stage} has {people:?} of {quorum}");
        }
        let live = self
            .grants
            .values()
            .filter(|other| other.is_live() && other.ask.lines["scope"] == ask["scope"]);
        assert!(live.count() < scope.live_max, "too many alive");
        self.certificate(grant, &text(&body["certificate"]), seq, ttl);
        let counted = body["approvals"].as_array().unwrap();
        let known = |seq: &Value| grant.approvals.iter().any(|one| Some(one.seq) == seq.as_u64());
        assert!(counted.iter().all(known), "counts what is no approval");
    }

    fn counts(&self, grant: &Grant, given: &Approval, groups: &[&str], ttl: u64) -> bool {
        let lines = &given.said.lines;
        let by = lines["by"].as_str();
        let entitled = |law: &Law| {
            law.people.iter().any(|(name, _, group)| *name == by && groups.contains(group))
        };
        given.said.act == "approve"
            && by != grant.ask.lines["by"]
            && given.said.key != grant.ask.key
            && lines["request"] == grant.statement
            && lines["policy"] == format!("sha256:{}", self.policies[given.law])
            && lines["ttl-max"].parse::<u64>().unwrap() >= ttl
            && entitled(self.law_of(grant.law))
            && entitled(self.law_of(given.law))
            && entitled(self.in_force())
            && owner(self.law_of(given.law), &given.said.key) == Some(by)
            && owner(self.in_force(), &given.said.key) == Some(by)
            && owner(self.law_of(grant.law), &given.said.key) != Some(&grant.ask.lines["by"])
    }

    fn certificate(&self, grant: &Grant, certificate: &str, seq: u64, ttl: u64) {
        let (ask, certificate) =
            (&grant.ask.lines, Certificate::from_openssh(certificate).unwrap());
        let authority = ssh_key::PublicKey::from_openssh(&self.authority).unwrap();
        let trusted = authority.fingerprint(ssh_key::HashAlg::Sha256);
        certificate.validate_at(self.now, [&trusted]).unwrap();
        assert_eq!(certificate.serial(), seq);
        assert_eq!(certificate.key_id(), format!("bg:{}:{}", ask["id"], ask["by"]));
        assert_eq!(certificate.valid_after(), self.now - 60);
        assert_eq!(certificate.valid_before(), self.now + ttl);
        let subject = ssh_key::PublicKey::from_openssh(&ask["key"]).unwrap();
        assert_eq!(certificate.public_key(), subject.key_data());
        let principal = match ask["scope"].as_str() {
            "root-on-host" => self.in_force().root,
            "quick" => "bg-logs",
            "solo" => "bg-status",
            _ => "bg-pair",
        };
        assert_eq!(certificate.valid_principals(), [principal]);
        assert_eq!(certificate.critical_options().len(), usize::from(ask["scope"] == "solo"));
    }

    /// Whether the law in force lets the requester have what they asked for.
    fn may_hold(&self, grant: &Grant) -> bool {
        let (ask, law) = (&grant.ask.lines, self.in_force());
        let scope = scope(&ask["scope"]);
        let by = ask["by"].as_str();
        let may = |(name, _, group): &(&str, Vec<Key>, &str)| {
            *name == by && scope.requesters.contains(group)
        };
        law.scopes.contains(&ask["scope"].as_str())
            && law.people.iter().any(may)
            && owner(law, &grant.ask.key) == Some(by)
            && owner(law, &ask["key"]).is_none()
            && ask["ttl"].parse::<u64>().unwrap() <= scope.ttl_max
            && (ask["scope"] != "root-on-host" || law.root == self.law_of(grant.law).root)
    }

    fn by_requester(&self, grant: &Grant, said: &Spoken, act: &str) {
        assert_eq!(said.act, act);
        assert_eq!(said.lines["by"], grant.ask.lines["by"]);
        self.speaks_for_author(said);
    }

    /// An approver of any stage; for `cancel` also an owner, which in every scope are all groups.
    fn by_entitled(&self, grant: &Grant, said: &Spoken, acts: &[&str]) {
        assert!(acts.contains(&said.act.as_str()));
        self.speaks_for_author(said);
        let scope = scope(&grant.ask.lines["scope"]);
        let group = self.in_force().people.iter().find(|(name, ..)| *name == said.lines["by"]);
        let group = group.unwrap().2;
        let approves = scope.stages.iter().any(|(_, groups, _)| groups.contains(&group));
        assert!(approves || said.act == "cancel", "{group} may not {}", said.act);
    }

    fn speaks_for_author(&self, said: &Spoken) {
        let by = said.lines["by"].as_str();
        assert_eq!(owner(self.in_force(), &said.key), Some(by), "one speaks for another");
    }

    /// The statement, its signature verified; each counts once.
    fn hear(&mut self, body: &Value) -> Spoken {
        let statement = text(&body["statement"]);
        let signature: ssh_key::SshSig = text(&body["signature"]).parse().unwrap();
        let (first, rest) = statement.split_once('\n').unwrap();
        let act = first.strip_prefix("breakglass-").unwrap().strip_suffix("/v1").unwrap();
        let key = ssh_key::PublicKey::from(signature.public_key().clone());
        key.verify(&format!("{act}.v1@breakglass"), statement.as_bytes(), &signature).unwrap();
        let lines: BTreeMap<String, String> = rest
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert!(self.now <= seconds(lines["expires"].trim_end_matches('Z')), "expired");
        assert!(self.said.insert(sha256(&statement)), "one statement, two outcomes");
        Spoken { act: act.to_owned(), lines, key: key.to_openssh().unwrap() }
    }

    fn law(&self) -> usize {
        self.policies.len() - 1
    }

    fn in_force(&self) -> &Law {
        self.law_of(self.law())
    }

    fn law_of(&self, place: usize) -> &Law {
        &self.laws[place]
    }
}

impl Grant {
    /// Takes a step other than the first two, if it can follow.
    fn goes_on(&mut self, kind: &str, at: u64) {
        let in_time = at < self.lapses();
        match kind {
            "approved" => assert!(self.waits() && in_time),
            "picked-up" => assert!(self.is_live()),
            "denied" | "withdrawn" => assert!(self.waits() && in_time),
            "lapsed" => assert!(self.waits() && !in_time, "lapsed too early"),
            "revoked" => assert!(self.is_live(), "revoked what was not out"),
            "closed" => {
                assert!(self.ended, "closed before its end");
                let until = self.issued.map_or(0, |(_, until)| until + 300);
                assert!(at >= until, "left the list while a slow host may still believe it");
                self.closed = true;
            }
            other => panic!("an entry of type {other}"),
        }
        self.ended |= !matches!(kind, "approved" | "picked-up");
    }

    const fn waits(&self) -> bool {
        self.issued.is_none() && !self.ended
    }

    const fn is_live(&self) -> bool {
        self.issued.is_some() && !self.ended
    }

    fn lapses(&self) -> u64 {
        self.at + scope(&self.ask.lines["scope"]).pending_max
    }
}

/// Who holds `key` (`type base64`) by this law.
fn owner<'a>(law: &'a Law, key: &str) -> Option<&'a str> {
    let holds = |keys: &[Key]| {
        keys.iter().any(|(name, number)| Person::numbered(name, *number).key().to_openssh() == key)
    };
    law.people.iter().find(|(_, keys, _)| holds(keys)).map(|(name, ..)| *name)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn sha256(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

/// Unix seconds of `2026-11-22T10:00:00`.
fn seconds(instant: &str) -> u64 {
    format!("{instant}Z").parse::<Timestamp>().unwrap().unix_seconds()
}
