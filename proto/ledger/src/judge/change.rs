//! What ends a grant from outside: people, the rules, a lock, an outage's end, a new policy.

use super::grant::Grant;
use super::history::is_live;
use super::{Case, Judge};
use crate::audit::{Action, Code, Findings, Question};
use crate::entry::{Cause, Revoked};
use crate::statement::Act;

impl Judge<'_> {
    /// Denying and cancelling are judged by the rules as well; what the holder does is not.
    pub(super) fn check_end(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        let Some(spoken) = case.spoken else { return };
        if let Act::Deny(about) = spoken.statement.act() {
            self.check_act(case, grant, &about.by, Action::Deny, out);
        }
        if let Act::Cancel(about) = spoken.statement.act() {
            self.check_act(case, grant, &about.by, Action::Cancel, out);
        }
    }

    /// A cause that lies outside of the grant has to be on record.
    pub(super) fn check_cause(
        &self,
        case: &Case<'_>,
        grant: &Grant,
        body: &Revoked,
        out: &mut Findings,
    ) {
        match body.cause {
            Cause::Locked if !self.one_grant && self.lock_of(case, grant).is_none() => {
                case.find(out, Code::LockInvalid, "no lock covers what was revoked for one");
            }
            Cause::OutageEnded => {
                if let Err(detail) = self.has_drained(case, grant) {
                    case.find(out, Code::OutageInvalid, detail);
                }
            }
            Cause::Locked
            | Cause::Expired
            | Cause::Dropped
            | Cause::PolicyChanged
            | Cause::TokenRevoked => {}
            Cause::Cancelled => self.check_end(case, grant, out),
        }
    }

    /// What the new policy no longer allows is due now; what ends with an outage may end at another
    /// time.
    pub(super) fn policy_changed(&mut self, case: &Case<'_>) {
        let live: Vec<_> =
            self.open.values().filter(|grant| is_live(grant)).map(|grant| grant.ask.id).collect();
        for id in live {
            let Some(grant) = self.open.get(&id) else { continue };
            if self.may_stay(case, grant) {
                self.drain(case, id);
            } else if let Some(grant) = self.open.get_mut(&id) {
                grant.due = case.at();
                self.deadlines.set(grant, case.at());
            }
        }
    }

    /// Whether a credential that is out may stay out under the policy in force.
    fn may_stay(&self, case: &Case<'_>, grant: &Grant) -> bool {
        if !grant.is_allowed(case.policy) {
            return false;
        }
        if !self.has_rules() {
            return true;
        }
        let mut circumstances = self.circumstances(case, grant, None);
        // It counts the others, not the one in question.
        circumstances.live = circumstances.live.saturating_sub(1);
        if let Some(budget) = grant.scope(case.policy).and_then(|scope| scope.budget) {
            let own = self.history.own(grant, case.at().minus(budget.window.into()));
            circumstances.budget = circumstances.budget.saturating_sub(own);
        }
        let question = |who| Question {
            principal: who,
            action: Action::Request,
            scope: Some(&grant.ask.scope),
            circumstances,
        };
        let mut people = std::iter::once(&grant.ask.by).chain(&grant.ask.on_behalf_of);
        people.all(|who| self.lets(case, &question(who)))
    }
}
