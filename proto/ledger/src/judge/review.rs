//! Reviews and drills: what is said of a grant after its end.

use super::{Case, Judge};
use crate::audit::{Action, Circumstances, Code, Findings};
use crate::entry::{Drill, Reviewed};
use crate::id::RequestId;
use crate::principal::ScopeId;
use crate::statement::{Act, Lane, ReviewVerdict};

/// A drill that was closed: its entry comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DrillOwed {
    pub(super) request: RequestId,
    pub(super) scope: ScopeId,
    pub(super) passed: bool,
}

impl Judge<'_> {
    /// Hears a review.
    pub(super) fn reviewed(&mut self, case: &Case<'_>, body: &Reviewed, out: &mut Findings) {
        let Some(Act::Review(review)) = case.spoken.map(|spoken| spoken.statement.act()) else {
            return;
        };
        let by = &review.by;
        let mut wrong = |detail: String| case.find(out, Code::ReviewInvalid, detail);
        let Some(past) = self.history.past.get(&body.request) else {
            return wrong(format!("{} has not ended with a credential", body.request));
        };
        if past.statement != review.request {
            let detail = "the review is of another request";
            return case.find(out, Code::ApprovalRequestMismatch, detail);
        }
        if past.has_part(by) {
            wrong(format!("{by} took part"));
        }
        if past.reviewed.is_some_and(|verdict| verdict != ReviewVerdict::Inconclusive) {
            wrong(format!("{} was reviewed before", body.request));
        }
        let scope = case.policy.scope(&past.scope);
        let owns = scope.is_some_and(|scope| {
            scope.owned_by().any(|members| case.policy.is_member(by, members))
        });
        if !case.is_human(by) || !owns {
            case.find(out, Code::ScopeExceeded, format!("{by} may not review {}", past.scope));
        }
        let dependency = scope.and_then(|scope| scope.outage.as_ref());
        let since = dependency.and_then(|id| self.world.down_since(id, case.at()));
        let circumstances = Circumstances {
            lane: Some(past.lane),
            ttl: Some(past.ttl),
            incident: past.incident,
            depth: u64::try_from(past.behind.len()).unwrap_or(u64::MAX),
            requester: Some(&past.by),
            ..self.circumstances_of_world(case, since)
        };
        let question = self.question(by, Action::Review, Some(&past.scope), circumstances);
        self.permitted(case, &[question], &[], out);
        self.history.reviewed(body.request, review.verdict);
    }

    /// Checks that the entry of a drill follows its end at once, and nothing else does.
    pub(super) fn check_drill(&mut self, case: &Case<'_>, out: &mut Findings) {
        let owed = self.drill_owed.take();
        let crate::entry::Body::Drill(body) = &case.entry.body else {
            if let Some(owed) = owed {
                let detail = format!("the result of the drill {} does not follow", owed.request);
                case.find(out, Code::DrillMismatch, detail);
            }
            return;
        };
        let Drill { request, scope, passed } = body.clone();
        if owed != Some(DrillOwed { request, scope, passed }) {
            let detail = format!("no drill ended so: {}", body.request);
            return case.find(out, Code::DrillMismatch, detail);
        }
        if body.passed {
            self.history.drills.insert(body.scope.clone(), case.at());
        }
    }

    /// A grant was closed: if it was a drill, its entry comes next.
    pub(super) fn owe_drill(&mut self, grant: &super::grant::Grant) {
        if grant.ask.lane == Lane::Drill && !self.is_case() {
            let (request, scope) = (grant.ask.id, grant.ask.scope.clone());
            let passed = grant.picked_up && matches!(grant.state, super::grant::State::Revoked(..));
            self.drill_owed = Some(DrillOwed { request, scope, passed });
        }
    }
}
