//! What happened before with a scope, looked up only as far as its policy makes a decision of it:
//! a scope without cooldown, budget and review gate costs no look.

use std::sync::Arc;

use breakglass_ledger::policy::Scope;
use breakglass_ledger::statement::{Act, Ask, Lane};
use breakglass_rules::{Held, Live, Request, used};

use super::DeskError;
use super::batch::Batch;
use super::known::Known;

impl Batch<'_, '_> {
    /// Adds to `known` what a decision about `act` needs of the past.
    pub(super) fn remember(&self, known: &mut Known, act: &Act) -> Result<(), DeskError> {
        match act {
            Act::Request(ask) => self.remember_use(known, ask),
            Act::Collect(_) => {
                let Some(Request::Pending(pending)) = &known.request else { return Ok(()) };
                let ask = pending.asked.ask.clone();
                self.remember_use(known, &ask)
            }
            Act::Review(_) => {
                let Some(request) = &known.request else { return Ok(()) };
                known.history.reviewed = self.tx.review_of(request.id())?;
                Ok(())
            }
            // The policy's own rules may look at the budget when somebody approves as well.
            Act::Approve(_) if !known.has_rules() => Ok(()),
            Act::Approve(_) => {
                let Some(Request::Pending(pending)) = &known.request else { return Ok(()) };
                let ask = pending.asked.ask.clone();
                self.remember_budget(known, &ask)
            }
            Act::Deny(_)
            | Act::Withdraw(_)
            | Act::Drop(_)
            | Act::Cancel(_)
            | Act::Escalate(_)
            | Act::Pickup(_)
            | Act::Lock(_)
            | Act::Unlock(_)
            | Act::Declare(_)
            | Act::Resolve(_)
            | Act::Applied(_)
            | Act::Use(_)
            | Act::Session(_)
            | Act::Policy(_) => Ok(()),
        }
    }

    /// Adds to `known` what the policy's own rules may look at when a new policy judges again.
    pub(super) fn remember_for_rules(&self, known: &mut Known) -> Result<(), DeskError> {
        let Some(request) = known.request.as_ref().filter(|_| known.has_rules()) else {
            return Ok(());
        };
        let ask = request.asked().ask.clone();
        let own = if let Request::Live(live) = request { self.own_time(live) } else { 0 };
        self.remember_budget(known, &ask)?;
        // As with the grants that are out: the others count, not the one in question.
        known.history.budget_used = known.history.budget_used.saturating_sub(own);
        Ok(())
    }

    /// Seconds of its scope's budget that a grant takes itself.
    fn own_time(&self, live: &Live) -> u64 {
        let (policy, ask) = (self.memory.in_force(), &live.asked.ask);
        let budget = policy.scope(&ask.scope).and_then(|scope| scope.budget);
        let Some(budget) = budget.filter(|_| ask.lane != Lane::Drill) else { return 0 };
        let until = live.ends();
        let from = until.minus(u64::from(ask.ttl.seconds()));
        used([Held { from, until }], self.second(), budget.window)
    }

    fn remember_use(&self, known: &mut Known, ask: &Ask) -> Result<(), DeskError> {
        let policy = Arc::clone(self.memory.in_force());
        let Some(scope) = policy.scope(&ask.scope) else { return Ok(()) };
        self.remember_budget(known, ask)?;
        if scope.cooldown.is_some() {
            known.history.last_end = self.tx.last_end(&scope.id, &ask.by)?;
        }
        self.remember_reviews(known, scope)
    }

    fn remember_budget(&self, known: &mut Known, ask: &Ask) -> Result<(), DeskError> {
        let (policy, now) = (self.memory.in_force(), self.second());
        let Some(budget) = policy.scope(&ask.scope).and_then(|scope| scope.budget) else {
            return Ok(());
        };
        let begin = now.minus(u64::from(budget.window));
        let held = self.tx.held(&ask.scope, &ask.by, begin)?;
        known.history.budget_used = used(held, now, budget.window);
        Ok(())
    }

    fn remember_reviews(&self, known: &mut Known, scope: &Scope) -> Result<(), DeskError> {
        if scope.review_gate {
            known.history.unreviewed = self.tx.unreviewed(&scope.id, None)?;
        }
        if self.memory.had_emergency(&scope.id) {
            let emergency = Some(Lane::Emergency);
            known.history.unreviewed_emergency = self.tx.unreviewed(&scope.id, emergency)?;
        }
        Ok(())
    }
}
