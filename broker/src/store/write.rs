//! One write transaction: entries appended, their checkpoint, and what belongs to them.

use std::ops::Deref;

use rusqlite::{Connection, ErrorCode};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Entry;
use breakglass_ledger::note::{Checkpoint, SIZE_MAX, VerifierKey};
use breakglass_ledger::statement::commitment;
use breakglass_ledger::time::{Moment, Timestamp};
use breakglass_ledger::tree::leaf_hash;

use super::error::StoreError;
use super::head::{Edge, Head, Stored};
use super::read::Read;
use super::{derive, nodes};

/// Statements are remembered for this long after they expired, in seconds: a client that retries
/// late still gets its first answer. Beyond it they are refused as expired in any case.
pub const STATEMENT_KEPT_SECONDS: u64 = 86_400;

/// Expired statements removed with each commit, per entry appended: twice what is added, so that
/// the table shrinks while it is in use, and no commit pays for a long backlog.
const PRUNED_PER_ENTRY: u64 = 2;

/// What is being written; see [`Store::write`](super::Store::write). Reads see what was written so
/// far.
#[derive(Debug)]
pub struct Write<'s> {
    read: &'s Read,
    key: &'s VerifierKey,
    edge: Edge,
    /// Entries appended so far.
    appended: u64,
    /// The checkpoint of exactly the entries so far.
    note: Option<String>,
    /// A step failed, so what is in the transaction may be half of something.
    failed: bool,
    /// A text was erased.
    erased: bool,
}

/// What was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// SHA-256 of the bytes: the `prev` of the next entry, and the `gprev` of the grant's next.
    pub hash: Digest,
    /// The entry's bytes.
    pub bytes: Vec<u8>,
}

/// What a commit made true.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) edge: Edge,
    pub(super) note: Option<String>,
    pub(super) erased: bool,
}

impl<'s> Write<'s> {
    pub(super) fn begin(
        read: &'s Read,
        key: &'s VerifierKey,
        edge: Edge,
    ) -> Result<Self, StoreError> {
        read.connection()?.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        Ok(Self { read, key, edge, appended: 0, note: None, failed: false, erased: false })
    }

    /// How far the ledger reaches, the entries of this batch included.
    #[must_use]
    pub fn head(&self) -> Head {
        self.edge.head()
    }

    /// Number of entries, those of this batch included: the `seq` of the next.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.edge.frontier.size()
    }

    /// SHA-256 of the newest entry's bytes: the `prev` of the next.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.edge.hash
    }

    /// Time of the newest entry: no later one may be earlier.
    #[must_use]
    pub const fn time(&self) -> Moment {
        self.edge.time
    }

    /// Appends `entry`, and records what it says in the derived tables.
    ///
    /// # Errors
    ///
    /// [`StoreError::Discontinuous`], [`StoreError::Grant`], [`StoreError::Repeated`],
    /// [`StoreError::Entry`], [`StoreError::Statement`], or a fault of the database. After any of
    /// them the batch cannot be committed.
    pub fn append(&mut self, entry: &Entry) -> Result<Appended, StoreError> {
        self.step(|write| {
            write.check_continues(entry)?;
            let bytes =
                entry.to_bytes().map_err(|source| StoreError::Entry { seq: entry.seq, source })?;
            let (leaf, hash) = (leaf_hash(&bytes), Digest::of(&bytes));
            let connection = write.read.connection()?;
            let mut insert = connection
                .prepare_cached("INSERT INTO entry(seq, leaf, bytes) VALUES (?1, ?2, ?3)")?;
            insert.execute((entry.seq, leaf.as_bytes(), &bytes))?;
            nodes::push(connection, &mut write.edge.frontier, leaf)?;
            derive::record(connection, entry)?;
            write.erased |= derive::erase(connection, entry)?;
            write.edge.hash = hash;
            write.edge.time = entry.time;
            write.appended = write.appended.saturating_add(1);
            write.note = None;
            Ok(Appended { hash, bytes })
        })
    }

    /// Puts the signed checkpoint of all entries so far, this batch included.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unsigned`] if it is a checkpoint of anything else.
    pub fn put_checkpoint(&mut self, note: &str) -> Result<(), StoreError> {
        self.step(|write| {
            let Head { size, root, .. } = write.head();
            let mismatch = || StoreError::Unsigned { size };
            let origin = write.key.name().parse().map_err(|_| mismatch())?;
            // The text only: our own signer has just made it, and start-up checks the signature.
            let body = Checkpoint { origin, size, root }.body();
            let rest = note.strip_prefix(&body).ok_or_else(mismatch)?;
            if !rest.starts_with("\n\u{2014} ") {
                return Err(mismatch());
            }
            write.note = Some(note.to_owned());
            Ok(())
        })
    }

    /// Keeps the opening of a statement's reason or comment. Putting it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if `digest` is not the commitment to it.
    pub fn put_text(
        &mut self,
        digest: Digest,
        salt: &[u8; 32],
        text: &str,
    ) -> Result<(), StoreError> {
        self.step(|write| {
            if commitment(salt, text) != digest {
                return Err(StoreError::Damaged { what: "an opening" });
            }
            if write.read.text(digest)?.is_some() {
                return Ok(());
            }
            let mut insert = write
                .read
                .connection()?
                .prepare_cached("INSERT INTO text(digest, salt, text) VALUES (?1, ?2, ?3)")?;
            insert.execute((digest.as_bytes(), salt, text))?;
            Ok(())
        })
    }

    /// Keeps a policy file under its SHA-256. Putting it again changes nothing.
    ///
    /// # Errors
    ///
    /// A fault of the database.
    pub fn put_blob(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.step(|write| {
            let digest = Digest::of(bytes);
            let mut insert = write.read.connection()?.prepare_cached(
                "INSERT INTO blob(digest, bytes) VALUES (?1, ?2) ON CONFLICT(digest) DO NOTHING",
            )?;
            insert.execute((digest.as_bytes(), bytes))?;
            Ok(digest)
        })
    }

    /// Makes everything durable, or nothing.
    pub(super) fn commit(mut self) -> Result<Committed, StoreError> {
        if self.failed {
            return Err(StoreError::Abandoned);
        }
        let head = self.head();
        if self.appended > 0 && self.note.is_none() {
            return Err(StoreError::Unsigned { size: head.size });
        }
        let connection = self.read.connection()?;
        if let Some(note) = &self.note {
            Stored::write(connection, &head, note)?;
        }
        if self.appended > 0 {
            forget(connection, head.time.second(), self.appended)?;
        }
        connection.prepare_cached("COMMIT")?.execute(()).map_err(|error| {
            if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
                StoreError::Full
            } else {
                StoreError::Commit(error)
            }
        })?;
        let note = self.note.take();
        Ok(Committed { edge: self.edge.clone(), note, erased: self.erased })
    }

    /// Runs a step of the batch; once one failed, no further one runs and nothing is committed,
    /// even if the caller goes on.
    fn step<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Abandoned);
        }
        self.failed = true;
        let value = body(self)?;
        self.failed = false;
        Ok(value)
    }

    fn check_continues(&self, entry: &Entry) -> Result<(), StoreError> {
        let refused = |rule| Err(StoreError::Discontinuous { seq: entry.seq, rule });
        if entry.seq != self.edge.frontier.size() {
            return refused("its seq is the number of entries before it");
        }
        if entry.prev != self.edge.hash {
            return refused("its prev is the hash of the entry before it");
        }
        if entry.time < self.edge.time {
            return refused("its time is not before that of the entry before it");
        }
        if entry.log.as_str() != self.key.name() {
            return refused("its log is this ledger");
        }
        if entry.seq >= SIZE_MAX {
            return refused("a ledger has fewer than 2^53 entries");
        }
        Ok(())
    }
}

impl Deref for Write<'_> {
    type Target = Read;

    fn deref(&self) -> &Read {
        self.read
    }
}

/// Whatever was not committed is rolled back, also when the caller panics.
impl Drop for Write<'_> {
    fn drop(&mut self) {
        if let Ok(connection) = self.read.connection()
            && !connection.is_autocommit()
        {
            // If this fails too, the next transaction cannot begin, and says so.
            let _unheard = connection.execute_batch("ROLLBACK");
        }
    }
}

/// Removes statements that expired more than [`STATEMENT_KEPT_SECONDS`] before `now`, the oldest
/// first.
fn forget(connection: &Connection, now: Timestamp, appended: u64) -> Result<(), StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM statement WHERE (expires, digest) IN (
             SELECT expires, digest FROM statement WHERE expires < ?1 ORDER BY expires LIMIT ?2)",
    )?;
    let before = now.minus(STATEMENT_KEPT_SECONDS).unix_seconds();
    delete.execute((before, appended.saturating_mul(PRUNED_PER_ENTRY)))?;
    Ok(())
}

/// Removes every statement that expired more than [`STATEMENT_KEPT_SECONDS`] before `now`.
pub(super) fn forget_all(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let before = now.minus(STATEMENT_KEPT_SECONDS).unix_seconds();
    connection.execute("DELETE FROM statement WHERE expires < ?1", [before])?;
    Ok(())
}
