//! Whether the stages of a scope can be satisfied, whoever asks.
//!
//! One person counts once, in one stage, and never for their own request. Whether enough people
//! are left is a matching of people to stages; by Hall's theorem one exists exactly if every
//! set of stages has at least as many people, taken together, as it needs. With at most
//! [`STAGES_MAX`](super::scopes::STAGES_MAX) stages all sets are looked at, so the answer is exact.

use std::collections::BTreeMap;

use super::fault::{FaultKind, Faults};
use super::register::Draft;
use crate::policy::{File, People, Principal, Scope};
use crate::principal::{PrincipalId, PrincipalKind};

/// Adds a fault for each stage nobody human can agree in, and for the scope if its stages cannot be
/// satisfied.
pub(super) fn judge(draft: &Draft, people: &People, faults: &mut Faults) {
    let scope = &draft.scope;
    let mut stages_of: BTreeMap<&PrincipalId, usize> = BTreeMap::new();
    let before = faults.count();
    for (at, stage) in scope.stages().iter().enumerate() {
        let all = people.all_of(&stage.approvers);
        let is_able = |id: &PrincipalId| people.principal(id).is_some_and(Principal::can_approve);
        let able: Vec<&PrincipalId> = all.iter().copied().filter(|id| is_able(id)).collect();
        if able.is_empty() {
            let (scope, stage) = (scope.id.to_string(), stage.name.to_string());
            let kind = if all.is_empty() {
                FaultKind::EmptyApprovers { scope, stage }
            } else {
                FaultKind::ApproversNotHuman { scope, stage }
            };
            faults.add(File::Scopes, draft.stage_lines.get(at).copied(), kind);
        }
        for id in able {
            let stages = stages_of.entry(id).or_default();
            *stages |= bit(at);
        }
    }
    // A stage without anybody is told once, not again as a shortage.
    if faults.count() == before
        && let Some(kind) = shortage(scope, &crowds(scope, people, &stages_of))
    {
        faults.add(File::Scopes, draft.line, kind);
    }
}

/// Approvers who may agree in the same stages.
#[derive(Default)]
struct Crowd<'p> {
    size: u64,
    /// One of them who may also ask, if any.
    requester: Option<&'p PrincipalId>,
}

/// The approvers by the set of stages they may agree in.
fn crowds<'p>(
    scope: &Scope,
    people: &People,
    stages_of: &BTreeMap<&'p PrincipalId, usize>,
) -> BTreeMap<usize, Crowd<'p>> {
    let mut crowds: BTreeMap<usize, Crowd<'p>> = BTreeMap::new();
    for (id, stages) in stages_of {
        let crowd = crowds.entry(*stages).or_default();
        crowd.size = crowd.size.saturating_add(1);
        let may_ask =
            || scope.kinds.contains(&PrincipalKind::Human) && people.is_any(id, &scope.requesters);
        if crowd.requester.is_none() && may_ask() {
            crowd.requester = Some(*id);
        }
    }
    crowds
}

/// The smallest set of stages that has too few people when the worst placed requester asks.
fn shortage(scope: &Scope, crowds: &BTreeMap<usize, Crowd<'_>>) -> Option<FaultKind> {
    let mut sets: Vec<usize> = (1..bit(scope.stages().len())).collect();
    sets.sort_by_key(|set| (set.count_ones(), *set));
    sets.into_iter().find_map(|set| {
        let chosen = || scope.stages().iter().enumerate().filter(|(at, _)| set & bit(*at) != 0);
        let quorum: u64 = chosen().map(|(_, stage)| u64::from(stage.quorum)).sum();
        let able = || crowds.iter().filter(|(stages, _)| *stages & set != 0).map(|(_, one)| one);
        let requester = able().find_map(|crowd| crowd.requester);
        let everybody: u64 = able().map(|crowd| crowd.size).sum();
        let available = everybody.saturating_sub(u64::from(requester.is_some()));
        if available >= quorum {
            return None;
        }
        let names: Vec<&str> = chosen().map(|(_, stage)| stage.name.as_str()).collect();
        let requester = requester.map_or_else(|| "somebody".to_owned(), ToString::to_string);
        let (scope, stages) = (scope.id.to_string(), names.join(" and "));
        Some(FaultKind::Unsatisfiable { scope, stages, requester, quorum, available })
    })
}

/// The set of this one stage.
fn bit(at: usize) -> usize {
    1_usize.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0)
}
