//! The policy's Cedar rules, judged by whom the caller of the verifier brought.

use std::collections::BTreeSet;

use super::grant::Grant;
use super::{Case, Judge};
use crate::audit::{Action, Answer, Circumstances, Code, Findings, Question};
use crate::policy::Policy;
use crate::principal::{PrincipalId, ScopeId, StageId};
use crate::time::Timestamp;

/// What a determining rule is called in a decision: this and its id.
const RULE_PREFIX: &str = "cedar:";

/// Whether a policy has rules: more than comments and blanks.
pub(super) fn has_rules(policy: &Policy) -> bool {
    let is_rule = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    policy.rules.lines().any(is_rule)
}

impl Judge<'_> {
    /// Whether the policy in force has rules.
    pub(super) const fn has_rules(&self) -> bool {
        match self.ruled {
            Some((_, ruled)) => ruled,
            None => false,
        }
    }

    /// A question about `principal`, as things are.
    #[expect(clippy::unused_self, reason = "asked of the judge, like all others")]
    pub(super) const fn question<'q>(
        &self,
        principal: &'q PrincipalId,
        action: Action,
        scope: Option<&'q ScopeId>,
        circumstances: Circumstances<'q>,
    ) -> Question<'q> {
        Question { principal, action, scope, circumstances }
    }

    /// What an act that is about no grant depends on.
    pub(super) fn circumstances_of_world<'q>(
        &self,
        case: &Case<'_>,
        outage_since: Option<Timestamp>,
    ) -> Circumstances<'q> {
        let said = case.entry.body.decision().and_then(|decision| decision.context.outage_since);
        Circumstances {
            at: case.at(),
            lane: None,
            outage_since: said.or(outage_since),
            ttl: None,
            incident: false,
            depth: 0,
            requester: None,
            stage: None,
            live: 0,
            budget: 0,
            drill_age: None,
        }
    }

    /// What an act about `grant` depends on. What the decision says to have seen was compared with
    /// the ledger before, and a case has nothing else.
    pub(super) fn circumstances<'q>(
        &self,
        case: &Case<'_>,
        grant: &'q Grant,
        stage: Option<&'q StageId>,
    ) -> Circumstances<'q> {
        let said = case.entry.body.decision().map(|decision| &decision.context);
        let scope = grant.scope(case.policy);
        let down = scope
            .and_then(|scope| scope.outage.as_ref())
            .and_then(|id| self.world.down_since(id, case.at()));
        let live = || scope.map_or(0, |scope| self.alive(case, scope).0);
        let used = || scope.map_or(0, |scope| self.used(case, grant, scope).least);
        let age = || scope.and_then(|scope| self.drill_age(case, scope));
        Circumstances {
            at: case.at(),
            lane: Some(grant.ask.lane),
            outage_since: said.and_then(|said| said.outage_since).or(down),
            ttl: Some(grant.ask.ttl),
            incident: grant.ask.incident.is_some(),
            depth: u64::try_from(grant.ask.on_behalf_of.len()).unwrap_or(u64::MAX),
            requester: Some(&grant.ask.by),
            stage,
            live: said.and_then(|said| said.live).unwrap_or_else(live),
            budget: said.and_then(|said| said.budget).unwrap_or_else(used),
            drill_age: said.and_then(|said| said.drill_age).or_else(age),
        }
    }

    /// What the rules say; `None` if there are none, or nobody to judge them.
    pub(super) fn answer(&self, case: &Case<'_>, question: &Question<'_>) -> Option<Answer> {
        let rules = self.rules.filter(|_| self.has_rules())?;
        Some(rules.judge(&case.policy.rules, case.policy, question))
    }

    /// Whether the rules let this be, or cannot be asked.
    pub(super) fn lets(&self, case: &Case<'_>, question: &Question<'_>) -> bool {
        match self.answer(case, question) {
            None | Some(Answer::Permitted { .. }) => true,
            Some(Answer::Forbidden { .. } | Answer::Unreadable { .. }) => false,
        }
    }

    /// Checks that the rules permit all that is `asked`, and that the decision names the rules that
    /// determined it: all of the first question, and none but those of `asked` and `besides`.
    pub(super) fn permitted(
        &self,
        case: &Case<'_>,
        asked: &[Question<'_>],
        besides: &[Question<'_>],
        out: &mut Findings,
    ) {
        if !self.has_rules() {
            return;
        }
        if self.rules.is_none() {
            let detail = "nobody here judges the rules of the policy";
            return case.find(out, Code::RulesUnjudged, detail);
        }
        let mut ids = Vec::new();
        for question in asked {
            match self.answer(case, question) {
                Some(Answer::Permitted { rules }) => ids.push(rules),
                Some(Answer::Forbidden { rules }) => {
                    return case.find(out, Code::RulesForbid, told(question, &rules.join(", ")));
                }
                Some(Answer::Unreadable { what }) => {
                    return case.find(out, Code::RulesForbid, told(question, &what));
                }
                None => return,
            }
        }
        for question in besides {
            if let Some(Answer::Permitted { rules } | Answer::Forbidden { rules }) =
                self.answer(case, question)
            {
                ids.push(rules);
            }
        }
        let Some(decision) = case.entry.body.decision() else { return };
        let named = decision.rules.iter().filter_map(|rule| rule.strip_prefix(RULE_PREFIX));
        let named: BTreeSet<&str> = named.collect();
        let first = ids.first().into_iter().flatten().map(String::as_str);
        let all: BTreeSet<&str> = ids.iter().flatten().map(String::as_str).collect();
        if !first.clone().all(|rule| named.contains(rule)) || !named.is_subset(&all) {
            let said: Vec<&str> = named.into_iter().collect();
            let all: Vec<&str> = all.into_iter().collect();
            let detail = format!("it names [{}], it was [{}]", said.join(", "), all.join(", "));
            case.find(out, Code::RulesMismatch, detail);
        }
    }

    /// Checks an act of `by` about `grant`.
    pub(super) fn check_act(
        &self,
        case: &Case<'_>,
        grant: &Grant,
        by: &PrincipalId,
        action: Action,
        out: &mut Findings,
    ) {
        if !self.has_rules() {
            return;
        }
        let circumstances = self.circumstances(case, grant, None);
        let question = self.question(by, action, Some(&grant.ask.scope), circumstances);
        self.permitted(case, &[question], &[], out);
    }
}

fn told(question: &Question<'_>, why: &str) -> String {
    let who = question.principal;
    let why = if why.is_empty() { "nothing permits it" } else { why };
    format!("{who} may not {}: {why}", question.action.name())
}
