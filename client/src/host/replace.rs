//! A file that others read, replaced as a whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::state::swap;

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

/// A file that is to be replaced.
pub(super) struct Piece<'a> {
    /// Where.
    pub(super) path: PathBuf,
    /// By what.
    pub(super) bytes: &'a [u8],
    /// What is asked of the bytes as they are read back.
    pub(super) is_good: &'a dyn Fn(&[u8]) -> bool,
    /// Whether only our own programs read it. Then the file of before stays beside it and is written over
    /// the next time. A server may still be reading the one it opened, however long that takes.
    pub(super) is_ours: bool,
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
    is_good: impl Fn(&[u8]) -> bool,
) -> Result<(), ReplaceError> {
    replace_all(&[Piece { path: path.to_owned(), bytes, is_good: &is_good, is_ours: false }])
}

/// Puts `pieces` of one directory in place, in this order, none before all of them lie beside their
/// places, synced and read back: so hardly anybody meets some of them, and the directory is synced
/// once.
///
/// # Errors
///
/// [`ReplaceError`]; then the last of them is as it was, and almost always all are.
pub(super) fn replace_all(pieces: &[Piece<'_>]) -> Result<(), ReplaceError> {
    let done = prepare(pieces).and_then(|()| {
        for piece in pieces {
            let (beside, path) = (beside(&piece.path), &piece.path);
            let put = if piece.is_ours { swap(&beside, path) } else { fs::rename(&beside, path) };
            put.map_err(|why| failed(path, why))?;
        }
        let Some(last) = pieces.last() else { return Ok(()) };
        let dir = last.path.parent().unwrap_or(Path::new("/"));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|why| failed(&last.path, why))
    });
    if done.is_err() {
        // Whatever is left of them, or of those before.
        pieces.iter().for_each(|piece| drop(fs::remove_file(beside(&piece.path))));
    }
    done
}

/// Puts `bytes`, which only our own programs read, at `path` as a whole, without waiting for the disk: a
/// crash of the machine may leave the old, the new or an empty file.
///
/// # Errors
///
/// [`ReplaceError`]; then `path` is as it was.
pub(super) fn show(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let beside = beside(path);
    let written = write(&beside, bytes).and_then(|_| swap(&beside, path));
    written.map_err(|why| {
        let _ = fs::remove_file(&beside);
        failed(path, why)
    })
}

/// Also what a full disk cut off without saying so is never put in place.
fn prepare(pieces: &[Piece<'_>]) -> Result<(), ReplaceError> {
    for Piece { path, bytes, is_good, .. } in pieces {
        let beside = beside(path);
        let written = write(&beside, bytes).and_then(|file| file.sync_all());
        written.map_err(|why| failed(path, why))?;
        if !fs::read(&beside).is_ok_and(|written| written == *bytes && is_good(&written)) {
            return Err(ReplaceError::ReadBack(path.clone()));
        }
    }
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    PathBuf::from(beside)
}

fn failed(path: &Path, why: io::Error) -> ReplaceError {
    ReplaceError::Write { path: path.to_owned(), why }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(path)?;
    // The process's umask may be narrower, and servers read it as somebody else.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn put(dir: &Path, version: u8, is_ours: bool) {
        let (bytes, is_good) = ([version; 64], |_: &[u8]| true);
        let path = dir.join("list");
        replace_all(&[Piece { path, bytes: &bytes, is_good: &is_good, is_ours }]).unwrap();
        assert_eq!(fs::read(dir.join("list")).unwrap(), bytes);
    }

    /// A server may be slow, and a torn list might name fewer.
    #[test]
    fn a_list_that_a_server_is_reading_stays_whole_while_others_take_its_place() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), 1, false);
        let mut reading = File::open(dir.path().join("list")).unwrap();
        reading.read_exact(&mut [0; 32]).unwrap();
        (2..5).for_each(|version| put(dir.path(), version, false));
        let mut rest = Vec::new();
        reading.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, [1; 32]);
    }

    #[test]
    fn what_only_we_read_is_put_in_place_without_a_new_file_each_time() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let inode = || fs::metadata(dir.path().join("list")).unwrap().ino();
        let inodes = [1, 2, 3, 4].map(|version| {
            put(dir.path(), version, true);
            inode()
        });
        assert_eq!(inodes[1], inodes[3]);
        assert_eq!(inodes[0], inodes[2]);
        assert_ne!(inodes[0], inodes[1]);
    }

    #[test]
    fn what_is_not_good_is_not_put_in_place_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), 1, false);
        let path = dir.path().join("list");
        assert!(matches!(replace(&path, &[2; 64], |_| false), Err(ReplaceError::ReadBack(_))));
        assert_eq!(fs::read(&path).unwrap(), [1; 64]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
