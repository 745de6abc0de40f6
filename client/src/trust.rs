//! Whether what a broker says of its ledger can be true, given what this machine has seen before.
//!
//! A client is a weak witness: it keeps the newest checkpoint it has verified, accepts only
//! extensions of it, and puts it into everything it signs (`seen`).

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::{Checkpoint, NoteError, VerifierKey, open_checkpoint};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::tree::verify_consistency;

use crate::config::{Config, ConfigError};
use crate::failure::{Exit, Failure};

/// Which ledger is believed: its origin and its key, from the configuration and from nowhere else.
#[derive(Clone, Debug)]
pub struct Trust {
    log: Origin,
    key: VerifierKey,
}

impl Trust {
    /// The ledger that `config` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if origin or key is missing, malformed, or they do not belong together.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let log = config.log()?;
        let wrong = |rule: String| ConfigError::Value { key: "log-key", rule };
        let key: VerifierKey =
            config.log_key()?.parse().map_err(|error: NoteError| wrong(error.to_string()))?;
        if key.name() != log.as_str() || !log.matches(key.public_key()) {
            return Err(wrong(format!("it is not the key of the log `{log}`")));
        }
        Ok(Self { log, key })
    }

    /// Origin of the ledger.
    #[must_use]
    pub const fn log(&self) -> &Origin {
        &self.log
    }

    /// The checkpoint in `note`, if the ledger's key signed it for this ledger.
    ///
    /// # Errors
    ///
    /// [`TrustError::Note`] or [`TrustError::Origin`].
    pub fn open(&self, note: &str) -> Result<Checkpoint, TrustError> {
        let checkpoint = open_checkpoint(note, &self.key)?;
        if checkpoint.origin == self.log { Ok(checkpoint) } else { Err(TrustError::Origin) }
    }

    /// The checkpoint in `note`, if `proof` shows it to extend `kept`.
    ///
    /// # Errors
    ///
    /// [`TrustError`]: not signed, behind `kept`, another history, or a proof that shows nothing.
    pub fn extend(
        &self,
        kept: Option<&Checkpoint>,
        note: &str,
        proof: &[Digest],
    ) -> Result<Checkpoint, TrustError> {
        let offered = self.open(note)?;
        let Some(kept) = kept else { return Ok(offered) };
        if offered.size < kept.size {
            return Err(TrustError::Rollback { kept: kept.size, offered: offered.size });
        }
        if offered.size == kept.size && offered.root != kept.root {
            return Err(TrustError::Fork { size: kept.size });
        }
        if !verify_consistency(kept.size, offered.size, &kept.root, &offered.root, proof) {
            return Err(TrustError::NoExtension { kept: kept.size, offered: offered.size });
        }
        Ok(offered)
    }
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is no note signed by the ledger's key.
    #[error("the broker's checkpoint is not believed: {0}")]
    Note(#[from] NoteError),
    /// It is of another ledger.
    #[error("the broker's checkpoint is of another ledger than the configured one")]
    Origin,
    /// The ledger has become shorter than it was.
    #[error(
        "the ledger went backwards: this machine has seen {kept} entries, the broker now shows \
         {offered} (E_ROLLBACK)"
    )]
    Rollback {
        /// Entries seen before.
        kept: u64,
        /// Entries shown now.
        offered: u64,
    },
    /// Two different histories of one length, both signed.
    #[error("the broker has signed two different histories of {size} entries (E_FORK)")]
    Fork {
        /// Their length.
        size: u64,
    },
    /// The longer history does not begin with the one seen before.
    #[error(
        "the broker's ledger of {offered} entries does not begin with the {kept} entries that \
         this machine has seen (E_FORK)"
    )]
    NoExtension {
        /// Entries seen before.
        kept: u64,
        /// Entries shown now.
        offered: u64,
    },
    /// A hash of the proof has not 32 bytes, or there are too many.
    #[error("the broker's consistency proof is malformed")]
    Proof,
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        Self::new(
            Exit::Tampered,
            error.to_string(),
            "the record may have been rewritten, restored from an old copy, or this is not your \
             broker; nothing was signed",
            "do not approve anything; tell the owner of the ledger, and keep the state directory \
             of this machine: it is evidence",
        )
    }
}

#[cfg(test)]
mod tests;
