//! The verifier: an export and a trust file in, a verdict out. Nothing is asked, nothing believed.
//!
//! Checks run in the fixed order of [`Check`], in one pass over the entries. Memory is 32 bytes per
//! entry (to recompute any root a signer says to have seen) and what is known of open grants.

mod finding;
mod form;
mod peaks;
mod policies;
mod spoken;
mod texts;
mod trust;
mod walk;

pub use finding::{Check, Code, FINDINGS_PER_CODE_MAX, Finding, Findings, Verdict, verdict_of};
pub use spoken::Spoken;
pub use trust::{TRUST_MAX, TrustError, TrustFile};

use std::io;

use crate::bundle::{Bundle, Lines, OPENING_LINE_MAX, Step};
use crate::bytes::Digest;
use crate::entry::ENTRY_MAX;
use crate::note::{Checkpoint, NoteError, SignedCheckpoint};
use crate::time::Timestamp;

use walk::Walk;

/// What a verification came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The result in one word.
    pub verdict: Verdict,
    /// What was found, in the fixed order; empty if and only if verified.
    pub findings: Vec<Finding>,
    /// How many entries were read.
    pub entries: u64,
    /// Root over them.
    pub root: Digest,
    /// Time of the newest entry.
    pub head_time: Option<Timestamp>,
    /// How many grants there were.
    pub grants: u64,
    /// How many credentials were issued.
    pub issued: u64,
    /// How many texts are there.
    pub texts: u64,
    /// How many texts were erased, as an entry says.
    pub redacted: u64,
}

/// Verifies an export against what the reviewer trusts.
///
/// `now` is needed if the trust file limits the age of the newest entry; without it the age is not
/// shown to be small enough.
///
/// # Errors
///
/// The error of reading the bundle. Whatever is wrong with its content is in the report.
pub fn verify(bundle: Bundle<'_>, trust: &TrustFile, now: Option<Timestamp>) -> io::Result<Report> {
    let mut walk = Walk::new(trust, bundle.blobs);
    let committed = open(bundle.checkpoint, trust, &mut walk.findings);
    let mut lines = Lines::new(bundle.entries, ENTRY_MAX);
    loop {
        match lines.step()? {
            Step::Line(bytes) => walk.entry(bytes),
            Step::Torn => {
                walk.stop(Code::EntryNotCanonical, "the last line has no line feed");
                break;
            }
            Step::TooLong => {
                walk.stop(Code::EntryTooLarge, "a line is above 65,535 bytes");
                break;
            }
            Step::End => break,
        }
    }
    walk.ends(committed.as_ref(), now);
    let mut lines = Lines::new(bundle.openings, OPENING_LINE_MAX);
    loop {
        match lines.step()? {
            Step::Line(line) => walk.opening(line),
            Step::Torn | Step::TooLong => {
                let detail = "a line has no line feed or is too long";
                walk.findings.add(Code::OpeningMismatch, None, detail);
                break;
            }
            Step::End => break,
        }
    }
    Ok(walk.report())
}

/// The checkpoint, if it is in form; its faults go to `findings`.
fn open(note: &str, trust: &TrustFile, findings: &mut Findings) -> Option<Checkpoint> {
    let signed = match SignedCheckpoint::parse(note) {
        Ok(signed) => signed,
        Err(error) => {
            findings.add(Code::CheckpointMalformed, None, error.to_string());
            return None;
        }
    };
    let checkpoint = signed.checkpoint.clone();
    if checkpoint.origin != trust.log {
        let detail = format!("{} instead of {}", checkpoint.origin, trust.log);
        findings.add(Code::OriginUntrusted, None, detail);
    }
    match signed.verify(&trust.key) {
        Ok(()) => {}
        Err(error @ (NoteError::Unsigned | NoteError::Signature)) => {
            findings.add(Code::CheckpointSig, None, error.to_string());
        }
        Err(error @ (NoteError::Key | NoteError::TooLarge | NoteError::Malformed { .. })) => {
            findings.add(Code::CheckpointMalformed, None, error.to_string());
        }
    }
    for seen in trust.seen.iter().filter(|seen| seen.size > checkpoint.size) {
        let detail = format!("size {}, but {} was seen before", checkpoint.size, seen.size);
        findings.add(Code::Rollback, None, detail);
    }
    Some(checkpoint)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod tests;
