//! What the sequencer shows to the doors: snapshots, never locks that it waits for.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::World;
use breakglass_rules::eligibility::Rules;

use super::memory::Memory;
use super::tokens::{Shown, Standing, Tokens};
use super::vouch::Certificates;
use super::{DeskError, Revoking};
use crate::clock::Clock;
use crate::mint::{KeyTokens, Mint, OcspSigner, PublicParts, SignedList};
use crate::store::{Reader, Readers};

/// Called after each durable batch.
type Listener = Box<dyn Fn() + Send + Sync>;

/// Snapshots for readers, replaced whole by the sequencer after each commit.
pub(super) struct Shared {
    public: PublicParts,
    clock: Arc<dyn Clock>,
    readers: Readers,
    policy: RwLock<Arc<Policy>>,
    rules: RwLock<Arc<Rules>>,
    world: RwLock<Arc<World>>,
    checkpoint: RwLock<Arc<str>>,
    lists: RwLock<Arc<SignedList>>,
    certificates: Certificates,
    ocsp: Vec<OcspSigner>,
    tokens: RwLock<Shown>,
    listeners: RwLock<Vec<Listener>>,
    /// Keys that are not in files.
    key_tokens: KeyTokens,
    /// One bit per [`Revoking`] part that fails.
    failing: AtomicU8,
    /// Unix seconds of the next deadline; [`u64::MAX`] if none is set.
    next_due: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        mint: &Mint,
        clock: Arc<dyn Clock>,
        readers: Readers,
        memory: &Memory,
        checkpoint: Arc<str>,
        lists: Arc<SignedList>,
    ) -> Self {
        Self {
            public: mint.public().clone(),
            clock,
            readers,
            policy: RwLock::new(Arc::clone(memory.in_force())),
            rules: RwLock::new(Arc::clone(memory.rules())),
            world: RwLock::new(Arc::clone(memory.world())),
            checkpoint: RwLock::new(checkpoint),
            lists: RwLock::new(lists),
            certificates: Certificates::default(),
            ocsp: mint.ocsp(),
            tokens: RwLock::new(Shown::default()),
            listeners: RwLock::new(Vec::new()),
            key_tokens: mint.tokens(),
            failing: AtomicU8::new(0),
            next_due: AtomicU64::new(u64::MAX),
        }
    }

    pub(super) fn public(&self) -> &PublicParts {
        &self.public
    }

    pub(super) fn reader(&self) -> Result<Reader, DeskError> {
        Ok(self.readers.reader()?)
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        read(&self.policy)
    }

    pub(super) fn world(&self) -> Arc<World> {
        read(&self.world)
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        read(&self.rules)
    }

    pub(super) fn checkpoint(&self) -> Arc<str> {
        read(&self.checkpoint)
    }

    pub(super) fn lists(&self) -> Arc<SignedList> {
        read(&self.lists)
    }

    /// The token with this digest, if it counts now.
    pub(super) fn token(&self, digest: Digest) -> Option<Standing> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).token(digest, self.now())
    }

    /// Takes in what became durable by `head`; after a failed transaction everything is read `anew`.
    pub(super) fn show_tokens(&self, tokens: &mut Tokens, head: Timestamp, anew: bool) {
        let mut shown = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        shown.follow(tokens, head, anew);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().second()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let seconds = self.next_due.load(Ordering::SeqCst);
        (seconds != u64::MAX).then_some(Timestamp::from_unix_seconds(seconds))
    }

    pub(super) fn show_next_due(&self, due: Option<Timestamp>) {
        self.next_due.store(due.map_or(u64::MAX, Timestamp::unix_seconds), Ordering::SeqCst);
    }

    pub(super) const fn key_tokens(&self) -> &KeyTokens {
        &self.key_tokens
    }

    pub(super) fn can_revoke(&self) -> bool {
        self.failing.load(Ordering::SeqCst) == 0
    }

    pub(super) fn works(&self, part: Revoking) -> bool {
        self.failing.load(Ordering::SeqCst) & bit(part) == 0
    }

    pub(super) const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    pub(super) fn ocsp(&self) -> &[OcspSigner] {
        &self.ocsp
    }

    pub(super) fn report(&self, part: Revoking, works: bool) {
        let bit = bit(part);
        let before = if works {
            self.failing.fetch_and(!bit, Ordering::SeqCst)
        } else {
            self.failing.fetch_or(bit, Ordering::SeqCst)
        };
        let failed = before & bit != 0;
        match (failed, works) {
            (false, false) => tracing::error!(?part, "revoking fails: minting stops"),
            (true, true) => tracing::info!(?part, "revoking works again"),
            (false, true) | (true, false) => {}
        }
    }

    pub(super) fn listen(&self, listener: Listener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// The rules first: a reader in between is judged by both, never by none.
    pub(super) fn show_policy(&self, policy: Arc<Policy>, rules: Arc<Rules>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(super) fn show_world(&self, world: Arc<World>) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    pub(super) fn show_checkpoint(&self, checkpoint: Arc<str>) {
        *self.checkpoint.write().unwrap_or_else(PoisonError::into_inner) = checkpoint;
    }

    pub(super) fn show_lists(&self, lists: Arc<SignedList>) {
        *self.lists.write().unwrap_or_else(PoisonError::into_inner) = lists;
    }

    pub(super) fn wake(&self) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
    }
}

/// The bit of a part among those that fail.
const fn bit(part: Revoking) -> u8 {
    match part {
        Revoking::Sweep => 1,
        Revoking::Lists => 2,
        Revoking::Publishing => 4,
        Revoking::Record => 8,
    }
}

fn read<T: ?Sized>(lock: &RwLock<Arc<T>>) -> Arc<T> {
    Arc::clone(&lock.read().unwrap_or_else(PoisonError::into_inner))
}
