//! The ledger on disk, and the only SQL of the house.
//!
//! A directory with three files: `ledger.db` (SQLite), `guard` (the newest checkpoint, to notice an
//! older copy of the database) and `lock` (one writer). Entries are appended in batches, each in one
//! transaction with its signed checkpoint; what is derived from them is written in the same
//! transaction. Start-up reads O(log n): it never counts and never replays, the first start of a newer
//! version excepted.
//!
//! Deliberately absent: deleting or changing entries, and any judgement of who may do what.

mod check;
mod connection;
mod cursor;
mod derive;
mod error;
mod guard;
mod head;
mod history;
mod keys;
mod landing;
mod lock;
mod nodes;
mod proof;
mod read;
mod readers;
mod recent;
mod requests;
mod standing;
mod start;
mod tokens;
mod upgrade;
mod world;
mod write;
mod x509;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod tests;

pub use cursor::{Cursor, ParseCursorError};
pub use error::StoreError;
pub use guard::GuardPolicy;
pub use head::Head;
pub use landing::LandingRow;
pub use proof::Anchored;
pub use read::{Opening, PAGE_BYTES_MAX, PAGE_ROWS_MAX, PolicyRow, Read, Record};
pub use readers::{Reader, Readers};
pub use recent::{RECENT_SECONDS, Recent};
pub use standing::{Due, RequestRow, State};
pub use tokens::TokenRow;
pub use write::{Appended, STATEMENT_KEPT_SECONDS, Write};
pub use x509::RevokedX509;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use breakglass_ledger::note::VerifierKey;

use guard::Guard;
use head::{Edge, Stored};
use lock::Lock;
use upgrade::Upgrade;
use write::Committed;

/// The one writer of a ledger.
#[derive(Debug)]
pub struct Store {
    read: Read,
    readers: Readers,
    key: VerifierKey,
    edge: Edge,
    head: Head,
    /// The database may be elsewhere than `edge`: read it again before the next write.
    stale: bool,
    guard: Guard,
    /// The note that the guard file still lacks.
    unguarded: Option<String>,
    /// An erased text may still be in the write-ahead log.
    unscrubbed: bool,
    /// Given back last, when the connection above is closed.
    _lock: Lock,
}

impl Store {
    /// Makes an empty ledger in `directory` (created with mode 0700 if need be) whose checkpoints
    /// are signed with `key`; its name is the log's origin.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`], [`StoreError::Locked`], [`StoreError::ReadOnly`],
    /// [`StoreError::File`].
    pub fn create(directory: &Path, key: &VerifierKey) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| StoreError::file(directory, source))?;
        let paths = Paths::of(directory);
        let lock = Lock::take(&paths.lock)?;
        let connection = connection::create(&paths.database)?;
        let (guard, _) = Guard::open(&paths.guard, key)?;
        guard.settle()?;
        settle(directory)?;
        let edge = Edge::empty();
        Ok(Self::assemble(Read::new(connection), paths, key, edge, guard, lock))
    }

    /// Opens the ledger in `directory` and checks its newest end: head, newest entry, tree,
    /// signature and guard, in O(log n) reads. A ledger of an older version is brought forward first,
    /// which reads all of it, and stays as it was if anything is wrong with it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; every variant that tells the operator what to do can come from here.
    pub fn open(
        directory: &Path,
        key: &VerifierKey,
        policy: GuardPolicy,
    ) -> Result<Self, StoreError> {
        let paths = Paths::of(directory);
        // Before the lock, which would make a file in a directory that is not ours.
        connection::find(&paths.database)?;
        let lock = Lock::take(&paths.lock)?;
        let read = Read::new(connection::open_writer(&paths.database)?);
        let upgrade = Upgrade::begin(&read)?;
        let (edge, note) = start::check(&read, key)?;
        let (mut guard, seen) = Guard::open(&paths.guard, key)?;
        match seen {
            Some(seen) => start::compare(&read, &edge, &seen)?,
            None if note.is_none() || policy == GuardPolicy::Recreate => {}
            None => return Err(StoreError::GuardLost(paths.guard)),
        }
        upgrade.commit()?;
        guard.settle()?;
        if let Some(note) = &note {
            guard.write(note)?;
        }
        Ok(Self::assemble(read, paths, key, edge, guard, lock))
    }

    fn assemble(
        read: Read,
        paths: Paths,
        key: &VerifierKey,
        edge: Edge,
        guard: Guard,
        lock: Lock,
    ) -> Self {
        Self {
            read,
            readers: Readers::new(paths.database),
            key: key.clone(),
            head: edge.head(),
            edge,
            stale: false,
            guard,
            unguarded: None,
            unscrubbed: false,
            _lock: lock,
        }
    }

    /// How far the ledger reaches; only what is durable counts.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Where other threads get their snapshots from.
    #[must_use]
    pub const fn readers(&self) -> &Readers {
        &self.readers
    }

    /// A snapshot of what is durable now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`], [`StoreError::Database`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        self.readers.reader()
    }

    /// Runs `body` in one write transaction: committed on `Ok`, rolled back on `Err`.
    ///
    /// The write lock is taken at the start (`BEGIN IMMEDIATE`), so what `body` reads cannot change
    /// before it commits and `body` runs at most once. A batch with entries needs their checkpoint
    /// ([`Write::put_checkpoint`]) before it ends.
    ///
    /// # Errors
    ///
    /// Those of `body`, after which nothing was written, and [`StoreError::Unsigned`],
    /// [`StoreError::Abandoned`], [`StoreError::Full`]. After [`StoreError::Commit`] the outcome
    /// is unknown, and [`Store::head`] says what is durable. [`StoreError::Guard`] comes before
    /// anything is written: an earlier guard could not be stored, and still cannot.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        body: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.catch_up()?;
        self.stale = true;
        let mut write = Write::begin(&self.read, &self.key, self.edge.clone())?;
        let outcome = body(&mut write).and_then(|value| {
            let committed = write.commit()?;
            Ok((value, committed))
        });
        match outcome {
            Ok((value, committed)) => {
                self.advance(committed);
                Ok(value)
            }
            Err(error) => {
                // So that `head` tells the truth at once; if it cannot be read, the next write
                // tries again before anything else.
                let _retried = self.reload();
                Err(error)
            }
        }
    }

    /// What an earlier commit left to do, before the next may begin.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.stale {
            self.reload()?;
        }
        if let Some(note) = self.unguarded.take() {
            self.guard(note)?;
        }
        Ok(())
    }

    /// The database is what counts; memory follows it, as far as it was signed by us and extends
    /// what we knew: somebody else may have written there, and our next signature must not cover it.
    fn reload(&mut self) -> Result<(), StoreError> {
        let stored = Stored::read(self.read.connection()?)?.head;
        if stored != self.head {
            let (edge, _) = start::check(&self.read, &self.key)?;
            start::extends(&self.read, &edge, self.head.size, self.head.root)?;
            self.head = edge.head();
            self.edge = edge;
        }
        self.stale = false;
        Ok(())
    }

    fn advance(&mut self, committed: Committed) {
        self.head = committed.edge.head();
        self.edge = committed.edge;
        self.stale = false;
        if let Some(note) = committed.note {
            // The commit is durable and its answers must leave; the next write meets the error.
            let _met_later = self.guard(note);
        }
        self.unscrubbed |= committed.erased;
        if self.unscrubbed {
            self.unscrubbed = !self.scrub();
        }
    }

    fn guard(&mut self, note: String) -> Result<(), StoreError> {
        let written = self.guard.write(&note);
        if written.is_err() {
            self.unguarded = Some(note);
        }
        written
    }

    /// Empties the write-ahead log, which still holds pages from before an erasure. Answers whether
    /// it could: a reader's snapshot may need the log for a moment longer.
    fn scrub(&self) -> bool {
        let busy = self.read.connection().and_then(|connection| {
            let answer = connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0));
            Ok(answer?)
        });
        busy.is_ok_and(|busy| busy == 0)
    }
}

impl Drop for Store {
    /// Leaves everything in the database file itself, for whoever copies only that: SQLite does so
    /// when the last connection closes, but ours is not the last while a reader is kept.
    fn drop(&mut self) {
        // What could not be copied over is still in the log, and is read from there.
        let _copied = self.scrub();
    }
}

/// The files of a ledger.
#[derive(Debug)]
struct Paths {
    database: PathBuf,
    guard: PathBuf,
    lock: PathBuf,
}

impl Paths {
    fn of(directory: &Path) -> Self {
        Self {
            database: directory.join("ledger.db"),
            guard: directory.join("guard"),
            lock: directory.join("lock"),
        }
    }
}

/// Makes the names in a new directory survive a power cut.
fn settle(directory: &Path) -> Result<(), StoreError> {
    std::fs::File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|source| StoreError::file(directory, source))
}
