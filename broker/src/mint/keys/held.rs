//! Keys by their names: in a file, or in a token with a file that pins the public half.

use std::fs::File;
use std::path::{Path, PathBuf};

use breakglass_ledger::key::{KeyType, PublicKey};

use super::files::{failed, read_key, read_whole, unusable, write_key, write_new};
use super::token::{Role, TokenKey};
use super::{Custody, Ed25519Key, P256Key};
use crate::entropy::Entropy;
use crate::mint::{MintError, ssh_key_of, x509};
use crate::sshwire::Reader;

/// Makes the Ed25519 key of `role` under `name` in `dir`, or in its token.
pub(super) fn make_ed25519(
    dir: &Path,
    name: &str,
    role: Role,
    custody: &Custody,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let path = dir.join(name);
    let Some(place) = custody.token(role) else {
        return write_key(&path, &Ed25519Key::generate(entropy)?, custody.passphrase(), entropy);
    };
    let public = TokenKey::found(role, place)?;
    let raw = public.as_slice().try_into().map_err(|_| MintError::WeakKey)?;
    pin(&path, &ssh_key_of(raw)?)
}

/// Makes the P-256 key of `role` under `name` in `dir`, or in its token.
pub(super) fn make_p256(
    dir: &Path,
    name: &str,
    role: Role,
    custody: &Custody,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let path = dir.join(name);
    match custody.token(role) {
        None => write_key(&path, &P256Key::generate()?, custody.passphrase(), entropy),
        Some(place) => pin(&path, &x509::ssh_form(&TokenKey::found(role, place)?)?),
    }
}

/// The Ed25519 key under `name` in `dir`.
pub(super) fn open_ed25519(
    dir: &Path,
    name: &str,
    role: Role,
    custody: &Custody,
) -> Result<Ed25519Key, MintError> {
    let path = dir.join(name);
    let Some(public) = pinned(&path, KeyType::Ed25519, role, custody)? else {
        return Ed25519Key::from_pkcs8(&path, &read_key(&path, custody.passphrase())?);
    };
    let raw = public.as_slice().try_into().map_err(|_| unusable(&path))?;
    let key = TokenKey::of(role, custody.token(role).cloned(), &public);
    Ok(Ed25519Key::in_token(key, raw))
}

/// The P-256 key under `name` in `dir`; `None` if there is none.
pub(super) fn open_p256(
    dir: &Path,
    name: &str,
    role: Role,
    custody: &Custody,
) -> Result<Option<P256Key>, MintError> {
    let path = dir.join(name);
    let Some(public) = pinned(&path, KeyType::EcdsaP256, role, custody)? else {
        if !is_there(&path)? {
            return Ok(None);
        }
        return super::open_p256(&path, &read_key(&path, custody.passphrase())?).map(Some);
    };
    let raw = public.as_slice().try_into().map_err(|_| unusable(&path))?;
    let key = TokenKey::of(role, custody.token(role).cloned(), &public);
    Ok(Some(P256Key::in_token(key, raw)))
}

/// The public half of the key that should be at `path`, if it is in a token.
fn pinned(
    path: &Path,
    kind: KeyType,
    role: Role,
    custody: &Custody,
) -> Result<Option<Vec<u8>>, MintError> {
    let pin = pin_of(path);
    let is_pinned = is_there(&pin)?;
    if is_there(path)? && (is_pinned || custody.token(role).is_some()) {
        return Err(MintError::TwoKeys { path: path.to_owned() });
    }
    if !is_pinned {
        return Ok(None);
    }
    let text = read_whole(File::open(&pin).map_err(failed("open", &pin))?, &pin)?;
    let line = std::str::from_utf8(&text).map_err(|_| unusable(&pin))?;
    let key = PublicKey::from_openssh(line.trim_end()).map_err(|_| unusable(&pin))?;
    if key.key_type() != kind {
        return Err(unusable(&pin));
    }
    last_string(key.wire()).map(Some).ok_or_else(|| unusable(&pin))
}

/// The point, which is the last string of either kind (RFC 8709, 4; RFC 5656, 3.1).
fn last_string(wire: &[u8]) -> Option<Vec<u8>> {
    let (mut reader, mut last) = (Reader::new(wire), None);
    while !reader.is_done() {
        last = Some(reader.string().ok()?);
    }
    last.map(<[u8]>::to_vec)
}

fn pin(path: &Path, public: &PublicKey) -> Result<(), MintError> {
    write_new(&pin_of(path), format!("{}\n", public.to_openssh()).as_bytes(), 0o644)
}

/// `ssh-ca.pub` for `ssh-ca`, `x509-ca.pub` for `x509-ca.pem`.
pub(super) fn pin_of(path: &Path) -> PathBuf {
    path.with_extension("pub")
}

pub(super) fn is_there(path: &Path) -> Result<bool, MintError> {
    path.try_exists().map_err(failed("look at", path))
}
