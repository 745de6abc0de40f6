//! Lapsing: in its time; or early, because a new policy does not allow what waits.

use std::collections::BTreeSet;

use super::grant::Grant;
use super::{Case, Judge, end, reach};
use crate::audit::{Action, Answer, Code, Findings, Question};
use crate::entry::{Body, Lapsed, Outcome};
use crate::policy::Scope;
use crate::statement::Kind;

/// The rule that an early lapse names first.
const POLICY_CHANGED: &str = "policy-changed";

impl Judge<'_> {
    /// Follows whether what is heard now comes with a new policy: the broker writes what a policy
    /// ends right behind it, at the same time, and hears nobody in between.
    pub(super) fn follow_policy(&mut self, case: &Case<'_>) {
        let entry = case.entry;
        let body = &entry.body;
        let comes_with_it = matches!(body, Body::Lapsed(_) | Body::Closed(_) | Body::Drill(_))
            || matches!(body, Body::Revoked(body) if body.signed.is_none());
        if matches!(body, Body::Policy(_)) {
            self.enacted = Some(entry.time);
        } else if !comes_with_it {
            self.enacted = None;
        }
        self.enacted = self.enacted.filter(|at| *at == entry.time);
    }

    /// Hears that nobody answered, or nobody collected, in time; or that a new policy ended it.
    pub(super) fn lapsed(
        &self,
        case: &Case<'_>,
        grant: &mut Grant,
        body: &Lapsed,
        out: &mut Findings,
    ) {
        grant.must_be_pending(case, out);
        if case.at() < grant.lapses {
            self.check_early(case, grant, body, out);
        }
        end::ends(case, grant, Outcome::Lapsed);
    }

    fn check_early(&self, case: &Case<'_>, grant: &Grant, body: &Lapsed, out: &mut Findings) {
        let mut wrong = |detail: String| case.find(out, Code::GrantOrder, detail);
        let is_said = body.decision.rules.first().is_some_and(|rule| rule == POLICY_CHANGED);
        if !is_said || self.enacted.is_none() {
            return wrong(format!("it lapses at {}, not before", grant.lapses));
        }
        let is_forbidden = forbids(case, grant);
        if !is_forbidden && !self.has_rules() {
            return wrong("the new policy allows the request that it is said to end".to_owned());
        }
        if self.has_rules() {
            self.check_forbidden(case, grant, is_forbidden, out);
        }
    }

    /// Under a policy with rules: whether they, or else the data (`is_forbidden`), end the request,
    /// and whether the decision names what it was.
    fn check_forbidden(
        &self,
        case: &Case<'_>,
        grant: &Grant,
        is_forbidden: bool,
        out: &mut Findings,
    ) {
        if let Some(scope) = grant.scope(case.policy) {
            self.check_context(case, grant, scope, out);
        }
        let circumstances = self.circumstances(case, grant, None);
        let mut people = std::iter::once(&grant.ask.by).chain(&grant.ask.on_behalf_of);
        let question = |principal| Question {
            principal,
            action: Action::Request,
            scope: Some(&grant.ask.scope),
            circumstances,
        };
        let answer = self.answer(case, &question(&grant.ask.by));
        let is_let = people.all(|who| self.lets(case, &question(who)));
        if is_let && !is_forbidden {
            if answer.is_none() {
                let detail = "nobody here judges the rules that are said to end it";
                return case.find(out, Code::RulesUnjudged, detail);
            }
            let detail = "the new policy allows the request that it is said to end";
            return case.find(out, Code::GrantOrder, detail);
        }
        let Some(decision) = case.entry.body.decision() else { return };
        let named: BTreeSet<&str> =
            decision.rules.iter().filter_map(|rule| rule.strip_prefix("cedar:")).collect();
        let by: BTreeSet<&str> = match &answer {
            Some(Answer::Forbidden { rules }) => rules.iter().map(String::as_str).collect(),
            Some(Answer::Permitted { .. } | Answer::Unreadable { .. }) => BTreeSet::new(),
            None => return,
        };
        // Where the data forbids it as well, the rules need not have been asked.
        if named != by && !(is_forbidden && named.is_empty()) {
            case.find(out, Code::RulesMismatch, "it names other rules than those that forbid it");
        }
    }

    /// Open requests that the new policy does not allow are due now. What only its rules forbid is
    /// left aside: they may have seen the grants that ended with the policy, or not.
    pub(super) fn end_waiting(&mut self, case: &Case<'_>) {
        let waits = |grant: &&Grant| grant.is_waiting() && case.at() < grant.lapses;
        let open = self.open.values().filter(waits).filter(|grant| forbids(case, grant));
        let ids: Vec<_> = open.map(|grant| grant.ask.id).collect();
        for id in ids {
            if let Some(grant) = self.open.get_mut(&id) {
                grant.due = case.at();
                self.deadlines.set(grant, case.at());
            }
        }
    }
}

/// Whether the policy in force, its rules aside, leaves an open request no way to be issued.
fn forbids(case: &Case<'_>, grant: &Grant) -> bool {
    let (then, now) = (grant.scope(&grant.policy), grant.scope(case.policy));
    let is_enrolled = |key| case.policy.owner_of(key).is_some();
    !grant.is_allowed(case.policy)
        || grant.ask.key.as_ref().is_some_and(is_enrolled)
        || grant.ask.kinds.iter().any(|kind| differs(then, now, *kind))
        || reach::too_few(case, grant)
}

/// Whether credentials of `kind` are made otherwise than at the request.
fn differs(then: Option<&Scope>, now: Option<&Scope>, kind: Kind) -> bool {
    let (Some(then), Some(now)) = (then, now) else { return true };
    match kind {
        Kind::Ssh => then.ssh != now.ssh,
        Kind::X509 => then.x509 != now.x509,
        Kind::Jwt => then.jwt != now.jwt,
    }
}
