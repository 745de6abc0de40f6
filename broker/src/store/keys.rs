//! Which keys the ledger names, and how long what one of them signed still counts.

use breakglass_ledger::entry::{Entry, KeyRole, Keys};
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::CLOSE_AFTER_SECONDS;
use rusqlite::Connection;

use super::error::StoreError;
use super::landing::is_of;
use super::read::{Read, Record};
use crate::crl::KEPT_SECONDS;
use crate::deny;

impl Read {
    /// The entries that name the broker's keys, in the ledger's order: `genesis`, then every `keys`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row names no entry; [`StoreError::Database`].
    pub fn key_entries(&self) -> Result<Vec<Record>, StoreError> {
        self.standing("SELECT 0 UNION SELECT seq FROM standing_entry WHERE kind = 'key' ORDER BY 1")
    }

    /// First second at which nothing that the key of `role` before entry `seq` signed counts anywhere,
    /// clocks that are behind included; `None` if nothing of it does. Lists are signed anew under the next
    /// key, and so is the daemon's own certificate: nothing of theirs is left to wait for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn outlived(&self, role: KeyRole, seq: u64) -> Result<Option<Timestamp>, StoreError> {
        let (select, more) = match role {
            KeyRole::Lists | KeyRole::TlsCa => return Ok(None),
            KeyRole::SshCa => (latest_of_ssh(), 0),
            KeyRole::X509Ca => {
                ("SELECT max(ends) FROM x509 WHERE seq < ?1".to_owned(), KEPT_SECONDS)
            }
            KeyRole::JwtKey => {
                ("SELECT max(ends) FROM token WHERE seq < ?1".to_owned(), deny::KEPT_SECONDS)
            }
        };
        let latest: Option<u64> = self.connection()?.query_row(&select, [seq], |row| row.get(0))?;
        Ok(latest.map(|latest| Timestamp::from_unix_seconds(latest.saturating_add(more))))
    }
}

/// When the last grant with an SSH certificate from before an entry closes: what is live (2) some time
/// after its end, what has ended (3) when it is due.
fn latest_of_ssh() -> String {
    let (first, other) = (is_of(Kind::Ssh, "serial"), is_of(Kind::Ssh, "further.serial"));
    format!(
        "SELECT max(CASE state WHEN 2 THEN due + {CLOSE_AFTER_SECONDS} ELSE due END)
         FROM request WHERE state IN (2, 3) AND (serial < ?1 AND {first} OR EXISTS (
             SELECT 1 FROM further WHERE further.request = request.seq AND further.serial < ?1 AND {other}))"
    )
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
