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

/// What a key in a token is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It signs, or will: its token is looked at.
    Signing,
    /// It signs nothing any more: its token may be gone for good.
    Reading,
}

/// Makes the Ed25519 key of `role` at `path`, or in its token.
pub(super) fn make_ed25519(
    path: &Path,
    role: Role,
    custody: &Custody,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    let Some(place) = custody.newest(role) else {
        return write_key(path, &Ed25519Key::generate(entropy)?, custody.passphrase(), entropy);
    };
    pin(path, &public_of(role, &TokenKey::found(role, place)?)?)
}

/// Makes the P-256 key of `role` at `path`, or in its token.
pub(super) fn make_p256(
    path: &Path,
    role: Role,
    custody: &Custody,
    entropy: &dyn Entropy,
) -> Result<(), MintError> {
    match custody.newest(role) {
        None => write_key(path, &P256Key::generate()?, custody.passphrase(), entropy),
        Some(place) => pin(path, &public_of(role, &TokenKey::found(role, place)?)?),
    }
}

/// The Ed25519 key at `path`.
pub(super) fn open_ed25519(
    path: &Path,
    role: Role,
    custody: &Custody,
    use_of: Use,
) -> Result<Ed25519Key, MintError> {
    let Some(public) = pinned(path, KeyType::Ed25519)? else {
        return Ed25519Key::from_pkcs8(path, &read_key(path, custody.passphrase())?);
    };
    let raw = public.as_slice().try_into().map_err(|_| unusable(path))?;
    let signs = use_of == Use::Signing;
    let key = TokenKey::of(role, custody.places(role), &public, signs);
    Ok(Ed25519Key::in_token(key, raw))
}

/// The P-256 key at `path`; `None` if there is none.
pub(super) fn open_p256(
    path: &Path,
    role: Role,
    custody: &Custody,
    use_of: Use,
) -> Result<Option<P256Key>, MintError> {
    let Some(public) = pinned(path, KeyType::EcdsaP256)? else {
        if !is_there(path)? {
            return Ok(None);
        }
        return super::open_p256(path, &read_key(path, custody.passphrase())?).map(Some);
    };
    let raw = public.as_slice().try_into().map_err(|_| unusable(path))?;
    let signs = use_of == Use::Signing;
    let key = TokenKey::of(role, custody.places(role), &public, signs);
    Ok(Some(P256Key::in_token(key, raw)))
}

/// The public half of the key that should be at `path`, if it is in a token.
fn pinned(path: &Path, kind: KeyType) -> Result<Option<Vec<u8>>, MintError> {
    let pin = pin_of(path);
    if !is_there(&pin)? {
        return Ok(None);
    }
    if is_there(path)? {
        return Err(MintError::TwoKeys { path: path.to_owned(), pin });
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

/// What a token says of a key of `role`, in SSH's form.
pub(super) fn public_of(role: Role, raw: &[u8]) -> Result<PublicKey, MintError> {
    match role {
        Role::SshCa => ssh_key_of(raw.try_into().map_err(|_| MintError::WeakKey)?),
        Role::X509Ca | Role::JwtKey => x509::ssh_form(raw),
    }
}

/// Writes down that the key of `path` is in a token, and which one it is.
pub(super) fn pin(path: &Path, public: &PublicKey) -> Result<(), MintError> {
    write_new(&pin_of(path), format!("{}\n", public.to_openssh()).as_bytes(), 0o644)
}

/// `ssh-ca.pub` for `ssh-ca`, `x509-ca.pub` for `x509-ca.pem`.
pub(super) fn pin_of(path: &Path) -> PathBuf {
    path.with_extension("pub")
}

pub(super) fn is_there(path: &Path) -> Result<bool, MintError> {
    path.try_exists().map_err(failed("look at", path))
}
