//! Brings a ledger that an older version wrote forward, when it is opened.
//!
//! The entries are the ledger and their bytes are a contract, so most of an older file needs no
//! change: what is derived from them is thrown away and derived again, whatever it looked like. That
//! reads every entry, once. Tables of the record itself are changed by [`RECORD_CHANGES`], in order.
//!
//! Everything happens in one transaction, which is committed only after the checks of a start found
//! the result good: a process that dies in between leaves the older file as it was.

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::read::Read;
use super::write::forget_all;

/// What each version changed in the tables of the record: the first line makes version 2 of version
/// 1. A change of derived tables alone is an empty line. Lines are added, never edited.
///
/// Version 1 was written with several shapes of the derived tables: without locks, without hosts'
/// reports, without certificates, without tokens.
const RECORD_CHANGES: [&str; 1] = [""];

/// The version of the first files.
const OLDEST: i64 = 1;

/// What this program writes.
pub(super) const SCHEMA_VERSION: i64 = 2;

/// Tables of the record; all others are derived.
pub(super) const RECORD: [&str; 4] = ["entry", "head", "text", "blob"];

pub(super) const RECORD_SCHEMA: &str = include_str!("schema/record.sql");

pub(super) const DERIVED_SCHEMA: &str = include_str!("schema/derived.sql");

/// Work that counts only once it is committed; dropped before, it is undone.
#[derive(Debug)]
#[must_use = "an upgrade that is not committed is undone"]
pub(super) struct Upgrade<'s> {
    /// `None` if the file is of this version.
    under_way: Option<&'s Connection>,
}

impl<'s> Upgrade<'s> {
    /// Brings the file that `read` reads to [`SCHEMA_VERSION`], in a transaction that stays open.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`], [`StoreError::UnknownSchema`], [`StoreError::Corrupt`] and
    /// [`StoreError::Entry`] if an entry is not what was recorded, or a fault of the database.
    pub(super) fn begin(read: &'s Read) -> Result<Self, StoreError> {
        Self::through(read, &RECORD_CHANGES)
    }

    /// As [`Upgrade::begin`], with `changes` for [`RECORD_CHANGES`].
    pub(super) fn through(read: &'s Read, changes: &[&str]) -> Result<Self, StoreError> {
        let connection = read.connection()?;
        let found = version(connection)?;
        let Some(missing) = missing(found, changes)? else { return Ok(Self { under_way: None }) };
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let upgrade = Self { under_way: Some(connection) };
        check_record(connection, found)?;
        for change in missing {
            connection.execute_batch(change)?;
        }
        derive_again(read)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(upgrade)
    }

    /// Makes it durable.
    ///
    /// # Errors
    ///
    /// A fault of the database; the older file stands then.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        let Some(connection) = self.under_way else { return Ok(()) };
        Ok(connection.execute_batch("COMMIT")?)
    }
}

impl Drop for Upgrade<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.under_way
            && !connection.is_autocommit()
        {
            // If this fails too, closing the connection undoes it.
            let _undone_later = connection.execute_batch("ROLLBACK");
        }
    }
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The changes that a file of version `found` lacks; `None` if it is of this version.
fn missing<'c>(found: i64, changes: &'c [&'c str]) -> Result<Option<&'c [&'c str]>, StoreError> {
    if found > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema { found, known: SCHEMA_VERSION });
    }
    if found == SCHEMA_VERSION {
        return Ok(None);
    }
    let unknown = || StoreError::UnknownSchema { found, known: SCHEMA_VERSION };
    let done = found.checked_sub(OLDEST).and_then(|done| usize::try_from(done).ok());
    done.and_then(|done| changes.get(done..)).map(Some).ok_or_else(unknown)
}

/// A file without the tables that every version had is none of ours, whatever number it bears.
fn check_record(connection: &Connection, found: i64) -> Result<(), StoreError> {
    let mut select =
        connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    for table in RECORD {
        if select.query_row([table], |_| Ok(())).optional()?.is_none() {
            return Err(StoreError::UnknownSchema { found, known: SCHEMA_VERSION });
        }
    }
    Ok(())
}

/// Throws away every table that is not of the record, and derives those of this version from the
/// entries.
fn derive_again(read: &Read) -> Result<(), StoreError> {
    let connection = read.connection()?;
    for table in derived(connection)? {
        // From the file's own catalogue; a quote in a name is doubled (SQLite, "SQL Language").
        connection.execute_batch(&format!("DROP TABLE \"{}\"", table.replace('"', "\"\"")))?;
    }
    connection.execute_batch(DERIVED_SCHEMA)?;
    let edge = read.derive_into(connection)?;
    forget_all(connection, edge.time.second())
}

fn derived(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut select = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let names = select.query_map((), |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    Ok(names.into_iter().filter(|name| !RECORD.contains(&name.as_str())).collect())
}
