//! Whom an entry is told to, and until when.

use std::collections::BTreeSet;
use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Entry;
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::{DependencyId, PrincipalId};
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::Timestamp;

use super::super::case::Case;
use super::super::notice::{About, Address, Notice, Topic, name};
use super::super::recipients;
use super::{Look, NEWS_SECONDS, Step};
use crate::alarm::{Alarm, Wrong};
use crate::desk::DeskError;

/// Who is told of a new request: approvers; in the emergency lane everybody concerned.
pub(super) fn requested(
    entry: &Entry,
    case: &Case,
    policy: &Policy,
    look: &mut dyn Look,
) -> Vec<Step> {
    let Some(scope) = policy.scope(&case.asked.scope) else { return Vec::new() };
    let (topic, people, until) = if case.asked.lane == Lane::Emergency {
        let stages = scope.stages().iter();
        let mut people: BTreeSet<_> = stages
            .flat_map(|stage| recipients::approvers(policy, stage, true, &case.asked.by))
            .chain(recipients::owners(policy, scope))
            .chain(policy.people.all_of(&scope.on_warning).into_iter().cloned())
            .collect();
        people.remove(&case.asked.by);
        (Topic::Emergency, people, case.at.plus(NEWS_SECONDS))
    } else {
        (Topic::Asked, case.unanswered(policy, scope), case.asked.lapses)
    };
    let at = (entry.seq, case.at, until);
    notices(at, &case.about, policy, &look.in_force(), &people, &topic)
}

/// Tells those whom `people` picks of an entry about `case`.
pub(super) fn tell(
    entry: &Entry,
    case: &Case,
    policy: Digest,
    look: &mut dyn Look,
    topic: Topic,
    people: impl FnOnce(&Policy, &Scope, &Case) -> BTreeSet<PrincipalId>,
) -> Result<Vec<Step>, DeskError> {
    let policy = look.policy(policy)?;
    let Some(scope) = policy.scope(&case.asked.scope) else { return Ok(Vec::new()) };
    let people = people(&policy, scope, case);
    let at = entry.time.second();
    let until = if topic.is_question() { case.asked.lapses } else { at.plus(NEWS_SECONDS) };
    let at = (entry.seq, at, until);
    Ok(notices(at, &case.about, &policy, &look.in_force(), &people, &topic))
}

pub(super) fn outage(
    entry: &Entry,
    policy: Digest,
    dependency: &DependencyId,
    look: &mut dyn Look,
    topic: Topic,
) -> Result<Vec<Step>, DeskError> {
    let policy = look.policy(policy)?;
    let people = recipients::owners_of(&policy, dependency);
    let about = Arc::new(About::Outage(dependency.clone()));
    let at = entry.time.second();
    let at = (entry.seq, at, at.plus(NEWS_SECONDS));
    Ok(notices(at, &about, &policy, &look.in_force(), &people, &topic))
}

/// Tells of what is wrong at a host, once: a host that goes on accepting what is revoked reports so with
/// every list.
pub(super) fn alarmed(entry: &Entry, look: &mut dyn Look) -> Result<Vec<Step>, DeskError> {
    let Some(alarm) = Alarm::of(entry) else { return Ok(Vec::new()) };
    if let Wrong::Accepted { list, .. } = alarm.what
        && look.accepted_before(&alarm.target, list, entry.seq)?
    {
        return Ok(Vec::new());
    }
    let policy = look.in_force();
    let people = recipients::guardians(&policy, &alarm.target);
    let grant = match alarm.what {
        Wrong::Overdue { revoked } => look.grant(revoked)?,
        Wrong::Accepted { .. } | Wrong::Unlogged { .. } => None,
    };
    let about = Arc::new(About::Target(alarm.target.clone(), grant));
    let at = entry.time.second();
    let at = (entry.seq, at, at.plus(NEWS_SECONDS));
    Ok(notices(at, &about, &policy, &policy, &people, &Topic::Alarm(alarm)))
}

/// One notice for each address of `people`; `at` is the entry's number and time, and until when
/// telling it has a point.
pub(super) fn notices(
    at: (u64, Timestamp, Timestamp),
    about: &Arc<About>,
    policy: &Policy,
    in_force: &Policy,
    people: &BTreeSet<PrincipalId>,
    topic: &Topic,
) -> Vec<Step> {
    let (entry, at, until) = at;
    let addresses = recipients::addresses(policy, in_force, people);
    let notice = |(address, to): (String, BTreeSet<PrincipalId>)| {
        let address = Address::new(&address);
        Step::Tell(Box::new(Notice {
            id: name(entry, address.text(), topic.reminder()),
            entry,
            at,
            topic: topic.clone(),
            about: Arc::clone(about),
            to: to.into_iter().collect(),
            address,
            until,
        }))
    };
    addresses.into_iter().map(notice).collect()
}

pub(super) fn requester_and_owners(
    policy: &Policy,
    scope: &Scope,
    case: &Case,
) -> BTreeSet<PrincipalId> {
    let mut people = recipients::owners(policy, scope);
    people.insert(case.asked.by.clone());
    people
}
