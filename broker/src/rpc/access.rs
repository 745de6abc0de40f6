//! Who may read what (R34). Ids give nothing (R13): every look asks here.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Members, Policy};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, ScopeId};

use super::session::Who;

/// Whether `who` may read the request `id`, made by `by` for `scope`: its requester, its subject
/// key, and the approvers and owners of its scope in the policy in force.
pub(super) fn may_read(
    policy: &Policy,
    who: &Who,
    id: RequestId,
    by: &PrincipalId,
    scope: &ScopeId,
) -> bool {
    match who {
        Who::Subject(request) => *request == id,
        Who::Signer(_) => false,
        Who::Principal(reader) => reader == by || concerns(policy, reader, scope),
    }
}

/// Whether `reader` approves or owns `scope`. A scope that left the policy concerns nobody.
fn concerns(policy: &Policy, reader: &PrincipalId, scope: &ScopeId) -> bool {
    let Some(scope) = policy.scope(scope) else { return false };
    let among = |members: &Members| policy.is_member(reader, members);
    scope.stages().iter().any(|stage| stage.approvers.iter().any(among))
        || scope.owned_by().any(among)
}

/// Whether `who` may read the policy in force: everybody in it. A subject key reads one request.
pub(super) fn may_read_policy(who: &Who) -> bool {
    match who {
        Who::Principal(_) | Who::Signer(_) => true,
        Who::Subject(_) => false,
    }
}

/// Whether `who` may export the whole ledger: every enrolled person and every signer of the policy,
/// because a record that only its
/// keepers may check proves nothing. Programs may not: they would carry everything everywhere.
pub(super) fn may_export_all(policy: &Policy, who: &Who) -> bool {
    match who {
        Who::Principal(reader) => {
            policy.principal(reader).is_some_and(|principal| principal.kind == PrincipalKind::Human)
        }
        Who::Signer(_) => true,
        Who::Subject(_) => false,
    }
}
