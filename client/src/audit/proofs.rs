//! The proofs of a case while it is written: kept until its checkpoint, which comes last, is there.

use std::fs::File;
use std::io::BufWriter;

use breakglass_ledger::audit::CASE_ENTRIES_MAX;
use breakglass_ledger::bundle::{Proof, write_entry};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::tree::{LEVELS_MAX, leaf_hash, verify_inclusion};

/// The file of the proofs, and what they have to prove.
pub(super) struct Proofs {
    file: BufWriter<File>,
    /// Leaf hashes with their proofs, ascending by number.
    kept: Vec<(Digest, Proof)>,
}

impl Proofs {
    pub(super) const fn new(file: BufWriter<File>) -> Self {
        Self { file, kept: Vec::new() }
    }

    /// Takes the proof of entry `seq`; says which rule it breaks.
    pub(super) fn take(
        &mut self,
        seq: u64,
        entry: &[u8],
        hashes: &[Vec<u8>],
    ) -> Result<(), String> {
        let count = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        if hashes.len() > LEVELS_MAX || count >= CASE_ENTRIES_MAX {
            return Err("there is more of it than a case can have".to_owned());
        }
        if self.kept.last().is_some_and(|(_, last)| last.seq >= seq) {
            return Err("an entry is out of order".to_owned());
        }
        let hash = |bytes: &Vec<u8>| bytes.as_slice().try_into().map(Digest::from_bytes);
        let hashes = hashes.iter().map(hash).collect::<Result<Vec<_>, _>>();
        let hashes = hashes.map_err(|_| "a hash of a proof has not 32 bytes".to_owned())?;
        let proof = Proof { seq, hashes };
        write_entry(&mut self.file, &proof.to_line()).map_err(|error| error.to_string())?;
        self.kept.push((leaf_hash(entry), proof));
        Ok(())
    }

    /// Whether every entry is where it says to be below `checkpoint`.
    pub(super) fn lead_to(&self, checkpoint: &Checkpoint) -> bool {
        let Checkpoint { size, root, .. } = checkpoint;
        self.kept
            .iter()
            .all(|(leaf, proof)| verify_inclusion(proof.seq, *size, leaf, &proof.hashes, root))
    }

    pub(super) const fn file(&mut self) -> &mut BufWriter<File> {
        &mut self.file
    }
}
