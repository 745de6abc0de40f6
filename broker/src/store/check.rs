//! The whole check: every entry read, everything derived a second time and compared. O(ledger), for
//! tests, for `breakglassd` commands, never for a start.

use rusqlite::Connection;
use rusqlite::types::Value;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::commitment;
use breakglass_ledger::time::Moment;

use super::connection::scratch;
use super::error::StoreError;
use super::head::{Edge, Stored};
use super::read::{PAGE_ROWS_MAX, Read};
use super::write::STATEMENT_KEPT_SECONDS;
use super::{derive, nodes};

impl Read {
    /// Reads every entry, checks that they form one chain up to the head, derives every table from
    /// them again, and compares. Checks texts and policy files against their digests.
    ///
    /// Signatures and decisions are not judged here; that is the verifier's part, who trusts none
    /// of these tables.
    ///
    /// # Errors
    ///
    /// The first contradiction: [`StoreError::Corrupt`], [`StoreError::Root`],
    /// [`StoreError::Drift`], [`StoreError::Damaged`], or what appending such an entry answers.
    pub fn rebuild_and_compare(&self) -> Result<(), StoreError> {
        let again = scratch()?;
        again.execute_batch("BEGIN")?;
        let edge = self.derive_into(&again)?;
        let stored = Stored::read(self.connection()?)?.head;
        let derived = edge.head();
        if derived.root != stored.root || derived.size != stored.size {
            return Err(StoreError::Root { size: stored.size });
        }
        if derived != stored {
            return Err(StoreError::Drift { table: "head" });
        }
        for (table, rows) in DERIVED {
            compare(self.connection()?, &again, table, rows)?;
        }
        self.compare_statements(&again, stored.time)?;
        self.check_texts()?;
        self.check_blobs()
    }

    /// Derives every table from the entries into `again`, whose tables are empty, and answers where
    /// the entries end.
    pub(super) fn derive_into(&self, again: &Connection) -> Result<Edge, StoreError> {
        let mut edge = Edge::empty();
        loop {
            let page = self.entries(edge.frontier.size(), PAGE_ROWS_MAX)?;
            if page.is_empty() {
                return Ok(edge);
            }
            for record in page {
                let (seq, entry) = (record.seq, record.parse()?);
                if entry.prev != edge.hash {
                    return Err(StoreError::Corrupt { seq, rule: "its prev is the hash before" });
                }
                if entry.time < edge.time {
                    return Err(StoreError::Corrupt { seq, rule: "its time is not before" });
                }
                nodes::push(again, &mut edge.frontier, record.leaf)?;
                derive::record(again, &entry)?;
                edge.hash = Digest::of(&record.bytes);
                edge.time = entry.time;
            }
        }
    }

    /// Statements are removed some time after they expired, the oldest first: those that are here
    /// must be the newest of those there were, and none that is missing may be fresh.
    fn compare_statements(&self, again: &Connection, now: Moment) -> Result<(), StoreError> {
        let drift = StoreError::Drift { table: "statement" };
        let here: i64 = count(self.connection()?)?;
        let there: i64 = count(again)?;
        let removed = there.checked_sub(here).filter(|removed| *removed >= 0).ok_or(drift)?;
        let horizon = now.second().minus(STATEMENT_KEPT_SECONDS).unix_seconds();
        let fresh: i64 = again.query_row(
            "SELECT count(*) FROM (SELECT expires FROM statement ORDER BY expires LIMIT ?1)
             WHERE expires >= ?2",
            (removed, horizon),
            |row| row.get(0),
        )?;
        if fresh > 0 {
            return Err(StoreError::Drift { table: "statement" });
        }
        // Rows of one second go in no set order, so only whole seconds are compared one by one.
        let kept: Option<i64> =
            self.connection()?
                .query_row("SELECT min(expires) FROM statement", (), |row| row.get(0))?;
        let Some(kept) = kept else { return Ok(()) };
        let rows = format!(
            "SELECT expires, digest, seq FROM statement WHERE expires > {kept} ORDER BY expires, digest"
        );
        compare(self.connection()?, again, "statement", &rows)
    }

    fn check_texts(&self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = self.texts(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            if page.iter().any(|row| commitment(&row.salt, &row.text) != row.digest) {
                return Err(StoreError::Damaged { what: "an opening" });
            }
        }
    }

    fn check_blobs(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.blobs(after)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            for digest in page {
                self.blob(digest)?;
            }
        }
    }
}

/// Tables that say exactly what the entries say, and how to read them in order.
const DERIVED: [(&str, &str); 12] = [
    ("node", "SELECT level, place, hash FROM node ORDER BY level, place"),
    (
        "request",
        "SELECT seq, id, digest, subject, scope, by, state, due, serial, lane, issued, ended, review
         FROM request ORDER BY seq",
    ),
    ("grant_entry", "SELECT request, gseq, seq FROM grant_entry ORDER BY request, gseq"),
    ("x509", "SELECT seq, request, number, ends, revoked FROM x509 ORDER BY seq"),
    ("token", "SELECT seq, request, digest, ends, over FROM token ORDER BY seq"),
    ("scope", "SELECT id, live, drilled FROM scope ORDER BY id"),
    ("further", "SELECT serial, request FROM further ORDER BY serial"),
    ("policy", "SELECT version, digest, seq FROM policy ORDER BY version"),
    ("standing_entry", "SELECT seq, kind, name, ground, until FROM standing_entry ORDER BY seq"),
    (
        "landing",
        "SELECT seq, target, by, list, version, canary, at, latency, ended FROM landing ORDER BY seq",
    ),
    ("target", "SELECT name, list, by, seq, overdue FROM target ORDER BY name, list"),
    (
        "sighting",
        "SELECT serial, target, known, at, recorded, seq FROM sighting ORDER BY serial, target",
    ),
];

fn count(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM statement", (), |row| row.get(0))?)
}

/// Row by row, so that memory does not grow with the ledger.
pub(super) fn compare(
    stored: &Connection,
    derived: &Connection,
    table: &'static str,
    rows: &str,
) -> Result<(), StoreError> {
    let (mut stored, mut derived) = (stored.prepare(rows)?, derived.prepare(rows)?);
    let columns = stored.column_count();
    let values = |row: &rusqlite::Row<'_>| {
        (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()
    };
    let (mut stored, mut derived) = (stored.query(())?, derived.query(())?);
    loop {
        let left = stored.next()?.map(values).transpose()?;
        let right = derived.next()?.map(values).transpose()?;
        if left != right {
            return Err(StoreError::Drift { table });
        }
        if left.is_none() {
            return Ok(());
        }
    }
}
