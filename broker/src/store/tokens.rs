//! Tokens as those need them who are shown one, derived from the entries.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Issued, Revoked};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::ScopeId;
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use rusqlite::Connection;

use super::error::StoreError;
use super::read::Read;

/// A token that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The `seq` of its entry.
    pub seq: u64,
    /// Its grant.
    pub grant: RequestId,
    /// What was asked for.
    pub scope: ScopeId,
    /// SHA-256 of the compact token.
    pub digest: Digest,
    /// First second at which it counts no more by itself.
    pub ends: Timestamp,
    /// Whether it was taken back before, or another put in its place.
    pub is_over: bool,
}

impl Read {
    /// Tokens that ended after `horizon`, in no order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn tokens(&self, horizon: Timestamp) -> Result<Vec<TokenRow>, StoreError> {
        tokens_in(self.connection()?, horizon)
    }
}

/// Tokens in `connection` that ended after `horizon`.
pub(super) fn tokens_in(
    connection: &Connection,
    horizon: Timestamp,
) -> Result<Vec<TokenRow>, StoreError> {
    let damaged = || StoreError::Damaged { what: "a token" };
    let mut select = connection.prepare_cached(
        "SELECT token.seq, request.id, request.scope, token.digest, token.ends, token.over
         FROM token JOIN request ON request.seq = token.request WHERE token.ends > ?1",
    )?;
    let mut rows = select.query([horizon.unix_seconds()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (grant, scope): ([u8; 16], String) = (row.get(1)?, row.get(2)?);
        all.push(TokenRow {
            seq: row.get(0)?,
            grant: RequestId::from_bytes(grant).ok_or_else(damaged)?,
            scope: scope.parse().map_err(|_| damaged())?,
            digest: Digest::from_bytes(row.get(3)?),
            ends: Timestamp::from_unix_seconds(row.get(4)?),
            is_over: row.get::<_, Option<u64>>(5)?.is_some(),
        });
    }
    Ok(all)
}

/// Records a token that was issued, in the place of the one it replaces; nothing for credentials of
/// other kinds.
pub(super) fn issued(
    connection: &Connection,
    request: u64,
    issued: &Issued,
    at: Timestamp,
) -> Result<(), StoreError> {
    if issued.kind != Kind::Jwt {
        return Ok(());
    }
    let digest = issued.token.ok_or(StoreError::Statement { seq: issued.serial })?;
    let mut insert = connection
        .prepare_cached("INSERT INTO token(seq, request, digest, ends) VALUES (?1, ?2, ?3, ?4)")?;
    let ends = issued.valid_before.unix_seconds();
    insert.execute((issued.serial, request, digest.as_bytes(), ends))?;
    if let Some(before) = issued.replaces {
        over(connection, before, at)?;
    }
    Ok(())
}

/// Records that a grant's tokens, if it has any, were taken back `at`.
pub(super) fn revoked(
    connection: &Connection,
    revoked: &Revoked,
    at: Timestamp,
) -> Result<(), StoreError> {
    revoked.serials().try_for_each(|seq| over(connection, seq, at))
}

fn over(connection: &Connection, seq: u64, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE token SET over = ?2 WHERE seq = ?1 AND over IS NULL")?
        .execute((seq, at.unix_seconds()))?;
    Ok(())
}
