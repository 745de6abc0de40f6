//! One grant as the judge knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::narrow::is_narrower;
use super::{Case, delegation};
use crate::audit::{Code, Findings};
use crate::bytes::Digest;
use crate::entry::{Link, Outcome};
use crate::key::PublicKey;
use crate::policy::{Policy, Scope};
use crate::principal::{PrincipalId, StageId};
use crate::statement::{Ask, Kind, Lane, Statement};
use crate::time::{Timestamp, Ttl};

/// A grant that is not yet closed.
pub(super) struct Grant {
    pub(super) ask: Ask,
    /// Digest of the request's statement: what later statements name it by.
    pub(super) statement: Digest,
    /// The key that signed the request.
    pub(super) key: PublicKey,
    /// When it was requested.
    pub(super) asked_at: Timestamp,
    /// First second at which it can no longer be approved or collected.
    pub(super) lapses: Timestamp,
    /// The policy in force when it was requested.
    pub(super) policy: Arc<Policy>,
    pub(super) approvals: Vec<Given>,
    /// Stages that were passed on, and the policy in force then.
    pub(super) escalated: BTreeMap<StageId, Arc<Policy>>,
    /// The credential arrived.
    pub(super) picked_up: bool,
    pub(super) state: State,
    /// When the broker has to do something about it.
    pub(super) due: Timestamp,
    gseq: u64,
    last: Digest,
}

/// An approval that was recorded.
pub(super) struct Given {
    pub(super) by: PrincipalId,
    pub(super) stage: StageId,
    pub(super) key: PublicKey,
    pub(super) ttl_max: Ttl,
    pub(super) seq: u64,
    /// It was an entitled other person's, about this request, when it was given.
    pub(super) counts: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Live(Credential),
    Revoked(Credential, Timestamp),
    /// Over without a credential.
    Ended(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    /// The first.
    pub(super) first: One,
    /// Those after it, in order.
    pub(super) further: Vec<One>,
    /// First second at which the grant is over, all its credentials with it.
    pub(super) ends: Timestamp,
    /// The policy under which the first was made.
    pub(super) under: Arc<Policy>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct One {
    pub(super) serial: u64,
    /// SHA-256 of the `issued` entry.
    pub(super) issued: Digest,
    pub(super) kind: Kind,
}

impl Credential {
    /// All of the grant, in order.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &One> {
        std::iter::once(&self.first).chain(&self.further)
    }
}

impl Grant {
    pub(super) fn new(case: &Case<'_>, ask: Ask, statement: &Statement, key: PublicKey) -> Self {
        Self {
            ask,
            statement: statement.digest(),
            key,
            asked_at: case.at(),
            lapses: Timestamp::MAX,
            policy: Arc::clone(case.policy),
            approvals: Vec::new(),
            escalated: BTreeMap::new(),
            picked_up: false,
            state: State::Pending,
            due: Timestamp::MAX,
            gseq: 0,
            last: case.hash,
        }
    }

    /// Continues the grant's own chain, or notes that the entry does not.
    pub(super) fn check_link(&mut self, case: &Case<'_>, link: &Link, out: &mut Findings) {
        let next = self.gseq.saturating_add(1);
        if link.gseq != next {
            let detail = format!("gseq {} instead of {next}", link.gseq);
            case.find(out, Code::GrantChain, detail);
        } else if link.gprev != self.last {
            case.find(out, Code::GrantChain, "gprev is not the hash of the grant's entry before");
        }
        self.gseq = next;
        self.last = case.hash;
    }

    pub(super) fn must_be_pending(&self, case: &Case<'_>, out: &mut Findings) {
        if self.state != State::Pending {
            let detail = format!("{} cannot follow {}", case.entry.body.type_name(), self.shown());
            case.find(out, Code::GrantOrder, detail);
        }
    }

    /// Notes a statement that is about another request.
    pub(super) fn must_be_about(&self, case: &Case<'_>, out: &mut Findings) {
        let Some(spoken) = case.spoken else { return };
        if spoken.statement.about() != Some(self.statement) {
            let detail = "the statement is about another request";
            case.find(out, Code::ApprovalRequestMismatch, detail);
        }
    }

    pub(super) const fn shown(&self) -> &'static str {
        match self.state {
            State::Pending => "a pending request",
            State::Live(_) => "a live credential",
            State::Revoked(..) => "a revocation",
            State::Ended(_) => "the end of the request",
        }
    }

    /// Its scope under `policy`.
    pub(super) fn scope<'a>(&self, policy: &'a Policy) -> Option<&'a Scope> {
        policy.scope(&self.ask.scope)
    }

    /// Whether the requester, with the same key, may hold it under `policy`.
    pub(super) fn is_allowed(&self, policy: &Policy) -> bool {
        let Some(scope) = self.scope(policy) else { return false };
        let Some(owner) = policy.owner_of(&self.key) else { return false };
        owner.id == self.ask.by
            && policy.is_any(&self.ask.by, &scope.requesters)
            && scope.kinds.contains(&owner.kind)
            && scope.lanes.contains(&self.ask.lane)
            && self.ask.ttl <= scope.ttl_max
            && self.ask.kinds.iter().all(|kind| scope.offers(*kind))
            && delegation::fault_of(policy, scope, &self.ask).is_none()
            && self.fits_lane(scope)
            && !self.is_wider(policy)
    }

    /// The emergency lane gives less.
    fn fits_lane(&self, scope: &Scope) -> bool {
        let limit = scope.emergency.filter(|_| self.ask.lane == Lane::Emergency);
        limit.is_none_or(|limit| self.ask.ttl <= limit.ttl_max)
    }

    /// Whether a certificate that is out opens more than `policy` gives.
    fn is_wider(&self, policy: &Policy) -> bool {
        match &self.state {
            State::Live(credential) => is_narrower(&self.ask, &credential.under, policy),
            State::Pending | State::Revoked(..) | State::Ended(_) => false,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state == State::Pending
    }

    /// When the credential that is out ends by itself.
    pub(super) const fn ends(&self) -> Option<Timestamp> {
        match &self.state {
            State::Live(credential) => Some(credential.ends),
            State::Pending | State::Revoked(..) | State::Ended(_) => None,
        }
    }
}
