//! Who is concerned, and where they are told.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_ledger::policy::{Policy, Principal, Scope, Stage};
use breakglass_ledger::principal::{DependencyId, PrincipalId, TargetId};

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

/// Those who are to know that something is wrong at `target`: whoever owns a scope that opens something
/// there or anywhere, or is warned of its use; and the sponsor of the service that reports of it.
pub(super) fn guardians(policy: &Policy, target: &TargetId) -> BTreeSet<PrincipalId> {
    let opens = |scope: &&Scope| {
        let hosts = scope.ssh.as_ref().map_or(&[][..], |ssh| &ssh.hosts);
        hosts.is_empty() || hosts.iter().any(|host| is_at(target, host.as_str()))
    };
    let mut people = BTreeSet::new();
    for scope in policy.scopes.iter().filter(opens) {
        people.extend(owners(policy, scope));
        people.extend(policy.people.all_of(&scope.on_warning).into_iter().cloned());
    }
    let name = target.as_str();
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    let services = ends.filter_map(|end| name.get(..end)?.parse().ok());
    let services = services.filter_map(|service: PrincipalId| policy.principal(&service));
    people.extend(services.filter_map(|service| service.sponsor.clone()));
    people
}

/// Whether `target` is `host` or below it.
fn is_at(target: &TargetId, host: &str) -> bool {
    let below = target.as_str().strip_prefix(host);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
