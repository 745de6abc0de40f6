//! What grants before this one have to do with it: cooldown, budget, reviews that are missing; and
//! whether a decision's context says of them what the ledger shows.

use super::grant::Grant;
use super::history::{Used, is_live};
use super::{Case, Judge};
use crate::audit::{Code, Findings};
use crate::policy::Scope;
use crate::statement::Lane;
use crate::time::Timestamp;

impl Judge<'_> {
    /// Checks a request, or its issuing, against what came before. Drills count for nothing here.
    pub(super) fn check_limits(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        if self.is_case() {
            return;
        }
        let Some(scope) = grant.scope(case.policy) else { return };
        self.check_context(case, grant, scope, out);
        // A further credential of a grant takes no more time than the first.
        if grant.ask.lane == Lane::Drill || is_live(grant) {
            return;
        }
        if let Some(until) = self.cools_until(grant, scope)
            && case.at() < until
        {
            let detail = format!("{} cools down until {until}", grant.ask.by);
            case.find(out, Code::LimitExceeded, detail);
        }
        if let Some(budget) = scope.budget {
            let used = self.used(case, grant, scope).least;
            let with = used.saturating_add(grant.ask.ttl.seconds().into());
            if with > budget.time.into() {
                let detail = format!("{with} s of {} s", budget.time);
                case.find(out, Code::LimitExceeded, detail);
            }
        }
        if self.history.owes_review(&scope.id, scope.review_gate) {
            let detail = format!("a grant of {} waits for its review", scope.id);
            case.find(out, Code::ReviewMissing, detail);
        }
    }

    fn cools_until(&self, grant: &Grant, scope: &Scope) -> Option<Timestamp> {
        let seconds = scope.cooldown?;
        let end = self.history.last_end(&scope.id, &grant.ask.by)?;
        Some(end.plus(seconds.into()))
    }

    /// Seconds of the scope's budget that its requester used before.
    pub(super) fn used(&self, case: &Case<'_>, grant: &Grant, scope: &Scope) -> Used {
        let Some(budget) = scope.budget else { return Used { least: 0, most: 0 } };
        let from = case.at().minus(budget.window.into());
        self.history.used(&scope.id, &grant.ask.by, from)
    }

    /// Grants of the scope that are out: those that still let somebody in, and all that are not
    /// taken back.
    pub(super) fn alive(&self, case: &Case<'_>, scope: &Scope) -> (u64, u64) {
        let all = self.live.get(&scope.id).copied().unwrap_or(0);
        if all == 0 {
            return (0, 0);
        }
        let open = self.open.values().filter(|other| other.ask.scope == scope.id);
        let valid = open.filter(|other| other.ends().is_some_and(|end| end > case.at())).count();
        (u64::try_from(valid).unwrap_or(u64::MAX), all.into())
    }

    /// Since when the last drill of the scope was passed.
    pub(super) fn drill_age(&self, case: &Case<'_>, scope: &Scope) -> Option<u64> {
        self.history.drills.get(&scope.id).map(|at| case.at().since(*at))
    }

    /// Numbers in a context are those of the ledger.
    pub(super) fn check_context(
        &self,
        case: &Case<'_>,
        grant: &Grant,
        scope: &Scope,
        out: &mut Findings,
    ) {
        let Some(decision) = case.entry.body.decision() else { return };
        let context = &decision.context;
        let mut wrong = |what: &str| {
            case.find(out, Code::ContextMismatch, format!("{what} is not what the ledger shows"));
        };
        if let Some(said) = context.budget {
            let used = self.used(case, grant, scope);
            if said < used.least || said > used.most {
                wrong("its budget");
            }
        }
        if let Some(said) = context.live {
            let (valid, all) = self.alive(case, scope);
            if said != valid && said != all {
                wrong("its count of live grants");
            }
        }
        if context.drill_age.is_some() && context.drill_age != self.drill_age(case, scope) {
            wrong("its age of the last drill");
        }
    }
}
