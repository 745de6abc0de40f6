//! Which keys the ledger names, and how long what one of them signed still counts.

use breakglass_ledger::entry::{Entry, Keys};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::CLOSE_AFTER_SECONDS;
use rusqlite::Connection;

use super::error::StoreError;
use super::read::{Read, Record};
use crate::crl::KEPT_SECONDS;

impl Read {
    /// The entries that name the broker's keys, in the ledger's order: `genesis`, then every `keys`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row names no entry; [`StoreError::Database`].
    pub fn key_entries(&self) -> Result<Vec<Record>, StoreError> {
        self.standing("SELECT 0 UNION SELECT seq FROM standing_entry WHERE kind = 'key' ORDER BY 1")
    }

    /// First second at which no credential issued before entry `seq` counts anywhere, clocks that are
    /// behind included; `None` if there never was one, or it is closed since.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn outlived(&self, seq: u64) -> Result<Option<Timestamp>, StoreError> {
        let connection = self.connection()?;
        // What is live (2) is due at its end, what has ended (3) when it is to be closed.
        let grants: Option<u64> = connection.query_row(
            "SELECT max(CASE state WHEN 2 THEN due + ?2 ELSE due END)
             FROM request WHERE state IN (2, 3) AND serial < ?1",
            (seq, CLOSE_AFTER_SECONDS),
            |row| row.get(0),
        )?;
        let certificates: Option<u64> =
            connection
                .query_row("SELECT max(ends) FROM x509 WHERE seq < ?1", [seq], |row| row.get(0))?;
        let certificates = certificates.map(|ends| ends.saturating_add(KEPT_SECONDS));
        Ok(grants.max(certificates).map(Timestamp::from_unix_seconds))
    }
}

/// Records an entry that names a key. All of them stay: which key signed what is told by them.
pub(super) fn record(
    connection: &Connection,
    entry: &Entry,
    keys: &Keys,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO standing_entry(seq, kind, name, ground, until)
         VALUES (?1, 'key', ?2, '', NULL)",
    )?;
    insert.execute((entry.seq, keys.role.name()))?;
    Ok(())
}
