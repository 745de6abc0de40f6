//! Requests: may this person ask for this, in this way, for this long?

use super::grant::{Grant, State};
use super::{Case, Judge, delegation, emergency};
use crate::audit::{Action, Code, Findings};
use crate::bytes::Digest;
use crate::entry::{Refused, Requested};
use crate::policy::Scope;
use crate::statement::{Act, Ask};

impl Judge<'_> {
    /// Opens a grant.
    pub(super) fn requested(&mut self, case: &Case<'_>, body: &Requested, out: &mut Findings) {
        let id = body.link.grant;
        if body.link.gseq != 0 || body.link.gprev != Digest::ZERO {
            case.find(out, Code::GrantChain, "a request is the first entry of its grant");
        }
        if self.open.contains_key(&id) || self.closed.contains(&id) {
            case.find(out, Code::GrantOrder, format!("{id} was requested before"));
            return;
        }
        // Without a statement that counts there is no request; what follows is an orphan.
        let Some(spoken) = case.spoken else { return };
        let Act::Request(ask) = spoken.statement.act() else { return };
        if ask.id != id {
            case.find(out, Code::GrantChain, format!("the statement requests {}", ask.id));
        }
        if let Some(lane) = body.decision.context.lane
            && lane != ask.lane
        {
            let detail = format!("decided as {lane}, asked as {}", ask.lane);
            case.find(out, Code::ScopeExceeded, detail);
        }
        check_ask(case, ask, out);
        if let Some(fault) = case.policy.scope(&ask.scope).and_then(|one| lacks(one, ask)) {
            case.find(out, Code::ScopeExceeded, fault);
        }
        if let Some(scope) = case.policy.scope(&ask.scope)
            && body.lapses > case.at().plus(scope.pending_max.into())
        {
            case.find(out, Code::TtlExceeded, "it lapses later than its scope allows");
        }
        let mut grant = Grant::new(case, ask.clone(), &spoken.statement, spoken.key.clone());
        grant.ask.id = id;
        grant.lapses = body.lapses;
        grant.due = body.lapses;
        self.check_unanswered(case, &grant, out);
        self.check_standing(case, &grant, out);
        self.deadlines.set(&grant, case.at());
        self.open.insert(id, grant);
    }
}

impl Judge<'_> {
    /// What has to be true of everything around a request, when it is asked and when it is issued:
    /// the lane, what came before, what is locked, what the rules say.
    pub(super) fn check_standing(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        let Some(scope) = grant.scope(case.policy) else { return };
        if let Some(fault) = delegation::fault_of(case.policy, scope, &grant.ask) {
            case.find(out, Code::Delegation, fault);
        }
        if let Some(decision) = case.entry.body.decision()
            && decision.context.delegation != grant.ask.on_behalf_of
        {
            case.find(out, Code::ContextMismatch, "its delegation is not the request's");
        }
        emergency::check_ttl(case, grant, out);
        self.check_outage(case, grant, out);
        self.check_limits(case, grant, out);
        self.check_unlocked(case, grant, out);
        self.check_rules(case, grant, out);
    }

    /// The rules permit the requester, and everybody behind, to ask.
    fn check_rules(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        if !self.has_rules() {
            return;
        }
        let ask = &grant.ask;
        let circumstances = self.circumstances(case, grant, None);
        let of = |who| self.question(who, Action::Request, Some(&ask.scope), circumstances);
        let mut besides = Vec::new();
        for hop in &ask.on_behalf_of {
            if !self.lets(case, &of(hop)) {
                let detail = format!("the rules do not let {hop} ask for {}", ask.scope);
                case.find(out, Code::Delegation, detail);
            }
            besides.push(of(hop));
        }
        // When it is issued the rules that let approvals count determine it too.
        for given in grant.approvals.iter().filter(|_| grant.state == State::Pending) {
            let circumstances = self.circumstances(case, grant, Some(&given.stage));
            let scope = Some(&ask.scope);
            besides.push(self.question(&given.by, Action::Approve, scope, circumstances));
        }
        self.permitted(case, &[of(&ask.by)], &besides, out);
    }
}

/// Whether the policy lets this person ask for this, and have it.
pub(super) fn check_ask(case: &Case<'_>, ask: &Ask, out: &mut Findings) {
    let Some(scope) = case.policy.scope(&ask.scope) else {
        case.find(out, Code::ScopeExceeded, format!("there is no scope {}", ask.scope));
        return;
    };
    if ask.ttl > scope.ttl_max {
        let detail = format!("{} s asked, {} s allowed", ask.ttl, scope.ttl_max);
        case.find(out, Code::TtlExceeded, detail);
    }
    if let Some(fault) = fault_of(case, scope, ask) {
        case.find(out, Code::ScopeExceeded, fault);
    }
    let is_enrolled = ask.key.as_ref().is_some_and(|key| case.policy.owner_of(key).is_some());
    if is_enrolled {
        case.find(out, Code::CredMismatch, "the subject key is somebody's own key");
    }
}

fn fault_of(case: &Case<'_>, scope: &Scope, ask: &Ask) -> Option<String> {
    let Some(principal) = case.policy.principal(&ask.by) else {
        return Some(format!("{} is not in the policy", ask.by));
    };
    if !case.policy.is_any(&ask.by, &scope.requesters) {
        return Some(format!("{} may not ask for {}", ask.by, ask.scope));
    }
    if !scope.kinds.contains(&principal.kind) {
        return Some(format!("a {} may not ask for {}", principal.kind, ask.scope));
    }
    if !scope.lanes.contains(&ask.lane) {
        return Some(format!("{} has no lane {}", ask.scope, ask.lane));
    }
    if ask.kinds.is_empty() || !ask.kinds.iter().all(|kind| scope.offers(*kind)) {
        return Some(format!("{} does not offer what was asked for", ask.scope));
    }
    None
}

/// What a request has to say besides. Asked of the request alone: a policy that wants more since
/// does not make it wrong.
fn lacks(scope: &Scope, ask: &Ask) -> Option<String> {
    if scope.require_reason && ask.reason.is_none() {
        return Some(format!("{} needs a reason", ask.scope));
    }
    let incident = ask.incident.as_deref().unwrap_or_default();
    if scope.require_incident.as_ref().is_some_and(|pattern| !pattern.matches(incident)) {
        return Some(format!("{} needs an incident number", ask.scope));
    }
    None
}

/// A refusal names whoever's key it was, or whoever the statement names: the signature shows that
/// these can be two. Nobody else can be blamed.
pub(super) fn refused(case: &Case<'_>, body: &Refused, out: &mut Findings) {
    let Some(spoken) = case.spoken else { return };
    let owner = case.policy.owner_of(&spoken.key).map(|owner| &owner.id);
    let by = body.by.as_ref();
    if by.is_some() && by != owner && by != spoken.statement.by() {
        case.find(out, Code::KeyUnknown, "the refused act is blamed on another than its signer");
    }
}
