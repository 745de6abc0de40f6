//! Files of keys: 0600, one PEM block each, never replaced in place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::encrypted;
use crate::entropy::Entropy;
use crate::mint::{MintError, Passphrase, pem};

pub(super) fn read_certificate(path: &Path) -> Result<Vec<u8>, MintError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let der = pem::decode(CERTIFICATE, &read_whole(file, path)?).ok_or_else(|| unusable(path))?;
    Ok(der.to_vec())
}

/// Reads PKCS#8 out of a file that only its owner can reach; with a passphrase, it must be encrypted
/// under that.
pub(super) fn read_key(
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<Vec<u8>>, MintError> {
    match (read_any_key(path)?, passphrase) {
        (Stored::Plain(pkcs8), None) => Ok(pkcs8),
        (Stored::Sealed(sealed), Some(passphrase)) => encrypted::open(path, &sealed, passphrase),
        (Stored::Plain(_), Some(_)) => Err(MintError::NotEncrypted { path: path.to_owned() }),
        (Stored::Sealed(_), None) => Err(MintError::Encrypted { path: path.to_owned() }),
    }
}

/// What a file of a key holds.
pub(super) enum Stored {
    /// PKCS#8.
    Plain(Zeroizing<Vec<u8>>),
    /// The same, encrypted.
    Sealed(Vec<u8>),
}

/// Reads a file that only its owner can reach, and that holds a key in either form.
pub(super) fn read_any_key(path: &Path) -> Result<Stored, MintError> {
    let file = File::open(path).map_err(failed("open", path))?;
    // Of the open file, not of its name: what is looked at is what is read.
    let metadata = file.metadata().map_err(failed("look at", path))?;
    refuse_shared(path, &metadata, 0o600)?;
    let text = read_whole(file, path)?;
    if let Some(pkcs8) = pem::decode(PRIVATE_KEY, &text) {
        return Ok(Stored::Plain(pkcs8));
    }
    let sealed = pem::decode(ENCRYPTED_PRIVATE_KEY, &text).ok_or_else(|| unusable(path))?;
    Ok(Stored::Sealed(sealed.to_vec()))
}

/// All of a small file.
pub(super) fn read_whole(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, MintError> {
    // Room for all of it from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_MAX.saturating_add(1)));
    let most = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut text).map_err(failed("read", path))?;
    if text.len() > FILE_MAX {
        return Err(unusable(path));
    }
    Ok(text)
}

/// Writes a key, encrypted if there is a passphrase.
pub(super) fn write_key(
    path: &Path,
    pkcs8: &[u8],
    passphrase: Option<&Passphrase>,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let text = match passphrase {
        None => pem::encode(PRIVATE_KEY, pkcs8),
        Some(passphrase) => {
            pem::encode(ENCRYPTED_PRIVATE_KEY, &encrypted::seal(pkcs8, passphrase, entropy)?)
        }
    };
    write_new(path, &text, 0o600)
}

/// Writes a certificate, which is public.
pub(super) fn write_certificate(path: &Path, der: &[u8]) -> Result<(), MintError> {
    write_new(path, &pem::encode(CERTIFICATE, der), 0o644)
}

/// Writes a file that is not there yet. Whoever reads sees all of it or none: it is written beside, and
/// gets its name when it is durable. What a crash left beside is written over.
pub(in crate::mint) fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), MintError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &beside)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .map_err(failed("create", path))?;
    file.write_all(content).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("write", path))?;
    // A rename would replace what is there.
    fs::hard_link(&beside, path).map_err(failed("create", path))?;
    fs::remove_file(&beside).map_err(failed("remove", &beside))
}

pub(super) fn sync(dir: &Path) -> Result<(), MintError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

/// Refuses what its group or the world may reach.
pub(super) fn refuse_shared(
    path: &Path,
    metadata: &fs::Metadata,
    remedy: u32,
) -> Result<(), MintError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(MintError::Permissions { path: path.to_owned(), mode, remedy })
}

pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MintError {
    let path = PathBuf::from(path);
    move |source| MintError::Io { doing, path, source }
}

pub(super) fn unusable(path: &Path) -> MintError {
    MintError::KeyFile { path: path.to_owned(), rule: "is not a key or certificate of its kind" }
}

/// Ending of a file that is being written: what has it is nothing yet.
pub(super) const UNFINISHED: &str = ".new";
/// PEM labels (RFC 7468, sections 5, 10 and 11).
const PRIVATE_KEY: &str = "PRIVATE KEY";
const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";
const CERTIFICATE: &str = "CERTIFICATE";
/// Longest key or certificate file, in bytes: several times what ours are.
pub(super) const FILE_MAX: usize = 8192;
