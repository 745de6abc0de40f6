//! What a case shows of the history before each of its entries.

use std::collections::BTreeMap;

use crate::audit::spoken::{Past, Then};
use crate::audit::trust::TrustFile;
use crate::bytes::Digest;

/// Roots that proofs or the reviewer show.
pub(super) struct History<'a> {
    trust: &'a TrustFile,
    pub(super) roots: BTreeMap<u64, Digest>,
    /// The `seq` of the entry that is heard.
    pub(super) now: u64,
    /// How many signers saw a size that is not shown.
    pub(super) not_shown: u64,
}

impl<'a> History<'a> {
    pub(super) const fn new(trust: &'a TrustFile) -> Self {
        Self { trust, roots: BTreeMap::new(), now: 0, not_shown: 0 }
    }
}

impl Past for History<'_> {
    fn at(&mut self, size: u64) -> Then {
        if size > self.now {
            return Then::NotYet;
        }
        let by_reviewer = || self.trust.seen.iter().find(|seen| seen.size == size)?.root;
        if let Some(root) = self.roots.get(&size).copied().or_else(by_reviewer) {
            return Then::Root(root);
        }
        self.not_shown = self.not_shown.saturating_add(1);
        Then::NotShown
    }
}
