//! What this machine remembers between two commands, below one directory per ledger.
//!
//! ```text
//! <state dir>/<deployment>.<16 hex>/
//!   checkpoint            the newest verified signed note
//!   session-<32 hex>      leave to read, until it expires
//!   requests/<id>/        of a request made here: see `holding`
//! ```
//!
//! Files are 0600, directories 0700, and every file is replaced as a whole (write, sync, rename).

mod files;
mod holding;
mod subject_key;

use std::path::{Path, PathBuf};

use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::principal::Origin;

pub use files::{
    StateError, private_dir, read_bounded, swap, swap_private, swap_shown, write_new, write_private,
};
pub use holding::{CA_PEM, Holding, KEY_PEM, KINDS, credential_name};
pub use subject_key::SubjectKey;

use crate::failure::Failure;
use crate::trust::Trust;

/// The state kept for one ledger.
#[derive(Clone, Debug)]
pub struct State {
    dir: PathBuf,
}

impl State {
    /// Opens (and makes, if need be) the state of the ledger `log` below `root`.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the directory cannot be made, or others may write into it.
    pub fn open(root: &Path, log: &Origin) -> Result<Self, StateError> {
        let dir = root.join(log.as_str().replace('/', "."));
        private_dir(&dir)?;
        // Paths below it are printed for use from any directory.
        let dir = dir.canonicalize().map_err(|error| files::at(&dir, error))?;
        Ok(Self { dir })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The newest checkpoint this machine has verified, with its signature checked once more.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read or is no longer what was written: forgetting it silently
    /// would make this machine believe any history.
    pub fn checkpoint(&self, trust: &Trust) -> Result<Option<Checkpoint>, Failure> {
        let Some(note) = read_bounded(&self.checkpoint_path(), NOTE_MAX)? else { return Ok(None) };
        let note = String::from_utf8(note).map_err(|_| StateError::Damaged(self.checkpoint_path()));
        Ok(Some(trust.open(&note?).map_err(|_| StateError::Damaged(self.checkpoint_path()))?))
    }

    /// Keeps `note` as the newest checkpoint, unless another command kept a newer one meanwhile.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written.
    pub fn keep_checkpoint(&self, trust: &Trust, note: &str) -> Result<(), Failure> {
        let _lock = files::lock(&self.dir.join("lock"))?;
        let offered = trust.open(note)?;
        if self.checkpoint(trust)?.is_some_and(|kept| kept.size >= offered.size) {
            return Ok(());
        }
        Ok(write_private(&self.checkpoint_path(), note.as_bytes())?)
    }

    /// The session kept for `whom` (a digest of principal and key): statement and signature.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be read; a damaged one counts as none.
    pub fn session(&self, whom: &str) -> Result<Option<(String, String)>, StateError> {
        let bytes = read_bounded(&self.session_path(whom), SESSION_MAX)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let split = text.as_deref().and_then(|text| text.split_once(SIGNATURE_BEGINS));
        Ok(split
            .map(|(statement, rest)| (statement.to_owned(), format!("{SIGNATURE_BEGINS}{rest}"))))
    }

    /// Keeps a session for `whom`.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be written.
    pub fn keep_session(
        &self,
        whom: &str,
        statement: &str,
        signature: &str,
    ) -> Result<(), StateError> {
        write_private(&self.session_path(whom), format!("{statement}{signature}").as_bytes())
    }

    /// What is kept of the request `id`, made here or not.
    #[must_use]
    pub fn holding(&self, id: RequestId) -> Holding {
        Holding::at(self.dir.join("requests").join(id.to_string()))
    }

    /// Every request of which something is kept.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the directory cannot be listed.
    pub fn holdings(&self) -> Result<Vec<(RequestId, Holding)>, StateError> {
        let names = files::names(&self.dir.join("requests"))?;
        let ids = names.iter().filter_map(|name| name.parse::<RequestId>().ok());
        Ok(ids.map(|id| (id, self.holding(id))).collect())
    }

    fn checkpoint_path(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    fn session_path(&self, whom: &str) -> PathBuf {
        self.dir.join(format!("session-{whom}"))
    }
}

/// As the ledger's own limit for a note.
const NOTE_MAX: u64 = 16_384;

/// A statement of 4,096 bytes and a signature of 8 KiB.
const SESSION_MAX: u64 = 16_384;

/// First line of an armored SSHSIG; no statement line looks like it.
const SIGNATURE_BEGINS: &str = "-----BEGIN SSH SIGNATURE-----";

#[cfg(test)]
mod tests;
