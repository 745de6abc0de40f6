//! The export of one grant: its entries, each with the proof that it is in the ledger.

use std::io::BufRead;

use serde::Deserialize;

use crate::bytes::Digest;
use crate::note::SIZE_MAX;
use crate::tree::LEVELS_MAX;

/// File of the inclusion proofs, one line for each line of the entries. It makes an export a case.
pub const PROOFS: &str = "proofs.jsonl";

/// Longest line of [`PROOFS`]: [`LEVELS_MAX`] hashes of 44 characters with quotes and comma, and
/// the rest.
pub const PROOF_LINE_MAX: usize = 47 * LEVELS_MAX + 64;

/// A case, as handed to a verifier.
pub struct CaseBundle<'a> {
    /// Content of [`ENTRIES`](super::ENTRIES): those of the case alone.
    pub entries: &'a mut dyn BufRead,
    /// Content of [`PROOFS`].
    pub proofs: &'a mut dyn BufRead,
    /// Content of [`CHECKPOINT`](super::CHECKPOINT).
    pub checkpoint: &'a str,
    /// Content of [`OPENINGS`](super::OPENINGS).
    pub openings: &'a mut dyn BufRead,
    /// The file in [`BLOBS`](super::BLOBS) of this SHA-256, if there is one. What it answers is
    /// hashed again.
    pub blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
}

/// An inclusion proof (RFC 9162, 2.1.3) of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Which entry, at most [`SIZE_MAX`].
    pub seq: u64,
    /// The siblings from the leaf up, at most [`LEVELS_MAX`].
    pub hashes: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    proof: Vec<String>,
    seq: u64,
}

impl Proof {
    /// Reads a line of [`PROOFS`] without its line feed.
    ///
    /// # Errors
    ///
    /// [`ParseProofError`] if it is not in the one form. Whether it proves anything is not looked
    /// at.
    pub fn parse(line: &[u8]) -> Result<Self, ParseProofError> {
        let text: Text = serde_json::from_slice(line).map_err(|_| ParseProofError)?;
        let hashes = text.proof.iter().map(|hash| Digest::from_base64(hash));
        let hashes = hashes.collect::<Result<Vec<_>, _>>().map_err(|_| ParseProofError)?;
        let proof = Self { seq: text.seq, hashes };
        let is_small = proof.hashes.len() <= LEVELS_MAX && proof.seq <= SIZE_MAX;
        if is_small && proof.to_line() == line { Ok(proof) } else { Err(ParseProofError) }
    }

    /// The line, without its line feed.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let hashes: Vec<String> =
            self.hashes.iter().map(|hash| format!("\"{}\"", hash.to_base64())).collect();
        format!("{{\"proof\":[{}],\"seq\":{}}}", hashes.join(","), self.seq).into_bytes()
    }
}

/// The line is not a proof in its one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a proof: {{\"proof\":[base64, …],\"seq\":number}}, at most {LEVELS_MAX} hashes")]
pub struct ParseProofError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_as_it_was_written() {
        for count in [0, 1, LEVELS_MAX] {
            let hashes = vec![Digest::of(b"x"); count];
            let proof = Proof { seq: SIZE_MAX, hashes };
            let line = proof.to_line();
            assert!(line.len() <= PROOF_LINE_MAX);
            assert_eq!(Proof::parse(&line), Ok(proof));
        }
    }

    #[test]
    fn a_proof_has_one_form() {
        let line = Proof { seq: 7, hashes: vec![Digest::of(b"x")] }.to_line();
        let line = String::from_utf8(line).unwrap();
        for bad in [
            line.replace("\"seq\":7", "\"seq\":07"),
            line.replace("\"seq\":7", "\"seq\":7.0"),
            line.replace("\"seq\":7", "\"seq\": 7"),
            line.replace("\"seq\":7", "\"seq\":7,\"seq\":7"),
            line.replace("\"seq\":7", "\"seq\":7,\"more\":7"),
            line.replace("\"seq\":7", "\"seq\":9007199254740992"),
            line.replace("=\"", "\""),
            String::from_utf8(Proof { seq: 7, hashes: vec![Digest::ZERO; 65] }.to_line()).unwrap(),
            String::new(),
        ] {
            assert_eq!(Proof::parse(bad.as_bytes()), Err(ParseProofError), "{bad}");
        }
    }
}
