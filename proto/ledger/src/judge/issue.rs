//! Issuing: everything that had to be true when the credential was made.

use std::sync::Arc;

use super::grant::{Credential, Grant, State};
use super::{BACKDATE_SECONDS, CLOSE_AFTER_SECONDS, Case, Judge, credential, emergency, request};
use crate::audit::{Code, Findings};
use crate::entry::Issued;
use crate::time::Timestamp;

impl Judge<'_> {
    /// Hears an issuing.
    pub(super) fn issued_to(
        &mut self,
        case: &Case<'_>,
        grant: &mut Grant,
        body: &Issued,
        out: &mut Findings,
    ) {
        grant.must_be_pending(case, out);
        grant.must_be_about(case, out);
        self.issued = self.issued.saturating_add(1);
        if case.at() >= grant.lapses {
            let detail = format!("the request lapsed at {}", grant.lapses);
            case.find(out, Code::ApprovalExpired, detail);
        }
        if case.spoken.is_none_or(|spoken| Some(&spoken.key) != grant.ask.key.as_ref()) {
            case.find(out, Code::KeyUnknown, "it was not collected with the request's subject key");
        }
        request::check_ask(case, &grant.ask, out);
        self.check_standing(case, grant, out);
        emergency::check_delay(case, grant, out);
        if !grant.is_allowed(case.policy) {
            case.find(out, Code::ScopeExceeded, "the requester is no longer entitled");
        }
        self.check_quorum(case, grant, &body.approvals, out);
        check_life(case, grant, body, out);
        self.check_live(case, grant, out);
        credential::check(case, grant, body, self.ssh_ca.as_ref(), out);
        // Even a wrong second one replaces the first: from here on it is the one that must end.
        self.count(grant, false);
        grant.state = State::Live(Credential {
            serial: body.serial,
            issued: case.hash,
            valid_before: body.valid_before,
            under: Arc::clone(case.policy),
        });
        grant.due = body.valid_before;
        self.count(grant, true);
        self.history.issued(grant, case.at(), body.valid_before);
    }

    fn check_live(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        let Some(scope) = grant.scope(case.policy) else { return };
        if self.live.get(&scope.id).copied().unwrap_or(0) < scope.live_max {
            return;
        }
        // Those that are over but not yet revoked let nobody in.
        let open = self.open.values().filter(|other| other.ask.scope == scope.id);
        let out_now = open
            .filter(|other| matches!(&other.state, State::Live(c) if c.valid_before > case.at()))
            .count();
        if u32::try_from(out_now).unwrap_or(u32::MAX) >= scope.live_max {
            let detail = format!("{out_now} grants of {} were alive, the most", scope.id);
            case.find(out, Code::ScopeExceeded, detail);
        }
    }
}

/// Whether it begins when it may and ends when it must.
fn check_life(case: &Case<'_>, grant: &Grant, body: &Issued, out: &mut Findings) {
    let end: Timestamp = case.at().plus(grant.ask.ttl.seconds().into());
    if body.valid_before > end {
        let detail = format!("valid until {}, asked for until {end}", body.valid_before);
        case.find(out, Code::TtlExceeded, detail);
    }
    let start = case.at().minus(BACKDATE_SECONDS);
    if body.valid_after != start {
        let detail = format!("valid from {}, instead of {start}", body.valid_after);
        case.find(out, Code::CredMismatch, detail);
    }
    if body.valid_before <= case.at() {
        case.find(out, Code::CredMismatch, "it was never valid");
    }
}

/// When the grant of a credential that ends at `valid_before` can be closed.
pub(super) const fn closes(valid_before: Timestamp) -> Timestamp {
    valid_before.plus(CLOSE_AFTER_SECONDS)
}
