//! Issuing: everything that had to be true when the credential was made.

use std::sync::Arc;

use super::grant::{Credential, Grant, One, State};
use super::token::TOKEN_BACKDATE_SECONDS;
use super::{
    BACKDATE_SECONDS, CLOSE_AFTER_SECONDS, Case, Judge, TOKENS_MAX, credential, emergency, request,
};
use crate::audit::{Code, Findings};
use crate::entry::Issued;
use crate::statement::{Act, Kind};
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
        if let State::Live(credential) = grant.state.clone() {
            return self.another(case, grant, credential, body, out);
        }
        grant.must_be_pending(case, out);
        if case.at() >= grant.lapses {
            let detail = format!("the request lapsed at {}", grant.lapses);
            case.find(out, Code::ApprovalExpired, detail);
        }
        emergency::check_delay(case, grant, out);
        self.check_issue(case, grant, body, out);
        check_life(case, grant, body, out);
        self.check_live(case, grant, out);
        if body.replaces.is_some() {
            case.find(out, Code::GrantOrder, "it replaces a token that there never was");
        }
        // Even one at a wrong time counts: from here on it is the one that must end.
        self.count(grant, false);
        grant.state = State::Live(Credential {
            first: one(case, body),
            further: Vec::new(),
            ends: body.grant_ends(),
            under: Arc::clone(case.policy),
        });
        grant.due = body.grant_ends();
        self.count(grant, true);
        self.history.issued(grant, case.at(), body.grant_ends());
    }

    /// Hears the issuing of another credential of a grant: of another kind, or the next token.
    fn another(
        &mut self,
        case: &Case<'_>,
        grant: &mut Grant,
        mut credential: Credential,
        body: &Issued,
        out: &mut Findings,
    ) {
        if case.at() >= credential.ends {
            let detail = format!("the grant was over at {}", credential.ends);
            case.find(out, Code::GrantOrder, detail);
        }
        let before = credential.all().rev().find(|one| one.kind == body.kind);
        let before = before.map(|one| one.serial);
        let is_next = before == body.replaces && (before.is_none() || body.kind == Kind::Jwt);
        let tokens = credential.all().filter(|one| one.kind == Kind::Jwt).count();
        let (ends, most) = (body.grant_ends(), credential.ends);
        if !is_next || body.kind == Kind::Jwt && tokens >= TOKENS_MAX {
            case.find(out, Code::GrantOrder, "a credential of its kind was issued before");
        } else if ends > most {
            let detail = format!("it ends at {ends}, the grant at {most}");
            case.find(out, Code::TtlExceeded, detail);
        } else if ends != most {
            case.find(out, Code::CredMismatch, "it does not end with its grant");
        }
        self.check_issue(case, grant, body, out);
        check_span(case, grant, body, out);
        credential.further.push(one(case, body));
        grant.state = State::Live(credential);
    }

    /// What has to be true of every credential.
    fn check_issue(&mut self, case: &Case<'_>, grant: &Grant, body: &Issued, out: &mut Findings) {
        grant.must_be_about(case, out);
        self.issued = self.issued.saturating_add(1);
        let key = grant.ask.key.as_ref().unwrap_or(&grant.key);
        if case.spoken.is_none_or(|spoken| spoken.key != *key) {
            case.find(out, Code::KeyUnknown, "it was not collected with the request's subject key");
        }
        let collected = case.spoken.map(|spoken| spoken.statement.act());
        if let Some(Act::Collect(collect)) = collected
            && collect.kind != body.kind
        {
            case.find(out, Code::CredMismatch, "another kind was collected");
        }
        request::check_ask(case, &grant.ask, out);
        self.check_standing(case, grant, out);
        if !grant.is_allowed(case.policy) {
            case.find(out, Code::ScopeExceeded, "the requester is no longer entitled");
        }
        self.check_quorum(case, grant, &body.approvals, out);
        credential::check(case, grant, body, &self.authorities, out);
    }

    fn check_live(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        let Some(scope) = grant.scope(case.policy) else { return };
        if self.live.get(&scope.id).copied().unwrap_or(0) < scope.live_max {
            return;
        }
        // Those that are over but not yet revoked let nobody in.
        let open = self.open.values().filter(|other| other.ask.scope == scope.id);
        let out_now = open
            .filter(|other| matches!(&other.state, State::Live(c) if c.ends > case.at()))
            .count();
        if u32::try_from(out_now).unwrap_or(u32::MAX) >= scope.live_max {
            let detail = format!("{out_now} grants of {} were alive, the most", scope.id);
            case.find(out, Code::ScopeExceeded, detail);
        }
    }
}

/// Whether the grant ends when it must, and its first credential with it.
fn check_life(case: &Case<'_>, grant: &Grant, body: &Issued, out: &mut Findings) {
    let end: Timestamp = case.at().plus(grant.ask.ttl.seconds().into());
    if body.grant_ends() > end {
        let detail = format!("valid until {}, asked for until {end}", body.grant_ends());
        case.find(out, Code::TtlExceeded, detail);
    }
    check_span(case, grant, body, out);
}

/// Whether it begins when it may, and ends with its grant, or before if it is a token.
fn check_span(case: &Case<'_>, grant: &Grant, body: &Issued, out: &mut Findings) {
    let is_token = body.kind == Kind::Jwt;
    let early = if is_token { TOKEN_BACKDATE_SECONDS } else { BACKDATE_SECONDS };
    let start = case.at().minus(early);
    if body.valid_after != start {
        let detail = format!("valid from {}, instead of {start}", body.valid_after);
        case.find(out, Code::CredMismatch, detail);
    }
    if body.valid_before <= case.at() {
        case.find(out, Code::CredMismatch, "it was never valid");
    }
    let profile = grant.scope(case.policy).and_then(|scope| scope.jwt.as_ref());
    let most = profile.map(|jwt| case.at().plus(jwt.ttl_max.into()));
    if is_token && most.is_some_and(|most| body.valid_before > most) {
        case.find(out, Code::TtlExceeded, "it lives longer than a token of its scope may");
    }
    let ends_apart = body.ends.is_some_and(|ends| !is_token || ends <= body.valid_before);
    if ends_apart {
        case.find(out, Code::CredMismatch, "it does not end with its grant");
    }
}

fn one(case: &Case<'_>, body: &Issued) -> One {
    One { serial: body.serial, issued: case.hash, kind: body.kind }
}

/// When the grant of a credential that ends at `valid_before` can be closed.
pub(super) const fn closes(valid_before: Timestamp) -> Timestamp {
    valid_before.plus(CLOSE_AFTER_SECONDS)
}
