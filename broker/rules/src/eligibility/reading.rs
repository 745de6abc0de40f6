//! Who may read what: by the scopes' data, and by the policy's own rules if it has any. For doors
//! that hold no facts.

use breakglass_ledger::policy::{Members, Policy, Stage};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId};
use breakglass_ledger::statement::Ask;
use breakglass_ledger::time::Timestamp;

use super::permit::{Matter, answered, told};
use super::{Action, Question, Rules};
use crate::refusal::Refusal;
use crate::world::World;

/// Whether the data lets `reader` see requests of `by` for `scope`: whoever made them, and the scope's
/// approvers and owners. A scope that left the policy concerns nobody else.
#[must_use]
pub fn concerns(policy: &Policy, reader: &PrincipalId, by: &PrincipalId, scope: &ScopeId) -> bool {
    if reader == by {
        return true;
    }
    let Some(scope) = policy.scope(scope) else { return false };
    let among = |members: &Members| policy.is_member(reader, members);
    // Those to whom a stage would be passed on read it before: what they decide, they have to know.
    let asked = |stage: &Stage| stage.approvers.iter().chain(&stage.escalate).any(among);
    scope.stages().iter().any(asked) || scope.owned_by().any(among)
}

/// Whether the data lets `reader` export the whole record: every enrolled person, because a record
/// that only its keepers may check proves nothing. Programs may not: they would carry everything
/// everywhere.
#[must_use]
pub fn exports(policy: &Policy, reader: &PrincipalId) -> bool {
    policy.principal(reader).is_some_and(|reader| reader.kind == PrincipalKind::Human)
}

/// Whether the rules let `who` read the request `ask`, or with `None` export the whole record.
///
/// Whom the scope's data lets read is to be judged as well.
#[must_use]
pub fn may_read(
    rules: &Rules,
    policy: &Policy,
    world: &World,
    now: Timestamp,
    who: &PrincipalId,
    ask: Option<&Ask>,
) -> bool {
    read(rules, policy, world, now, who, ask).is_ok()
}

/// The same, with the ids of the rules that permit it; none if the policy has no rules.
///
/// # Errors
///
/// [`AskRefusal::RulesForbid`](crate::refusal::AskRefusal::RulesForbid), or [`AskRefusal::RulesUnreadable`](crate::refusal::AskRefusal::RulesUnreadable) if a rule fails: never a yes.
pub fn read(
    rules: &Rules,
    policy: &Policy,
    world: &World,
    now: Timestamp,
    who: &PrincipalId,
    ask: Option<&Ask>,
) -> Result<Vec<String>, Refusal> {
    if rules.is_none() {
        return Ok(Vec::new());
    }
    let dependency = ask.and_then(|ask| policy.scope(&ask.scope)?.outage.as_ref());
    let outage_since = dependency.and_then(|dependency| world.down_since(dependency, now));
    let matter = Matter { ask, outage_since, ..Matter::default() };
    let action = if ask.is_some() { Action::Read } else { Action::Export };
    let (scope, circumstances) = (ask.map(|ask| &ask.scope), told(matter, now));
    answered(rules, &Question { principal: who, action, scope, circumstances })
}
