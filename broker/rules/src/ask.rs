//! Asking, and whether the requester may (still) hold what they asked for.

use breakglass_ledger::key::{KeyType, PublicKey};
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Ask, Kind, Lane};

use crate::decide::Facts;
use crate::delegation;
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule, with};
use crate::profile::Profile;
use crate::refusal::{AskRefusal, DelegationRefusal, Refusal, StatementRefusal};
use crate::request::Asked;
use crate::verdict::{Event, Verdict};
use crate::{emergency, outage, restraint, stages};

/// Judges a request.
pub(crate) fn open(facts: &Facts<'_>, ask: &Ask) -> Result<Verdict, Refusal> {
    let scope = standing(facts.policy, ask)?;
    ask.kinds.iter().try_for_each(|kind| minted(facts, *kind))?;
    outage::lane_open(facts, scope, ask)?;
    stages::chain(scope)?;
    paperwork(scope, ask)?;
    emergency::may_begin(facts, scope, ask)?;
    restraint::allows(facts, scope, ask)?;
    room(facts, scope)?;
    if let Some(first) = facts.open_duplicate {
        return Err(Refusal::Ask(AskRefusal::Duplicate { first }));
    }
    if facts.id_taken {
        return Err(Refusal::Ask(AskRefusal::IdTaken { id: ask.id }));
    }
    let key = subject_key(facts.policy, ask)?;
    if let Some(key) = key
        && facts.subject_used
    {
        return Err(Refusal::Ask(AskRefusal::SubjectKeyUsed { key: key.fingerprint() }));
    }
    let permitted = entitled(facts, ask)?;
    let lapses = facts.second().plus(u64::from(scope.pending_max));
    let decision = grounds::decision(
        facts,
        Some(ask),
        Some(&ask.by),
        with(rule::REQUESTERS, permitted),
        "requested",
    );
    let decision = grounds::weigh(facts, decision, None);
    Ok(Verdict::Record(Event::Requested { lapses }, decision))
}

/// The scope that is asked for, if `policy` lets the requester hold it on these terms.
///
/// Judged when asking, again when issuing, and again for live grants when the policy changes.
pub(crate) fn standing<'a>(policy: &'a Policy, ask: &Ask) -> Result<&'a Scope, Refusal> {
    let scope = scope(policy, ask)?;
    let not_entitled = || {
        Refusal::Ask(AskRefusal::RequesterNotEntitled {
            by: ask.by.clone(),
            scope: scope.id.clone(),
        })
    };
    let requester = policy.principal(&ask.by).ok_or_else(not_entitled)?;
    if !policy.is_any(&ask.by, &scope.requesters) {
        return Err(not_entitled());
    }
    if !scope.kinds.contains(&requester.kind) {
        let (scope, kind) = (scope.id.clone(), requester.kind);
        return Err(Refusal::Ask(AskRefusal::IdentityKindNotAllowed { scope, kind }));
    }
    delegation::carries(policy, scope, ask, requester)?;
    lane(scope, ask)?;
    credentials(scope, ask)?;
    if ask.ttl > scope.ttl_max {
        let (ttl, max) = (ask.ttl, scope.ttl_max);
        return Err(Refusal::Ask(AskRefusal::TtlTooLong { scope: scope.id.clone(), ttl, max }));
    }
    emergency::short_enough(scope, ask)?;
    Ok(scope)
}

/// Whether the broker has what it takes for `kind`: nobody approves what will never be given.
pub(crate) fn minted(facts: &Facts<'_>, kind: Kind) -> Result<(), Refusal> {
    if facts.mints.contains(&kind) {
        return Ok(());
    }
    let remedy = match kind {
        Kind::Ssh | Kind::X509 => {
            "run `breakglassd rotate`, because its keys are older than this kind"
        }
        Kind::Jwt => {
            "name an issuer (`[jwt] issuer = \"https://…\"`) in its configuration, and run \
             `breakglassd rotate` if its keys are older than this kind"
        }
    };
    Err(Refusal::Ask(AskRefusal::KindNotMinted { kind: kind.name(), remedy }))
}

/// The scope asked for, as `policy` has it.
pub(crate) fn scope<'a>(policy: &'a Policy, ask: &Ask) -> Result<&'a Scope, Refusal> {
    policy.scope(&ask.scope).ok_or_else(|| Refusal::ScopeUnknown { scope: ask.scope.clone() })
}

/// Whether `who` is one of the scope's owners.
pub(crate) fn is_owner(policy: &Policy, scope: &Scope, who: &PrincipalId) -> bool {
    let owners = &scope.owners;
    let owners = [&owners.business, &owners.technical, &owners.identity];
    owners.into_iter().any(|members| policy.is_any(who, members))
}

/// The policy's rules that let the requester, and everybody behind them, ask.
///
/// Nobody passes on what the rules would refuse them.
pub(crate) fn entitled(facts: &Facts<'_>, ask: &Ask) -> Result<Vec<String>, Refusal> {
    let permitted = permit(facts, Action::Request, &ask.by, Matter::ask(ask))?;
    for hop in &ask.on_behalf_of {
        match permit(facts, Action::Request, hop, Matter::ask(ask)) {
            Err(Refusal::Ask(AskRefusal::RulesForbid { .. })) => {
                let (hop, scope) = (hop.clone(), ask.scope.clone());
                return Err(Refusal::Delegation(DelegationRefusal::Widens { hop, scope }));
            }
            other => drop(other?),
        }
    }
    Ok(permitted)
}

/// Whether one more grant of the scope may be alive.
pub(crate) fn room(facts: &Facts<'_>, scope: &Scope) -> Result<(), Refusal> {
    let (live, max) = (facts.live_in_scope, scope.live_max);
    if live >= max {
        return Err(Refusal::Ask(AskRefusal::LiveMax { scope: scope.id.clone(), live, max }));
    }
    Ok(())
}

/// The key to bind to, if it is fit for that: nobody's signing key, and of a type that those take who
/// check the credentials asked for. `None` only if a token alone is asked for, and the scope lets it
/// be bound to nothing.
pub(crate) fn subject_key<'a>(
    policy: &Policy,
    ask: &'a Ask,
) -> Result<Option<&'a PublicKey>, Refusal> {
    let Some(key) = &ask.key else {
        let jwt = scope(policy, ask)?.jwt.as_ref();
        let is_bearer =
            matches!(ask.kinds.as_slice(), [Kind::Jwt]) && jwt.is_some_and(|jwt| jwt.bearer);
        return if is_bearer { Ok(None) } else { Err(Refusal::Ask(AskRefusal::SubjectKeyMissing)) };
    };
    if policy.owner_of(key).is_some() {
        return Err(Refusal::Ask(AskRefusal::SubjectKeyEnrolled { key: key.fingerprint() }));
    }
    // Envoy offers no Ed25519 to its clients, kube-apiserver, AWS and JWT-SVID take no EdDSA.
    let (needed, found) = (KeyType::EcdsaP256, key.key_type());
    let picky = ask.kinds.iter().find(|kind| matches!(kind, Kind::X509 | Kind::Jwt));
    match picky {
        Some(kind) if found != needed => {
            Err(Refusal::Ask(AskRefusal::SubjectKeyType { kind: kind.name(), needed, found }))
        }
        Some(_) | None => Ok(Some(key)),
    }
}

/// Whether the key that signed the request is still one of the requester's.
pub(crate) fn key_is_still_theirs(policy: &Policy, asked: &Asked) -> Result<(), Refusal> {
    let requester = policy.principal(&asked.ask.by);
    let mut keys = requester.into_iter().flat_map(|requester| &requester.keys);
    if !keys.any(|key| key.fingerprint() == asked.key) {
        return Err(Refusal::Statement(StatementRefusal::KeyNotTheirs {
            key: asked.key,
            by: asked.ask.by.clone(),
        }));
    }
    Ok(())
}

/// Whether the scope opens exactly what it opened at the request: what approvers were shown.
pub(crate) fn unchanged(now: &Policy, then: &Policy, ask: &Ask) -> Result<(), Refusal> {
    compared(now, then, ask, |now, then| now == then)
}

/// Whether the scope still opens at least what it opened at the request, hence what was issued.
pub(crate) fn still_covered(now: &Policy, then: &Policy, ask: &Ask) -> Result<(), Refusal> {
    compared(now, then, ask, Profile::covers)
}

/// Whether `holds` of what the scope opens now and opened then, for every kind asked for.
fn compared(
    now: &Policy,
    then: &Policy,
    ask: &Ask,
    holds: impl Fn(&Profile, &Profile) -> bool,
) -> Result<(), Refusal> {
    for kind in &ask.kinds {
        let now = Profile::of(scope(now, ask)?, *kind)?;
        let then = Profile::of(scope(then, ask)?, *kind)?;
        if !holds(&now, &then) {
            return Err(Refusal::ScopeChanged { scope: ask.scope.clone() });
        }
    }
    Ok(())
}

fn lane(scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if !scope.lanes.contains(&ask.lane) {
        return Err(Refusal::Ask(AskRefusal::LaneNotOffered {
            scope: scope.id.clone(),
            lane: ask.lane.name(),
        }));
    }
    match ask.lane {
        Lane::Normal | Lane::Outage | Lane::Emergency | Lane::Drill => Ok(()),
    }
}

fn credentials(scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    ask.kinds.iter().try_for_each(|kind| Profile::of(scope, *kind).map(drop))
}

/// What must be said when asking; later judgements do not ask for it again.
fn paperwork(scope: &Scope, ask: &Ask) -> Result<(), Refusal> {
    if let Some(pattern) = &scope.require_incident {
        let Some(incident) = &ask.incident else {
            let pattern = pattern.to_string();
            return Err(Refusal::Ask(AskRefusal::IncidentMissing {
                scope: scope.id.clone(),
                pattern,
            }));
        };
        if !pattern.matches(incident) {
            let (incident, pattern) = (incident.clone(), pattern.to_string());
            return Err(Refusal::Ask(AskRefusal::IncidentMismatch {
                scope: scope.id.clone(),
                incident,
                pattern,
            }));
        }
    }
    if scope.require_reason && ask.reason.is_none() {
        return Err(Refusal::Ask(AskRefusal::ReasonMissing { scope: scope.id.clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::id::RequestId;
    use breakglass_ledger::time::Ttl;

    use super::*;
    use crate::sample;

    fn asking(lane: Lane) -> Ask {
        Ask {
            id: RequestId::new(0, [0; 10]),
            by: "sam".parse().unwrap(),
            scope: "db".parse().unwrap(),
            kinds: vec![Kind::Ssh],
            lane,
            ttl: Ttl::MAX,
            incident: None,
            reason: None,
            key: None,
            on_behalf_of: Vec::new(),
        }
    }

    #[test]
    fn a_scope_without_ssh_gives_no_ssh_certificate() {
        let refused = credentials(&sample::scope(), &asking(Lane::Normal)).unwrap_err();
        assert_eq!(refused.name(), "credential-kind-not-offered");
    }
}
