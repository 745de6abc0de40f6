//! Private files: made 0600, replaced as a whole, read up to a limit.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::entropy;
use crate::failure::{Exit, Failure};

/// Makes the directory `dir` and its parents, mode 0700, unless it is there.
///
/// # Errors
///
/// [`StateError::Open`] if others may write into it: they could replace what is kept there.
pub fn private_dir(dir: &Path) -> Result<(), StateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| at(dir, e))?;
    let mode = fs::metadata(dir).map_err(|e| at(dir, e))?.mode();
    if mode & 0o022 == 0 { Ok(()) } else { Err(StateError::Open(dir.to_owned())) }
}

/// Puts `bytes` at `path`, mode 0600: written beside it, synced, renamed, so that a reader sees
/// the old or the new whole and a crash leaves one of them.
///
/// # Errors
///
/// [`StateError::Io`]; then `path` is as it was.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let random: [u8; 8] = entropy::bytes().map_err(|_| StateError::NoEntropy)?;
    let beside = path.with_extension(format!("{}.tmp", HEXLOWER.encode(&random)));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&beside);
        at(path, error)
    })
}

/// The same for a file that one process alone writes and that is written often: the file of before stays
/// beside it and is written over the next time. To make and delete a file each time costs more than all
/// the rest.
///
/// # Errors
///
/// [`StateError::Io`]; then `path` is as it was.
pub fn swap_private(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    swap_settled(path, bytes, File::sync_all)
}

/// The same without waiting for the disk: a crash of the machine may leave an empty file. For what is only
/// shown, or means nothing more.
///
/// # Errors
///
/// [`StateError::Io`]; then `path` is as it was.
pub fn swap_shown(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    swap_settled(path, bytes, |_| Ok(()))
}

fn swap_settled(
    path: &Path,
    bytes: &[u8],
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), StateError> {
    let beside = path.with_extension("before");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let write = || {
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        settle(&file)?;
        swap(&beside, path)
    };
    write().map_err(|error| at(path, error))
}

/// Puts what is at `beside` at `path`, in one step; what was there is at `beside` then.
///
/// # Errors
///
/// What the system says; then both are as they were.
pub fn swap(beside: &Path, path: &Path) -> io::Result<()> {
    let swapped = renameat_with(CWD, beside, CWD, path, RenameFlags::EXCHANGE);
    // Nothing is there yet, or the file system cannot: then nothing stays beside.
    swapped.or_else(|_| fs::rename(beside, path))
}

/// Puts `bytes` into the new file `path`, mode 0600.
///
/// # Errors
///
/// [`StateError::Io`], with [`io::ErrorKind::AlreadyExists`] if there is something: it stays.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(|error| at(path, error))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        at(path, error)
    })
}

/// The bytes at `path`, or `None` if there is no such file.
///
/// # Errors
///
/// [`StateError::Damaged`] if there are more than `limit`, [`StateError::Io`] otherwise.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path, error)),
    };
    let mut bytes = Vec::new();
    let mut bounded = file.take(limit.saturating_add(1));
    bounded.read_to_end(&mut bytes).map_err(|e| at(path, e))?;
    if bounded.limit() == 0 { Err(StateError::Damaged(path.to_owned())) } else { Ok(Some(bytes)) }
}

/// Holds the lock file at `path` until the answer is dropped.
pub(super) fn lock(path: &Path) -> Result<File, StateError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(|e| at(path, e))?;
    file.lock().map_err(|e| at(path, e))?;
    Ok(file)
}

/// Names of what lies in `dir`; none if there is no such directory.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StateError> {
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(dir, error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    listed.map(name).collect::<Result<_, _>>().map_err(|e| at(dir, e))
}

pub(super) fn at(path: &Path, source: io::Error) -> StateError {
    StateError::Io { path: path.to_owned(), source }
}

/// Why something could not be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Group or others may write there.
    #[error("{} can be written by others", .0.display())]
    Open(PathBuf),
    /// The file is not what this program wrote.
    #[error("{} is not what was kept there", .0.display())]
    Damaged(PathBuf),
    /// There was no randomness for a temporary name.
    #[error("the system's random source failed")]
    NoEntropy,
    /// A key did not fit OpenSSH's format.
    #[error("the key cannot be written in OpenSSH's format")]
    Unencodable,
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let text = error.to_string();
        match error {
            StateError::Damaged(_) => Self::new(
                Exit::Tampered,
                text,
                "somebody or something changed what this machine remembers; nothing was signed",
                "find out who; only then move the file away and start afresh",
            ),
            StateError::Open(dir) => Self::new(
                Exit::Usage,
                text,
                "what is kept there could be replaced by somebody else",
                format!("chmod 700 {}", dir.display()),
            ),
            StateError::Io { .. } | StateError::NoEntropy | StateError::Unencodable => {
                Self::new(Exit::Internal, text, "", "check the disk, or give --state-dir DIR")
            }
        }
    }
}
