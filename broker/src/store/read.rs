//! Reading the record: entries, texts, policy files. What is derived is in `requests`.

use rusqlite::{Connection, OptionalExtension, Row};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Entry;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::tree::leaf_hash;

use super::error::StoreError;

/// Most rows in one page of an answer: one message to a client, well below its limit.
pub const PAGE_ROWS_MAX: usize = 1024;

/// Most bytes of entries in one page, the last entry excepted.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Everything that can be read, by a [`Reader`](super::Reader) from its snapshot or by a
/// [`Write`](super::Write) from within its transaction.
#[derive(Debug)]
pub struct Read {
    /// `None` only while a dropped reader hands it back to the pool.
    connection: Option<Connection>,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub seq: u64,
    /// Its hash in the tree, checked against `bytes` when it was read.
    pub leaf: Digest,
    /// The bytes that were hashed.
    pub bytes: Vec<u8>,
}

impl Record {
    /// The entry in these bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Entry`], or [`StoreError::Corrupt`] if it says that it belongs elsewhere.
    pub fn parse(&self) -> Result<Entry, StoreError> {
        let entry = Entry::parse(&self.bytes)
            .map_err(|source| StoreError::Entry { seq: self.seq, source })?;
        if entry.seq != self.seq {
            return Err(StoreError::Corrupt { seq: self.seq, rule: "its seq is its place" });
        }
        Ok(entry)
    }
}

/// The opening of a salted commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Order of arrival: the cursor of [`Read::texts`].
    pub number: u64,
    /// SHA-256(salt ‖ text), as in the statement.
    pub digest: Digest,
    /// 32 bytes.
    pub salt: [u8; 32],
    /// What a person wrote.
    pub text: String,
}

/// Which policy came into force with which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// From 1.
    pub version: u64,
    /// SHA-256 of the manifest.
    pub digest: Digest,
    /// Of its `policy` entry.
    pub seq: u64,
}

impl Read {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection: Some(connection) }
    }

    pub(super) const fn take(&mut self) -> Self {
        Self { connection: self.connection.take() }
    }

    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Busy)
    }

    /// The entry at `seq`, `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if its bytes are not those that were recorded.
    pub fn entry(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        let mut select = self
            .connection()?
            .prepare_cached("SELECT seq, leaf, bytes FROM entry WHERE seq = ?1")?;
        select.query_row([seq], record).optional()?.map(checked).transpose()
    }

    /// The entries from `from` on: at most `limit`, [`PAGE_ROWS_MAX`], and what fits into
    /// [`PAGE_BYTES_MAX`]; empty only at the end.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] at the first entry that is missing or is not what was recorded.
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT seq, leaf, bytes FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let (mut page, mut size, mut next) = (Vec::new(), 0_usize, from);
        for row in select.query_map((from, limit.min(PAGE_ROWS_MAX)), record)? {
            let record = checked(row?)?;
            if record.seq != next {
                return Err(StoreError::Corrupt { seq: next, rule: "no entry is missing" });
            }
            next = next.saturating_add(1);
            size = size.saturating_add(record.bytes.len());
            page.push(record);
            if size >= PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(page)
    }

    /// Every entry of a request, in order; empty if it is not known.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`].
    pub fn grant_entries(&self, id: RequestId) -> Result<Vec<Record>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT entry.seq, entry.leaf, entry.bytes FROM request
             CROSS JOIN grant_entry ON grant_entry.request = request.seq
             CROSS JOIN entry ON entry.seq = grant_entry.seq
             WHERE request.id = ?1 ORDER BY grant_entry.gseq",
        )?;
        select.query_map([id.as_bytes()], record)?.map(|row| checked(row?)).collect()
    }

    /// The opening of `digest`, `None` if it never came or was erased.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn text(&self, digest: Digest) -> Result<Option<Opening>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT number, digest, salt, text FROM text
             WHERE substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
        )?;
        Ok(select.query_row([digest.as_bytes()], opening).optional()?)
    }

    /// The openings of those of `digests` that are there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn texts_for(&self, digests: &[Digest]) -> Result<Vec<Opening>, StoreError> {
        digests.iter().filter_map(|digest| self.text(*digest).transpose()).collect()
    }

    /// Openings in order of arrival, after number `after` (0 for the first page), at most `limit`
    /// and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn texts(&self, after: u64, limit: usize) -> Result<Vec<Opening>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT number, digest, salt, text FROM text WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = select.query_map((after, limit.min(PAGE_ROWS_MAX)), opening)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Number of the opening that came last; 0 if there is none. With it a reader of many pages knows
    /// where those end that belong to the entries of its first snapshot.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn newest_text(&self) -> Result<u64, StoreError> {
        let mut select = self.connection()?.prepare_cached("SELECT max(number) FROM text")?;
        let number: Option<u64> = select.query_row((), |row| row.get(0))?;
        Ok(number.unwrap_or(0))
    }

    /// The file whose SHA-256 is `digest`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if the bytes kept under `digest` have another.
    pub fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let mut select =
            self.connection()?.prepare_cached("SELECT bytes FROM blob WHERE digest = ?1")?;
        let bytes: Option<Vec<u8>> =
            select.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        match bytes {
            Some(bytes) if Digest::of(&bytes) != digest => {
                Err(StoreError::Damaged { what: "a policy file" })
            }
            bytes => Ok(bytes),
        }
    }

    /// The digests of all policy files, in order, after `after`; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn blobs(&self, after: Option<Digest>) -> Result<Vec<Digest>, StoreError> {
        let mut select = self
            .connection()?
            .prepare_cached("SELECT digest FROM blob WHERE digest > ?1 ORDER BY digest LIMIT ?2")?;
        let after = after.as_ref().map_or(&[][..], |digest| digest.as_bytes());
        let rows = select.query_map((after, PAGE_ROWS_MAX), |row| row.get(0))?;
        Ok(rows.map(|row| row.map(Digest::from_bytes)).collect::<Result<_, _>>()?)
    }

    /// The policy in force, `None` before the first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn newest_policy(&self) -> Result<Option<PolicyRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT version, digest, seq FROM policy ORDER BY version DESC LIMIT 1",
        )?;
        Ok(select.query_row((), policy).optional()?)
    }

    /// The policy whose manifest has this digest, `None` if it was never in force here.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn policy_of(&self, digest: Digest) -> Result<Option<PolicyRow>, StoreError> {
        // Without an index: there are few policies, and this is asked once for each.
        let mut select = self.connection()?.prepare_cached(
            "SELECT version, digest, seq FROM policy WHERE digest = ?1 ORDER BY version LIMIT 1",
        )?;
        Ok(select.query_row([digest.as_bytes()], policy).optional()?)
    }

    /// Every policy from `version` on, at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn policies(&self, version: u64) -> Result<Vec<PolicyRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT version, digest, seq FROM policy WHERE version >= ?1 ORDER BY version LIMIT ?2",
        )?;
        Ok(select.query_map((version, PAGE_ROWS_MAX), policy)?.collect::<Result<_, _>>()?)
    }
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let leaf = Digest::from_bytes(row.get(1)?);
    Ok(Record { seq: row.get(0)?, leaf, bytes: row.get(2)? })
}

fn checked(record: Record) -> Result<Record, StoreError> {
    if leaf_hash(&record.bytes) != record.leaf {
        let rule = "its bytes have the leaf hash kept beside them";
        return Err(StoreError::Corrupt { seq: record.seq, rule });
    }
    Ok(record)
}

fn opening(row: &Row<'_>) -> Result<Opening, rusqlite::Error> {
    let digest = Digest::from_bytes(row.get(1)?);
    Ok(Opening { number: row.get(0)?, digest, salt: row.get(2)?, text: row.get(3)? })
}

fn policy(row: &Row<'_>) -> Result<PolicyRow, rusqlite::Error> {
    let digest = Digest::from_bytes(row.get(1)?);
    Ok(PolicyRow { version: row.get(0)?, digest, seq: row.get(2)? })
}
