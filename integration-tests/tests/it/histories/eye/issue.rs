//! Asking and issuing: everything that has to be true when somebody begins, and when a credential is
//! made.

use serde_json::Value;

use super::grant::Grant;
use super::spoken::{Spoken, fingerprint};
use super::{Eye, seconds, sha256, text};

impl Eye {
    pub(super) fn requested(&mut self, name: String, said: Spoken, body: &Value) {
        assert_eq!(said.act, "request");
        assert_eq!(said.lines["id"], name);
        self.speaks_for_author(&said);
        let mut grant = self.asked(said, &text(&body["statement"]));
        grant.link(body, &self.prev);
        self.decided(&body["decision"], Some(&grant));
        assert!(self.may_hold(&grant), "asked for what they may not have");
        assert_eq!(seconds(text(&body["lapses"]).trim_end_matches('Z')), grant.lapses);
        let key = &grant.ask.lines["key"];
        let used = |other: &Grant| !other.closed && other.ask.lines["key"] == *key;
        assert!(!self.grants.values().any(used), "a subject key twice");
        assert!(!self.repeats(&grant), "a duplicate");
        if grant.lane() == "emergency" {
            assert!(self.is_unanswered(&grant), "an emergency that was none");
        }
        self.surroundings(&grant);
        let (_, rules) = self.ask_of(&grant, grant.by(), self.live_beside(&grant));
        self.names(&body["decision"], &rules, &rules);
        self.count(format!("requested {}", grant.lane()));
        assert!(self.grants.insert(name, grant).is_none(), "an id twice");
    }

    /// A request that nothing has happened to.
    pub(super) fn asked(&self, said: Spoken, statement: &str) -> Grant {
        let scope = self.in_force().find_scope(&said.lines["scope"]);
        Grant {
            lapses: self.now + scope.map_or(0, |scope| scope.pending_max),
            ask: said,
            statement: format!("sha256:{}", sha256(statement)),
            law: self.law(),
            at: self.now,
            approvals: Vec::new(),
            escalated: Vec::new(),
            issued: None,
            issued_at: 0,
            credentials: Vec::new(),
            picked_up: false,
            ended: None,
            closed: false,
            reviewed: None,
            gseq: 0,
            gprev: "0".repeat(64),
        }
    }

    /// Everything that had to be true when a credential was made.
    pub(super) fn issued(&mut self, grant: &mut Grant, said: &Spoken, body: &Value) {
        grant.goes_on("issued", self.now, false);
        assert_eq!(said.act, "collect");
        assert_eq!(said.key, grant.ask.lines["key"], "collected with another key");
        assert!(self.may_hold(grant), "issued to who may not have it");
        let (hosts, then) = (self.hosts(self.law(), grant), self.hosts(grant.law, grant));
        assert_eq!(hosts, then, "opens something else than was shown");
        let missing = self.missing(grant);
        assert!(missing.is_empty(), "issued without {missing:?}");
        if grant.lane() == "emergency" {
            let (_, _, delay) = self.scope_of(grant).unwrap().emergency.unwrap();
            assert!(self.now >= grant.at + delay, "issued within the delay");
        }
        let is_first = grant.issued.is_none();
        if is_first {
            self.surroundings(grant);
        } else {
            // Its time and its place among those alive were counted when it began.
            assert!(!self.is_covered(grant), "another although a lock covers it");
            assert!(self.is_lane_open(grant), "the lane is closed");
            assert!(self.lets_ask(grant, self.live_beside(grant)), "the rules forbid it");
        }
        let counted = body["approvals"].as_array().unwrap();
        let mut rules = self.ask_of(grant, grant.by(), self.live_beside(grant)).1;
        let determining = rules.clone();
        for seq in counted {
            let given = grant.approvals.iter().find(|one| Some(one.seq) == seq.as_u64());
            let given = given.expect("counts what is no approval");
            assert!(self.counts_now(grant, given), "counts what does not count");
            rules.extend(self.permits("approve", given.said.by(), grant).1);
        }
        self.names(&body["decision"], &determining, &rules);
        let ends = grant.issued.map_or(self.now + grant.ttl(), |(_, ends)| ends);
        self.credential(grant, said, body, ends);
        if is_first {
            (grant.issued, grant.issued_at) = (Some((self.seq, ends)), self.now);
            self.count_issued(grant);
        }
    }

    fn count_issued(&mut self, grant: &Grant) {
        let lane = grant.lane();
        self.count(format!("issued {lane}"));
        let behind = grant.behind().len();
        if behind > 0 {
            self.count(format!("issued on behalf of {behind}"));
        }
        if self.in_force().rules > 0 {
            self.count(format!("issued {lane} under rules"));
        }
        if self.law() != grant.law {
            self.count("issued under a later policy".to_owned());
        }
        let outage = self.scope_of(grant).and_then(|scope| scope.outage.as_ref());
        if lane == "outage" {
            let how =
                if self.is_measured(outage.unwrap().dependency) { "measured" } else { "declared" };
            self.count(format!("issued outage {how}"));
        }
        let mut before = self.grants.values().filter(|other| other.scope_id() == grant.scope_id());
        if lane != "drill" && before.any(|other| other.reviewed.is_some()) {
            self.count("issued after a review".to_owned());
        }
    }

    /// What is judged when asked and again when issued.
    fn surroundings(&self, grant: &Grant) {
        assert!(!self.is_covered(grant), "{} although a lock covers it", grant.scope_id());
        assert!(self.is_lane_open(grant), "the lane is closed");
        assert_eq!(self.restrained(grant), None);
        let live = self.live_beside(grant);
        assert!(live < self.scope_of(grant).unwrap().live_max, "too many alive");
        assert!(self.lets_ask(grant, live), "the rules forbid it");
    }

    pub(super) fn is_lane_open(&self, grant: &Grant) -> bool {
        let outage = self.scope_of(grant).and_then(|scope| scope.outage.as_ref());
        grant.lane() != "outage" || outage.is_some_and(|outage| self.is_down(outage.dependency))
    }

    /// Whether another request of theirs for the scope waits; an emergency may follow an ordinary
    /// one.
    pub(super) fn repeats(&self, grant: &Grant) -> bool {
        self.open_beside(grant).any(|other| grant.lane() != "emergency" || !is_ordinary(other))
    }

    /// Whether an ordinary request of the same waited long enough, with a stage that nobody
    /// answered.
    pub(super) fn is_unanswered(&self, grant: &Grant) -> bool {
        let Some(scope) = self.scope_of(grant) else { return false };
        let Some((after, ..)) = scope.emergency else { return false };
        self.open_beside(grant).filter(|other| is_ordinary(other)).any(|other| {
            let silent = |stage: &str| {
                other.approvals.iter().all(|given| given.said.lines["stage"] != stage)
            };
            self.now >= other.at + after && scope.stages.iter().any(|stage| silent(stage.name))
        })
    }

    fn open_beside<'a>(&'a self, grant: &'a Grant) -> impl Iterator<Item = &'a Grant> {
        let open = |other: &&Grant| other.waits() && self.now < other.lapses;
        self.grants.values().filter(open).filter(|other| {
            other.by() == grant.by()
                && other.scope_id() == grant.scope_id()
                && other.statement != grant.statement
        })
    }

    /// The name of the first limit that stands in the way.
    pub(super) fn restrained(&self, grant: &Grant) -> Option<&'static str> {
        let scope = self.scope_of(grant)?;
        if grant.lane() == "drill" {
            return None;
        }
        let uses = || {
            let others = self.grants.values().filter(|other| other.was_used());
            others.filter(|other| other.scope_id() == scope.id)
        };
        let owes = |other: &Grant| {
            let asked = scope.review_gate || other.lane() == "emergency";
            other.ended.is_some() && other.reviewed.is_none() && asked
        };
        if uses().any(owes) {
            return Some("review-missing");
        }
        let own = || uses().filter(|other| other.by() == grant.by());
        let warm = |other: &Grant| other.ended.is_some_and(|at| self.now < at + scope.cooldown);
        if own().any(warm) {
            return Some("cooldown");
        }
        let (time, window) = scope.budget?;
        let begin = self.now.saturating_sub(window);
        let used = own().map(|other| {
            let (_, until) = other.issued.unwrap();
            other.ended.unwrap_or(until).saturating_sub(other.issued_at.max(begin))
        });
        (used.sum::<u64>() + grant.ttl() > time).then_some("budget-spent")
    }

    /// The decision names what determined it: all of `needed`, and nothing but `known`.
    pub(super) fn names(&self, decision: &Value, needed: &[&str], known: &[&str]) {
        let rules = decision["rules"].as_array().unwrap().iter().filter_map(Value::as_str);
        let named: Vec<&str> = rules.filter_map(|rule| rule.strip_prefix("cedar:")).collect();
        assert!(needed.iter().all(|rule| named.contains(rule)), "{named:?} without {needed:?}");
        assert!(named.iter().all(|rule| known.contains(rule)), "{named:?} beside {known:?}");
    }

    /// Whether a lock that stands covers what was asked.
    pub(super) fn is_covered(&self, grant: &Grant) -> bool {
        let keys = [&grant.ask.key, &grant.ask.lines["key"]].map(|key| fingerprint(key));
        let hosts = self.hosts(self.law(), grant);
        self.standing().any(|lock| {
            let (kind, name) = lock.target.split_once(':').unwrap();
            match kind {
                "principal" => grant.stands_behind(name),
                "key" => keys.iter().any(|key| key == name),
                "scope" => grant.scope_id() == name,
                "host" => hosts.contains(&name),
                _ => grant.ask.lines["id"] == name,
            }
        })
    }

    fn hosts(&self, law: usize, grant: &Grant) -> Vec<&'static str> {
        let scope = self.laws[law].find_scope(grant.scope_id());
        scope.map_or(Vec::new(), |scope| scope.hosts.clone())
    }
}

fn is_ordinary(grant: &Grant) -> bool {
    ["normal", "outage"].contains(&grant.lane())
}
