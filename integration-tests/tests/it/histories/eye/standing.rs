//! What the law in force lets people do.

use super::super::law::{Law, Who};
use super::super::register::Scope;
use super::super::rules::{self, Question};
use super::Eye;
use super::grant::Grant;
use super::spoken::owner;

impl Eye {
    pub(super) fn scope_of(&self, grant: &Grant) -> Option<&Scope> {
        self.in_force().find_scope(grant.scope_id())
    }

    pub(super) fn is_human(&self, who: &str) -> bool {
        self.in_force().find(who).is_some_and(|who| who.kind == "human")
    }

    pub(super) fn owns(&self, who: &str, scope: &str) -> bool {
        let owners = self.in_force().find_scope(scope).map(|scope| scope.owners);
        owners.is_some_and(|owners| owners.iter().any(|group| is_in(self.in_force(), who, group)))
    }

    pub(super) fn owns_any(&self, who: &str, chosen: impl Fn(&Scope) -> bool) -> bool {
        let chosen = self.in_force().scopes.iter().filter(|scope| chosen(scope));
        chosen.into_iter().any(|scope| self.owns(who, scope.id))
    }

    /// Of any stage, or of one that was passed on to them while it waits.
    pub(super) fn is_approver(&self, grant: &Grant, who: &str) -> bool {
        let Some(scope) = self.scope_of(grant) else { return false };
        let among = |groups: &[&str]| groups.iter().any(|group| is_in(self.in_force(), who, group));
        scope.stages.iter().any(|stage| {
            let passed_on = grant.waits() && grant.is_passed_on(stage.name);
            among(&stage.groups) || passed_on && among(&stage.escalate)
        })
    }

    /// Whether the law in force lets the requester have what they asked for, rules apart.
    pub(super) fn may_hold(&self, grant: &Grant) -> bool {
        let (ask, law) = (&grant.ask.lines, self.in_force());
        let Some(scope) = self.scope_of(grant) else { return false };
        let Some(who) = law.find(grant.by()) else { return false };
        let emergency = || scope.emergency.map_or(0, |(_, longest, _)| longest);
        let longest = if grant.lane() == "emergency" { emergency() } else { u64::MAX };
        let then = self.laws[grant.law].find_scope(scope.id).unwrap();
        scope.requesters.contains(&who.group)
            && scope.kinds.contains(&who.kind)
            && scope.lanes.contains(&grant.lane())
            && carries(law, scope, grant, who)
            && owner(law, &grant.ask.key) == Some(grant.by())
            && owner(law, &ask["key"]).is_none()
            && grant.ttl() <= scope.ttl_max.min(longest)
            && grant.kinds().into_iter().all(|kind| match kind {
                "ssh" => (scope.principal, scope.command) == (then.principal, then.command),
                "x509" => scope.x509.is_some() && scope.x509 == then.x509,
                _ => scope.jwt.is_some() && scope.jwt == then.jwt,
            })
    }

    /// The same with the rules, as things are now.
    pub(super) fn may_go_on(&self, grant: &Grant) -> bool {
        self.may_hold(grant) && self.lets_ask(grant, self.live_beside(grant))
    }

    /// Whether there is still a way to a credential for what waits.
    pub(super) fn may_wait(&self, grant: &Grant) -> bool {
        let unchanged = || {
            let then = self.laws[grant.law].find_scope(grant.scope_id()).unwrap();
            self.scope_of(grant).is_some_and(|now| now.hosts == then.hosts)
        };
        self.may_go_on(grant) && unchanged() && self.can_be_satisfied(grant)
    }

    /// Whether the rules let the requester and everybody behind them ask, with `live` grants out.
    pub(super) fn lets_ask(&self, grant: &Grant, live: usize) -> bool {
        let everybody = grant.behind().into_iter().chain([grant.by()]);
        everybody.into_iter().all(|who| self.ask_of(grant, who, live).0)
    }

    pub(super) fn ask_of(
        &self,
        grant: &Grant,
        who: &str,
        live: usize,
    ) -> (bool, Vec<&'static str>) {
        let (law, ttl, depth) = (self.in_force(), grant.ttl(), grant.behind().len());
        let group = law.find(who).map_or("", |who| who.group);
        let scope = self.scope_of(grant);
        let requester = scope.is_some_and(|scope| scope.requesters.contains(&group));
        let asked = Question { action: "request", who, group, requester, ttl, live, depth };
        rules::judge(law.rules, asked)
    }

    /// Whether the rules let somebody act on a request, and which say so.
    pub(super) fn permits(&self, action: &str, who: &str, _: &Grant) -> (bool, Vec<&'static str>) {
        self.permits_at_all(action, who)
    }

    pub(super) fn permits_at_all(&self, action: &str, who: &str) -> (bool, Vec<&'static str>) {
        let law = self.in_force();
        let group = law.find(who).map_or("", |who| who.group);
        rules::judge(law.rules, Question { action, who, group, ..Question::default() })
    }

    /// Grants of the scope that are out, but for this one.
    pub(super) fn live_beside(&self, grant: &Grant) -> usize {
        let same = |other: &&Grant| {
            other.scope_id() == grant.scope_id() && other.statement != grant.statement
        };
        self.grants.values().filter(same).filter(|other| other.is_live()).count()
    }
}

/// Whether the chain behind the requester carries the request.
fn carries(law: &Law, scope: &Scope, grant: &Grant, requester: &Who) -> bool {
    let behind = grant.behind();
    if behind.is_empty() {
        return requester.kind != "agent";
    }
    let next = behind.iter().skip(1).copied().chain([requester.name]);
    let hop = |(hop, next): (&&str, &str)| {
        let (Some(hop), Some(next)) = (law.find(hop), law.find(next)) else { return false };
        let group = format!("group:{}", hop.group);
        let person = format!("principal:{}", hop.name);
        let owned = next.owner.is_some_and(|owner| owner == group || owner == person);
        next.kind != "human"
            && (next.sponsor == Some(hop.name) || owned)
            && scope.requesters.contains(&hop.group)
    };
    law.find(behind[0]).is_some_and(|who| who.kind == "human") && behind.iter().zip(next).all(hop)
}

pub(super) fn is_in(law: &Law, who: &str, group: &str) -> bool {
    law.find(who).is_some_and(|who| who.group == group)
}
