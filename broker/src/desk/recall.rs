//! Which entry of each grant in progress is its newest: so that nobody who can write the database
//! hides one.
//!
//! A proof of inclusion shows that an entry is real, not that it is the last of its grant. What was
//! appended since the start is known from having appended it. What came before is read once, when a
//! request from before the start is still waiting: all entries from that request on, whose chain
//! must arrive at the hash known here. Requests wait a day at most, so that is never the ledger.

use std::collections::HashMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;

use super::DeskError;
use crate::store::{Anchored, Head, PAGE_ROWS_MAX, Read};

/// The newest entry of every grant in progress, as far back as was read.
pub(super) struct Recall {
    /// The first entry heard: everything from here on is known.
    from: u64,
    /// SHA-256 of the entry before it.
    before: Digest,
    /// By grant: the `gseq` of its newest entry. Closed grants are absent.
    newest: HashMap<RequestId, u64>,
    /// Grants that began before `from` and closed since, with the `seq` of their request: reading
    /// further back must not bring them to life again.
    closed: HashMap<RequestId, u64>,
}

impl Recall {
    /// Knows nothing before `head`.
    pub(super) fn since(head: Head) -> Self {
        let (newest, closed) = (HashMap::new(), HashMap::new());
        Self { from: head.size, before: head.hash, newest, closed }
    }

    /// An entry has been appended. `began` is the `seq` of its grant's request, if that is at hand.
    pub(super) fn note(&mut self, entry: &Entry, began: Option<u64>) {
        let Some(link) = entry.grant() else { return };
        if matches!(entry.body, Body::Closed(_)) {
            self.newest.remove(&link.grant);
            if let Some(seq) = began.filter(|seq| *seq < self.from) {
                self.closed.insert(link.grant, seq);
            }
        } else {
            self.newest.insert(link.grant, link.gseq);
        }
    }

    /// Checks that `gseq` is the newest entry of the grant `id`, whose request is entry `began`.
    ///
    /// # Errors
    ///
    /// [`DeskError::Ledger`] if it is not, or if the entries since do not form the chain.
    pub(super) fn check(
        &mut self,
        store: &Read,
        id: RequestId,
        began: u64,
        gseq: u64,
    ) -> Result<(), DeskError> {
        if began < self.from {
            self.read_back(store, began)?;
        }
        if self.newest.get(&id) == Some(&gseq) {
            return Ok(());
        }
        Err(DeskError::Ledger { what: "the database hides an entry of a request" })
    }

    /// Reads the entries from `began` up to where we know.
    fn read_back(&mut self, store: &Read, began: u64) -> Result<(), DeskError> {
        let broken = DeskError::Ledger { what: "entries before the start do not form the chain" };
        let (mut newest, mut before, mut hash) = (HashMap::new(), None, Digest::ZERO);
        let mut next = began;
        while next < self.from {
            let left = usize::try_from(self.from.saturating_sub(next)).unwrap_or(usize::MAX);
            let page = store.entries(next, left.min(PAGE_ROWS_MAX))?;
            if page.is_empty() {
                return Err(broken);
            }
            for record in page {
                let entry = record.parse()?;
                match before {
                    None => before = Some(entry.prev),
                    Some(_) if entry.prev == hash => {}
                    Some(_) => return Err(broken),
                }
                hash = Digest::of(&record.bytes);
                next = record.seq.saturating_add(1);
                let Some(link) = entry.grant() else { continue };
                if matches!(entry.body, Body::Closed(_)) {
                    newest.remove(&link.grant);
                } else {
                    newest.insert(link.grant, link.gseq);
                }
            }
        }
        if hash != self.before {
            return Err(broken);
        }
        newest.retain(|id, _| !self.closed.contains_key(id));
        for (id, gseq) in newest {
            // What was appended since is newer.
            self.newest.entry(id).or_insert(gseq);
        }
        self.closed.retain(|_, seq| *seq < began);
        (self.from, self.before) = (began, before.unwrap_or(self.before));
        Ok(())
    }
}

/// Checks that `policy` is in force at the head: the newest entry that names one names this one.
///
/// # Errors
///
/// [`DeskError::Ledger`] if it names another, or if the entries back to it do not form the chain.
pub(super) fn is_in_force(store: &impl Anchored, policy: Digest) -> Result<(), DeskError> {
    let Head { size, mut hash, .. } = store.head();
    for seq in (0..size).rev() {
        let missing = DeskError::Ledger { what: "an entry is missing" };
        let record = store.read().entry(seq)?.ok_or(missing)?;
        if Digest::of(&record.bytes) != hash {
            return Err(DeskError::Ledger { what: "the newest entries do not form the chain" });
        }
        let entry = record.parse()?;
        let named = if let Body::Policy(body) = &entry.body {
            Some(body.digest)
        } else {
            entry.body.decision().map(|decision| decision.policy)
        };
        match named {
            Some(named) if named == policy => return Ok(()),
            Some(_) => {
                return Err(DeskError::Ledger { what: "the database hides the policy in force" });
            }
            None => hash = entry.prev,
        }
    }
    Err(DeskError::Ledger { what: "no entry names a policy" })
}
