//! Ends: by somebody who may end it, for a cause that is true, and not before its time.

use super::Case;
use super::grant::{Credential, Grant, State};
use super::issue::closes;
use crate::audit::{Code, Findings};
use crate::entry::{Cause, Outcome, Revoked};
use crate::policy::{Policy, Scope, Stage};
use crate::principal::{CallerId, PrincipalId, PrincipalKind};
use crate::statement::{ActKind, Kind, Lane};

/// Hears a denial, or the cancelling of a pending request.
pub(super) fn denied(case: &Case<'_>, grant: &mut Grant, out: &mut Findings) {
    grant.must_be_pending(case, out);
    grant.must_be_about(case, out);
    if let Some(spoken) = case.spoken
        && let Some(by) = spoken.statement.by()
    {
        let is_cancel = spoken.statement.act().kind() == ActKind::Cancel;
        // Nobody agrees to an emergency, so whoever answers for it may object in either way.
        let may_own = is_cancel || grant.ask.lane == Lane::Emergency;
        let is_owner = may_own && owns(case.policy, grant, by);
        if !is_owner && !approves(case.policy, grant, by) {
            case.find(out, Code::ScopeExceeded, format!("{by} may not deny it"));
        }
    }
    ends(case, grant, Outcome::Denied);
}

/// Hears that the requester took the request back.
pub(super) fn withdrawn(case: &Case<'_>, grant: &mut Grant, out: &mut Findings) {
    grant.must_be_pending(case, out);
    grant.must_be_about(case, out);
    if let Some(by) = case.spoken.and_then(|spoken| spoken.statement.by())
        && *by != grant.ask.by
    {
        case.find(out, Code::ScopeExceeded, format!("{by} did not ask for it"));
    }
    ends(case, grant, Outcome::Withdrawn);
}

/// Without a credential there is nothing to wait for: `closed` comes at once.
pub(super) fn ends(case: &Case<'_>, grant: &mut Grant, outcome: Outcome) {
    // A credential that is out stays out: a wrong end must not hide it.
    if grant.state == State::Pending {
        grant.state = State::Ended(outcome);
        grant.due = case.at();
    }
}

/// Hears that the credential was taken back.
pub(super) fn revoked(case: &Case<'_>, grant: &mut Grant, body: &Revoked, out: &mut Findings) {
    let State::Live(credential) = grant.state.clone() else {
        let detail = format!("revoked cannot follow {}", grant.shown());
        return case.find(out, Code::GrantOrder, detail);
    };
    let is_all = body.serials().eq(credential.all().map(|one| one.serial));
    let is_written_so = body.also.as_ref().is_none_or(|also| !also.is_empty());
    if !is_all || !is_written_so || body.valid_before != credential.ends {
        case.find(out, Code::CredMismatch, "other credentials than the grant's were taken back");
    }
    grant.must_be_about(case, out);
    if let Some((code, detail)) = fault_of(case, grant, &credential, body) {
        case.find(out, code, detail);
    }
    grant.due = closes(credential.ends);
    grant.state = State::Revoked(credential, case.at());
}

fn fault_of(
    case: &Case<'_>,
    grant: &Grant,
    credential: &Credential,
    body: &Revoked,
) -> Option<(Code, String)> {
    let act = case.spoken.map(|spoken| spoken.statement.act().kind());
    let by = case.spoken.and_then(|spoken| spoken.statement.by());
    let may_end = match body.cause {
        Cause::Dropped => act == Some(ActKind::Drop) && by == Some(&grant.ask.by),
        Cause::Cancelled => {
            let may =
                |by: &PrincipalId| approves(case.policy, grant, by) || owns(case.policy, grant, by);
            act == Some(ActKind::Cancel) && by.is_some_and(may)
        }
        // Brought by the clock, a policy or a lock, whose statement stands in its own entry.
        Cause::Expired | Cause::PolicyChanged | Cause::Locked | Cause::OutageEnded => act.is_none(),
        // Who calls is the operator's configuration and not in the ledger; but it has to be named, and
        // to have been shown a token.
        Cause::TokenRevoked => {
            let has_token = credential.all().any(|one| one.kind == Kind::Jwt);
            act.is_none() && has_token && names_caller(body)
        }
    };
    if !may_end {
        let who = by.map_or("nobody", PrincipalId::as_str);
        return Some((Code::ScopeExceeded, format!("{} by {who}, who may not", body.cause)));
    }
    (body.cause == Cause::Expired && case.at() < body.valid_before).then(|| {
        let detail = format!("it expires at {}, not before", body.valid_before);
        (Code::GrantOrder, detail)
    })
}

/// Whether the decision rests on one caller and nothing else.
fn names_caller(body: &Revoked) -> bool {
    let [rule] = body.decision.rules.as_slice() else { return false };
    rule.strip_prefix(CALLER).is_some_and(|id| id.parse::<CallerId>().is_ok())
}

/// Before a caller's name, in the rules of a decision.
const CALLER: &str = "caller:";

/// Hears the end.
pub(super) fn closed(case: &Case<'_>, grant: &Grant, outcome: Outcome, out: &mut Findings) {
    let (actual, not_before) = match &grant.state {
        State::Pending | State::Live(_) => {
            let detail = format!("closed cannot follow {}", grant.shown());
            return case.find(out, Code::GrantOrder, detail);
        }
        State::Ended(outcome) => (*outcome, case.at()),
        State::Revoked(credential, _) => (Outcome::Revoked, closes(credential.ends)),
    };
    if outcome != actual {
        let detail = format!("closed as {}, it was {}", outcome.name(), actual.name());
        case.find(out, Code::GrantOrder, detail);
    }
    if case.at() < not_before {
        case.find(out, Code::GrantOrder, format!("it closes at {not_before}, not before"));
    }
}

/// Whether `by` is a person and an approver of any stage, or of those it was passed on to.
pub(super) fn approves(policy: &Policy, grant: &Grant, by: &PrincipalId) -> bool {
    let is_one = |stage: &Stage| {
        policy.is_any(by, &stage.approvers)
            || grant.escalated.contains_key(&stage.name) && policy.is_any(by, &stage.escalate)
    };
    let in_any = |scope: &Scope| scope.stages().iter().any(is_one);
    is_person(policy, by) && grant.scope(policy).is_some_and(in_any)
}

/// Whether `by` is a person and an owner.
pub(super) fn owns(policy: &Policy, grant: &Grant, by: &PrincipalId) -> bool {
    let among = |scope: &Scope| scope.owned_by().any(|members| policy.is_member(by, members));
    is_person(policy, by) && grant.scope(policy).is_some_and(among)
}

fn is_person(policy: &Policy, by: &PrincipalId) -> bool {
    policy.principal(by).is_some_and(|one| one.kind == PrincipalKind::Human)
}
