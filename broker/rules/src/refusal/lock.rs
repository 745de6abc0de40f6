//! What a lock stops, and why one could not be set or lifted.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Target;
use breakglass_ledger::time::Timestamp;

/// What a lock stops, and why one could not be set or lifted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockRefusal {
    /// A lock stops it.
    #[error(
        "{target} is locked (entry {seq}, {}); nothing it covers is asked, approved or issued \
         meanwhile: talk to whoever locked it, who alone knows why",
        how_long(*until)
    )]
    Locked {
        /// The `locked` entry.
        seq: u64,
        /// What is locked.
        target: Target,
        /// First second at which it no longer is; `None` until it is lifted.
        until: Option<Timestamp>,
        /// Commitment to the message for whoever is stopped.
        message: Option<Digest>,
    },
    /// Not an owner of what is to be locked.
    #[error(
        "{by} may not lock {target} or lift its lock; owners of a scope may, for a scope or grant \
         its own: ask one of them"
    )]
    NotEntitledToLock {
        /// Who tried.
        by: PrincipalId,
        /// What was to be locked.
        target: Target,
    },
    /// No lock stands under this digest.
    #[error("no lock {lock} stands; it was lifted, is over, or never was: see `breakglass locks`")]
    LockUnknown {
        /// Digest of the lock's statement, as named.
        lock: Digest,
    },
    /// The lock would end too late, or has.
    #[error(
        "a lock until {until} was asked for at {now}; its end must be ahead and not beyond \
         {latest}: name an end in between, or none"
    )]
    LockEnd {
        /// The end named.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
        /// The last end accepted now.
        latest: Timestamp,
    },
    /// Nobody lifts a lock that is on themselves.
    #[error("the lock of entry {seq} is on {by}; nobody lifts their own: ask another owner")]
    UnlockOwn {
        /// Who tried.
        by: PrincipalId,
        /// The `locked` entry.
        seq: u64,
    },
    /// As many locks stand as may.
    #[error(
        "{max} locks {} stand, which is the most; each is in force until it is lifted or over: see \
         `breakglass locks`, have some lifted, or cancel the grant itself",
        whose(by.as_ref())
    )]
    LocksMax {
        /// Whose they are; `None` if those of everybody.
        by: Option<PrincipalId>,
        /// Most of them.
        max: usize,
    },
}

fn whose(by: Option<&PrincipalId>) -> String {
    by.map_or_else(|| "of everybody".to_owned(), |by| format!("of {by}"))
}

fn how_long(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "until it is lifted".to_owned(), |until| format!("until {until}"))
}
