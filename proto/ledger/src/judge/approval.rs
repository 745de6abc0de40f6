//! Approvals: distinct, entitled, other people, each in one stage, in time, about this request.

use std::collections::BTreeSet;

use super::Case;
use super::grant::{Given, Grant};
use crate::audit::{Code, Findings};
use crate::entry::Approved;
use crate::key::PublicKey;
use crate::policy::Policy;
use crate::principal::{PrincipalId, PrincipalKind, StageId};
use crate::statement::Act;

/// Hears an approval.
pub(super) fn approved(case: &Case<'_>, grant: &mut Grant, body: &Approved, out: &mut Findings) {
    grant.must_be_pending(case, out);
    let Some(spoken) = case.spoken else { return };
    let Act::Approve(yes) = spoken.statement.act() else { return };
    grant.must_be_about(case, out);
    if yes.stage != body.stage {
        let detail = format!("given for stage {}, counted for {}", yes.stage, body.stage);
        case.find(out, Code::Threshold, detail);
    }
    if yes.policy != case.policy.digest {
        case.find(out, Code::PolicyMismatch, "the approver was shown another policy");
    }
    if case.at() >= grant.lapses {
        let detail = format!("the request lapsed at {}", grant.lapses);
        case.find(out, Code::ApprovalExpired, detail);
    }
    if yes.ttl_max < grant.ask.ttl {
        let detail = format!("{} s asked, {} s approved", grant.ask.ttl, yes.ttl_max);
        case.find(out, Code::TtlExceeded, detail);
    }
    let is_self = is_requester(grant, &yes.by, &spoken.key);
    if is_self {
        case.find(out, Code::SelfApproval, format!("{} asked for it", yes.by));
    }
    let is_again = grant.approvals.iter().any(|given| given.by == yes.by);
    if is_again {
        case.find(out, Code::ApprovalReplay, format!("{} approved before", yes.by));
    }
    let is_entitled = is_entitled(&grant.policy, grant, &yes.stage, &yes.by)
        && is_entitled(case.policy, grant, &yes.stage, &yes.by);
    if !is_entitled {
        let detail = format!("{} may not approve in stage {}", yes.by, yes.stage);
        case.find(out, Code::Threshold, detail);
    }
    let is_about = yes.request == grant.statement;
    grant.approvals.push(Given {
        by: yes.by.clone(),
        stage: yes.stage.clone(),
        key: spoken.key.clone(),
        ttl_max: yes.ttl_max,
        seq: case.entry.seq,
        counts: is_entitled && is_about && !is_self && !is_again,
    });
}

/// Whether `by`, or the holder of `key`, is the one who asks or stands behind who asks.
fn is_requester(grant: &Grant, by: &PrincipalId, key: &PublicKey) -> bool {
    let holder = grant.policy.owner_of(key).map(|owner| &owner.id);
    *by == grant.ask.by
        || holder == Some(&grant.ask.by)
        || grant.ask.on_behalf_of.contains(by)
        || *key == grant.key
        || grant.ask.key.as_ref() == Some(key)
}

/// Whether `who` may approve in `stage` of the grant's scope under `policy`.
fn is_entitled(policy: &Policy, grant: &Grant, stage: &StageId, who: &PrincipalId) -> bool {
    let is_human =
        policy.principal(who).is_some_and(|principal| principal.kind == PrincipalKind::Human);
    let stage = grant.scope(policy).and_then(|scope| scope.stage(stage));
    is_human && stage.is_some_and(|stage| policy.is_any(who, &stage.approvers))
}

/// Whether every stage under the policy in force has its quorum, of those approvals alone that the
/// `issued` entry counts and that still count.
pub(super) fn check_quorum(case: &Case<'_>, grant: &Grant, counted: &[u64], out: &mut Findings) {
    let Some(scope) = grant.scope(case.policy) else { return };
    if !counted.is_sorted_by(|one, next| one < next) {
        case.find(out, Code::Threshold, "the approvals it counts are not ascending");
    }
    // By person: whoever is in it counts once, in one stage.
    let mut used = BTreeSet::new();
    for seq in counted {
        let Some(given) = grant.approvals.iter().find(|given| given.seq == *seq) else {
            case.find(out, Code::Threshold, format!("entry {seq} is no approval of this grant"));
            continue;
        };
        if still_counts(case, grant, given) {
            used.insert((&given.stage, &given.by));
        } else {
            let detail = format!("the approval of {} in entry {seq} does not count", given.by);
            case.find(out, Code::Threshold, detail);
        }
    }
    for stage in scope.stages() {
        let have = used.iter().filter(|(name, _)| **name == stage.name).count();
        let need = usize::try_from(stage.quorum).unwrap_or(usize::MAX);
        if have < need || need == 0 {
            let detail = format!("stage {}: {have} of {need}", stage.name);
            case.find(out, Code::Threshold, detail);
        }
    }
}

/// Whether an approval counts now: its author is still entitled and still holds the key.
fn still_counts(case: &Case<'_>, grant: &Grant, given: &Given) -> bool {
    let owner = case.policy.owner_of(&given.key).map(|owner| &owner.id);
    given.counts
        && given.ttl_max >= grant.ask.ttl
        && owner == Some(&given.by)
        && is_entitled(case.policy, grant, &given.stage, &given.by)
}
