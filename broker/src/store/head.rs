//! How far the ledger reaches: in memory for the writer, and read back after a start.

use rusqlite::{Connection, OptionalExtension};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Moment;
use breakglass_ledger::tree::Frontier;

use super::error::StoreError;

/// How far the ledger reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of entries, and so the `seq` of the next.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// SHA-256 of the newest entry's bytes: the `prev` of the next. Zeros if there is none.
    pub hash: Digest,
    /// Time of the newest entry; the epoch if there is none. No later entry may be earlier.
    pub time: Moment,
}

/// The head with what it takes to go on from it.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) frontier: Frontier,
    pub(super) hash: Digest,
    pub(super) time: Moment,
}

impl Edge {
    /// Before the first entry.
    pub(super) fn empty() -> Self {
        Self { frontier: Frontier::new(), hash: Digest::ZERO, time: Moment::from_unix_millis(0) }
    }

    pub(super) fn head(&self) -> Head {
        Head {
            size: self.frontier.size(),
            root: self.frontier.root(),
            hash: self.hash,
            time: self.time,
        }
    }
}

/// The row of `head`.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) head: Head,
    pub(super) note: Option<String>,
}

impl Stored {
    /// The row of an empty ledger, written once.
    pub(super) fn found(connection: &Connection) -> Result<(), StoreError> {
        let root = Frontier::new().root();
        connection.execute(
            "INSERT INTO head(one, size, root, hash, time, note) VALUES (1, 0, ?1, ?2, 0, NULL)",
            (root.as_bytes(), Digest::ZERO.as_bytes()),
        )?;
        Ok(())
    }

    /// Reads the row.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut select = connection
            .prepare_cached("SELECT size, root, hash, time, note FROM head WHERE one = 1")?;
        let stored = select
            .query_row((), |row| {
                let head = Head {
                    size: row.get(0)?,
                    root: Digest::from_bytes(row.get(1)?),
                    hash: Digest::from_bytes(row.get(2)?),
                    time: Moment::from_unix_millis(row.get(3)?),
                };
                Ok(Self { head, note: row.get(4)? })
            })
            .optional()?;
        stored.ok_or(StoreError::Damaged { what: "the head row" })
    }

    /// Writes the row.
    pub(super) fn write(
        connection: &Connection,
        head: &Head,
        note: &str,
    ) -> Result<(), StoreError> {
        let mut update = connection.prepare_cached(
            "UPDATE head SET size = ?1, root = ?2, hash = ?3, time = ?4, note = ?5 WHERE one = 1",
        )?;
        let time = head.time.unix_millis();
        update.execute((head.size, head.root.as_bytes(), head.hash.as_bytes(), time, note))?;
        Ok(())
    }
}
