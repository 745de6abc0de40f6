//! Outages: measured with evidence, or declared by two people; what they open, and what their end
//! ends.

use super::grant::{Grant, State};
use super::{Case, Judge};
use crate::audit::{Action, Code, Findings};
use crate::entry::{OutageBegan, OutageEnded, OutageState};
use crate::principal::{DependencyId, PrincipalId};
use crate::statement::{Act, Declare, Lane};
use crate::time::Timestamp;

use super::world::Declared;

/// Longest declaration, in seconds: four hours, after which people look again.
pub const DECLARED_MAX_SECONDS: u64 = 14_400;

/// How an outage ended.
#[derive(Clone, Copy)]
pub(super) struct OutageEnd {
    /// When it was over: words run out before anybody writes it down.
    earliest: Timestamp,
    /// When that was written down: from then on the broker has to act on it.
    recorded: Timestamp,
}

impl Judge<'_> {
    /// Hears that a dependency is down.
    pub(super) fn began(&mut self, case: &Case<'_>, body: &OutageBegan, out: &mut Findings) {
        let id = &body.dependency;
        let signed = case.spoken.map(|spoken| spoken.statement.act());
        match signed {
            Some(Act::Declare(declare)) if body.evidence.is_none() => {
                self.declared(case, body, declare, out);
            }
            None if body.signed.is_none() && body.evidence.is_some() => {
                let outage = self.world.outages.entry(id.clone()).or_default();
                outage.measured.get_or_insert(case.at());
            }
            // The statement does not count, which was found already.
            None if body.signed.is_some() => {}
            Some(_) | None => {
                let detail = format!("{id} is down by neither evidence nor word alone");
                case.find(out, Code::OutageInvalid, detail);
            }
        }
        self.drains_change(case, id);
    }

    fn declared(
        &mut self,
        case: &Case<'_>,
        body: &OutageBegan,
        declare: &Declare,
        out: &mut Findings,
    ) {
        let (id, by, at) = (&body.dependency, &declare.by, case.at());
        let mut wrong = |detail: String| case.find(out, Code::OutageInvalid, detail);
        if declare.dependency != *id {
            wrong(format!("{} was declared down, {id} is", declare.dependency));
        }
        let latest = at.plus(DECLARED_MAX_SECONDS);
        let until = declare.until.filter(|until| at < *until && *until <= latest);
        if until.is_none() {
            wrong("a declaration ends, within four hours".to_owned());
        }
        let is_known = case.policy.scopes.iter().any(|scope| scope.outage.as_ref() == Some(id));
        if !is_known {
            wrong(format!("no scope depends on {id}"));
        }
        let outage = self.world.outages.entry(id.clone()).or_default();
        if outage.declared.iter().any(|one| one.by == *by && at < one.until) {
            wrong(format!("{by} declared it already"));
        }
        let was_down = outage.since(at).is_some();
        let until = until.unwrap_or(at);
        outage.declared.push(Declared { by: by.clone(), at, until });
        let is_down = outage.since(at).is_some();
        let expected = if is_down && !was_down { "began" } else { "declared" };
        // Of those after the second either word is true.
        if body.decision.outcome != expected && !was_down {
            wrong(format!("it is {}, not {}", expected, body.decision.outcome));
        }
        if is_known {
            self.may_declare(case, id, by, out);
        }
    }

    /// Only people declare, as the rules say; without rules those who own what depends on it.
    fn may_declare(
        &self,
        case: &Case<'_>,
        id: &DependencyId,
        by: &PrincipalId,
        out: &mut Findings,
    ) {
        let owns = case
            .policy
            .scopes
            .iter()
            .filter(|scope| scope.outage.as_ref() == Some(id))
            .any(|scope| scope.owned_by().any(|members| case.policy.is_member(by, members)));
        if !case.is_human(by) || (!self.has_rules() && !owns) {
            case.find(out, Code::ScopeExceeded, format!("{by} may not speak for {id}"));
        }
        let since = self.world.down_since(id, case.at());
        let circumstances = self.circumstances_of_world(case, since);
        self.permitted(case, &[self.question(by, Action::Declare, None, circumstances)], &[], out);
    }

    /// Hears that a dependency is up again, or that words about it no longer hold.
    pub(super) fn ended(&mut self, case: &Case<'_>, body: &OutageEnded, out: &mut Findings) {
        let (id, at) = (&body.dependency, case.at());
        let was_down = self.went_out(id, at);
        let outage = self.world.outages.entry(id.clone()).or_default();
        let signed = case.spoken.map(|spoken| spoken.statement.act());
        let ground = match (signed, &body.signed, &body.evidence) {
            (Some(Act::Resolve(resolve)), _, None) => {
                let standing = outage.declared.iter().any(|one| at < one.until);
                let is_about = resolve.dependency == *id;
                outage.declared.clear();
                standing && is_about
            }
            (None, None, Some(_)) => outage.measured.take().is_some(),
            (None, None, None) => {
                let before = outage.declared.len();
                outage.declared.retain(|one| at < one.until);
                outage.declared.len() < before
            }
            // The statement does not count, which was found already.
            (None, Some(_), _) => true,
            (Some(_), _, _) => false,
        };
        if !ground {
            let detail = format!("there was nothing about {id} that ended so");
            case.find(out, Code::OutageInvalid, detail);
        }
        let is_down = outage.since(at).is_some();
        if let (false, Some(end)) = (is_down, was_down) {
            self.outage_ends.insert(id.clone(), OutageEnd { earliest: end, recorded: at });
        }
        if let Some(Act::Resolve(resolve)) = signed {
            self.may_declare(case, id, &resolve.by, out);
        }
        self.drains_change(case, id);
    }

    /// When the outage that was on record before this second ended, if it ends now or did before.
    fn went_out(&self, id: &DependencyId, at: Timestamp) -> Option<Timestamp> {
        let outage = self.world.outages.get(id)?;
        if outage.since(at).is_some() {
            return Some(at);
        }
        // Two words held once; the second-last to run out ended it.
        outage.declared.iter().map(|one| one.at).max().and_then(|last| outage.runs_out(last))
    }

    /// Grants that this outage opened: how long they may still live.
    fn drains_change(&mut self, case: &Case<'_>, id: &DependencyId) {
        let drained: Vec<_> = self
            .open
            .values()
            .filter(|grant| grant.ask.lane == Lane::Outage)
            .filter(|grant| {
                let scope = grant.scope(case.policy);
                scope.is_some_and(|scope| scope.outage.as_ref() == Some(id))
            })
            .map(|grant| grant.ask.id)
            .collect();
        for request in drained {
            self.drain(case, request);
        }
    }

    /// Sets when a live grant has to be over as things are now.
    pub(super) fn drain(&mut self, case: &Case<'_>, request: crate::id::RequestId) {
        let Some(grant) = self.open.get(&request) else { return };
        let State::Live(credential) = &grant.state else { return };
        // What is due for another reason stays due.
        if grant.due <= case.at() {
            return;
        }
        let drained = self.drain_of(case, grant).map(|(end, grace)| end.recorded.plus(grace));
        let due = drained.unwrap_or(Timestamp::MAX).min(credential.ends);
        if let Some(grant) = self.open.get_mut(&request)
            && grant.due != due
        {
            grant.due = due;
            self.deadlines.set(grant, case.at());
        }
    }

    /// The end of the outage that opened a grant, if it ends the grant, and after what grace.
    fn drain_of(&self, case: &Case<'_>, grant: &Grant) -> Option<(OutageEnd, u64)> {
        let scope = grant.scope(case.policy)?;
        let id = scope.outage.as_ref().filter(|_| scope.ends_with_outage)?;
        if grant.ask.lane != Lane::Outage || self.world.down_since(id, case.at()).is_some() {
            return None;
        }
        Some((*self.outage_ends.get(id)?, scope.grace.into()))
    }

    /// Whether the end of an outage ends this grant now, or why not.
    pub(super) fn has_drained(&self, case: &Case<'_>, grant: &Grant) -> Result<(), String> {
        if self.is_case() {
            return Ok(());
        }
        let drain = self.drain_of(case, grant);
        match drain.map(|(end, grace)| end.earliest.plus(grace)) {
            Some(due) if due <= case.at() => Ok(()),
            Some(due) => Err(format!("it drains until {due}")),
            None => Err("no outage that opened it has ended".to_owned()),
        }
    }

    /// Whether the outage lane is open to the grant, and whether the decision says so.
    pub(super) fn check_outage(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        if self.is_case() {
            return;
        }
        let Some(scope) = grant.scope(case.policy) else { return };
        let Some(decision) = case.entry.body.decision() else { return };
        let context = &decision.context;
        let outage = scope.outage.as_ref().and_then(|id| self.world.outages.get(id));
        let since = outage.and_then(|outage| outage.since(case.at()));
        if grant.ask.lane == Lane::Outage
            && since.is_none()
            && let Some(id) = &scope.outage
        {
            return case.find(out, Code::LaneClosed, format!("{id} is not down"));
        }
        let is_said = context.outage == OutageState::Active || context.outage_since.is_some();
        let is_kept_quiet = since.is_some()
            && grant.ask.lane == Lane::Outage
            && context.outage == OutageState::None;
        let is_other_time = context
            .outage_since
            .is_some_and(|since| !outage.is_some_and(|outage| outage.could_be_since(since)));
        if (is_said && since.is_none()) || is_kept_quiet || is_other_time {
            let detail = "the outage it saw is not the one on record";
            case.find(out, Code::ContextMismatch, detail);
        }
    }
}
