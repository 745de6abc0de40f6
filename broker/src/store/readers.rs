//! Readers: their own connections, so that neither a busy writer nor a slow reader waits for the
//! other (WAL).

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::open_reader;
use super::error::StoreError;
use super::head::{Head, Stored};
use super::read::Read;

/// Connections kept open between reads. More than the cores of the machines this runs on would
/// only cost memory.
const KEPT: usize = 4;

/// Snapshots at once. Each has a connection of up to about 1 MiB and three file descriptors.
const OPEN_MAX: usize = 64;

/// Where readers come from; cheap to clone and hand to other threads.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Read>>,
    open: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Pool { path, idle: Mutex::default(), open: AtomicUsize::new(0) }))
    }

    /// A snapshot of what is durable now. It never blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if 64 are open already; [`StoreError::Database`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let place = Place::take(&self.0)?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let read = match idle {
            Some(read) => read,
            None => Read::new(open_reader(&self.0.path)?),
        };
        let connection = read.connection()?;
        connection.prepare_cached("BEGIN")?.execute(())?;
        // The snapshot is taken by the first read, not by BEGIN (SQLite, "BEGIN TRANSACTION").
        let stored = Stored::read(connection)?;
        Ok(Reader { read, head: stored.head, note: stored.note, place })
    }
}

/// One of the places that [`OPEN_MAX`] allows; given back when dropped.
#[derive(Debug)]
struct Place(Arc<Pool>);

impl Place {
    fn take(pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let one_more = |open: usize| open.checked_add(1).filter(|open| *open <= OPEN_MAX);
        pool.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| StoreError::Busy)?;
        Ok(Self(Arc::clone(pool)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A snapshot: what was durable when it was taken, unchanged until it is dropped.
///
/// While it is open the write-ahead log cannot be cut, so hold it for one answer, not for a stream.
#[derive(Debug)]
pub struct Reader {
    read: Read,
    head: Head,
    note: Option<String>,
    place: Place,
}

impl Reader {
    /// How far the ledger reaches in this snapshot.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The signed checkpoint of exactly this snapshot; `None` while the ledger is empty.
    #[must_use]
    pub fn newest_checkpoint(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl Deref for Reader {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let read = self.read.take();
        // A connection that cannot end its transaction is closed, which ends it.
        let ended = read.connection().is_ok_and(|connection| {
            connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute(())).is_ok()
        });
        let mut idle = self.place.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if ended && idle.len() < KEPT {
            idle.push(read);
        }
    }
}
