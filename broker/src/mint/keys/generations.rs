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
//! Instead of `ssh-ca` there may be `ssh-ca.pub` at any of these places: then that key is in a token.
//!
//! A crash at any moment loses no key: nothing is removed before it is somewhere else, and
//! `switching` lets the next start finish what was begun.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::time::Timestamp;

use super::files::{failed, read_certificate, read_key, refuse_shared, sync, unusable, write_new};
use super::held::{self, Use, is_there};
use super::token::{Role, TokenKey};
use super::{
    AuthorityKey, Custody, DIRECTORY, Ed25519Key, JWT_KEY, JWT_KEY_PIN, LISTS, P256Key, SSH_CA,
    SSH_CA_PIN, TLS_CA, TLS_CA_CERTIFICATE, X509_CA, X509_CA_CERTIFICATE, X509_CA_PIN, open_tls_ca,
    read_ed25519,
};
use crate::mint::{MintError, Stage, x509};

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

impl Private {
    /// What it is for.
    pub(in crate::mint) const fn role(&self) -> KeyRole {
        match self {
            Self::SshCa(_) => KeyRole::SshCa,
            Self::Lists(_) => KeyRole::Lists,
            Self::TlsCa(..) => KeyRole::TlsCa,
            Self::X509Ca(_) => KeyRole::X509Ca,
            Self::JwtKey(_) => KeyRole::JwtKey,
        }
    }

    /// The token it is in, if it is in one.
    pub(in crate::mint) const fn token(&self) -> Option<&Arc<TokenKey>> {
        match self {
            Self::SshCa(key) | Self::Lists(key) => key.token(),
            Self::X509Ca(authority) => authority.key().token(),
            Self::JwtKey(key) => key.token(),
            Self::TlsCa(..) => None,
        }
    }
}

/// Every key in `keys` that is not a current one: old ones from the oldest on, then the next.
pub(super) fn open(keys: &Path, custody: &Custody) -> Result<Vec<Kept>, MintError> {
    let mut places = Vec::new();
    for name in names(&keys.join(OLD))? {
        let place = name.split_once('-').and_then(|(until, file)| {
            let mut roles = KeyRole::ALL.into_iter();
            let role = roles.find(|role| Files::of(*role).forms().any(|form| form == file))?;
            Some((Stage::Old { until: until.parse().ok()? }, role))
        });
        places.extend(place);
    }
    for role in KeyRole::ALL {
        if has_next(&keys.join(NEXT), role)? {
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
    let files = Files::of(role);
    let follow = |name: &str, before: &[&str]| -> Result<(), MintError> {
        let following = next.join(name);
        if !is_there(&following)? {
            return Ok(());
        }
        for form in before {
            let (current, kept) = (keys.join(form), old.join(format!("{seq}-{form}")));
            if is_there(&current)? && !is_there(&kept)? {
                fs::hard_link(&current, &kept).map_err(failed("keep", &current))?;
                sync(&old)?;
            }
        }
        let current = keys.join(name);
        fs::rename(&following, &current).map_err(failed("put in place", &current))?;
        sync(keys)
    };
    // The certificate first: while the key lies in `next`, the change is not over.
    if let Some(certificate) = files.certificate {
        follow(certificate, &[certificate])?;
    }
    let forms: Vec<&str> = files.forms().collect();
    for form in &forms {
        follow(form, &forms)?;
    }
    drop_form(keys, &old, &forms, seq)?;
    remove_file(&next.join(since_name(role)))?;
    sync(&next)?;
    remove_file(&mark)?;
    sync(keys)
}

/// Where a key in a file gave way to one in a token, or the other way round, no rename has replaced what
/// is kept among the old ones.
fn drop_form(keys: &Path, old: &Path, forms: &[&str], seq: u64) -> Result<(), MintError> {
    let mut there = Vec::new();
    for form in forms {
        if is_there(&keys.join(form))? {
            there.push(form);
        }
    }
    if there.len() > 1 {
        for form in there {
            if is_there(&old.join(format!("{seq}-{form}")))? {
                remove_file(&keys.join(form))?;
                sync(keys)?;
            }
        }
    }
    Ok(())
}

/// Removes a key that is not the current one; its certificate last.
pub(in crate::mint) fn remove(dir: &Path, role: KeyRole, stage: Stage) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    let files = Files::of(role);
    for name in files.forms().chain(files.certificate) {
        remove_file(&place(&keys, stage, name))?;
    }
    if let Stage::Next { .. } = stage {
        remove_file(&keys.join(NEXT).join(since_name(role)))?;
    }
    let holder = place(&keys, stage, files.key);
    holder.parent().map_or(Ok(()), sync)
}

/// Whether there is a next key of `role` in the directory `next`.
pub(super) fn has_next(next: &Path, role: KeyRole) -> Result<bool, MintError> {
    for form in Files::of(role).forms() {
        if is_there(&next.join(form))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(keys: &Path, role: KeyRole, stage: Stage, custody: &Custody) -> Result<Private, MintError> {
    let files = Files::of(role);
    let path = place(keys, stage, files.key);
    let certificate =
        || read_certificate(&place(keys, stage, files.certificate.unwrap_or_default()));
    // An old authority over X.509 goes on signing its list; other old keys sign nothing.
    let use_of = match (stage, role) {
        (Stage::Old { .. }, KeyRole::SshCa | KeyRole::JwtKey) => Use::Reading,
        (Stage::Old { .. } | Stage::Next { .. }, _) => Use::Signing,
    };
    let p256 = |role| held::open_p256(&path, role, custody, use_of)?.ok_or_else(|| unusable(&path));
    Ok(match role {
        KeyRole::SshCa => Private::SshCa(held::open_ed25519(&path, Role::SshCa, custody, use_of)?),
        KeyRole::Lists => Private::Lists(read_ed25519(&path, custody)?),
        KeyRole::TlsCa => {
            let key = open_tls_ca(&path, &read_key(&path, custody.passphrase())?)?;
            Private::TlsCa(key, certificate()?)
        }
        KeyRole::X509Ca => {
            Private::X509Ca(x509::Authority::open(p256(Role::X509Ca)?, certificate()?)?)
        }
        KeyRole::JwtKey => Private::JwtKey(p256(Role::JwtKey)?),
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

pub(super) fn since_name(role: KeyRole) -> String {
    format!("{}.{SINCE}", role.name())
}

/// The files of one key.
pub(super) struct Files {
    /// The key itself.
    pub(super) key: &'static str,
    /// Instead of it, if the key is in a token: its public half.
    pub(super) pin: Option<&'static str>,
    /// Of an authority.
    pub(super) certificate: Option<&'static str>,
}

impl Files {
    pub(super) const fn of(role: KeyRole) -> Self {
        let (key, pin, certificate) = match role {
            KeyRole::SshCa => (SSH_CA, Some(SSH_CA_PIN), None),
            KeyRole::Lists => (LISTS, None, None),
            KeyRole::TlsCa => (TLS_CA, None, Some(TLS_CA_CERTIFICATE)),
            KeyRole::X509Ca => (X509_CA, Some(X509_CA_PIN), Some(X509_CA_CERTIFICATE)),
            KeyRole::JwtKey => (JWT_KEY, Some(JWT_KEY_PIN), None),
        };
        Self { key, pin, certificate }
    }

    /// What says that there is a key: its file, or the one that pins it.
    pub(super) fn forms(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.key).chain(self.pin)
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

pub(super) fn make_dir(keys: &Path, dir: &Path) -> Result<(), MintError> {
    if is_there(dir)? {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(dir).map_err(failed("create", dir))?;
    sync(keys)
}

pub(super) fn remove_file(path: &Path) -> Result<(), MintError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Names in the directory of keys.
pub(super) const NEXT: &str = "next";
const OLD: &str = "old";
const SWITCHING: &str = "switching";
const SWITCHING_NEW: &str = "switching.new";
/// Ending of the file that says when a next key was made.
const SINCE: &str = "since";
