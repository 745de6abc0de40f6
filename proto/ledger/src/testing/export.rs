//! The export of a house, in memory, to be verified as it is or after harm was done to it.

use std::collections::BTreeMap;

use super::House;
use crate::audit::{Report, TrustFile, verify};
use crate::bundle::{Bundle, write_entry};
use crate::bytes::Digest;
use crate::time::Timestamp;

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

impl House {
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
        let bundle = Bundle {
            entries: &mut self.entries.as_slice(),
            checkpoint: &self.checkpoint,
            openings: &mut self.openings.as_slice(),
            blobs: &|digest| self.blobs.get(&digest).cloned(),
        };
        verify(bundle, trust, now).expect("memory can be read")
    }
}
