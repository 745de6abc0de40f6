//! What opens the private keys, as arguments say it.

use std::path::PathBuf;

use clap::Args;

use breakglass_broker::custody::{self, CustodyError, Keys, Source};
use breakglass_broker::mint::{Custody, MintError, Passphrase};

/// What opens the private keys, if they are encrypted.
#[derive(Args, Clone)]
pub(super) struct Unlock {
    /// Read the passphrase of the private keys from this open file descriptor; without it the systemd
    /// credential `breakglass-keys` is read, if there is one
    #[arg(long, value_name = "N")]
    pub(super) passphrase_fd: Option<u16>,
}

impl Unlock {
    pub(super) fn passphrase(
        &self,
        make: impl FnOnce(&[u8]) -> Result<Passphrase, MintError>,
    ) -> Result<Option<Passphrase>, CustodyError> {
        let credentials = credentials();
        let credentials = credentials.as_deref();
        Source { fd: self.passphrase_fd, credential: custody::CREDENTIAL, credentials }.read(make)
    }

    /// For what needs no key that may be in a token.
    pub(super) fn custody(&self) -> Result<Custody, CustodyError> {
        Ok(Custody::of(self.passphrase(Passphrase::of)?))
    }

    /// For what needs all of them, of which `keys` says which are in tokens.
    pub(super) fn custody_of(&self, keys: &Keys) -> Result<Custody, CustodyError> {
        keys.custody(self.passphrase(Passphrase::of)?, credentials().as_deref())
    }
}

/// Where systemd puts what `LoadCredential=` names; only the place is in the environment.
pub(super) fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}
