//! Asking on somebody's behalf: every hop is named, exists, answers for the next, and only narrows.

use breakglass_ledger::policy::{Policy, Principal, Scope};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind};
use breakglass_ledger::statement::Ask;

use crate::refusal::{DelegationRefusal, Refusal};

/// Whether the chain behind `requester` carries the request. An agent needs one, other programs may
/// have one, a person never has: a person asks for themselves.
///
/// Judged when asking, again when issuing, and again for live grants when the policy changes.
pub(crate) fn carries(
    policy: &Policy,
    scope: &Scope,
    ask: &Ask,
    requester: &Principal,
) -> Result<(), Refusal> {
    let Some(outermost) = ask.on_behalf_of.first() else { return needs_none(requester) };
    for hop in &ask.on_behalf_of {
        known(policy, hop)?;
    }
    is_human(known(policy, outermost)?)?;
    let next = ask.on_behalf_of.iter().skip(1).chain(std::iter::once(&ask.by));
    for (hop, next) in ask.on_behalf_of.iter().zip(next) {
        answers_for(policy, hop, known(policy, next)?)?;
        may_hold(policy, scope, hop)?;
    }
    Ok(())
}

/// Whether `who` asks, in person or through whoever asks.
pub(crate) fn stands_behind(ask: &Ask, who: &PrincipalId) -> bool {
    ask.by == *who || ask.on_behalf_of.contains(who)
}

fn needs_none(requester: &Principal) -> Result<(), Refusal> {
    match requester.kind {
        PrincipalKind::Agent => {
            Err(Refusal::Delegation(DelegationRefusal::Missing { by: requester.id.clone() }))
        }
        PrincipalKind::Human | PrincipalKind::Service | PrincipalKind::Workload => Ok(()),
    }
}

fn known<'a>(policy: &'a Policy, hop: &PrincipalId) -> Result<&'a Principal, Refusal> {
    policy
        .principal(hop)
        .ok_or_else(|| Refusal::Delegation(DelegationRefusal::Unknown { hop: hop.clone() }))
}

fn is_human(outermost: &Principal) -> Result<(), Refusal> {
    if outermost.kind != PrincipalKind::Human {
        let (hop, kind) = (outermost.id.clone(), outermost.kind);
        return Err(Refusal::Delegation(DelegationRefusal::NotHuman { hop, kind }));
    }
    Ok(())
}

/// Nobody answers for a person but the person, whatever `people.toml` says beside their name.
fn answers_for(policy: &Policy, hop: &PrincipalId, next: &Principal) -> Result<(), Refusal> {
    let sponsors = next.sponsor.as_ref() == Some(hop) || policy.is_any(hop, &next.owner);
    if next.kind == PrincipalKind::Human || !sponsors {
        let (hop, next) = (hop.clone(), next.id.clone());
        return Err(Refusal::Delegation(DelegationRefusal::NotSponsored { hop, next }));
    }
    Ok(())
}

/// Nobody passes on what they may not hold themselves.
fn may_hold(policy: &Policy, scope: &Scope, hop: &PrincipalId) -> Result<(), Refusal> {
    if !policy.is_any(hop, &scope.requesters) {
        return Err(Refusal::Delegation(DelegationRefusal::Widens {
            hop: hop.clone(),
            scope: scope.id.clone(),
        }));
    }
    Ok(())
}
