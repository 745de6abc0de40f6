//! What a decision entry says about how it was reached, so that a stranger can reach it too.

use breakglass_ledger::entry::{Context, Decision, OutageState};
use breakglass_ledger::principal::{DependencyId, PrincipalId, StageId};
use breakglass_ledger::statement::Ask;

use crate::decide::Facts;
use crate::eligibility::others_alive;

/// The grounds of a decision about `ask` and an act of `actor` (`None`: the clock or a stranger);
/// `rules` are the ids of the rules that determined it.
pub(crate) fn decision(
    facts: &Facts<'_>,
    ask: Option<&Ask>,
    actor: Option<&PrincipalId>,
    rules: Vec<String>,
    outcome: &str,
) -> Decision {
    let actor = actor.and_then(|actor| facts.policy.principal(actor));
    let mut context = Context {
        lane: ask.map(|ask| ask.lane),
        outage: OutageState::None,
        outage_since: None,
        stage: None,
        live: None,
        budget: None,
        drill_age: None,
        time: facts.second(),
        kind: actor.map(|actor| actor.kind),
        delegation: ask.map(|ask| ask.on_behalf_of.clone()).unwrap_or_default(),
    };
    let scope = ask.and_then(|ask| facts.policy.scope(&ask.scope));
    see(facts, &mut context, scope.and_then(|scope| scope.outage.as_ref()));
    Decision { policy: facts.policy.digest, rules, context, outcome: outcome.to_owned() }
}

/// Says in `context` whether `dependency` is down, as the ledger has it so far.
pub(crate) fn see(facts: &Facts<'_>, context: &mut Context, dependency: Option<&DependencyId>) {
    let since = dependency.and_then(|it| facts.world.down_since(it, facts.second()));
    context.outage = if since.is_some() { OutageState::Active } else { OutageState::None };
    context.outage_since = since;
}

/// The id of a built-in rule, and those of the policy's own.
pub(crate) fn with(built_in: &str, permitted: Vec<String>) -> Vec<String> {
    std::iter::once(built_in.to_owned()).chain(permitted).collect()
}

/// Says in the decision over a request, an approval or a collect what the policy's rules may have
/// counted: entries under a policy without rules stay as small as they are.
pub(crate) fn weigh(
    facts: &Facts<'_>,
    mut decision: Decision,
    stage: Option<&StageId>,
) -> Decision {
    if !facts.rules.is_none() {
        let context = &mut decision.context;
        context.live = Some(others_alive(facts));
        context.budget = Some(facts.history.budget_used);
        context.drill_age = facts.history.drill_age;
        context.stage = stage.cloned();
    }
    decision
}

/// Ids of the built-in rules, as they stand in decision entries.
pub(crate) mod rule {
    use breakglass_ledger::principal::{CallerId, StageId};

    /// The requester is among those who may ask.
    pub(crate) const REQUESTERS: &str = "requesters";
    /// The scope says in so many words that no approval is needed.
    pub(crate) const NO_APPROVAL: &str = "approval:none";
    /// The signer is an approver of the scope.
    pub(crate) const APPROVER: &str = "approver";
    /// The signer is one of the scope's owners.
    pub(crate) const OWNER: &str = "owner";
    /// The signer made the request.
    pub(crate) const REQUESTER: &str = "requester";
    /// The request waited as long as the scope allows.
    pub(crate) const PENDING_MAX: &str = "pending-max";
    /// A new policy does not allow the open request; the name of the refusal stands beside it.
    pub(crate) const POLICY_CHANGED: &str = "policy-changed";
    /// The stage waited as long as it may.
    pub(crate) const WITHIN: &str = "within";
    /// Nobody answered, and those who were passed over did not cancel.
    pub(crate) const EMERGENCY: &str = "emergency";
    /// The credential lived as long as was asked for.
    pub(crate) const TTL: &str = "ttl";
    /// The time after which a revoked grant closes.
    pub(crate) const CLOSE_AFTER: &str = "close-after";
    /// The subject key of the request signed.
    pub(crate) const SUBJECT_KEY: &str = "subject-key";

    /// The probes say so.
    pub(crate) const MEASURED: &str = "measured";
    /// A declaration counts until the second it names.
    pub(crate) const DECLARED_UNTIL: &str = "declared-until";
    /// Recovery ends what the outage opened.
    pub(crate) const OUTAGE_ENDED: &str = "outage-ended";
    /// A lock counts until the second it names.
    pub(crate) const LOCKED_UNTIL: &str = "locked-until";

    /// A host reports of a target of its own.
    pub(crate) const HOST: &str = "host";

    /// This service was shown the token.
    pub(crate) fn caller(id: &CallerId) -> String {
        format!("caller:{id}")
    }

    /// The lock of this entry covers it.
    pub(crate) fn lock(seq: u64) -> String {
        format!("lock:{seq}")
    }

    /// The quorum of a stage.
    pub(crate) fn stage(stage: &StageId) -> String {
        format!("stage:{stage}")
    }
}
