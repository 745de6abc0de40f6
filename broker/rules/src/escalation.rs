//! Passing an unanswered stage on: by the clock when its time is over, or by people before.

use breakglass_ledger::policy::{Scope, Stage};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::About;
use breakglass_ledger::time::Timestamp;

use crate::decide::Facts;
use crate::grounds::{self, rule};
use crate::refusal::Refusal;
use crate::request::{Asked, Pending};
use crate::verdict::{Event, Verdict};
use crate::{ask, ending, stages};

/// The clock: the first stage whose time to answer is over and that lacks its quorum.
pub(crate) fn by_clock(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let pending = facts.waiting(facts.given_request()?)?;
    let asked = &pending.asked;
    let now = facts.second();
    let is_due = |stage: &Stage| due(asked, stage).is_some_and(|due| due <= now);
    let stage = first(facts, pending, is_due)?;
    Ok(escalate(facts, asked, None, stage, rule::WITHIN))
}

/// The requester, an approver or an owner: the first stage that lacks its quorum.
pub(crate) fn by_person(facts: &Facts<'_>, about: &About) -> Result<Verdict, Refusal> {
    let request = facts.about(about.request)?;
    let rule = entitled(facts, request.asked(), &about.by)?;
    let pending = facts.waiting(request)?;
    let stage = first(facts, pending, |_| true)?;
    Ok(escalate(facts, &pending.asked, Some(&about.by), stage, rule))
}

/// When the time of `stage` to answer is over; `None` if it is not passed on.
pub(crate) fn due(asked: &Asked, stage: &Stage) -> Option<Timestamp> {
    stage.within.map(|within| asked.at.plus(u64::from(within)))
}

fn entitled(facts: &Facts<'_>, asked: &Asked, by: &PrincipalId) -> Result<&'static str, Refusal> {
    if asked.ask.by == *by {
        return Ok(rule::REQUESTER);
    }
    let scope = ask::scope(facts.policy, &asked.ask)?;
    ending::person(facts, by)?;
    if ask::is_owner(facts.policy, scope, by) {
        return Ok(rule::OWNER);
    }
    if stages::is_approver(facts.policy, scope, by) {
        return Ok(rule::APPROVER);
    }
    Err(Refusal::NotEntitledToEscalate { by: by.clone(), scope: scope.id.clone() })
}

/// The first stage in the scope's order that can be passed on, is chosen, and lacks its quorum.
fn first<'a>(
    facts: &Facts<'a>,
    pending: &Pending,
    chosen: impl Fn(&Stage) -> bool,
) -> Result<&'a Stage, Refusal> {
    let scope: &'a Scope = ask::scope(facts.policy, &pending.asked.ask)?;
    let missing = stages::tally(facts, pending, pending.given.iter())?.missing;
    let lacks = |stage: &Stage| missing.0.iter().any(|(name, _)| *name == stage.name);
    let is_new = |stage: &Stage| !pending.escalated.contains(&stage.name);
    let mut waiting = stages::required(scope, pending.asked.ask.lane)?.iter();
    waiting
        .find(|stage| !stage.escalate.is_empty() && is_new(stage) && chosen(stage) && lacks(stage))
        .ok_or_else(|| Refusal::NothingToEscalate { scope: scope.id.clone() })
}

fn escalate(
    facts: &Facts<'_>,
    asked: &Asked,
    by: Option<&PrincipalId>,
    stage: &Stage,
    rule: &str,
) -> Verdict {
    let rules = vec![rule.to_owned(), rule::stage(&stage.name)];
    let decision = grounds::decision(facts, Some(&asked.ask), by, rules, "escalated");
    Verdict::Record(Event::Escalated { stage: stage.name.clone() }, decision)
}
