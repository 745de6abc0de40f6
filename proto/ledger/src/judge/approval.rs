//! Approvals: distinct, entitled, other people, each in one stage, in time, about this request.

use std::collections::BTreeSet;

use super::grant::{Given, Grant};
use super::{Case, Judge};
use crate::audit::{Action, Code, Findings};
use crate::entry::Approved;
use crate::key::PublicKey;
use crate::policy::{Policy, Stage};
use crate::principal::{PrincipalId, PrincipalKind, StageId};
use crate::statement::{Act, Lane};

/// Everything that can be said of an approval without the rest of the ledger.
fn heard(case: &Case<'_>, grant: &mut Grant, body: &Approved, out: &mut Findings) {
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
    let is_entitled = was_entitled(grant, &yes.stage, &yes.by)
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

/// Whether `who` could approve when it was asked, or when the stage was passed on to them.
fn was_entitled(grant: &Grant, stage: &StageId, who: &PrincipalId) -> bool {
    let was_asked = grant.scope(&grant.policy).and_then(|scope| scope.stage(stage));
    let was_told = grant.escalated.get(stage).and_then(|policy| {
        let stage = grant.scope(policy)?.stage(stage)?;
        Some(policy.is_any(who, &stage.escalate))
    });
    let among = |stage: &Stage| grant.policy.is_any(who, &stage.approvers);
    was_asked.is_some_and(among) || was_told.unwrap_or(false)
}

/// Whether `who` may approve in `stage` of the grant's scope under `policy`: as one of its approvers,
/// or as one of those it was passed on to.
fn is_entitled(policy: &Policy, grant: &Grant, stage: &StageId, who: &PrincipalId) -> bool {
    let is_human =
        policy.principal(who).is_some_and(|principal| principal.kind == PrincipalKind::Human);
    let is_passed_on = grant.escalated.contains_key(stage);
    let stage = grant.scope(policy).and_then(|scope| scope.stage(stage));
    let among = |stage: &Stage| {
        policy.is_any(who, &stage.approvers) || is_passed_on && policy.is_any(who, &stage.escalate)
    };
    is_human && stage.is_some_and(among)
}

impl Judge<'_> {
    /// Whether `stage` has its quorum as things are.
    pub(super) fn is_complete(&self, case: &Case<'_>, grant: &Grant, stage: &Stage) -> bool {
        let given = grant.approvals.iter().filter(|given| given.stage == stage.name);
        let people: BTreeSet<_> = given
            .filter(|given| still_counts(case, grant, given) && !self.is_silenced(case, given))
            .map(|given| &given.by)
            .collect();
        people.len() >= usize::try_from(stage.quorum).unwrap_or(usize::MAX)
    }

    /// Whether every stage under the policy in force has its quorum, of those approvals alone that the
    /// `issued` entry counts and that still count. In the emergency lane nobody has to agree.
    pub(super) fn check_quorum(
        &self,
        case: &Case<'_>,
        grant: &Grant,
        counted: &[u64],
        out: &mut Findings,
    ) {
        let Some(scope) = grant.scope(case.policy) else { return };
        if !counted.is_sorted_by(|one, next| one < next) {
            case.find(out, Code::Threshold, "the approvals it counts are not ascending");
        }
        // By person: whoever is in it counts once, in one stage.
        let mut used = BTreeSet::new();
        for seq in counted {
            let Some(given) = grant.approvals.iter().find(|given| given.seq == *seq) else {
                case.find(
                    out,
                    Code::Threshold,
                    format!("entry {seq} is no approval of this grant"),
                );
                continue;
            };
            let counts = still_counts(case, grant, given)
                && !self.is_silenced(case, given)
                && self.lets_approve(case, grant, given);
            if counts {
                used.insert((&given.stage, &given.by));
            } else {
                let detail = format!("the approval of {} in entry {seq} does not count", given.by);
                case.find(out, Code::Threshold, detail);
            }
        }
        let stages = if grant.ask.lane == Lane::Emergency { &[][..] } else { scope.stages() };
        for stage in stages {
            let have = used.iter().filter(|(name, _)| **name == stage.name).count();
            let need = usize::try_from(stage.quorum).unwrap_or(usize::MAX);
            if have < need || need == 0 {
                let detail = format!("stage {}: {have} of {need}", stage.name);
                case.find(out, Code::Threshold, detail);
            }
        }
    }

    /// Whether the rules still let an approval count.
    fn lets_approve(&self, case: &Case<'_>, grant: &Grant, given: &Given) -> bool {
        if !self.has_rules() {
            return true;
        }
        let circumstances = self.circumstances(case, grant, Some(&given.stage));
        let scope = Some(&grant.ask.scope);
        self.lets(case, &self.question(&given.by, Action::Approve, scope, circumstances))
    }

    /// Hears an approval.
    pub(super) fn approved(
        &self,
        case: &Case<'_>,
        grant: &mut Grant,
        body: &Approved,
        out: &mut Findings,
    ) {
        self.check_unlocked(case, grant, out);
        heard(case, grant, body, out);
        let Some(given) = grant.approvals.last().filter(|_| self.has_rules()) else { return };
        if given.seq == case.entry.seq {
            let circumstances = self.circumstances(case, grant, Some(&given.stage));
            let scope = Some(&grant.ask.scope);
            let question = self.question(&given.by, Action::Approve, scope, circumstances);
            self.permitted(case, &[question], &[], out);
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
