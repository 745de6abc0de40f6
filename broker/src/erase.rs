//! `breakglassd erase`: one free text goes, the evidence stays.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use breakglass_ledger::bytes::Digest;

use crate::clock::SystemClock;
use crate::desk::{Desk, DeskError};
use crate::house::{self, HouseError};
use crate::mint::Custody;
use crate::store::GuardPolicy;

/// A text could not be erased; it is still there.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The argument is not a commitment.
    #[error("`{0}` is not a commitment; give it as the statement shows it, sha256:<64 hex digits>")]
    Commitment(String),
    /// The state directory cannot be used.
    #[error("the state directory cannot be used (is the daemon still running?)")]
    House(#[from] HouseError),
    /// The desk did not do it.
    #[error("nothing was erased")]
    Desk(#[from] DeskError),
}

/// Erases the text with this `commitment` from the ledger below `state` and says what was written.
///
/// # Errors
///
/// [`EraseError`]; the text is then still there.
pub fn run(state: &Path, custody: &Custody, commitment: &str) -> Result<String, EraseError> {
    let digest: Option<Digest> =
        commitment.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    let digest = digest.ok_or_else(|| EraseError::Commitment(commitment.to_owned()))?;
    let parts = house::open(state, custody, Arc::new(SystemClock), GuardPolicy::Require, false)?;
    let desk = Desk::start(parts)?;
    let (answer, told) = channel();
    // The receiver waits below; it cannot be gone.
    desk.erase(digest, Box::new(move |erased| drop(answer.send(erased))))?;
    let receipt = told.recv().map_err(|_| DeskError::Stopped)??;
    Ok(format!("erased; entry {} says so, and verification will say `redacted`", receipt.seq))
}
