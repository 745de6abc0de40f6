//! What can go wrong with the ledger on disk, told to the operator who has to act on it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::EntryError;
use breakglass_ledger::id::RequestId;

/// Why the store did not do what it was asked. By then it has changed nothing, unless the variant
/// says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database in the directory.
    #[error("no ledger at {}: run `breakglassd init` first, or correct the path", .0.display())]
    Missing(PathBuf),
    /// There is one already, and it is never overwritten.
    #[error("a ledger exists at {}: it is never overwritten; choose an empty directory", .0.display())]
    Exists(PathBuf),
    /// Another process holds the lock file.
    #[error("another daemon holds {}: two writers would fork the ledger; stop the other one first", .0.display())]
    Locked(PathBuf),
    /// The file is not a ledger of ours.
    #[error("{} is not a breakglass ledger; correct the path", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a later version of this software.
    #[error(
        "the ledger has schema {found}, this program knows {known}: run the newer version that wrote it"
    )]
    NewerSchema {
        /// `user_version` of the file.
        found: i64,
        /// What this program writes.
        known: i64,
    },
    /// The file bears our mark, and a version that there never was.
    #[error(
        "the ledger has schema {found}, which no version of this program wrote (this one knows 1 to {known}): the file was edited or damaged; keep it as evidence and restore a backup"
    )]
    UnknownSchema {
        /// `user_version` of the file.
        found: i64,
        /// What this program writes.
        known: i64,
    },
    /// The directory or a file in it cannot be written.
    #[error("{} cannot be written: a daemon that cannot record must not grant; correct owner, mode or mount", .0.display())]
    ReadOnly(PathBuf),
    /// The ledger was made with another log key than the one given.
    #[error(
        "the ledger's checkpoint is not signed by {key}: it belongs to another deployment, or its head was edited; restore the matching keys or database"
    )]
    CheckpointSignature {
        /// The verifier key that was given.
        key: String,
    },
    /// An entry's bytes are not those that were recorded.
    #[error(
        "entry {seq} is not what was recorded ({rule}): the database was edited or damaged; keep it as evidence and restore a backup"
    )]
    Corrupt {
        /// Of the entry.
        seq: u64,
        /// What does not hold.
        rule: &'static str,
    },
    /// The tree over the entries does not have the root that was signed.
    #[error(
        "the entries do not have the root that was signed at size {size}: the database was edited or damaged; keep it as evidence and restore a backup"
    )]
    Root {
        /// Number of entries.
        size: u64,
    },
    /// A derived table does not say what the entries say.
    #[error(
        "table {table} does not say what the entries say: it was edited, or this is a fault of ours; do not serve from it"
    )]
    Drift {
        /// Its name.
        table: &'static str,
    },
    /// A row is missing or holds what it cannot hold.
    #[error(
        "{what} is missing or unreadable: the database was edited or damaged; keep it as evidence and restore a backup"
    )]
    Damaged {
        /// Which row or column.
        what: &'static str,
    },
    /// The database is behind the guard file, or contradicts it: `E_ROLLBACK`.
    #[error(
        "E_ROLLBACK: the guard file has seen {guard_size} entries with root {guard_root}, the database has {size} and does not extend them; \
an older or another copy was put in place, and continuing would fork the ledger; restore the newest database"
    )]
    Rollback {
        /// Entries in the database.
        size: u64,
        /// Entries when the guard was last written.
        guard_size: u64,
        /// Root of those.
        guard_root: Digest,
    },
    /// The guard file is missing or unreadable although the ledger has entries.
    #[error("the guard file {} is missing or unreadable: without it an older copy of the database would go unnoticed; \
restore it, or compare the head with what clients and witnesses saw and accept the loss explicitly", .0.display())]
    GuardLost(PathBuf),
    /// The guard file could not be written. The commit before it is durable.
    #[error("the guard file could not be written: no more is recorded until it can")]
    Guard(#[source] io::Error),
    /// The disk is full.
    #[error(
        "the disk is full: nothing was recorded and nothing handed out; free space, the daemon continues by itself"
    )]
    Full,
    /// The entry does not continue the ledger.
    #[error("entry {seq} does not continue the ledger ({rule})")]
    Discontinuous {
        /// Of the refused entry.
        seq: u64,
        /// What does not hold.
        rule: &'static str,
    },
    /// The entry names a grant that cannot take it: unknown, already begun, or that place is taken.
    #[error("entry {seq} does not fit request {request} ({rule})")]
    Grant {
        /// Of the refused entry.
        seq: u64,
        /// The grant it names.
        request: RequestId,
        /// What does not hold.
        rule: &'static str,
    },
    /// The entry carries a statement that an entry before it carries.
    #[error("entry {seq} repeats a statement that is recorded already")]
    Repeated {
        /// Of the refused entry.
        seq: u64,
    },
    /// The entry cannot be written or read.
    #[error("entry {seq} is malformed")]
    Entry {
        /// Of the entry.
        seq: u64,
        /// What is wrong with it.
        #[source]
        source: EntryError,
    },
    /// A statement inside an entry cannot be read.
    #[error("the statement in entry {seq} cannot be read")]
    Statement {
        /// Of the entry.
        seq: u64,
    },
    /// The batch has entries but no checkpoint for exactly them.
    #[error("the batch ends at {size} entries without a checkpoint for them")]
    Unsigned {
        /// Number of entries, those of the batch included.
        size: u64,
    },
    /// An earlier step of the batch failed, so it cannot be committed.
    #[error("an earlier step of this batch failed; none of it was recorded")]
    Abandoned,
    /// The commit's outcome is unknown; what is durable was read again.
    #[error(
        "the commit failed: it may or may not be durable; continue from the head as it was read again"
    )]
    Commit(#[source] rusqlite::Error),
    /// More snapshots are open than the store allows.
    #[error("too many reads at once")]
    Busy,
    /// The database answered with something else.
    #[error("the database failed")]
    Database(#[source] rusqlite::Error),
    /// A file could not be used.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// What it means that a file at `path` could not be used.
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        let kind = source.kind();
        if matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
            return Self::ReadOnly(path.to_owned());
        }
        if kind == ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::File { path: path.to_owned(), source }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let is_conversion = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
        );
        if is_conversion {
            return Self::Damaged { what: "a value in the database" };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { what: "a page of the database" },
            _ => Self::Database(error),
        }
    }
}
