//! The life of a key: *next* (published, signs nothing), current, *old* (what it signed still counts).
//!
//! Which key is current is said by the ledger; here is what there is besides, and what it is called.

use std::path::Path;
use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::time::Timestamp;

use super::keys::generations::{self, Kept, Private};
use super::keys::{Ed25519Key, Found, NextKey, P256Key, TokenKey, next};
use super::{Mint, MintError, PublicParts, pem, ssh_key_of, x509};
use crate::crl::Issuer;
use crate::entropy::Entropy;
use crate::jwt::JwtKey;

/// Where a key stands that is not the current one of its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It signs nothing new; what it signed still counts.
    Old {
        /// The `seq` of the entry `keys` that named its successor: everything it signed is older.
        until: u64,
    },
    /// It is published and signs nothing yet.
    Next {
        /// When it was made.
        since: Timestamp,
    },
}

/// A key's public half, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleKey {
    /// Signs SSH certificates.
    SshCa(PublicKey),
    /// Signs revocation lists.
    Lists(PublicKey),
    /// Certificate (DER) of the authority over the daemon's TLS.
    TlsCa(Vec<u8>),
    /// Certificate (PEM) of the authority over X.509 client certificates.
    X509Ca(String),
    /// Signs tokens.
    JwtKey(JwtKey),
}

impl RoleKey {
    /// What it is for.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        match self {
            Self::SshCa(_) => KeyRole::SshCa,
            Self::Lists(_) => KeyRole::Lists,
            Self::TlsCa(_) => KeyRole::TlsCa,
            Self::X509Ca(_) => KeyRole::X509Ca,
            Self::JwtKey(_) => KeyRole::JwtKey,
        }
    }

    /// As the ledger names it (`FORMAT.md` 3.3).
    ///
    /// # Errors
    ///
    /// [`MintError::WeakKey`] if it is not a point of its curve.
    pub fn named(&self) -> Result<String, MintError> {
        Ok(match self {
            Self::SshCa(key) | Self::Lists(key) => key.to_openssh(),
            Self::TlsCa(der) => Digest::of(der).to_string(),
            Self::X509Ca(pem) => pem.clone(),
            Self::JwtKey(key) => x509::ssh_form(key.point())?.to_openssh(),
        })
    }
}

/// A key that is not the current one of its role.
#[derive(Clone, Debug)]
pub struct OtherKey {
    /// Where it stands.
    pub stage: Stage,
    /// Its public half.
    pub key: RoleKey,
}

/// Where a private key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// In a file.
    File,
    /// In a PKCS#11 token.
    Token(Found),
}

impl Held {
    pub(super) fn of(token: Option<&Arc<TokenKey>>) -> Self {
        token.map_or(Self::File, |token| Self::Token(token.whereabouts()))
    }
}

/// The key that the ledger names `name` for `role`, in SSH's form; `None` if it names a digest alone, or
/// nothing that can be read.
#[must_use]
pub fn key_named(role: KeyRole, name: &str) -> Option<PublicKey> {
    match role {
        KeyRole::SshCa | KeyRole::Lists | KeyRole::JwtKey => PublicKey::from_openssh(name).ok(),
        KeyRole::X509Ca => x509::ssh_form(Issuer::from_pem(name)?.public_key()).ok(),
        KeyRole::TlsCa => None,
    }
}

impl PublicParts {
    /// The current key of `role`; `None` where the keys are older than it.
    #[must_use]
    pub fn current(&self, role: KeyRole) -> Option<RoleKey> {
        match role {
            KeyRole::SshCa => Some(RoleKey::SshCa(self.ssh_ca.clone())),
            KeyRole::Lists => Some(RoleKey::Lists(self.lists.clone())),
            KeyRole::TlsCa => Some(RoleKey::TlsCa(self.tls_ca_der.clone())),
            KeyRole::X509Ca => self.x509_ca.clone().map(RoleKey::X509Ca),
            KeyRole::JwtKey => self.jwt_key.clone().map(RoleKey::JwtKey),
        }
    }

    /// The keys of `role` besides the current one: old ones from the oldest on, then the next.
    pub fn others_of(&self, role: KeyRole) -> impl Iterator<Item = &OtherKey> {
        self.others.iter().filter(move |other| other.key.role() == role)
    }

    /// Every key of `role` that is to be trusted now, the current one first.
    #[must_use]
    pub fn trusted(&self, role: KeyRole) -> Vec<RoleKey> {
        let others = self.others_of(role).map(|other| other.key.clone());
        self.current(role).into_iter().chain(others).collect()
    }

    /// Lines for `TrustedUserCAKeys`: every SSH CA to be trusted, each with `comment`.
    #[must_use]
    pub fn ssh_ca_lines(&self, comment: &str) -> String {
        let keys = self.trusted(KeyRole::SshCa).into_iter();
        let line = |key: PublicKey| format!("{}{comment}\n", key.to_openssh());
        keys.filter_map(ssh).map(line).collect()
    }

    /// Every key that may have signed a list, the current one first.
    #[must_use]
    pub fn lists_keys(&self) -> Vec<PublicKey> {
        self.trusted(KeyRole::Lists).into_iter().filter_map(ssh).collect()
    }

    /// Certificates (PEM) of every authority over the daemon's TLS to be trusted.
    #[must_use]
    pub fn tls_cas_pem(&self) -> String {
        let all = self.trusted(KeyRole::TlsCa).into_iter();
        let text =
            |key| if let RoleKey::TlsCa(der) = key { certificate(&der) } else { String::new() };
        all.map(text).collect()
    }

    /// Certificates (PEM) of every authority over X.509 client certificates to be trusted; `None`
    /// if there is none.
    #[must_use]
    pub fn x509_cas_pem(&self) -> Option<String> {
        let all = self.trusted(KeyRole::X509Ca).into_iter();
        let text: String = all
            .filter_map(|key| if let RoleKey::X509Ca(pem) = key { Some(pem) } else { None })
            .collect();
        (!text.is_empty()).then_some(text)
    }

    /// Every key that tokens may be verified by, the current one first.
    #[must_use]
    pub fn jwt_keys(&self) -> Vec<JwtKey> {
        let all = self.trusted(KeyRole::JwtKey).into_iter();
        all.filter_map(|key| if let RoleKey::JwtKey(key) = key { Some(key) } else { None })
            .collect()
    }

    /// The authorities before the current one over SSH certificates, oldest first.
    #[must_use]
    pub fn older_ssh_cas(&self) -> Vec<PublicKey> {
        self.ended_ssh_cas().map(|(_, key)| key.clone()).collect()
    }

    /// Certificates (PEM) of the authorities before the current one over X.509 client certificates,
    /// oldest first.
    #[must_use]
    pub fn older_x509_cas(&self) -> Vec<String> {
        let pem = |(_, key): (u64, &RoleKey)| key.named().ok();
        self.old(KeyRole::X509Ca).filter_map(pem).collect()
    }

    /// The same as [`older_ssh_cas`](Self::older_ssh_cas), each with the `seq` before which everything
    /// it signed is.
    pub(super) fn ended_ssh_cas(&self) -> impl Iterator<Item = (u64, &PublicKey)> {
        self.old(KeyRole::SshCa).filter_map(|(until, key)| {
            if let RoleKey::SshCa(key) = key { Some((until, key)) } else { None }
        })
    }

    fn old(&self, role: KeyRole) -> impl Iterator<Item = (u64, &RoleKey)> {
        self.others_of(role).filter_map(|other| match other.stage {
            Stage::Old { until } => Some((until, &other.key)),
            Stage::Next { .. } => None,
        })
    }
}

impl Mint {
    /// Makes the next key in `dir`, or in its token. It signs nothing, and is published from the next
    /// start on.
    ///
    /// # Errors
    ///
    /// [`MintError::Exists`] if there is one already, [`MintError::InToken`] and [`MintError::Spent`] if
    /// nobody said where in a token it should be; any other if it could not be made durable.
    pub fn prepare(
        &self,
        dir: &Path,
        wanted: &NextKey<'_>,
        entropy: &dyn Entropy,
    ) -> Result<(), MintError> {
        let spent = [wanted.spent, &self.own].concat();
        let wanted = NextKey { spent: &spent, ..*wanted };
        next::prepare(dir, &wanted, self.public.origin.deployment(), entropy)
    }

    /// Where the key of `role` is that stands at `stage`; `None` is the current one.
    #[must_use]
    pub fn held(&self, role: KeyRole, stage: Option<Stage>) -> Held {
        let found = self.held.iter().find(|(held, at, _)| *held == role && *at == stage);
        found.map_or(Held::File, |(_, _, held)| held.clone())
    }

    /// Puts the next key of `role` in the place of the current one, which is kept: the ledger has
    /// said so in entry `seq`. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`MintError::Io`]; [`open`](Self::open) then goes on with it.
    pub fn switch(dir: &Path, role: KeyRole, seq: u64) -> Result<(), MintError> {
        generations::switch(dir, role, seq)
    }

    /// Removes a key of `role` that is not the current one.
    ///
    /// # Errors
    ///
    /// [`MintError::Io`].
    pub fn remove_key(dir: &Path, role: KeyRole, stage: Stage) -> Result<(), MintError> {
        generations::remove(dir, role, stage)
    }
}

/// Where the current keys are that may be in tokens.
pub(super) fn held_now(
    ssh_ca: &Ed25519Key,
    x509: Option<&x509::Authority>,
    jwt: Option<&P256Key>,
) -> Vec<(KeyRole, Option<Stage>, Held)> {
    let of = |role, token: Option<&Arc<TokenKey>>| (role, None, Held::of(token));
    let x509 = x509.map(|authority| of(KeyRole::X509Ca, authority.key().token()));
    let jwt = jwt.map(|key| of(KeyRole::JwtKey, key.token()));
    [Some(of(KeyRole::SshCa, ssh_ca.token())), x509, jwt].into_iter().flatten().collect()
}

/// What everybody may know of a key that was kept, and its SSH form, which is never the subject of
/// a certificate.
pub(super) fn public_of(kept: &Kept) -> Result<(OtherKey, PublicKey), MintError> {
    let (key, own) = match &kept.private {
        Private::SshCa(key) => {
            let own = ssh_key_of(key.public())?;
            (RoleKey::SshCa(own.clone()), own)
        }
        Private::Lists(key) => {
            let own = ssh_key_of(key.public())?;
            (RoleKey::Lists(own.clone()), own)
        }
        Private::TlsCa(key, der) => (RoleKey::TlsCa(der.clone()), x509::ssh_form(key.point())?),
        Private::X509Ca(authority) => (RoleKey::X509Ca(authority.to_pem()), authority.ssh_form()?),
        Private::JwtKey(key) => {
            let public = JwtKey::of_point(key.public()).ok_or(MintError::WeakKey)?;
            (RoleKey::JwtKey(public), x509::ssh_form(key.public())?)
        }
    };
    Ok((OtherKey { stage: kept.stage, key }, own))
}

fn ssh(key: RoleKey) -> Option<PublicKey> {
    match key {
        RoleKey::SshCa(key) | RoleKey::Lists(key) => Some(key),
        RoleKey::TlsCa(_) | RoleKey::X509Ca(_) | RoleKey::JwtKey(_) => None,
    }
}

fn certificate(der: &[u8]) -> String {
    String::from_utf8_lossy(&pem::encode("CERTIFICATE", der)).into_owned()
}

#[cfg(test)]
mod tests;
