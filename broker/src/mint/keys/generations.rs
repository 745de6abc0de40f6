//! Keys before and after the current one, as files.
//!
//! ```text
//! keys/
//! ├── ssh-ca                 the current key: which one it is, the ledger says
//! ├── next/ssh-ca            made ahead; next/ssh-ca.since says when
//! ├── old/17-ssh-ca          until entry 17, which named its successor
//! └── switching              half-way between two of them: role and entry
//! ```
//!
//! A crash at any moment loses no key: nothing is removed before it is somewhere else, and
//! `switching` lets the next start finish what was begun.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::time::Timestamp;

use super::files::{
    failed, read_certificate, read_key, refuse_shared, sync, unusable, write_certificate,
    write_key, write_new,
};
use super::held::pin_of;
use super::{
    AuthorityKey, Custody, DIRECTORY, Ed25519Key, JWT_KEY, LISTS, P256Key, SSH_CA, TLS_CA,
    TLS_CA_CERTIFICATE, X509_CA, X509_CA_CERTIFICATE, open_p256, open_tls_ca, read_ed25519,
};
use crate::entropy::{Entropy, EntropyError};
use crate::mint::{MintError, Stage, tls, x509};

/// A key that is not the current one of its role.
pub(in crate::mint) struct Kept {
    /// Where it stands.
    pub(in crate::mint) stage: Stage,
    /// The key.
    pub(in crate::mint) private: Private,
}

/// A private key by its role. Shows itself to nobody.
pub(in crate::mint) enum Private {
    /// Signs SSH certificates.
    SshCa(Ed25519Key),
    /// Signs revocation lists.
    Lists(Ed25519Key),
    /// Signs the daemon's TLS certificates; with its own, DER.
    TlsCa(AuthorityKey, Vec<u8>),
    /// Signs client certificates and the list of those that are revoked.
    X509Ca(x509::Authority),
    /// Signs tokens.
    JwtKey(P256Key),
}

/// Every key in `keys` that is not a current one: old ones from the oldest on, then the next.
pub(super) fn open(keys: &Path, custody: &Custody) -> Result<Vec<Kept>, MintError> {
    let mut places = Vec::new();
    for name in names(&keys.join(OLD))? {
        let place = name.split_once('-').and_then(|(until, file)| {
            let role = KeyRole::ALL.into_iter().find(|role| Files::of(*role).key == file)?;
            Some((Stage::Old { until: until.parse().ok()? }, role))
        });
        places.extend(place);
    }
    for role in KeyRole::ALL {
        if is_there(&keys.join(NEXT).join(Files::of(role).key))? {
            places.push((Stage::Next { since: since(keys, role)? }, role));
        }
    }
    for dir in [keys.join(OLD), keys.join(NEXT)] {
        if is_there(&dir)? {
            let metadata = fs::metadata(&dir).map_err(failed("look at", &dir))?;
            refuse_shared(&dir, &metadata, 0o700)?;
        }
    }
    places.sort_unstable_by_key(|(stage, _)| *stage);
    let kept = |(stage, role)| Ok(Kept { stage, private: read(keys, role, stage, custody)? });
    places.into_iter().map(kept).collect()
}

/// Makes the next key of `role`; its file comes last, so that without it there is none.
pub(in crate::mint) fn prepare(
    dir: &Path,
    role: KeyRole,
    deployment: &str,
    custody: &Custody,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    let (next, files) = (keys.join(NEXT), Files::of(role));
    let path = next.join(files.key);
    if is_there(&pin_of(&keys.join(files.key)))? {
        return Err(MintError::InToken { role: role.name() });
    }
    if is_there(&path)? {
        return Err(MintError::Exists { path });
    }
    make_dir(&keys, &next)?;
    let pkcs8 = match role {
        KeyRole::SshCa | KeyRole::Lists => Ed25519Key::generate(entropy)?,
        KeyRole::TlsCa => AuthorityKey::generate().map_err(|_| EntropyError)?,
        KeyRole::X509Ca | KeyRole::JwtKey => P256Key::generate()?,
    };
    let certificate = match role {
        KeyRole::TlsCa => Some(tls::certify_authority(&open_tls_ca(&path, &pkcs8)?, now)?),
        KeyRole::X509Ca => {
            let key = open_p256(&path, &pkcs8)?;
            Some(x509::Authority::certify(&key, deployment, entropy, now)?)
        }
        KeyRole::SshCa | KeyRole::Lists | KeyRole::JwtKey => None,
    };
    // What a crash left half made: nobody has ever used it.
    let made = next.join(since_name(role));
    remove_file(&made)?;
    write_new(&made, format!("{now}\n").as_bytes(), 0o600)?;
    if let (Some(der), Some(name)) = (certificate, files.certificate) {
        remove_file(&next.join(name))?;
        write_certificate(&next.join(name), &der)?;
    }
    sync(&next)?;
    write_key(&path, &pkcs8, custody.passphrase(), entropy)?;
    sync(&next)
}

/// See [`Mint::switch`](crate::mint::Mint::switch).
pub(in crate::mint) fn switch(dir: &Path, role: KeyRole, seq: u64) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    let mark = keys.join(SWITCHING);
    if !is_there(&mark)? {
        let fresh = keys.join(SWITCHING_NEW);
        remove_file(&fresh)?;
        write_new(&fresh, format!("{} {seq}\n", role.name()).as_bytes(), 0o600)?;
        fs::rename(&fresh, &mark).map_err(failed("put in place", &mark))?;
        sync(&keys)?;
    }
    finish(&keys)
}

/// Finishes a change of keys that was begun, if one was.
pub(super) fn finish(keys: &Path) -> Result<(), MintError> {
    let mark = keys.join(SWITCHING);
    let text = match fs::read_to_string(&mark) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", &mark)(error)),
    };
    let begun = text.trim_end().split_once(' ').and_then(|(name, seq)| {
        let role = KeyRole::ALL.into_iter().find(|role| role.name() == name)?;
        Some((role, seq.parse::<u64>().ok()?))
    });
    let (role, seq) = begun.ok_or_else(|| unusable(&mark))?;
    let (next, old) = (keys.join(NEXT), keys.join(OLD));
    make_dir(keys, &old)?;
    // The certificate first: while the key lies in `next`, the change is not over.
    let files = Files::of(role);
    for name in files.certificate.into_iter().chain([files.key]) {
        let (current, following) = (keys.join(name), next.join(name));
        if !is_there(&following)? {
            continue;
        }
        let kept = old.join(format!("{seq}-{name}"));
        if is_there(&current)? && !is_there(&kept)? {
            fs::hard_link(&current, &kept).map_err(failed("keep", &current))?;
            sync(&old)?;
        }
        fs::rename(&following, &current).map_err(failed("put in place", &current))?;
        sync(keys)?;
    }
    remove_file(&next.join(since_name(role)))?;
    sync(&next)?;
    remove_file(&mark)?;
    sync(keys)
}

/// Removes a key that is not the current one; its certificate last.
pub(in crate::mint) fn remove(dir: &Path, role: KeyRole, stage: Stage) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    let files = Files::of(role);
    for name in [files.key].into_iter().chain(files.certificate) {
        remove_file(&place(&keys, stage, name))?;
    }
    if let Stage::Next { .. } = stage {
        remove_file(&keys.join(NEXT).join(since_name(role)))?;
    }
    let holder = place(&keys, stage, files.key);
    holder.parent().map_or(Ok(()), sync)
}

fn read(keys: &Path, role: KeyRole, stage: Stage, custody: &Custody) -> Result<Private, MintError> {
    let files = Files::of(role);
    let path = place(keys, stage, files.key);
    let certificate =
        || read_certificate(&place(keys, stage, files.certificate.unwrap_or_default()));
    let p256 = || open_p256(&path, &read_key(&path, custody.passphrase())?);
    Ok(match role {
        KeyRole::SshCa => Private::SshCa(read_ed25519(&path, custody)?),
        KeyRole::Lists => Private::Lists(read_ed25519(&path, custody)?),
        KeyRole::TlsCa => {
            let key = open_tls_ca(&path, &read_key(&path, custody.passphrase())?)?;
            Private::TlsCa(key, certificate()?)
        }
        KeyRole::X509Ca => Private::X509Ca(x509::Authority::open(p256()?, certificate()?)?),
        KeyRole::JwtKey => Private::JwtKey(p256()?),
    })
}

fn place(keys: &Path, stage: Stage, name: &str) -> PathBuf {
    match stage {
        Stage::Next { .. } => keys.join(NEXT).join(name),
        Stage::Old { until } => keys.join(OLD).join(format!("{until}-{name}")),
    }
}

/// When the next key of `role` was made.
fn since(keys: &Path, role: KeyRole) -> Result<Timestamp, MintError> {
    let path = keys.join(NEXT).join(since_name(role));
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    text.trim_end().parse().map_err(|_| unusable(&path))
}

fn since_name(role: KeyRole) -> String {
    format!("{}.{SINCE}", role.name())
}

/// The files of one key.
struct Files {
    key: &'static str,
    certificate: Option<&'static str>,
}

impl Files {
    const fn of(role: KeyRole) -> Self {
        let (key, certificate) = match role {
            KeyRole::SshCa => (SSH_CA, None),
            KeyRole::Lists => (LISTS, None),
            KeyRole::TlsCa => (TLS_CA, Some(TLS_CA_CERTIFICATE)),
            KeyRole::X509Ca => (X509_CA, Some(X509_CA_CERTIFICATE)),
            KeyRole::JwtKey => (JWT_KEY, None),
        };
        Self { key, certificate }
    }
}

/// Names in `dir`; none if it is not there.
fn names(dir: &Path) -> Result<Vec<String>, MintError> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", dir)(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.map_err(failed("list", dir))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    };
    listing.map(name).collect()
}

fn make_dir(keys: &Path, dir: &Path) -> Result<(), MintError> {
    if is_there(dir)? {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(dir).map_err(failed("create", dir))?;
    sync(keys)
}

fn is_there(path: &Path) -> Result<bool, MintError> {
    path.try_exists().map_err(failed("look at", path))
}

fn remove_file(path: &Path) -> Result<(), MintError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Names in the directory of keys.
const NEXT: &str = "next";
const OLD: &str = "old";
const SWITCHING: &str = "switching";
const SWITCHING_NEW: &str = "switching.new";
/// Ending of the file that says when a next key was made.
const SINCE: &str = "since";
