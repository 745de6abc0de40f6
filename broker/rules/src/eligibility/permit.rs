//! The question as the rest of the law puts it: may this principal do this, on these facts?

use breakglass_ledger::audit::{Answer, Circumstances};
use breakglass_ledger::principal::{PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::Ask;
use breakglass_ledger::time::Timestamp;

use super::{Action, Question, Rules};
use crate::decide::Facts;
use crate::refusal::{AskRefusal, Refusal};
use crate::request::Request;

/// What an act is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Matter<'a> {
    /// The request.
    pub(crate) ask: Option<&'a Ask>,
    /// The scope, where there is no request; without either it is the ledger.
    pub(crate) scope: Option<&'a ScopeId>,
    /// The stage, for an approval.
    pub(crate) stage: Option<&'a StageId>,
    /// Since when the dependency that is declared is down; for requests it is that of their scope.
    pub(crate) outage_since: Option<Timestamp>,
}

impl<'a> Matter<'a> {
    /// An act about a request.
    pub(crate) fn ask(ask: &'a Ask) -> Self {
        Self { ask: Some(ask), ..Self::default() }
    }
}

/// The ids of the rules that permit `who` this act, as decision entries carry them; none if the
/// policy has no rules.
///
/// # Errors
///
/// [`AskRefusal::RulesForbid`], or [`AskRefusal::RulesUnreadable`] if a rule fails: never a yes.
pub(crate) fn permit(
    facts: &Facts<'_>,
    action: Action,
    who: &PrincipalId,
    about: Matter<'_>,
) -> Result<Vec<String>, Refusal> {
    if facts.rules.is_none() {
        return Ok(Vec::new());
    }
    let scope = about.ask.map(|ask| &ask.scope).or(about.scope);
    let circumstances = circumstances(facts, about);
    answered(facts.rules, &Question { principal: who, action, scope, circumstances })
}

/// The ids of the rules that permit what `question` asks.
pub(super) fn answered(rules: &Rules, question: &Question<'_>) -> Result<Vec<String>, Refusal> {
    let named = |rules: Vec<String>| rules.iter().map(|id| format!("cedar:{id}")).collect();
    match rules.judge(question) {
        Answer::Permitted { rules } => Ok(named(rules)),
        Answer::Forbidden { rules } => {
            let (by, action) = (question.principal.clone(), question.action.name());
            let rules = named(rules);
            Err(Refusal::Ask(AskRefusal::RulesForbid { by, action, rules }))
        }
        Answer::Unreadable { what } => Err(Refusal::Ask(AskRefusal::RulesUnreadable { what })),
    }
}

fn circumstances<'a>(facts: &Facts<'_>, about: Matter<'a>) -> Circumstances<'a> {
    let outage_since = about.outage_since.or_else(|| down_since(facts, about.ask?));
    Circumstances {
        outage_since,
        live: others_alive(facts),
        budget: facts.history.budget_used,
        drill_age: facts.history.drill_age,
        ..told(about, facts.second())
    }
}

/// What the act itself tells.
pub(super) fn told(about: Matter<'_>, at: Timestamp) -> Circumstances<'_> {
    let ask = about.ask;
    let depth = ask.map_or(0, |ask| ask.on_behalf_of.len());
    Circumstances {
        at,
        lane: ask.map(|ask| ask.lane),
        outage_since: about.outage_since,
        ttl: ask.map(|ask| ask.ttl),
        incident: ask.is_some_and(|ask| ask.incident.is_some()),
        depth: u64::try_from(depth).unwrap_or(u64::MAX),
        requester: ask.map(|ask| &ask.by),
        stage: about.stage,
        live: 0,
        budget: 0,
        drill_age: None,
    }
}

/// Grants of the scope that are out, without the one that is judged.
pub(crate) fn others_alive(facts: &Facts<'_>) -> u64 {
    let own = u32::from(matches!(facts.request, Some(Request::Live(_))));
    u64::from(facts.live_in_scope.saturating_sub(own))
}

/// Since when the dependency of the scope asked for is down.
fn down_since(facts: &Facts<'_>, ask: &Ask) -> Option<Timestamp> {
    let dependency = facts.policy.scope(&ask.scope)?.outage.as_ref()?;
    facts.world.down_since(dependency, facts.second())
}
