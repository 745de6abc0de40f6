//! Stories of a ledger: who is told of what.
#![expect(clippy::arithmetic_side_effects, reason = "small sums; a panic fails the test")]

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::entry::{
    Applied, Config, Decision, Denied, Escalated, Issued, Lapsed, Link, Notified, OutageBegan,
    Overdue, Reconciled, Requested, Signed, Withdrawn,
};
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Files, check, sample};
use breakglass_ledger::statement::{
    About as AboutAct, Act, Approve, Ask, Canary, Kind, Maybe, Seen, Serial,
};
use breakglass_ledger::time::{Moment, Ttl};

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::alarm::Alarm;
use crate::notify::notice::name;
use crate::notify::testing::{NOW, id};

/// A ledger being told, and who heard what.
struct House {
    policy: Arc<Policy>,
    in_force: Arc<Policy>,
    deriver: Deriver,
    entries: Vec<Entry>,
}

struct Shelf<'a>(&'a Arc<Policy>, &'a Arc<Policy>, &'a [Entry]);

impl Look for Shelf<'_> {
    fn policy(&mut self, digest: Digest) -> Result<Arc<Policy>, DeskError> {
        assert_eq!(digest, self.0.digest, "the policy of the entry, not another");
        Ok(Arc::clone(self.0))
    }

    fn in_force(&self) -> Arc<Policy> {
        Arc::clone(self.1)
    }

    fn accepted_before(&mut self, target: &TargetId, _: List, seq: u64) -> Result<bool, DeskError> {
        let mut earlier = self.2.iter().rev().filter(|entry| entry.seq < seq);
        let last = earlier.find(|entry| matches!(entry.body, Body::Applied(_)));
        Ok(last.and_then(Alarm::of).is_some_and(|alarm| alarm.target == *target))
    }

    fn grant(&mut self, seq: u64) -> Result<Option<RequestId>, DeskError> {
        let found = self.2.iter().find(|entry| entry.seq == seq);
        Ok(found.and_then(Entry::grant).map(|link| link.grant))
    }

    fn history(&mut self, id: RequestId, before: u64) -> Result<Vec<Entry>, DeskError> {
        let of = |entry: &&Entry| entry.grant().is_some_and(|link| link.grant == id);
        Ok(self.2.iter().filter(of).filter(|entry| entry.seq < before).cloned().collect())
    }
}

impl House {
    fn new() -> Self {
        let policy = Arc::new(policy(&files()));
        let in_force = Arc::clone(&policy);
        Self { policy, in_force, deriver: Deriver::new(60), entries: Vec::new() }
    }

    fn decision(&self) -> Decision {
        let context = serde_json::json!({"delegation": [], "outage": "none", "time": NOW});
        let policy = self.policy.digest;
        let decision = serde_json::json!({
            "context": context, "outcome": "granted", "policy": policy, "rules": [],
        });
        serde_json::from_value(decision).expect("a decision")
    }

    /// Appends an entry `after` seconds from the beginning; what follows from it, as text.
    fn write(&mut self, after: u64, body: impl Into<Body>) -> Vec<String> {
        let entry = Entry {
            seq: u64::try_from(self.entries.len()).expect("few") + 10,
            time: Moment::from_unix_millis(NOW.plus(after).unix_seconds() * 1000),
            prev: Digest::ZERO,
            salt: Salt::from_bytes([0; 16]),
            log: LOG.parse().expect("an origin"),
            body: body.into(),
        };
        let mut shelf = Shelf(&self.policy, &self.in_force, &self.entries);
        let steps = self.deriver.take(&entry, &mut shelf).expect("looks up");
        self.entries.push(entry);
        told(&steps)
    }

    fn remind(&mut self, after: u64) -> Vec<String> {
        let mut shelf = Shelf(&self.policy, &self.in_force, &self.entries);
        told(&self.deriver.remind(NOW.plus(after), &mut shelf).expect("looks up"))
    }

    fn ask(&mut self, scope: &str, lane: Lane) -> Vec<String> {
        let act = Act::Request(Ask {
            id: id(1),
            by: person("sam"),
            scope: scope.parse().expect("a name"),
            kinds: vec![Kind::Ssh],
            lane,
            ttl: Ttl::from_seconds(1800).expect("a ttl"),
            incident: Some("INC-1".to_owned()),
            reason: None,
            key: Some(key(9)),
            on_behalf_of: Vec::new(),
        });
        let decision = self.decision();
        self.write(
            0,
            Requested { link: link(), signed: signed(act), decision, lapses: NOW.plus(900) },
        )
    }

    fn approve(&mut self, who: &str, stage: &str, missing: u64) -> Vec<String> {
        let act = Act::Approve(Approve {
            request: Digest::ZERO,
            by: person(who),
            stage: stage.parse().expect("a name"),
            policy: Digest::ZERO,
            ttl_max: Ttl::from_seconds(1800).expect("a ttl"),
            comment: None,
        });
        let (decision, stage) = (self.decision(), stage.parse().expect("a name"));
        self.write(30, Approved { link: link(), signed: signed(act), decision, stage, missing })
    }

    fn issue(&mut self) -> Vec<String> {
        let decision = self.decision();
        self.write(
            60,
            Issued {
                link: link(),
                signed: signed(about(Act::Withdraw)),
                decision,
                kind: Kind::Ssh,
                certificate: Some(String::new()),
                claims: None,
                token: None,
                replaces: None,
                ends: None,
                serial: 1,
                subject: Digest::ZERO,
                valid_after: NOW,
                valid_before: NOW.plus(1800),
                principals: Vec::new(),
                approvals: Vec::new(),
            },
        )
    }

    fn revoke(&mut self, cause: Cause) -> Vec<String> {
        let decision = self.decision();
        let revoked = Revoked {
            link: link(),
            signed: None,
            decision,
            cause,
            serial: 1,
            also: None,
            valid_before: NOW,
        };
        self.write(90, revoked)
    }
}

/// `topic>address(people)`, sorted.
fn told(steps: &[Step]) -> Vec<String> {
    let mut told: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Tell(notice) => {
                let to: Vec<&str> = notice.to.iter().map(PrincipalId::as_str).collect();
                let (topic, address) = (notice.topic.name(), notice.address.text());
                format!("{topic}>{address}({})", to.join(","))
            }
            Step::Settled(_) => "settled".to_owned(),
            Step::Known { delivered, .. } => format!("known:{delivered}"),
        })
        .collect();
    told.sort();
    told
}

fn person(text: &str) -> PrincipalId {
    text.parse().expect("a name")
}

fn key(seed: u8) -> PublicKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
    let mut wire = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), pair.public_key().as_ref()] {
        wire.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        wire.extend(part);
    }
    PublicKey::from_wire(&wire).expect("a key")
}

/// The sample policy: ada and one of bob and eve agree to what sam asks; olga, who is on call like
/// sam, may too once the second stage is passed on. Everybody owns everything and has an address; bob
/// and eve share one besides.
fn files() -> Files {
    let names = ["pia", "sam", "ada", "bob", "eve", "olga"];
    let keys: Vec<PublicKey> = (1..7).map(key).collect();
    let listed: Vec<_> = names.into_iter().zip(&keys).collect();
    let mut files = sample(&listed);
    let mut people = String::from_utf8(files.people).expect("text");
    for name in names {
        let more = if matches!(name, "bob" | "eve") { ", \"slack:security\"" } else { "" };
        let line = format!("name = \"{name}\"\n");
        let notify = format!("{line}notify = [\"ntfy:{name}\"{more}]\n");
        people = people.replace(&line, &notify);
    }
    files.people = people.into_bytes();
    let scopes = String::from_utf8(files.scopes).expect("text");
    let scopes = scopes.replacen(
        "lanes = [\"normal\"]",
        "lanes = [\"normal\", \"outage\", \"emergency\", \"drill\"]\noutage = \"sso\"\n\
         emergency = { after = \"1m\", ttl-max = \"30m\", delay = \"1m\" }",
        1,
    );
    let security = "approvers = \"group:security\"\nquorum = 1";
    let passed_on = format!("{security}\nwithin = \"5m\"\nescalate = \"group:oncall\"");
    files.scopes = scopes.replacen(security, &passed_on, 1).into_bytes();
    files
}

fn policy(files: &Files) -> Policy {
    let digest = Digest::of_parts(&[&files.people, &files.scopes]);
    check(files).expect("a policy").into_policy(1, digest)
}

fn about(act: fn(AboutAct) -> Act) -> Act {
    act(AboutAct { request: Digest::ZERO, by: person("bob"), comment: None })
}

/// Nobody verifies signatures here: what is in the ledger was verified before it got there.
fn signed(act: Act) -> Signed {
    let log = LOG.parse().expect("an origin");
    let nonce = Salt::from_bytes([1; 16]);
    let expires = Some(NOW.plus(600));
    let statement =
        Statement::compose(&log, Some(Seen::NOTHING), act, expires, nonce).expect("composes");
    Signed { statement: statement.text().to_owned(), signature: String::new() }
}

const LOG: &str = "payments/3f9a1c0e5b7d2a44";

fn link() -> Link {
    Link { grant: id(1), gseq: 0, gprev: Digest::ZERO }
}

#[test]
fn approvers_are_asked_and_the_requester_is_not() {
    let mut house = House::new();
    assert_eq!(
        house.ask("root-on-host", Lane::Normal),
        [
            "asked>ntfy:ada(ada)",
            "asked>ntfy:bob(bob)",
            "asked>ntfy:eve(eve)",
            "asked>slack:security(bob,eve)"
        ],
        "one notice for an address, however many share it"
    );
}

#[test]
fn in_an_emergency_everybody_concerned_is_told() {
    let mut house = House::new();
    assert_eq!(
        house.ask("root-on-host", Lane::Emergency),
        [
            "emergency>ntfy:ada(ada)",
            "emergency>ntfy:bob(bob)",
            "emergency>ntfy:eve(eve)",
            "emergency>ntfy:olga(olga)",
            "emergency>slack:security(bob,eve)"
        ]
    );
    assert!(house.remind(600).is_empty(), "nobody's answer is needed");
}

#[test]
fn what_needs_no_approval_asks_nobody() {
    let mut house = House::new();
    assert!(house.ask("solo", Lane::Normal).is_empty());
    assert!(house.remind(600).is_empty());
}

#[test]
fn a_stage_that_is_passed_on_asks_those_it_is_passed_to() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    let (decision, stage) = (house.decision(), "security".parse().expect("a name"));
    let escalated = Escalated { link: link(), signed: None, decision, stage };
    assert_eq!(
        house.write(300, escalated),
        [
            "escalated>ntfy:bob(bob)",
            "escalated>ntfy:eve(eve)",
            "escalated>ntfy:olga(olga)",
            "escalated>slack:security(bob,eve)"
        ]
    );
    house.approve("ada", "app-owner", 1);
    assert!(house.remind(400).contains(&"reminder>ntfy:olga(olga)".to_owned()));
}

#[test]
fn the_requester_is_told_when_it_can_be_collected() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    assert!(house.approve("ada", "app-owner", 1).is_empty());
    assert_eq!(house.approve("bob", "security", 0), ["approved>ntfy:sam(sam)", "settled"]);
}

#[test]
fn only_those_who_still_have_to_answer_are_reminded_and_the_waits_double() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    assert!(house.remind(59).is_empty());
    assert_eq!(house.remind(60).len(), 4);
    assert!(house.remind(179).is_empty(), "once each");
    house.approve("bob", "security", 1);
    assert_eq!(house.remind(180), ["reminder>ntfy:ada(ada)"]);
    assert_eq!(house.deriver.next_reminder(), Some(NOW.plus(420)));
    house.approve("ada", "app-owner", 0);
    assert!(house.remind(420).is_empty());
    assert_eq!(house.deriver.next_reminder(), None);
}

#[test]
fn a_reminder_has_a_name_of_its_own_and_is_not_told_again_after_a_restart() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    for address in ["ntfy:ada", "ntfy:bob", "ntfy:eve"] {
        let notice = name(10, address, 1);
        let channel = "ntfy".parse().expect("a name");
        let known = Notified { attempts: 1, channel, delivered: true, entry: 10, notice };
        let what = ConfigChange::Notified(known);
        assert_eq!(house.write(61, Config { what }), ["known:true"]);
    }
    assert_eq!(house.remind(90), ["reminder>slack:security(bob,eve)"]);
}

#[test]
fn nobody_is_reminded_after_the_end() {
    for is_denied in [true, false] {
        let mut house = House::new();
        house.ask("root-on-host", Lane::Normal);
        let decision = house.decision();
        let told = if is_denied {
            let signed = signed(about(Act::Deny));
            house.write(20, Denied { link: link(), signed, decision })
        } else {
            let signed = signed(about(Act::Withdraw));
            house.write(20, Withdrawn { link: link(), signed, decision })
        };
        assert!(told.contains(&"settled".to_owned()));
        assert_eq!(told.iter().any(|one| one == "denied>ntfy:sam(sam)"), is_denied);
        assert!(house.remind(600).is_empty());
    }
}

/// Also where the new policy, whose entry it is, has no such scope any more.
#[test]
fn requester_and_owners_hear_that_a_new_policy_ended_what_waited() {
    for forbidden in [true, false] {
        let mut house = House::new();
        house.ask("root-on-host", Lane::Normal);
        let mut decision = house.decision();
        decision.rules = vec!["pending-max".to_owned()];
        if forbidden {
            decision.policy = Digest::of(b"the new one");
            decision.rules = vec!["policy-changed".to_owned(), "scope-unknown".to_owned()];
        }
        let told = house.write(20, Lapsed { link: link(), decision });
        let topic = if forbidden { "disallowed" } else { "lapsed" };
        assert!(told.contains(&format!("{topic}>ntfy:sam(sam)")), "{told:?}");
        assert!(house.remind(600).is_empty());
    }
}

#[test]
fn requester_and_owners_hear_of_what_was_issued_and_taken_back_and_not_of_expiry() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    let everybody = |topic: &str| -> Vec<String> {
        let of = [
            "ntfy:ada(ada)",
            "ntfy:bob(bob)",
            "ntfy:eve(eve)",
            "ntfy:olga(olga)",
            "ntfy:sam(sam)",
            "slack:security(bob,eve)",
        ];
        of.iter().map(|to| format!("{topic}>{to}")).collect()
    };
    let mut issued = everybody("issued");
    issued.push("settled".to_owned());
    assert_eq!(house.issue(), issued);
    assert_eq!(house.revoke(Cause::Cancelled), everybody("revoked"));
    assert!(house.revoke(Cause::Expired).is_empty());
}

#[test]
fn an_emergency_is_to_be_reviewed_even_if_it_merely_expired() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Emergency);
    house.issue();
    let told = house.revoke(Cause::Expired);
    assert!(told.contains(&"review-due>ntfy:bob(bob)".to_owned()), "{told:?}");
}

#[test]
fn owners_hear_of_an_outage_that_opens_their_scope() {
    let mut house = House::new();
    let (decision, dependency) = (house.decision(), "sso".parse().expect("a name"));
    let began = OutageBegan { signed: None, decision, dependency, evidence: None };
    let told = house.write(0, began);
    assert!(told.contains(&"outage-began>ntfy:olga(olga)".to_owned()), "{told:?}");
    let (decision, dependency) = (house.decision(), "other".parse().expect("a name"));
    let began = OutageBegan { signed: None, decision, dependency, evidence: None };
    assert!(house.write(0, began).is_empty());
}

/// A restart in the middle: the request is older than what is read again.
fn applied(version: u64, canary: Canary) -> Applied {
    Applied {
        signed: signed(Act::Applied(breakglass_ledger::statement::Applied {
            by: person("db-1"),
            target: "db-1".parse().expect("a name"),
            list: List::Krl,
            version,
            digest: Digest::ZERO,
            canary,
            latency: Maybe(None),
            ended: Maybe(None),
        })),
    }
}

fn seen(serial: u64, matched: u64) -> Reconciled {
    let act = Act::Use(breakglass_ledger::statement::Use {
        by: person("db-1"),
        target: "db-1".parse().expect("a name"),
        serial: Serial(serial),
        at: NOW,
    });
    let target = "db-1".parse().expect("a name");
    Reconciled { signed: Some(signed(act)), target, matched, unlogged: vec![] }
}

/// Everybody owns everything here, and everybody has an address.
fn alarms(told: &[String]) -> (usize, String) {
    (told.len(), told.first().cloned().unwrap_or_default())
}

#[test]
fn owners_hear_of_a_host_that_has_not_reported_in_time() {
    let mut house = House::new();
    let target = "db-1".parse().expect("a name");
    let late = ConfigChange::Overdue(Overdue { entry: 12, target, version: 10 });
    let told = house.write(90, Config { what: late });
    assert!(told.contains(&"landing-overdue>ntfy:ada(ada)".to_owned()), "{told:?}");
    assert!(told.contains(&"landing-overdue>slack:security(bob,eve)".to_owned()), "{told:?}");
}

#[test]
fn owners_hear_once_that_a_host_accepts_what_is_revoked_and_again_when_it_does_so_again() {
    let mut house = House::new();
    assert_eq!(alarms(&house.write(10, applied(11, Canary::Untried))).0, 0);
    let (count, first) = alarms(&house.write(20, applied(12, Canary::Accepted)));
    assert!(count > 0 && first.starts_with("canary-accepted>"), "{first}");
    assert_eq!(alarms(&house.write(30, applied(13, Canary::Accepted))).0, 0, "the same fact");
    assert_eq!(alarms(&house.write(40, applied(14, Canary::Refused))).0, 0);
    assert_eq!(alarms(&house.write(50, applied(15, Canary::Accepted))).0, count);
}

#[test]
fn owners_hear_of_a_credential_that_the_ledger_knows_nothing_of_and_not_of_a_late_report() {
    let mut house = House::new();
    let (count, first) = alarms(&house.write(10, seen(4_711, 0)));
    assert!(count > 0 && first.starts_with("credential-unlogged>"), "{first}");
    assert_eq!(alarms(&house.write(20, seen(11, 1))).0, 0, "of a closed grant");
}

#[test]
fn what_memory_lacks_is_read_from_the_ledger() {
    let mut house = House::new();
    house.ask("root-on-host", Lane::Normal);
    house.approve("ada", "app-owner", 1);
    house.deriver = Deriver::new(60);
    assert_eq!(house.approve("bob", "security", 0), ["approved>ntfy:sam(sam)", "settled"]);
}

#[test]
fn who_has_left_or_changed_the_address_is_not_told() {
    let mut house = House::new();
    let mut files = files();
    let people = String::from_utf8(files.people).expect("text");
    files.people = people.replace("\"ntfy:eve\"", "\"ntfy:elsewhere\"").into_bytes();
    house.in_force = Arc::new(policy(&files));
    let told = house.ask("root-on-host", Lane::Normal);
    assert!(!told.iter().any(|one| one.contains("ntfy:e")), "{told:?}");
    assert_eq!(told.len(), 3);
}
