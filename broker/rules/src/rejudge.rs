//! A new policy judges again what is open and what is out: what it no longer allows ends at once.

use breakglass_ledger::entry::Cause;

use crate::decide::Facts;
use crate::ending::{revoke, wrong};
use crate::grounds::{self, rule};
use crate::refusal::{AskRefusal, Refusal};
use crate::request::{Asked, Live, Pending, Request};
use crate::verdict::{Event, Verdict};
use crate::{ask, lock, reach, stages};

/// The policy changed: what is no longer allowed ends now.
pub(crate) fn rejudge(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let request = facts.given_request()?;
    match request {
        // One whose time is over lapses for that.
        Request::Pending(_) => waiting(facts, facts.waiting(request)?),
        Request::Live(live) => alive(facts, live),
        Request::Ended(_) | Request::Closed(_) => Err(wrong(request, "pending or live")),
    }
}

/// The approvals are not counted again: they were good when the credential was issued, and an
/// approver who leaves does not take back what others hold.
fn alive(facts: &Facts<'_>, live: &Live) -> Result<Verdict, Refusal> {
    // A new policy may put a grant under a lock: by naming a locked host, for instance.
    if let Some(verdict) = lock::revoke(facts, live) {
        return Ok(verdict);
    }
    match may_go_on(facts, &live.asked) {
        Ok(()) => Err(Refusal::StillAllowed),
        Err(why) => Ok(revoke(facts, live, None, Cause::PolicyChanged, why.name())),
    }
}

fn may_go_on(facts: &Facts<'_>, asked: &Asked) -> Result<(), Refusal> {
    let then = stages::policy_then(facts, asked)?;
    ask::standing(facts.policy, &asked.ask)?;
    ask::key_is_still_theirs(facts.policy, asked)?;
    ask::subject_key(facts.policy, &asked.ask)?;
    ask::entitled(facts, &asked.ask)?;
    ask::still_covered(facts.policy, then, &asked.ask)
}

/// What can never be issued under this policy need not wait until its time is over.
fn waiting(facts: &Facts<'_>, pending: &Pending) -> Result<Verdict, Refusal> {
    match may_wait_on(facts, &pending.asked) {
        Ok(()) => Err(Refusal::StillAllowed),
        // That an older policy is lost says nothing about this one. Nothing is issued meanwhile.
        Err(why @ Refusal::PolicyUnreadable { .. }) => Err(why),
        Err(why) => Ok(lapse(facts, &pending.asked, &why)),
    }
}

/// Whether it might still be issued, as far as that is for the policy to say: an approval that no
/// longer counts leaves room for others, and a lock, an outage or a cooldown may be over in time.
fn may_wait_on(facts: &Facts<'_>, asked: &Asked) -> Result<(), Refusal> {
    ask::standing(facts.policy, &asked.ask)?;
    ask::key_is_still_theirs(facts.policy, asked)?;
    ask::subject_key(facts.policy, &asked.ask)?;
    ask::entitled(facts, &asked.ask)?;
    let then = stages::policy_then(facts, asked)?;
    ask::unchanged(facts.policy, then, &asked.ask)?;
    reach::enough_people(facts.policy, then, asked)
}

fn lapse(facts: &Facts<'_>, asked: &Asked, why: &Refusal) -> Verdict {
    let mut rules = vec![rule::POLICY_CHANGED.to_owned(), why.name().to_owned()];
    if let Refusal::Ask(AskRefusal::RulesForbid { rules: determining, .. }) = why {
        rules.extend(determining.iter().cloned());
    }
    let event = Event::Lapsed;
    let decision = grounds::decision(facts, Some(&asked.ask), None, rules, event.name());
    Verdict::Record(event, grounds::weigh(facts, decision, None))
}
