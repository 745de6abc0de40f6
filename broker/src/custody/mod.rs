//! How the operator says where the private keys are and what opens them; and the verbs that change it.
//!
//! A passphrase comes from a systemd credential or from a file descriptor: never from an argument or
//! from the environment, which others can read, and never from a terminal, where nobody may be.

mod token;
mod wrap;

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::house::HouseError;
use crate::mint::{MintError, PASSPHRASE_MAX, Passphrase};

pub use self::token::Keys;
pub use self::wrap::{Wrap, rewrap};

/// The credential that holds the passphrase.
pub const CREDENTIAL: &str = "breakglass-keys";
/// The credential that holds the passphrase to come, for `breakglassd keys rewrap`.
pub const NEW_CREDENTIAL: &str = "breakglass-keys-new";

/// A passphrase is needed and none was given.
pub const MISSING: CustodyError =
    CustodyError::Missing { what: "passphrase", credential: CREDENTIAL, flag: "--passphrase-fd" };

/// The passphrase could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The file or descriptor cannot be read.
    #[error("cannot read the passphrase from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The descriptor is a terminal, which would show what is typed.
    #[error(
        "the passphrase cannot be typed: descriptor {0} is a terminal, which would show it; pass a \
         pipe, as in `systemd-ask-password | breakglassd … --passphrase-fd 0`"
    )]
    Terminal(u16),
    /// Output, which nobody can read from.
    #[error("descriptor {0} is output; give another one, as in `--passphrase-fd 3 3< FILE`")]
    Output(u16),
    /// What was read cannot be a passphrase.
    #[error("the passphrase from {} cannot be used", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: MintError,
    },
    /// A passphrase is needed and none was given.
    #[error(
        "no {what} was given; give it as the systemd credential `{credential}` or with `{flag} N`"
    )]
    Missing {
        /// What it is.
        what: &'static str,
        /// The credential that would have been read.
        credential: &'static str,
        /// The argument that would have been used.
        flag: &'static str,
    },
    /// A file that others can read.
    #[error("{} has mode {mode:04o}, so others than its owner can read a PIN; run `chmod 600 {}`", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A table of the configuration cannot be used.
    #[error("[keys.{role}] of the configuration: {rule}")]
    Setting {
        /// Which key.
        role: &'static str,
        /// What is wrong.
        rule: &'static str,
    },
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    House(#[from] HouseError),
    /// The keys were not changed.
    #[error("the keys were not changed")]
    Mint(#[from] MintError),
}

/// Where a passphrase comes from: a descriptor if one is named, else the credential if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The descriptor's number.
    pub fd: Option<u16>,
    /// The credential's name.
    pub credential: &'static str,
    /// The directory of credentials, as systemd says it (`$CREDENTIALS_DIRECTORY`).
    pub credentials: Option<&'a Path>,
}

impl Source<'_> {
    /// What is there, if anything; `make` says what it has to be.
    ///
    /// # Errors
    ///
    /// [`CustodyError`] naming the file.
    pub fn read(
        &self,
        make: impl FnOnce(&[u8]) -> Result<Passphrase, MintError>,
    ) -> Result<Option<Passphrase>, CustodyError> {
        let path = match (self.fd, self.credentials) {
            (Some(fd @ (1 | 2)), _) => return Err(CustodyError::Output(fd)),
            // Opened by name, so that whoever started us may still hold theirs.
            (Some(fd), _) => PathBuf::from(format!("/proc/self/fd/{fd}")),
            (None, Some(directory)) => directory.join(self.credential),
            (None, None) => return Ok(None),
        };
        let unreadable = |source| CustodyError::Unreadable { path: path.clone(), source };
        let file = match (File::open(&path), self.fd) {
            (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            (file, _) => file.map_err(unreadable)?,
        };
        if let (true, Some(fd)) = (file.is_terminal(), self.fd) {
            return Err(CustodyError::Terminal(fd));
        }
        let text = read_bounded(file).map_err(unreadable)?;
        make(&text).map(Some).map_err(|source| CustodyError::Form { path: path.clone(), source })
    }
}

fn read_bounded(file: File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // A passphrase, its end, and one more byte to see that there is too much; all of it from the start,
    // for growing would leave copies behind.
    let most = PASSPHRASE_MAX.saturating_add(3);
    let mut text = Zeroizing::new(Vec::with_capacity(most));
    file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut text)?;
    Ok(text)
}
