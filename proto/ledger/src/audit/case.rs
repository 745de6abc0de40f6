//! A case: the entries of one grant, each proven by itself to be in the ledger.
//!
//! The proof of entry *i* also holds the subtrees over everything before it, and so the root at
//! sizes *i* and *i* + 1: what a signer says to have seen at these sizes can be compared. What lies
//! between the entries of a case cannot be judged from it, and the report says so ([`Unknown`]).

mod history;
mod unknown;

pub use unknown::Unknown;

use history::History;

use super::eligibility::Eligibility;
use super::finding::{Code, Finding, Findings, Verdict, verdict_of};
use super::form::code_of_entry;
use super::hearing::Hearing;
use super::spoken;
use super::trust::TrustFile;
use crate::bundle::Proof;
use crate::bytes::Digest;
use crate::chain::entry_hash;
use crate::entry::{Body, Config, ConfigChange, Entry, Form, check_form};
use crate::id::RequestId;
use crate::judge::Judge;
use crate::note::Checkpoint;
use crate::time::Timestamp;
use crate::tree::{frontier_before, leaf_hash, verify_inclusion};

/// Most entries of a case: the steps of a grant are few, and there are at most as many policies as
/// an export can hold files for.
pub const CASE_ENTRIES_MAX: u64 = 100_000;

/// What the verification of a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReport {
    /// The result in one word: about this grant, and nothing else.
    pub verdict: Verdict,
    /// What was found, in the fixed order; empty if and only if verified.
    pub findings: Vec<Finding>,
    /// Which grant.
    pub request: Option<RequestId>,
    /// How many entries were read.
    pub entries: u64,
    /// What the checkpoint says of the whole ledger.
    pub checkpoint: Option<Checkpoint>,
    /// Time of the newest entry of the case.
    pub head_time: Option<Timestamp>,
    /// How many credentials were issued.
    pub issued: u64,
    /// How many texts are there.
    pub texts: u64,
    /// How many texts were erased, as an entry of the case says.
    pub redacted: u64,
    /// What this case cannot show, whatever the verdict.
    pub unknown: Vec<Unknown>,
}

/// Why a line counts for nothing.
type Fault = (Code, Option<u64>, String);

pub(super) struct CaseWalk<'a> {
    trust: &'a TrustFile,
    pub(super) hearing: Hearing<'a>,
    pub(super) committed: Option<Checkpoint>,
    request: Option<RequestId>,
    entries: u64,
    /// `seq`, hash and time of the entry before.
    last: Option<(u64, Digest, String)>,
    history: History<'a>,
    /// No line so far broke form or order; what follows such a line is counted, not judged.
    intact: bool,
}

impl<'a> CaseWalk<'a> {
    pub(super) fn new(
        trust: &'a TrustFile,
        blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
        rules: Option<&'a dyn Eligibility>,
    ) -> Self {
        Self {
            trust,
            hearing: Hearing::new(trust, blobs, Judge::of_one_grant(rules)),
            committed: None,
            request: None,
            entries: 0,
            last: None,
            history: History::new(trust),
            intact: true,
        }
    }

    /// The next line of the entries, with what its line of the proofs came to.
    pub(super) fn entry(&mut self, bytes: &[u8], proof: Result<Proof, String>) {
        self.entries = self.entries.saturating_add(1);
        if !self.intact {
            return;
        }
        match self.read(bytes) {
            Ok((entry, hash)) => {
                self.prove(entry.seq, bytes, proof);
                if self.hearing.judged && self.belongs(&entry) {
                    self.history.now = entry.seq;
                    let heard = spoken::hear(&entry.body, &self.trust.log);
                    self.hearing.hear(&entry, hash, heard, &mut self.history);
                }
            }
            Err((code, seq, detail)) => {
                self.hearing.findings.add(code, seq, detail);
                self.intact = false;
            }
        }
    }

    /// The lines end here, too early.
    pub(super) fn stop(&mut self, code: Code, detail: &str) {
        self.hearing.findings.add(code, None, detail);
        self.intact = false;
    }

    /// Form, and what can be said of the place without the entries between.
    fn read(&mut self, bytes: &[u8]) -> Result<(Entry, Digest), Fault> {
        let line = self.entries;
        if line > CASE_ENTRIES_MAX {
            let detail = format!("a case has at most {CASE_ENTRIES_MAX} entries");
            return Err((Code::Schema, None, detail));
        }
        let malformed = |error| (code_of_entry(&error), None, format!("line {line}: {error}"));
        let form = check_form(bytes).map_err(malformed)?;
        let hash = entry_hash(bytes);
        if form.log != self.trust.log.as_str() {
            let detail = format!("the entry is of {}", form.log);
            return Err((Code::LogIdMismatch, Some(form.seq), detail));
        }
        let entry = Entry::from_form(form, bytes).map_err(malformed)?;
        let misplaced = |(code, detail): (Code, &str)| (code, Some(form.seq), detail.to_owned());
        follows(self.last.as_ref(), &form).map_err(misplaced)?;
        if (form.seq == 0) != matches!(entry.body, Body::Genesis(_)) {
            let detail = "entry 0 is the genesis, and no other is".to_owned();
            return Err((Code::Schema, Some(form.seq), detail));
        }
        self.last = Some((form.seq, hash, form.time.to_owned()));
        Ok((entry, hash))
    }

    /// Whether the entry is where it says to be in the tree of the checkpoint.
    fn prove(&mut self, seq: u64, bytes: &[u8], proof: Result<Proof, String>) {
        let Some(committed) = &self.committed else { return };
        let (size, root) = (committed.size, committed.root);
        if seq >= size {
            let detail = format!("the checkpoint covers {size} entries");
            return self.hearing.findings.add(Code::UncommittedTail, Some(seq), detail);
        }
        let mut wrong = |detail| self.hearing.findings.add(Code::Inclusion, Some(seq), detail);
        let proof = match proof {
            Ok(proof) => proof,
            Err(rule) => return wrong(rule),
        };
        if proof.seq != seq {
            return wrong(format!("the proof in its line is that of entry {}", proof.seq));
        }
        let leaf = leaf_hash(bytes);
        if !verify_inclusion(seq, size, &leaf, &proof.hashes, &root) {
            return wrong(format!("the proof does not lead to the root at size {size}"));
        }
        let mut before = frontier_before(seq, size, &proof.hashes);
        self.learn(seq, before.root());
        before.push(leaf);
        self.learn(seq.saturating_add(1), before.root());
    }

    /// The history has this root at this size.
    fn learn(&mut self, size: u64, root: Digest) {
        if self.history.roots.insert(size, root).is_some() {
            return;
        }
        let is_other =
            self.trust.seen.iter().any(|seen| seen.size == size && seen.root != Some(root));
        if is_other {
            let detail = format!("its first {size} entries are not those seen before");
            self.hearing.findings.add(Code::Fork, None, detail);
        }
    }

    /// Whether the entry is one of the case: of its one grant, or one that every case has.
    fn belongs(&mut self, entry: &Entry) -> bool {
        let Some(link) = entry.grant() else {
            let is_ground = is_ground(&entry.body);
            if !is_ground {
                let detail = format!("{} does not belong into a case", entry.body.type_name());
                self.hearing.findings.add(Code::Schema, Some(entry.seq), detail);
            }
            return is_ground;
        };
        let id = *self.request.get_or_insert(link.grant);
        if id != link.grant {
            let detail = format!("{} in the case of {id}", link.grant);
            self.hearing.findings.add(Code::GrantOrphan, Some(entry.seq), detail);
        }
        id == link.grant
    }

    /// A line of the openings. What was not read may have committed to anything.
    pub(super) fn opening(&mut self, line: &[u8]) {
        let is_whole = self.is_whole();
        self.hearing.texts.open(line, is_whole, &mut self.hearing.findings);
    }

    const fn is_whole(&self) -> bool {
        self.intact && self.hearing.judged
    }

    /// After the last line: the end of the grant, and what the trust file demands besides.
    pub(super) fn ends(&mut self, now: Option<Timestamp>) {
        if self.request.is_none() && self.intact {
            self.hearing.findings.add(Code::BundleEmpty, None, "no entry of a grant");
        }
        if let Some(checkpoint) = &self.committed {
            let (size, root) = (checkpoint.size, checkpoint.root);
            self.learn(size, root);
        }
        let findings = &mut self.hearing.findings;
        for seen in &self.trust.seen {
            if !self.history.roots.contains_key(&seen.size) {
                let detail = format!(
                    "whether it extends the checkpoint of size {} seen before is not shown",
                    seen.size
                );
                findings.add(Code::CaseIncomplete, None, detail);
            }
        }
        if let Some(limit) = self.trust.freshness {
            let age = now.zip(self.hearing.head_time).map(|(now, head)| now.since(head));
            if age.is_none_or(|age| age > limit) {
                let detail = "the newest entry of the ledger is not shown, and that of the case is \
                              not young enough";
                findings.add(Code::Stale, None, detail);
            }
        }
        if self.is_whole() {
            let Hearing { judge, findings, .. } = &mut self.hearing;
            judge.head(findings);
            if judge.open() > 0 {
                let detail = "the grant is not closed: what was written of it since is not shown";
                findings.add(Code::CaseIncomplete, None, detail);
            }
        }
    }

    pub(super) fn report(self) -> CaseReport {
        let is_whole = self.is_whole();
        let Hearing { mut findings, texts, judge, head_time, .. } = self.hearing;
        // What was not read cannot be missed.
        let mut unread = Findings::default();
        let (texts, redacted) = texts.ends(if is_whole { &mut findings } else { &mut unread });
        let findings = findings.into_ordered();
        let rest = self.committed.as_ref().map(|one| one.size.saturating_sub(self.entries));
        CaseReport {
            verdict: verdict_of(&findings),
            findings,
            request: self.request,
            entries: self.entries,
            checkpoint: self.committed,
            head_time,
            issued: judge.issued(),
            texts,
            redacted,
            unknown: Unknown::of(rest, self.history.not_shown, judge.open() > 0),
        }
    }
}

/// Whether a case may hold an entry of no grant: what its decisions stand on, and erasures.
fn is_ground(body: &Body) -> bool {
    let is_erasure = |config: &Config| matches!(config.what, ConfigChange::Erased { .. });
    matches!(body, Body::Genesis(_) | Body::Policy(_) | Body::Keys(_))
        || matches!(body, Body::Config(config) if is_erasure(config))
}

/// Whether an entry in form can stand after `last`.
fn follows(
    last: Option<&(u64, Digest, String)>,
    form: &Form<'_>,
) -> Result<(), (Code, &'static str)> {
    let Some((seq, hash, time)) = last else {
        if form.seq != 0 {
            return Err((Code::SeqGap, "a case begins with entry 0"));
        }
        let is_first = form.prev.parse() == Ok(Digest::ZERO);
        return if is_first { Ok(()) } else { Err((Code::ChainBroken, "nothing is before it")) };
    };
    if form.seq <= *seq {
        return Err((Code::SeqGap, "it stands after one of a higher or the same number"));
    }
    if form.seq == seq.saturating_add(1) && form.prev.parse() != Ok(*hash) {
        return Err((Code::ChainBroken, "its prev is not the hash of the entry before it"));
    }
    if form.time < time.as_str() {
        return Err((Code::TimeRegression, "it is older than the one before it"));
    }
    Ok(())
}
