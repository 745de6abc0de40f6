//! Looking at a use afterwards: by an owner who took no part in it.

use breakglass_ledger::policy::Scope;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Review, ReviewVerdict};

use crate::decide::Facts;
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule, with};
use crate::refusal::{Refusal, ReviewRefusal};
use crate::request::{Closed, Ended, Request};
use crate::verdict::{Event, Verdict};
use crate::{ask, ending};

/// Judges a review.
pub(crate) fn review(facts: &Facts<'_>, review: &Review) -> Result<Verdict, Refusal> {
    let request = facts.about(review.request)?;
    let asked = request.asked();
    ending::person(facts, &review.by)?;
    if took_part(request, &review.by) {
        return Err(Refusal::Review(ReviewRefusal::ReviewerTookPart {
            by: review.by.clone(),
            request: request.id(),
        }));
    }
    let scope = ask::scope(facts.policy, &asked.ask)?;
    owner(facts, scope, &review.by)?;
    was_used(request)?;
    match facts.history.reviewed {
        None | Some(ReviewVerdict::Inconclusive) => {}
        Some(verdict) => {
            return Err(Refusal::Review(ReviewRefusal::AlreadyReviewed {
                request: request.id(),
                verdict,
            }));
        }
    }
    let permitted = permit(facts, Action::Review, &review.by, Matter::ask(&asked.ask))?;
    let rules = with(rule::OWNER, permitted);
    let by = Some(&review.by);
    let decision = grounds::decision(facts, Some(&asked.ask), by, rules, "reviewed");
    Ok(Verdict::Record(Event::Reviewed, decision))
}

/// Requester, anybody the requester spoke for, or one who approved.
fn took_part(request: &Request, by: &PrincipalId) -> bool {
    let ask = &request.asked().ask;
    ask.by == *by
        || ask.on_behalf_of.contains(by)
        || request.given().iter().any(|given| given.by == *by)
}

fn owner(facts: &Facts<'_>, scope: &Scope, by: &PrincipalId) -> Result<(), Refusal> {
    if !ask::is_owner(facts.policy, scope, by) {
        return Err(Refusal::Review(ReviewRefusal::NotEntitledToReview {
            by: by.clone(),
            scope: scope.id.clone(),
        }));
    }
    Ok(())
}

/// Only a use is reviewed, and only once it is over.
fn was_used(request: &Request) -> Result<(), Refusal> {
    let over = match request {
        Request::Ended(Ended { issued, .. }) | Request::Closed(Closed { issued, .. }) => {
            issued.is_some()
        }
        Request::Pending(_) | Request::Live(_) => false,
    };
    if !over {
        let (state, needs) = (request.state(), "revoked");
        return Err(Refusal::WrongState { state, needs });
    }
    Ok(())
}
