//! Approving.

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::statement::{Approve, Lane};

use crate::ask;
use crate::decide::{Facts, speaks_for};
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule, with};
use crate::refusal::Refusal;
use crate::request::{Given, Pending};
use crate::stages;
use crate::verdict::{Event, Verdict};

/// Judges an approval.
pub(crate) fn approve(
    facts: &Facts<'_>,
    approve: &Approve,
    key: &PublicKey,
) -> Result<Verdict, Refusal> {
    let request = facts.about(approve.request)?;
    let pending = facts.waiting(request)?;
    let Pending { asked, given, .. } = pending;
    if asked.ask.lane == Lane::Emergency {
        // Nobody's yes makes it faster; a no ends it.
        let state = "an emergency, which waits for nobody's yes";
        return Err(Refusal::WrongState { state, needs: "waiting for approvals" });
    }
    if approve.policy != facts.policy.digest {
        let (shown, in_force) = (approve.policy, facts.policy.digest);
        return Err(Refusal::PolicyNotInForce { shown, in_force });
    }
    let then = stages::policy_then(facts, asked)?;
    let approver = speaks_for(facts.policy, key, &approve.by)?;
    stages::eligible(facts.policy, then, pending, approver, key, &approve.stage)?;
    if let Some(earlier) = given.iter().find(|given| given.by == approve.by) {
        let (by, stage, seq) = (approve.by.clone(), earlier.stage.clone(), earlier.seq);
        return Err(Refusal::AlreadyApproved { by, stage, seq });
    }
    if approve.ttl_max < asked.ask.ttl {
        let (ttl_max, ttl) = (approve.ttl_max, asked.ask.ttl);
        return Err(Refusal::TtlMaxBelow { ttl_max, ttl });
    }
    ask::unchanged(facts.policy, then, &asked.ask)?;
    let about = Matter { stage: Some(&approve.stage), ..Matter::ask(&asked.ask) };
    let permitted = permit(facts, Action::Approve, &approve.by, about)?;
    let missing = missing_with(facts, pending, approve, key)?;
    let rules = with(&rule::stage(&approve.stage), permitted);
    let decision = grounds::decision(facts, Some(&asked.ask), Some(&approve.by), rules, "approved");
    let decision = grounds::weigh(facts, decision, Some(&approve.stage));
    Ok(Verdict::Record(Event::Approved { stage: approve.stage.clone(), missing }, decision))
}

/// What is missing once this approval counts too.
fn missing_with(
    facts: &Facts<'_>,
    pending: &Pending,
    approve: &Approve,
    key: &PublicKey,
) -> Result<u64, Refusal> {
    let this = Given {
        by: approve.by.clone(),
        stage: approve.stage.clone(),
        ttl_max: approve.ttl_max,
        seq: u64::MAX,
        key: key.fingerprint(),
        at: facts.second(),
    };
    let tally = stages::tally(facts, pending, pending.given.iter().chain(std::iter::once(&this)))?;
    Ok(tally.missing.total())
}
