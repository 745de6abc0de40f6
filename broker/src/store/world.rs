//! Which entries about locks and outages are still of importance, so that a start folds these few
//! and not the whole ledger.

use rusqlite::Connection;

use breakglass_ledger::entry::{Body, Entry, OutageBegan, OutageEnded, Signed};
use breakglass_ledger::principal::DependencyId;
use breakglass_ledger::time::Timestamp;

use super::derive;
use super::error::StoreError;
use super::read::{Read, Record};

impl Read {
    /// The entries from which what is locked and what is down is folded, in the ledger's order.
    /// All of them: each is a person's act or an outage, and to leave one out would open what a
    /// lock closes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row names no entry; [`StoreError::Database`].
    pub fn standing_entries(&self) -> Result<Vec<Record>, StoreError> {
        self.standing(
            "SELECT seq FROM standing_entry WHERE kind IN ('lock', 'outage') ORDER BY seq",
        )
    }

    /// The entries whose places `select` names, one column of them.
    pub(super) fn standing(&self, select: &str) -> Result<Vec<Record>, StoreError> {
        let mut select = self.connection()?.prepare_cached(select)?;
        let mut records = Vec::new();
        for seq in select.query_map((), |row| row.get(0))? {
            let record = self.entry(seq?)?;
            records.push(record.ok_or(StoreError::Damaged { what: "standing_entry.seq" })?);
        }
        Ok(records)
    }
}

/// Records what an entry about a lock or an outage leaves of importance.
pub(super) fn record(connection: &Connection, entry: &Entry) -> Result<(), StoreError> {
    if let Body::Locked(body) = &entry.body {
        let lock = body.signed.digest().to_string();
        return insert(connection, entry.seq, "lock", &lock, "", None);
    }
    if let Body::Unlocked(body) = &entry.body {
        let mut delete = connection
            .prepare_cached("DELETE FROM standing_entry WHERE kind = 'lock' AND name = ?1")?;
        delete.execute([body.lock.to_string()])?;
    }
    if let Body::OutageBegan(body) = &entry.body {
        return began(connection, entry.seq, body);
    }
    if let Body::OutageEnded(body) = &entry.body {
        return ended(connection, entry, body);
    }
    Ok(())
}

fn began(connection: &Connection, seq: u64, body: &OutageBegan) -> Result<(), StoreError> {
    let (ground, until) = match &body.signed {
        None => (MEASURED, None),
        Some(signed) => (DECLARED, until(seq, signed)?),
    };
    insert(connection, seq, OUTAGE, body.dependency.as_str(), ground, until)
}

/// The ground that the entry takes away goes; when it was the last, so do the rows.
fn ended(connection: &Connection, entry: &Entry, body: &OutageEnded) -> Result<(), StoreError> {
    let (dependency, at) = (&body.dependency, entry.time.second().unix_seconds());
    let (ground, by_then) = match (&body.signed, &body.evidence) {
        (Some(_), _) => (DECLARED, None),
        (None, Some(_)) => (MEASURED, None),
        (None, None) => (DECLARED, Some(at)),
    };
    let mut fall = connection.prepare_cached(
        "UPDATE standing_entry SET ground = ''
         WHERE kind = 'outage' AND name = ?1 AND ground = ?2
           AND (?3 IS NULL OR until IS NULL OR until <= ?3)",
    )?;
    fall.execute((dependency.as_str(), ground, by_then))?;
    let over = body.decision.outcome == ENDED;
    if over {
        let mut older = connection.prepare_cached(
            "UPDATE standing_entry SET ground = ''
             WHERE kind = 'outage' AND name = ?1 AND ground = 'ended'",
        )?;
        older.execute([dependency.as_str()])?;
    }
    let ground = if over { ENDED } else { "" };
    insert(connection, entry.seq, OUTAGE, dependency.as_str(), ground, None)?;
    clear(connection, dependency)
}

/// Forgets what led to an outage that nothing stands for any more.
fn clear(connection: &Connection, dependency: &DependencyId) -> Result<(), StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM standing_entry
         WHERE kind = 'outage' AND name = ?1 AND ground = '' AND NOT EXISTS (
             SELECT 1 FROM standing_entry
             WHERE kind = 'outage' AND name = ?1 AND ground IN ('measured', 'declared'))",
    )?;
    delete.execute([dependency.as_str()])?;
    Ok(())
}

fn insert(
    connection: &Connection,
    seq: u64,
    kind: &str,
    name: &str,
    ground: &str,
    until: Option<Timestamp>,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO standing_entry(seq, kind, name, ground, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute((seq, kind, name, ground, until.map(Timestamp::unix_seconds)))?;
    Ok(())
}

fn until(seq: u64, signed: &Signed) -> Result<Option<Timestamp>, StoreError> {
    let until: String = derive::word(seq, &signed.statement, "until")?;
    if until == "-" {
        return Ok(None);
    }
    until.parse().map(Some).map_err(|_| StoreError::Statement { seq })
}

const OUTAGE: &str = "outage";
const MEASURED: &str = "measured";
const DECLARED: &str = "declared";
/// Also the word of the decision with which an outage is over.
const ENDED: &str = "ended";
