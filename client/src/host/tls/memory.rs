//! What is remembered of a server between two starts of the agent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use breakglass_ledger::principal::TargetId;
use breakglass_ledger::statement::Canary;
use serde::{Deserialize, Serialize};

use super::crl::{Crl, CrlError};
use crate::state::{StateError, read_bounded, swap_private};

/// A number for each of a few authorities.
const BYTES_MAX: u64 = 64 * 1024;

/// The highest numbers in place, and what was reported.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    kept: Kept,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// By the hash of the authority, the highest number of a list that was ever in place, in hex.
    numbers: BTreeMap<String, String>,
    /// Version and canary of the last report.
    reported: Option<(u64, String)>,
    /// Where the log that is followed was read to: which file, and how far.
    log: Option<(u64, u64)>,
}

impl Memory {
    /// What is kept of `target` in `dir`; what cannot be read is an error, because it would take an
    /// older list for the newest.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub(super) fn open(dir: &Path, target: &TargetId) -> Result<Self, StateError> {
        let path = dir.join(format!("memory-{target}.json"));
        let kept = match read_bounded(&path, BYTES_MAX)? {
            None => Kept::default(),
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|_| StateError::Damaged(path.clone()))?
            }
        };
        Ok(Self { path, kept })
    }

    /// Whether `list` may follow what was in place.
    pub(super) fn admit(&self, list: &Crl) -> Result<(), CrlError> {
        let before = self.kept.numbers.get(&list.hash);
        let before = before.and_then(|hex| u128::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let offered = list.number;
        if offered < before { Err(CrlError::Older { offered, before }) } else { Ok(()) }
    }

    /// Before the files: whoever is killed in between takes this list again, and none before it.
    pub(super) fn raise(&mut self, lists: &[Crl]) -> Result<(), StateError> {
        let numbers = lists.iter().map(|list| (list.hash.clone(), format!("{:x}", list.number)));
        let mut kept = self.kept.clone();
        kept.numbers.extend(numbers);
        self.keep(kept)
    }

    /// Whether there is something to say that was not said: of a newer list, or worse of the same.
    pub(super) fn is_news(&self, version: u64, canary: Canary) -> bool {
        let Some((before, said)) = &self.kept.reported else { return true };
        // As the broker ranks them (FORMAT.md, `applied`).
        let rank = |word: &str| match word {
            "accepted" => 2,
            "refused" => 1,
            _ => 0,
        };
        version > *before || (version == *before && rank(&canary.to_string()) > rank(said))
    }

    /// It is queued.
    pub(super) fn reported(&mut self, version: u64, canary: Canary) {
        let kept = Kept { reported: Some((version, canary.to_string())), ..self.kept.clone() };
        // If it cannot be kept, it is reported once more after the next start, and refused.
        let _ = self.keep(kept);
    }

    /// Where the log was read to.
    pub(super) fn log(&self) -> Option<(u64, u64)> {
        self.kept.log
    }

    /// It was read to here.
    pub(super) fn note_log(&mut self, at: (u64, u64)) {
        if self.kept.log != Some(at) {
            // If it cannot be kept, uses are reported once more after the next start.
            let _ = self.keep(Kept { log: Some(at), ..self.kept.clone() });
        }
    }

    fn keep(&mut self, kept: Kept) -> Result<(), StateError> {
        if kept != self.kept {
            swap_private(&self.path, &serde_json::to_vec(&kept).unwrap_or_default())?;
            self.kept = kept;
        }
        Ok(())
    }
}

/// Where the state of `target` is written for people and whoever watches the host.
pub(in crate::host) fn state_file(dir: &Path, target: &TargetId) -> PathBuf {
    dir.join(format!("state-{target}.json"))
}
