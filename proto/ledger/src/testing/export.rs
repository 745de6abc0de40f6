//! The export of a house, in memory, to be verified as it is or after harm was done to it.

use std::collections::BTreeMap;

use super::House;
use crate::audit::{CaseReport, Eligibility, Report, TrustFile, verify, verify_case};
use crate::bundle::{Bundle, CaseBundle, Proof, write_entry};
use crate::bytes::Digest;
use crate::entry::{Body, ConfigChange, Entry};
use crate::id::RequestId;
use crate::statement::Statement;
use crate::time::Timestamp;
use crate::tree::{Nodes, inclusion, leaf_hash, root_of};

/// The files of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// `entries.jsonl`
    pub entries: Vec<u8>,
    /// `checkpoint`
    pub checkpoint: String,
    /// `openings.jsonl`
    pub openings: Vec<u8>,
    /// `blobs/`
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

/// The files of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseExport {
    /// All files but the proofs.
    pub files: Export,
    /// `proofs.jsonl`
    pub proofs: Vec<u8>,
}

/// Every leaf, from which any node is computed anew.
struct Leaves(Vec<Digest>);

impl Nodes for Leaves {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error> {
        let place = |index: u64| usize::try_from(index << level).expect("small");
        let leaves = self.0.get(place(index)..place(index.saturating_add(1)));
        Ok(root_of(leaves.expect("a complete subtree")))
    }
}

impl House {
    /// The case of `id` as of now.
    #[must_use]
    pub fn case(&self, id: RequestId) -> CaseExport {
        let leaves = Leaves(self.entries.iter().map(|bytes| leaf_hash(bytes)).collect());
        let (mut entries, mut proofs, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for bytes in &self.entries {
            let entry = Entry::parse(bytes).expect("our own entry");
            let is_of_grant = entry.grant().is_some_and(|link| link.grant == id);
            let is_erasure = matches!(&entry.body, Body::Config(config)
                if matches!(&config.what, ConfigChange::Erased { text } if texts.contains(text)));
            let is_ground = matches!(entry.body, Body::Genesis(_) | Body::Policy(_));
            if !(is_of_grant || is_erasure || is_ground) {
                continue;
            }
            let said = entry.body.signed().and_then(|signed| {
                Statement::parse(signed.statement.as_bytes()).ok()?.act().text()
            });
            texts.extend(said);
            let Ok(hashes) = inclusion(&leaves, entry.seq, self.size());
            write_entry(&mut entries, bytes).expect("memory");
            let proof = Proof { seq: entry.seq, hashes };
            write_entry(&mut proofs, &proof.to_line()).expect("memory");
        }
        let mut openings = Vec::new();
        for opening in self.openings.iter().filter(|opening| texts.contains(&opening.digest())) {
            write_entry(&mut openings, &opening.to_line().expect("a text")).expect("memory");
        }
        let (checkpoint, blobs) = (self.checkpoint(), self.blobs.clone());
        CaseExport { files: Export { entries, checkpoint, openings, blobs }, proofs }
    }

    /// The whole ledger as of now.
    #[must_use]
    pub fn export(&self) -> Export {
        let mut entries = Vec::new();
        for bytes in &self.entries {
            write_entry(&mut entries, bytes).expect("memory");
        }
        let mut openings = Vec::new();
        for opening in &self.openings {
            write_entry(&mut openings, &opening.to_line().expect("a text")).expect("memory");
        }
        let checkpoint = self.checkpoint();
        Export { entries, checkpoint, openings, blobs: self.blobs.clone() }
    }

    /// What a reviewer of this house trusts.
    #[must_use]
    pub fn trust(&self) -> TrustFile {
        TrustFile {
            log: self.keys.origin(),
            key: self.keys.log_key(),
            authority: vec![self.keys.public("pia").fingerprint()],
            freshness: None,
            seen: Vec::new(),
        }
    }

    /// Exports and verifies.
    #[must_use]
    pub fn verify(&self) -> Report {
        self.export().verify(&self.trust(), None)
    }
}

impl Export {
    /// Verifies what is in memory.
    #[must_use]
    pub fn verify(&self, trust: &TrustFile, now: Option<Timestamp>) -> Report {
        self.verify_by(trust, now, None)
    }

    /// As [`Export::verify`], with somebody who judges rules.
    #[must_use]
    pub fn verify_by(
        &self,
        trust: &TrustFile,
        now: Option<Timestamp>,
        rules: Option<&dyn Eligibility>,
    ) -> Report {
        let bundle = Bundle {
            entries: &mut self.entries.as_slice(),
            checkpoint: &self.checkpoint,
            openings: &mut self.openings.as_slice(),
            blobs: &|digest| self.blobs.get(&digest).cloned(),
        };
        verify(bundle, trust, now, rules).expect("memory can be read")
    }
}

impl CaseExport {
    /// The lines of `entries.jsonl` and of `proofs.jsonl`.
    #[must_use]
    pub fn lines(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let proofs = Export { entries: self.proofs.clone(), ..self.files.clone() };
        (self.files.lines(), proofs.lines())
    }

    /// Replaces both.
    pub fn set_lines(&mut self, entries: &[Vec<u8>], proofs: &[Vec<u8>]) {
        self.files.set_lines(proofs);
        self.proofs = std::mem::take(&mut self.files.entries);
        self.files.set_lines(entries);
    }

    /// Verifies what is in memory.
    #[must_use]
    pub fn verify(&self, trust: &TrustFile, now: Option<Timestamp>) -> CaseReport {
        let bundle = CaseBundle {
            entries: &mut self.files.entries.as_slice(),
            proofs: &mut self.proofs.as_slice(),
            checkpoint: &self.files.checkpoint,
            openings: &mut self.files.openings.as_slice(),
            blobs: &|digest| self.files.blobs.get(&digest).cloned(),
        };
        verify_case(bundle, trust, now, None).expect("memory can be read")
    }
}
