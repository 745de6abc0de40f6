//! What the world outside has been told, and must find again whatever happens.

use std::collections::BTreeMap;
use std::fmt;

use breakglass_ledger::audit::TrustFile;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::note::open_checkpoint;
use breakglass_ledger::statement::Seen;
use breakglass_proto::v1;

use super::chronicle::Chronicle;

pub(super) struct Known {
    trust: TrustFile,
    /// Acknowledged entries.
    entries: BTreeMap<u64, Digest>,
    /// Roots of the checkpoints that were seen, by size.
    roots: BTreeMap<u64, Digest>,
    /// Credentials that were handed out, by the entry that they came with.
    credentials: BTreeMap<u64, String>,
    /// Refusals that were told with their entry.
    refusals: BTreeMap<u64, String>,
    /// Refusals that were told without one, by name.
    unwritten: BTreeMap<String, usize>,
}

impl Known {
    pub(super) fn new(trust: TrustFile) -> Self {
        Self {
            trust,
            entries: BTreeMap::new(),
            roots: BTreeMap::new(),
            credentials: BTreeMap::new(),
            refusals: BTreeMap::new(),
            unwritten: BTreeMap::new(),
        }
    }

    /// The broker has acknowledged an act.
    pub(super) fn answered(&mut self, answer: &v1::SubmitAnswer) {
        let digest = Digest::of(&answer.entry);
        let before = self.entries.insert(answer.seq, digest);
        assert!(before.is_none_or(|before| before == digest), "two entries {}", answer.seq);
        let (size, _) = self.noted(&answer.checkpoint);
        assert!(size > answer.seq, "its checkpoint covers it");
        if !answer.credential.is_empty() {
            self.credentials.insert(answer.seq, answer.credential.clone());
        }
    }

    /// The broker has refused an act.
    pub(super) fn refused(&mut self, detail: &v1::RefusalDetail) {
        match detail.seq {
            Some(seq) => drop(self.refusals.insert(seq, detail.name.clone())),
            None => *self.unwritten.entry(detail.name.clone()).or_default() += 1,
        }
    }

    /// A checkpoint was seen: its size and root.
    pub(super) fn noted(&mut self, note: &str) -> (u64, Digest) {
        let checkpoint = open_checkpoint(note, &self.trust.key).expect("signed by the log");
        let (size, root) = (checkpoint.size, checkpoint.root);
        let before = self.roots.insert(size, root);
        assert!(before.is_none_or(|before| before == root), "two roots at size {size}");
        (size, root)
    }

    /// The newest checkpoint that was seen.
    pub(super) fn newest(&self) -> (u64, Digest) {
        self.roots.last_key_value().map_or((0, Digest::ZERO), |(size, root)| (*size, *root))
    }

    /// Everything is in the ledger, as it was told.
    pub(super) fn assert_kept(&self, chronicle: &Chronicle) {
        for (seq, digest) in &self.entries {
            assert_eq!(chronicle.hash(*seq), Some(*digest), "entry {seq} was acknowledged");
        }
        for (size, root) in &self.roots {
            assert_eq!(chronicle.root(*size), Some(*root), "the root at {size} was signed");
        }
        for (seq, credential) in &self.credentials {
            let Some(Entry { body: Body::Issued(issued), .. }) = chronicle.entry(*seq) else {
                panic!("a credential is out that entry {seq} does not know");
            };
            assert_eq!((issued.certificate.as_ref(), issued.serial), (Some(credential), *seq));
        }
        for (seq, name) in &self.refusals {
            let Some(Entry { body: Body::Refused(refused), .. }) = chronicle.entry(*seq) else {
                panic!("a refusal was told that entry {seq} does not know");
            };
            assert_eq!(&refused.refusal.name, name);
        }
    }

    /// A trust file that has seen the newest of them.
    pub(super) fn trust(&self) -> TrustFile {
        let newest = self.roots.iter().rev().take(64);
        let seen = newest.map(|(size, root)| Seen { size: *size, root: Some(*root) }).collect();
        TrustFile { seen, ..self.trust.clone() }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, credentials) = (self.entries.len(), self.credentials.len());
        let (refused, roots) = (self.refusals.len(), self.roots.len());
        write!(f, "{entries} acknowledged, {credentials} credentials, {roots} checkpoints, ")?;
        write!(f, "{refused} refused, others {:?}", self.unwritten)
    }
}
