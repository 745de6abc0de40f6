//! One writer: a lock file held for as long as the store is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::StoreError;

/// Held until dropped, and by the kernel no longer than the process lives, so that a killed daemon
/// leaves nothing to clean up.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Given back by name and not only by closing: a child that was just forked, and has not yet become
/// another program, still has the file open.
impl Drop for Lock {
    fn drop(&mut self) {
        // If this fails, closing gives it back a moment later.
        let _closing_remains = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock at `path`, creating the file if need be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] at once if another process holds it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::file(path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // For people who look for the holder; the lock itself does not depend on it.
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}
