//! `breakglassd notify test`: one marked notice by one channel, so that an operator need not wait for
//! an emergency to learn that a channel is dead.

use std::sync::Arc;

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::time::Timestamp;

use super::channel::{Channels, NotifyError};
use super::config::Config;
use super::notice::{About, Address, Notice, Topic};
use crate::clock::Clock;
use crate::entropy::{Entropy, EntropyError};

/// The test notice was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A channel cannot be used as it is configured.
    #[error("the channels cannot be opened")]
    Open(#[from] NotifyError),
    /// There is no such channel.
    #[error("no channel of the configuration is meant by {0:?}; try NAME or NAME:ADDRESS")]
    Unknown(String),
    /// There is no randomness for its id.
    #[error("no randomness")]
    Entropy(#[from] EntropyError),
    /// The other side did not take it.
    #[error("not delivered: {0}")]
    Trouble(String),
}

/// Sends one test notice to `address` (`NAME` or `NAME:ADDRESS`, as in people.toml).
///
/// # Errors
///
/// [`TrialError`], saying what went wrong in words for the operator.
pub async fn trial(
    config: &Config,
    address: &str,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), TrialError> {
    let channels = Channels::open(config)?;
    let whole = if address.contains(':') { address.to_owned() } else { format!("{address}:test") };
    let target = Address::new(&whole);
    let channel = channels.meant_by(&target).cloned();
    let channel = channel.ok_or_else(|| TrialError::Unknown(address.to_owned()))?;
    let mut id = [0; 16];
    entropy.fill(&mut id)?;
    let now = clock.now().second();
    let notice = Notice {
        id: Salt::from_bytes(id),
        entry: 0,
        at: now,
        topic: Topic::Test,
        about: Arc::new(About::Nothing),
        to: Vec::new(),
        address: target,
        until: Timestamp::MAX,
    };
    let delivered = channels.deliver(&channel, &notice, now).await;
    delivered.map_err(|trouble| TrialError::Trouble(trouble.what().to_owned()))
}
