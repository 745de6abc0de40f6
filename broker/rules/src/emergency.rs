//! The emergency lane: nobody answers, so one person goes alone, later, shorter, and watched.

use breakglass_ledger::policy::{Emergency, Scope};
use breakglass_ledger::statement::{Ask, Lane};
use breakglass_ledger::time::Timestamp;

use crate::decide::Facts;
use crate::refusal::{AskRefusal, Refusal, RestraintRefusal};
use crate::request::{Asked, Pending, Request};
use crate::stages;

/// Whether a request in the lane may be made: the requester's own ordinary request has waited, and
/// a stage of it has no approval at all.
pub(crate) fn may_begin(facts: &Facts<'_>, scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if ask.lane != Lane::Emergency {
        return Ok(());
    }
    let after = terms(scope)?.after;
    let not_open = || {
        Refusal::Restraint(RestraintRefusal::EmergencyNotOpen { scope: scope.id.clone(), after })
    };
    let Some(Request::Pending(Pending { asked, given, .. })) = &facts.history.waiting else {
        return Err(not_open());
    };
    let is_theirs = asked.ask.by == ask.by && asked.ask.scope == ask.scope;
    let is_ordinary = matches!(asked.ask.lane, Lane::Normal | Lane::Outage);
    if !is_theirs || !is_ordinary {
        return Err(not_open());
    }
    let (begins, now) = (asked.at.plus(u64::from(after)), facts.second());
    if now < begins || now >= asked.lapses {
        return Err(not_open());
    }
    let mut stages = stages::chain(scope)?.iter();
    if !stages.any(|stage| given.iter().all(|given| given.stage != stage.name)) {
        return Err(not_open());
    }
    Ok(())
}

/// Whether those who were passed over had their time to cancel.
pub(crate) fn delay_over(facts: &Facts<'_>, scope: &Scope, asked: &Asked) -> Result<(), Refusal> {
    let Some(until) = opens_at(scope, asked)? else { return Ok(()) };
    let now = facts.second();
    if now < until {
        return Err(Refusal::Restraint(RestraintRefusal::DelayNotOver { until, now }));
    }
    Ok(())
}

/// First second at which a request of the lane may be issued; `None` in the other lanes.
fn opens_at(scope: &Scope, asked: &Asked) -> Result<Option<Timestamp>, Refusal> {
    if asked.ask.lane != Lane::Emergency {
        return Ok(None);
    }
    Ok(Some(asked.at.plus(u64::from(terms(scope)?.delay))))
}

/// Whether the lane allows what is asked for.
pub(crate) fn short_enough(scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if ask.lane != Lane::Emergency {
        return Ok(());
    }
    let (ttl, max) = (ask.ttl, terms(scope)?.ttl_max);
    if ttl > max {
        return Err(Refusal::Ask(AskRefusal::TtlTooLong { scope: scope.id.clone(), ttl, max }));
    }
    Ok(())
}

/// A lane that is listed without its terms is not offered.
fn terms(scope: &Scope) -> Result<Emergency, Refusal> {
    let lane = Lane::Emergency.name();
    scope
        .emergency
        .ok_or_else(|| Refusal::Ask(AskRefusal::LaneNotOffered { scope: scope.id.clone(), lane }))
}
