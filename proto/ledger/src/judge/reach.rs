//! Whether enough people are left who could agree to an open request.

use std::collections::BTreeSet;

use super::Case;
use super::grant::Grant;
use crate::policy::{Policy, Stage};
use crate::principal::{PrincipalId, PrincipalKind};
use crate::statement::Lane;

/// Whether some stages of the request, taken together, need more people than could agree in them.
///
/// By Hall's theorem they can all be satisfied, with nobody in two of them, exactly if no set of them
/// is short; a scope has few stages, so all sets are looked at.
pub(super) fn too_few(case: &Case<'_>, grant: &Grant) -> bool {
    if grant.ask.lane == Lane::Emergency {
        return false;
    }
    let stages = grant.scope(case.policy).map_or(&[][..], |scope| scope.stages());
    let able: Vec<_> =
        stages.iter().map(|stage| (stage.quorum, able(case.policy, grant, stage))).collect();
    let sets = 1_u32.checked_shl(u32::try_from(able.len()).unwrap_or(u32::MAX)).unwrap_or(0);
    (1..sets).any(|set| {
        let mut rest = set;
        let (mut needed, mut people) = (0_usize, BTreeSet::new());
        for (quorum, able) in &able {
            if rest & 1 == 1 {
                let quorum = usize::try_from(*quorum).unwrap_or(usize::MAX);
                needed = needed.saturating_add(quorum);
                people.extend(able.iter().copied());
            }
            rest >>= 1;
        }
        people.len() < needed
    })
}

/// The humans with a key of their own who are named for `stage`, or for its passing on, both when the
/// request was made and now; never one who asks.
fn able<'p>(now: &'p Policy, grant: &Grant, stage: &Stage) -> BTreeSet<&'p PrincipalId> {
    let then = &grant.policy;
    let Some(before) = grant.scope(then).and_then(|scope| scope.stage(&stage.name)) else {
        return BTreeSet::new();
    };
    let asks = |who: &PrincipalId| *who == grant.ask.by || grant.ask.on_behalf_of.contains(who);
    let is_named = |who: &PrincipalId| {
        let approves = now.is_any(who, &stage.approvers) && then.is_any(who, &before.approvers);
        let is_next = now.is_any(who, &stage.escalate) && then.is_any(who, &before.escalate);
        approves || is_next
    };
    let is_free = |key: &crate::key::PublicKey| {
        *key != grant.key
            && grant.ask.key.as_ref() != Some(key)
            && !then.owner_of(key).is_some_and(|owner| asks(&owner.id))
    };
    let named = now.people.all_of(&stage.approvers).into_iter();
    let named = named.chain(now.people.all_of(&stage.escalate));
    let able = named.filter(|who| !asks(who) && is_named(who)).filter(|who| {
        now.principal(who)
            .is_some_and(|one| one.kind == PrincipalKind::Human && one.keys.iter().any(is_free))
    });
    able.collect()
}
