//! The next key of a role, made ahead: in a file, or in a token.

use std::path::Path;

use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::time::Timestamp;

use super::files::{sync, write_certificate, write_key, write_new};
use super::generations::{Files, NEXT, has_next, make_dir, remove_file, since_name};
use super::held::{self, is_there};
use super::token::{Role, TokenKey, TokenPlace};
use super::{AuthorityKey, Custody, DIRECTORY, Ed25519Key, P256Key, open_p256, open_tls_ca};
use crate::entropy::{Entropy, EntropyError};
use crate::mint::{MintError, tls, x509};

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
