//! Why a statement did not count, whoever signed it and whatever it says.

use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::principal::{Origin, PrincipalId};
use breakglass_ledger::time::Timestamp;

/// Why a statement did not count, whoever signed it and whatever it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// The statement was signed for another ledger.
    #[error(
        "the statement is for log {found}, this is {expected}; it is worthless here: \
         check which broker the client talks to and sign again"
    )]
    OtherLog {
        /// The origin of this ledger.
        expected: Origin,
        /// The origin in the statement.
        found: Origin,
    },
    /// The statement's `expires` is over.
    #[error("the statement expired at {at} and it is {now}; it was not acted on: sign it again")]
    Expired {
        /// Last second at which it counted.
        at: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The statement's `expires` is more than a day ahead.
    #[error(
        "the statement expires at {at}, later than {latest}; so long a promise is not taken: \
         check the clock of the machine that signed and sign again"
    )]
    ExpiresTooFar {
        /// The statement's `expires`.
        at: Timestamp,
        /// The last `expires` accepted now.
        latest: Timestamp,
    },
    /// This very statement has been recorded before.
    #[error(
        "this statement was already recorded as entry {seq}; a statement counts once: \
         look at that entry, and sign a new statement if more is meant"
    )]
    Repeated {
        /// The entry that carries it.
        seq: u64,
    },
    /// The head that the signer saw is not in this ledger.
    #[error(
        "the checkpoint in the statement's seen line is not part of this log; one of the two \
         histories is false: stop, keep the client's state and run `breakglass audit verify`"
    )]
    SeenMismatch,
    /// The head that the signer saw is beyond this ledger's.
    #[error(
        "the checkpoint in the statement's seen line is newer than this log; the broker may have \
         been rolled back: stop, keep the client's state and tell the operator"
    )]
    SeenFuture,
    /// The clock stands before the newest entry.
    #[error(
        "the broker's clock says {now}, its newest entry is of {head}; nothing is granted on a \
         clock that went back: have the operator set the clock, then try again"
    )]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// The time of the newest entry.
        head: Timestamp,
    },
    /// Nobody in the policy in force holds the key that signed.
    #[error(
        "key {key} belongs to nobody in the policy in force; its statements do not count: \
         sign with an enrolled key, or have this one enrolled"
    )]
    KeyUnknown {
        /// The key that signed.
        key: Fingerprint,
    },
    /// The key that signed is not one of the named principal's keys.
    #[error(
        "key {key} is not a key of {by} in the policy in force; nobody speaks for another: \
         sign with a key of {by}, or name the key's owner"
    )]
    KeyNotTheirs {
        /// The key that signed.
        key: Fingerprint,
        /// Who the statement says is speaking.
        by: PrincipalId,
    },
}
