//! The check that follows a start: what the newest entries say, against the rows derived from them.
//!
//! A start reads O(log n) and believes the derived rows. Whoever could write the database, without a
//! key, could have hidden a revocation or a statement there. So the entries of the last day and a
//! half, longer than any request and any grant lives, are read afterwards, from the signed head
//! backwards, and derived again; and every hour, for it may be written while we run. Nobody waits for
//! it; until it is done, decisions rest on proofs of their own.

use rusqlite::{Connection, OptionalExtension};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::time::Timestamp;

use super::check::compare;
use super::connection::scratch;
use super::derive;
use super::error::StoreError;
use super::read::PAGE_ROWS_MAX;
use super::readers::Reader;
use super::requests;
use super::tokens::{self, TokenRow};
use super::write::STATEMENT_KEPT_SECONDS;
use super::x509::{self, RevokedX509};

/// What the newest entries say.
#[derive(Debug)]
pub struct Recent {
    /// Serials that belong on the KRL, of grants that began lately; ascending.
    pub revoked: Vec<u64>,
    /// X.509 certificates of theirs that belong on the list.
    pub x509: Vec<RevokedX509>,
    /// Tokens of theirs.
    pub tokens: Vec<TokenRow>,
    /// The first derived row that says something else.
    pub contradiction: Option<StoreError>,
}

impl Reader {
    /// Derives the tables again from the entries of the last [`RECENT_SECONDS`] before the head and
    /// compares. `stop` is asked now and then; `None` is the answer once it says so.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the entries do not form the chain that ends at the head.
    pub fn recent(&self, stop: &dyn Fn() -> bool) -> Result<Option<Recent>, StoreError> {
        let Some(from) = self.begin_of_recent(stop)? else { return Ok(None) };
        let again = scratch()?;
        again.execute_batch("BEGIN")?;
        if !self.derive_recent(&again, from, stop)? {
            return Ok(None);
        }
        let revoked = requests::revoked_in(&again)?;
        let x509 = x509::revoked_in(&again, Timestamp::from_unix_seconds(0))?;
        let tokens = tokens::tokens_in(&again, Timestamp::from_unix_seconds(0))?;
        let contradiction = self.contradiction(&again, from).err();
        Ok(Some(Recent { revoked, x509, tokens, contradiction }))
    }

    /// The first entry that is recent, found by following the chain back from the head.
    fn begin_of_recent(&self, stop: &dyn Fn() -> bool) -> Result<Option<u64>, StoreError> {
        let head = self.head();
        let horizon = head.time.second().minus(RECENT_SECONDS);
        let mut hash = head.hash;
        for seq in (0..head.size).rev() {
            if stop() {
                return Ok(None);
            }
            let missing = StoreError::Corrupt { seq, rule: "no entry is missing" };
            let record = self.entry(seq)?.ok_or(missing)?;
            if Digest::of(&record.bytes) != hash {
                return Err(StoreError::Corrupt { seq, rule: "its hash is the prev after it" });
            }
            let entry = record.parse()?;
            if entry.time.second() < horizon {
                return Ok(Some(seq));
            }
            hash = entry.prev;
        }
        Ok(Some(0))
    }

    /// Derives what the entries from `from` on say; answers whether it came to the end.
    fn derive_recent(
        &self,
        again: &Connection,
        from: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, StoreError> {
        let mut next = from;
        loop {
            let page = self.entries(next, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(true) };
            next = last.seq.saturating_add(1);
            for record in page {
                if stop() {
                    return Ok(false);
                }
                let entry = record.parse()?;
                if is_whole(again, &entry)? {
                    derive::record(again, &entry)?;
                }
            }
        }
    }

    fn contradiction(&self, again: &Connection, from: u64) -> Result<(), StoreError> {
        let here = self.connection()?;
        for (table, rows) in ROWS {
            compare(here, again, table, &rows.replace("?from", &from.to_string()))?;
        }
        let horizon = self.head().time.second().minus(STATEMENT_KEPT_SECONDS);
        let mut said =
            again.prepare("SELECT expires, digest, seq FROM statement WHERE expires >= ?1")?;
        let mut said = said.query([horizon.unix_seconds()])?;
        let mut kept =
            here.prepare("SELECT seq FROM statement WHERE expires = ?1 AND digest = ?2")?;
        while let Some(row) = said.next()? {
            let (expires, digest): (u64, [u8; 32]) = (row.get(0)?, row.get(1)?);
            let seq: Option<u64> =
                kept.query_row((expires, digest), |row| row.get(0)).optional()?;
            if seq != Some(row.get(2)?) {
                return Err(StoreError::Drift { table: "statement" });
            }
        }
        Ok(())
    }
}

/// Whether what the entry continues was read too.
fn is_whole(again: &Connection, entry: &Entry) -> Result<bool, StoreError> {
    let of = if let Body::Reviewed(reviewed) = &entry.body {
        Some(reviewed.request)
    } else {
        entry.grant().map(|link| link.grant)
    };
    let Some(grant) = of else { return Ok(true) };
    if matches!(entry.body, Body::Requested(_)) {
        return Ok(true);
    }
    let mut known = again.prepare_cached("SELECT 1 FROM request WHERE id = ?1")?;
    Ok(known.exists([grant.as_bytes()])?)
}

/// Longer than anything is in progress, in seconds: a day of waiting, twelve hours of living, five
/// minutes until it closes, and an hour for a sweep that was late.
pub const RECENT_SECONDS: u64 = 86_400 + 43_200 + 300 + 3_600;

/// Tables that say exactly what the entries from `?from` on say. A ground that fell away is kept only
/// as long as another stands, which may be older.
const ROWS: [(&str, &str); 8] = [
    (
        "standing_entry",
        "SELECT seq, kind, name, ground, until FROM standing_entry
         WHERE seq >= ?from AND (kind = 'lock' OR ground <> '') ORDER BY seq",
    ),
    (
        "request",
        "SELECT seq, id, digest, subject, scope, by, state, due, serial, lane, issued, ended, review
         FROM request WHERE seq >= ?from ORDER BY seq",
    ),
    (
        "grant_entry",
        "SELECT request, gseq, seq FROM grant_entry WHERE request >= ?from ORDER BY request, gseq",
    ),
    (
        "landing",
        "SELECT seq, target, by, list, version, canary, at, latency, ended FROM landing
         WHERE seq >= ?from ORDER BY seq",
    ),
    ("further", "SELECT serial, request FROM further WHERE request >= ?from ORDER BY serial"),
    (
        "x509",
        "SELECT seq, request, number, ends, revoked FROM x509 WHERE request >= ?from ORDER BY seq",
    ),
    (
        "token",
        "SELECT seq, request, digest, ends, over FROM token WHERE request >= ?from ORDER BY seq",
    ),
    ("policy", "SELECT version, digest, seq FROM policy WHERE seq >= ?from ORDER BY version"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_progress_is_older_than_what_is_checked() {
        let waiting = u64::from(breakglass_ledger::policy::PENDING_MAX_SECONDS);
        let living = u64::from(breakglass_ledger::time::Ttl::MAX.seconds());
        let longest = waiting + living + breakglass_rules::CLOSE_AFTER_SECONDS;
        assert!(RECENT_SECONDS >= longest + 3600, "{longest}");
    }
}
