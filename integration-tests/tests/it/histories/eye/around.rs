//! What surrounds grants: locks, outages, reviews and drills.

use std::collections::BTreeSet;

use serde_json::Value;

use super::grant::Grant;
use super::spoken::{Spoken, fingerprint};
use super::{Eye, sha256, text};

pub(super) struct Lock {
    pub(super) statement: String,
    pub(super) target: String,
    pub(super) until: Option<u64>,
}

/// What is said of one dependency.
#[derive(Default)]
pub(super) struct Outage {
    measured: bool,
    /// Who, and until when.
    declared: Vec<(String, u64)>,
    /// Whether it is down on record.
    began: bool,
    ended: Option<u64>,
}

impl Outage {
    fn standing(&self, now: u64) -> impl Iterator<Item = &str> {
        let stand = self.declared.iter().filter(move |(_, until)| now < *until);
        stand.map(|(by, _)| by.as_str())
    }

    fn is_down(&self, now: u64) -> bool {
        self.measured || self.standing(now).collect::<BTreeSet<_>>().len() >= 2
    }
}

const FOUR_HOURS: u64 = 4 * 3600;
const NINETY_DAYS: u64 = 90 * 86_400;

impl Eye {
    pub(super) fn locked(&mut self, body: &Value) {
        let said = self.of_person(body, "lock");
        let (target, until) = (said.lines["target"].clone(), said.moment("until"));
        assert!(self.may_lock(said.by(), &target), "{} may not lock", said.by());
        let far = |until: u64| self.now < until && until <= self.now + NINETY_DAYS;
        assert!(until.is_none_or(far), "a lock without a sensible end");
        self.count(format!("locked {}", target.split(':').next().unwrap()));
        let statement = format!("sha256:{}", sha256(&text(&body["statement"])));
        self.locks.push(Lock { statement, target, until });
    }

    pub(super) fn unlocked(&mut self, body: &Value) {
        let name = format!("sha256:{}", text(&body["lock"]).trim_start_matches("sha256:"));
        let at = self.locks.iter().position(|lock| lock.statement == name);
        let at = at.expect("unlocked what was not locked");
        let (target, until) = (self.locks[at].target.clone(), self.locks[at].until);
        if body.get("statement").is_some() {
            let said = self.of_person(body, "unlock");
            assert_eq!(said.lines["lock"], name);
            assert!(self.may_lock(said.by(), &target), "{} may not unlock", said.by());
            assert!(!self.is_on(&target, said.by()), "{} freed themselves", said.by());
            self.count("unlocked by hand".to_owned());
        } else {
            assert!(until.is_some_and(|until| self.now >= until), "unlocked too early");
            self.count("unlocked by the clock".to_owned());
        }
        self.locks.remove(at);
    }

    fn of_person(&mut self, body: &Value, act: &str) -> Spoken {
        self.decided(&body["decision"], None);
        let said = self.hear(body);
        assert_eq!(said.act, act);
        self.speaks_for_author(&said);
        assert!(self.is_human(said.by()), "{} is no person", said.by());
        said
    }

    pub(super) fn may_lock(&self, by: &str, target: &str) -> bool {
        if self.in_force().rules > 0 {
            return self.permits_at_all("lock", by).0;
        }
        match target.split_once(':').unwrap() {
            ("scope", scope) => self.owns(by, scope),
            ("grant", id) => {
                self.grants.get(id).is_some_and(|grant| self.owns(by, grant.scope_id()))
            }
            _ => self.owns_any(by, |_| true),
        }
    }

    /// Whether a lock of this target is on somebody themselves.
    pub(super) fn is_on(&self, target: &str, who: &str) -> bool {
        match target.split_once(':').unwrap() {
            ("principal", name) => name == who,
            ("key", key) => self.in_force().find(who).is_some_and(|who| {
                let keys = who.keys.iter();
                keys.map(|(name, number)| {
                    breakglass_integration_tests::people::Person::numbered(name, *number)
                })
                .any(|person| fingerprint(&person.key().to_openssh()) == key)
            }),
            ("grant", id) => self.grants.get(id).is_some_and(|grant| grant.stands_behind(who)),
            _ => false,
        }
    }

    pub(super) fn standing(&self) -> impl Iterator<Item = &Lock> {
        self.locks.iter().filter(|lock| lock.until.is_none_or(|until| self.now < until))
    }

    /// The lock on whoever speaks, by name or by key.
    pub(super) fn lock_on(&self, by: &str, key: &str) -> Option<&Lock> {
        let (by, key) = (format!("principal:{by}"), format!("key:{}", fingerprint(key)));
        self.standing().find(|lock| lock.target == by || lock.target == key)
    }

    pub(super) fn lock_named(&self, statement: &str) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.statement == statement)
    }

    pub(super) fn outage_began(&mut self, body: &Value) {
        let (name, now) = (text(&body["dependency"]), self.now);
        let outcome = text(&body["decision"]["outcome"]);
        let how = if body.get("statement").is_some() {
            let said = self.of_person(body, "declare");
            assert_eq!(said.lines["dependency"], name);
            assert!(self.may_declare(said.by(), &name), "{} may not declare", said.by());
            let until = said.moment("until").expect("declared without an end");
            assert!(now < until && until <= now + FOUR_HOURS, "declared for too long");
            assert!(!self.has_declared(&name, said.by()), "declared twice by one");
            let outage = self.outages.entry(name.clone()).or_default();
            outage.declared.push((said.by().to_owned(), until));
            "declared"
        } else {
            assert!(body.get("evidence").is_some(), "measured without evidence");
            let outage = self.outages.entry(name.clone()).or_default();
            assert!(!std::mem::replace(&mut outage.measured, true), "measured down twice");
            "measured"
        };
        let outage = self.outages.get_mut(&name).unwrap();
        let begins = !outage.began && outage.is_down(now);
        outage.began |= begins;
        assert_eq!(outcome, if begins { "began" } else { how });
        self.count(format!("outage {how}{}", if begins { " and began" } else { "" }));
    }

    pub(super) fn outage_ended(&mut self, body: &Value) {
        let (name, now) = (text(&body["dependency"]), self.now);
        let is_measured = body.get("evidence").is_some();
        let how = if body.get("statement").is_some() {
            let said = self.of_person(body, "resolve");
            assert_eq!(said.lines["dependency"], name);
            assert!(self.may_declare(said.by(), &name), "{} may not resolve", said.by());
            assert!(self.is_declared(&name), "nothing to resolve");
            self.outages.get_mut(&name).unwrap().declared.clear();
            "resolved"
        } else if is_measured {
            let outage = self.outages.get_mut(&name).unwrap();
            assert!(std::mem::take(&mut outage.measured), "measured up twice");
            "measured up"
        } else {
            let declared = &mut self.outages.get_mut(&name).unwrap().declared;
            let before = declared.len();
            declared.retain(|(_, until)| now < *until);
            assert!(declared.len() < before, "nothing has run out");
            "run out"
        };
        let outage = self.outages.get_mut(&name).unwrap();
        let ends = outage.began && !outage.is_down(now);
        if ends {
            (outage.began, outage.ended) = (false, Some(now));
        }
        assert_eq!(text(&body["decision"]["outcome"]), if ends { "ended" } else { "cleared" });
        self.count(format!("outage {how}{}", if ends { " and ended" } else { "" }));
    }

    pub(super) fn may_declare(&self, by: &str, name: &str) -> bool {
        let law = self.in_force();
        let names = |scope: &super::super::register::Scope| {
            scope.outage.as_ref().is_some_and(|outage| outage.dependency == name)
        };
        let known = law.scopes.iter().any(names);
        let may = if law.rules > 0 {
            self.permits_at_all("declare", by).0
        } else {
            self.owns_any(by, names)
        };
        known && may
    }

    pub(super) fn is_down(&self, name: &str) -> bool {
        self.outages.get(name).is_some_and(|outage| outage.is_down(self.now))
    }

    pub(super) fn is_measured(&self, name: &str) -> bool {
        self.outages.get(name).is_some_and(|outage| outage.measured)
    }

    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.outages.get(name).is_some_and(|outage| outage.standing(self.now).next().is_some())
    }

    pub(super) fn has_declared(&self, name: &str, by: &str) -> bool {
        let outage = self.outages.get(name);
        outage.is_some_and(|outage| outage.standing(self.now).any(|who| who == by))
    }

    /// Declarations whose end is past and that nobody wrote off.
    pub(super) fn has_run_out(&self, now: u64) -> bool {
        self.outages.values().any(|outage| outage.declared.iter().any(|(_, until)| now >= *until))
    }

    /// When a grant ends because its outage is over.
    pub(super) fn drain_due(&self, grant: &Grant) -> Option<u64> {
        let outage = self.scope_of(grant)?.outage.as_ref()?;
        let known = self.outages.get(outage.dependency)?;
        let over = grant.lane() == "outage" && !known.began && !known.is_down(self.now);
        over.then_some(())?;
        Some(known.ended? + outage.grace?)
    }

    pub(super) fn reviewed(&mut self, body: &Value) {
        let said = self.of_person(body, "review");
        let name = text(&body["request"]);
        let grant = self.grants.get(&name).expect("a review of nothing");
        assert_eq!(said.lines["request"], grant.statement);
        assert!(self.owns(said.by(), grant.scope_id()), "{} owns nothing of it", said.by());
        assert!(!took_part(grant, said.by()), "{} took part", said.by());
        assert!(grant.issued.is_some() && grant.ended.is_some(), "reviewed before its end");
        let again = grant.reviewed.as_deref();
        assert!(matches!(again, None | Some("inconclusive")), "reviewed again after {again:?}");
        let (permitted, rules) = self.permits("review", said.by(), grant);
        assert!(permitted, "the rules forbid it");
        self.names(&body["decision"], &rules, &rules);
        let verdict = said.lines["verdict"].clone();
        let lane = grant.lane().to_owned();
        self.count(format!("reviewed {verdict}"));
        self.count(format!("reviewed in {lane}"));
        self.grants.get_mut(&name).unwrap().reviewed = Some(verdict);
    }

    pub(super) fn drill(&mut self, body: &Value, (name, passed): &(String, bool)) {
        assert_eq!(text(&body["request"]), *name);
        assert_eq!(body["passed"].as_bool(), Some(*passed));
        let scope = text(&body["scope"]);
        assert_eq!(scope, self.grants[name].scope_id());
        if *passed {
            self.passed.insert(scope, self.now);
        }
        self.count(format!("drill {}", if *passed { "passed" } else { "not passed" }));
    }
}

pub(super) fn took_part(grant: &Grant, who: &str) -> bool {
    grant.stands_behind(who) || grant.approvals.iter().any(|given| given.said.by() == who)
}
