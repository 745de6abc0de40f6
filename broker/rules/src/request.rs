//! What a request is at a point of the ledger. Each state holds what is true in it.

mod fold;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Link, Outcome};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::statement::{Ask, Kind, Lane};
use breakglass_ledger::time::{Timestamp, Ttl};

pub use fold::FoldError;

/// A request, folded from its entries; nothing can be read before it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Waiting for approvers, or for its credential to be collected.
    Pending(Pending),
    /// A credential is out.
    Live(Live),
    /// Ended, `closed` not yet written.
    Ended(Ended),
    /// Nothing more can happen.
    Closed(Closed),
}

/// Waiting for approvers, or for its credential to be collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What was asked.
    pub asked: Asked,
    /// The approvals given so far, in the ledger's order.
    pub given: Vec<Given>,
    /// The stages that were passed on to others, in the ledger's order.
    pub escalated: Vec<StageId>,
}

/// A credential is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// What was asked.
    pub asked: Asked,
    /// The approvals given before it was issued, in the ledger's order.
    pub given: Vec<Given>,
    /// The stages that were passed on to others, in the ledger's order.
    pub escalated: Vec<StageId>,
    /// The first credential: from it on the grant's time counts.
    pub issued: Issued,
    /// Credentials of other kinds and later tokens, in the ledger's order.
    pub further: Vec<Issued>,
}

/// Ended, `closed` not yet written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What was asked.
    pub asked: Asked,
    /// The approvals that had been given, in the ledger's order.
    pub given: Vec<Given>,
    /// How it ended.
    pub outcome: Outcome,
    /// The first credential; `None` if none was issued.
    pub issued: Option<Issued>,
    /// Credentials after the first, in the ledger's order; revoked with it.
    pub further: Vec<Issued>,
}

/// Nothing more can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What was asked.
    pub asked: Asked,
    /// The approvals that had been given, in the ledger's order.
    pub given: Vec<Given>,
    /// How it ended.
    pub outcome: Outcome,
    /// The first credential; `None` if none was issued.
    pub issued: Option<Issued>,
    /// Credentials after the first, in the ledger's order; revoked with it.
    pub further: Vec<Issued>,
}

/// What was asked, and under which law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The request as signed. It never changes.
    pub ask: Ask,
    /// Digest of the request statement: what approvals and other later acts name.
    pub statement: Digest,
    /// The key that signed it.
    pub key: Fingerprint,
    /// Digest of the policy then in force.
    pub policy: Digest,
    /// When it was recorded.
    pub at: Timestamp,
    /// First second at which it no longer waits.
    pub lapses: Timestamp,
    /// The `seq` of its `requested` entry.
    pub seq: u64,
    /// The newest entry of the grant.
    last: Last,
}

impl Asked {
    /// A request that is in no ledger: for asking what the rules would say.
    ///
    /// It begins no chain of entries, so nothing that follows from it can be written down; a broker
    /// folds its requests from entries.
    #[must_use]
    pub const fn supposed(
        ask: Ask,
        statement: Digest,
        key: Fingerprint,
        policy: Digest,
        at: Timestamp,
        lapses: Timestamp,
    ) -> Self {
        let last = Last { gseq: 0, entry: Digest::ZERO };
        Self { ask, statement, key, policy, at, lapses, seq: 0, last }
    }
}

/// One approval on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Who approved.
    pub by: PrincipalId,
    /// For which stage.
    pub stage: StageId,
    /// The longest grant it covers.
    pub ttl_max: Ttl,
    /// The `seq` of its `approved` entry.
    pub seq: u64,
    /// The key that signed it.
    pub key: Fingerprint,
    /// When it was recorded.
    pub at: Timestamp,
}

/// A credential that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The `seq` of its `issued` entry.
    pub seq: u64,
    /// SHA-256 of that entry: what a pickup names.
    pub entry: Digest,
    /// Which kind.
    pub kind: Kind,
    /// Its serial.
    pub serial: u64,
    /// First second at which it is valid.
    pub valid_after: Timestamp,
    /// First second at which it is no longer valid by itself.
    pub valid_before: Timestamp,
    /// Digest of the policy in force when it was issued.
    pub policy: Digest,
    /// First second at which its grant is over; never before `valid_before`.
    pub ends: Timestamp,
    /// The entry in which the holder confirmed that it arrived, if they did.
    pub picked_up: Option<u64>,
}

impl Live {
    /// First second at which the grant is over, all its credentials with it.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.issued.ends
    }

    /// All its credentials, in the ledger's order.
    pub fn credentials(&self) -> impl DoubleEndedIterator<Item = &Issued> {
        std::iter::once(&self.issued).chain(&self.further)
    }

    /// The newest credential of `kind`.
    #[must_use]
    pub fn newest(&self, kind: Kind) -> Option<&Issued> {
        self.credentials().rev().find(|issued| issued.kind == kind)
    }
}

impl Ended {
    /// All its credentials, in the ledger's order.
    pub fn credentials(&self) -> impl Iterator<Item = &Issued> {
        self.issued.iter().chain(&self.further)
    }
}

/// Where the grant's own chain of entries stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    gseq: u64,
    entry: Digest,
}

impl Request {
    /// What was asked.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        match self {
            Self::Pending(Pending { asked, .. })
            | Self::Live(Live { asked, .. })
            | Self::Ended(Ended { asked, .. })
            | Self::Closed(Closed { asked, .. }) => asked,
        }
    }

    /// The request's id.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.asked().ask.id
    }

    /// The approvals on record, in the ledger's order.
    #[must_use]
    pub fn given(&self) -> &[Given] {
        match self {
            Self::Pending(Pending { given, .. })
            | Self::Live(Live { given, .. })
            | Self::Ended(Ended { given, .. })
            | Self::Closed(Closed { given, .. }) => given,
        }
    }

    /// All its credentials, in the ledger's order.
    pub fn credentials(&self) -> impl Iterator<Item = &Issued> {
        let (first, further) = match self {
            Self::Pending(_) => (None, [].as_slice()),
            Self::Live(live) => (Some(&live.issued), live.further.as_slice()),
            Self::Ended(Ended { issued, further, .. })
            | Self::Closed(Closed { issued, further, .. }) => (issued.as_ref(), further.as_slice()),
        };
        first.into_iter().chain(further)
    }

    /// Whether the exercise was completed, if it is one that is over: its credential was issued,
    /// arrived, and was taken back.
    #[must_use]
    pub fn drill_passed(&self) -> Option<bool> {
        let Self::Ended(ended) = self else { return None };
        let arrived = ended.credentials().any(|issued| issued.picked_up.is_some());
        let done = ended.outcome == Outcome::Revoked && arrived;
        (ended.asked.ask.lane == Lane::Drill).then_some(done)
    }

    /// The link that the grant's next entry must carry.
    #[must_use]
    pub const fn next_link(&self) -> Link {
        let last = &self.asked().last;
        Link { grant: self.id(), gseq: last.gseq.saturating_add(1), gprev: last.entry }
    }

    /// The state in one word, or the outcome once there is one.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Live(_) => "live",
            Self::Ended(Ended { outcome, .. }) | Self::Closed(Closed { outcome, .. }) => {
                outcome.name()
            }
        }
    }
}
