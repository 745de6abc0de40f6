//! The desk: one command, one decision, one entry.
//!
//! Every command, whoever brings it (a person, the clock, the policy authority), waits in one
//! bounded queue. One sequencer thread takes what is waiting, decides it inside one transaction,
//! commits, and only then answers everyone in the batch. There is no network here, no SQL and no
//! async.

mod agenda;
mod batch;
mod clockwork;
mod enforce;
mod found;
mod history;
mod known;
mod landing;
mod live;
mod lock;
mod memory;
mod outage;
mod published;
mod recall;
mod recheck;
mod record;
mod sequencer;
mod shared;
mod tokens;
mod vouch;

use std::fmt;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{KeyRole, Notified};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::{Files, Policy, PolicyError};
use breakglass_ledger::principal::CallerId;
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::Statement;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::eligibility::{RuleFault, Rules};
use breakglass_rules::{Refusal, World};

use self::sequencer::Sequencer;
use self::shared::Shared;
use crate::clock::Clock;
use crate::entropy::{Entropy, EntropyError};
use crate::mint::{KeyTokens, Mint, MintError, PublicParts, SignedList};
use crate::store::{Reader, RevokedX509, Store, StoreError, TokenRow};

pub use self::found::found;
pub use self::landing::LANDING_MAX_SECONDS;
pub use self::memory::read_policy;
pub use self::outage::Probed;
pub use self::tokens::Vouched;
pub use self::vouch::STALE_SECONDS;

/// Commands that may wait: a batch of 256 takes a few tens of milliseconds, so whoever is last
/// waits well under a second; more than that is an attack or a stampede, and is told so.
pub const QUEUE_MAX: usize = 4096;

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

/// How an answer travels back: called once, from the sequencer, after the commit.
pub type Reply<T> = Box<dyn FnOnce(Result<T, DeskError>) + Send>;

/// What the sweep learns from one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Deadlines met in this pass.
    pub met: usize,
    /// Requests whose time has come and that cannot be read back: their ends are not written.
    pub unreadable: usize,
    /// Whether more have come than one pass takes.
    pub more: bool,
}

/// One thing for the sequencer to do.
pub(crate) enum Job {
    /// A statement from outside.
    Say(Box<Incoming>, Reply<Receipt>),
    /// A text to be erased, by its commitment.
    Erase(Digest, Reply<Receipt>),
    /// One of our keys is another from here on, in the ledger's form.
    Rekey(KeyRole, String, Reply<Receipt>),
    /// Deadlines that have come.
    Sweep(Reply<Swept>),
    /// What the probes found.
    Probed(Probed, Reply<()>),
    /// What became of notices.
    Notified(Vec<Notified>, Reply<()>),
    /// Serials that belong on the revocation list and are missing there.
    Enlist(Vec<u64>, Vec<RevokedX509>, Vec<TokenRow>, Reply<Receipt>),
    /// A service takes a token back.
    TakeBack {
        /// The token's grant, which ends with it.
        grant: RequestId,
        /// The number in its `jti`.
        serial: u64,
        /// Which service.
        caller: CallerId,
        /// How it is told.
        reply: Reply<Receipt>,
    },
    /// Finish what is queued and end.
    Stop,
}

/// The one door to decisions. Cheap to share; dropping it stops the sequencer.
pub struct Desk {
    queue: SyncSender<Job>,
    shared: Arc<Shared>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
}

impl Desk {
    /// Reads the policy in force and the live grants, and starts the sequencer.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the ledger has no policy or does not read back.
    pub fn start(parts: Parts) -> Result<Self, DeskError> {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let (sequencer, shared) = Sequencer::open(parts)?;
        let thread = std::thread::Builder::new()
            .name("sequencer".into())
            .spawn(move || sequencer.run(&jobs))
            .map_err(|_| DeskError::Stopped)?;
        Ok(Self { queue, shared, sequencer: Mutex::new(Some(thread)) })
    }

    /// Queues a statement; `reply` is called after its entry is durable, or with why not.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn submit(&self, incoming: Incoming, reply: Reply<Receipt>) -> Result<(), DeskError> {
        self.push(Job::Say(Box::new(incoming), reply))
    }

    /// Queues the erasure of one free text; the ledger says that it was erased.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn erase(&self, text: Digest, reply: Reply<Receipt>) -> Result<(), DeskError> {
        self.push(Job::Erase(text, reply))
    }

    /// Queues the word that from here on the key of `role` is `key`, in the form that the ledger has for
    /// it. What this desk signs stays signed by the keys that it was started with: it is to be stopped
    /// next.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn rekey(
        &self,
        role: KeyRole,
        key: String,
        reply: Reply<Receipt>,
    ) -> Result<(), DeskError> {
        self.push(Job::Rekey(role, key, reply))
    }

    /// Queues a pass over the deadlines that have come.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn sweep(&self, reply: Reply<Swept>) -> Result<(), DeskError> {
        self.push(Job::Sweep(reply))
    }

    /// Queues what the probes found. The rules judge whether anything comes of it.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn probed(&self, probed: Probed, reply: Reply<()>) -> Result<(), DeskError> {
        self.push(Job::Probed(probed, reply))
    }

    /// Queues what became of notices: an entry for each, all in one transaction.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn notified(&self, notices: Vec<Notified>, reply: Reply<()>) -> Result<(), DeskError> {
        self.push(Job::Notified(notices, reply))
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.shared.policy()
    }

    /// What is locked and what is down, as of the newest durable entry.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        self.shared.world()
    }

    /// The rules of the policy in force, compiled.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.shared.rules()
    }

    /// The public halves of the broker's keys, and the ledger's origin.
    #[must_use]
    pub fn public(&self) -> &PublicParts {
        self.shared.public()
    }

    /// The newest signed KRL.
    #[must_use]
    pub fn lists(&self) -> Arc<SignedList> {
        self.shared.lists()
    }

    /// The newest durable signed checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<str> {
        self.shared.checkpoint()
    }

    /// A read-only view of the ledger.
    ///
    /// # Errors
    ///
    /// [`DeskError::Store`] if the database cannot be opened for reading.
    pub fn reader(&self) -> Result<Reader, DeskError> {
        self.shared.reader()
    }

    /// Whether credentials of every kind are being minted: not while the sweep or the lists fail, because
    /// a broker that cannot revoke must not grant, and not while the token of a key is away.
    #[must_use]
    pub fn minting(&self) -> bool {
        self.shared.can_revoke() && self.shared.key_tokens().away().is_empty()
    }

    /// The keys that are in tokens: to be looked at every few seconds.
    #[must_use]
    pub fn key_tokens(&self) -> KeyTokens {
        self.shared.key_tokens().clone()
    }

    /// Tells the desk whether one part of revoking works; minting needs all of them.
    pub fn report(&self, part: Revoking, works: bool) {
        self.shared.report(part, works);
    }

    /// Calls `listener` after each durable batch, from the sequencer: it must not block.
    pub fn on_commit(&self, listener: Box<dyn Fn() + Send + Sync>) {
        self.shared.listen(listener);
    }

    /// The next deadline, if any is set.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.shared.next_due()
    }

    /// Now, by the desk's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Finishes what is queued, then ends the sequencer. Later commands are [`DeskError::Stopped`].
    pub fn stop(&self) {
        let thread = self.sequencer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // The queue may be full: then the sequencer is at work and this waits for a place.
        let told = self.queue.send(Job::Stop);
        let ended = thread.join();
        if told.is_err() || ended.is_err() {
            tracing::error!("the sequencer ended before it was told to");
        }
    }

    fn push(&self, job: Job) -> Result<(), DeskError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => DeskError::Busy,
            TrySendError::Disconnected(_) => DeskError::Stopped,
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The parts of the house without which nothing can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoking {
    /// The clock's door: expiries become entries.
    Sweep,
    /// The lists are signed after each revocation.
    Lists,
    /// The lists reach the directory that hosts read.
    Publishing,
    /// What is derived from the ledger says what the ledger says.
    Record,
}
