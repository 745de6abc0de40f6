//! Which lists were published, so that what hosts report can be compared.

use std::collections::BTreeMap;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::List;

/// Lists remembered of each kind: an hour of one a second. A host that reports an older one is told
/// to fetch the newest, which holds the same and more.
const REMEMBERED_MAX: usize = 4096;

/// The digests of the lists published since the start.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<List, BTreeMap<u64, Digest>>);

impl Lists {
    /// A list is published under this version.
    pub(super) fn note(&mut self, list: List, version: u64, bytes: &[u8]) {
        let versions = self.0.entry(list).or_default();
        versions.insert(version, Digest::of(bytes));
        while versions.len() > REMEMBERED_MAX {
            versions.pop_first();
        }
    }

    /// The newest version of `list`.
    pub(super) fn newest(&self, list: List) -> Option<u64> {
        self.0.get(&list)?.last_key_value().map(|(version, _)| *version)
    }

    /// What was published of `list` under `version`.
    pub(super) fn digest(&self, list: List, version: u64) -> Option<Digest> {
        self.0.get(&list)?.get(&version).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_and_kinds_kept_apart() {
        let mut lists = Lists::default();
        assert_eq!(lists.newest(List::Krl), None);
        for version in 1..=u64::try_from(REMEMBERED_MAX).expect("small") + 1 {
            lists.note(List::Krl, version, &version.to_be_bytes());
        }
        assert_eq!(lists.newest(List::Krl), Some(4097));
        assert_eq!(lists.digest(List::Krl, 1), None);
        assert_eq!(lists.digest(List::Krl, 2), Some(Digest::of(&2_u64.to_be_bytes())));
        assert_eq!(lists.digest(List::Crl, 2), None);
    }
}
