//! Delegation: who stands behind who asks. Every hop is there, answers for the next, and only
//! narrows.

use super::Case;
use crate::policy::{Policy, Principal, Scope};
use crate::principal::{PrincipalId, PrincipalKind};
use crate::statement::Ask;

/// What is wrong with the chain behind a request, if anything.
pub(super) fn fault_of(policy: &Policy, scope: &Scope, ask: &Ask) -> Option<String> {
    let chain = &ask.on_behalf_of;
    let requester = policy.principal(&ask.by)?;
    match requester.kind {
        PrincipalKind::Agent if chain.is_empty() => {
            return Some(format!("{} asks on nobody's behalf", ask.by));
        }
        PrincipalKind::Human if !chain.is_empty() => {
            return Some(format!("{} is a person and asks for themselves", ask.by));
        }
        PrincipalKind::Human
        | PrincipalKind::Agent
        | PrincipalKind::Service
        | PrincipalKind::Workload => {}
    }
    for (place, hop) in chain.iter().enumerate() {
        let Some(principal) = policy.principal(hop) else {
            return Some(format!("{hop} is not in the policy"));
        };
        if place == 0 && principal.kind != PrincipalKind::Human {
            return Some(format!("{hop} stands outermost and is no person"));
        }
        let next = chain.get(place.saturating_add(1)).unwrap_or(&ask.by);
        if !policy.principal(next).is_some_and(|next| answers_for(policy, hop, next)) {
            return Some(format!("{hop} does not answer for {next}"));
        }
        if !policy.is_any(hop, &scope.requesters) {
            return Some(format!("{hop} may not ask for {} themselves", ask.scope));
        }
    }
    None
}

/// Nobody answers for a person but the person.
fn answers_for(policy: &Policy, hop: &PrincipalId, next: &Principal) -> bool {
    let is_theirs = next.sponsor.as_ref() == Some(hop) || policy.is_any(hop, &next.owner);
    next.kind != PrincipalKind::Human && is_theirs
}

impl Case<'_> {
    /// Whether `who` is a person under the policy in force.
    pub(super) fn is_human(&self, who: &PrincipalId) -> bool {
        self.policy.principal(who).is_some_and(|one| one.kind == PrincipalKind::Human)
    }
}
