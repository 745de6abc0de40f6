//! What the database says, read again after every start: it only ever grows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::time::Timestamp;
use breakglass_ledger::tree::{Frontier, leaf_hash};

use breakglass_integration_tests::record::rows;

pub(super) struct Chronicle {
    ledger: PathBuf,
    hashes: Vec<Digest>,
    entries: Vec<Entry>,
    frontier: Frontier,
    /// The root at each size, from 0.
    roots: Vec<Digest>,
    /// Requests that wait, and until when.
    waiting: BTreeMap<RequestId, Timestamp>,
    /// Credentials that are out, and until when.
    live: BTreeMap<u64, Timestamp>,
    serials: HashMap<RequestId, u64>,
    /// Serials that hosts must refuse.
    pub(super) revoked: BTreeSet<u64>,
    /// Digests of the statements that are written down.
    pub(super) said: Arc<HashSet<Digest>>,
    /// Version and digest of the policy in force.
    pub(super) policy: (u64, Digest),
    /// The authority over SSH certificates.
    pub(super) ssh_ca: PublicKey,
}

impl Chronicle {
    pub(super) fn of(ledger: &Path) -> Self {
        let first = rows(ledger).into_iter().next().expect("genesis");
        let Body::Genesis(genesis) = Entry::parse(&first).expect("in form").body else {
            panic!("the first entry is no genesis");
        };
        let frontier = Frontier::new();
        let mut chronicle = Self {
            ledger: ledger.to_owned(),
            hashes: Vec::new(),
            entries: Vec::new(),
            roots: vec![frontier.root()],
            frontier,
            waiting: BTreeMap::new(),
            live: BTreeMap::new(),
            serials: HashMap::new(),
            revoked: BTreeSet::new(),
            said: Arc::default(),
            policy: (0, Digest::ZERO),
            ssh_ca: PublicKey::from_openssh(&genesis.ssh_ca).expect("a key"),
        };
        chronicle.read();
        chronicle
    }

    /// Reads everything: what was there is there, unchanged, and what came continues it.
    pub(super) fn read(&mut self) {
        let rows = rows(&self.ledger);
        assert!(rows.len() >= self.hashes.len(), "the ledger has shrunk to {}", rows.len());
        for (seq, bytes) in rows.iter().enumerate() {
            let hash = Digest::of(bytes);
            if let Some(before) = self.hashes.get(seq) {
                assert_eq!(*before, hash, "entry {seq} has changed");
                continue;
            }
            let entry = Entry::parse(bytes).expect("in form");
            let before = self.hashes.last().copied().unwrap_or(Digest::ZERO);
            assert_eq!(entry.prev, before, "entry {seq} does not continue the chain");
            self.frontier.push(leaf_hash(bytes));
            self.roots.push(self.frontier.root());
            self.hashes.push(hash);
            self.note(&entry);
            self.entries.push(entry);
        }
    }

    pub(super) fn hash(&self, seq: u64) -> Option<Digest> {
        self.hashes.get(usize::try_from(seq).ok()?).copied()
    }

    pub(super) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq).ok()?)
    }

    pub(super) fn root(&self, size: u64) -> Option<Digest> {
        self.roots.get(usize::try_from(size).ok()?).copied()
    }

    /// What should have ended by `now` and has not.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<String> {
        let waiting = self.waiting.iter().filter(|(_, until)| **until <= now);
        let live = self.live.iter().filter(|(_, until)| **until <= now);
        let waiting = waiting.map(|(id, until)| format!("{id} waits since {until}"));
        waiting.chain(live.map(|(serial, until)| format!("{serial} lives since {until}"))).collect()
    }

    /// How many entries of each type there are.
    pub(super) fn types(&self) -> BTreeMap<&'static str, usize> {
        let mut types = BTreeMap::new();
        for entry in &self.entries {
            *types.entry(entry.body.type_name()).or_default() += 1;
        }
        types
    }

    fn note(&mut self, entry: &Entry) {
        if let Some(signed) = entry.body.signed() {
            Arc::make_mut(&mut self.said).insert(Digest::of(signed.statement.as_bytes()));
        }
        if let Body::Policy(policy) = &entry.body {
            self.policy = (policy.version, policy.digest);
        }
        let Some(link) = entry.grant() else { return };
        if let Body::Requested(requested) = &entry.body {
            self.waiting.insert(link.grant, requested.lapses);
        }
        if let Body::Issued(issued) = &entry.body {
            self.waiting.remove(&link.grant);
            self.live.insert(issued.serial, issued.valid_before);
            self.serials.insert(link.grant, issued.serial);
        }
        if let Body::Revoked(revoked) = &entry.body {
            assert!(self.live.remove(&revoked.serial).is_some(), "revoked once, while it lived");
            self.revoked.insert(revoked.serial);
        }
        if let Body::Closed(_) = &entry.body {
            self.waiting.remove(&link.grant);
            let serial = self.serials.remove(&link.grant);
            serial.map(|serial| self.revoked.remove(&serial));
        }
    }
}
