//! Collecting the credential, and confirming that it arrived: both by the subject key alone.

use std::collections::BTreeSet;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Scope, SshProfile};
use breakglass_ledger::statement::{Collect, Lane, Pickup};

use crate::clearance::Clearance;
use crate::decide::Facts;
use crate::grounds::{self, rule};
use crate::refusal::Refusal;
use crate::request::{Asked, Request};
use crate::stages::{self, Tally};
use crate::verdict::{Event, Verdict};
use crate::{BACKDATE_SECONDS, DRILL_PREFIX, ask, emergency, outage, restraint};

/// Judges a collect: everything that was judged before is judged again, now.
pub(crate) fn collect(
    facts: &Facts<'_>,
    collect: &Collect,
    key: &PublicKey,
) -> Result<Verdict, Refusal> {
    let request = facts.about(collect.request)?;
    let asked = request.asked();
    is_subject(asked, key)?;
    if !asked.ask.kinds.contains(&collect.kind) {
        return Err(Refusal::KindNotAsked { kind: collect.kind.name() });
    }
    if let Request::Live(_) = request {
        // The credential is public and bound to the key that asks: telling it again is harmless.
        return Ok(Verdict::Again { seq: facts.alive(request)?.issued.seq });
    }
    let pending = facts.waiting(request)?;
    let asked = &pending.asked;
    may_still_hold(facts, asked)?;
    outage::lane_open(facts, ask::scope(facts.policy, &asked.ask)?, &asked.ask)?;
    let permitted = ask::entitled(facts, &asked.ask)?;
    let tally = stages::tally(facts, pending, pending.given.iter())?;
    if !tally.missing.0.is_empty() {
        return Err(Refusal::NotApprovedYet { missing: tally.missing });
    }
    let scope = ask::scope(facts.policy, &asked.ask)?;
    emergency::delay_over(facts, scope, asked)?;
    restraint::allows(facts, scope, &asked.ask)?;
    ask::room(facts, scope)?;
    if !facts.can_revoke {
        return Err(Refusal::CannotRevoke);
    }
    clear(facts, asked, collect, tally, permitted).map(Verdict::Sign)
}

/// Judges a pickup.
pub(crate) fn pick_up(
    facts: &Facts<'_>,
    pickup: &Pickup,
    key: &PublicKey,
) -> Result<Verdict, Refusal> {
    let request = facts.about(pickup.request)?;
    is_subject(request.asked(), key)?;
    let live = facts.alive(request)?;
    if pickup.issued != live.issued.entry {
        let (named, issued) = (pickup.issued, live.issued.entry);
        return Err(Refusal::PickupMismatch { named, issued });
    }
    if let Some(seq) = live.picked_up {
        return Ok(Verdict::Again { seq });
    }
    let ask = &live.asked.ask;
    let rules = vec![rule::SUBJECT_KEY.to_owned()];
    let decision = grounds::decision(facts, Some(ask), Some(&ask.by), rules, "picked-up");
    Ok(Verdict::Record(Event::PickedUp, decision))
}

fn is_subject(asked: &Asked, key: &PublicKey) -> Result<(), Refusal> {
    if asked.ask.key.as_ref() != Some(key) {
        return Err(Refusal::NotTheSubjectKey { key: key.fingerprint() });
    }
    Ok(())
}

/// Whether the policy in force lets the requester hold what was asked, as approvers were shown it.
fn may_still_hold(facts: &Facts<'_>, asked: &Asked) -> Result<(), Refusal> {
    let then = stages::policy_then(facts, asked)?;
    ask::standing(facts.policy, &asked.ask)?;
    ask::key_is_still_theirs(facts.policy, asked)?;
    ask::subject_key(facts.policy, &asked.ask)?;
    ask::unchanged(facts.policy, then, &asked.ask)
}

/// The one place where permission comes into being.
fn clear(
    facts: &Facts<'_>,
    asked: &Asked,
    collect: &Collect,
    tally: Tally,
    permitted: Vec<String>,
) -> Result<Clearance, Refusal> {
    let ask = &asked.ask;
    let scope = ask::scope(facts.policy, ask)?;
    let stages = stages::required(scope, ask.lane)?;
    let mut rules = vec![rule::REQUESTERS.to_owned()];
    rules.extend(stages.iter().map(|stage| rule::stage(&stage.name)));
    if ask.lane == Lane::Emergency {
        rules.push(rule::EMERGENCY.to_owned());
    } else if stages.is_empty() {
        rules.push(rule::NO_APPROVAL.to_owned());
    }
    let permitting: BTreeSet<String> = tally.permitting.into_iter().chain(permitted).collect();
    rules.extend(permitting);
    let decision = grounds::decision(facts, Some(ask), Some(&ask.by), rules, "issued");
    Ok(Clearance {
        request: ask.id,
        holder: ask.by.clone(),
        lane: ask.lane,
        on_behalf_of: ask.on_behalf_of.clone(),
        scope: ask.scope.clone(),
        kind: collect.kind,
        subject: ask::subject_key(facts.policy, ask)?.clone(),
        profile: profile(scope, ask.lane)?,
        not_before: facts.now.minus(BACKDATE_SECONDS),
        expires_at: facts.now.plus(u64::from(ask.ttl.seconds())),
        approvals: tally.counted,
        decision: grounds::weigh(facts, decision, None),
    })
}

/// What a certificate carries: in a drill, principals that open nothing real.
fn profile(scope: &Scope, lane: Lane) -> Result<SshProfile, Refusal> {
    let mut profile = ask::ssh_profile(scope)?.clone();
    if lane == Lane::Drill {
        for principal in &mut profile.principals {
            principal.insert_str(0, DRILL_PREFIX);
        }
    }
    Ok(profile)
}
