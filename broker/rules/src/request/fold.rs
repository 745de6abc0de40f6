//! The fold: a request's state is its entries, in order, and nothing else.
//!
//! The same function serves a fresh entry and a reload from the store, so a cache cannot drift.
//! Signatures are not verified again: what is in the ledger was verified before it got there.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{self, Body, Entry, EntryError, Link, Outcome, Signed};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::Fingerprint;
use breakglass_ledger::principal::StageId;
use breakglass_ledger::sshsig::{SshSig, SshSigError};
use breakglass_ledger::statement::{Act, Kind, Statement, StatementError};

use super::{Asked, Closed, Ended, Given, Issued, Last, Live, Pending, Request};

/// The entry does not continue the request.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A grant begins with `requested`, and this is something else.
    #[error("entry {seq} ({entry}) does not begin a grant")]
    NotABeginning {
        /// The entry's place in the ledger.
        seq: u64,
        /// The entry's type.
        entry: &'static str,
    },
    /// The entry belongs to another grant, or to none.
    #[error("entry {seq} does not belong to {grant}")]
    OtherGrant {
        /// The entry's place in the ledger.
        seq: u64,
        /// The grant that was being folded.
        grant: RequestId,
    },
    /// The entry does not follow the grant's previous one.
    #[error("entry {seq} does not follow the previous entry of {grant}")]
    BrokenLink {
        /// The entry's place in the ledger.
        seq: u64,
        /// The grant that was being folded.
        grant: RequestId,
    },
    /// Nothing of this type can happen in this state.
    #[error("entry {seq} ({entry}) cannot happen to a request that is {state}")]
    Order {
        /// The entry's place in the ledger.
        seq: u64,
        /// The entry's type.
        entry: &'static str,
        /// What the request was.
        state: &'static str,
    },
    /// The entry's statement is not the act that the entry records.
    #[error("entry {seq} carries the statement of another act")]
    OtherAct {
        /// The entry's place in the ledger.
        seq: u64,
    },
    /// The statement cannot be read.
    #[error("the statement of entry {seq} cannot be read")]
    Statement {
        /// The entry's place in the ledger.
        seq: u64,
        /// What is wrong with it.
        source: StatementError,
    },
    /// The signature cannot be read.
    #[error("the signature of entry {seq} cannot be read")]
    Signature {
        /// The entry's place in the ledger.
        seq: u64,
        /// What is wrong with it.
        source: SshSigError,
    },
    /// The entry has no bytes to hash.
    #[error("entry {seq} cannot be written")]
    Entry {
        /// The entry's place in the ledger.
        seq: u64,
        /// What is wrong with it.
        source: EntryError,
    },
}

impl Request {
    /// The request that a `requested` entry begins.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if the entry is anything else, not the grant's first, or cannot be read.
    pub fn begin(entry: &Entry) -> Result<Self, FoldError> {
        Self::begin_hashed(entry, hash(entry)?)
    }

    /// [`Request::begin`] for a caller who has SHA-256 of the entry's bytes at hand.
    ///
    /// # Errors
    ///
    /// As for [`Request::begin`].
    pub fn begin_hashed(entry: &Entry, digest: Digest) -> Result<Self, FoldError> {
        let seq = entry.seq;
        let Body::Requested(body) = &entry.body else {
            return Err(FoldError::NotABeginning { seq, entry: entry.body.type_name() });
        };
        let (link, signed) = (&body.link, &body.signed);
        let statement = read(seq, signed)?;
        let Act::Request(ask) = statement.act() else { return Err(FoldError::OtherAct { seq }) };
        if link.grant != ask.id {
            return Err(FoldError::OtherGrant { seq, grant: ask.id });
        }
        if link.gseq != 0 || link.gprev != Digest::ZERO {
            return Err(FoldError::BrokenLink { seq, grant: ask.id });
        }
        let asked = Asked {
            ask: ask.clone(),
            statement: statement.digest(),
            key: signer(seq, signed)?,
            policy: body.decision.policy,
            at: entry.time.second(),
            lapses: body.lapses,
            seq,
            last: Last { gseq: 0, entry: digest },
        };
        Ok(Self::Pending(Pending { asked, given: Vec::new(), escalated: Vec::new() }))
    }

    /// The request after its next entry.
    ///
    /// # Errors
    ///
    /// [`FoldError`] if the entry is not the grant's next, cannot happen in this state, or cannot
    /// be read.
    pub fn apply(self, entry: &Entry) -> Result<Self, FoldError> {
        self.apply_hashed(entry, hash(entry)?)
    }

    /// [`Request::apply`] for a caller who has SHA-256 of the entry's bytes at hand.
    ///
    /// # Errors
    ///
    /// As for [`Request::apply`].
    pub fn apply_hashed(self, entry: &Entry, digest: Digest) -> Result<Self, FoldError> {
        let (seq, grant) = (entry.seq, self.id());
        match entry.grant() {
            Some(link) if link.grant == grant => self.follows(seq, link)?,
            Some(_) | None => return Err(FoldError::OtherGrant { seq, grant }),
        }
        let state = self.state();
        let step = Step::of(entry, digest)?;
        let mut next = self.step(step).ok_or(FoldError::Order {
            seq,
            entry: entry.body.type_name(),
            state,
        })?;
        let last = &mut next.asked_mut().last;
        *last = Last { gseq: last.gseq.saturating_add(1), entry: digest };
        Ok(next)
    }

    fn follows(&self, seq: u64, link: &Link) -> Result<(), FoldError> {
        if *link == self.next_link() {
            return Ok(());
        }
        Err(FoldError::BrokenLink { seq, grant: self.id() })
    }

    const fn asked_mut(&mut self) -> &mut Asked {
        match self {
            Self::Pending(Pending { asked, .. })
            | Self::Live(Live { asked, .. })
            | Self::Ended(Ended { asked, .. })
            | Self::Closed(Closed { asked, .. }) => asked,
        }
    }
}

/// The serials that an end names.
struct Revoked {
    serial: u64,
    also: Vec<u64>,
}

/// What an entry does to its grant.
enum Step {
    Approve(Given),
    Escalate(StageId),
    End(Outcome),
    Issue(Issued, Option<u64>),
    PickUp {
        seq: u64,
        issued: Digest,
    },
    /// A host saw the credential.
    Use,
    Revoke(Revoked),
    Close(Outcome),
    /// Begins a grant, belongs to none, or is of later work.
    Foreign,
}

impl Step {
    fn of(entry: &Entry, digest: Digest) -> Result<Self, FoldError> {
        Ok(match &entry.body {
            Body::Approved(body) => Self::Approve(given(entry, &body.signed, &body.stage)?),
            Body::Escalated(body) => Self::Escalate(body.stage.clone()),
            Body::Denied(_) => Self::End(Outcome::Denied),
            Body::Withdrawn(_) => Self::End(Outcome::Withdrawn),
            Body::Lapsed(_) => Self::End(Outcome::Lapsed),
            Body::Issued(body) => Self::Issue(issued(entry.seq, digest, body), body.replaces),
            Body::PickedUp(body) => {
                Self::PickUp { seq: entry.seq, issued: confirmed(entry.seq, &body.signed)? }
            }
            Body::Used(_) => Self::Use,
            Body::Revoked(body) => {
                let also = body.also.clone().unwrap_or_default();
                Self::Revoke(Revoked { serial: body.serial, also })
            }
            Body::Closed(body) => Self::Close(body.outcome),
            Body::Requested(_)
            | Body::Genesis(_)
            | Body::Policy(_)
            | Body::Applied(_)
            | Body::Refused(_)
            | Body::Locked(_)
            | Body::Unlocked(_)
            | Body::OutageBegan(_)
            | Body::OutageEnded(_)
            | Body::Reviewed(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Keys(_)
            | Body::Reconciled(_)
            | Body::Config(_) => Self::Foreign,
        })
    }
}

impl Request {
    /// The state after `step`; `None` where it cannot happen.
    fn step(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Pending(mut pending), Step::Approve(given)) => {
                pending.given.push(given);
                Some(Self::Pending(pending))
            }
            (Self::Pending(mut pending), Step::Escalate(stage))
                if !pending.escalated.contains(&stage) =>
            {
                pending.escalated.push(stage);
                Some(Self::Pending(pending))
            }
            (Self::Pending(Pending { asked, given, .. }), Step::End(outcome)) => {
                let (issued, further) = (None, Vec::new());
                Some(Self::Ended(Ended { asked, given, outcome, issued, further }))
            }
            (Self::Pending(pending), Step::Issue(issued, None)) => {
                let Pending { asked, given, escalated } = pending;
                let further = Vec::new();
                Some(Self::Live(Live { asked, given, escalated, issued, further }))
            }
            (Self::Live(mut live), Step::Issue(issued, replaces)) => {
                live.may_add(&issued, replaces).then(|| live.further.push(issued))?;
                Some(Self::Live(live))
            }
            // After the end too: hosts report what they saw, not what should have been.
            (same @ (Self::Live(_) | Self::Ended(Ended { issued: Some(_), .. })), Step::Use) => {
                Some(same)
            }
            (Self::Live(mut live), Step::PickUp { seq, issued }) => {
                live.confirm(seq, issued)?;
                Some(Self::Live(live))
            }
            (Self::Live(live), Step::Revoke(revoked)) if live.is_all(&revoked) => {
                let Live { asked, given, issued, further, .. } = live;
                let (outcome, issued) = (Outcome::Revoked, Some(issued));
                Some(Self::Ended(Ended { asked, given, outcome, issued, further }))
            }
            (Self::Ended(ended), Step::Close(how)) if how == ended.outcome => {
                let Ended { asked, given, outcome, issued, further } = ended;
                Some(Self::Closed(Closed { asked, given, outcome, issued, further }))
            }
            (Self::Pending(_) | Self::Live(_) | Self::Ended(_) | Self::Closed(_), _) => None,
        }
    }
}

impl Live {
    /// Whether `issued` can come after what there is: the first of its kind, or a token in the place
    /// of the one before; with the grant's end and none of its own beyond it.
    fn may_add(&self, issued: &Issued, replaces: Option<u64>) -> bool {
        let before = self.newest(issued.kind).map(|before| before.serial);
        let is_jwt = issued.kind == Kind::Jwt;
        issued.ends == self.ends() && before == replaces && (is_jwt || before.is_none())
    }

    /// Notes that the credential of entry `issued` arrived; `None` if there is none, or it had.
    fn confirm(&mut self, seq: u64, issued: Digest) -> Option<()> {
        let mut all = std::iter::once(&mut self.issued).chain(&mut self.further);
        let one = all.find(|one| one.entry == issued && one.picked_up.is_none())?;
        one.picked_up = Some(seq);
        Some(())
    }

    fn is_all(&self, revoked: &Revoked) -> bool {
        self.issued.serial == revoked.serial
            && self.further.iter().map(|issued| &issued.serial).eq(&revoked.also)
    }
}

fn issued(seq: u64, entry: Digest, body: &entry::Issued) -> Issued {
    Issued {
        seq,
        entry,
        kind: body.kind,
        serial: body.serial,
        valid_after: body.valid_after,
        valid_before: body.valid_before,
        policy: body.decision.policy,
        ends: body.grant_ends(),
        picked_up: None,
    }
}

/// The `issued` entry that a pickup names.
fn confirmed(seq: u64, signed: &Signed) -> Result<Digest, FoldError> {
    let statement = read(seq, signed)?;
    let Act::Pickup(pickup) = statement.act() else { return Err(FoldError::OtherAct { seq }) };
    Ok(pickup.issued)
}

fn given(entry: &Entry, signed: &Signed, stage: &StageId) -> Result<Given, FoldError> {
    let seq = entry.seq;
    let statement = read(seq, signed)?;
    let Act::Approve(approve) = statement.act() else { return Err(FoldError::OtherAct { seq }) };
    if approve.stage != *stage {
        return Err(FoldError::OtherAct { seq });
    }
    Ok(Given {
        by: approve.by.clone(),
        stage: approve.stage.clone(),
        ttl_max: approve.ttl_max,
        seq,
        key: signer(seq, signed)?,
        at: entry.time.second(),
    })
}

fn read(seq: u64, signed: &Signed) -> Result<Statement, FoldError> {
    Statement::parse(signed.statement.as_bytes())
        .map_err(|source| FoldError::Statement { seq, source })
}

fn signer(seq: u64, signed: &Signed) -> Result<Fingerprint, FoldError> {
    SshSig::signer_of(&signed.signature).map_err(|source| FoldError::Signature { seq, source })
}

fn hash(entry: &Entry) -> Result<Digest, FoldError> {
    let bytes = entry.to_bytes().map_err(|source| FoldError::Entry { seq: entry.seq, source })?;
    Ok(Digest::of(&bytes))
}
