//! The desk: one command, one decision, one entry.
//!
//! Every command, whoever brings it (a person, the clock, the policy authority), waits in one
//! bounded queue. One sequencer thread takes what is waiting, decides it inside one transaction,
//! commits, and only then answers everyone in the batch. There is no network here, no SQL and no
//! async.

mod agenda;
mod batch;
mod brought;
mod clockwork;
mod enforce;
mod error;
mod folded;
mod foresight;
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
mod reread;
mod sequencer;
mod shared;
mod tokens;
mod vouch;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{KeyRole, Notified};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::CallerId;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::World;
use breakglass_rules::eligibility::Rules;

use self::sequencer::Sequencer;
use self::shared::Shared;
use crate::mint::{KeyTokens, PublicParts, SignedList};
use crate::store::{Reader, RevokedX509, TokenRow};

pub use self::brought::{Incoming, Parts, PolicyBundle, Receipt, Text};
pub use self::error::DeskError;
pub use self::found::found;
pub use self::landing::{LANDING_MAX_SECONDS, list_of};
pub use self::outage::Probed;
pub use self::reread::read_policy;
pub use self::tokens::Vouched;
pub use self::vouch::STALE_SECONDS;

/// Commands that may wait: a batch of 256 takes a few tens of milliseconds, so whoever is last
/// waits well under a second; more than that is an attack or a stampede, and is told so.
pub const QUEUE_MAX: usize = 4096;

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
    /// Lists that were published before the start.
    Published(Vec<SignedList>),
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

    /// These lists were published before the start: hosts may still report that one of them is in force.
    /// To be called before the doors open, with lists whose signatures were checked.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`].
    pub fn published(&self, lists: Vec<SignedList>) -> Result<(), DeskError> {
        self.push(Job::Published(lists))
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
