//! The one thread that decides: takes what is waiting, one transaction for all of it, then answers.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::time::Timestamp;

use super::batch::{Batch, Draft};
use super::memory::Memory;
use super::shared::Shared;
use super::{DeskError, Job, Parts, Receipt, Revoking, Swept};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::mint::{Mint, MintError, SignedList};
use crate::store::{Head, Store};

/// Commands in one transaction. A commit costs as much as some twenty rows, so beyond this there is
/// nothing to gain, and everyone in the batch waits for all of it.
const BATCH_MAX: usize = 256;

pub(super) struct Sequencer {
    store: Store,
    mint: Mint,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    memory: Memory,
    /// A transaction failed and `memory` may hold what never became durable: read again first.
    stale: bool,
    shared: Arc<Shared>,
}

/// What one transaction led to, once it is durable.
struct Committed {
    outcomes: Vec<Option<Outcome>>,
    /// The checkpoint of the batch; `None` if nothing was written.
    checkpoint: Option<String>,
    next_due: Option<Timestamp>,
}

/// What came of one job, before the commit.
enum Outcome {
    Said(Result<Draft, DeskError>),
    Swept(Swept),
}

impl Sequencer {
    /// Reads the policy in force and what is revoked, and signs the first lists.
    pub(super) fn open(parts: Parts) -> Result<(Self, Arc<Shared>), DeskError> {
        let Parts { store, mint, clock, entropy } = parts;
        let origin = mint.public().origin.clone();
        let durable = store.reader()?;
        let mut memory = Memory::load(&durable, origin)?;
        let serials = memory.changed_lists().unwrap_or_default();
        let lists = sign_lists(&mint, &store, &serials)?;
        let missing = DeskError::Ledger { what: "it has no checkpoint" };
        let checkpoint = durable.newest_checkpoint().ok_or(missing)?;
        let shared = Arc::new(Shared::new(
            mint.public().clone(),
            Arc::clone(&clock),
            store.readers().clone(),
            Arc::clone(memory.in_force()),
            checkpoint.into(),
            Arc::new(lists),
        ));
        shared.show_next_due(durable.next_due()?);
        drop(durable);
        let shown = Arc::clone(&shared);
        let sequencer = Self { store, mint, clock, entropy, memory, stale: false, shared: shown };
        Ok((sequencer, shared))
    }

    /// Works until it is told to stop, and then on until the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut stopping = false;
        loop {
            let first = if stopping { jobs.try_recv().ok() } else { jobs.recv().ok() };
            let Some(first) = first else { break };
            let rest = std::iter::from_fn(|| jobs.try_recv().ok());
            let batch: Vec<Job> =
                std::iter::once(first).chain(rest.take(BATCH_MAX.saturating_sub(1))).collect();
            stopping |= batch.iter().any(|job| matches!(job, Job::Stop));
            self.take(batch);
        }
    }

    /// One transaction for all of `jobs`. If it fails, one for each, so that one poisoned command
    /// takes nobody down with it.
    fn take(&mut self, jobs: Vec<Job>) {
        match self.transact(&jobs) {
            Ok(committed) => {
                self.show(committed.checkpoint, committed.next_due);
                let checkpoint = self.shared.checkpoint();
                for (job, outcome) in jobs.into_iter().zip(committed.outcomes) {
                    answer(job, outcome, &checkpoint);
                }
            }
            Err(error) => {
                crate::report::fault("committing a batch", &error);
                self.stale = true;
                self.retry(jobs, error);
            }
        }
    }

    /// Each job of a failed batch by itself; a single one is told the `error`.
    fn retry(&mut self, jobs: Vec<Job>, error: DeskError) {
        let mut error = Some(error);
        let alone = jobs.len() <= 1;
        for job in jobs {
            match error.take() {
                Some(error) if alone => fail(job, error),
                _ => self.take(vec![job]),
            }
        }
    }

    fn transact(&mut self, jobs: &[Job]) -> Result<Committed, DeskError> {
        if self.stale {
            self.recover()?;
        }
        let Self { store, mint, clock, entropy, memory, stale: _, shared } = self;
        store.write(|tx| {
            let before = tx.size();
            let can_revoke = shared.minting();
            // Read once for the batch, after the write lock is held.
            let now = clock.now();
            let entropy = entropy.as_ref();
            let checkpoint = shared.checkpoint();
            let mut batch = Batch { tx, memory, mint, entropy, now, can_revoke, checkpoint };
            let mut outcomes = Vec::with_capacity(jobs.len());
            for job in jobs {
                outcomes.push(decide(&mut batch, job)?);
            }
            let mut checkpoint = None;
            if tx.size() > before {
                let Head { size, root, .. } = tx.head();
                let origin = mint.public().origin.clone();
                let note = mint.sign_checkpoint(&Checkpoint { origin, size, root })?;
                tx.put_checkpoint(&note)?;
                checkpoint = Some(note);
            }
            Ok(Committed { outcomes, checkpoint, next_due: tx.next_due()? })
        })
    }

    /// Shows what has become durable to the doors.
    fn show(&mut self, checkpoint: Option<String>, next_due: Option<Timestamp>) {
        self.shared.show_next_due(next_due);
        let Some(checkpoint) = checkpoint else { return };
        let head = self.store.head();
        self.memory.head(head.size, head.root);
        self.shared.show_checkpoint(checkpoint.into());
        let in_force = self.memory.in_force();
        if in_force.digest != self.shared.policy().digest {
            self.shared.show_policy(Arc::clone(in_force));
        }
        if let Some(serials) = self.memory.changed_lists() {
            let signed = sign_lists(&self.mint, &self.store, &serials);
            self.shared.report(Revoking::Lists, signed.is_ok());
            match signed {
                Ok(lists) => self.shared.show_lists(Arc::new(lists)),
                Err(error) => {
                    crate::report::fault("signing the lists", &error);
                    self.memory.lists_failed();
                }
            }
        }
        self.shared.wake();
    }

    /// After a failed transaction: forgets everything and reads it again.
    fn recover(&mut self) -> Result<(), DeskError> {
        let durable = self.store.reader()?;
        self.memory = Memory::load(&durable, self.mint.public().origin.clone())?;
        self.stale = false;
        Ok(())
    }
}

/// `Err` only for what dooms the whole transaction; a "no", or a credential that could not be
/// signed, is an outcome of its own: nothing has been written for it yet.
fn decide(batch: &mut Batch<'_, '_>, job: &Job) -> Result<Option<Outcome>, DeskError> {
    let said = match job {
        Job::Say(incoming, _) => batch.say(incoming),
        Job::Erase(text, _) => batch.erase(*text),
        Job::Sweep(_) => return batch.sweep().map(|swept| Some(Outcome::Swept(swept))),
        Job::Stop => return Ok(None),
    };
    match said {
        Err(error @ (DeskError::Store(_) | DeskError::Ledger { .. } | DeskError::Entropy(_))) => {
            Err(error)
        }
        said => Ok(Some(Outcome::Said(said))),
    }
}

fn answer(job: Job, outcome: Option<Outcome>, checkpoint: &Arc<str>) {
    match (job, outcome) {
        (Job::Say(_, reply) | Job::Erase(_, reply), Some(Outcome::Said(said))) => {
            reply(said.map(|draft| receipt(draft, checkpoint)));
        }
        (Job::Sweep(reply), Some(Outcome::Swept(swept))) => reply(Ok(swept)),
        (Job::Stop, _) => {}
        // Outcomes are made in the jobs' order, one of its kind for each.
        (job, _) => fail(job, DeskError::Stopped),
    }
}

fn fail(job: Job, error: DeskError) {
    match job {
        Job::Say(_, reply) | Job::Erase(_, reply) => reply(Err(error)),
        Job::Sweep(reply) => reply(Err(error)),
        Job::Stop => {}
    }
}

fn receipt(draft: Draft, checkpoint: &Arc<str>) -> Receipt {
    let Draft { seq, entry, request, credential, repeated } = draft;
    let checkpoint = Arc::clone(checkpoint);
    Receipt { seq, entry, checkpoint, request, credential, repeated }
}

/// Signs the list of `serials`. Its version is the ledger's size, so it grows with every change and
/// needs no memory of its own.
fn sign_lists(mint: &Mint, store: &Store, serials: &[u64]) -> Result<SignedList, MintError> {
    let head = store.head();
    mint.krl(serials, head.size, head.time.second())
}
