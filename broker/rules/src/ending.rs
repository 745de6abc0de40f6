//! Every way in which a request or a grant ends by people and by the clock; for what a new policy ends
//! see [`crate::rejudge`].

use breakglass_ledger::entry::Cause;
use breakglass_ledger::principal::{CallerId, PrincipalId};
use breakglass_ledger::statement::{About, Kind, Lane};
use breakglass_ledger::time::Timestamp;

use crate::decide::Facts;
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule};
use crate::refusal::Refusal;
use crate::request::{Asked, Ended, Live, Pending, Request};
use crate::verdict::{Event, Verdict};
use crate::{CLOSE_AFTER_SECONDS, ask, stages};

/// Who acted; `None` for the clock and the policy.
type Actor<'a> = Option<&'a PrincipalId>;

/// An approver of any stage says no, before anything is issued; to an emergency also an owner: nobody
/// agrees to it, so whoever answers for it may object in either way.
pub(crate) fn deny(facts: &Facts<'_>, about: &About) -> Result<Verdict, Refusal> {
    let request = facts.about(about.request)?;
    person(facts, &about.by)?;
    let alone = request.asked().ask.lane == Lane::Emergency;
    let rule = if alone && owner(facts, request.asked(), &about.by).is_ok() {
        rule::OWNER
    } else {
        approver(facts, request, &about.by)?;
        rule::APPROVER
    };
    let Pending { asked, .. } = facts.waiting(request)?;
    let permitted = permit(facts, Action::Deny, &about.by, Matter::ask(&asked.ask))?;
    Ok(record(facts, asked, Some(&about.by), Event::Denied, rule).also(permitted))
}

/// An approver or an owner ends it: a waiting request is denied, a live grant revoked.
pub(crate) fn cancel(facts: &Facts<'_>, about: &About) -> Result<Verdict, Refusal> {
    let request = facts.about(about.request)?;
    let asked = request.asked();
    person(facts, &about.by)?;
    let rule = match owner(facts, asked, &about.by) {
        Ok(()) => rule::OWNER,
        Err(_) => {
            approver(facts, request, &about.by)?;
            rule::APPROVER
        }
    };
    match request {
        Request::Live(_) => {
            let live = facts.alive(request)?;
            let permitted = permit(facts, Action::Cancel, &about.by, Matter::ask(&asked.ask))?;
            Ok(revoke(facts, live, Some(&about.by), Cause::Cancelled, rule).also(permitted))
        }
        Request::Pending(_) | Request::Ended(_) | Request::Closed(_) => {
            let Pending { asked, .. } = facts.waiting(request)?;
            let permitted = permit(facts, Action::Cancel, &about.by, Matter::ask(&asked.ask))?;
            Ok(record(facts, asked, Some(&about.by), Event::Denied, rule).also(permitted))
        }
    }
}

/// The requester takes back what was not issued yet.
pub(crate) fn withdraw(facts: &Facts<'_>, about: &About) -> Result<Verdict, Refusal> {
    let request = facts.about(about.request)?;
    requester(request.asked(), &about.by)?;
    let Pending { asked, .. } = facts.waiting(request)?;
    Ok(record(facts, asked, Some(&about.by), Event::Withdrawn, rule::REQUESTER))
}

/// The holder gives the grant back.
pub(crate) fn give_back(facts: &Facts<'_>, about: &About) -> Result<Verdict, Refusal> {
    let request = facts.about(about.request)?;
    requester(request.asked(), &about.by)?;
    let live = facts.alive(request)?;
    Ok(revoke(facts, live, Some(&about.by), Cause::Dropped, rule::REQUESTER))
}

/// A service that was shown the grant's token takes it back, and the grant with it: what else was
/// issued to the same hands is no safer than the token (RFC 7009, section 2.1).
pub(crate) fn take_back(
    facts: &Facts<'_>,
    serial: u64,
    caller: &CallerId,
) -> Result<Verdict, Refusal> {
    let live = facts.alive(facts.given_request()?)?;
    if live.newest(Kind::Jwt).map(|newest| newest.serial) != Some(serial) {
        return Err(Refusal::WrongState { state: "replaced", needs: "live" });
    }
    Ok(revoke(facts, live, None, Cause::TokenRevoked, &rule::caller(caller)))
}

/// The clock: it waited as long as it may.
pub(crate) fn lapse(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let request = facts.given_request()?;
    let Request::Pending(Pending { asked, .. }) = request else {
        return Err(wrong(request, "pending"));
    };
    due(facts, asked.lapses)?;
    Ok(record(facts, asked, None, Event::Lapsed, rule::PENDING_MAX))
}

/// The clock: the credential's time is over.
pub(crate) fn expire(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let live = live(facts.given_request()?)?;
    due(facts, live.ends())?;
    Ok(revoke(facts, live, None, Cause::Expired, rule::TTL))
}

/// The clock: even a host whose clock is [`CLOSE_AFTER_SECONDS`] slow agrees that it is over.
pub(crate) fn close(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let request = facts.given_request()?;
    let Request::Ended(Ended { asked, outcome, issued, .. }) = request else {
        return Err(wrong(request, "ended"));
    };
    if let Some(issued) = issued {
        due(facts, issued.ends.plus(CLOSE_AFTER_SECONDS))?;
    }
    Ok(record(facts, asked, None, Event::Closed { outcome: *outcome }, rule::CLOSE_AFTER))
}

/// Whether `by`, if the policy knows them, is a person.
pub(crate) fn person(facts: &Facts<'_>, by: &PrincipalId) -> Result<(), Refusal> {
    facts.policy.principal(by).map_or(Ok(()), stages::is_person)
}

/// An approver of any stage, or one whom a stage was passed on to.
fn approver(facts: &Facts<'_>, request: &Request, by: &PrincipalId) -> Result<(), Refusal> {
    let asked = request.asked();
    let escalated = match request {
        Request::Pending(pending) => pending.escalated.as_slice(),
        Request::Live(_) | Request::Ended(_) | Request::Closed(_) => &[],
    };
    let scope = ask::scope(facts.policy, &asked.ask)?;
    let asked_since = escalated.iter().filter_map(|name| stages::named(scope, name));
    let is_asked = asked_since.into_iter().any(|to| facts.policy.is_any(by, &to.escalate));
    if !is_asked && !stages::is_approver(facts.policy, scope, by) {
        return Err(Refusal::NotEntitledToEnd { by: by.clone(), scope: scope.id.clone() });
    }
    Ok(())
}

fn owner(facts: &Facts<'_>, asked: &Asked, by: &PrincipalId) -> Result<(), Refusal> {
    let scope = ask::scope(facts.policy, &asked.ask)?;
    if !ask::is_owner(facts.policy, scope, by) {
        return Err(Refusal::NotEntitledToEnd { by: by.clone(), scope: scope.id.clone() });
    }
    Ok(())
}

fn requester(asked: &Asked, by: &PrincipalId) -> Result<(), Refusal> {
    if asked.ask.by != *by {
        return Err(Refusal::NotYours { by: by.clone() });
    }
    Ok(())
}

fn due(facts: &Facts<'_>, due: Timestamp) -> Result<(), Refusal> {
    let now = facts.second();
    if now < due {
        return Err(Refusal::NotDue { due, now });
    }
    Ok(())
}

pub(crate) fn live(request: &Request) -> Result<&Live, Refusal> {
    match request {
        Request::Live(live) => Ok(live),
        Request::Pending(_) | Request::Ended(_) | Request::Closed(_) => Err(wrong(request, "live")),
    }
}

pub(crate) fn wrong(request: &Request, needs: &'static str) -> Refusal {
    Refusal::WrongState { state: request.state(), needs }
}

fn record(facts: &Facts<'_>, asked: &Asked, actor: Actor<'_>, event: Event, rule: &str) -> Verdict {
    let rules = vec![rule.to_owned()];
    let decision = grounds::decision(facts, Some(&asked.ask), actor, rules, event.name());
    Verdict::Record(event, decision)
}

pub(crate) fn revoke(
    facts: &Facts<'_>,
    live: &Live,
    actor: Actor<'_>,
    cause: Cause,
    rule: &str,
) -> Verdict {
    record(facts, &live.asked, actor, end(live, cause), rule)
}

/// The end of the grant and of every credential issued in it.
pub(crate) fn end(live: &Live, cause: Cause) -> Event {
    let also = live.further.iter().map(|issued| issued.serial).collect();
    Event::Revoked { cause, serial: live.issued.serial, also, valid_before: live.ends() }
}
