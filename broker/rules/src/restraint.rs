//! What keeps break-glass from becoming permanent: a pause after each use, a budget, and the review
//! of the last use before the next. Judged when asking and again when issuing; drills are free.

use breakglass_ledger::policy::Scope;
use breakglass_ledger::statement::{Ask, Lane};

use crate::decide::Facts;
use crate::refusal::{Refusal, RestraintRefusal};

/// Whether the requester may have the scope once more, now.
pub(crate) fn allows(facts: &Facts<'_>, scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if ask.lane == Lane::Drill {
        return Ok(());
    }
    reviewed(facts, scope)?;
    cooled_down(facts, scope, ask)?;
    within_budget(facts, scope, ask)
}

/// An emergency is reviewed before the next use whatever the scope says of its other lanes.
fn reviewed(facts: &Facts<'_>, scope: &Scope) -> Result<(), Refusal> {
    let history = facts.history;
    let of_any_lane = history.unreviewed.filter(|_| scope.review_gate);
    match of_any_lane.or(history.unreviewed_emergency) {
        Some(request) => Err(Refusal::Restraint(RestraintRefusal::ReviewMissing {
            scope: scope.id.clone(),
            request,
        })),
        None => Ok(()),
    }
}

fn cooled_down(facts: &Facts<'_>, scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    let (Some(cooldown), Some(end)) = (scope.cooldown, facts.history.last_end) else {
        return Ok(());
    };
    let (until, now) = (end.plus(u64::from(cooldown)), facts.second());
    if now < until {
        let (scope, by) = (scope.id.clone(), ask.by.clone());
        return Err(Refusal::Restraint(RestraintRefusal::Cooldown { scope, by, until, now }));
    }
    Ok(())
}

fn within_budget(facts: &Facts<'_>, scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    let Some(budget) = scope.budget else { return Ok(()) };
    let used = facts.history.budget_used;
    if used.saturating_add(u64::from(ask.ttl.seconds())) > u64::from(budget.time) {
        return Err(Refusal::Restraint(RestraintRefusal::BudgetSpent {
            scope: scope.id.clone(),
            by: ask.by.clone(),
            used,
            ttl: ask.ttl,
            budget: budget.time,
            window: budget.window,
        }));
    }
    Ok(())
}
