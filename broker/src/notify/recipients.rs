//! Who is concerned, and where they are told.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_ledger::policy::{Policy, Principal, Scope, Stage};
use breakglass_ledger::principal::{DependencyId, PrincipalId};

/// Most addresses told of one entry: the largest on-call of anybody, several times.
const ADDRESSES_MAX: usize = 256;

/// People by address: one notice for each, however many share it.
pub(super) type ByAddress = BTreeMap<String, BTreeSet<PrincipalId>>;

/// Those who may approve in `stage`, the requester `by` and those who `answered` excepted.
pub(super) fn approvers(
    policy: &Policy,
    stage: &Stage,
    escalated: bool,
    by: &PrincipalId,
) -> BTreeSet<PrincipalId> {
    let mut members = stage.approvers.clone();
    if escalated {
        members.extend(stage.escalate.iter().cloned());
    }
    let all = policy.people.all_of(&members).into_iter();
    let able = all.filter(|id| policy.principal(id).is_some_and(Principal::can_approve));
    able.filter(|id| *id != by).cloned().collect()
}

/// Those who own `scope` in one way or another.
pub(super) fn owners(policy: &Policy, scope: &Scope) -> BTreeSet<PrincipalId> {
    let members: Vec<_> = scope.owned_by().cloned().collect();
    policy.people.all_of(&members).into_iter().cloned().collect()
}

/// Those who own a scope whose outage lane watches `dependency`.
pub(super) fn owners_of(policy: &Policy, dependency: &DependencyId) -> BTreeSet<PrincipalId> {
    let watching = policy.scopes.iter().filter(|scope| scope.outage.as_ref() == Some(dependency));
    watching.flat_map(|scope| owners(policy, scope)).collect()
}

/// Where to tell `people` of an entry under `policy`. Whoever has left the policy `in_force`, or the
/// address there, is not told.
pub(super) fn addresses(
    policy: &Policy,
    in_force: &Policy,
    people: &BTreeSet<PrincipalId>,
) -> ByAddress {
    let mut found = ByAddress::new();
    for id in people {
        let (then, now) = (policy.principal(id), in_force.principal(id));
        let (Some(then), Some(now)) = (then, now) else { continue };
        for address in then.notify.iter().filter(|address| now.notify.contains(address)) {
            if found.len() >= ADDRESSES_MAX && !found.contains_key(address) {
                tracing::warn!(most = ADDRESSES_MAX, "not everybody is told: too many addresses");
                return found;
            }
            found.entry(address.clone()).or_default().insert(id.clone());
        }
    }
    found
}
