//! A second judge, who reads the ledger's bytes and knows the laws as tables.
//!
//! Shares no code with the rules or the verifier's judge: JSON by `serde_json`, statements line by
//! line, signatures and certificates by `ssh-key`, and the scopes as tables.

mod approval;
mod around;
mod certificate;
mod due;
mod grant;
mod issue;
mod kinds;
mod refused;
mod spoken;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;
use serde_json::Value;

use self::around::{Lock, Outage};
use self::grant::Grant;
use self::spoken::Spoken;
use super::law::Law;

/// Reads entry by entry and panics at the first that should not be there.
#[derive(Default)]
pub(crate) struct Eye {
    /// Laws in the order of their `policy` entries; one more than those while it is on its way.
    laws: Vec<Law>,
    policies: Vec<String>,
    grants: BTreeMap<String, Grant>,
    locks: Vec<Lock>,
    outages: BTreeMap<String, Outage>,
    said: BTreeSet<String>,
    authority: String,
    /// The certificate of the one over X.509 certificates, PEM.
    x509_authority: String,
    now: u64,
    seq: u64,
    prev: String,
    /// The drill that was just closed, and whether it was passed.
    drilled: Option<(String, bool)>,
    /// When the last drill of a scope was passed.
    passed: BTreeMap<String, u64>,
    /// Whether nothing but ends has come since the newest policy.
    is_rejudging: bool,
    /// How often what happened.
    pub(crate) tally: BTreeMap<String, usize>,
}

impl Eye {
    /// The law of the next `policy` entry.
    pub(crate) fn enact(&mut self, law: Law) {
        self.laws.push(law);
    }

    /// Reads the next entry.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let entry: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(entry["seq"].as_u64(), Some(self.seq), "a gap");
        assert!(self.seq == 0 || text(&entry["prev"]) == self.prev, "the chain is broken");
        self.prev = sha256(std::str::from_utf8(bytes).unwrap());
        let at = seconds(&entry["time"].as_str().unwrap()[..19]);
        assert!(at >= self.now, "time runs backwards");
        self.now = at;
        let (body, kind) = (&entry["body"], entry["type"].as_str().unwrap());
        let drilled = self.drilled.take();
        assert_eq!(drilled.is_some(), kind == "drill", "a drill's end is told at once, and once");
        self.count(format!("entry {kind}"));
        self.take(kind, body, drilled);
        self.seq += 1;
        if !["revoked", "lapsed", "closed", "drill", "policy"].contains(&kind) {
            self.is_rejudging = false;
        }
    }

    fn take(&mut self, kind: &str, body: &Value, drilled: Option<(String, bool)>) {
        match kind {
            "genesis" => {
                self.authority = text(&body["ssh-ca"]);
                self.x509_authority = text(&body["x509-ca"]);
            }
            "policy" => {
                self.policies.push(text(&body["digest"]));
                self.is_rejudging = true;
                if self.in_force().rules > 0 {
                    self.count("policy with rules".to_owned());
                }
            }
            "anchor" | "config" => {}
            "refused" => self.refused(body),
            "drill" => self.drill(body, &drilled.unwrap()),
            "locked" => self.locked(body),
            "unlocked" => self.unlocked(body),
            "outage-began" => self.outage_began(body),
            "outage-ended" => self.outage_ended(body),
            "reviewed" => self.reviewed(body),
            _ => self.of_grant(kind, body),
        }
    }

    fn of_grant(&mut self, kind: &str, body: &Value) {
        let said = body.get("statement").map(|_| self.hear(body));
        let name = text(&body["grant"]);
        if kind == "requested" {
            return self.requested(name, said.unwrap(), body);
        }
        let mut grant = self.grants.remove(&name).expect("a grant that nobody asked for");
        grant.link(body, &self.prev);
        if let Some(about) = said.as_ref().and_then(|said| said.lines.get("request")) {
            assert_eq!(*about, grant.statement, "{kind} of another request");
        }
        if let Some(decision) = body.get("decision") {
            self.decided(decision, Some(&grant));
        }
        match kind {
            "issued" => self.issued(&mut grant, &said.unwrap(), body),
            "approved" => self.approved(&mut grant, said.unwrap(), body),
            "escalated" => self.escalated(&mut grant, said.as_ref(), body),
            _ => {
                let early = self.is_rejudging && kind == "lapsed" && self.now < grant.lapses;
                assert!(!early || !self.may_wait(&grant), "lapsed early for no reason");
                grant.goes_on(kind, self.now, early);
                if kind == "picked-up" {
                    grant.picked_up = true;
                } else {
                    self.ended(&grant, kind, said.as_ref(), body);
                    grant.ends(kind, self.now);
                }
            }
        }
        if kind == "closed" && grant.lane() == "drill" {
            let passed = grant.issued.is_some() && grant.picked_up;
            self.drilled = Some((name.clone(), passed));
        }
        self.grants.insert(name, grant);
    }

    /// Whether it was ended by somebody who may, for a cause that is true.
    fn ended(&mut self, grant: &Grant, kind: &str, said: Option<&Spoken>, body: &Value) {
        let lane = grant.lane();
        match kind {
            "denied" => {
                let owner = self.by_entitled(grant, said.unwrap(), &["deny", "cancel"]);
                self.count(format!("denied in {lane}{}", if owner { " by an owner" } else { "" }));
            }
            "withdrawn" => self.by_requester(grant, said.unwrap(), "withdraw"),
            "revoked" => {
                let cause = body["cause"]["name"].as_str().unwrap();
                self.count(format!("revoked {cause}"));
                self.count(format!("revoked {cause} in {lane}"));
                self.revoked_for(grant, cause, said, body);
            }
            "lapsed" if self.now < grant.lapses => {
                assert!(said.is_none());
                self.count("lapsed by a policy".to_owned());
            }
            _ => assert!(said.is_none(), "{kind} is the clock's"),
        }
    }

    fn revoked_for(&mut self, grant: &Grant, cause: &str, said: Option<&Spoken>, body: &Value) {
        let (serial, until) = grant.issued.unwrap();
        assert_eq!(body["serial"].as_u64(), Some(serial));
        let others = grant.credentials.iter().skip(1).map(|one| one.serial);
        let also = body.get("also").map_or(&[][..], |also| also.as_array().unwrap());
        assert!(
            others.clone().eq(also.iter().map(|serial| serial.as_u64().unwrap())),
            "not all of them"
        );
        assert_eq!(seconds(text(&body["valid-before"]).trim_end_matches('Z')), until);
        let by_itself = || assert!(said.is_none(), "{cause} by somebody");
        if others.count() > 0 {
            self.count(format!("revoked {cause} with others"));
        }
        match cause {
            "dropped" => self.by_requester(grant, said.unwrap(), "drop"),
            "cancelled" => drop(self.by_entitled(grant, said.unwrap(), &["cancel"])),
            "expired" => {
                by_itself();
                assert!(self.now >= until, "too early");
            }
            "policy-changed" => {
                by_itself();
                assert!(self.is_rejudging, "no policy changed");
                assert!(!self.may_go_on(grant), "ended for no reason");
            }
            "locked" => {
                by_itself();
                assert!(self.is_covered(grant), "no lock covers it");
            }
            "outage-ended" => {
                by_itself();
                let due = self.drain_due(grant).expect("nothing to drain");
                assert!(self.now >= due, "drained too early");
            }
            other => panic!("revoked as {other}"),
        }
    }

    fn by_requester(&self, grant: &Grant, said: &Spoken, act: &str) {
        assert_eq!(said.act, act);
        assert_eq!(said.by(), grant.by());
        self.speaks_for_author(said);
    }

    /// An approver of any stage; for `cancel`, and in emergencies, also an owner. Answers whether it
    /// was as an owner.
    fn by_entitled(&self, grant: &Grant, said: &Spoken, acts: &[&str]) -> bool {
        assert!(acts.contains(&said.act.as_str()));
        self.speaks_for_author(said);
        assert!(self.is_human(said.by()), "{} is nobody", said.by());
        let approver = self.is_approver(grant, said.by());
        let owner = self.owns(said.by(), grant.scope_id());
        let as_owner = owner && (said.act == "cancel" || grant.lane() == "emergency");
        assert!(approver || as_owner, "{} may not {}", said.by(), said.act);
        assert!(self.permits(&said.act, said.by(), grant).0, "the rules forbid it");
        !approver
    }

    /// The serials that a host must refuse, ascending.
    pub(crate) fn revoked(&self) -> Vec<u64> {
        let listed = self.grants.values().filter(|grant| grant.ended.is_some() && !grant.closed);
        let of_ssh = |grant: &Grant| -> Vec<u64> {
            let all = grant.credentials.iter().filter(|one| one.kind == "ssh");
            all.map(|one| one.serial).collect()
        };
        let mut serials: Vec<u64> = listed.flat_map(of_ssh).collect();
        serials.sort_unstable();
        serials
    }

    /// What every decision says of itself.
    fn decided(&self, decision: &Value, grant: Option<&Grant>) {
        let (context, policy) = (&decision["context"], text(&decision["policy"]));
        assert_eq!(policy, *self.policies.last().unwrap(), "decided under another policy");
        assert_eq!(seconds(text(&context["time"]).trim_end_matches('Z')), self.now);
        let Some(grant) = grant else { return };
        assert_eq!(context["lane"], grant.lane());
        let behind: Vec<&str> =
            context["delegation"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(behind, grant.behind());
        let dependency = self.scope_of(grant).and_then(|scope| scope.outage.as_ref());
        let down = dependency.is_some_and(|outage| self.is_down(outage.dependency));
        assert_eq!(context["outage"], if down { "active" } else { "none" });
    }

    fn count(&mut self, what: String) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn law(&self) -> usize {
        self.policies.len() - 1
    }

    fn in_force(&self) -> &Law {
        &self.laws[self.law()]
    }
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
