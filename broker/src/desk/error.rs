//! Why the desk says no, or cannot say anything.

use breakglass_ledger::policy::PolicyError;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::Refusal;
use breakglass_rules::eligibility::RuleFault;

use crate::entropy::EntropyError;
use crate::mint::MintError;
use crate::store::StoreError;

/// Why a command did not go through.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The rules say no; written down if `seq` names the entry.
    #[error("refused")]
    Refused {
        /// Which rule, and what to do.
        #[source]
        refusal: Refusal,
        /// The `refused` entry.
        seq: Option<u64>,
    },
    /// The policy that was pushed cannot come into force.
    #[error("the policy was not activated")]
    Policy(#[source] PolicyError),
    /// The rules of the policy that was pushed do not compile: every fault, by place.
    #[error("the policy has {} faults in its rules, the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Rules(Vec<RuleFault>),
    /// Signing failed; nothing was written.
    #[error("minting failed")]
    Mint(#[source] MintError),
    /// The key that would sign is in a token that cannot be used; nothing was written.
    #[error(
        "the key that signs this is in a token that cannot be used now, so nothing was issued: tell the \
         operator, then collect again"
    )]
    KeyAway(#[source] MintError),
    /// The store failed; nothing was written.
    #[error("storing failed")]
    Store(#[from] StoreError),
    /// There is no randomness; nothing was written.
    #[error("no randomness")]
    Entropy(#[from] EntropyError),
    /// A `policy` statement came without its files.
    #[error("the policy's files did not come with its manifest; push them together")]
    NoFiles,
    /// No text has this commitment: it was never given, or is erased already.
    #[error("there is no text with this commitment")]
    NoText,
    /// The ledger holds something that cannot be read; nothing was written.
    #[error("the ledger does not read back")]
    Ledger {
        /// What, in one clause.
        what: &'static str,
    },
    /// The clock has jumped a month or more ahead; nothing was written.
    #[error(
        "the clock has jumped from {before} to {now}; set it right, or if it is right, start the \
         daemon again with --accept-clock"
    )]
    ClockAhead {
        /// What it says.
        now: Timestamp,
        /// What it said before.
        before: Timestamp,
    },
    /// Too many commands are waiting.
    #[error("too many commands are waiting")]
    Busy,
    /// The daemon is stopping, or the sequencer has ended.
    #[error("the daemon is stopping")]
    Stopped,
}

impl From<MintError> for DeskError {
    fn from(error: MintError) -> Self {
        if error.is_of_a_token() { Self::KeyAway(error) } else { Self::Mint(error) }
    }
}
