//! What this door needs of the desk.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::principal::CallerId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::desk::{Desk, DeskError, Vouched};

/// From a revocation's arrival to its answer. The desk answers in milliseconds; past this nobody knows
/// what became of it, and asking again is safe.
const DESK_TIMEOUT: Duration = Duration::from_secs(20);

/// It is not known, or not durable yet: ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsure;

/// What becomes of a revocation: `Ok` once it is durable, or nothing is left to revoke.
pub(super) type Ending = Pin<Box<dyn Future<Output = Result<(), Unsure>> + Send>>;

/// Tokens, as this door sees them.
pub(super) trait Tokens: Send + Sync {
    /// Whether anything could be vouched for: not while revoking fails, for then a token may count only
    /// because its end cannot be written down.
    fn sure(&self) -> bool;
    /// The token, if it counts now by all that is durable.
    fn look(&self, token: &str) -> Option<Vouched>;
    /// Takes a token back, in the name of `caller`.
    fn take_back(&self, token: &Vouched, caller: &CallerId) -> Ending;
}

impl Tokens for Arc<Desk> {
    fn sure(&self) -> bool {
        self.minting()
    }

    fn look(&self, token: &str) -> Option<Vouched> {
        self.vouch(token)
    }

    fn take_back(&self, token: &Vouched, caller: &CallerId) -> Ending {
        let (reply, told) = oneshot::channel();
        let reply = Box::new(move |said| drop(reply.send(said)));
        let queued = Desk::take_back(self, token.grant, token.serial, caller.clone(), reply);
        Box::pin(async move {
            queued.map_err(unsure)?;
            match timeout(DESK_TIMEOUT, told).await {
                // Refused: somebody else ended it between our look and our asking.
                Ok(Ok(Ok(_) | Err(DeskError::Refused { .. }))) => Ok(()),
                Ok(Ok(Err(error))) => Err(unsure(error)),
                Ok(Err(_)) | Err(_) => Err(Unsure),
            }
        })
    }
}

fn unsure(error: DeskError) -> Unsure {
    crate::report::fault("taking a token back", &error);
    Unsure
}
