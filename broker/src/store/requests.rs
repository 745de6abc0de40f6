//! Reading what is derived: which requests there are, how they stand, what is due.

use rusqlite::{Connection, OptionalExtension};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;

use super::cursor::Cursor;
use super::error::StoreError;
use super::landing::is_of;
use super::read::{PAGE_ROWS_MAX, Read};
use super::standing::{Due, Raw, RequestRow, State, id};

/// Closed requests are indexed together with those of the same 2^13 entries (`seq >> 13` in the
/// schema): some five pages, which is what a batch of closings then touches.
const AGE_ENTRIES: u64 = 8192;

/// The newest request in progress for a subject key.
const IN_PROGRESS_BY_SUBJECT: &str =
    "SELECT id FROM request WHERE state < 4 AND subject IS NOT NULL
     AND substr(subject, 1, 8) = substr(?1, 1, 8) AND subject = ?1
     ORDER BY seq DESC LIMIT 1";

/// How many ages a stranger's key is looked up in: some tenths of a millisecond.
const SUBJECT_AGES: u64 = 64;

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

    /// The request whose statement has this digest, closed ones included. O(log n) while it is in
    /// progress; for a closed or unknown one a look-up per `AGE_ENTRIES` entries of the ledger.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn request_by_digest(&self, digest: Digest) -> Result<Option<RequestId>, StoreError> {
        let in_progress = "SELECT id FROM request WHERE state < 4
             AND substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1";
        let closed = "SELECT id FROM request WHERE state = 4 AND seq >> 13 = ?2
             AND substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1";
        self.by_hash(in_progress, closed, digest, u64::MAX)
    }

    /// The newest request for this subject key (SHA-256 of its wire form) that is in progress, or
    /// else a closed one, if it was made within the newest half million entries: strangers may ask
    /// this, so its cost is bounded.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn request_by_subject(&self, subject: Digest) -> Result<Option<RequestId>, StoreError> {
        let closed = "SELECT id FROM request WHERE state = 4 AND subject IS NOT NULL
             AND seq >> 13 = ?2 AND substr(subject, 1, 8) = substr(?1, 1, 8) AND subject = ?1
             ORDER BY seq DESC LIMIT 1";
        self.by_hash(IN_PROGRESS_BY_SUBJECT, closed, subject, SUBJECT_AGES)
    }

    /// The newest request in progress for this subject key (SHA-256 of its wire form).
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn in_progress_by_subject(&self, subject: Digest) -> Result<Option<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(IN_PROGRESS_BY_SUBJECT)?;
        let found = select.query_row([subject.as_bytes()], |row| row.get(0)).optional()?;
        found.map(id).transpose()
    }

    /// Looks among the requests in progress, then among the closed ones from the newest age back.
    fn by_hash(
        &self,
        in_progress: &str,
        closed: &str,
        hash: Digest,
        ages: u64,
    ) -> Result<Option<RequestId>, StoreError> {
        let connection = self.connection()?;
        let bytes = |row: &rusqlite::Row<'_>| row.get(0);
        let mut select = connection.prepare_cached(in_progress)?;
        if let Some(found) = select.query_row([hash.as_bytes()], bytes).optional()? {
            return id(found).map(Some);
        }
        let mut newest = connection.prepare_cached("SELECT max(seq) FROM request")?;
        let newest: Option<u64> = newest.query_row((), |row| row.get(0))?;
        let newest = newest.unwrap_or_default() / AGE_ENTRIES;
        let oldest = newest.saturating_add(1).saturating_sub(ages);
        let mut select = connection.prepare_cached(closed)?;
        for age in (oldest..=newest).rev() {
            if let Some(found) = select.query_row((hash.as_bytes(), age), bytes).optional()? {
                return id(found).map(Some);
            }
        }
        Ok(None)
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
        for due in Due::EACH {
            let mut select = self.connection()?.prepare_cached(
                "SELECT id, due FROM request WHERE state = ?1 AND state < 4 AND due <= ?2
                 ORDER BY due, seq LIMIT ?3",
            )?;
            let rows = select
                .query_map((due.state().number(), now.unix_seconds(), limit), |row| {
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
        for due in Due::EACH {
            let mut select = self.connection()?.prepare_cached(
                "SELECT due FROM request WHERE state = ?1 AND state < 4 AND due IS NOT NULL
                 ORDER BY due LIMIT 1",
            )?;
            let due = select.query_row([due.state().number()], |row| row.get(0)).optional()?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next.map(Timestamp::from_unix_seconds))
    }

    /// For which requests the clock does `what`, the first whose time comes first, after `after`; at most
    /// `limit` and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn due_after(
        &self,
        what: Due,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<RequestRow>, StoreError> {
        self.page(what.state(), after, limit)
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

    /// Grants that ended and whose credential a host with a slow clock may still take for valid, the
    /// newest end first; at most `limit` and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn ended_grants(&self, limit: usize) -> Result<Vec<RequestRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT seq, id, digest, subject, scope, by, state, due, serial FROM request
             WHERE state = 3 AND state < 4 ORDER BY ended DESC, seq DESC LIMIT ?1",
        )?;
        select.query_map([limit.min(PAGE_ROWS_MAX)], Raw::read)?.map(|row| row?.parse()).collect()
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

    /// How many grants of `scope` are live, and when its newest passed drill was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn use_of(&self, scope: &ScopeId) -> Result<(u32, Option<Timestamp>), StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT live, drilled FROM scope WHERE id = ?1")?;
        let found = select.query_row([scope.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
        let (live, drilled): (u32, Option<u64>) = found.optional()?.unwrap_or((0, None));
        Ok((live, drilled.map(Timestamp::from_unix_seconds)))
    }

    /// How many grants of `scope` are live.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn live_in_scope(&self, scope: &ScopeId) -> Result<u32, StoreError> {
        Ok(self.use_of(scope)?.0)
    }

    /// The open requests (no credential yet) of `by` for `scope`, the first first: one, or two
    /// while one of them is an emergency.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn open_of(&self, by: &PrincipalId, scope: &ScopeId) -> Result<Vec<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT id FROM request WHERE by = ?1 AND scope = ?2 AND state = 1 ORDER BY seq LIMIT 8",
        )?;
        let key = (by.as_str(), scope.as_str());
        select.query_map(key, |row| row.get(0))?.map(|row| id(row?)).collect()
    }

    /// Serials of SSH certificates that are revoked and could still be taken for good by a host whose
    /// clock is behind, ascending: what the KRL holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn revoked_serials(&self) -> Result<Vec<u64>, StoreError> {
        revoked_in(self.connection()?)
    }
}

/// The revoked serials in `connection` that belong on the KRL, ascending.
pub(super) fn revoked_in(connection: &Connection) -> Result<Vec<u64>, StoreError> {
    let (first, other) = (is_of(Kind::Ssh, "request.serial"), is_of(Kind::Ssh, "further.serial"));
    let mut select = connection.prepare_cached(&format!(
        "SELECT serial FROM request WHERE state = 3 AND state < 4 AND serial IS NOT NULL AND {first}
         UNION ALL SELECT further.serial FROM request JOIN further
         ON further.request = request.seq WHERE state = 3 AND state < 4 AND {other}",
    ))?;
    let mut serials = select.query_map((), |row| row.get(0))?.collect::<Result<Vec<u64>, _>>()?;
    serials.sort_unstable();
    Ok(serials)
}
