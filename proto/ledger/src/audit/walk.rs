//! One pass over the entries: each is checked for what it is, and for what it says.

use std::collections::HashMap;
use std::sync::Arc;

use super::finding::{Code, Findings, verdict_of};
use super::form::{code_of_chain, code_of_entry};
use super::peaks::Peaks;
use super::spoken::{self, Spoken};
use super::texts::Texts;
use super::{Report, TrustFile, policies};
use crate::bytes::Digest;
use crate::chain::{Chain, entry_hash};
use crate::entry::{Anchor, Body, ConfigChange, Entry, Genesis, check_form};
use crate::judge::{Case, Judge};
use crate::note::{Checkpoint, SignedCheckpoint};
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::tree::leaf_hash;

/// How many statements are remembered before those that expired are forgotten: a statement cannot
/// be accepted again after its end, so only those of one day need to be known.
const REMEMBERED_MAX: usize = 100_000;

pub(super) struct Walk<'a> {
    trust: &'a TrustFile,
    blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
    pub(super) findings: Findings,
    texts: Texts,
    chain: Chain,
    tree: Peaks,
    /// No entry so far broke form or chain; what follows such an entry is counted, not judged.
    intact: bool,
    /// Every policy so far came into force; without one nothing that follows can be judged.
    judged: bool,
    policy: Option<Arc<Policy>>,
    judge: Judge,
    /// Accepted statements and their ends.
    said: HashMap<Digest, Timestamp>,
    said_limit: usize,
    head_time: Option<Timestamp>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(trust: &'a TrustFile, blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>) -> Self {
        Self {
            trust,
            blobs,
            findings: Findings::default(),
            texts: Texts::default(),
            chain: Chain::default(),
            tree: Peaks::default(),
            intact: true,
            judged: true,
            policy: None,
            judge: Judge::default(),
            said: HashMap::new(),
            said_limit: REMEMBERED_MAX,
            head_time: None,
        }
    }

    /// The next line.
    pub(super) fn entry(&mut self, bytes: &[u8]) {
        if self.intact {
            match self.read(bytes) {
                Ok((entry, hash)) if self.judged => self.weigh(&entry, hash),
                Ok(_) => {}
                Err((code, detail)) => {
                    self.findings.add(code, Some(self.tree.size()), detail);
                    self.intact = false;
                }
            }
        }
        self.tree.push(leaf_hash(bytes));
    }

    /// The lines end here, too early.
    pub(super) fn stop(&mut self, code: Code, detail: &str) {
        self.findings.add(code, Some(self.tree.size()), detail);
        self.intact = false;
    }

    /// Form and chain.
    fn read(&mut self, bytes: &[u8]) -> Result<(Entry, Digest), (Code, String)> {
        let form = check_form(bytes).map_err(|error| (code_of_entry(&error), error.to_string()))?;
        let hash = entry_hash(bytes);
        if form.log != self.trust.log.as_str() {
            return Err((Code::LogIdMismatch, format!("the entry is of {}", form.log)));
        }
        let entry = Entry::from_form(form, bytes)
            .map_err(|error| (code_of_entry(&error), error.to_string()))?;
        self.chain
            .extend(&form, hash)
            .map_err(|error| (code_of_chain(&error), error.to_string()))?;
        if (entry.seq == 0) != matches!(entry.body, Body::Genesis(_)) {
            let detail = "the first entry is the genesis, and no other";
            return Err((Code::Schema, detail.to_owned()));
        }
        Ok((entry, hash))
    }

    /// What the entry says.
    fn weigh(&mut self, entry: &Entry, hash: Digest) {
        let now = entry.time.second();
        self.head_time = Some(now);
        if let Body::Genesis(genesis) = &entry.body {
            self.genesis(genesis);
        }
        if let Body::Policy(body) = &entry.body {
            self.policy(body, entry.seq);
        }
        if let Body::Config(config) = &entry.body
            && let ConfigChange::Erased { text } = &config.what
        {
            self.texts.erase(*text);
        }
        if let Body::Anchor(anchor) = &entry.body {
            self.anchor(anchor, entry.seq);
        }
        let spoken = self.spoken(entry);
        let Some(policy) = self.policy.clone() else {
            if entry.grant().is_some() {
                let detail = "there is no policy in force that it could be judged by";
                self.findings.add(Code::PolicyUnauthorized, Some(entry.seq), detail);
            }
            return;
        };
        if let Some(decision) = entry.body.decision()
            && decision.policy != policy.digest
        {
            let detail = format!("it names {}, in force is {}", decision.policy, policy.digest);
            self.findings.add(Code::PolicyMismatch, Some(entry.seq), detail);
        }
        let case = Case { entry, hash, policy: &policy, spoken: spoken.as_ref() };
        self.judge.hear(&case, &mut self.findings);
    }

    fn genesis(&mut self, genesis: &Genesis) {
        if genesis.log_key != self.trust.key.to_string()
            || genesis.deployment != self.trust.log.deployment()
        {
            let detail = "the genesis names another deployment or log key";
            self.findings.add(Code::OriginUntrusted, Some(0), detail);
        }
        self.judge.learn_ca(&genesis.ssh_ca, 0, &mut self.findings);
    }

    /// A checkpoint that the ledger itself keeps: signed by its key, and of what is before it.
    fn anchor(&mut self, anchor: &Anchor, seq: u64) {
        let signed = match SignedCheckpoint::from_parts(&anchor.checkpoint, &anchor.cosignatures) {
            Ok(signed) => signed,
            Err(error) => {
                let code = Code::CheckpointMalformed;
                return self.findings.add(code, Some(seq), error.to_string());
            }
        };
        if let Err(error) = signed.verify(&self.trust.key) {
            self.findings.add(Code::CheckpointSig, Some(seq), error.to_string());
        }
        let Checkpoint { origin, size, root } = signed.checkpoint;
        if origin != self.trust.log || self.tree.root_at(size) != Some(root) {
            let detail = format!("the anchored checkpoint of size {size} is not of this history");
            self.findings.add(Code::Fork, Some(seq), detail);
        }
    }

    fn policy(&mut self, body: &crate::entry::Policy, seq: u64) {
        match policies::enact(body, self.trust, self.policy.as_deref(), self.blobs) {
            Ok(policy) => self.policy = Some(policy),
            Err((code, detail)) => {
                self.findings.add(code, Some(seq), detail);
                // Neither the old policy nor this one is in force.
                self.judged = false;
                self.policy = None;
            }
        }
    }

    /// The statement of the entry, if it has one that counts; its faults are noted.
    fn spoken(&mut self, entry: &Entry) -> Option<Spoken> {
        let signed = entry.body.signed()?;
        let seq = Some(entry.seq);
        let spoken = match spoken::hear(signed, &entry.body, &self.trust.log) {
            Ok(spoken) => spoken,
            Err((code, detail)) => {
                self.findings.add(code, seq, detail);
                return None;
            }
        };
        let refused = matches!(entry.body, Body::Refused(_));
        if let Some(text) = spoken.statement.act().text() {
            self.texts.want(text, entry.seq, !refused);
        }
        if refused {
            return Some(spoken);
        }
        let mut checks = vec![
            spoken::check_time(&spoken, &entry.body, entry.time.second()),
            spoken::check_seen(&spoken, &self.tree),
            self.check_new(&spoken, entry.time.second()),
        ];
        if let Some(policy) = &self.policy {
            checks.push(spoken::check_author(&spoken, policy));
        }
        for (code, detail) in checks.into_iter().filter_map(Result::err) {
            self.findings.add(code, seq, detail);
        }
        Some(spoken)
    }

    /// Whether the statement was never accepted before.
    fn check_new(&mut self, spoken: &Spoken, now: Timestamp) -> Result<(), (Code, String)> {
        if self.said.len() >= self.said_limit {
            self.said.retain(|_, expires| *expires >= now);
            self.said_limit = self.said.len().saturating_mul(2).max(REMEMBERED_MAX);
        }
        let digest = spoken.statement.digest();
        let expires = spoken.statement.expires().unwrap_or(Timestamp::MAX);
        match self.said.insert(digest, expires) {
            None => Ok(()),
            Some(_) => Err((Code::ApprovalReplay, format!("statement {digest} was used before"))),
        }
    }

    /// A line of the openings. What was not read may have committed to anything.
    pub(super) fn opening(&mut self, line: &[u8]) {
        let whole = self.is_whole();
        self.texts.open(line, whole, &mut self.findings);
    }

    const fn is_whole(&self) -> bool {
        self.intact && self.judged
    }

    /// After the last entry: size, root, what was seen before, age.
    pub(super) fn ends(&mut self, committed: Option<&Checkpoint>, now: Option<Timestamp>) {
        let size = self.tree.size();
        if size == 0 {
            self.findings.add(Code::BundleEmpty, None, "not even the genesis");
        }
        if let Some(checkpoint) = committed {
            self.check_committed(checkpoint, size);
        }
        for seen in &self.trust.seen {
            let ours = self.tree.root_at(seen.size);
            if ours.is_some() && ours != seen.root {
                let detail = format!("its first {} entries are not those seen before", seen.size);
                self.findings.add(Code::Fork, None, detail);
            }
        }
        if let Some(limit) = self.trust.freshness {
            let age = now.zip(self.head_time).map(|(now, head)| now.since(head));
            if age.is_none_or(|age| age > limit) {
                let age = age.map_or_else(|| "unknown".to_owned(), |age| format!("{age} s"));
                let detail = format!("its age is {age}, the limit {limit} s");
                self.findings.add(Code::Stale, None, detail);
            }
        }
        if self.is_whole() {
            self.judge.head(&mut self.findings);
        }
    }

    fn check_committed(&mut self, checkpoint: &Checkpoint, size: u64) {
        if size < checkpoint.size {
            let detail = format!("{size} entries, the checkpoint says {}", checkpoint.size);
            self.findings.add(Code::SizeMismatch, None, detail);
        } else if size > checkpoint.size {
            let detail = format!("{size} entries, the checkpoint covers {}", checkpoint.size);
            self.findings.add(Code::UncommittedTail, Some(checkpoint.size), detail);
        }
        if let Some(root) = self.tree.root_at(checkpoint.size)
            && root != checkpoint.root
        {
            let detail = format!("{root}, the checkpoint says {}", checkpoint.root);
            self.findings.add(Code::RootMismatch, None, detail);
        }
    }

    pub(super) fn report(mut self) -> Report {
        // What was not read cannot be missed.
        let mut unread = Findings::default();
        let into = if self.is_whole() { &mut self.findings } else { &mut unread };
        let (texts, redacted) = self.texts.ends(into);
        let findings = self.findings.into_ordered();
        Report {
            verdict: verdict_of(&findings),
            findings,
            entries: self.tree.size(),
            root: self.tree.root(),
            head_time: self.head_time,
            grants: self.judge.grants(),
            issued: self.judge.issued(),
            texts,
            redacted,
        }
    }
}
