//! How one request stands, as its row says.

use rusqlite::Row;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::{Lane, ReviewVerdict};
use breakglass_ledger::time::Timestamp;

use super::cursor::Cursor;
use super::error::StoreError;

/// How a request stands, as far as the store needs to know. The numbers are those in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No credential yet.
    Open = 1,
    /// A credential is out and good.
    Live = 2,
    /// The credential is revoked, and a host whose clock is behind may not know by itself.
    Ended = 3,
    /// Nothing more can happen.
    Closed = 4,
}

impl State {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Open => 1,
            Self::Live => 2,
            Self::Ended => 3,
            Self::Closed => 4,
        }
    }

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::Live),
            3 => Some(Self::Ended),
            4 => Some(Self::Closed),
            _ => None,
        }
    }
}

/// What the clock must do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// Let the request lapse: `pending-max` is over.
    Lapse,
    /// Revoke the credential: its time is over.
    Expire,
    /// Close the grant: no host can still take the credential for good.
    Close,
}

impl Due {
    /// All that the clock does.
    pub const EACH: [Self; 3] = [Self::Lapse, Self::Expire, Self::Close];

    /// In which state of a request it is done.
    pub(super) const fn state(self) -> State {
        match self {
            Self::Lapse => State::Open,
            Self::Expire => State::Live,
            Self::Close => State::Ended,
        }
    }
}

/// One request, as derived from its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Of its `requested` entry.
    pub seq: u64,
    /// Chosen by the client.
    pub id: RequestId,
    /// SHA-256 of the request statement.
    pub digest: Digest,
    /// SHA-256 of the subject key; `None` if the statement said `none`.
    pub subject: Option<Digest>,
    /// What is asked for.
    pub scope: ScopeId,
    /// Who asks.
    pub by: PrincipalId,
    /// How it stands.
    pub state: State,
    /// When the clock must act on it; `None` once closed.
    pub due: Option<Timestamp>,
    /// Of its credential; `None` before it is issued.
    pub serial: Option<u64>,
}

impl RequestRow {
    /// The cursor of the page after this row; `None` for closed requests, which are not listed.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        Some(Cursor::new(self.due?, self.seq))
    }
}

/// A row before its columns are checked.
pub(super) struct Raw {
    seq: u64,
    id: [u8; 16],
    digest: [u8; 32],
    subject: Option<[u8; 32]>,
    scope: String,
    by: String,
    state: i64,
    due: Option<u64>,
    serial: Option<u64>,
}

impl Raw {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            digest: row.get(2)?,
            subject: row.get(3)?,
            scope: row.get(4)?,
            by: row.get(5)?,
            state: row.get(6)?,
            due: row.get(7)?,
            serial: row.get(8)?,
        })
    }

    pub(super) fn parse(self) -> Result<RequestRow, StoreError> {
        let damaged = |what| StoreError::Damaged { what };
        Ok(RequestRow {
            seq: self.seq,
            id: id(self.id)?,
            digest: Digest::from_bytes(self.digest),
            subject: self.subject.map(Digest::from_bytes),
            scope: self.scope.parse().map_err(|_| damaged("request.scope"))?,
            by: self.by.parse().map_err(|_| damaged("request.by"))?,
            state: State::from_number(self.state).ok_or(damaged("request.state"))?,
            due: self.due.map(Timestamp::from_unix_seconds),
            serial: self.serial,
        })
    }
}

/// The number of a lane in the database.
pub(super) const fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Normal => 1,
        Lane::Outage => 2,
        Lane::Emergency => 3,
        Lane::Drill => 4,
    }
}

/// The number of what a review found in the database.
pub(super) const fn verdict_number(verdict: ReviewVerdict) -> i64 {
    match verdict {
        ReviewVerdict::Drill => 1,
        ReviewVerdict::Justified => 2,
        ReviewVerdict::Unjustified => 3,
        ReviewVerdict::Inconclusive => 4,
    }
}

pub(super) fn verdict(number: i64) -> Result<ReviewVerdict, StoreError> {
    let known = ReviewVerdict::ALL.iter().find(|one| verdict_number(**one) == number);
    known.copied().ok_or(StoreError::Damaged { what: "request.review" })
}

pub(super) fn id(bytes: [u8; 16]) -> Result<RequestId, StoreError> {
    RequestId::from_bytes(bytes).ok_or(StoreError::Damaged { what: "request.id" })
}
