//! The list in place: checked before it is, replaced as a whole, never backwards.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::sshsig::{SshSig, SshSigError};
use breakglass_ledger::time::Timestamp;

use super::krl::{Krl, KrlError, LIST_MAX};
use super::replace::{Piece, ReplaceError, replace_all, show};
use super::trusted::Trusted;
use crate::clock;
use crate::state::{StateError, read_bounded};

/// Namespace of a list's signature.
const NAMESPACE: &str = "krl.v1@breakglass";

/// Most bytes of a signature file.
const SIGNATURE_MAX: u64 = 16 * 1024;

/// The directory that `sshd` reads the list from. One agent writes to it.
///
/// `krl` is the list, `krl.sig` its signature, `krl.version` the highest version that was ever in
/// place here: an older list that somebody restores is not taken for the newest.
#[derive(Clone, Debug)]
pub struct Place {
    dir: PathBuf,
    authority: Trusted,
    signer: Trusted,
}

/// A list that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub krl: Krl,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its signature.
    pub signature: String,
}

impl Checked {
    /// SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Why a list is not put in place. What was there stays.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It is no list of ours.
    #[error("the list that was fetched is none of ours: {0}")]
    Form(#[from] KrlError),
    /// Its signature is none.
    #[error("the list that was fetched is not signed by the pinned key: {0}")]
    Unsigned(#[from] SshSigError),
    /// Somebody else signed it.
    #[error("the list that was fetched is signed by another key than the pinned one")]
    OtherSigner,
    /// It is older than what was in place.
    #[error(
        "the list that was fetched is version {offered}, older than {before}, which was in place"
    )]
    Older {
        /// Its version.
        offered: u64,
        /// The highest that was in place.
        before: u64,
    },
    /// Two lists of one version, both signed.
    #[error("two different lists of version {0} are signed by the pinned key")]
    Conflict(u64),
    /// The file could not be replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// What is kept beside it cannot be read.
    #[error("the list's directory cannot be read: {0}")]
    State(#[from] StateError),
}

impl Place {
    /// The place `dir`, for lists about certificates of `authority`, signed by `signer`.
    #[must_use]
    pub fn new(dir: &Path, authority: Trusted, signer: Trusted) -> Self {
        Self { dir: dir.to_owned(), authority, signer }
    }

    /// The file that `sshd` reads.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        self.dir.join("krl")
    }

    /// Makes the directory if it is missing, readable for `sshd`.
    ///
    /// # Errors
    ///
    /// [`ListError::Replace`].
    pub fn create(&self) -> Result<(), ListError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.dir);
        made.map_err(|why| ReplaceError::Write { path: self.dir.clone(), why }.into())
    }

    /// Since when the list in place is there, in milliseconds since the epoch; now, if there is none.
    #[must_use]
    pub fn since(&self) -> u64 {
        // Of its inode, which a rename changes and not its bytes.
        let millis = fs::metadata(self.list()).ok().and_then(|file| {
            let seconds = u64::try_from(file.ctime()).ok()?;
            let more = u64::try_from(file.ctime_nsec()).ok()?.checked_div(1_000_000)?;
            seconds.checked_mul(1000)?.checked_add(more)
        });
        millis.unwrap_or_else(|| clock::moment().unix_millis())
    }

    /// Checks form, authority and signature.
    ///
    /// # Errors
    ///
    /// [`ListError::Form`], [`ListError::Unsigned`], [`ListError::OtherSigner`].
    pub fn check(&self, bytes: &[u8], signature: &str) -> Result<Checked, ListError> {
        let krl = Krl::read_of(bytes, &self.authority.wires())?;
        let parsed = SshSig::parse(signature)?;
        parsed.verify(NAMESPACE, bytes)?;
        if !self.signer.contains(parsed.public_key()) {
            return Err(ListError::OtherSigner);
        }
        Ok(Checked { krl, bytes: bytes.to_vec(), signature: signature.to_owned() })
    }

    /// The list in place, if it is whole and signed.
    ///
    /// # Errors
    ///
    /// [`ListError`] if there is something else.
    pub fn held(&self) -> Result<Option<Checked>, ListError> {
        let limit = u64::try_from(LIST_MAX).unwrap_or(u64::MAX);
        let Some(bytes) = read_bounded(&self.list(), limit)? else { return Ok(None) };
        let signature = read_bounded(&self.dir.join("krl.sig"), SIGNATURE_MAX)?;
        let signature = String::from_utf8(signature.unwrap_or_default()).unwrap_or_default();
        self.check(&bytes, &signature).map(Some)
    }

    /// The highest version that was ever in place here.
    ///
    /// # Errors
    ///
    /// [`ListError::State`] if it cannot be read.
    pub fn floor(&self) -> Result<u64, ListError> {
        let text = read_bounded(&self.dir.join("krl.version"), 32)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok(text.trim().parse().unwrap_or(0))
    }

    /// Puts `list` in place, unless it is older than what was, or another of the same version. When
    /// this returns, the next log-in is judged by it. Answers whether it is new here.
    ///
    /// # Errors
    ///
    /// [`ListError`]; what was in place still is.
    pub fn put(&self, list: &Checked) -> Result<bool, ListError> {
        let held = self.held().ok().flatten();
        // A crash of the machine may lose the rename of the one file and not that of the other.
        let in_place = held.as_ref().map_or(0, |held| held.krl.version);
        let (offered, before) = (list.krl.version, self.floor()?.max(in_place));
        if offered < before {
            return Err(ListError::Older { offered, before });
        }
        if let Some(held) = held
            && held.krl.version == offered
        {
            return if held.bytes == list.bytes {
                Ok(false)
            } else {
                Err(ListError::Conflict(offered))
            };
        }
        let is_list = |bytes: &[u8]| Krl::read_of(bytes, &self.authority.wires()).is_ok();
        let version = format!("{offered}\n");
        // The list last: whoever is killed in between takes this list again, and none before it.
        replace_all(&[
            self.piece("krl.sig", list.signature.as_bytes(), &|_| true),
            self.piece("krl.version", version.as_bytes(), &|_| true),
            self.piece("krl", &list.bytes, &is_list),
        ])?;
        Ok(true)
    }

    fn piece<'a>(
        &self,
        name: &str,
        bytes: &'a [u8],
        is_good: &'a dyn Fn(&[u8]) -> bool,
    ) -> Piece<'a> {
        Piece { path: self.dir.join(name), bytes, is_good, is_ours: name != "krl" }
    }

    /// Notes that a broker was reached at `now`.
    ///
    /// # Errors
    ///
    /// [`ListError`] if it cannot be written.
    pub fn touch(&self, now: Timestamp) -> Result<(), ListError> {
        // What a crash of the machine makes of it at worst: that none was reached.
        Ok(show(&self.dir.join("reached"), format!("{}\n", now.unix_seconds()).as_bytes())?)
    }

    /// When a broker was last reached; the beginning of time if never, or nobody can tell.
    #[must_use]
    pub fn reached(&self) -> Timestamp {
        let text = read_bounded(&self.dir.join("reached"), 32).ok().flatten().unwrap_or_default();
        let seconds = String::from_utf8_lossy(&text).trim().parse().unwrap_or(0);
        Timestamp::from_unix_seconds(seconds)
    }
}
