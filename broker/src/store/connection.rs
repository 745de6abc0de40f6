//! Opening SQLite the one way it is used here.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::StoreError;
use super::head::Stored;
use super::upgrade::{DERIVED_SCHEMA, RECORD_SCHEMA, SCHEMA_VERSION};

/// Marks the file as ours in its header ("bgls", SQLite file format 1.3.17).
const APPLICATION_ID: i64 = 0x6267_6c73;

/// Statements kept prepared: all there are, with room.
const STATEMENTS_KEPT: usize = 96;

/// Makes an empty database at `path`, readable by its owner only.
///
/// # Errors
///
/// [`StoreError::Exists`] if there is a file already; any other: the half-made file is refused as
/// [`StoreError::Foreign`] later.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
        if source.kind() == ErrorKind::AlreadyExists {
            StoreError::Exists(path.to_owned())
        } else {
            StoreError::file(path, source)
        }
    })?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    configure(&connection)?;
    // One transaction, so that a crash leaves either a ledger or a file that is none.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION};
         {RECORD_SCHEMA}
         {DERIVED_SCHEMA}"
    ))?;
    Stored::found(&connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

/// Whether there is a database at `path`.
///
/// # Errors
///
/// [`StoreError::Missing`] if not.
pub(super) fn find(path: &Path) -> Result<(), StoreError> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::Missing(path.to_owned())),
        Err(source) => Err(StoreError::file(path, source)),
    }
}

/// Opens the database at `path` for the one writer, of whatever version it is.
///
/// # Errors
///
/// [`StoreError::Foreign`], [`StoreError::Damaged`] (a truncated file), [`StoreError::ReadOnly`].
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let settled = !has_log(path)?;
    let opened = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let application: i64 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok((connection, application))
    };
    let (connection, application) = opened().map_err(|error| translate(path, error))?;
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    configure(&connection).map_err(|error| translate(path, error))?;
    if settled {
        check_length(path, &connection)?;
    }
    Ok(connection)
}

/// Whether the write-ahead log holds anything: then the end of the database file may still be
/// missing, because a checkpoint was interrupted, and is made good from the log.
fn has_log(path: &Path) -> Result<bool, StoreError> {
    let log = path.with_extension("db-wal");
    match std::fs::metadata(&log) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::file(&log, source)),
    }
}

/// SQLite reads what is cut off the last page as zeros.
fn check_length(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let pages: u64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_bytes: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let metadata = std::fs::metadata(path).map_err(|source| StoreError::file(path, source))?;
    if pages.checked_mul(page_bytes) != Some(metadata.len()) {
        return Err(StoreError::Damaged { what: "the end of the database file" });
    }
    Ok(())
}

/// Opens the database at `path` for reading only, beside the writer.
///
/// # Errors
///
/// [`StoreError::Database`].
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_statements(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", READER_CACHE_KIB)?;
    Ok(connection)
}

/// A scratch database with our tables, in memory until it grows and then in a temporary file that
/// nobody else can open: to derive things again in.
///
/// # Errors
///
/// [`StoreError::Database`].
pub(super) fn scratch() -> Result<Connection, StoreError> {
    // An empty name is a temporary database (SQLite, "Temporary Databases").
    let connection = Connection::open("")?;
    keep_statements(&connection)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    connection.execute_batch(DERIVED_SCHEMA)?;
    Ok(connection)
}

/// A statement is planned once, not again for every value bound to it, which SQLite otherwise does
/// where a value could match the condition of a partial index.
fn keep_statements(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    keep_statements(connection)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A ledger that can lose its last entry to a power cut is worthless: FULL waits for the disk at
    // every commit (in WAL mode the weaker NORMAL waits at checkpoints only).
    connection.pragma_update(None, "synchronous", "FULL")?;
    // There are none: `STRICT` and the code that derives the rows are what keeps them consistent.
    connection.pragma_update(None, "foreign_keys", false)?;
    // An erased text must be gone from the file, not only from the table.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(()))
}

fn translate(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign(path.to_owned()),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly(path.to_owned())
        }
        _ => error.into(),
    }
}

/// Large enough that the part of a page left empty by entries of 1.5 KB stays small, small enough
/// that a commit of one entry, which writes about eight pages, does not write much.
const PAGE_BYTES: i64 = 8192;

/// Pages after which the log is copied into the database: 4 MiB. A killed daemon reads the whole
/// log at its next start, so it is kept small.
const WAL_PAGES: i64 = 512;

/// What the log file is cut back to after one that grew under a long read.
const WAL_BYTES: i64 = 8 * 1024 * 1024;

/// Page cache of the writer, as SQLite wants it: negative KiB.
const WRITER_CACHE_KIB: i64 = -4096;

/// Page cache of a reader; at most a few are open.
const READER_CACHE_KIB: i64 = -1024;
