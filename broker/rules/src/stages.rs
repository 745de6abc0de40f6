//! The chain of approval: who counts, and what is missing.

use std::collections::BTreeSet;

use breakglass_ledger::key::{Fingerprint, PublicKey};
use breakglass_ledger::policy::{Approval, Policy, Principal, Scope, Stage};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, StageId};
use breakglass_ledger::statement::Lane;

use crate::ask;
use crate::decide::Facts;
use crate::delegation::stands_behind;
use crate::eligibility::{Action, Matter, permit};
use crate::lock;
use crate::refusal::{Missing, Refusal};
use crate::request::{Asked, Given, Pending};

/// The approvals that count now, and what is missing.
pub(crate) struct Tally {
    /// The `approved` entries that count, ascending by `seq`.
    pub(crate) counted: Vec<u64>,
    /// What the stages still lack.
    pub(crate) missing: Missing,
    /// The policy's rules that let them count.
    pub(crate) permitting: BTreeSet<String>,
}

/// The stages of the scope; none only where the policy says `approval = "none"`.
///
/// An empty list and a quorum of zero are refused when the policy is checked. They are refused here
/// again, because "all of no stages are satisfied" is how others granted without approval.
pub(crate) fn chain(scope: &Scope) -> Result<&[Stage], Refusal> {
    let unsound = || Refusal::ChainUnsound { scope: scope.id.clone() };
    match &scope.approval {
        Approval::None => Ok(&[]),
        Approval::Stages(stages) if stages.is_empty() => Err(unsound()),
        Approval::Stages(stages) if stages.iter().any(|stage| stage.quorum == 0) => Err(unsound()),
        Approval::Stages(stages) => Ok(stages),
    }
}

/// The stages that a request in `lane` needs: in an emergency none, because nobody answers.
pub(crate) fn required(scope: &Scope, lane: Lane) -> Result<&[Stage], Refusal> {
    let stages = chain(scope)?;
    match lane {
        Lane::Normal | Lane::Outage | Lane::Drill => Ok(stages),
        Lane::Emergency => Ok(&[]),
    }
}

/// The policy in force when the request was made.
pub(crate) fn policy_then<'a>(facts: &Facts<'a>, asked: &Asked) -> Result<&'a Policy, Refusal> {
    match facts.policy_at_request {
        Some(policy) if policy.digest == asked.policy => Ok(policy),
        Some(_) | None => Err(Refusal::PolicyUnreadable { digest: asked.policy }),
    }
}

/// Counts `given` under the policy at the request and the one in force.
pub(crate) fn tally<'a>(
    facts: &Facts<'_>,
    pending: &Pending,
    given: impl Iterator<Item = &'a Given> + Clone,
) -> Result<Tally, Refusal> {
    let asked = &pending.asked;
    let then = policy_then(facts, asked)?;
    let scope = ask::scope(facts.policy, &asked.ask)?;
    let mut people = BTreeSet::new();
    let mut counted = Vec::new();
    let mut permitting = BTreeSet::new();
    let mut missing = Missing::default();
    for stage in required(scope, asked.ask.lane)? {
        let mut have = 0_u32;
        for approval in given.clone().filter(|approval| approval.stage == stage.name) {
            // One person counts once, in one stage, whatever keys they hold.
            let silent = lock::silences(facts, &approval.by, approval.key);
            if !silent
                && counts(facts.policy, then, pending, approval)
                && let Ok(rules) = permitted(facts, asked, approval)
                && people.insert(&approval.by)
            {
                counted.push(approval.seq);
                permitting.extend(rules);
                have = have.saturating_add(1);
            }
        }
        let lacking = stage.quorum.saturating_sub(have);
        if lacking > 0 {
            missing.0.push((stage.name.clone(), lacking));
        }
    }
    counted.sort_unstable();
    Ok(Tally { counted, missing, permitting })
}

/// Whether an approval on record (still) counts.
fn counts(in_force: &Policy, then: &Policy, pending: &Pending, given: &Given) -> bool {
    let Some(approver) = in_force.principal(&given.by) else { return false };
    let Some(key) = key_of(approver, given.key) else { return false };
    given.ttl_max >= pending.asked.ask.ttl
        && eligible(in_force, then, pending, approver, key, &given.stage).is_ok()
}

/// The rules that let an approval on record (still) count.
fn permitted(facts: &Facts<'_>, asked: &Asked, given: &Given) -> Result<Vec<String>, Refusal> {
    let about = Matter { stage: Some(&given.stage), ..Matter::ask(&asked.ask) };
    permit(facts, Action::Approve, &given.by, about)
}

fn key_of(principal: &Principal, fingerprint: Fingerprint) -> Option<&PublicKey> {
    principal.keys.iter().find(|key| key.fingerprint() == fingerprint)
}

/// Whether `approver`, signing with `key`, may approve in `stage`.
pub(crate) fn eligible(
    in_force: &Policy,
    then: &Policy,
    pending: &Pending,
    approver: &Principal,
    key: &PublicKey,
    stage: &StageId,
) -> Result<(), Refusal> {
    let (asked, by) = (&pending.asked, &approver.id);
    is_person(approver)?;
    if stands_behind(&asked.ask, by) {
        return Err(Refusal::SelfApproval { by: by.clone() });
    }
    if is_requesters_key(then, asked, key) {
        return Err(Refusal::SelfApprovalByKey { key: key.fingerprint() });
    }
    let now = stage_of(in_force, asked, stage)?;
    let before = stage_of(then, asked, stage)?;
    let scope = || asked.ask.scope.clone();
    // Whom the stage was passed on to counts as well, if they were named for that then and now.
    let among = |policy: &Policy, stage: &Stage| policy.is_any(by, &stage.escalate);
    if pending.escalated.contains(stage) && among(in_force, now) && among(then, before) {
        return Ok(());
    }
    if !in_force.is_any(by, &now.approvers) {
        let (by, stage) = (by.clone(), stage.clone());
        return Err(Refusal::ApproverNotEntitled { by, scope: scope(), stage });
    }
    if !then.is_any(by, &before.approvers) {
        let (by, stage) = (by.clone(), stage.clone());
        return Err(Refusal::ApproverJoinedLater { by, scope: scope(), stage });
    }
    Ok(())
}

/// Agents, workloads and services never decide over requests.
pub(crate) fn is_person(principal: &Principal) -> Result<(), Refusal> {
    if principal.kind != PrincipalKind::Human {
        return Err(Refusal::NotHuman { by: principal.id.clone(), kind: principal.kind });
    }
    Ok(())
}

/// Whether `who` is an approver of any stage of the scope.
pub(crate) fn is_approver(policy: &Policy, scope: &Scope, who: &PrincipalId) -> bool {
    match &scope.approval {
        Approval::None => false,
        Approval::Stages(stages) => stages.iter().any(|stage| policy.is_any(who, &stage.approvers)),
    }
}

/// The stage of this name.
pub(crate) fn named<'a>(scope: &'a Scope, name: &StageId) -> Option<&'a Stage> {
    scope.stages().iter().find(|stage| stage.name == *name)
}

/// A key may have moved to another name since the request: it stays the requester's, or that of whom
/// they asked for.
pub(crate) fn is_requesters_key(then: &Policy, asked: &Asked, key: &PublicKey) -> bool {
    let held_then = then.owner_of(key).is_some_and(|owner| stands_behind(&asked.ask, &owner.id));
    let signed = key.fingerprint() == asked.key;
    let subject = asked.ask.key.as_ref() == Some(key);
    held_then || signed || subject
}

fn stage_of<'a>(policy: &'a Policy, asked: &Asked, name: &StageId) -> Result<&'a Stage, Refusal> {
    let scope = ask::scope(policy, &asked.ask)?;
    chain(scope)?
        .iter()
        .find(|stage| stage.name == *name)
        .ok_or_else(|| Refusal::StageUnknown { scope: scope.id.clone(), stage: name.clone() })
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::policy::Members;

    use super::*;
    use crate::sample;

    /// R02: an empty list of stages and a quorum of zero deny, should a policy ever carry one.
    #[test]
    fn nothing_required_is_never_the_same_as_everything_satisfied() {
        let mut scope = sample::scope();
        scope.approval = Approval::Stages(Vec::new());
        assert_eq!(chain(&scope).unwrap_err().name(), "chain-unsound");
        scope.approval = Approval::Stages(vec![sample::stage(0, Vec::new())]);
        assert_eq!(chain(&scope).unwrap_err().name(), "chain-unsound");
    }

    #[test]
    fn only_the_explicit_word_means_that_no_approval_is_needed() {
        let mut scope = sample::scope();
        scope.approval = Approval::None;
        assert_eq!(chain(&scope), Ok([].as_slice()));
        let stage = sample::stage(1, vec![Members::Principal("ada".parse().unwrap())]);
        scope.approval = Approval::Stages(vec![stage.clone()]);
        assert_eq!(chain(&scope), Ok([stage].as_slice()));
    }
}
