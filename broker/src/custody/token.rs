//! `[keys.<role>] pkcs11 = { … }`: where a key is that stays in a token.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{CustodyError, read_bounded};
use crate::mint::{Custody, Passphrase, Role, TokenPlace};

/// The table `keys`: by role, for those that are in a token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// Signs SSH certificates: Ed25519.
    ssh_ca: Option<Held>,
    /// Signs X.509 certificates and their list: P-256.
    x509_ca: Option<Held>,
    /// Signs tokens: P-256.
    jwt_key: Option<Held>,
}

/// Where one key is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    pkcs11: Pkcs11,
}

/// A key in a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pkcs11 {
    /// The library: an absolute path.
    module: PathBuf,
    /// Label of the token.
    token: String,
    /// Label of the key.
    key: String,
    /// What the PIN is in: the absolute path of a file of mode 0600, or the name of a systemd
    /// credential.
    pin: PathBuf,
}

impl Keys {
    /// How the keys are kept, with every PIN that is needed.
    ///
    /// # Errors
    ///
    /// [`CustodyError`] naming the file of the PIN or the role.
    pub fn custody(
        &self,
        passphrase: Option<Passphrase>,
        credentials: Option<&Path>,
    ) -> Result<Custody, CustodyError> {
        let held = BTreeMap::from([
            (Role::SshCa, &self.ssh_ca),
            (Role::X509Ca, &self.x509_ca),
            (Role::JwtKey, &self.jwt_key),
        ]);
        let mut custody = Custody::of(passphrase);
        for (role, held) in held {
            if let Some(Held { pkcs11 }) = held {
                custody = custody.with_token(role, pkcs11.place(role, credentials)?);
            }
        }
        Ok(custody)
    }
}

impl Pkcs11 {
    fn place(&self, role: Role, credentials: Option<&Path>) -> Result<TokenPlace, CustodyError> {
        let wrong = |rule| CustodyError::Setting { role: role.name(), rule };
        if !self.module.is_absolute() {
            return Err(wrong("its `module` has to be an absolute path"));
        }
        if self.token.is_empty() || self.key.is_empty() {
            return Err(wrong("its `token` and its `key` have to be labels"));
        }
        let path = if self.pin.is_absolute() {
            self.pin.clone()
        } else if self.pin.components().count() == 1 {
            let directory = credentials.ok_or_else(|| {
                wrong("its `pin` names a systemd credential, and there are no credentials here")
            })?;
            directory.join(&self.pin)
        } else {
            return Err(wrong("its `pin` has to be an absolute path, or the name of a credential"));
        };
        let unreadable = |source| CustodyError::Unreadable { path: path.clone(), source };
        let file = File::open(&path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        // systemd's credentials are 0400 or 0440, in a directory for the unit alone.
        if self.pin.is_absolute() && mode & 0o077 != 0 {
            return Err(CustodyError::Mode { path, mode });
        }
        let text = read_bounded(file).map_err(unreadable)?;
        let pin = Passphrase::of(&text)
            .map_err(|source| CustodyError::Form { path: path.clone(), source })?;
        let (module, token, key) = (self.module.clone(), self.token.clone(), self.key.clone());
        TokenPlace::new(module, token, key, &pin)
            .map_err(|source| CustodyError::Form { path, source })
    }
}
