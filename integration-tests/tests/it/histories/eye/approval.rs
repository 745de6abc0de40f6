//! Approvals: distinct, entitled, other people, each in one stage, in time, about this request.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::law::Law;
use super::super::register::Stage;
use super::grant::{Approval, Grant};
use super::spoken::{Spoken, owner};
use super::standing::is_in;
use super::{Eye, text};

impl Eye {
    pub(super) fn approved(&mut self, grant: &mut Grant, said: Spoken, body: &Value) {
        grant.goes_on("approved", self.now, false);
        assert_ne!(grant.lane(), "emergency", "nobody's yes makes it faster");
        assert_eq!(said.lines["stage"], text(&body["stage"]));
        assert!(!self.is_covered(grant), "approved under a lock");
        let again = grant.approvals.iter().any(|given| given.said.by() == said.by());
        assert!(!again, "{} twice", said.by());
        let given = Approval { said, seq: self.seq, law: self.law() };
        assert!(self.counts(grant, &given), "{} may not approve", given.said.by());
        let (permitted, rules) = self.permits("approve", given.said.by(), grant);
        assert!(permitted, "the rules forbid it");
        self.names(&body["decision"], &rules, &rules);
        if !self.is_direct(grant, &given) {
            self.count("approved after escalation".to_owned());
        }
        grant.approvals.push(given);
        let missing: usize = self.missing(grant).iter().map(|(_, lacking)| lacking).sum();
        assert_eq!(body["missing"].as_u64(), u64::try_from(missing).ok());
    }

    pub(super) fn escalated(&mut self, grant: &mut Grant, said: Option<&Spoken>, body: &Value) {
        grant.goes_on("escalated", self.now, false);
        let name = text(&body["stage"]);
        let missing = self.missing(grant);
        let scope = self.scope_of(grant).unwrap();
        let open = |stage: &&Stage| {
            !stage.escalate.is_empty()
                && !grant.is_passed_on(stage.name)
                && missing.iter().any(|(lacking, _)| lacking == stage.name)
        };
        let due = |stage: &&Stage| said.is_some() || self.now >= grant.at + stage.within;
        let first = scope.stages.iter().find(|stage| open(stage) && due(stage));
        assert_eq!(first.map(|stage| stage.name), Some(name.as_str()), "not to be passed on");
        if let Some(said) = said {
            assert_eq!(said.act, "escalate");
            self.speaks_for_author(said);
            let by = said.by();
            let owns = self.owns(by, grant.scope_id());
            let may = self.is_human(by) && (owns || self.is_approver(grant, by));
            assert!(by == grant.by() || may, "{by} may not escalate");
        }
        self.count(format!(
            "escalated {}",
            if said.is_some() { "by hand" } else { "by the clock" }
        ));
        grant.escalated.push((name, self.law()));
    }

    /// What the stages of the law in force lack.
    pub(super) fn missing(&self, grant: &Grant) -> Vec<(String, usize)> {
        if grant.lane() == "emergency" {
            return Vec::new();
        }
        let Some(scope) = self.scope_of(grant) else { return Vec::new() };
        let lacking = |stage: &Stage| {
            let people: BTreeSet<&str> = grant
                .approvals
                .iter()
                .filter(|given| given.said.lines["stage"] == stage.name)
                .filter(|given| self.counts_now(grant, given))
                .map(|given| given.said.by())
                .collect();
            stage.quorum.saturating_sub(people.len())
        };
        let all = scope.stages.iter().map(|stage| (stage.name.to_owned(), lacking(stage)));
        all.filter(|(_, lacking)| *lacking > 0).collect()
    }

    /// With what can change while it waits: locks and rules.
    pub(super) fn counts_now(&self, grant: &Grant, given: &Approval) -> bool {
        self.counts(grant, given)
            && self.lock_on(given.said.by(), &given.said.key).is_none()
            && self.permits("approve", given.said.by(), grant).0
    }

    fn counts(&self, grant: &Grant, given: &Approval) -> bool {
        let (lines, by) = (&given.said.lines, given.said.by());
        let laws = [grant.law, given.law, self.law()].map(|at| &self.laws[at]);
        let held_then = owner(laws[0], &given.said.key);
        given.said.act == "approve"
            && self.is_human(by)
            && !grant.stands_behind(by)
            && given.said.key != grant.ask.key
            && given.said.key != grant.ask.lines["key"]
            && !held_then.is_some_and(|holder| grant.stands_behind(holder))
            && lines["request"] == grant.statement
            && lines["policy"] == format!("sha256:{}", self.policies[given.law])
            && lines["ttl-max"].parse::<u64>().unwrap() >= grant.ttl()
            && owner(laws[1], &given.said.key) == Some(by)
            && owner(laws[2], &given.said.key) == Some(by)
            && self.may_approve(grant, given)
    }

    /// Whether the author was one of those whom the stage asked, at the request or when it was passed
    /// on to them, and is.
    pub(super) fn may_approve(&self, grant: &Grant, given: &Approval) -> bool {
        let (name, by) = (&given.said.lines["stage"], given.said.by());
        let stage = |law: usize| {
            let scope = self.laws[law].find_scope(grant.scope_id());
            Some((&self.laws[law], scope?.stage(name)?))
        };
        let asked = |at: usize| stage(at).is_some_and(|(law, it)| is_any(law, by, &it.groups));
        let told = |at: usize| stage(at).is_some_and(|(law, it)| is_any(law, by, &it.escalate));
        let passed_on = grant.escalated.iter().find(|(stage, _)| stage == name);
        let was = asked(grant.law) || passed_on.is_some_and(|(_, at)| told(*at));
        let is = |at: usize| asked(at) || passed_on.is_some() && told(at);
        was && is(given.law) && is(self.law())
    }

    /// Whether the author was not among those named at the request, for the stage or for its being
    /// passed on.
    pub(super) fn joined_later(&self, grant: &Grant, given: &Approval) -> bool {
        let (law, by) = (&self.laws[grant.law], given.said.by());
        let stage = law.find_scope(grant.scope_id());
        let stage = stage.and_then(|scope| scope.stage(&given.said.lines["stage"]));
        !stage
            .is_some_and(|stage| is_any(law, by, &stage.groups) || is_any(law, by, &stage.escalate))
    }

    /// Whether it needed no escalation.
    fn is_direct(&self, grant: &Grant, given: &Approval) -> bool {
        let stage = self.scope_of(grant).and_then(|scope| scope.stage(&given.said.lines["stage"]));
        stage.is_some_and(|stage| is_any(self.in_force(), given.said.by(), &stage.groups))
    }

    /// Whether the stages can still be completed by different people who may.
    pub(super) fn can_be_satisfied(&self, grant: &Grant) -> bool {
        let Some(scope) = self.scope_of(grant) else { return false };
        if grant.lane() == "emergency" {
            return true;
        }
        let (now, then) = (self.in_force(), &self.laws[grant.law]);
        let may = |stage: &Stage, who: &str| {
            let before = then.find_scope(scope.id).and_then(|scope| scope.stage(stage.name));
            let asked = |law: &Law, stage: &Stage| {
                is_any(law, who, &stage.groups) || is_any(law, who, &stage.escalate)
            };
            asked(now, stage) && before.is_some_and(|before| asked(then, before))
        };
        let people = |stage: &Stage| -> BTreeSet<&str> {
            let others = now.people.iter().map(|who| who.name);
            others
                .filter(|who| self.is_human(who) && !grant.stands_behind(who))
                .filter(|who| may(stage, who) && self.permits("approve", who, grant).0)
                .collect()
        };
        // No scope of ours lets one person choose between stages.
        scope.stages.iter().all(|stage| people(stage).len() >= stage.quorum)
    }
}

fn is_any(law: &Law, who: &str, groups: &[&str]) -> bool {
    groups.iter().any(|group| is_in(law, who, group))
}
