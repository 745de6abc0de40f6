//! What is brought to the desk, and what it gives back.

use std::fmt;
use std::sync::Arc;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Files;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::Statement;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::mint::Mint;
use crate::store::Store;

/// What the desk works with.
pub struct Parts {
    /// The ledger and what is derived from it.
    pub store: Store,
    /// The keys.
    pub mint: Mint,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub entropy: Arc<dyn Entropy>,
}

/// Free text that a statement commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// 32 random bytes, chosen by the client.
    pub salt: [u8; 32],
    /// The text itself.
    pub text: String,
}

/// What comes with a `policy` statement.
#[derive(Clone, Debug)]
pub struct PolicyBundle {
    /// Signatures over the manifest.
    pub signatures: Vec<SshSig>,
    /// The files it lists.
    pub files: Files,
}

/// A statement at the door of the desk: form and signature have been checked, nothing else.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What was said.
    pub statement: Statement,
    /// Who said it: already verified over the statement in its act's namespace.
    pub signature: SshSig,
    /// Whether a FIDO key verified its user (PIN or touch with biometry).
    pub user_verified: bool,
    /// The text behind the statement's reason or comment; already compared with its commitment.
    pub text: Option<Text>,
    /// Only with a `policy` statement.
    pub bundle: Option<PolicyBundle>,
}

/// What was durably written down. Shows everything but the credential, which may be a secret.
#[derive(Clone)]
pub struct Receipt {
    /// Position of the entry.
    pub seq: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// A signed checkpoint that covers the entry.
    pub checkpoint: Arc<str>,
    /// The request it is about.
    pub request: Option<RequestId>,
    /// The certificate, as one line in OpenSSH form or as PEM, or the token, which is secret and in no
    /// later answer; only after a `collect`.
    pub credential: Option<String>,
    /// Whether the entry was there before: nothing was written this time.
    pub repeated: bool,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, entry: _, checkpoint: _, request, credential, repeated } = self;
        f.debug_struct("Receipt")
            .field("seq", seq)
            .field("request", request)
            .field("has_credential", &credential.is_some())
            .field("repeated", repeated)
            .finish_non_exhaustive()
    }
}
