//! What is true besides any grant: which dependencies are down, what is locked.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Digest;
use crate::principal::{DependencyId, PrincipalId};
use crate::statement::Target;
use crate::time::Timestamp;

/// How many people have to declare a dependency down before it is.
const DECLARERS: usize = 2;

/// Outages and locks as of the entries heard so far.
#[derive(Default)]
pub(super) struct World {
    pub(super) outages: BTreeMap<DependencyId, Outage>,
    /// By the digest of the lock's statement.
    pub(super) locks: BTreeMap<Digest, Lock>,
}

/// A lock that nobody lifted.
#[derive(Clone)]
pub(super) struct Lock {
    pub(super) target: Target,
    /// First second at which it no longer holds.
    pub(super) until: Option<Timestamp>,
    pub(super) seq: u64,
}

/// One watched dependency.
#[derive(Default)]
pub(super) struct Outage {
    /// When it was measured down, if it is.
    pub(super) measured: Option<Timestamp>,
    pub(super) declared: Vec<Declared>,
}

/// Somebody's word that it is down, not yet resolved or written off.
pub(super) struct Declared {
    pub(super) by: PrincipalId,
    pub(super) at: Timestamp,
    /// First second at which it no longer holds.
    pub(super) until: Timestamp,
}

impl World {
    /// Since when `dependency` is down at `at`; `None` if it is not.
    pub(super) fn down_since(&self, dependency: &DependencyId, at: Timestamp) -> Option<Timestamp> {
        self.outages.get(dependency).and_then(|outage| outage.since(at))
    }

    /// The locks that hold at `at`.
    pub(super) fn locks_at(&self, at: Timestamp) -> impl Iterator<Item = &Lock> {
        self.locks.values().filter(move |lock| lock.holds(at))
    }
}

impl Lock {
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

impl Outage {
    /// Measured, or by the word of two people that holds at `at`.
    pub(super) fn since(&self, at: Timestamp) -> Option<Timestamp> {
        let mut people = BTreeSet::new();
        let second = self
            .declared
            .iter()
            .filter(|one| at < one.until && people.insert(&one.by))
            .map(|one| one.at)
            .nth(DECLARERS.saturating_sub(1));
        self.measured.into_iter().chain(second).min()
    }

    /// Whether `since` is a time at which something made it down, by the entries.
    pub(super) fn could_be_since(&self, since: Timestamp) -> bool {
        self.measured == Some(since) || self.declared.iter().any(|one| one.at == since)
    }

    /// When it ceases to be down by itself, if people said so and nobody measures it.
    pub(super) fn runs_out(&self, at: Timestamp) -> Option<Timestamp> {
        if self.measured.is_some() {
            return None;
        }
        // By person, the end of the word that holds longest.
        let mut ends: BTreeMap<&PrincipalId, Timestamp> = BTreeMap::new();
        for one in self.declared.iter().filter(|one| at < one.until) {
            let end = ends.entry(&one.by).or_insert(one.until);
            *end = one.until.max(*end);
        }
        let mut ends: Vec<_> = ends.into_values().collect();
        ends.sort_unstable();
        ends.into_iter().rev().nth(DECLARERS.saturating_sub(1))
    }
}
