//! What happens next with a request if nobody does anything: escalations, the opening of an
//! emergency, the next use, the review. Told from entries and policy; decides nothing.

use breakglass_ledger::policy::{Policy, Scope, Stage};
use breakglass_ledger::principal::StageId;
use breakglass_ledger::statement::{Ask, Lane};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

/// When `stage` passes to others if it stays without its quorum; `None` if it never does, or has.
pub(super) fn escalates_at(
    stage: &Stage,
    escalated: &[StageId],
    asked_at: Timestamp,
) -> Option<Timestamp> {
    let within = stage.within.filter(|_| !escalated.contains(&stage.name))?;
    Some(asked_at.plus(u64::from(within)))
}

/// First second at which an emergency may be issued; `None` in the other lanes.
pub(super) fn opens_at(policy: &Policy, ask: &Ask, asked_at: Timestamp) -> Option<Timestamp> {
    let terms = policy.scope(&ask.scope)?.emergency.filter(|_| ask.lane == Lane::Emergency)?;
    Some(asked_at.plus(u64::from(terms.delay)))
}

/// What a use that `ended` leaves to do: its review, and until when its holder waits.
pub(super) fn aftermath(scope: &Scope, ask: &Ask, ended: Timestamp, view: &mut v1::RequestView) {
    if ask.lane == Lane::Drill {
        return;
    }
    let after = |seconds: u32| ended.plus(u64::from(seconds)).unix_seconds();
    view.review_due_at = scope.review_within.map_or(0, after);
    view.review_gates = scope.review_gate || ask.lane == Lane::Emergency;
    view.cooldown_until = scope.cooldown.map_or(0, after);
}
