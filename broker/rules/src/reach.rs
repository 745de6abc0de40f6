//! Whether enough people are left to agree to an open request.

use std::collections::BTreeMap;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Policy, Principal, Stage};
use breakglass_ledger::principal::PrincipalId;

use crate::refusal::Refusal;
use crate::request::Asked;
use crate::{ask, stages};

/// Who has taken which place, by their ids.
type Taken<'p> = BTreeMap<&'p PrincipalId, usize>;

/// Whether the stages that the request needs can each get their quorum, with nobody in two of them:
/// from those who may approve by both policies, or who may once a stage is passed on to them.
///
/// What the policy's own rules say of approvers is left aside: they may say otherwise in an hour.
/// So are approvals already given: whoever gave one is among those who may.
pub(crate) fn enough_people(now: &Policy, then: &Policy, asked: &Asked) -> Result<(), Refusal> {
    let scope = ask::scope(now, &asked.ask)?;
    let before = ask::scope(then, &asked.ask)?;
    let required = stages::required(scope, asked.ask.lane)?;
    let mut places = Vec::new();
    for stage in required {
        let stage_then = stages::named(before, &stage.name);
        let able = stage_then.map(|before| able(now, then, asked, [stage, before]));
        for _ in 0..stage.quorum {
            places.push(able.clone().unwrap_or_default());
        }
    }
    let mut taken = Taken::new();
    let all = (0..places.len()).all(|place| seat(place, &places, &mut taken, &mut Vec::new()));
    if !all {
        return Err(Refusal::StageUnsatisfiable { scope: scope.id.clone() });
    }
    Ok(())
}

/// Finds somebody for `place`, moving others to places that they could have as well; `asked_before`
/// keeps each from being asked twice on the way.
fn seat<'p>(
    place: usize,
    places: &[Vec<&'p PrincipalId>],
    taken: &mut Taken<'p>,
    asked_before: &mut Vec<&'p PrincipalId>,
) -> bool {
    for who in places.get(place).into_iter().flatten().copied() {
        if asked_before.contains(&who) {
            continue;
        }
        asked_before.push(who);
        let has = taken.get(who).copied();
        if has.is_none_or(|other| seat(other, places, taken, asked_before)) {
            taken.insert(who, place);
            return true;
        }
    }
    false
}

/// The people who may approve in a stage, given as it is `[now, then]`.
fn able<'p>(
    now: &'p Policy,
    then: &Policy,
    asked: &Asked,
    [stage, before]: [&Stage; 2],
) -> Vec<&'p PrincipalId> {
    let members = now.people.all_of(&stage.approvers).into_iter();
    let members = members.filter(|who| then.is_any(who, &before.approvers));
    let others = now.people.all_of(&stage.escalate).into_iter();
    let others = others.filter(|who| then.is_any(who, &before.escalate));
    let mut able: Vec<&PrincipalId> = members.chain(others).collect();
    able.sort_unstable();
    able.dedup();
    able.retain(|who| now.principal(who).is_some_and(|one| can_agree(then, asked, one)));
    able
}

/// Whether `approver` is another person than those who ask, and has a key that never was theirs.
fn can_agree(then: &Policy, asked: &Asked, approver: &Principal) -> bool {
    let is_other = |key: &PublicKey| !stages::is_requesters_key(then, asked, key);
    stages::is_person(approver).is_ok()
        && !crate::delegation::stands_behind(&asked.ask, &approver.id)
        && approver.keys.iter().any(is_other)
}
