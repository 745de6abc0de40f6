//! Private keys in files: one per purpose, mode 0600, in a directory of mode 0700, all of them
//! encrypted under one passphrase or none.
//!
//! A key serves one purpose only, so that no signature of one kind can ever be taken for another.
//! The types here implement neither `Debug` nor `Display`.

mod custody;
mod ed25519;
mod encrypted;
mod files;
pub(super) mod generations;
mod held;
pub(super) mod next;
mod p256;
mod passphrase;
mod rewrap;
mod token;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use breakglass_ledger::time::Timestamp;

use super::error::MintError;
use super::tls::AuthorityKey;
use super::{tls, x509};
use crate::entropy::{Entropy, EntropyError};
use files::{failed, read_certificate, read_key, refuse_shared, sync, unusable};
use files::{write_certificate, write_key};
use held::Use;

pub use self::custody::Custody;
pub(super) use self::ed25519::Ed25519Key;
pub(super) use self::files::write_new;
pub use self::next::NextKey;
pub(super) use self::p256::P256Key;
pub use self::passphrase::{LENGTH_MAX as PASSPHRASE_MAX, Passphrase};
pub(super) use self::rewrap::{clear, rewrap};
pub(super) use self::token::TokenKey;
pub use self::token::{Found, KeyTokens, Pkcs11Error, Role, TokenPlace};

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
    /// Signs tokens; `None` where the keys are older than it.
    pub(super) jwt: Option<P256Key>,
    /// Keys that are not the current ones of their roles.
    pub(super) others: Vec<generations::Kept>,
}

/// Makes the directory `keys` in `dir` with fresh keys, all or none.
pub(super) fn create(
    dir: &Path,
    deployment: &str,
    custody: &Custody,
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
    let write = |name: &str, pkcs8: &[u8]| {
        write_key(&fresh.join(name), pkcs8, custody.passphrase(), entropy)
    };
    held::make_ed25519(&fresh.join(SSH_CA), Role::SshCa, custody, entropy)?;
    for name in [LOG, LISTS] {
        write(name, &Ed25519Key::generate(entropy)?)?;
    }
    let tls_ca = AuthorityKey::generate().map_err(|_| EntropyError)?;
    write(TLS_CA, &tls_ca)?;
    let tls_ca = open_tls_ca(&fresh.join(TLS_CA), &tls_ca)?;
    let certificate = tls::certify_authority(&tls_ca, now)?;
    write_certificate(&fresh.join(TLS_CA_CERTIFICATE), &certificate)?;
    let path = fresh.join(X509_CA);
    held::make_p256(&path, Role::X509Ca, custody, entropy)?;
    let x509_ca = held::open_p256(&path, Role::X509Ca, custody, Use::Signing)?;
    let x509_ca = x509_ca.ok_or_else(|| unusable(&path))?;
    let certificate = x509::Authority::certify(&x509_ca, deployment, entropy, now)?;
    write_certificate(&fresh.join(X509_CA_CERTIFICATE), &certificate)?;
    held::make_p256(&fresh.join(JWT_KEY), Role::JwtKey, custody, entropy)?;
    sync(&fresh)?;
    // Fails if somebody else has put keys there meanwhile.
    fs::rename(&fresh, &keys).map_err(failed("put in place", &keys))?;
    sync(dir)
}

/// Reads the keys from the directory `keys` in `dir`.
pub(super) fn open(dir: &Path, custody: &Custody) -> Result<Keys, MintError> {
    let dir = dir.join(DIRECTORY);
    let metadata = fs::metadata(&dir).map_err(failed("look at", &dir))?;
    refuse_shared(&dir, &metadata, 0o700)?;
    generations::finish(&dir)?;
    let tls_ca = dir.join(TLS_CA);
    let keys = Keys {
        log: read_ed25519(&dir.join(LOG), custody)?,
        ssh_ca: held::open_ed25519(&dir.join(SSH_CA), Role::SshCa, custody, Use::Signing)?,
        lists: read_ed25519(&dir.join(LISTS), custody)?,
        tls_ca: open_tls_ca(&tls_ca, &read_key(&tls_ca, custody.passphrase())?)?,
        tls_ca_der: read_certificate(&dir.join(TLS_CA_CERTIFICATE))?,
        x509: open_x509(&dir, custody)?,
        jwt: held::open_p256(&dir.join(JWT_KEY), Role::JwtKey, custody, Use::Signing)?,
        others: generations::open(&dir, custody)?,
    };
    check_places(&dir, &keys, custody)?;
    Ok(keys)
}

/// Refuses a configuration that says that a key is in a token, where none of its role is: whoever wrote
/// it believes that the key is safe there.
fn check_places(dir: &Path, keys: &Keys, custody: &Custody) -> Result<(), MintError> {
    let x509 = keys.x509.as_ref().map(|authority| authority.key().token());
    let jwt = keys.jwt.as_ref().map(P256Key::token);
    for (role, token, file) in [
        (Role::SshCa, Some(keys.ssh_ca.token()), SSH_CA),
        (Role::X509Ca, x509, X509_CA),
        (Role::JwtKey, jwt, JWT_KEY),
    ] {
        let is_file = token.is_some_and(|token| token.is_none());
        let of_role = |kept: &&generations::Kept| Role::of(kept.private.role()) == Some(role);
        let mut others = keys.others.iter().filter(of_role);
        let is_told = is_file && !custody.is_moving() && !custody.places(role).is_empty();
        if is_told && others.all(|kept| kept.private.token().is_none()) {
            return Err(MintError::NotInToken { path: dir.join(file), role: role.name() });
        }
    }
    Ok(())
}

/// Absent with both of its files only: half of it is a backup that was not restored whole.
fn open_x509(dir: &Path, custody: &Custody) -> Result<Option<x509::Authority>, MintError> {
    let certificate = dir.join(X509_CA_CERTIFICATE);
    let key = held::open_p256(&dir.join(X509_CA), Role::X509Ca, custody, Use::Signing)?;
    match (key, held::is_there(&certificate)?) {
        (None, false) => Ok(None),
        (Some(key), _) => x509::Authority::open(key, read_certificate(&certificate)?).map(Some),
        // Says that the key is missing, and where.
        (None, true) => {
            read_key(&dir.join(X509_CA), custody.passphrase()).and(Err(MintError::Authority))
        }
    }
}

fn read_ed25519(path: &Path, custody: &Custody) -> Result<Ed25519Key, MintError> {
    Ed25519Key::from_pkcs8(path, &read_key(path, custody.passphrase())?)
}

fn open_p256(path: &Path, pkcs8: &[u8]) -> Result<P256Key, MintError> {
    P256Key::from_pkcs8(pkcs8).ok_or_else(|| unusable(path))
}

fn open_tls_ca(path: &Path, pkcs8: &[u8]) -> Result<AuthorityKey, MintError> {
    AuthorityKey::from_pkcs8(pkcs8).map_err(|_| unusable(path))
}

/// Names in the state directory.
const DIRECTORY: &str = "keys";
const UNFINISHED: &str = "keys.new";
const LOG: &str = "log";
const SSH_CA: &str = "ssh-ca";
const LISTS: &str = "lists";
const TLS_CA: &str = "tls-ca";
const TLS_CA_CERTIFICATE: &str = "tls-ca.crt";
const SSH_CA_PIN: &str = "ssh-ca.pub";
const X509_CA: &str = "x509-ca.pem";
const X509_CA_PIN: &str = "x509-ca.pub";
const X509_CA_CERTIFICATE: &str = "x509-ca.crt";
const JWT_KEY: &str = "jwt-key.pem";
const JWT_KEY_PIN: &str = "jwt-key.pub";

#[cfg(test)]
mod tests;
