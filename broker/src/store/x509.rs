//! X.509 certificates as their list needs them, derived from the entries.

use breakglass_ledger::entry::{Issued, Revoked};
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::read::Read;
use crate::crl::{self, SerialNumber};

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedX509 {
    /// The serial number in it; begins with the `seq` of its entry.
    pub number: SerialNumber,
    /// First second at which it is not valid any more.
    pub ends: Timestamp,
    /// When it was revoked.
    pub revoked: Timestamp,
}

impl Read {
    /// Revoked certificates that ended after `horizon`, ascending by their entries.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn revoked_x509(&self, horizon: Timestamp) -> Result<Vec<RevokedX509>, StoreError> {
        revoked_in(self.connection()?, horizon)
    }

    /// The certificate of the entry `seq`, as if it were revoked at its end; `None` if it is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if the row holds what it cannot hold; [`StoreError::Database`].
    pub fn x509(&self, seq: u64) -> Result<Option<RevokedX509>, StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT number, ends FROM x509 WHERE seq = ?1")?;
        let row = select.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((number, ends)): Option<([u8; 16], u64)> = row else { return Ok(None) };
        let number = numbered(number)?;
        let ends = Timestamp::from_unix_seconds(ends);
        Ok(Some(RevokedX509 { number, ends, revoked: ends }))
    }
}

impl Read {
    /// Certificates that were not revoked and end after `horizon`: number and end.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn live_x509(
        &self,
        horizon: Timestamp,
    ) -> Result<Vec<(SerialNumber, Timestamp)>, StoreError> {
        let mut select = self
            .connection()?
            .prepare_cached("SELECT number, ends FROM x509 WHERE ends > ?1 AND revoked IS NULL")?;
        let mut rows = select.query([horizon.unix_seconds()])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push((numbered(row.get(0)?)?, Timestamp::from_unix_seconds(row.get(1)?)));
        }
        Ok(all)
    }
}

fn numbered(number: [u8; 16]) -> Result<SerialNumber, StoreError> {
    SerialNumber::from_number(&number)
        .ok_or(StoreError::Damaged { what: "a certificate's serial number" })
}

/// Revoked certificates in `connection` that ended after `horizon`, ascending.
pub(super) fn revoked_in(
    connection: &Connection,
    horizon: Timestamp,
) -> Result<Vec<RevokedX509>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, ends, revoked FROM x509 WHERE ends > ?1 AND revoked IS NOT NULL",
    )?;
    let mut rows = select.query([horizon.unix_seconds()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(RevokedX509 {
            number: numbered(row.get(0)?)?,
            ends: Timestamp::from_unix_seconds(row.get(1)?),
            revoked: Timestamp::from_unix_seconds(row.get(2)?),
        });
    }
    all.sort_unstable_by_key(|one| one.number);
    Ok(all)
}

/// Records a certificate that was issued; nothing for credentials of other kinds.
pub(super) fn issued(
    connection: &Connection,
    request: u64,
    issued: &Issued,
) -> Result<(), StoreError> {
    if issued.kind != Kind::X509 {
        return Ok(());
    }
    let number = issued.certificate.as_deref().and_then(crl::serial_of);
    let number = number.filter(|number| number.seq() == issued.serial);
    let number = number.ok_or(StoreError::Statement { seq: issued.serial })?;
    let mut insert = connection
        .prepare_cached("INSERT INTO x509(seq, request, number, ends) VALUES (?1, ?2, ?3, ?4)")?;
    let ends = issued.valid_before.unix_seconds();
    insert.execute((issued.serial, request, number.as_bytes(), ends))?;
    Ok(())
}

/// Records that a grant's certificates, if it has any, were revoked `at`.
pub(super) fn revoked(
    connection: &Connection,
    revoked: &Revoked,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached("UPDATE x509 SET revoked = ?2 WHERE seq = ?1")?;
    for serial in revoked.serials() {
        update.execute((serial, at.unix_seconds()))?;
    }
    Ok(())
}
