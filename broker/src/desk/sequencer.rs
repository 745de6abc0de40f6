//! The one thread that decides: takes what is waiting, one transaction for all of it, then answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;

use super::batch::{Batch, Draft};
use super::foresight::Foresight;
use super::memory::Memory;
use super::shared::Shared;
use super::{DeskError, Job, Parts, Receipt, Revoking, Swept};
use crate::clock::{AHEAD_MAX_SECONDS, Clock};
use crate::entropy::Entropy;
use crate::mint::{Mint, MintError, SignedList};
use crate::store::{Head, Reader, Store};

/// Commands in one transaction. A commit costs as much as some twenty rows, so beyond this there is
/// nothing to gain, and everyone in the batch waits for all of it.
const BATCH_MAX: usize = 256;

/// How often the list for TLS servers is signed when nothing changes, in seconds.
const SIGN_EVERY_SECONDS: u64 = 300;

pub(super) struct Sequencer {
    store: Store,
    mint: Mint,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    memory: Memory,
    /// The latest that the clock ever said and was believed: first at the start, which is where an
    /// operator's word counts.
    believed: Timestamp,
    /// A transaction failed and `memory` may hold what never became durable: read again first.
    stale: bool,
    foresight: Foresight,
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
    Noted,
}

impl Sequencer {
    /// Reads the policy in force and what is revoked, and signs the first lists.
    pub(super) fn open(parts: Parts) -> Result<(Self, Arc<Shared>), DeskError> {
        let Parts { store, mint, clock, entropy } = parts;
        let origin = mint.public().origin.clone();
        let durable = checked(&store)?;
        let mut memory = Memory::load(&durable, origin)?;
        let serials = memory.changed_lists().unwrap_or_default();
        let now = clock.now().second();
        let lists = sign_lists(&mint, durable.head(), &serials, &memory, now)?;
        memory.note_lists(&lists);
        let missing = DeskError::Ledger { what: "it has no checkpoint" };
        let checkpoint = durable.newest_checkpoint().ok_or(missing)?;
        let shared = Arc::new(Shared::new(
            &mint,
            Arc::clone(&clock),
            store.readers().clone(),
            &memory,
            checkpoint.into(),
            Arc::new(lists),
        ));
        shared.certificates().note(&memory.certificate_news());
        shared.show_tokens(&mut memory.tokens, durable.head().time.second(), true);
        shared.show_next_due(durable.next_due()?.into_iter().chain(memory.next_due()).min());
        drop(durable);
        let (believed, shown) = (clock.now().second(), Arc::clone(&shared));
        let (stale, foresight) = (false, Foresight::new());
        let sequencer =
            Self { store, mint, clock, entropy, memory, believed, stale, foresight, shared: shown };
        Ok((sequencer, shared))
    }

    /// Works until it is told to stop, and then on until the queue is empty. While nobody waits, looks
    /// ahead.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut stopping = false;
        loop {
            let first = match jobs.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) if !stopping && self.foresight.has_work() => {
                    self.foresee();
                    continue;
                }
                Err(TryRecvError::Empty) if !stopping => jobs.recv().ok(),
                Err(_) => None,
            };
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
                let head = self.store.head();
                self.show(head, committed.checkpoint, committed.next_due);
                self.keep_fresh(head);
                // The clock knocks every few seconds, if nothing is due.
                if jobs.iter().any(|job| matches!(job, Job::Sweep(_))) {
                    self.foresight.look(head.time.second().max(self.believed));
                }
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

    /// Folds some of what comes due soon.
    fn foresee(&mut self) {
        let Self { store, memory, foresight, stale, .. } = self;
        if *stale {
            return foresight.rest();
        }
        let seen = checked(store).and_then(|durable| foresight.bite(memory, &durable));
        if let Err(error) = seen {
            crate::report::fault("reading ahead", &error);
            foresight.rest();
        }
    }

    fn transact(&mut self, jobs: &[Job]) -> Result<Committed, DeskError> {
        if self.stale {
            self.recover()?;
        }
        let Self { store, mint, clock, entropy, memory, believed, shared, .. } = self;
        store.write(|tx| {
            let before = tx.size();
            let can_revoke = shared.can_revoke();
            // Read once for the batch, after the write lock is held.
            let now = clock.now();
            *believed = believe(now.second(), *believed)?;
            let entropy = entropy.as_ref();
            let checkpoint = shared.checkpoint();
            let mut batch = Batch { tx, memory, mint, entropy, now, can_revoke, checkpoint };
            let mut outcomes = Vec::with_capacity(jobs.len());
            for job in jobs {
                outcomes.push(decide(&mut batch, job)?);
            }
            let next_due = batch.next_due()?;
            let mut checkpoint = None;
            if tx.size() > before {
                let Head { size, root, .. } = tx.head();
                let origin = mint.public().origin.clone();
                let note = mint.sign_checkpoint(&Checkpoint { origin, size, root })?;
                tx.put_checkpoint(&note)?;
                checkpoint = Some(note);
            }
            Ok(Committed { outcomes, checkpoint, next_due })
        })
    }

    /// Shows what has become durable to the doors.
    fn show(&mut self, head: Head, checkpoint: Option<String>, next_due: Option<Timestamp>) {
        self.shared.show_next_due(next_due);
        let Some(checkpoint) = checkpoint else { return };
        self.memory.head(head.size, head.root);
        self.shared.certificates().note(&self.memory.certificate_news());
        self.memory.tokens.forget(head.time.second());
        self.shared.show_tokens(&mut self.memory.tokens, head.time.second(), false);
        self.shared.show_checkpoint(checkpoint.into());
        let in_force = self.memory.in_force();
        if in_force.digest != self.shared.policy().digest {
            self.shared.show_policy(Arc::clone(in_force), Arc::clone(self.memory.rules()));
        }
        if !Arc::ptr_eq(self.memory.world(), &self.shared.world()) {
            self.shared.show_world(Arc::clone(self.memory.world()));
        }
        if let Some(serials) = self.memory.changed_lists() {
            self.sign(head, &serials);
        }
        self.shared.wake();
    }

    fn sign(&mut self, head: Head, serials: &[u64]) {
        let now = self.clock.now().second();
        let signed = sign_lists(&self.mint, head, serials, &self.memory, now);
        self.shared.report(Revoking::Lists, signed.is_ok());
        match signed {
            Ok(mut lists) => {
                // While its key is away, the one before stands: it revokes less than it should, but a
                // server without any refuses everybody, or nobody.
                lists.crl = lists.crl.or_else(|| self.shared.lists().crl.clone());
                self.memory.note_lists(&lists);
                self.shared.show_lists(Arc::new(lists));
            }
            Err(error) => {
                crate::report::fault("signing the lists", &error);
                self.memory.lists_failed();
            }
        }
    }

    /// Signs the list for TLS servers anew when it was signed a while ago, though nothing changed:
    /// so that who fetches it sees that we are alive, and how late they are.
    fn keep_fresh(&mut self, head: Head) {
        let lists = self.shared.lists();
        let now = self.clock.now().second();
        let is_fresh = lists.crl.as_ref().is_some_and(|crl| {
            crl.number.version() == lists.version && now.since(crl.signed_at) < SIGN_EVERY_SECONDS
        });
        // Without its key there is nothing to try; how late it is, the health page says.
        if is_fresh || self.mint.public().x509_ca.is_none() || !self.mint.can_sign(Kind::X509) {
            return;
        }
        self.memory.forget_entries(now);
        self.shared.certificates().forget(now);
        // The version says how much of the ledger is in it, and never goes back.
        let signed =
            self.mint.crl_of(self.memory.entries(), lists.version, now.max(head.time.second()));
        self.shared.report(Revoking::Lists, signed.is_ok());
        match signed {
            Ok(crl) => {
                let lists = SignedList { crl, ..(*lists).clone() };
                self.memory.note_crl(&lists);
                self.shared.show_lists(Arc::new(lists));
            }
            Err(error) => crate::report::fault("signing the list of revoked certificates", &error),
        }
        self.shared.wake();
    }

    /// After a failed transaction: forgets everything, reads it again, and shows it: a commit whose
    /// outcome was unknown may be durable, and a revocation in it must reach the hosts.
    fn recover(&mut self) -> Result<(), DeskError> {
        let durable = checked(&self.store)?;
        let published = std::mem::take(&mut self.memory.lists);
        self.memory = Memory::load(&durable, self.mint.public().origin.clone())?;
        self.memory.lists = published;
        (self.stale, self.foresight) = (false, Foresight::new());
        let checkpoint = durable.newest_checkpoint().map(str::to_owned);
        let (request_due, head) = (durable.next_due()?, durable.head());
        self.shared.show_tokens(&mut self.memory.tokens, head.time.second(), true);
        let next_due = request_due.into_iter().chain(self.memory.next_due()).min();
        drop(durable);
        self.show(head, checkpoint, next_due);
        Ok(())
    }
}

/// A snapshot that ends at the head that the store has checked.
fn checked(store: &Store) -> Result<Reader, DeskError> {
    let durable = store.reader()?;
    if durable.head() != store.head() {
        return Err(DeskError::Ledger { what: "somebody else writes the database" });
    }
    Ok(durable)
}

/// What to measure the next jump from. A wrong clock that is believed once dates an entry into the
/// future, and nothing can be granted until then.
fn believe(now: Timestamp, before: Timestamp) -> Result<Timestamp, DeskError> {
    if now.since(before) > AHEAD_MAX_SECONDS {
        return Err(DeskError::ClockAhead { now, before });
    }
    Ok(now.max(before))
}

/// `Err` only for what dooms the whole transaction; a "no", or a credential that could not be
/// signed, is an outcome of its own: nothing has been written for it yet.
fn decide(batch: &mut Batch<'_, '_>, job: &Job) -> Result<Option<Outcome>, DeskError> {
    let said = match job {
        Job::Say(incoming, _) => batch.say(incoming),
        Job::Erase(text, _) => batch.erase(*text),
        Job::Rekey(role, key, _) => batch.rekey(*role, key),
        Job::Enlist(serials, x509, tokens, _) => batch.enlist(serials, x509, tokens),
        Job::TakeBack { grant, serial, caller, .. } => batch.take_back(*grant, *serial, caller),
        Job::Sweep(_) => return batch.sweep().map(|swept| Some(Outcome::Swept(swept))),
        Job::Probed(probed, _) => return batch.probed(probed).map(|()| Some(Outcome::Noted)),
        Job::Notified(notices, _) => {
            return batch.notified(notices).map(|()| Some(Outcome::Noted));
        }
        Job::Published(lists) => {
            lists.iter().for_each(|list| batch.memory.note_lists(list));
            return Ok(None);
        }
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
        (
            Job::Say(_, reply)
            | Job::Erase(_, reply)
            | Job::Rekey(_, _, reply)
            | Job::Enlist(_, _, _, reply)
            | Job::TakeBack { reply, .. },
            Some(Outcome::Said(said)),
        ) => {
            reply(said.map(|draft| receipt(draft, checkpoint)));
        }
        (Job::Sweep(reply), Some(Outcome::Swept(swept))) => reply(Ok(swept)),
        (Job::Notified(_, reply) | Job::Probed(_, reply), Some(Outcome::Noted)) => reply(Ok(())),
        (Job::Stop | Job::Published(_), _) => {}
        // Outcomes are made in the jobs' order, one of its kind for each.
        (job, _) => fail(job, DeskError::Stopped),
    }
}

fn fail(job: Job, error: DeskError) {
    match job {
        Job::Say(_, reply)
        | Job::Erase(_, reply)
        | Job::Rekey(_, _, reply)
        | Job::Enlist(_, _, _, reply)
        | Job::TakeBack { reply, .. } => reply(Err(error)),
        Job::Sweep(reply) => reply(Err(error)),
        Job::Notified(_, reply) | Job::Probed(_, reply) => reply(Err(error)),
        Job::Stop | Job::Published(_) => {}
    }
}

fn receipt(draft: Draft, checkpoint: &Arc<str>) -> Receipt {
    let Draft { seq, entry, request, credential, repeated } = draft;
    let checkpoint = Arc::clone(checkpoint);
    Receipt { seq, entry, checkpoint, request, credential, repeated }
}

/// Signs the lists of `serials`, and of the certificates and tokens in `memory`. Their version is the ledger's size,
/// so it grows with every change and needs no memory of its own.
fn sign_lists(
    mint: &Mint,
    head: Head,
    serials: &[u64],
    memory: &Memory,
    now: Timestamp,
) -> Result<SignedList, MintError> {
    let generated = head.time.second();
    let deny = mint.deny(memory.tokens.denied(), head.size, generated)?;
    // A clock that went back must not make the list look like an older one.
    let lists = mint.lists(serials, memory.entries(), head.size, generated, now.max(generated))?;
    Ok(SignedList { deny: Some(deny), ..lists })
}

#[cfg(test)]
mod tests;
