//! Free texts: each is there and opens its commitment, or an entry says that it was erased.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Code, Findings};
use crate::bundle::Opening;
use crate::bytes::Digest;

/// Commitments by what became of their texts.
#[derive(Default)]
pub(super) struct Texts {
    /// Commitments in statements, with the entry that carries the statement first.
    wanted: BTreeMap<Digest, Wanted>,
    erased: BTreeSet<Digest>,
    opened: BTreeSet<Digest>,
}

struct Wanted {
    entry: u64,
    /// The text of a refused act need not have been kept.
    required: bool,
}

impl Texts {
    /// A statement in entry `seq` commits to a text.
    pub(super) fn want(&mut self, text: Digest, entry: u64, required: bool) {
        let wanted = self.wanted.entry(text).or_insert(Wanted { entry, required });
        wanted.required |= required;
    }

    /// An entry says that a text was erased.
    pub(super) fn erase(&mut self, text: Digest) {
        self.erased.insert(text);
    }

    /// A line of the openings; `whole` if every statement was read before.
    pub(super) fn open(&mut self, line: &[u8], whole: bool, findings: &mut Findings) {
        let mut wrong = |entry, detail: String| findings.add(Code::OpeningMismatch, entry, detail);
        let opening = match Opening::parse(line) {
            Ok(opening) => opening,
            Err(error) => return wrong(None, error.to_string()),
        };
        let digest = opening.digest();
        let Some(wanted) = self.wanted.get(&digest) else {
            if whole {
                wrong(None, format!("no statement commits to {digest}"));
            }
            return;
        };
        let entry = Some(wanted.entry);
        if !opening.is_true() {
            wrong(entry, format!("salt and text do not make {digest}"));
        } else if self.erased.contains(&digest) {
            wrong(entry, format!("the text of {digest} is there, yet an entry says it was erased"));
        } else if !self.opened.insert(digest) {
            wrong(entry, format!("{digest} is opened twice"));
        }
    }

    /// After the last line: what is missing. Gives how many are there and how many were erased.
    pub(super) fn ends(&self, findings: &mut Findings) -> (u64, u64) {
        let mut redacted = 0_u64;
        for (digest, wanted) in &self.wanted {
            if self.erased.contains(digest) {
                redacted = redacted.saturating_add(1);
            } else if wanted.required && !self.opened.contains(digest) {
                let detail = format!("the text of {digest}");
                findings.add(Code::OpeningMissing, Some(wanted.entry), detail);
            }
        }
        (u64::try_from(self.opened.len()).unwrap_or(u64::MAX), redacted)
    }
}
