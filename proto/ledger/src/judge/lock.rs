//! Locks: who may set and lift them, and what they stop.

use super::grant::{Given, Grant, State};
use super::world::Lock;
use super::{Case, Judge};
use crate::audit::{Action, Code, Findings};
use crate::entry::Unlocked;
use crate::policy::Policy;
use crate::principal::{PrincipalId, ScopeId};
use crate::statement::{Act, ActKind, Target};

/// Longest lock with an end, in seconds: 90 days. One that is to last longer has none.
pub const LOCK_MAX_SECONDS: u64 = 7_776_000;

impl Judge<'_> {
    /// Hears that something was locked: what it covers is due now.
    pub(super) fn locked(&mut self, case: &Case<'_>, out: &mut Findings) {
        let Some(spoken) = case.spoken else { return };
        let Act::Lock(lock) = spoken.statement.act() else { return };
        let latest = case.at().plus(LOCK_MAX_SECONDS);
        if lock.until.is_some_and(|until| until <= case.at() || until > latest) {
            case.find(out, Code::LockInvalid, "a lock's end is ahead, by 90 days at most");
        }
        self.may_lock(case, &lock.by, &lock.target, out);
        let seq = case.entry.seq;
        let lock = Lock { target: lock.target.clone(), until: lock.until, seq };
        let covered: Vec<_> = self
            .open
            .values()
            .filter(|grant| matches!(grant.state, State::Live(_)))
            .filter(|grant| covers_grant(&lock.target, grant, case.policy))
            .map(|grant| grant.ask.id)
            .collect();
        for id in covered {
            if let Some(grant) = self.open.get_mut(&id) {
                grant.due = case.at();
                self.deadlines.set(grant, case.at());
            }
        }
        self.world.locks.insert(spoken.statement.digest(), lock);
    }

    /// Hears that a lock was lifted, or ran out.
    pub(super) fn unlocked(&mut self, case: &Case<'_>, body: &Unlocked, out: &mut Findings) {
        let lock = self.world.locks.remove(&body.lock);
        // The statement does not count, which was found already.
        if body.signed.is_some() && case.spoken.is_none() {
            return;
        }
        let Some(lock) = lock else {
            return case.find(out, Code::LockInvalid, "there is no such lock");
        };
        match case.spoken.map(|spoken| spoken.statement.act()) {
            Some(Act::Unlock(unlock)) => {
                if unlock.lock != body.lock {
                    case.find(out, Code::LockInvalid, "another lock was to be lifted");
                }
                if covers_person(&lock.target, &unlock.by, case.policy) {
                    let detail = format!("{} lifts a lock of their own", unlock.by);
                    case.find(out, Code::LockInvalid, detail);
                }
                self.may_lock(case, &unlock.by, &lock.target, out);
            }
            Some(_) | None => {
                if lock.holds(case.at()) {
                    case.find(out, Code::LockInvalid, "the clock lifts a lock that still holds");
                }
            }
        }
    }

    /// People lock, as the rules say; without rules the owners of what is locked.
    fn may_lock(&self, case: &Case<'_>, by: &PrincipalId, target: &Target, out: &mut Findings) {
        let scope = match target {
            Target::Scope(id) => Some(id),
            Target::Grant(id) => {
                let open = self.open.get(id).map(|grant| &grant.ask.scope);
                open.or_else(|| self.history.past.get(id).map(|past| &past.scope))
            }
            Target::Principal(_) | Target::Key(_) | Target::Host(_) => None,
        };
        if !case.is_human(by) || (!self.has_rules() && !owns_scope_or_any(case.policy, by, scope)) {
            case.find(out, Code::ScopeExceeded, format!("{by} may not lock {target}"));
        }
        let dependency = scope.and_then(|id| case.policy.scope(id)?.outage.as_ref());
        let since = dependency.and_then(|id| self.world.down_since(id, case.at()));
        let circumstances = self.circumstances_of_world(case, since);
        self.permitted(case, &[self.question(by, Action::Lock, scope, circumstances)], &[], out);
    }

    /// Whether somebody, or a key, that is locked acts.
    pub(super) fn check_actor(&self, case: &Case<'_>, out: &mut Findings) {
        let Some(spoken) = case.spoken.filter(|_| !self.world.locks.is_empty()) else { return };
        if matches!(spoken.statement.act().kind(), ActKind::Drop | ActKind::Withdraw) {
            return;
        }
        let stopped = self.world.locks_at(case.at()).find(|lock| match &lock.target {
            Target::Principal(id) => spoken.statement.by() == Some(id),
            Target::Key(fingerprint) => spoken.key.fingerprint() == *fingerprint,
            Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
        });
        if let Some(lock) = stopped {
            let detail = format!("entry {} locks {}, who acts", lock.seq, lock.target);
            // Its own entry is not yet among them, so nobody is found who locks themselves.
            case.find(out, Code::Locked, detail);
        }
    }

    /// Whether a lock is on whoever gave this approval, or on the key that signed it: while it holds, the
    /// approval counts for nothing.
    pub(super) fn is_silenced(&self, case: &Case<'_>, given: &Given) -> bool {
        self.world.locks_at(case.at()).any(|lock| match &lock.target {
            Target::Principal(id) => *id == given.by,
            Target::Key(fingerprint) => *fingerprint == given.key.fingerprint(),
            Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
        })
    }

    /// Whether what a grant is about is locked.
    pub(super) fn check_unlocked(&self, case: &Case<'_>, grant: &Grant, out: &mut Findings) {
        if let Some(lock) = self.lock_of(case, grant) {
            let detail = format!("entry {} locks {}", lock.seq, lock.target);
            case.find(out, Code::Locked, detail);
        }
    }

    /// A lock that covers the grant now.
    pub(super) fn lock_of(&self, case: &Case<'_>, grant: &Grant) -> Option<&Lock> {
        let covers = |lock: &&Lock| covers_grant(&lock.target, grant, case.policy);
        self.world.locks_at(case.at()).find(covers)
    }
}

fn owns_scope_or_any(policy: &Policy, by: &PrincipalId, scope: Option<&ScopeId>) -> bool {
    policy
        .scopes
        .iter()
        .filter(|one| scope.is_none_or(|scope| one.id == *scope))
        .any(|one| one.owned_by().any(|members| policy.is_member(by, members)))
}

/// Whether a lock stops this person as such.
fn covers_person(target: &Target, by: &PrincipalId, policy: &Policy) -> bool {
    match target {
        Target::Principal(id) => id == by,
        Target::Key(fingerprint) => policy
            .principal(by)
            .is_some_and(|one| one.keys.iter().any(|key| key.fingerprint() == *fingerprint)),
        Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
    }
}

/// Whether a lock stops this grant: its requester or who stands behind, its keys, its scope, a host
/// of it, or itself.
fn covers_grant(target: &Target, grant: &Grant, policy: &Policy) -> bool {
    match target {
        Target::Principal(id) => grant.ask.by == *id || grant.ask.on_behalf_of.contains(id),
        Target::Key(fingerprint) => {
            let subject = grant.ask.key.as_ref().map(crate::key::PublicKey::fingerprint);
            grant.key.fingerprint() == *fingerprint || subject.as_ref() == Some(fingerprint)
        }
        Target::Scope(id) => grant.ask.scope == *id,
        Target::Host(host) => {
            let profile = grant.scope(policy).and_then(|scope| scope.ssh.as_ref());
            profile.is_some_and(|profile| profile.hosts.contains(host))
        }
        Target::Grant(id) => grant.ask.id == *id,
    }
}
