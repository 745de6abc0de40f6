//! A file that others read, replaced as a whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a file was not replaced. What was there stays.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It could not be written.
    #[error("the list cannot be put in place: {}: {why}", path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// What was written is not what was to be.
    #[error("the list in {} is not what was written there", .0.display())]
    ReadBack(PathBuf),
}

/// Puts `bytes` at `path`, readable for everybody: written beside it, synced, read back, judged by
/// `is_good`, renamed, so that a reader sees the old or the new one, whole.
///
/// # Errors
///
/// [`ReplaceError`]; then `path` is as it was.
pub(super) fn replace(
    path: &Path,
    bytes: &[u8],
    is_good: impl FnOnce(&[u8]) -> bool,
) -> Result<(), ReplaceError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let failed = |why: io::Error| {
        let _ = fs::remove_file(&beside);
        ReplaceError::Write { path: path.to_owned(), why }
    };
    write(&beside, bytes).map_err(failed)?;
    // Also what a full disk cut off without saying so is never put in place.
    if !fs::read(&beside).is_ok_and(|written| written == bytes && is_good(&written)) {
        let _ = fs::remove_file(&beside);
        return Err(ReplaceError::ReadBack(path.to_owned()));
    }
    fs::rename(&beside, path).map_err(failed)?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(path)?;
    // The process's umask may be narrower, and servers read it as somebody else.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(bytes)?;
    file.sync_all()
}
