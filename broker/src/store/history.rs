//! What happened before with a scope: for cooldowns, budgets and reviews. Drills never count.

use rusqlite::OptionalExtension;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::{Lane, ReviewVerdict};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::Held;

use super::error::StoreError;
use super::read::Read;
use super::standing::{id, lane_number, verdict};

/// Most grants of one principal and scope that are looked at, the newest first: with the pause that
/// people need between two, more than a budget's longest window holds.
const HELD_MAX: usize = 4096;

impl Read {
    /// What `by` held of `scope`: what is alive, and what ended after `since`, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn held(
        &self,
        scope: &ScopeId,
        by: &PrincipalId,
        since: Timestamp,
    ) -> Result<Vec<Held>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT issued, coalesce(ended, due) FROM request
             WHERE scope = ?1 AND by = ?2 AND (ended IS NULL OR ended > ?3)
             AND issued IS NOT NULL AND lane < 4
             ORDER BY ended IS NULL DESC, ended DESC LIMIT ?4",
        )?;
        let key = (scope.as_str(), by.as_str(), since.unix_seconds(), HELD_MAX);
        let at = Timestamp::from_unix_seconds;
        let rows = select
            .query_map(key, |row| Ok(Held { from: at(row.get(0)?), until: at(row.get(1)?) }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the last grant of `scope` to `by` ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn last_end(
        &self,
        scope: &ScopeId,
        by: &PrincipalId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT max(ended) FROM request
             WHERE scope = ?1 AND by = ?2 AND issued IS NOT NULL AND lane < 4",
        )?;
        let key = (scope.as_str(), by.as_str());
        let end: Option<u64> = select.query_row(key, |row| row.get(0))?;
        Ok(end.map(Timestamp::from_unix_seconds))
    }

    /// A grant of `scope` that has ended and was not reviewed; only of `lane` if one is given.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn unreviewed(
        &self,
        scope: &ScopeId,
        lane: Option<Lane>,
    ) -> Result<Option<RequestId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT id FROM request WHERE scope = ?1 AND lane >= ?2 AND lane <= ?3
             AND ended IS NOT NULL AND review IS NULL AND lane < 4 LIMIT 1",
        )?;
        let (least, most) = lane.map_or((1, 3), |lane| (lane_number(lane), lane_number(lane)));
        let key = (scope.as_str(), least, most);
        select.query_row(key, |row| row.get(0)).optional()?.map(id).transpose()
    }

    /// Scopes with an emergency that has ended and was not reviewed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn unreviewed_emergencies(&self) -> Result<Vec<ScopeId>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT DISTINCT scope FROM request INDEXED BY request_unreviewed
             WHERE ended IS NOT NULL AND review IS NULL AND lane < 4 AND lane = 3",
        )?;
        let rows = select.query_map((), |row| row.get::<_, String>(0))?;
        rows.map(|row| row?.parse().map_err(|_| StoreError::Damaged { what: "request.scope" }))
            .collect()
    }

    /// What the newest review of a request found.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn review_of(&self, request: RequestId) -> Result<Option<ReviewVerdict>, StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT review FROM request WHERE id = ?1")?;
        let found: Option<Option<i64>> =
            select.query_row([request.as_bytes()], |row| row.get(0)).optional()?;
        found.flatten().map(verdict).transpose()
    }

    /// When a request's credential was taken back, if it was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn ended_at(&self, request: RequestId) -> Result<Option<Timestamp>, StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT ended FROM request WHERE id = ?1")?;
        let found: Option<Option<u64>> =
            select.query_row([request.as_bytes()], |row| row.get(0)).optional()?;
        Ok(found.flatten().map(Timestamp::from_unix_seconds))
    }
}
