//! The emergency lane: nobody answers, one person, less and later.

use super::grant::{Grant, State};
use super::{Case, Judge};
use crate::audit::{Code, Findings};
use crate::principal::StageId;
use crate::statement::Lane;

impl Judge<'_> {
    /// Checks that a request in the emergency lane follows one that nobody answers.
    pub(super) fn check_unanswered(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        let emergency = grant.scope(case.policy).and_then(|scope| scope.emergency);
        let Some(emergency) = emergency.filter(|_| grant.ask.lane == Lane::Emergency) else {
            return;
        };
        let is_unanswered = |other: &Grant| {
            let stages = other.scope(case.policy).map(crate::policy::Scope::stages);
            let is_silent =
                |name: &StageId| !other.approvals.iter().any(|given| given.stage == *name);
            other.ask.by == grant.ask.by
                && other.ask.scope == grant.ask.scope
                && matches!(other.ask.lane, Lane::Normal | Lane::Outage)
                && other.state == State::Pending
                && case.at() < other.lapses
                && other.asked_at.plus(emergency.after.into()) <= case.at()
                && stages.unwrap_or_default().iter().any(|stage| is_silent(&stage.name))
        };
        if !self.is_case() && !self.open.values().any(is_unanswered) {
            let detail = format!("{} has no request that nobody answers", grant.ask.by);
            case.find(out, Code::LaneClosed, detail);
        }
    }
}

/// Checks the limits of the lane itself: shorter, when asked and when issued.
pub(super) fn check_ttl(case: &Case<'_>, grant: &Grant, out: &mut Findings) {
    let scope = grant.scope(case.policy).filter(|_| grant.ask.lane == Lane::Emergency);
    let limit = scope.and_then(|scope| scope.emergency).map(|emergency| emergency.ttl_max);
    if limit.is_some_and(|limit| grant.ask.ttl > limit) {
        let detail = format!("{} s in an emergency", grant.ask.ttl);
        case.find(out, Code::TtlExceeded, detail);
    }
}

/// Checks that those who were passed over had the time to object.
pub(super) fn check_delay(case: &Case<'_>, grant: &Grant, out: &mut Findings) {
    let scope = grant.scope(case.policy).filter(|_| grant.ask.lane == Lane::Emergency);
    let Some(emergency) = scope.and_then(|scope| scope.emergency) else { return };
    let from = grant.asked_at.plus(emergency.delay.into());
    if case.at() < from {
        case.find(out, Code::LaneClosed, format!("it can be issued from {from} on, not before"));
    }
}
