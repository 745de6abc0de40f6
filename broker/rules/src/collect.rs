//! Collecting the credential, and confirming that it arrived: both by the subject key alone.

use std::collections::BTreeSet;

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::statement::{Collect, Kind, Lane, Pickup};
use breakglass_ledger::time::Timestamp;

use crate::clearance::Clearance;
use crate::decide::Facts;
use crate::grounds::{self, rule};
use crate::profile::Profile;
use crate::refusal::Refusal;
use crate::request::{Asked, Live, Pending, Request};
use crate::stages::{self, Tally};
use crate::verdict::{Event, Verdict};
use crate::{
    BACKDATE_SECONDS, TOKEN_BACKDATE_SECONDS, TOKENS_MAX, ask, emergency, outage, restraint,
};

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
    ask::minted(facts, collect.kind)?;
    if let Request::Live(live) = request {
        return another(facts, live, collect.kind);
    }
    let pending = facts.waiting(request)?;
    let cleared = may_issue(facts, pending)?;
    let scope = ask::scope(facts.policy, &pending.asked.ask)?;
    emergency::delay_over(facts, scope, &pending.asked)?;
    restraint::allows(facts, scope, &pending.asked.ask)?;
    ask::room(facts, scope)?;
    let ends = facts.now.plus(u64::from(asked.ask.ttl.seconds()));
    let terms = Terms { kind: collect.kind, ends, replaces: None };
    clear(facts, &pending.asked, &terms, cleared).map(Verdict::Sign)
}

/// Judges a collect in a grant that gave a credential before: it gives one of every kind asked for,
/// and another token for the one before. What was counted for the whole grant, its time, its place
/// among those alive, is not counted again.
fn another(facts: &Facts<'_>, live: &Live, kind: Kind) -> Result<Verdict, Refusal> {
    if facts.second() >= live.ends() {
        return Err(Refusal::WrongState { state: "expired", needs: "live" });
    }
    let before = live.newest(kind);
    if let Some(before) = before
        && kind != Kind::Jwt
    {
        // The credential is public and bound to the key that asks: telling it again is harmless.
        return Ok(Verdict::Again { seq: before.seq });
    }
    if live.credentials().filter(|issued| matches!(issued.kind, Kind::Jwt)).count() >= TOKENS_MAX {
        return Err(Refusal::TokensSpent { max: TOKENS_MAX });
    }
    let Live { asked, given, escalated, .. } = live;
    let (given, escalated) = (given.clone(), escalated.clone());
    let pending = Pending { asked: asked.clone(), given, escalated };
    let cleared = may_issue(facts, &pending)?;
    let replaces = before.map(|before| before.serial);
    let terms = Terms { kind, ends: live.ends(), replaces };
    clear(facts, asked, &terms, cleared).map(Verdict::Sign)
}

/// The approvals that count and the rules that permit it, if a credential may be issued now.
fn may_issue(facts: &Facts<'_>, pending: &Pending) -> Result<(Tally, Vec<String>), Refusal> {
    let asked = &pending.asked;
    may_still_hold(facts, asked)?;
    outage::lane_open(facts, ask::scope(facts.policy, &asked.ask)?, &asked.ask)?;
    let permitted = ask::entitled(facts, &asked.ask)?;
    let tally = stages::tally(facts, pending, pending.given.iter())?;
    if !tally.missing.0.is_empty() {
        return Err(Refusal::NotApprovedYet { missing: tally.missing });
    }
    if !facts.can_revoke {
        return Err(Refusal::CannotRevoke);
    }
    Ok((tally, permitted))
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
    let newest = live.credentials().next_back().map_or(live.issued.entry, |issued| issued.entry);
    let Some(issued) = live.credentials().find(|issued| issued.entry == pickup.issued) else {
        return Err(Refusal::PickupMismatch { named: pickup.issued, issued: newest });
    };
    if let Some(seq) = issued.picked_up {
        return Ok(Verdict::Again { seq });
    }
    let ask = &live.asked.ask;
    let rules = vec![rule::SUBJECT_KEY.to_owned()];
    let decision = grounds::decision(facts, Some(ask), Some(&ask.by), rules, "picked-up");
    Ok(Verdict::Record(Event::PickedUp, decision))
}

/// Whether `key` is the subject key; where the request brought none, the one that signed it.
fn is_subject(asked: &Asked, key: &PublicKey) -> Result<(), Refusal> {
    let is_theirs = match &asked.ask.key {
        Some(subject) => subject == key,
        None => asked.key == key.fingerprint(),
    };
    if is_theirs { Ok(()) } else { Err(Refusal::NotTheSubjectKey { key: key.fingerprint() }) }
}

/// Whether the policy in force lets the requester hold what was asked, as approvers were shown it.
fn may_still_hold(facts: &Facts<'_>, asked: &Asked) -> Result<(), Refusal> {
    let then = stages::policy_then(facts, asked)?;
    ask::standing(facts.policy, &asked.ask)?;
    ask::key_is_still_theirs(facts.policy, asked)?;
    ask::subject_key(facts.policy, &asked.ask)?;
    ask::unchanged(facts.policy, then, &asked.ask)
}

/// What differs between the credentials of one grant.
struct Terms {
    kind: Kind,
    /// First second at which the grant is over.
    ends: Timestamp,
    /// The token before.
    replaces: Option<u64>,
}

/// The one place where permission comes into being.
fn clear(
    facts: &Facts<'_>,
    asked: &Asked,
    terms: &Terms,
    (tally, permitted): (Tally, Vec<String>),
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
    let profile = Profile::of(scope, terms.kind)?.in_lane(ask.lane);
    Ok(Clearance {
        request: ask.id,
        holder: ask.by.clone(),
        lane: ask.lane,
        on_behalf_of: ask.on_behalf_of.clone(),
        scope: ask.scope.clone(),
        kind: terms.kind,
        subject: ask::subject_key(facts.policy, ask)?.cloned(),
        not_before: facts.now.minus(backdate(&profile)),
        expires_at: expiry(&profile, facts.now, terms.ends),
        ends: terms.ends,
        replaces: terms.replaces,
        profile,
        approvals: tally.counted,
        decision: grounds::weigh(facts, decision, None),
    })
}

/// RFC 7519, 4.1.5: `nbf` allows for clocks that differ; targets add leeway of their own to tokens.
const fn backdate(profile: &Profile) -> u64 {
    match profile {
        Profile::Ssh(_) | Profile::X509(_) => BACKDATE_SECONDS,
        Profile::Jwt(_) => TOKEN_BACKDATE_SECONDS,
    }
}

/// A certificate ends with its grant. A token is soon over, because nobody asks again about it.
fn expiry(profile: &Profile, now: Timestamp, ends: Timestamp) -> Timestamp {
    match profile {
        Profile::Ssh(_) | Profile::X509(_) => ends,
        Profile::Jwt(jwt) => ends.min(now.plus(jwt.ttl_max.into())),
    }
}
