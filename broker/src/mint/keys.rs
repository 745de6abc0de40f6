//! Private keys in files: one per purpose, mode 0600, in a directory of mode 0700.
//!
//! A key serves one purpose only, so that no signature of one kind can ever be taken for another.
//! The types here implement neither `Debug` nor `Display`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use breakglass_ledger::time::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::error::MintError;
use super::tls::AuthorityKey;
use super::{pem, tls, x509};
use crate::entropy::{Entropy, EntropyError};

/// Every private key of the broker.
pub(super) struct Keys {
    /// Signs checkpoints.
    pub(super) log: Ed25519Key,
    /// Signs SSH user certificates.
    pub(super) ssh_ca: Ed25519Key,
    /// Signs revocation lists.
    pub(super) lists: Ed25519Key,
    /// Signs the daemon's own TLS server certificates.
    pub(super) tls_ca: AuthorityKey,
    /// Certificate of `tls_ca`, DER. Public.
    pub(super) tls_ca_der: Vec<u8>,
    /// Signs client certificates and their list; `None` where the keys are older than it.
    pub(super) x509: Option<x509::Authority>,
}

/// An Ed25519 key pair.
pub(super) struct Ed25519Key {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl Ed25519Key {
    /// The 32 bytes of the public half.
    pub(super) const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The 64 bytes over `message`.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut raw = [0; 64];
        // ring's Ed25519 signatures are 64 bytes (RFC 8032, 5.1.6); zip cannot panic if not.
        raw.iter_mut().zip(self.pair.sign(message).as_ref()).for_each(|(to, from)| *to = *from);
        raw
    }
}

/// Makes the directory `keys` in `dir` with fresh keys, all or none.
pub(super) fn create(
    dir: &Path,
    deployment: &str,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    if keys.try_exists().map_err(failed("look at", &keys))? {
        return Err(MintError::Exists { path: keys });
    }
    // A crash half-way leaves this one behind. Nobody has ever used a key in it.
    let fresh = dir.join(UNFINISHED);
    if fresh.try_exists().map_err(failed("look at", &fresh))? {
        fs::remove_dir_all(&fresh).map_err(failed("remove the unfinished", &fresh))?;
    }
    DirBuilder::new().mode(0o700).create(&fresh).map_err(failed("create", &fresh))?;
    for name in [LOG, SSH_CA, LISTS] {
        write_key(&fresh.join(name), &ed25519_pkcs8(entropy)?)?;
    }
    let tls_ca = AuthorityKey::generate().map_err(|_| EntropyError)?;
    write_key(&fresh.join(TLS_CA), &tls_ca)?;
    let tls_ca = open_tls_ca(&fresh.join(TLS_CA), &tls_ca)?;
    let certificate = tls::certify_authority(&tls_ca, now)?;
    write_new(&fresh.join(TLS_CA_CERTIFICATE), &pem::encode(CERTIFICATE, &certificate), 0o644)?;
    let x509_ca = x509::Authority::generate()?;
    write_key(&fresh.join(X509_CA), &x509_ca)?;
    let certificate = x509::Authority::certify(&x509_ca, deployment, entropy, now)?;
    write_new(&fresh.join(X509_CA_CERTIFICATE), &pem::encode(CERTIFICATE, &certificate), 0o644)?;
    sync(&fresh)?;
    // Fails if somebody else has put keys there meanwhile.
    fs::rename(&fresh, &keys).map_err(failed("put in place", &keys))?;
    sync(dir)
}

/// Reads the keys from the directory `keys` in `dir`.
pub(super) fn open(dir: &Path) -> Result<Keys, MintError> {
    let dir = dir.join(DIRECTORY);
    let metadata = fs::metadata(&dir).map_err(failed("look at", &dir))?;
    refuse_shared(&dir, &metadata, 0o700)?;
    Ok(Keys {
        log: read_ed25519(&dir.join(LOG))?,
        ssh_ca: read_ed25519(&dir.join(SSH_CA))?,
        lists: read_ed25519(&dir.join(LISTS))?,
        tls_ca: open_tls_ca(&dir.join(TLS_CA), &read_key(&dir.join(TLS_CA))?)?,
        tls_ca_der: read_certificate(&dir.join(TLS_CA_CERTIFICATE))?,
        x509: open_x509(&dir)?,
    })
}

/// Absent with both of its files only: half of it is a backup that was not restored whole.
fn open_x509(dir: &Path) -> Result<Option<x509::Authority>, MintError> {
    let (key, certificate) = (dir.join(X509_CA), dir.join(X509_CA_CERTIFICATE));
    let there = |path: &Path| path.try_exists().map_err(failed("look at", path));
    if !there(&key)? && !there(&certificate)? {
        return Ok(None);
    }
    x509::Authority::open(&read_key(&key)?, read_certificate(&certificate)?).map(Some)
}

/// PKCS#8 of a new Ed25519 key (RFC 8410, section 7).
fn ed25519_pkcs8(entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, MintError> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy.fill(seed.as_mut())?;
    let mut der = Zeroizing::new(Vec::with_capacity(48));
    der.extend_from_slice(&ED25519_PKCS8_PREFIX);
    der.extend_from_slice(seed.as_ref());
    Ok(der)
}

fn read_ed25519(path: &Path) -> Result<Ed25519Key, MintError> {
    let pkcs8 = read_key(path)?;
    // "Maybe unchecked": RFC 8410's plain form carries no public half to check against.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(|_| unusable(path))?;
    let public = pair.public_key().as_ref().try_into().map_err(|_| unusable(path))?;
    Ok(Ed25519Key { pair, public })
}

fn open_tls_ca(path: &Path, pkcs8: &[u8]) -> Result<AuthorityKey, MintError> {
    AuthorityKey::from_pkcs8(pkcs8).map_err(|_| unusable(path))
}

fn read_certificate(path: &Path) -> Result<Vec<u8>, MintError> {
    let file = File::open(path).map_err(failed("open", path))?;
    Ok(read_pem(file, path, CERTIFICATE)?.to_vec())
}

/// Reads PKCS#8 out of a file that only its owner can reach.
fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, MintError> {
    let file = File::open(path).map_err(failed("open", path))?;
    // Of the open file, not of its name: what is looked at is what is read.
    let metadata = file.metadata().map_err(failed("look at", path))?;
    refuse_shared(path, &metadata, 0o600)?;
    read_pem(file, path, PRIVATE_KEY)
}

fn read_pem(file: File, path: &Path, label: &str) -> Result<Zeroizing<Vec<u8>>, MintError> {
    // Room for all of it from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_MAX.saturating_add(1)));
    let most = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut text).map_err(failed("read", path))?;
    if text.len() > FILE_MAX {
        return Err(unusable(path));
    }
    pem::decode(label, &text).ok_or_else(|| unusable(path))
}

fn write_key(path: &Path, pkcs8: &[u8]) -> Result<(), MintError> {
    write_new(path, &pem::encode(PRIVATE_KEY, pkcs8), 0o600)
}

pub(super) fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), MintError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed("create", path))?;
    file.write_all(content).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("write", path))
}

fn sync(dir: &Path) -> Result<(), MintError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

/// Refuses what its group or the world may reach.
fn refuse_shared(path: &Path, metadata: &fs::Metadata, remedy: u32) -> Result<(), MintError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(MintError::Permissions { path: path.to_owned(), mode, remedy })
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MintError {
    let path = PathBuf::from(path);
    move |source| MintError::Io { doing, path, source }
}

fn unusable(path: &Path) -> MintError {
    MintError::KeyFile { path: path.to_owned(), rule: "is not a key or certificate of its kind" }
}

/// Names in the state directory.
const DIRECTORY: &str = "keys";
const UNFINISHED: &str = "keys.new";
const LOG: &str = "log";
const SSH_CA: &str = "ssh-ca";
const LISTS: &str = "lists";
const TLS_CA: &str = "tls-ca";
const TLS_CA_CERTIFICATE: &str = "tls-ca.crt";
const X509_CA: &str = "x509-ca.pem";
const X509_CA_CERTIFICATE: &str = "x509-ca.crt";
/// PEM labels (RFC 7468, sections 5 and 10).
const PRIVATE_KEY: &str = "PRIVATE KEY";
const CERTIFICATE: &str = "CERTIFICATE";
/// Longest key or certificate file, in bytes: several times what ours are.
const FILE_MAX: usize = 8192;
/// PKCS#8 version 0, algorithm Ed25519, and an octet string of 32 in one of 34 (RFC 8410, 7).
const ED25519_PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

#[cfg(test)]
mod tests;
