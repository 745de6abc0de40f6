//! The keys of a directory, all encrypted anew, under another passphrase or under none.
//!
//! A second directory is written beside the first and read back; then the two change places in one
//! step, and the old one is wiped. A crash before that step leaves the old keys, one after it the new.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

use super::files::{Stored, failed, read_any_key, read_key, read_whole, refuse_shared};
use super::files::{UNFINISHED, sync, write_key, write_new};
use super::{DIRECTORY, encrypted};
use crate::entropy::Entropy;
use crate::mint::{MintError, Passphrase};

/// Writes every private key of `dir` anew, under `to` (or plain without it), and answers how many.
///
/// A key that is encrypted must open under `from` or under `to`: what was begun before is finished.
pub(in crate::mint) fn rewrap(
    dir: &Path,
    from: Option<&Passphrase>,
    to: Option<&Passphrase>,
    entropy: &dyn Entropy,
) -> Result<usize, MintError> {
    let keys = dir.join(DIRECTORY);
    let metadata = fs::metadata(&keys).map_err(failed("look at", &keys))?;
    refuse_shared(&keys, &metadata, 0o700)?;
    clear(dir)?;
    let fresh = dir.join(BESIDE);
    let count = Rewrap { from, to, entropy }.copy(&keys, &fresh, 0)?;
    renameat_with(CWD, &fresh, CWD, &keys, RenameFlags::EXCHANGE)
        .map_err(|error| failed("exchange for the directory beside it", &keys)(error.into()))?;
    sync(dir)?;
    clear(dir)?;
    Ok(count)
}

/// Wipes what [`rewrap`] leaves behind if it is interrupted. Nobody else may be at it.
pub(in crate::mint) fn clear(dir: &Path) -> Result<(), MintError> {
    let beside = dir.join(BESIDE);
    if !beside.try_exists().map_err(failed("look at", &beside))? {
        return Ok(());
    }
    wipe(&beside, 0)?;
    fs::remove_dir_all(&beside).map_err(failed("remove", &beside))?;
    sync(dir)
}

struct Rewrap<'a> {
    from: Option<&'a Passphrase>,
    to: Option<&'a Passphrase>,
    entropy: &'a dyn Entropy,
}

impl Rewrap<'_> {
    /// Everything in `old` into the new directory `fresh`, durable; what was never finished stays behind.
    fn copy(&self, old: &Path, fresh: &Path, depth: usize) -> Result<usize, MintError> {
        DirBuilder::new().mode(0o700).create(fresh).map_err(failed("create", fresh))?;
        let mut count = 0_usize;
        for (path, is_directory) in listed(old, depth)? {
            if path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes()) {
                continue;
            }
            let to = fresh.join(path.file_name().unwrap_or_default());
            let more = if is_directory {
                self.copy(&path, &to, depth.saturating_add(1))?
            } else {
                usize::from(self.copy_file(&path, &to)?)
            };
            count = count.saturating_add(more);
        }
        sync(fresh)?;
        Ok(count)
    }

    /// One file; whether it is a private key.
    fn copy_file(&self, old: &Path, fresh: &Path) -> Result<bool, MintError> {
        let file = File::open(old).map_err(failed("open", old))?;
        let mode = file.metadata().map_err(failed("look at", old))?.permissions().mode() & 0o777;
        let text = read_whole(file, old)?;
        if !is_private(&text) {
            write_new(fresh, &text, mode)?;
            return Ok(false);
        }
        let pkcs8 = self.opened(old)?;
        write_key(fresh, &pkcs8, self.to, self.entropy)?;
        let again = read_key(fresh, self.to)?;
        if again == pkcs8 { Ok(true) } else { Err(MintError::Seal) }
    }

    fn opened(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, MintError> {
        let sealed = match read_any_key(path)? {
            Stored::Plain(pkcs8) => return Ok(pkcs8),
            Stored::Sealed(sealed) => sealed,
        };
        let mut outcome = Err(MintError::Encrypted { path: path.to_owned() });
        for passphrase in [self.from, self.to].into_iter().flatten() {
            outcome = encrypted::open(path, &sealed, passphrase);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

fn is_private(text: &[u8]) -> bool {
    text.windows(MARK.len()).any(|window| window == MARK)
}

/// Overwrites every file before it is removed. What a file system or a disk keeps of older blocks is out
/// of our reach.
fn wipe(dir: &Path, depth: usize) -> Result<(), MintError> {
    for (path, is_directory) in listed(dir, depth)? {
        if is_directory {
            wipe(&path, depth.saturating_add(1))?;
            continue;
        }
        let length = fs::metadata(&path).map_err(failed("look at", &path))?.len();
        let zeros = vec![0; usize::try_from(length).unwrap_or(0).min(WIPE_MAX)];
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed("open", &path))?;
        file.write_all(&zeros).map_err(failed("wipe", &path))?;
        file.sync_all().map_err(failed("wipe", &path))?;
    }
    Ok(())
}

/// Files and directories in `dir`, in the order of their names; anything else is refused.
fn listed(dir: &Path, depth: usize) -> Result<Vec<(PathBuf, bool)>, MintError> {
    let strange = |path: &Path| MintError::KeyFile {
        path: path.to_owned(),
        rule: "is not what a directory of keys holds; move it away",
    };
    if depth > DEPTH_MAX {
        return Err(strange(dir));
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let entry = entry.map_err(failed("list", dir))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed("look at", dir))?);
        if found.len() >= FILES_MAX || !(kind.is_dir() || kind.is_file()) {
            return Err(strange(&path));
        }
        found.push((path, kind.is_dir()));
    }
    found.sort();
    Ok(found)
}

/// Beside the directory of keys: first what will take its place, then what it took the place of.
const BESIDE: &str = "keys.wrap";
/// In the first line of every private key, and of nothing else in the directory.
const MARK: &[u8] = b"PRIVATE KEY-----";
/// Directories within directories: `old` and `next` have files alone.
const DEPTH_MAX: usize = 1;
/// Most files in one directory: a key every day for years.
const FILES_MAX: usize = 4096;
/// Most bytes wiped of one file: all of the longest that is read.
const WIPE_MAX: usize = 8192;

#[cfg(test)]
mod tests;
