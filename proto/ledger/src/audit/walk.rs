//! One pass over the whole ledger: each entry is checked for its form and place, and then heard.

use super::apart::{self, Apart, Content};
use super::eligibility::Eligibility;
use super::finding::{Code, Findings, verdict_of};
use super::form::code_of_chain;
use super::hearing::Hearing;
use super::peaks::Peaks;
use super::spoken::{Fault, Heard};
use super::{Report, TrustFile};
use crate::bytes::Digest;
use crate::chain::Chain;
use crate::entry::{Anchor, Body, Entry};
use crate::judge::Judge;
use crate::note::{Checkpoint, SignedCheckpoint};
use crate::time::Timestamp;
use crate::tree::leaf_hash;

pub(super) struct Walk<'a> {
    trust: &'a TrustFile,
    pub(super) hearing: Hearing<'a>,
    chain: Chain,
    tree: Peaks,
    /// No entry so far broke form or chain; what follows such an entry is counted, not judged.
    intact: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        trust: &'a TrustFile,
        blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
        rules: Option<&'a dyn Eligibility>,
    ) -> Self {
        Self {
            trust,
            hearing: Hearing::new(trust, blobs, Judge::new(rules)),
            chain: Chain::default(),
            tree: Peaks::default(),
            intact: true,
        }
    }

    /// The next lines.
    pub(super) fn entries(&mut self, lines: &[Vec<u8>]) {
        if !self.intact {
            return lines.iter().for_each(|line| self.tree.pass_over(leaf_hash(line)));
        }
        for line in apart::look(lines, &self.trust.log) {
            self.entry(line);
        }
    }

    fn entry(&mut self, line: Apart<'_>) {
        if self.intact {
            match line.read.and_then(|content| self.follow(content, line.hash)) {
                Ok((entry, heard)) if self.hearing.judged => {
                    if let Body::Anchor(anchor) = &entry.body {
                        self.anchor(anchor, entry.seq);
                    }
                    self.hearing.hear(&entry, line.hash, heard, &mut self.tree);
                }
                Ok(_) => {}
                Err((code, detail)) => {
                    self.hearing.findings.add(code, Some(self.tree.size()), detail);
                    self.intact = false;
                }
            }
        }
        if self.intact { self.tree.push(line.leaf) } else { self.tree.pass_over(line.leaf) }
    }

    /// The lines end here, too early.
    pub(super) fn stop(&mut self, code: Code, detail: &str) {
        self.hearing.findings.add(code, Some(self.tree.size()), detail);
        self.intact = false;
    }

    /// The chain.
    fn follow(&mut self, content: Content<'_>, hash: Digest) -> Result<(Entry, Heard), Fault> {
        let Content { form, entry, heard } = content;
        self.chain
            .extend(&form, hash)
            .map_err(|error| (code_of_chain(&error), error.to_string()))?;
        if (entry.seq == 0) != matches!(entry.body, Body::Genesis(_)) {
            let detail = "the first entry is the genesis, and no other";
            return Err((Code::Schema, detail.to_owned()));
        }
        Ok((entry, heard))
    }

    /// A checkpoint that the ledger itself keeps: signed by its key, and of what is before it.
    fn anchor(&mut self, anchor: &Anchor, seq: u64) {
        let signed = match SignedCheckpoint::from_parts(&anchor.checkpoint, &anchor.cosignatures) {
            Ok(signed) => signed,
            Err(error) => {
                let code = Code::CheckpointMalformed;
                return self.hearing.findings.add(code, Some(seq), error.to_string());
            }
        };
        if let Err(error) = signed.verify(&self.trust.key) {
            self.hearing.findings.add(Code::CheckpointSig, Some(seq), error.to_string());
        }
        let Checkpoint { origin, size, root } = signed.checkpoint;
        if origin != self.trust.log || self.tree.root_at(size) != Some(root) {
            let detail = format!("the anchored checkpoint of size {size} is not of this history");
            self.hearing.findings.add(Code::Fork, Some(seq), detail);
        }
    }

    /// A line of the openings. What was not read may have committed to anything.
    pub(super) fn opening(&mut self, line: &[u8]) {
        let whole = self.is_whole();
        self.hearing.texts.open(line, whole, &mut self.hearing.findings);
    }

    const fn is_whole(&self) -> bool {
        self.intact && self.hearing.judged
    }

    /// After the last entry: size, root, what was seen before, age.
    pub(super) fn ends(&mut self, committed: Option<&Checkpoint>, now: Option<Timestamp>) {
        let size = self.tree.size();
        if size == 0 {
            self.hearing.findings.add(Code::BundleEmpty, None, "not even the genesis");
        }
        if let Some(checkpoint) = committed {
            self.check_committed(checkpoint, size);
        }
        for seen in &self.trust.seen {
            let ours = self.tree.root_at(seen.size);
            if ours.is_some() && ours != seen.root {
                let detail = format!("its first {} entries are not those seen before", seen.size);
                self.hearing.findings.add(Code::Fork, None, detail);
            }
        }
        if let Some(limit) = self.trust.freshness {
            let age = now.zip(self.hearing.head_time).map(|(now, head)| now.since(head));
            if age.is_none_or(|age| age > limit) {
                let age = age.map_or_else(|| "unknown".to_owned(), |age| format!("{age} s"));
                let detail = format!("its age is {age}, the limit {limit} s");
                self.hearing.findings.add(Code::Stale, None, detail);
            }
        }
        if self.is_whole() {
            self.hearing.judge.head(&mut self.hearing.findings);
        }
    }

    fn check_committed(&mut self, checkpoint: &Checkpoint, size: u64) {
        if size < checkpoint.size {
            let detail = format!("{size} entries, the checkpoint says {}", checkpoint.size);
            self.hearing.findings.add(Code::SizeMismatch, None, detail);
        } else if size > checkpoint.size {
            let detail = format!("{size} entries, the checkpoint covers {}", checkpoint.size);
            self.hearing.findings.add(Code::UncommittedTail, Some(checkpoint.size), detail);
        }
        if let Some(root) = self.tree.root_at(checkpoint.size)
            && root != checkpoint.root
        {
            let detail = format!("{root}, the checkpoint says {}", checkpoint.root);
            self.hearing.findings.add(Code::RootMismatch, None, detail);
        }
    }

    pub(super) fn report(self) -> Report {
        // What was not read cannot be missed.
        let mut unread = Findings::default();
        let is_whole = self.is_whole();
        let Hearing { mut findings, texts, judge, head_time, .. } = self.hearing;
        let into = if is_whole { &mut findings } else { &mut unread };
        let (texts, redacted) = texts.ends(into);
        let findings = findings.into_ordered();
        Report {
            verdict: verdict_of(&findings),
            findings,
            entries: self.tree.size(),
            root: self.tree.root(),
            head_time,
            grants: judge.grants(),
            issued: judge.issued(),
            texts,
            redacted,
        }
    }
}
