//! Outages of watched dependencies: who declares and resolves them, what the probes measure, and the
//! lane that opens while one lasts.
//!
//! Being down is evidence, never authority: it opens the right to ask in the outage lane, and every
//! grant still needs its approvals.

use breakglass_ledger::entry::{Cause, Decision};
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{DependencyId, PrincipalId};
use breakglass_ledger::statement::{Ask, Declare, Lane, Resolve};
use breakglass_ledger::time::Timestamp;

use crate::decide::Facts;
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule};
use crate::refusal::{OutageRefusal, Refusal};
use crate::verdict::{Change, Verdict};
use crate::world::{Declared, Outage, World};
use crate::{ask, ending, stages};

/// How far ahead a declaration may end: what lasts longer is declared again, by people who looked
/// again.
pub const DECLARATION_MAX_SECONDS: u64 = 4 * 3600;

/// Somebody says that a dependency is down.
pub(crate) fn declare(facts: &Facts<'_>, declare: &Declare) -> Result<Verdict, Refusal> {
    let (by, dependency, now) = (&declare.by, &declare.dependency, facts.second());
    let rules = may_speak_of(facts, by, dependency)?;
    let latest = now.plus(DECLARATION_MAX_SECONDS);
    let until = declare.until.filter(|until| now < *until && *until <= latest);
    let until = until.ok_or(Refusal::Outage(OutageRefusal::DeclarationTooLong {
        until: declare.until,
        latest,
    }))?;
    let before = outage(facts, dependency);
    if let Some(first) = before.standing(now).find(|declared| declared.by == *by) {
        let (by, dependency) = (by.clone(), dependency.clone());
        return Err(Refusal::Outage(OutageRefusal::AlreadyDeclared {
            by,
            dependency,
            until: first.until,
        }));
    }
    let mut after = before.clone();
    // Its place is not known yet, and does not count.
    after.declare(Declared { by: by.clone(), at: now, until, seq: u64::MAX });
    let outcome = begun(&before, &after, "declared");
    Ok(began(facts, dependency, Some(by), rules, outcome))
}

/// Somebody takes back what people declared. What is measured stays until it is measured up.
pub(crate) fn resolve(facts: &Facts<'_>, resolve: &Resolve) -> Result<Verdict, Refusal> {
    let (by, dependency, now) = (&resolve.by, &resolve.dependency, facts.second());
    let rules = may_speak_of(facts, by, dependency)?;
    let before = outage(facts, dependency);
    if before.standing(now).next().is_none() {
        return Err(Refusal::Outage(OutageRefusal::NothingToResolve {
            dependency: dependency.clone(),
        }));
    }
    let mut after = before.clone();
    after.resolve(now);
    Ok(ended(facts, dependency, Some(by), rules, over(&before, &after)))
}

/// The probes: the dependency is down, or up again.
pub(crate) fn measured(
    facts: &Facts<'_>,
    dependency: &DependencyId,
    down: bool,
) -> Result<Verdict, Refusal> {
    let before = outage(facts, dependency);
    let (mut after, now) = (before.clone(), facts.second());
    let rules = vec![rule::MEASURED.to_owned()];
    match (before.measured, down) {
        (None, true) => {
            after.measure(now);
            let outcome = begun(&before, &after, "measured");
            Ok(began(facts, dependency, None, rules, outcome))
        }
        (Some(_), false) => {
            after.recover(now);
            Ok(ended(facts, dependency, None, rules, over(&before, &after)))
        }
        (Some(_), true) => Err(Refusal::WrongState { state: "down", needs: "up" }),
        (None, false) => Err(Refusal::WrongState { state: "up", needs: "down" }),
    }
}

/// The clock: a declaration has run out.
pub(crate) fn run_out(facts: &Facts<'_>, dependency: &DependencyId) -> Result<Verdict, Refusal> {
    let (before, now) = (outage(facts, dependency), facts.second());
    let first = before.next_end();
    let due = first.ok_or(Refusal::Outage(OutageRefusal::NothingToResolve {
        dependency: dependency.clone(),
    }))?;
    if now < due {
        return Err(Refusal::NotDue { due, now });
    }
    let mut after = before.clone();
    after.run_out(now);
    let rules = vec![rule::DECLARED_UNTIL.to_owned()];
    Ok(ended(facts, dependency, None, rules, over(&before, &after)))
}

/// The clock: the outage that opened the grant's lane is over, and so is its time to finish.
pub(crate) fn drain(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let live = ending::live(facts.given_request()?)?;
    let now = facts.second();
    let due = drain_due(facts.policy, facts.world, &live.asked.ask, now);
    let due = due.ok_or(Refusal::StillAllowed)?;
    if now < due {
        return Err(Refusal::NotDue { due, now });
    }
    Ok(ending::revoke(facts, live, None, Cause::OutageEnded, rule::OUTAGE_ENDED))
}

/// When a grant for `ask` must end because its outage is over: `None` while it is not, and where
/// the scope lets grants outlive the outage.
#[must_use]
pub fn drain_due(policy: &Policy, world: &World, ask: &Ask, now: Timestamp) -> Option<Timestamp> {
    let scope = policy.scope(&ask.scope)?;
    if ask.lane != Lane::Outage || !scope.ends_with_outage {
        return None;
    }
    let outage = world.outages.get(scope.outage.as_ref()?)?;
    // Down on record but no longer: the entry that ends it is still to be written, and dates it.
    if outage.active(now).is_some() || outage.began.is_some() {
        return None;
    }
    Some(outage.ended?.plus(u64::from(scope.grace)))
}

/// Whether the outage lane, if it is asked for, is open: judged when asked and when issued.
pub(crate) fn lane_open(facts: &Facts<'_>, scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if ask.lane != Lane::Outage {
        return Ok(());
    }
    // The policy's check sees to it that there is one; without, nothing opens the lane.
    let dependency = scope.outage.as_ref();
    let since = dependency.and_then(|it| facts.world.down_since(it, facts.second()));
    if since.is_none() {
        let (scope, dependency) = (scope.id.clone(), dependency.cloned());
        return Err(Refusal::Outage(OutageRefusal::OutageLaneClosed { scope, dependency }));
    }
    Ok(())
}

/// The rules by which `by` may say something about `dependency`: the policy's own if it has any, else
/// those who own a scope that names it may.
fn may_speak_of(
    facts: &Facts<'_>,
    by: &PrincipalId,
    dependency: &DependencyId,
) -> Result<Vec<String>, Refusal> {
    facts.policy.principal(by).map_or(Ok(()), stages::is_person)?;
    if naming(facts.policy, dependency).next().is_none() {
        return Err(Refusal::Outage(OutageRefusal::DependencyUnknown {
            dependency: dependency.clone(),
        }));
    }
    if !facts.rules.is_none() {
        // Whoever watches over all of them need own none: the rules say who that is.
        let outage_since = facts.world.down_since(dependency, facts.second());
        return permit(facts, Action::Declare, by, Matter { outage_since, ..Matter::default() });
    }
    if !naming(facts.policy, dependency).any(|scope| ask::is_owner(facts.policy, scope, by)) {
        let (by, dependency) = (by.clone(), dependency.clone());
        return Err(Refusal::Outage(OutageRefusal::NotEntitledToDeclare { by, dependency }));
    }
    Ok(vec![rule::OWNER.to_owned()])
}

/// The scopes whose outage lane `dependency` opens.
fn naming<'a>(policy: &'a Policy, dependency: &'a DependencyId) -> impl Iterator<Item = &'a Scope> {
    policy.scopes.iter().filter(move |scope| scope.outage.as_ref() == Some(dependency))
}

fn outage(facts: &Facts<'_>, dependency: &DependencyId) -> Outage {
    facts.world.outages.get(dependency).cloned().unwrap_or_default()
}

/// The word for a beginning: whether it is down from now on, or one more says what is known.
fn begun(before: &Outage, after: &Outage, further: &'static str) -> &'static str {
    if before.began.is_none() && after.began.is_some() { "began" } else { further }
}

/// The word for an end: whether it is up from now on, or only one ground fell away.
fn over(before: &Outage, after: &Outage) -> &'static str {
    if before.began.is_some() && after.began.is_none() { "ended" } else { "cleared" }
}

fn began(
    facts: &Facts<'_>,
    dependency: &DependencyId,
    by: Option<&PrincipalId>,
    rules: Vec<String>,
    outcome: &str,
) -> Verdict {
    let decision = about(facts, dependency, by, rules, outcome);
    Verdict::Change(Change::OutageBegan { dependency: dependency.clone() }, decision)
}

fn ended(
    facts: &Facts<'_>,
    dependency: &DependencyId,
    by: Option<&PrincipalId>,
    rules: Vec<String>,
    outcome: &str,
) -> Verdict {
    let decision = about(facts, dependency, by, rules, outcome);
    Verdict::Change(Change::OutageEnded { dependency: dependency.clone() }, decision)
}

fn about(
    facts: &Facts<'_>,
    dependency: &DependencyId,
    by: Option<&PrincipalId>,
    rules: Vec<String>,
    outcome: &str,
) -> Decision {
    let mut decision = grounds::decision(facts, None, by, rules, outcome);
    grounds::see(facts, &mut decision.context, Some(dependency));
    decision
}
