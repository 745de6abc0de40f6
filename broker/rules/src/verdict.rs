//! What `decide` answers when it does not refuse.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Cause, Decision, Outcome};
use breakglass_ledger::principal::{DependencyId, StageId, TargetId};
use breakglass_ledger::time::Timestamp;

use crate::clearance::Clearance;

/// What is to be done about a command.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one for each command, moved once and used up")]
pub enum Verdict {
    /// Write this down. If [`Event::closes`] names an outcome, `closed` follows in the same
    /// transaction.
    Record(Event, Decision),
    /// Write down that something changed besides any one request.
    Change(Change, Decision),
    /// Sign one credential on these terms and write down that it was issued.
    Sign(Clearance),
    /// Nothing new: answer from this entry, whatever it says, and write nothing.
    Again {
        /// The entry's place in the ledger.
        seq: u64,
    },
}

impl Verdict {
    /// The same, determined by these rules as well.
    pub(crate) fn also(mut self, rules: Vec<String>) -> Self {
        if let Self::Record(_, decision) = &mut self {
            decision.rules.extend(rules);
        }
        self
    }
}

/// What changed besides any one request: what the entry says beyond the statement itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody or the probes say that a dependency is down.
    OutageBegan {
        /// Which.
        dependency: DependencyId,
    },
    /// Somebody, the probes or the clock say that it is not, or no longer.
    OutageEnded {
        /// Which.
        dependency: DependencyId,
    },
    /// Something was locked. Live grants that it covers end in the same transaction.
    Locked,
    /// A host enforces a list.
    Applied,
    /// A host saw a credential used that belongs to no open grant.
    Reconciled {
        /// Where.
        target: TargetId,
        /// Its serial, if the ledger does not know it.
        unlogged: Option<u64>,
    },
    /// A lock was lifted, or is over.
    Unlocked {
        /// Digest of the lock's statement.
        lock: Digest,
    },
}

impl Change {
    /// The type of the entry that says so.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OutageBegan { .. } => "outage-began",
            Self::OutageEnded { .. } => "outage-ended",
            Self::Locked => "locked",
            Self::Applied => "applied",
            Self::Reconciled { .. } => "reconciled",
            Self::Unlocked { .. } => "unlocked",
        }
    }
}

/// What happened, as far as the rules know it: what the entry says beyond the statement itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request was made.
    Requested {
        /// First second at which it no longer waits.
        lapses: Timestamp,
    },
    /// An approval counts.
    Approved {
        /// The stage it counts in.
        stage: StageId,
        /// Approvals still missing after this one, over all stages.
        missing: u64,
    },
    /// A stage was passed on to others.
    Escalated {
        /// Which.
        stage: StageId,
    },
    /// The request was denied (or cancelled while it waited).
    Denied,
    /// The requester took it back.
    Withdrawn,
    /// Nobody collected in time, or a new policy does not allow it.
    Lapsed,
    /// The holder confirmed that the credential arrived.
    PickedUp,
    /// A host saw the credential used.
    Used,
    /// The grant ended; its credentials belong on the revocation list.
    Revoked {
        /// Why.
        cause: Cause,
        /// The serial of its first credential.
        serial: u64,
        /// The serials of all its others, ascending.
        also: Vec<u64>,
        /// First second at which the grant is over by itself.
        valid_before: Timestamp,
    },
    /// The grant was looked at afterwards. Not part of its chain.
    Reviewed,
    /// Nothing more can happen to the grant.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

impl Event {
    /// The outcome of the `closed` entry that must follow in the same transaction, if one must.
    ///
    /// A revoked grant closes later, by [`Command::Close`](crate::Command::Close): its serial stays
    /// on the list until hosts with slow clocks agree that the credential is over.
    #[must_use]
    pub const fn closes(&self) -> Option<Outcome> {
        match self {
            Self::Denied => Some(Outcome::Denied),
            Self::Withdrawn => Some(Outcome::Withdrawn),
            Self::Lapsed => Some(Outcome::Lapsed),
            Self::Requested { .. }
            | Self::Approved { .. }
            | Self::Escalated { .. }
            | Self::PickedUp
            | Self::Used
            | Self::Reviewed
            | Self::Revoked { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// The type of the entry that says so.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Approved { .. } => "approved",
            Self::Escalated { .. } => "escalated",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::PickedUp => "picked-up",
            Self::Used => "used",
            Self::Revoked { .. } => "revoked",
            Self::Reviewed => "reviewed",
            Self::Closed { .. } => "closed",
        }
    }
}
