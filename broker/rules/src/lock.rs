//! Locks: who may set and lift them, what they stop, and what they end.
//!
//! A lock stops what it covers from the second it is written down until it is lifted or over by
//! itself; whether the entry that says that it is over was written yet does not matter.

use breakglass_ledger::entry::Cause;
use breakglass_ledger::key::{Fingerprint, PublicKey};
use breakglass_ledger::policy::{Policy, Scope};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Ask, Lock as LockAct, Statement, Target, Unlock};

use crate::decide::Facts;
use crate::delegation::stands_behind;
use crate::eligibility::{Action, Matter, permit};
use crate::grounds::{self, rule};
use crate::refusal::{LockRefusal, Refusal};
use crate::request::Live;
use crate::verdict::{Change, Verdict};
use crate::world::{Lock, World};
use crate::{ask, ending, stages};

/// How far ahead a lock may end: what is to last longer is locked without an end, and looked at
/// again by whoever lifts it.
pub const LOCK_MAX_SECONDS: u64 = 90 * 86_400;

/// Most locks that stand at once, over till somebody lifts them or the clock writes them off: all are
/// in memory (some 300 bytes each) and looked through by every command, and one answer lists them.
/// Each is a person's act, so a house that has so many has lost count of them.
pub const LOCKS_MAX: usize = 10_000;

/// Most locks of one person that stand at once. A twentieth of [`LOCKS_MAX`], so that one person who
/// locks everything they can think of does not keep others from locking what has to end; and enough
/// for the people and hosts of an incident.
pub const LOCKS_EACH_MAX: usize = 500;

/// Somebody locks.
pub(crate) fn lock(facts: &Facts<'_>, said: &LockAct) -> Result<Verdict, Refusal> {
    person(facts, &said.by)?;
    let rules = entitled(facts, &said.by, &said.target)?;
    let now = facts.second();
    let latest = now.plus(LOCK_MAX_SECONDS);
    if let Some(until) = said.until.filter(|until| *until <= now || *until > latest) {
        return Err(Refusal::Lock(LockRefusal::LockEnd { until, now, latest }));
    }
    room(facts.world, &said.by)?;
    Ok(change(facts, Change::Locked, Some(&said.by), rules))
}

/// Whether one more lock of `by` may stand. What is over counts until the clock wrote it off: it is in
/// memory so long.
fn room(world: &World, by: &PrincipalId) -> Result<(), Refusal> {
    let own = world.locks.values().filter(|lock| lock.by == *by).count();
    if own >= LOCKS_EACH_MAX {
        return Err(Refusal::Lock(LockRefusal::LocksMax {
            by: Some(by.clone()),
            max: LOCKS_EACH_MAX,
        }));
    }
    if world.locks.len() >= LOCKS_MAX {
        return Err(Refusal::Lock(LockRefusal::LocksMax { by: None, max: LOCKS_MAX }));
    }
    Ok(())
}

/// Somebody lifts a lock, never one of their own.
pub(crate) fn unlock(
    facts: &Facts<'_>,
    said: &Unlock,
    key: &PublicKey,
) -> Result<Verdict, Refusal> {
    let unknown = Refusal::Lock(LockRefusal::LockUnknown { lock: said.lock });
    let lock = facts.world.locks.get(&said.lock).ok_or(unknown)?;
    if is_on(facts, lock, &said.by) {
        return Err(Refusal::Lock(LockRefusal::UnlockOwn { by: said.by.clone(), seq: lock.seq }));
    }
    stops_actor(facts, Some(&said.by), key)?;
    person(facts, &said.by)?;
    let rules = entitled(facts, &said.by, &lock.target)?;
    Ok(change(facts, Change::Unlocked { lock: said.lock }, Some(&said.by), rules))
}

/// The clock: a lock is over by itself. The oldest of them, if several are.
pub(crate) fn run_out(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let now = facts.second();
    let over = facts.world.locks.values().filter(|lock| !lock.holds(now));
    let over = over.min_by_key(|lock| lock.seq).ok_or(Refusal::StillAllowed)?;
    let unlocked = Change::Unlocked { lock: over.statement };
    Ok(change(facts, unlocked, None, vec![rule::LOCKED_UNTIL.to_owned()]))
}

/// What was locked: a live grant that a lock covers ends.
pub(crate) fn enforce(facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let live = ending::live(facts.given_request()?)?;
    revoke(facts, live).ok_or(Refusal::StillAllowed)
}

/// The end of a grant that a lock covers, if one does.
pub(crate) fn revoke(facts: &Facts<'_>, live: &Live) -> Option<Verdict> {
    let lock = covering(facts, &live.asked.ask, Some(live.asked.key))?;
    let rules = vec![rule::lock(lock.seq)];
    let event = ending::end(live, Cause::Locked);
    let decision = grounds::decision(facts, Some(&live.asked.ask), None, rules, event.name());
    Some(Verdict::Record(event, decision))
}

/// Whether a lock stops what is said: whoever says it, or what it is about. Giving back is never
/// stopped; lifting a lock has a rule of its own.
pub(crate) fn stops(
    facts: &Facts<'_>,
    statement: &Statement,
    key: &PublicKey,
) -> Result<(), Refusal> {
    if facts.world.locks.is_empty() {
        return Ok(());
    }
    match statement.act() {
        Act::Drop(_) | Act::Withdraw(_) | Act::Unlock(_) => Ok(()),
        Act::Request(ask) => {
            stops_actor(facts, statement.by(), key)?;
            stopped(covering(facts, ask, Some(key.fingerprint())))
        }
        Act::Approve(_) | Act::Collect(_) => {
            stops_actor(facts, statement.by(), key)?;
            let asked = facts.request.map(crate::Request::asked);
            stopped(asked.and_then(|asked| covering(facts, &asked.ask, Some(asked.key))))
        }
        Act::Deny(_)
        | Act::Cancel(_)
        | Act::Escalate(_)
        | Act::Pickup(_)
        | Act::Lock(_)
        | Act::Declare(_)
        | Act::Resolve(_)
        | Act::Review(_)
        | Act::Applied(_)
        | Act::Use(_)
        | Act::Session(_)
        | Act::Policy(_) => stops_actor(facts, statement.by(), key),
    }
}

/// Whether what `who` approved with `key` counts for nothing while a lock is on them.
pub(crate) fn silences(facts: &Facts<'_>, who: &PrincipalId, key: Fingerprint) -> bool {
    standing(facts).any(|lock| match &lock.target {
        Target::Principal(id) => id == who,
        Target::Key(fingerprint) => *fingerprint == key,
        Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
    })
}

fn stops_actor(
    facts: &Facts<'_>,
    by: Option<&PrincipalId>,
    key: &PublicKey,
) -> Result<(), Refusal> {
    let oldest = standing(facts).filter(|lock| match &lock.target {
        Target::Principal(id) => by == Some(id),
        Target::Key(fingerprint) => *fingerprint == key.fingerprint(),
        Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
    });
    stopped(oldest.min_by_key(|lock| lock.seq))
}

fn stopped(lock: Option<&Lock>) -> Result<(), Refusal> {
    let Some(lock) = lock else { return Ok(()) };
    let (seq, target) = (lock.seq, lock.target.clone());
    Err(Refusal::Lock(LockRefusal::Locked {
        seq,
        target,
        until: lock.until,
        message: lock.comment,
    }))
}

fn standing<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a Lock> {
    let now = facts.second();
    facts.world.locks.values().filter(move |lock| lock.holds(now))
}

/// The oldest lock that covers what is asked, by whomever it was signed.
fn covering<'a>(facts: &Facts<'a>, ask: &Ask, key: Option<Fingerprint>) -> Option<&'a Lock> {
    let covers = |lock: &&Lock| covers(facts.policy, &lock.target, ask, key);
    standing(facts).filter(covers).min_by_key(|lock| lock.seq)
}

fn covers(policy: &Policy, target: &Target, ask: &Ask, key: Option<Fingerprint>) -> bool {
    match target {
        Target::Principal(id) => stands_behind(ask, id),
        Target::Key(fingerprint) => {
            let subject = ask.key.as_ref().map(PublicKey::fingerprint);
            key == Some(*fingerprint) || subject == Some(*fingerprint)
        }
        Target::Scope(id) => ask.scope == *id,
        Target::Host(host) => {
            let profile = policy.scope(&ask.scope).and_then(|scope| scope.ssh.as_ref());
            profile.is_some_and(|profile| profile.hosts.contains(host))
        }
        Target::Grant(id) => ask.id == *id,
    }
}

/// Whether the lock is on `who` themselves, by name, by one of their keys, or by their grant.
fn is_on(facts: &Facts<'_>, lock: &Lock, who: &PrincipalId) -> bool {
    let keys = || facts.policy.principal(who).into_iter().flat_map(|one| &one.keys);
    match &lock.target {
        Target::Principal(id) => id == who,
        Target::Key(fingerprint) => keys().any(|key| key.fingerprint() == *fingerprint),
        Target::Grant(_) => {
            facts.request.is_some_and(|request| stands_behind(&request.asked().ask, who))
        }
        Target::Scope(_) | Target::Host(_) => false,
    }
}

/// Owners lock: those of the scope, if one is locked, or one of its grants; else of any.
///
/// A policy with rules says who locks by `lock` instead: whoever looks after security owns nothing.
fn entitled(facts: &Facts<'_>, by: &PrincipalId, target: &Target) -> Result<Vec<String>, Refusal> {
    let policy = facts.policy;
    if !facts.rules.is_none() {
        let scope = match target {
            Target::Scope(id) => Some(id),
            Target::Grant(_) => facts.request.map(|request| &request.asked().ask.scope),
            Target::Principal(_) | Target::Key(_) | Target::Host(_) => None,
        };
        return permit(facts, Action::Lock, by, Matter { scope, ..Matter::default() });
    }
    let owns = |scope: &Scope| ask::is_owner(policy, scope, by);
    let may = match target {
        Target::Scope(id) => {
            let unknown = || Refusal::ScopeUnknown { scope: id.clone() };
            owns(policy.scope(id).ok_or_else(unknown)?)
        }
        Target::Grant(_) => {
            let asked = facts.request.map(|request| &request.asked().ask);
            asked.and_then(|ask| ask::scope(policy, ask).ok()).is_some_and(owns)
        }
        Target::Principal(_) | Target::Key(_) | Target::Host(_) => policy.scopes.iter().any(owns),
    };
    if !may {
        return Err(Refusal::Lock(LockRefusal::NotEntitledToLock {
            by: by.clone(),
            target: target.clone(),
        }));
    }
    Ok(vec![rule::OWNER.to_owned()])
}

fn person(facts: &Facts<'_>, by: &PrincipalId) -> Result<(), Refusal> {
    facts.policy.principal(by).map_or(Ok(()), stages::is_person)
}

fn change(
    facts: &Facts<'_>,
    change: Change,
    by: Option<&PrincipalId>,
    rules: Vec<String>,
) -> Verdict {
    let decision = grounds::decision(facts, None, by, rules, change.name());
    Verdict::Change(change, decision)
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::bytes::Digest;

    use super::*;

    fn standing(count: usize, by: impl Fn(usize) -> String) -> World {
        let mut world = World::default();
        for number in 0..count {
            let statement = Digest::of(&number.to_be_bytes());
            let lock = Lock {
                statement,
                seq: 1,
                by: by(number).parse().unwrap(),
                target: "scope:db".parse().unwrap(),
                until: None,
                comment: None,
            };
            world.locks.insert(statement, lock);
        }
        world
    }

    /// One locker reaches their own end long before that of all.
    #[test]
    fn one_person_locks_so_much_and_everybody_together_so_much() {
        let liz = "liz".parse().unwrap();
        let dan = "dan".parse().unwrap();
        let own = standing(LOCKS_EACH_MAX, |_| "liz".to_owned());
        let told = Refusal::Lock(LockRefusal::LocksMax { by: Some(liz), max: LOCKS_EACH_MAX });
        assert_eq!(room(&own, &"liz".parse().unwrap()), Err(told));
        assert_eq!(room(&own, &dan), Ok(()));
        let fewer = standing(LOCKS_EACH_MAX - 1, |_| "liz".to_owned());
        assert_eq!(room(&fewer, &"liz".parse().unwrap()), Ok(()));
        let many = |count| standing(count, |number| format!("p-{}", number / LOCKS_EACH_MAX));
        assert_eq!(room(&many(LOCKS_MAX - 1), &dan), Ok(()));
        let told = Refusal::Lock(LockRefusal::LocksMax { by: None, max: LOCKS_MAX });
        assert_eq!(room(&many(LOCKS_MAX), &dan), Err(told));
        const { assert!(LOCKS_EACH_MAX * 20 <= LOCKS_MAX, "twenty together, at least") };
    }
}
