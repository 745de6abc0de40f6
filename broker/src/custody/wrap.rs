//! `breakglassd keys encrypt`, `rewrap`, `decrypt`.

use std::path::Path;

use super::{CREDENTIAL, CustodyError, NEW_CREDENTIAL, Source};
use crate::entropy::SystemEntropy;
use crate::house;
use crate::mint::{Mint, Passphrase};

/// What becomes of the keys of a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// They are encrypted, under the passphrase given.
    Encrypt,
    /// They are encrypted under another passphrase.
    Rewrap,
    /// They are not encrypted any more.
    Decrypt,
}

/// Does it, and says what was done. The daemon may run meanwhile: it has read its keys already.
///
/// # Errors
///
/// [`CustodyError`]; the keys are then as they were, or already as they should be.
pub fn rewrap(
    state: &Path,
    wrap: Wrap,
    credentials: Option<&Path>,
    fd: Option<u16>,
    new_fd: Option<u16>,
) -> Result<String, CustodyError> {
    let now = Source { fd, credential: CREDENTIAL, credentials };
    let next = Source { fd: new_fd, credential: NEW_CREDENTIAL, credentials };
    let (from, to) = match wrap {
        Wrap::Encrypt => (None, Some(needed(&now, "passphrase", "--passphrase-fd", true)?)),
        Wrap::Rewrap => {
            let from = needed(&now, "passphrase", "--passphrase-fd", false)?;
            let to = needed(&next, "new passphrase", "--new-passphrase-fd", true)?;
            (Some(from), Some(to))
        }
        Wrap::Decrypt => (Some(needed(&now, "passphrase", "--passphrase-fd", false)?), None),
    };
    let _alone = house::alone(state)?;
    let count = Mint::rewrap(state, from.as_ref(), to.as_ref(), &SystemEntropy::new())?;
    let how = match wrap {
        Wrap::Encrypt => "encrypted; start the daemon with this passphrase from now on",
        Wrap::Rewrap => {
            "encrypted under the new passphrase; the daemon needs it from its next start"
        }
        Wrap::Decrypt => {
            "not encrypted any more; start the daemon without a passphrase from now on"
        }
    };
    Ok(format!("{count} keys are {how}"))
}

fn needed(
    source: &Source<'_>,
    what: &'static str,
    flag: &'static str,
    is_new: bool,
) -> Result<Passphrase, CustodyError> {
    let make = if is_new { Passphrase::new } else { Passphrase::of };
    let missing = CustodyError::Missing { what, credential: source.credential, flag };
    source.read(make)?.ok_or(missing)
}
