//! Reading an export that somebody else made: only the files there may be, only plain ones, only
//! up to their limits. Links, `..` and surprises are refused before anything is judged.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use breakglass_ledger::bundle::{BLOBS, CHECKPOINT, ENTRIES, OPENINGS, PROOFS};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::NOTE_MAX;

use crate::failure::{Exit, Failure};

/// A directory that has the shape of an export.
pub struct BundleDir {
    dir: PathBuf,
    is_case: bool,
}

impl BundleDir {
    /// Looks at every name in `dir` and opens it if each is one of an export and a plain file.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn open(dir: &Path) -> Result<Self, BundleError> {
        if !is_directory(dir)? {
            return Err(BundleError::Shape { path: dir.to_owned(), rule: "it is no directory" });
        }
        let mut is_case = false;
        for name in names(dir)? {
            let path = dir.join(&name);
            match name.as_str() {
                ENTRIES | CHECKPOINT | OPENINGS => plain(&path)?,
                PROOFS => {
                    plain(&path)?;
                    is_case = true;
                }
                BLOBS if is_directory(&path)? => blobs(&path)?,
                _ => {
                    let rule = "it does not belong into an export";
                    return Err(BundleError::Shape { path, rule });
                }
            }
        }
        Ok(Self { dir: dir.to_owned(), is_case })
    }

    /// Whether it is the export of one grant: it has proofs.
    #[must_use]
    pub const fn is_case(&self) -> bool {
        self.is_case
    }

    /// The proofs of a case, to be read line by line.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn proofs(&self) -> Result<BufReader<File>, BundleError> {
        open(&self.dir.join(PROOFS)).map(BufReader::new)
    }

    /// The entries, to be read line by line.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn entries(&self) -> Result<BufReader<File>, BundleError> {
        open(&self.dir.join(ENTRIES)).map(BufReader::new)
    }

    /// The texts, to be read line by line.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn openings(&self) -> Result<BufReader<File>, BundleError> {
        open(&self.dir.join(OPENINGS)).map(BufReader::new)
    }

    /// The signed note; a few bytes more than one may have, so that its reader refuses it.
    ///
    /// # Errors
    ///
    /// [`BundleError`].
    pub fn checkpoint(&self) -> Result<String, BundleError> {
        let path = self.dir.join(CHECKPOINT);
        let limit = u64::try_from(NOTE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let bytes = bounded(&path, limit)?;
        String::from_utf8(bytes)
            .map_err(|_| BundleError::Shape { path, rule: "it is not UTF-8 text" })
    }

    /// The policy file of this digest, if it is there and within its limit.
    #[must_use]
    pub fn blob(&self, digest: Digest) -> Option<Vec<u8>> {
        bounded(&self.dir.join(BLOBS).join(digest.to_string()), BLOB_MAX).ok()
    }
}

/// Opens a plain file, never through a link: `O_NOFOLLOW` refuses what was swapped after looking.
fn open(path: &Path) -> Result<File, BundleError> {
    plain(path)?;
    let opened = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path);
    opened.map_err(|source| BundleError::Io { path: path.to_owned(), source })
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    let mut file = open(path)?.take(limit.saturating_add(1));
    file.read_to_end(&mut bytes)
        .map_err(|source| BundleError::Io { path: path.to_owned(), source })?;
    if file.limit() == 0 {
        return Err(BundleError::Shape { path: path.to_owned(), rule: "it is too large" });
    }
    Ok(bytes)
}

fn blobs(dir: &Path) -> Result<(), BundleError> {
    let names = names(dir)?;
    for name in names {
        let path = dir.join(&name);
        if name.parse::<Digest>().is_err() {
            let rule = "its name is no SHA-256 digest";
            return Err(BundleError::Shape { path, rule });
        }
        plain(&path)?;
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>, BundleError> {
    let failed = |source| BundleError::Io { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let shape = |rule| BundleError::Shape { path: dir.join(&name), rule };
        names.push(name.to_str().ok_or_else(|| shape("its name is not text"))?.to_owned());
        if names.len() > NAMES_MAX {
            return Err(BundleError::Shape { path: dir.to_owned(), rule: "too many files" });
        }
    }
    Ok(names)
}

fn is_directory(path: &Path) -> Result<bool, BundleError> {
    Ok(metadata(path)?.is_dir())
}

fn plain(path: &Path) -> Result<(), BundleError> {
    if metadata(path)?.is_file() {
        return Ok(());
    }
    Err(BundleError::Shape { path: path.to_owned(), rule: "it is no plain file" })
}

/// Of the thing itself, not of what a link points to.
fn metadata(path: &Path) -> Result<fs::Metadata, BundleError> {
    fs::symlink_metadata(path).map_err(|source| BundleError::Io { path: path.to_owned(), source })
}

/// Why a directory is not read as an export.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something in it cannot be part of an export.
    #[error("{}: {rule}", path.display())]
    Shape {
        /// What.
        path: PathBuf,
        /// Which rule it breaks.
        rule: &'static str,
    },
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        Self::new(
            Exit::Malformed,
            error.to_string(),
            "this is not an export as `breakglass audit export` writes it; nothing was judged",
            "fetch it again, and unpack archives only into an empty directory",
        )
    }
}

/// Linux, `asm-generic/fcntl.h`.
#[cfg(target_os = "linux")]
const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(target_os = "linux")]
const O_NONBLOCK: i32 = 0o4_000;
/// BSD and macOS, `sys/fcntl.h`.
#[cfg(not(target_os = "linux"))]
const O_NOFOLLOW: i32 = 0x0100;
#[cfg(not(target_os = "linux"))]
const O_NONBLOCK: i32 = 0x0004;

/// The largest policy file (people.toml) is allowed 4 MiB.
const BLOB_MAX: u64 = 4 * 1024 * 1024;

/// Four files per policy version; 25,000 versions.
const NAMES_MAX: usize = 100_000;

#[cfg(test)]
mod tests;
