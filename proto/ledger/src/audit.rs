//! The verifier: an export and a trust file in, a verdict out. Nothing is asked, nothing believed.
//!
//! Checks run in the fixed order of [`Check`], in one pass over the entries. Memory is 32 bytes per
//! entry in form (to recompute any root a signer says to have seen), what is known of open grants, the
//! ids of closed ones, and a few hundred lines of at most `apart::BYTES_MAX`: whatever a large bundle
//! holds, less than a fifth of its size.

mod apart;
mod case;
mod eligibility;
mod finding;
mod form;
mod hearing;
mod peaks;
mod policies;
mod spoken;
mod texts;
mod trust;
mod walk;

pub use case::{CASE_ENTRIES_MAX, CaseReport, Unknown};
pub use eligibility::{Action, Answer, Circumstances, Eligibility, Question};
pub use finding::{Check, Code, FINDINGS_PER_CODE_MAX, Finding, Findings, Verdict, verdict_of};
pub use spoken::Spoken;
pub use trust::{TRUST_MAX, TrustError, TrustFile};

use std::io::{self, BufRead};

use crate::bundle::{Bundle, CaseBundle, Lines, OPENING_LINE_MAX, PROOF_LINE_MAX, Proof, Step};
use crate::bytes::Digest;
use crate::entry::ENTRY_MAX;
use crate::note::{Checkpoint, NoteError, SignedCheckpoint};
use crate::time::Timestamp;

use case::CaseWalk;
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
/// shown to be small enough. `rules` judges the rules of policies that have some; without it what was
/// decided under them is unproven.
///
/// # Errors
///
/// The error of reading the bundle. Whatever is wrong with its content is in the report.
pub fn verify(
    bundle: Bundle<'_>,
    trust: &TrustFile,
    now: Option<Timestamp>,
    rules: Option<&dyn Eligibility>,
) -> io::Result<Report> {
    let mut walk = Walk::new(trust, bundle.blobs, rules);
    let committed = open(bundle.checkpoint, trust, &mut walk.hearing.findings);
    let mut lines = Vec::new();
    let mut waiting = 0_usize;
    let end = each_line(bundle.entries, ENTRY_MAX, |line| {
        lines.push(line.to_vec());
        waiting = waiting.saturating_add(line.len());
        if lines.len() >= apart::LINES_MAX || waiting >= apart::BYTES_MAX {
            walk.entries(&lines);
            lines.clear();
            waiting = 0;
        }
        Ok(())
    })?;
    walk.entries(&lines);
    match end {
        End::Whole => {}
        End::Torn => walk.stop(Code::EntryNotCanonical, TORN),
        End::TooLong => walk.stop(Code::EntryTooLarge, TOO_LONG),
    }
    walk.ends(committed.as_ref(), now);
    let end = each_line(bundle.openings, OPENING_LINE_MAX, |line| {
        walk.opening(line);
        Ok(())
    })?;
    openings_end(end, &mut walk.hearing.findings);
    Ok(walk.report())
}

/// Verifies a case, the export of one grant, against what the reviewer trusts. The verdict is about
/// that grant; what a case cannot show is listed in the report, whatever the verdict.
///
/// A grant that is not closed is at best unproven, and so is a case whose trust file demands what a
/// case does not hold: an older checkpoint extended, a young ledger.
///
/// # Errors
///
/// The error of reading the bundle. Whatever is wrong with its content is in the report.
pub fn verify_case(
    bundle: CaseBundle<'_>,
    trust: &TrustFile,
    now: Option<Timestamp>,
    rules: Option<&dyn Eligibility>,
) -> io::Result<CaseReport> {
    let mut walk = CaseWalk::new(trust, bundle.blobs, rules);
    walk.committed = open(bundle.checkpoint, trust, &mut walk.hearing.findings);
    let mut proofs = Lines::new(bundle.proofs, PROOF_LINE_MAX);
    match each_line(bundle.entries, ENTRY_MAX, |bytes| {
        walk.entry(bytes, next_proof(&mut proofs)?);
        Ok(())
    })? {
        End::Whole => {
            if proofs.step()? != Step::End {
                let detail = "there are more proofs than entries";
                walk.hearing.findings.add(Code::Inclusion, None, detail);
            }
        }
        End::Torn => walk.stop(Code::EntryNotCanonical, TORN),
        End::TooLong => walk.stop(Code::EntryTooLarge, TOO_LONG),
    }
    walk.ends(now);
    let end = each_line(bundle.openings, OPENING_LINE_MAX, |line| {
        walk.opening(line);
        Ok(())
    })?;
    openings_end(end, &mut walk.hearing.findings);
    Ok(walk.report())
}

const TORN: &str = "the last line has no line feed";
const TOO_LONG: &str = "a line is above 65,535 bytes";

/// How a file of lines ended.
enum End {
    /// After a line feed.
    Whole,
    /// Without one.
    Torn,
    /// At a line over the limit; the rest was not read.
    TooLong,
}

fn each_line(
    source: &mut dyn BufRead,
    limit: usize,
    mut on: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<End> {
    let mut lines = Lines::new(source, limit);
    loop {
        match lines.step()? {
            Step::Line(line) => on(line)?,
            Step::Torn => return Ok(End::Torn),
            Step::TooLong => return Ok(End::TooLong),
            Step::End => return Ok(End::Whole),
        }
    }
}

fn openings_end(end: End, findings: &mut Findings) {
    match end {
        End::Whole => {}
        End::Torn | End::TooLong => {
            let detail = "a line has no line feed or is too long";
            findings.add(Code::OpeningMismatch, None, detail);
        }
    }
}

fn next_proof(lines: &mut Lines<'_>) -> io::Result<Result<Proof, String>> {
    Ok(match lines.step()? {
        Step::Line(line) => Proof::parse(line).map_err(|error| error.to_string()),
        Step::Torn | Step::TooLong => Err("a proof has no line feed or is too long".to_owned()),
        Step::End => Err("there is no proof for it".to_owned()),
    })
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
