//! Reading what is derived: which requests there are, how they stand, what is due.

use rusqlite::{OptionalExtension, Row};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::time::Timestamp;

use super::cursor::Cursor;
use super::error::StoreError;
use super::read::{PAGE_ROWS_MAX, Read};

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
    const ALL: [(Self, State); 3] =
        [(Self::Lapse, State::Open), (Self::Expire, State::Live), (Self::Close, State::Ended)];
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

impl Read {
    /// The request with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn request(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT seq, id, digest, subject, scope, by, state, due, serial FROM request WHERE id = ?1",
        )?;
        select.query_row([id.as_bytes()], Raw::read).optional()?.map(Raw::parse).transpose()
    }

    /// The request whose statement has this digest, closed ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn request_by_digest(&self, digest: Digest) -> Result<Option<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT id FROM request
             WHERE substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
        )?;
        select.query_row([digest.as_bytes()], |row| row.get(0)).optional()?.map(id).transpose()
    }

    /// The newest request for this subject key (SHA-256 of its wire form), closed ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn request_by_subject(&self, subject: Digest) -> Result<Option<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT id FROM request
             WHERE substr(subject, 1, 8) = substr(?1, 1, 8) AND subject = ?1
             ORDER BY seq DESC LIMIT 1",
        )?;
        select.query_row([subject.as_bytes()], |row| row.get(0)).optional()?.map(id).transpose()
    }

    /// The first entry that carries this statement, until a day after the statement expired.
    /// `expires` is what the statement says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn statement_seq(
        &self,
        digest: Digest,
        expires: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let mut select = self
            .connection()?
            .prepare_cached("SELECT seq FROM statement WHERE expires = ?1 AND digest = ?2")?;
        let key = (expires.unix_seconds(), digest.as_bytes());
        Ok(select.query_row(key, |row| row.get(0)).optional()?)
    }

    /// What is due at `now` or before, the longest overdue first, at most `limit` and
    /// [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(RequestId, Due, Timestamp)>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let mut agenda = Vec::new();
        for (due, state) in Due::ALL {
            let mut select = self.connection()?.prepare_cached(
                "SELECT id, due FROM request WHERE state = ?1 AND state < 4 AND due <= ?2
                 ORDER BY due, seq LIMIT ?3",
            )?;
            let rows = select.query_map((state.number(), now.unix_seconds(), limit), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            for row in rows {
                let (bytes, at) = row?;
                agenda.push((id(bytes)?, due, Timestamp::from_unix_seconds(at)));
            }
        }
        agenda.sort_by_key(|(_, due, at)| (*at, *due));
        agenda.truncate(limit);
        Ok(agenda)
    }

    /// When the next thing is due; `None` if nothing is open, live or ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut next: Option<u64> = None;
        for (_, state) in Due::ALL {
            let mut select = self.connection()?.prepare_cached(
                "SELECT due FROM request WHERE state = ?1 AND state < 4 AND due IS NOT NULL
                 ORDER BY due LIMIT 1",
            )?;
            let due = select.query_row([state.number()], |row| row.get(0)).optional()?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next.map(Timestamp::from_unix_seconds))
    }

    /// Requests without a credential yet, the first to lapse first, after `after`; at most `limit`
    /// and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn open_requests(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<RequestRow>, StoreError> {
        self.page(State::Open, after, limit)
    }

    /// Live grants, the first to expire first, after `after`; at most `limit` and
    /// [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn live_grants(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<RequestRow>, StoreError> {
        self.page(State::Live, after, limit)
    }

    fn page(
        &self,
        state: State,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT seq, id, digest, subject, scope, by, state, due, serial FROM request
             WHERE state = ?1 AND state < 4 AND due >= ?2 AND (due, seq) > (?2, ?3)
             ORDER BY due, seq LIMIT ?4",
        )?;
        // The first entry is `genesis`, so no request has seq 0 and nothing is skipped.
        let after = after.unwrap_or(Cursor { due: 0, seq: 0 });
        let key = (state.number(), after.due, after.seq, limit.min(PAGE_ROWS_MAX));
        select.query_map(key, Raw::read)?.map(|row| row?.parse()).collect()
    }

    /// How many grants of `scope` are live.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn live_in_scope(&self, scope: &ScopeId) -> Result<u32, StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT live FROM scope WHERE id = ?1")?;
        Ok(select.query_row([scope.as_str()], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// The first open request (no credential yet) of `by` for `scope`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn open_of(
        &self,
        by: &PrincipalId,
        scope: &ScopeId,
    ) -> Result<Option<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT id FROM request WHERE by = ?1 AND scope = ?2 AND state = 1 ORDER BY seq LIMIT 1",
        )?;
        let key = (by.as_str(), scope.as_str());
        select.query_row(key, |row| row.get(0)).optional()?.map(id).transpose()
    }

    /// Serials of credentials that are revoked and could still be taken for good by a host whose
    /// clock is behind, ascending: what the revocation list holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn revoked_serials(&self) -> Result<Vec<u64>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT serial FROM request WHERE state = 3 AND state < 4 AND serial IS NOT NULL",
        )?;
        let mut serials =
            select.query_map((), |row| row.get(0))?.collect::<Result<Vec<u64>, _>>()?;
        serials.sort_unstable();
        Ok(serials)
    }
}

/// A row before its columns are checked.
struct Raw {
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
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
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

    fn parse(self) -> Result<RequestRow, StoreError> {
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

fn id(bytes: [u8; 16]) -> Result<RequestId, StoreError> {
    RequestId::from_bytes(bytes).ok_or(StoreError::Damaged { what: "request.id" })
}
