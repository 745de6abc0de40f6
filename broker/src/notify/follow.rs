//! Reading the ledger, from a day ago on.

use std::collections::BTreeMap;
use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Entry;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{Origin, TargetId};
use breakglass_ledger::statement::{Canary, List};
use breakglass_ledger::time::Timestamp;

use super::derive::{Deriver, Look, Step};
use crate::desk::{Desk, DeskError, read_policy};
use crate::store::{PAGE_ROWS_MAX, Reader, StoreError};

/// How far back a start reads, in seconds: no request waits longer than a day, and no news is told
/// after half of one.
const LOOK_BACK_SECONDS: u64 = 24 * 3600;

/// Policies kept ready; more than a few are never in use within a day.
const POLICIES_MAX: usize = 16;

/// A place in the ledger, and what is known of the requests before it.
pub(super) struct Follower {
    next: u64,
    deriver: Deriver,
    policies: BTreeMap<Digest, Arc<Policy>>,
}

/// What one look at the ledger brought.
pub(super) struct Page {
    /// In the entries' order.
    pub(super) steps: Vec<Step>,
    /// Whether there is more to read.
    pub(super) more: bool,
}

impl Follower {
    /// Begins with the first entry of the last day before `now`.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the ledger cannot be read.
    pub(super) fn start(desk: &Desk, now: Timestamp, remind_after: u64) -> Result<Self, DeskError> {
        let next = first_since(&desk.reader()?, now.minus(LOOK_BACK_SECONDS))?;
        Ok(Self { next, deriver: Deriver::new(remind_after), policies: BTreeMap::new() })
    }

    /// What follows from the next entries. One that cannot be read is logged and passed over: it must
    /// not keep people from hearing of the others.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the ledger cannot be read at all; nothing was passed over.
    pub(super) fn page(&mut self, desk: &Desk) -> Result<Page, DeskError> {
        let reader = desk.reader()?;
        let records = reader.entries(self.next, PAGE_ROWS_MAX)?;
        let mut steps = Vec::new();
        let mut look = Lookup {
            reader: &reader,
            policies: &mut self.policies,
            in_force: desk.policy(),
            log: &desk.public().origin,
        };
        for record in &records {
            let read = record.parse().map_err(DeskError::from);
            match read.and_then(|entry| self.deriver.take(&entry, &mut look)) {
                Ok(more) => steps.extend(more),
                Err(error) => crate::report::fault("deriving notices from an entry", &error),
            }
            self.next = record.seq.saturating_add(1);
        }
        Ok(Page { steps, more: self.next < reader.head().size })
    }

    /// The reminders that are due.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the ledger cannot be read.
    pub(super) fn remind(&mut self, desk: &Desk, now: Timestamp) -> Result<Vec<Step>, DeskError> {
        let reader = desk.reader()?;
        let mut look = Lookup {
            reader: &reader,
            policies: &mut self.policies,
            in_force: desk.policy(),
            log: &desk.public().origin,
        };
        self.deriver.remind(now, &mut look)
    }

    /// When the next reminder is due.
    pub(super) fn next_reminder(&self) -> Option<Timestamp> {
        self.deriver.next_reminder()
    }
}

/// The first entry written at `since` or later: a look-up for each halving of the ledger.
fn first_since(reader: &Reader, since: Timestamp) -> Result<u64, DeskError> {
    let (mut from, mut to) = (0, reader.head().size);
    while from < to {
        let half = to.saturating_sub(from).checked_div(2).unwrap_or_default();
        let middle = from.saturating_add(half);
        let gap = StoreError::Corrupt { seq: middle, rule: "no entry is missing" };
        let record = reader.entry(middle)?.ok_or(gap)?;
        if record.parse()?.time.second() < since {
            from = middle.saturating_add(1);
        } else {
            to = middle;
        }
    }
    Ok(from)
}

struct Lookup<'a> {
    reader: &'a Reader,
    policies: &'a mut BTreeMap<Digest, Arc<Policy>>,
    in_force: Arc<Policy>,
    log: &'a Origin,
}

impl Look for Lookup<'_> {
    fn policy(&mut self, digest: Digest) -> Result<Arc<Policy>, DeskError> {
        if self.in_force.digest == digest {
            return Ok(Arc::clone(&self.in_force));
        }
        if let Some(policy) = self.policies.get(&digest) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(read_policy(self.reader, self.log, digest)?);
        if self.policies.len() >= POLICIES_MAX {
            self.policies.clear();
        }
        self.policies.insert(digest, Arc::clone(&policy));
        Ok(policy)
    }

    fn in_force(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force)
    }

    fn accepted_before(
        &mut self,
        target: &TargetId,
        list: List,
        seq: u64,
    ) -> Result<bool, DeskError> {
        let before = self.reader.reported_before(target, list, seq)?;
        Ok(before.is_some_and(|row| row.canary == Canary::Accepted))
    }

    fn grant(&mut self, seq: u64) -> Result<Option<RequestId>, DeskError> {
        let Some(record) = self.reader.entry(seq)? else { return Ok(None) };
        Ok(record.parse()?.grant().map(|link| link.grant))
    }

    fn history(&mut self, id: RequestId, before: u64) -> Result<Vec<Entry>, DeskError> {
        let records = self.reader.grant_entries(id)?;
        let earlier = records.iter().filter(|record| record.seq < before);
        Ok(earlier.map(|record| record.parse()).collect::<Result<_, _>>()?)
    }
}
