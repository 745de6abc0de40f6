//! What keeps emergency access from becoming permanent: gates, delays, cooldowns, budgets.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::time::{Timestamp, Ttl};

/// What keeps emergency access from becoming permanent: gates, delays, cooldowns, budgets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestraintRefusal {
    /// The emergency lane opens only beside an ordinary request that nobody answers.
    #[error(
        "the emergency lane of {scope} opens once a request of yours in an ordinary lane waited \
         {after} s and a stage of it has no approval at all: ask in an ordinary lane first"
    )]
    EmergencyNotOpen {
        /// The scope.
        scope: ScopeId,
        /// How long the ordinary request must have waited, in seconds.
        after: u32,
    },
    /// Those who were passed over still have time to cancel.
    #[error(
        "an emergency is not issued before {until} and it is {now}; until then its approvers and \
         owners may cancel it: collect again then"
    )]
    DelayNotOver {
        /// First second at which it may be issued.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The requester's last grant of the scope ended a moment ago.
    #[error(
        "the last grant of {scope} to {by} has just ended; the next is given from {until} on, it \
         is {now}: wait, or have somebody else ask"
    )]
    Cooldown {
        /// The scope.
        scope: ScopeId,
        /// The requester.
        by: PrincipalId,
        /// First second at which the next may be given.
        until: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
    /// The requester had the scope for as long as its budget allows.
    #[error(
        "{by} used {used} s of the {budget} s that {scope} allows in {window} s, and asks for \
         {ttl}; break-glass must not become permanent: ask for less, or have somebody else ask"
    )]
    BudgetSpent {
        /// The scope.
        scope: ScopeId,
        /// The requester.
        by: PrincipalId,
        /// Seconds used in the window.
        used: u64,
        /// What is asked for.
        ttl: Ttl,
        /// Seconds that the scope allows.
        budget: u32,
        /// The length of the window, in seconds.
        window: u32,
    },
    /// An earlier grant of the scope has not been reviewed.
    #[error(
        "{request}, a grant of {scope}, has ended and nobody reviewed it; the next use waits for \
         that: have an owner run `breakglass review {request}`"
    )]
    ReviewMissing {
        /// The scope.
        scope: ScopeId,
        /// The grant that waits for its review.
        request: RequestId,
    },
}
