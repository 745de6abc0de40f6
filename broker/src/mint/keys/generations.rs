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
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::time::Timestamp;

use super::files::{
    failed, read_certificate, read_key, refuse_shared, sync, unusable, write_certificate,
    write_key, write_new,
};
use super::held::{self, Use, is_there};
use super::token::{Role, TokenKey, TokenPlace};
use super::{
    AuthorityKey, Custody, DIRECTORY, Ed25519Key, JWT_KEY, JWT_KEY_PIN, LISTS, P256Key, SSH_CA,
    SSH_CA_PIN, TLS_CA, TLS_CA_CERTIFICATE, X509_CA, X509_CA_CERTIFICATE, X509_CA_PIN, open_p256,
    open_tls_ca, read_ed25519,
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

/// What a next key is to be.
pub struct NextKey<'a> {
    /// What it is for.
    pub role: KeyRole,
    /// How keys are kept: in a token, where its last place of this role is, or in a file.
    pub custody: &'a Custody,
    /// In a file, whatever `custody` says of tokens.
    pub in_file: bool,
    /// Keys of before, which are never used again.
    pub spent: &'a [PublicKey],
    /// When it is made.
    pub now: Timestamp,
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

/// Makes the next key; its file comes last, so that without it there is none.
pub(in crate::mint) fn prepare(
    dir: &Path,
    wanted: &NextKey<'_>,
    deployment: &str,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let keys = dir.join(DIRECTORY);
    let (role, next, files) = (wanted.role, keys.join(NEXT), Files::of(wanted.role));
    let in_token = Role::of(role).filter(|_| !wanted.in_file);
    let place = in_token.and_then(|role| Some((role, wanted.custody.newest(role)?)));
    let is_pinned = files.pin.map(|pin| is_there(&keys.join(pin))).transpose()?.unwrap_or(false);
    if is_pinned && place.is_none() && !wanted.in_file {
        return Err(MintError::InToken { role: role.name() });
    }
    if has_next(&next, role)? {
        return Err(MintError::Exists { path: next.join(files.key) });
    }
    make_dir(&keys, &next)?;
    match place {
        None => make_in_file(&next, wanted, deployment, entropy)?,
        Some((role, place)) => make_in_token(&next, wanted, (role, place), deployment, entropy)?,
    }
    sync(&next)
}

fn make_in_file(
    next: &Path,
    wanted: &NextKey<'_>,
    deployment: &str,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let NextKey { role, custody, now, .. } = *wanted;
    let path = next.join(Files::of(role).key);
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
    write_beside(next, wanted, certificate)?;
    write_key(&path, &pkcs8, custody.passphrase(), entropy)
}

/// In the token, or taken over if it lies there already; but not if it ever was one of ours.
fn make_in_token(
    next: &Path,
    wanted: &NextKey<'_>,
    (role, place): (Role, &TokenPlace),
    deployment: &str,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let path = next.join(Files::of(wanted.role).key);
    let raw = TokenKey::found(role, place)?;
    let public = held::public_of(role, &raw)?;
    if wanted.spent.contains(&public) {
        return Err(MintError::Spent { role: role.name(), label: place.label().to_owned() });
    }
    let certificate = if role == Role::X509Ca {
        let point = raw.as_slice().try_into().map_err(|_| MintError::WeakKey)?;
        let places = std::slice::from_ref(place);
        let key = P256Key::in_token(TokenKey::of(role, places, &raw, true), point);
        Some(x509::Authority::certify(&key, deployment, entropy, wanted.now)?)
    } else {
        None
    };
    write_beside(next, wanted, certificate)?;
    held::pin(&path, &public)
}

/// What a next key has besides itself. What a crash left half made is written over: nobody has ever used
/// it.
fn write_beside(
    next: &Path,
    wanted: &NextKey<'_>,
    certificate: Option<Vec<u8>>,
) -> Result<(), MintError> {
    let made = next.join(since_name(wanted.role));
    remove_file(&made)?;
    write_new(&made, format!("{}\n", wanted.now).as_bytes(), 0o600)?;
    if let (Some(der), Some(name)) = (certificate, Files::of(wanted.role).certificate) {
        remove_file(&next.join(name))?;
        write_certificate(&next.join(name), &der)?;
    }
    sync(next)
}

fn has_next(next: &Path, role: KeyRole) -> Result<bool, MintError> {
    for form in Files::of(role).forms() {
        if is_there(&next.join(form))? {
            return Ok(true);
        }
    }
    Ok(false)
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

fn since_name(role: KeyRole) -> String {
    format!("{}.{SINCE}", role.name())
}

/// The files of one key.
struct Files {
    key: &'static str,
    /// Instead of it, if the key is in a token: its public half.
    pin: Option<&'static str>,
    certificate: Option<&'static str>,
}

impl Files {
    const fn of(role: KeyRole) -> Self {
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
    fn forms(&self) -> impl Iterator<Item = &'static str> + use<> {
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

fn make_dir(keys: &Path, dir: &Path) -> Result<(), MintError> {
    if is_there(dir)? {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(dir).map_err(failed("create", dir))?;
    sync(keys)
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
