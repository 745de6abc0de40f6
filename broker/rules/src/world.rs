//! What is true besides any one request: what is locked, and which watched dependency is down.
//!
//! A fold over entries, like a request. Which entries are still of importance is the store's
//! business; all of them, or only those, lead to the same world.

mod outage;

use std::collections::BTreeMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry, Signed};
use breakglass_ledger::principal::{DependencyId, PrincipalId};
use breakglass_ledger::statement::{Act, Statement, Target};
use breakglass_ledger::time::Timestamp;

pub use outage::{Declared, Outage};

use crate::request::FoldError;

/// What is locked and what is down, as the ledger has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// Every lock that was not lifted, by the digest of its statement. One whose `until` has come
    /// is over, although it is here until the clock says so.
    pub locks: BTreeMap<Digest, Lock>,
    /// Every dependency that was ever measured or declared down.
    pub outages: BTreeMap<DependencyId, Outage>,
}

/// Something that is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// SHA-256 of the lock statement: what an unlock names.
    pub statement: Digest,
    /// The `seq` of its `locked` entry.
    pub seq: u64,
    /// Who locked.
    pub by: PrincipalId,
    /// What is locked.
    pub target: Target,
    /// First second at which it is no longer locked; `None` until unlocked.
    pub until: Option<Timestamp>,
    /// Commitment to the message for whoever is locked.
    pub comment: Option<Digest>,
}

impl Lock {
    /// Whether it still stops anything at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl World {
    /// Follows `entry`; one that is about no lock and no outage changes nothing.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if the entry's statement cannot be read or is another act: what cannot be read
    /// must not count as nothing.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match &entry.body {
            Body::Locked(body) => {
                let lock = locked(entry.seq, &body.signed)?;
                self.locks.insert(lock.statement, lock);
            }
            Body::Unlocked(body) => {
                self.locks.remove(&body.lock);
            }
            Body::OutageBegan(body) => {
                let outage = self.outages.entry(body.dependency.clone()).or_default();
                outage.begin(entry.seq, entry.time.second(), body.signed.as_ref())?;
            }
            Body::OutageEnded(body) => {
                let outage = self.outages.entry(body.dependency.clone()).or_default();
                outage.end(entry.time.second(), body);
            }
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::Requested(_)
            | Body::Approved(_)
            | Body::Denied(_)
            | Body::Withdrawn(_)
            | Body::Escalated(_)
            | Body::Lapsed(_)
            | Body::Issued(_)
            | Body::PickedUp(_)
            | Body::Used(_)
            | Body::Revoked(_)
            | Body::Applied(_)
            | Body::Closed(_)
            | Body::Refused(_)
            | Body::Reviewed(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Keys(_)
            | Body::Reconciled(_)
            | Body::Config(_) => {}
        }
        Ok(())
    }

    /// Whether an entry of this body can change the world.
    #[must_use]
    pub const fn follows(body: &Body) -> bool {
        matches!(
            body,
            Body::Locked(_) | Body::Unlocked(_) | Body::OutageBegan(_) | Body::OutageEnded(_)
        )
    }

    /// When the next lock is over by itself.
    #[must_use]
    pub fn next_unlock(&self) -> Option<Timestamp> {
        self.locks.values().filter_map(|lock| lock.until).min()
    }

    /// Since when `dependency` is down at `now`; `None` if it is not, or nobody ever said so.
    #[must_use]
    pub fn down_since(&self, dependency: &DependencyId, now: Timestamp) -> Option<Timestamp> {
        self.outages.get(dependency)?.active(now)
    }
}

fn locked(seq: u64, signed: &Signed) -> Result<Lock, FoldError> {
    let statement = read(seq, signed)?;
    let Act::Lock(lock) = statement.act() else { return Err(FoldError::OtherAct { seq }) };
    Ok(Lock {
        statement: statement.digest(),
        seq,
        by: lock.by.clone(),
        target: lock.target.clone(),
        until: lock.until,
        comment: lock.comment,
    })
}

fn read(seq: u64, signed: &Signed) -> Result<Statement, FoldError> {
    Statement::parse(signed.statement.as_bytes())
        .map_err(|source| FoldError::Statement { seq, source })
}
